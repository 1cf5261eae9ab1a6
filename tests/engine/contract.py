"""What every strategy owes: both engines make the same trades, and no trade sees the future.

A strategy inherits the suite by naming itself and what its parameters may be::

    class TestMine(StrategyContract):
        strategy = find_strategy("mine")
        parameters = st.fixed_dictionaries({...})
        reasons = {"trail", "breach", "end"}
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.account import Contract
from meseta.engine import Simulation, Window, backtest
from meseta.strategies import LONG, SHORT
from random_market import accounts, markets, windows

if TYPE_CHECKING:
    from meseta.account import Account
    from meseta.bars import Bars
    from meseta.engine import Trade
    from meseta.strategies import Orders, Rules

EXAMPLES = 60
ROUNDING = 1e-9
STOPPED_OUT = {"trail", "breach", "stop"}
TURNED = {"reverse", "cross"}
ENGINES = st.sampled_from(["reference", "fast"])


class Scene(NamedTuple):
    """One random back-test."""

    bars: Bars
    values: dict[str, float]
    window: Window
    account: Account
    warmup: int


@st.composite
def scenes(draw, parameters, most=260, *, second=False):
    # Seventy bars are the least that anything trades on; shorter series are the rarer case.
    bars = draw(st.one_of(markets(140, most), markets(30, 139), markets(140, most)))
    if second:
        bars = replace(bars, second=draw(markets(len(bars), len(bars))))
    price = float(np.median(bars.close))
    warmup = draw(st.sampled_from([0, 0, 1, 0, 70, 75, 100, 400]))
    window = draw(windows(len(bars)))
    return Scene(bars, draw(parameters), window, draw(accounts(price)), warmup)


class StrategyContract:
    """Inherit, and name the strategy, its parameters and how its positions may end."""

    strategy = None
    parameters = None
    reasons = frozenset({"trail", "breach", "end"})

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

    def rules(self, scene):
        return self.strategy.rules(scene.bars, scene.values, scene.warmup)

    def drawn(self, data, most=260):
        second = self.strategy.second
        return data.draw(scenes(self.parameters, most, second=second), label="scene")

    @given(st.data())
    @settings(max_examples=2 * EXAMPLES)
    def test_engines_make_the_same_trades(self, data):
        scene = self.drawn(data)
        agree(self.run(scene, "reference"), self.run(scene))

    @given(st.data())
    @settings(max_examples=EXAMPLES)
    def test_the_loop_over_bars_makes_the_same_trades(self, data):
        scene = self.drawn(data)
        looped = backtest(
            scene.bars,
            self.strategy,
            scene.values,
            scene.window,
            scene.account,
            warmup=scene.warmup,
            contract=Contract(),
        )
        agree(self.run(scene, "reference"), looped)

    @given(st.data(), ENGINES)
    @settings(max_examples=EXAMPLES)
    def test_cutting_the_data_changes_no_closed_trade(self, data, engine):
        scene = self.drawn(data)
        start, split, stop = scene.window
        if stop - start < 3:
            return
        cut = data.draw(st.integers(start + 2, stop - 1), label="cut")
        short = Window(start, min(split, cut - 1), cut)
        whole = self.run(scene, engine)
        part = self.run(scene, engine, scene.bars.slice(0, cut), short)
        before = [trade for trade in whole.trades if trade.exit_bar < cut]
        assert before == [trade for trade in part.trades if trade.reason != "end"]
        # The last bar apart, where the shorter window sells.
        both = cut - start - 1
        assert whole.equity[:both].tobytes() == part.equity[:both].tobytes()

    @given(st.data(), ENGINES)
    @settings(max_examples=EXAMPLES // 2)
    def test_bars_outside_the_window_do_not_matter(self, data, engine):
        scene = self.drawn(data)
        bars = scene.bars.slice(0, scene.window.stop)
        agree(self.run(scene, engine), self.run(scene, engine, bars))

    @given(st.data(), ENGINES)
    @settings(max_examples=EXAMPLES // 4)
    def test_the_same_again(self, data, engine):
        scene = self.drawn(data)
        agree(self.run(scene, engine), self.run(scene, engine))

    @given(st.data(), ENGINES)
    @settings(max_examples=EXAMPLES)
    def test_the_books_balance(self, data, engine):
        scene = self.drawn(data)
        made = self.run(scene, engine)
        books_balance(scene, made)
        sides_add_up(scene, made)

    @given(st.data(), ENGINES)
    @settings(max_examples=2 * EXAMPLES)
    def test_every_trade_is_one_that_the_rules_allow(self, data, engine):
        scene = self.drawn(data)
        made, rules = self.run(scene, engine), self.rules(scene)
        assert {trade.reason for trade in made.trades} <= self.reasons
        entries_are_ordered(scene, rules, made)
        exits_traded(scene, rules, made)
        sizes_are_affordable(scene, rules, made)

    def test_some_scenes_trade(self):
        """The properties above would hold for an engine that never trades."""
        found = []

        @given(st.data())
        @settings(max_examples=3 * EXAMPLES, database=None)
        def collect(data):
            scene = self.drawn(data)
            found.append(self.run(scene))

        collect()
        trades = [trade for made in found for trade in made.trades]
        assert sum(bool(made.trades) for made in found) > EXAMPLES // 2
        ways = {LONG, SHORT} if self.strategy.shorts else {LONG}
        ends = {(trade.dir, trade.reason) for trade in trades}
        assert ends == {(way, reason) for way in ways for reason in self.reasons}
        assert any(trade.entry_bar == trade.exit_bar for trade in trades)
        assert any(made.report.is_trades and made.report.oos_trades for made in found)


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
            total.append(gain(trade, float(scene.bars.close[bar])))
            if paid:
                total.append(-entry_commission(scene, trade))
    return math.fsum(total)


def gain(trade: Trade, price: float) -> float:
    """Money that a position earns up to a price: a short's price must fall."""
    way = price - trade.fill if trade.dir == LONG else trade.fill - price
    return way * trade.shares


