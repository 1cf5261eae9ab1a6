"""The hedge grid on NautilusTrader 1.221.0; the only module that imports it.

What is wanted is decided by the reference simulator's own `decide`; what happens to the orders,
and everything that money is made of, comes from the engine's events. docs/decisions/nautilus.md
says how the engine is set up and why.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nautilus_trader.backtest.config import SimulationModuleConfig
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import FillModel, MakerTakerFeeModel, StandardMarginModel
from nautilus_trader.backtest.modules import SimulationModule
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType, BookOrder
from nautilus_trader.model.enums import (
    AccountType,
    BookType,
    ContingencyType,
    LiquiditySide,
    OmsType,
    OrderSide,
    OrderType,
    TriggerType,
)
from nautilus_trader.model.identifiers import (
    InstrumentId,
    PositionId,
    Symbol,
    TraderId,
    Venue,
)
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.model.orders import LimitOrder, OrderList, StopMarketOrder
from nautilus_trader.trading.strategy import Strategy

from meseta.confirm._outcome import EventDriven
from meseta.errors import RunError
from meseta.hedge._reference import LONG, SHORT, Lot, Order, Reference
from meseta.hedge._result import REASONS

if TYPE_CHECKING:
    from meseta.hedge import GridParameters, GridSettings, HedgeMarket

__all__ = ["run_event_driven"]

VENUE = Venue("BINANCE")
MINUTE_NS = 60_000_000_000
# Bars without volume say nothing of depth; this much is never the limit.
BOTTOMLESS = 1_000_000.0
# What the engine's account and the sum of its fills may differ by: money has 8 decimals there.
CENT = 0.01


def run_event_driven(
    market: HedgeMarket,
    parameters: GridParameters,
    settings: GridSettings,
    span: tuple[int, int],
) -> EventDriven:
    """Trade a span on the engine; call it once in a process.

    Raises
    ------
    RunError
        The engine's account is not what its fills and funding add up to.
    """
    desk = _Desk(market, parameters, settings, span)
    engine = _engine(desk)
    try:
        engine.run()
        balance = float(engine.portfolio.account(VENUE).balance_total(USDT))
    finally:
        engine.dispose()
    return desk.outcome(balance)


def _engine(desk: _Desk) -> Any:
    """Return an engine with the venue, its instrument, the bars and the strategy."""
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId("MESETA-001"),
            logging=LoggingConfig(bypass_logging=True),
            run_analysis=False,
            # The grid's own limits decide; exits may be smaller than the venue's least order.
            risk_engine=RiskEngineConfig(bypass=True),
        )
    )
    settings = desk.book.s
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.HEDGING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(settings.capital, USDT)],
        base_currency=None,
        default_leverage=Decimal(1),
        margin_model=StandardMarginModel(),
        modules=[desk.funding],
        fill_model=_Fills(desk),
        fee_model=MakerTakerFeeModel(),
        book_type=BookType.L1_MBP,
        # Exits are sent at the fill and rest before the path of the bar goes on; a stop that the
        # fill's own leg has passed already is filled at its price.
        use_message_queue=False,
        reject_stop_orders=False,
        bar_execution=True,
        bar_adaptive_high_low_ordering=True,
        trade_execution=False,
    )
    engine.add_instrument(desk.instrument)
    engine.add_data(desk.bars())
    engine.add_strategy(desk.grid)
    return engine


@dataclass(slots=True)
class _Leaving:
    """What a lot has been closed for so far: lot steps, their value, fees and fills."""

    size: int = 0
    value: float = 0.0
    fee: float = 0.0
    fills: int = 0


@dataclass(slots=True)
class _Ticket:
    """What an order of the engine is for: the rung that it opens, or the lot that it closes."""

    order: Any
    rung: Order | None = None
    lot: Lot | None = None
    reason: str = ""


class _Desk:
    """What the strategy, the funding and the account of one run share."""

    def __init__(
        self,
        market: HedgeMarket,
        parameters: GridParameters,
        settings: GridSettings,
        span: tuple[int, int],
    ) -> None:
        self.market, self.span = market, span
        self.book = Reference(market, parameters, settings, span)
        # The bar before the span is the market that the first orders are placed in.
        self.row = max(span[0] - 1, 0)
        self.instrument = _instrument(market, settings)
        spec = f"{market.minutes}-MINUTE-LAST-EXTERNAL"
        self.bar_type = BarType.from_str(f"{self.instrument.id}-{spec}")
        self.positions: dict[Any, Lot] = {}
        self.leaving: dict[int, _Leaving] = {}
        self.grid, self.funding = _Grid(self), _Funding(self)

    def bars(self) -> list[Any]:
        """Return the bars as the engine wants them, stamped at their close."""
        bars, rows = self.market.bars, slice(self.row, self.span[1])
        opened = bars.time[rows].astype("datetime64[m]").astype("int64")
        closed = ((opened + self.market.minutes) * MINUTE_NS).tolist()
        columns = [c[rows].tolist() for c in (bars.open, bars.high, bars.low, bars.close)]
        volume = [BOTTOMLESS] * len(closed) if bars.volume is None else bars.volume[rows].tolist()
        digits, size = self.instrument.price_precision, self.instrument.size_precision
        return [
            Bar(self.bar_type, *(Price(p, digits) for p in prices), Quantity(v, size), at, at)
            for *prices, v, at in zip(*columns, volume, closed, strict=True)
        ]

    def depth(self) -> Any:
        """Return what the bar in hand offers at each price of its path."""
        volume, unit = self.market.bars.volume, self.book.s.lot
        offered = BOTTOMLESS if volume is None else max(float(volume[self.row]) / 4, unit)
        return Quantity(offered, self.instrument.size_precision)

    def open_lot(self, order: Order, position: Any) -> Lot:
        """Return the lot of a rung that has been filled, a new one the first time."""
        book, key = self.book, (order.rung.side, order.rung.level)
        if key not in book.lots:
            self.positions[position] = book.lots[key] = Lot(book.count, order.rung, self.row)
            book.count += 1
        return book.lots[key]

    def shrink_lot(self, lot: Lot, size: int, price: float, fee: float, reason: str) -> None:
        """Make a lot smaller, and write it down when nothing is left."""
        book, out = self.book, self.leaving.setdefault(lot.number, _Leaving())
        out.size, out.value, out.fee = out.size + size, out.value + size * price, out.fee + fee
        out.fills += 1
        lot.size -= size
        book.realised += lot.rung.side * (price - lot.rung.price) * book.steps.value(size)
        book.fees += fee
        if lot.size == 0:
            self.write(lot, out, reason)

    def write(self, lot: Lot, out: _Leaving, reason: str) -> None:
        """Write down a lot that is closed, at the mean price of its fills."""
        book, rung = self.book, lot.rung
        price, quantity = out.value / out.size, book.steps.value(out.size)
        if out.fills == 1:
            price = book.ticks.value(book.ticks.nearest(price))
        del book.lots[rung.side, rung.level]
        book.closed[lot.number] = (
            lot.number, rung.side, rung.level, quantity, rung.step, lot.entry_bar, rung.price,
            self.row, price, rung.take_profit, rung.stop_loss, REASONS.index(reason),
            lot.entry_fee, out.fee, lot.funding, rung.side * (price - rung.price) * quantity,
        )  # fmt: skip

    def outcome(self, balance: float) -> EventDriven:
        """Return what happened, once the account is what it must be."""
        book = self.book
        owed = book.s.capital + book.realised - book.fees - book.funding
        if abs(balance - owed) > CENT:
            raise RunError(
                f"the engine's account holds {balance:.8f}, its fills and funding make "
                f"{owed:.8f}; this is a fault of meseta's adapter for NautilusTrader"
            )
        thin = frozenset(number for number, out in self.leaving.items() if out.fills > 1)
        return EventDriven(book.result(), thin)


class _Grid(Strategy):
    """Sends what the book wants, and has what the engine says written into it."""

    def __init__(self, desk: _Desk) -> None:
        super().__init__(StrategyConfig(strategy_id="HEDGE-GRID", order_id_tag="001"))
        self.desk, self.book = desk, desk.book
        self.tickets: dict[Any, _Ticket] = {}
        self.entries: dict[tuple[int, int], _Ticket] = {}
        self.exits: dict[int, list[_Ticket]] = {}
        self.sent = 0

    def on_start(self) -> None:
        """Ask for the bars."""
        self.subscribe_bars(self.desk.bar_type)

    def on_bar(self, _: Any) -> None:
        """Mark the close of a bar whose fills have been told, and decide on the next."""
        t, (first, stop) = self.desk.row, self.desk.span
        if t >= first:
            self.finish(t, last=t == stop - 1)
        if t < stop - 1 and not self.book.halted:
            before = dict(self.book.orders)
            (self.book.after if t >= first else self.book.decide)(t)
            self.send(before)
        if self.book.flatten_next and not self.book.halted:
            self.leave_market(t, "drawdown")
        self.desk.row += 1

    def finish(self, t: int, *, last: bool) -> None:
        """Close what a bar left without exits, look for liquidation, and mark the close."""
        book = self.book
        for lot in [lot for lot in book.ordered() if not self.protected(lot)]:
            self.close(lot, "stop-loss")
        if not book.halted and self.breached(t):
            book.liquidated = True
            self.leave_market(t, "liquidation")
        exposure = [book.exposure(side, book.close[t]) for side in (LONG, SHORT)]
        if last:
            self.close_all("end")
        book.book(t, exposure)

    def protected(self, lot: Lot) -> bool:
        """Whether a lot has an exit: a stop that closed a part of it has cancelled them all."""
        return any(ticket.order.is_open for ticket in self.exits[lot.number])

    def breached(self, t: int) -> bool:
        """Whether equity falls below the maintenance margin at a price of the bar."""
        book = self.book
        rate = book.s.maintenance_margin
        return any(
            book.equity(price) < rate * (book.exposure(LONG, price) + book.exposure(SHORT, price))
            for price in (book.open[t], book.low[t], book.high[t])
        )

    def leave_market(self, t: int, reason: str) -> None:
        """Close everything and trade nothing any more."""
        before = dict(self.book.orders)
        self.book.halt(t)
        self.send(before)
        self.close_all(reason)

    # ------------------------------------------------------------------ orders

    def send(self, before: dict[tuple[int, int], Order]) -> None:
        """Cancel and place until the engine has the orders that the book has."""
        for key, order in before.items():
            if self.book.orders.get(key) is not order:
                self.cancel_order(self.entries.pop(key).order)
        for key, order in self.book.orders.items():
            if before.get(key) is not order:
                self.place(key, order)

    def place(self, key: tuple[int, int], order: Order) -> None:
        """Place a rung, for a lot with a position id of its own."""
        rung = order.rung
        self.sent += 1
        sent = self.order_factory.limit(
            instrument_id=self.desk.instrument.id,
            order_side=OrderSide.BUY if rung.side == LONG else OrderSide.SELL,
            quantity=self.quantity(order.full),
            price=self.price(rung.price),
            post_only=True,
        )
        self.entries[key] = self.tickets[sent.client_order_id] = _Ticket(sent, rung=order)
        name = "LONG" if rung.side == LONG else "SHORT"
        position = f"{self.desk.instrument.id}-{name}-{rung.level:02d}-{self.sent:06d}"
        self.submit_order(sent, position_id=PositionId(position))

    def protect(self, lot: Lot, size: int, position: Any) -> None:
        """Send the stop and the take-profit of a fill; either one cancels the other."""
        rung, make = lot.rung, self.order_factory
        stop_id, take_id = make.generate_client_order_id(), make.generate_client_order_id()
        common = {
            "trader_id": self.trader_id,
            "strategy_id": self.id,
            "instrument_id": self.desk.instrument.id,
            "order_side": self.closing_side(lot),
            "quantity": self.quantity(size),
            "ts_init": self.clock.timestamp_ns(),
            "reduce_only": True,
            "contingency_type": ContingencyType.OCO,
            "order_list_id": make.generate_order_list_id(),
        }
        stop = StopMarketOrder(
            client_order_id=stop_id,
            linked_order_ids=[take_id],
            trigger_price=self.price(rung.stop_loss),
            trigger_type=TriggerType.DEFAULT,
            init_id=UUID4(),
            **common,
        )
        take = LimitOrder(
            client_order_id=take_id,
            linked_order_ids=[stop_id],
            price=self.price(rung.take_profit),
            init_id=UUID4(),
            **common,
        )
        for order, reason in ((stop, "stop-loss"), (take, "take-profit")):
            ticket = self.tickets[order.client_order_id] = _Ticket(order, lot=lot, reason=reason)
            self.exits.setdefault(lot.number, []).append(ticket)
        pair = OrderList(common["order_list_id"], [stop, take])
        self.submit_order_list(pair, position_id=position)

    def close_all(self, reason: str) -> None:
        """Close every lot at the market."""
        for lot in list(self.book.ordered()):
            self.close(lot, reason)

    def close(self, lot: Lot, reason: str) -> None:
        """Close a lot at the market; the venue cancels its exits with the position."""
        sent = self.order_factory.market(
            instrument_id=self.desk.instrument.id,
            order_side=self.closing_side(lot),
            quantity=self.quantity(lot.size),
            reduce_only=True,
        )
        self.tickets[sent.client_order_id] = _Ticket(sent, lot=lot, reason=reason)
        position = next(id_ for id_, held in self.desk.positions.items() if held is lot)
        self.submit_order(sent, position_id=position)

    def closing_side(self, lot: Lot) -> Any:
        """Return the side of an order that closes a lot."""
        return OrderSide.SELL if lot.rung.side == LONG else OrderSide.BUY

    def price(self, value: float) -> Any:
        """Return a price as the engine has them."""
        return Price(value, self.desk.instrument.price_precision)

    def quantity(self, size: int) -> Any:
        """Return lot steps as the engine has quantities."""
        return Quantity(self.book.steps.value(size), self.desk.instrument.size_precision)

    # ------------------------------------------------------------------ events

    def on_order_filled(self, event: Any) -> None:
        """Have a fill written down; the exits of an entry are sent at once."""
        ticket, fee = self.tickets[event.client_order_id], float(event.commission)
        size = self.book.steps.nearest(float(event.last_qty))
        if ticket.rung is not None:
            self.entered(ticket.rung, size, fee, event.position_id)
        elif ticket.lot is not None:
            self.desk.shrink_lot(ticket.lot, size, float(event.last_px), fee, ticket.reason)
            # An exit of a lot that is filled in parts closes no more than is left of it.

    def entered(self, order: Order, size: int, fee: float, position: Any) -> None:
        """Open a lot, or make it larger."""
        lot = self.desk.open_lot(order, position)
        lot.size += size
        lot.entry_fee += fee
        self.book.fees += fee
        order.left -= size
        if order.left == 0:
            key = order.rung.side, order.rung.level
            del self.book.orders[key], self.entries[key]
        self.protect(lot, size, position)


class _Funding(SimulationModule):
    """Charges open positions at each settlement; the engine knows no funding of its own."""

    def __init__(self, desk: _Desk) -> None:
        super().__init__(SimulationModuleConfig())
        self.desk = desk
        self.charged = 0

    def process(self, _: int) -> None:
        """Charge what is due before the next bar, after the decisions at this one's close."""
        row = self.desk.row
        if not self.charged < row < self.desk.span[1]:
            return
        self.charged = row
        for rate, mark in self.desk.book.due.get(row, []):
            for position in self.exchange.cache.positions_open():
                self.charge(self.desk.positions[position.id], position.signed_qty * mark * rate)

    def charge(self, lot: Lot, paid: float) -> None:
        """Take money from the account and note whose it was."""
        money = Money(-paid, USDT)
        self.exchange.adjust_account(money)
        lot.funding -= float(money)
        self.desk.book.funding -= float(money)

    def log_diagnostics(self, logger: Any) -> None:
        """Say nothing."""

    def reset(self) -> None:
        """Begin anew."""
        self.charged = 0


