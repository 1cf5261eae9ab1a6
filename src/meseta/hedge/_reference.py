"""A hedge grid bar by bar with objects, to be read against its rules; slow.

The compiled simulator is written apart from this one and must give the same lots and curves.
docs/decisions/hedge-grid.md says what is done where the rules leave a choice.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from meseta.hedge._reference_regime import regimes, warm_bars
from meseta.hedge._result import LOT, REASONS, SIDEWAYS, UP, HedgeResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.hedge._market import HedgeMarket
    from meseta.hedge._parameters import GridParameters
    from meseta.hedge._settings import GridSettings

__all__ = ["Reference"]

LONG, SHORT = 1, -1
# What comes first where several orders have the same trigger.
STOP, TAKE, ENTRY = 0, 1, 2


class Steps:
    """Whole numbers of ticks or lot steps, and the decimal numbers that they are."""

    def __init__(self, unit: float) -> None:
        self.unit = unit
        inverse = round(1.0 / unit)
        # A tenth is no binary number: 1003 * 0.1 is not what a file's 100.3 is read as.
        self.inverse = inverse if inverse and abs(inverse * unit - 1.0) < 1e-9 else 0

    def value(self, count: int) -> float:
        """Return the number that `count` steps are."""
        return count / self.inverse if self.inverse else count * self.unit

    def nearest(self, value: float) -> int:
        """Return the nearest number of steps, half up."""
        # A price that should lie between two ticks is a few bits off it.
        return math.floor(self._steps(value) + (0.5 + 1e-6))

    def down(self, value: float) -> int:
        """Return the number of whole steps in a value."""
        return math.floor(self._steps(value) + 1e-9)

    def up(self, value: float) -> int:
        """Return how many steps a value takes."""
        return math.ceil(self._steps(value) - 1e-9)

    def _steps(self, value: float) -> float:
        return value * self.inverse if self.inverse else value / self.unit


@dataclass(slots=True)
class Rung:
    """One level of a ladder: where it enters, and where its lot will leave.

    A trigger is the price that the path must reach for an order at the price to be filled.
    """

    side: int
    level: int
    price: float
    trigger: float
    take_profit: float
    take_trigger: float
    stop_loss: float
    step: float
    quantity: float


@dataclass(slots=True)
class Order:
    """A rung in the book; `full` lot steps of which `left` are not filled yet."""

    rung: Rung
    full: int
    left: int


@dataclass(slots=True)
class Lot:
    """What was filled at a rung, with its own two exits; `size` in lot steps."""

    number: int
    rung: Rung
    entry_bar: int
    size: int = 0
    entry_fee: float = 0.0
    funding: float = 0.0
    stop_first: bool = False


@dataclass(slots=True)
class Curves:
    """Figures at each close."""

    equity: list[float] = field(default_factory=list)
    realised: list[float] = field(default_factory=list)
    unrealised: list[float] = field(default_factory=list)
    fees: list[float] = field(default_factory=list)
    funding: list[float] = field(default_factory=list)
    long_exposure: list[float] = field(default_factory=list)
    short_exposure: list[float] = field(default_factory=list)


class Reference:
    """One back-test; `run` it once."""

    def __init__(
        self,
        market: HedgeMarket,
        parameters: GridParameters,
        settings: GridSettings,
        span: tuple[int, int],
    ) -> None:
        self.market, self.p, self.s, self.span = market, parameters, settings, span
        bars = market.bars
        self.open, self.high = bars.open.tolist(), bars.high.tolist()
        self.low, self.close = bars.low.tolist(), bars.close.tolist()
        self.states = regimes(bars, parameters, settings)
        self.warm = warm_bars(parameters, settings)
        self.ticks, self.steps = Steps(settings.tick), Steps(settings.lot)
        self.slip = settings.slippage_ticks * settings.tick
        self.due = self._due()
        self.guard_times, self.guard_minutes = self._guard_times()
        self.centre = 0.0
        self.ladder: dict[tuple[int, int], Rung] = {}
        self.orders: dict[tuple[int, int], Order] = {}
        self.lots: dict[tuple[int, int], Lot] = {}
        self.closed: dict[int, tuple[float, ...]] = {}
        self.count = 0
        self.realised = self.fees = self.funding = 0.0
        self.peak = settings.capital
        self.budget = 0
        self.cursor = 0.0
        self.flatten_next = self.halted = self.liquidated = False
        self.stopped: int | None = None
        self.curves = Curves()

    def run(self) -> HedgeResult:
        """Trade every bar of the span."""
        first, stop = self.span
        if first > 0:
            self.decide(first - 1)
        for t in range(first, stop):
            self.bar(t)
            exposure = [self.exposure(side, self.close[t]) for side in (LONG, SHORT)]
            if t == stop - 1:
                self.close_all(t, self.close[t], "end")
            self.book(t, exposure)
            if t < stop - 1 and not self.halted:
                self.after(t)
        return self.result()

    def bar(self, t: int) -> None:
        """Let a bar happen: funding, flattening, and what its path reaches."""
        self.settle(t)
        if self.flatten_next and not self.halted:
            self.flatten(t)
        if not self.halted:
            self.play(t)

    def after(self, t: int) -> None:
        """Decide at a close what the next bar finds."""
        equity = self.curves.equity[-1]
        self.peak = max(self.peak, equity)
        stop = self.s.drawdown_stop
        if stop is not None and self.peak - equity > stop * self.peak:
            self.flatten_next = True
            self.orders.clear()
            return
        self.decide(t)

    # ------------------------------------------------------------------ money

    def ordered(self) -> Iterator[Lot]:
        """Open lots, long before short, the levels nearest to the centre first."""
        return iter(sorted(self.lots.values(), key=lambda lot: (-lot.rung.side, lot.rung.level)))

    def held(self, side: int) -> int:
        """Open lot steps of a side."""
        return sum(lot.size for lot in self.lots.values() if lot.rung.side == side)

    def exposure(self, side: int, price: float) -> float:
        """Value of the open lots of a side."""
        return self.steps.value(self.held(side)) * price

    def cost(self, side: int) -> float:
        """Return what the open lots of a side were bought or sold for."""
        total = 0.0
        for lot in self.ordered():
            if lot.rung.side == side:
                total += self.steps.value(lot.size) * lot.rung.price
        return total

    def unrealised(self, price: float) -> float:
        """Profit of the open lots at a price."""
        long = self.exposure(LONG, price) - self.cost(LONG)
        short = self.cost(SHORT) - self.exposure(SHORT, price)
        return long + short

    def equity(self, price: float) -> float:
        """Money, open lots valued at a price."""
        worth = self.s.capital + self.realised + self.unrealised(price)
        return worth - self.fees - self.funding

    def book(self, t: int, exposure: list[float]) -> None:
        """Write down the figures of a close."""
        curves, price = self.curves, self.close[t]
        curves.equity.append(self.equity(price))
        curves.realised.append(self.realised)
        curves.unrealised.append(self.unrealised(price))
        curves.fees.append(self.fees)
        curves.funding.append(self.funding)
        curves.long_exposure.append(exposure[0])
        curves.short_exposure.append(exposure[1])

    # ------------------------------------------------------------------ funding

    def _due(self) -> dict[int, list[tuple[float, float]]]:
        due: dict[int, list[tuple[float, float]]] = {}
        rows, rates, marks = (part.tolist() for part in self.market.settlements)
        for row, rate, mark in zip(rows, rates, marks, strict=True):
            due.setdefault(row, []).append((rate, mark))
        return due

    def settle(self, t: int) -> None:
        """Charge every lot that is open at a settlement, before the bar trades."""
        for rate, mark in self.due.get(t, []):
            for lot in self.ordered():
                paid = lot.rung.side * self.steps.value(lot.size) * mark * rate
                lot.funding += paid
                self.funding += paid

    def _guard_times(self) -> tuple[list[int], list[int]]:
        """Minutes of the settlements, and of the close of each bar, since 1970."""
        bars, funding = self.market.bars, self.market.funding
        opens = bars.time.astype("datetime64[m]").astype(np.int64)
        times = np.empty(0, "datetime64[m]") if funding is None else funding.time
        settled: list[int] = times.astype("datetime64[m]").astype(np.int64).tolist()
        return settled, (opens + self.market.minutes).tolist()

    def guard(self, t: int) -> dict[int, int]:
        """Return the tenths of its quantities that each side may order."""
        whole = {LONG: 10, SHORT: 10}
        now, funding = self.guard_minutes[t], self.market.funding
        last = bisect_left(self.guard_times, now) - 1
        if funding is None or last < 0:
            return whole
        rate, hours = float(funding.rate[last]), float(funding.interval_hours[last])
        ahead = self.guard_times[last] + round(hours * 60) - now
        window = self.s.funding_window_minutes
        cost = abs(rate) * 10_000.0 * (window / 60) / hours
        if not 0 <= ahead <= window or cost <= self.p.funding_max_cost_bps:
            return whole
        return whole | {LONG if rate > 0 else SHORT: 10 * ahead // window}

    # ------------------------------------------------------------------ decisions

    def decide(self, t: int) -> None:
        """Bring the resting orders to what is wanted at the close of bar `t`."""
        if t + 1 < self.warm:
            return
        price = self.close[t]
        if self.centre == 0.0 or (
            10_000.0 * abs(price - self.centre) / self.centre > self.p.recenter_trigger_bps
        ):
            self.recentre(price)
        wanted = self.wanted(t)
        self.cancel(wanted, price)
        self.place(wanted, price)

    def recentre(self, price: float) -> None:
        """Move the ladder; lots keep their own exits."""
        self.centre = price
        self.orders.clear()
        step = price * self.p.grid_step_bps / 10_000.0
        self.ladder.clear()
        for side in (LONG, SHORT):
            quantity = self.p.base_qty
            levels = self.p.grid_levels_long if side == LONG else self.p.grid_levels_short
            for level in range(1, levels + 1):
                self.ladder[side, level] = self.rung(side, level, step, quantity)
                quantity *= self.p.qty_scale

    def rung(self, side: int, level: int, step: float, quantity: float) -> Rung:
        """Return a level of the ladder around the centre."""
        ticks, beyond = self.ticks, 0 if self.s.touch_fills else 1
        at = ticks.nearest(self.centre - side * (level * step))
        price = ticks.value(at)
        take = ticks.nearest(price + side * (self.p.tp_steps * step))
        away = self.p.sl_steps * step
        if self.s.max_stop_pct is not None:
            away = min(away, price * self.s.max_stop_pct)
        return Rung(
            side=side,
            level=level,
            price=price,
            trigger=ticks.value(at - side * beyond),
            take_profit=ticks.value(take),
            take_trigger=ticks.value(take + side * beyond),
            stop_loss=ticks.value(ticks.nearest(price - side * away)),
            step=step,
            quantity=quantity,
        )

    def wanted(self, t: int) -> dict[tuple[int, int], int]:
        """Return the lot steps of each rung that policy, guard and venue leave."""
        tenths, found = self.guard(t), {}
        for key, rung in self.ladder.items():
            scale = self.kept_part(self.states[t], rung.side, rung.level)
            size = self.steps.down(rung.quantity * scale * (tenths[rung.side] / 10))
            quantity = self.steps.value(size)
            tiny = size < max(1, self.steps.up(self.s.min_quantity))
            if not tiny and rung.price > 0 and quantity * rung.price >= self.s.min_notional:
                found[key] = size
        return found

    def kept_part(self, state: int, side: int, level: int) -> float:
        """Return the factor on a rung's quantity; 0 for none."""
        if state == SIDEWAYS:
            return 1.0
        counter = side == (SHORT if state == UP else LONG)
        thin = counter or self.s.policy == "core-and-scalp"
        if thin and level > self.p.counter_levels:
            return 0.0
        return self.p.counter_qty_scale if counter else 1.0

    def crosses(self, rung: Rung, price: float) -> bool:
        """Whether an order at the rung would meet the market at once."""
        return rung.price >= price if rung.side == LONG else rung.price <= price

    def cancel(self, wanted: dict[tuple[int, int], int], price: float) -> None:
        """Cancel what is not wanted, or not in this quantity within 1 %.

        What is left of a rung that was filled in part stays though the price has gone through
        it: it is in the book already.
        """
        for key, order in list(self.orders.items()):
            size = wanted.get(key, 0)
            rung = self.ladder[key]
            same = abs(order.rung.price - rung.price) <= 1e-4 * rung.price
            same = same and 100 * abs(order.full - size) <= size
            if not same or (key not in self.lots and self.crosses(rung, price)):
                del self.orders[key]

    def place(self, wanted: dict[tuple[int, int], int], price: float) -> None:
        """Place what is missing and within the limits, the nearest levels first."""
        equity, resting = self.equity(price), self.resting()
        for key in sorted(wanted, key=lambda key: (key[1], -key[0])):
            rung, size = self.ladder[key], wanted[key]
            if key in self.lots or key in self.orders or self.crosses(rung, price):
                continue
            value = self.steps.value(size) * rung.price
            if self.admits(rung.side, size, value, price, equity, resting):
                self.orders[key] = Order(rung, size, size)
                resting[rung.side] += value

    def resting(self) -> dict[int, float]:
        """Value of the resting orders of each side."""
        total = {LONG: 0.0, SHORT: 0.0}
        for _, order in sorted(self.orders.items(), key=lambda item: (-item[0][0], item[0][1])):
            total[order.rung.side] += self.steps.value(order.left) * order.rung.price
        return total

    def admits(
        self, side: int, size: int, value: float, price: float, equity: float,
        resting: dict[int, float],
    ) -> bool:  # fmt: skip
        """Whether one more order keeps the side and the account within their limits."""
        waiting = sum(order.left for order in self.orders.values() if order.rung.side == side)
        if self.held(side) + waiting + size > self.steps.down(self.s.max_position_size):
            return False
        own = self.exposure(side, price) + resting[side] + value
        both = self.exposure(LONG, price) + self.exposure(SHORT, price)
        gross = both + (resting[LONG] + resting[SHORT]) + value
        leverage = min(self.s.max_leverage_used, self.s.leverage)
        return (
            own <= self.p.max_position_pct * equity
            and own <= self.s.max_inventory_quote
            and gross <= leverage * equity
        )

    # ------------------------------------------------------------------ fills

    def play(self, t: int) -> None:
        """Walk the path of a bar: open, nearer extreme, other extreme, close."""
        opened, high, low = self.open[t], self.high[t], self.low[t]
        self.budget = self.volume_of(t)
        self.cursor = opened
        self.travel(t, -1, opened)
        self.travel(t, 1, opened)
        self.find_undecidable(t)
        extremes = (high, low) if high - opened < opened - low else (low, high)
        if self.breached(t, opened):
            return
        for corner in extremes:
            self.travel(t, 1 if corner > self.cursor else -1, corner)
            self.cursor = corner
            if self.breached(t, corner):
                return
        last = self.close[t]
        self.travel(t, 1 if last > self.cursor else -1, last)

    def volume_of(self, t: int) -> int:
        """Lot steps that resting orders may fill in a bar."""
        volume = self.market.bars.volume
        if self.s.participation is None or volume is None:
            return 1 << 60
        return self.steps.down(self.s.participation * float(volume[t]))

    def find_undecidable(self, t: int) -> None:
        """Mark older lots whose stop and take-profit are both in the bar: the stop counts."""
        for lot in self.lots.values():
            rung, high, low = lot.rung, self.high[t], self.low[t]
            if rung.side == LONG:
                both = low <= rung.stop_loss and high >= rung.take_trigger
            else:
                both = high >= rung.stop_loss and low <= rung.take_trigger
            lot.stop_first = both and lot.entry_bar < t

    def travel(self, t: int, way: int, to: float) -> None:
        """Fill what the path meets on its way up (1) or down (-1) to a price."""
        while True:
            met = sorted(self.met(way, to))
            if not met:
                return
            distance, kind, _, side = met[0]
            key = (side, met[0][2])
            self.cursor = way * max(way * self.cursor, distance)
            if kind == ENTRY:
                self.enter(t, self.orders[key])
            elif kind == TAKE:
                self.take(t, self.lots[key])
            else:
                self.stop_out(t, self.lots[key], way)

    def met(self, way: int, to: float) -> Iterator[tuple[float, int, int, int]]:
        """Yield trigger along the way, kind, level and side of all that is met up to a price."""
        for (side, level), order in self.orders.items():
            trigger = way * order.rung.trigger
            if side == -way and trigger <= way * to and self.budget > 0:
                yield trigger, ENTRY, level, side
        for (side, level), lot in self.lots.items():
            trigger, stop = way * lot.rung.take_trigger, way * lot.rung.stop_loss
            if side == -way and stop <= way * to:
                yield stop, STOP, level, side
            taken = side == way and trigger <= way * to and self.budget >= lot.size
            if taken and not lot.stop_first:
                yield trigger, TAKE, level, side

    def enter(self, t: int, order: Order) -> None:
        """Fill a rung as far as the bar's volume goes, at its own price."""
        rung, size = order.rung, min(order.left, self.budget)
        key = (rung.side, rung.level)
        if key not in self.lots:
            self.lots[key] = Lot(self.count, rung, t)
            self.count += 1
        lot = self.lots[key]
        fee = self.s.maker_fee * (self.steps.value(size) * rung.price)
        lot.size += size
        lot.entry_fee += fee
        self.fees += fee
        self.budget -= size
        order.left -= size
        if order.left == 0:
            del self.orders[key]

    def take(self, t: int, lot: Lot) -> None:
        """Fill the take-profit."""
        self.budget -= lot.size
        self.leave(t, lot, lot.rung.take_profit, self.s.maker_fee, "take-profit")

    def stop_out(self, t: int, lot: Lot, way: int) -> None:
        """Fill the stop at its price, or where the path is already beyond it."""
        price = way * max(way * lot.rung.stop_loss, way * self.cursor)
        self.leave(t, lot, price + way * self.slip, self.s.taker_fee, "stop-loss")

    def leave(self, t: int, lot: Lot, price: float, rate: float, reason: str) -> None:
        """Close a lot, once and whole; what is left of its rung is cancelled."""
        rung, quantity = lot.rung, self.steps.value(lot.size)
        fee = rate * (quantity * price)
        profit = rung.side * (price - rung.price) * quantity
        self.realised += profit
        self.fees += fee
        self.lots.pop((rung.side, rung.level))
        self.orders.pop((rung.side, rung.level), None)
        self.closed[lot.number] = (
            lot.number, rung.side, rung.level, quantity, rung.step, lot.entry_bar, rung.price, t,
            price, rung.take_profit, rung.stop_loss, REASONS.index(reason), lot.entry_fee, fee,
            lot.funding, profit,
        )  # fmt: skip

    def breached(self, t: int, price: float) -> bool:
        """Liquidate where equity no longer covers the maintenance margin."""
        gross = self.exposure(LONG, price) + self.exposure(SHORT, price)
        if self.equity(price) >= self.s.maintenance_margin * gross:
            return False
        self.close_all(t, price, "liquidation")
        self.liquidated = True
        self.halt(t)
        return True

    def flatten(self, t: int) -> None:
        """Close everything at the open, at the market."""
        for lot in list(self.ordered()):
            price = self.open[t] - lot.rung.side * self.slip
            self.leave(t, lot, price, self.s.taker_fee, "drawdown")
        self.halt(t)

    def close_all(self, t: int, price: float, reason: str) -> None:
        """Close everything at one price, for the taker fee."""
        for lot in list(self.ordered()):
            self.leave(t, lot, price, self.s.taker_fee, reason)

    def halt(self, t: int) -> None:
        """Trade nothing any more."""
        self.orders.clear()
        self.halted, self.stopped = True, t

    def result(self) -> HedgeResult:
        """Return lots and curves as arrays."""
        first, stop = self.span
        curves = {name: np.array(getattr(self.curves, name)) for name in Curves.__slots__}
        return HedgeResult(
            span=self.span,
            lots=np.array([self.closed[number] for number in range(self.count)], dtype=LOT),
            state=np.array(self.states[first:stop], dtype=np.int8),
            liquidated=self.liquidated,
            stopped_bar=self.stopped,
            **curves,
        )