def entry_commission(scene: Scene, trade: Trade) -> float:
    return scene.account.commission * abs(trade.fill) * trade.shares


def books_balance(scene: Scene, made: Simulation) -> None:
    """Assert that equity is capital and profits, and profits are prices and costs."""
    account, (start, _, stop) = scene.account, scene.window
    scale = float(np.abs(made.equity).max())
    near = {"rel": ROUNDING, "abs": 1e-11 * scale}
    assert made.equity.shape == (stop - start,)
    for trade in made.trades:
        traded = (abs(trade.fill) + abs(trade.exit)) * trade.shares
        costs = account.commission * traded + account.cost_per_share * trade.shares
        assert trade.costs == pytest.approx(costs, rel=ROUNDING)
        earned = gain(trade, trade.exit) - costs
        assert trade.pnl == pytest.approx(earned, rel=ROUNDING, abs=1e-12 * traded)
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
    for (first, marks), found in zip(sides, report[4:], strict=True):
        path = np.array([first, *marks])
        falls = [path[: k + 1].max() - path[k] for k in range(path.size)]
        assert found == pytest.approx(max(falls), **near)


def before_each(made: Simulation) -> list[tuple[Trade | None, Trade]]:
    """Every trade with the one before it."""
    return list(zip((None, *made.trades), made.trades, strict=False))


def turns_into(before: Trade | None, trade: Trade) -> bool:
    """Tell whether a trade was opened on the bar on which the one before it ended."""
    return before is not None and before.exit_bar == trade.entry_bar


def order_of(rules: Rules, before: Trade | None, trade: Trade) -> Orders:
    """The orders that were read at the close before an entry."""
    signal = trade.entry_bar - 1
    if len(rules.orders) == 1 or before is None or before.reason not in STOPPED_OUT:
        return rules.orders[0]
    if rules.clears[before.exit_bar : signal + 1].any():
        return rules.orders[0]
    return rules.orders[1] if before.dir == LONG else rules.orders[2]


def entries_are_ordered(scene: Scene, rules: Rules, made: Simulation) -> None:
    """Assert that every fill is that of the order that worked on its bar, one for each bar."""
    bars, (start, _, stop) = scene.bars, scene.window
    for before, trade in before_each(made):
        e = trade.entry_bar
        assert max(rules.first, scene.warmup, start) < e <= trade.exit_bar < stop
        if turns_into(before, trade):
            assert before.reason in TURNED
            assert before.dir == -trade.dir
            assert before.exit == trade.fill
        else:
            assert before is None or before.exit_bar < e
        orders = order_of(rules, before, trade)
        assert trade.dir == orders.direction[e - 1] != 0
        level, opened = float(orders.level[e - 1]), float(bars.open[e])
        if trade.dir == LONG:
            assert trade.fill == max(level, opened) + scene.account.slippage
            assert bars.high[e] >= level
        else:
            assert trade.fill == min(level, opened) - scene.account.slippage
            assert bars.low[e] <= level


def exits_traded(scene: Scene, rules: Rules, made: Simulation) -> None:
    """Assert when and at what prices positions end."""
    bars, stop = scene.bars, scene.window.stop
    for trade, following in zip(made.trades, (*made.trades[1:], None), strict=False):
        x, worse = trade.exit_bar, scene.account.slippage * trade.dir
        long = trade.dir == LONG
        guard = rules.long if long else rules.short
        leaves = rules.leave_long if long else rules.leave_short
        left = [] if leaves is None else np.flatnonzero(leaves[trade.entry_bar : x]).tolist()
        # A close that leaves the position is its last one.
        assert left == ([x - 1 - trade.entry_bar] if trade.reason == "cross" else [])
        if trade.reason == "end":
            assert (x, trade.exit) == (stop - 1, float(bars.close[x]))
        elif trade.reason in {"breach", "cross"}:
            assert trade.entry_bar < x
            assert trade.exit == float(bars.open[x]) - worse
        elif trade.reason == "reverse":
            assert trade.entry_bar < x
            assert rules.reverses_long if long else rules.reverses_short
            assert turns_into(trade, following)
        else:
            assert trade.reason == ("trail" if guard.trailing else "stop")
            assert traded(bars, x, trade.exit + worse)


def traded(bars: Bars, bar: int, price: float) -> bool:
    """Tell whether a price lies in a bar's range, up to the rounding of the slippage."""
    slack = 4 * np.spacing(abs(price))
    return bool(bars.low[bar] - slack <= price <= bars.high[bar] + slack)


def sizes_are_affordable(scene: Scene, rules: Rules, made: Simulation) -> None:
    """Assert whole lots, as many as the equity of the decision buys at the order's price.

    That is what is realised at the close before the entry: an open position's profit is not,
    its entry's commission is paid.
    """
    lot, equity = scene.account.lot, scene.account.capital
    for before, trade in before_each(made):
        price = float(order_of(rules, before, trade).price[trade.entry_bar - 1])
        realised = equity
        if before is not None:
            equity += before.pnl
            turned = turns_into(before, trade)
            realised = realised - entry_commission(scene, before) if turned else equity
        lots = trade.shares / lot
        assert lots == pytest.approx(round(lots), rel=1e-12)
        assert round(lots) >= 1
        assert trade.shares * price <= realised * (1 + 1e-12)
        assert (trade.shares + lot) * price > realised * (1 - 1e-12)