class _Fills(FillModel):
    """The engine's fills, each from a book of its own.

    Left to itself the engine moves its quote to the price of a fill until the path's next price,
    so that it passes over other orders which the same leg went through. Prices and quantities
    are those that it would give: resting orders whole at their price, stops at their trigger,
    a quarter of the bar's volume there and the rest a tick worse. Slippage is for stops alone;
    the engine's own would move resting orders beyond their limit.
    """

    def __init__(self, desk: _Desk) -> None:
        settings = desk.book.s
        super().__init__(prob_fill_on_limit=float(settings.touch_fills))
        self.desk, self.slips, self.is_stop = desk, settings.slippage_ticks > 0, False

    def get_orderbook_for_fill_simulation(
        self, instrument: Any, order: Any, _bid: Any, _ask: Any
    ) -> Any:
        """Return what a resting order or a stop is filled from; None for others."""
        self.is_stop = order.order_type == OrderType.STOP_MARKET
        if self.is_stop:
            return _book(instrument, order, order.trigger_price, self.desk.depth())
        if order.liquidity_side == LiquiditySide.MAKER:
            return _book(instrument, order, order.price, order.leaves_qty)
        return None

    def is_slipped(self) -> bool:
        """Whether the fill that is being made is a tick worse."""
        return self.slips and self.is_stop


