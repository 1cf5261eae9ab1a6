"""What every strategy owes: both engines make the same trades, and no trade sees the future.

A strategy inherits the suite by naming itself and what its parameters may be::

    class TestMine(StrategyContract):
        strategy = find_strategy("mine")
        parameters = st.fixed_dictionaries({...})
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.engine import Simulation, Window, backtest
from random_market import accounts, markets, windows

if TYPE_CHECKING:
    from meseta.account import Account
    from meseta.bars import Bars

EXAMPLES = 250
ROUNDING = 1e-9


class Scene(NamedTuple):
    """One random back-test."""

    bars: Bars
    values: dict[str, float]
    window: Window
    account: Account
    warmup: int


@st.composite
def scenes(draw, parameters, most=260):
    # Seventy bars are the least that anything trades on; shorter series are the rarer case.
    bars = draw(st.one_of(markets(140, most), markets(30, 139), markets(140, most)))
    price = float(np.median(bars.close))
    warmup = draw(st.sampled_from([0, 0, 1, 0, 70, 75, 100, 400]))
    window = draw(windows(len(bars)))
    return Scene(bars, draw(parameters), window, draw(accounts(price)), warmup)


class StrategyContract:
    """Inherit, and name the strategy and its parameters."""

    strategy = None
    parameters = None

    def run(self, scene, engine="fast", bars=None, window=None):
        return backtest(
            scene.bars if bars is None else bars,
            self.strategy,
            scene.values,
            scene.window if window is None else window,
            scene.account,
            warmup=scene.warmup,
            engine=engine,
        )

    def order_price(self, scene, trade):
        """Price that sized a trade: a stop order's level, decided at the close before."""
        rules = self.strategy.rules(scene.bars, scene.values, scene.warmup)
        return float(rules.level[trade.entry_bar - 1])

    def drawn(self, data, most=260):
        return data.draw(scenes(self.parameters, most), label="scene")

    @given(st.data())
    @settings(max_examples=2 * EXAMPLES)
    def test_engines_make_the_same_trades(self, data):
        scene = self.drawn(data)
        agree(self.run(scene, "reference"), self.run(scene))

    @given(st.data())
    @settings(max_examples=EXAMPLES)
    def test_cutting_the_data_changes_no_closed_trade(self, data):
        scene = self.drawn(data)
        start, split, stop = scene.window
        if stop - start < 3:
            return
        cut = data.draw(st.integers(start + 2, stop - 1), label="cut")
        short = Window(start, min(split, cut - 1), cut)
        for engine in ("reference", "fast"):
            whole = self.run(scene, engine)
            part = self.run(scene, engine, scene.bars.slice(0, cut), short)
            before = [trade for trade in whole.trades if trade.exit_bar < cut]
            assert before == [trade for trade in part.trades if trade.reason != "end"]
            # The last bar apart, where the shorter window sells.
            both = cut - start - 1
            assert whole.equity[:both].tobytes() == part.equity[:both].tobytes()

    @given(st.data())
    @settings(max_examples=EXAMPLES // 2)
    def test_bars_outside_the_window_do_not_matter(self, data):
        scene = self.drawn(data)
        for engine in ("reference", "fast"):
            bars = scene.bars.slice(0, scene.window.stop)
            agree(self.run(scene, engine), self.run(scene, engine, bars))

    @given(st.data())
    @settings(max_examples=EXAMPLES // 4)
    def test_the_same_again(self, data):
        scene = self.drawn(data)
        for engine in ("reference", "fast"):
            agree(self.run(scene, engine), self.run(scene, engine))

    @given(st.data())
    @settings(max_examples=EXAMPLES)
    def test_the_books_balance(self, data):
        scene = self.drawn(data)
        for engine in ("reference", "fast"):
            made = self.run(scene, engine)
            books_balance(scene, made)
            sides_add_up(scene, made)

    @given(st.data())
    @settings(max_examples=EXAMPLES)
    def test_every_fill_is_a_price_that_traded(self, data):
        scene = self.drawn(data)
        for engine in ("reference", "fast"):
            made = self.run(scene, engine)
            fills_traded(scene, made)
            prices = [self.order_price(scene, trade) for trade in made.trades]
            sizes_are_affordable(scene, made, prices)

    def test_some_scenes_trade(self):
        """The properties above would hold for an engine that never trades."""
        found = []

        @given(st.data())
        @settings(max_examples=EXAMPLES, database=None)
        def collect(data):
            scene = self.drawn(data)
            made = self.run(scene)
            found.append((made, scene))

        collect()
        trades = [trade for made, _ in found for trade in made.trades]
        assert sum(bool(made.trades) for made, _ in found) > EXAMPLES // 4
        assert {trade.reason for trade in trades} == {"trail", "breach", "end"}
        assert any(trade.entry_bar == trade.exit_bar for trade in trades)
        assert any(made.report.is_trades and made.report.oos_trades for made, _ in found)


def agree(one: Simulation, other: Simulation) -> None:
    """Assert that two simulations are the same, bit for bit but for the drawdown."""
    assert one.trades == other.trades
    assert one.equity.tobytes() == other.equity.tobytes()
    assert one.window == other.window
    assert one.report[:4] == other.report[:4]
    scale = float(np.abs(one.equity).max())
    assert one.report[4:] == pytest.approx(other.report[4:], rel=ROUNDING, abs=1e-12 * scale)


def cash_at(scene: Scene, made: Simulation, bar: int, *, paid: bool) -> float:
    """Equity at the close of a bar, from the list of trades alone.

    `paid` says whether an open position has its entry's commission taken off.
    """
    total = [scene.account.capital]
    for trade in made.trades:
        if trade.exit_bar <= bar:
            total.append(trade.pnl)
        elif trade.entry_bar <= bar:
            total.append((float(scene.bars.close[bar]) - trade.fill) * trade.dir * trade.shares)
            if paid:
                total.append(-scene.account.commission * trade.fill * trade.shares)
    return math.fsum(total)


def books_balance(scene: Scene, made: Simulation) -> None:
    """Assert that equity is capital and profits, and profits are prices and costs."""
    account, (start, _, stop) = scene.account, scene.window
    scale = float(np.abs(made.equity).max())
    near = {"rel": ROUNDING, "abs": 1e-11 * scale}
    assert made.equity.shape == (stop - start,)
    for trade in made.trades:
        traded = (trade.fill + trade.exit) * trade.shares
        costs = account.commission * traded + account.cost_per_share * trade.shares
        assert trade.costs == pytest.approx(costs, rel=ROUNDING)
        gross = (trade.exit - trade.fill) * trade.dir * trade.shares
        assert trade.pnl == pytest.approx(gross - costs, rel=ROUNDING, abs=1e-12 * traded)
    assert made.equity[-1] == pytest.approx(
        account.capital + math.fsum(trade.pnl for trade in made.trades), **near
    )
    expected = [cash_at(scene, made, bar, paid=True) for bar in range(start, stop)]
    assert made.equity.tolist() == pytest.approx(expected, **near)


def sides_add_up(scene: Scene, made: Simulation) -> None:
    """Assert the report from the trades, as section 7 defines it."""
    start, split, _ = scene.window
    report, capital = made.report, scene.account.capital
    scale = float(np.abs(made.equity).max())
    near = {"rel": ROUNDING, "abs": 1e-11 * scale}
    inside = cash_at(scene, made, split - 1, paid=False) - capital
    assert report.is_pnl == pytest.approx(inside, **near)
    whole = math.fsum(trade.pnl for trade in made.trades)
    assert report.is_pnl + report.oos_pnl == pytest.approx(whole, **near)
    early = [trade for trade in made.trades if trade.entry_bar < split]
    across = [trade for trade in early if trade.exit_bar >= split]
    assert report.is_trades == len(early)
    assert report.oos_trades == len(made.trades) - len(early) + len(across)
    marked = float(made.equity[split - 1 - start])
    sides = ((capital, made.equity[: split - start]), (marked, made.equity[split - start :]))
    for first, marks in sides:
        path = np.array([first, *marks])
        falls = [path[: k + 1].max() - path[k] for k in range(path.size)]
        found = report.is_maxdd if first is capital else report.oos_maxdd
        assert found == pytest.approx(max(falls), **near)


def fills_traded(scene: Scene, made: Simulation) -> None:
    """Assert when and at what prices positions begin and end."""
    bars, (start, _, stop) = scene.bars, scene.window
    first = max(scene.warmup, start)
    free = start
    for trade in made.trades:
        e, x = trade.entry_bar, trade.exit_bar
        assert trade.dir in {1, -1}
        assert first < e <= x < stop
        # One entry on a bar: the next decision is taken at the close of the exit.
        assert e > free
        free = x
        worse = scene.account.slippage * trade.dir
        assert traded(bars, e, trade.fill - worse)
        if trade.reason == "end":
            assert (x, trade.exit) == (stop - 1, float(bars.close[x]))
        elif trade.reason == "breach":
            assert e < x
            assert trade.exit == float(bars.open[x]) - worse
        else:
            assert trade.reason == "trail"
            assert traded(bars, x, trade.exit + worse)


def traded(bars: Bars, bar: int, price: float) -> bool:
    """Tell whether a price lies in a bar's range, up to the rounding of the slippage."""
    slack = 4 * np.spacing(abs(price))
    return bool(bars.low[bar] - slack <= price <= bars.high[bar] + slack)


def sizes_are_affordable(scene: Scene, made: Simulation, prices: list[float]) -> None:
    """Assert whole lots, as many as the equity of the decision buys at the order's price."""
    lot, equity = scene.account.lot, scene.account.capital
    for trade, price in zip(made.trades, prices, strict=True):
        lots = trade.shares / lot
        assert lots == pytest.approx(round(lots), rel=1e-12)
        assert round(lots) >= 1
        assert trade.shares * price <= equity * (1 + 1e-12)
        assert (trade.shares + lot) * price > equity * (1 - 1e-12)
        equity += trade.pnl