def _book(instrument: Any, order: Any, price: Any, size: Any) -> Any:
    """Return a book with one price on the side that fills an order."""
    book = OrderBook(instrument.id, BookType.L2_MBP)
    side = OrderSide.SELL if order.side == OrderSide.BUY else OrderSide.BUY
    book.add(BookOrder(side, price, size, 1), 0, 0)
    return book


def _instrument(market: HedgeMarket, settings: GridSettings) -> Any:
    """Return the perpetual with the fees and steps of the settings."""
    name = "".join(c for c in market.bars.name.upper() if c.isascii() and c.isalnum()) or "MARKET"
    tick, lot = Decimal(str(settings.tick)), Decimal(str(settings.lot))
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol(f"{name}-PERP"), VENUE),
        raw_symbol=Symbol(name),
        # Names alone: what is earned and paid is money of the quote, whichever coin is traded.
        base_currency=BTC,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=_decimals(tick),
        size_precision=_decimals(lot),
        price_increment=Price.from_str(format(tick, "f")),
        size_increment=Quantity.from_str(format(lot, "f")),
        min_quantity=Quantity(settings.min_quantity, _decimals(lot)),
        min_notional=Money(settings.min_notional, USDT),
        margin_init=Decimal(str(1.0 / settings.leverage)),
        margin_maint=Decimal(str(settings.maintenance_margin)),
        maker_fee=Decimal(str(settings.maker_fee)),
        taker_fee=Decimal(str(settings.taker_fee)),
        ts_event=0,
        ts_init=0,
    )


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -int(exponent))
