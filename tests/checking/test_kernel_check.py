"""The check of kernel strategies: what it passes, and what it names by the smallest example."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meseta.account import Account
from meseta.checking import check_strategy
from meseta.checking._checks import engines_agree, no_look_ahead, simulated
from meseta.checking._compare import decisions
from meseta.checking._examples import Example, examples_of, smooth_market
from meseta.engine import Window
from meseta.indicators import highest
from meseta.strategies import KernelStrategy, Parameter, find_strategy, rule
from meseta.strategies._kernels import KERNELS
from random_market import bars_of, walk_of

N = Parameter("n", 1, 40, "int")
PROMISES = [
    "functions give orders",
    "the same again",
    "no look-ahead",
    "both engines agree",
    "the same parameters carry on",
    "it trades",
]


@rule
def follow(t, market, broker, n):
    if t >= n and market.close[t] > market.close[t - n]:
        broker.buy()
    elif t >= n:
        broker.short()


def made(decide=follow, **given):
    return KernelStrategy(**{"name": "mine", "parameters": (N,)} | given, decide=decide)


def found(strategy, examples=10, **given):
    return {each.title: each for each in check_strategy(strategy, examples=examples, **given)}


def failures(made):
    return {title: each.failure for title, each in made.items() if each.status == "fail"}


# What keeps it --------------------------------------------------------------------------------


@rule
def channel(market, n):
    return highest(market.high, n), market.close - n


@rule
def remembers(t, market, broker, series, room):
    high, low = series
    if broker.position == 0:
        broker.buy_stop(high[t])
        broker.sell_stop(low[t])
        broker.remember(3, low[t])
    else:
        broker.remember(3, max(broker.recall(3), market.close[t] - room))
        broker.sell_stop(broker.recall(3))
        broker.sell_limit(broker.entry_price + room)


KEEPS = made(
    remembers, series=channel, parameters=(N, Parameter("room", 0.5, 9)), shorts=False
)  # fmt: skip


ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = find_strategy(str(ROOT / "examples" / "ma_cross.py"))


@pytest.mark.parametrize(
    "strategy", [*KERNELS, EXAMPLE, made(), KEEPS], ids=lambda each: each.name
)
def test_kernels_keep_the_contract(strategy):
    reported = found(strategy)
    assert list(reported) == PROMISES
    assert {each.status for each in reported.values()} == {"pass"}
    assert reported["the same parameters carry on"].detail == "10 examples"


def test_kernels_trade_contracts_too():
    given = list(examples_of(made(), 40, 0, None))
    contracts = [each.contract for each in given if each.contract is not None]
    assert 5 < len(contracts) < 25
    assert {c.quantity for c in contracts} == {1.0, 3.0}
    assert {c.tick > 0 for c in contracts} == {True, False}


def test_what_is_ordered_is_told():
    bars = bars_of(walk_of(1, 40))
    example = Example(bars, {"n": 3, "room": 2.0}, Window(5, 6, 40), Account(), 8, 20)
    told = decisions(KEEPS, example)
    assert list(told) == [
        "function `channel`, its array 1", "function `channel`, its array 2",
        "function `remembers`",
    ]  # fmt: skip
    said = told["function `remembers`"].tolist()
    assert said[:5] == [""] * 5
    assert said[5:8] == ["nothing"] * 3
    up, low = float(max(bars.high[6:9])), float(bars.close[8] - 3)
    order = f"buy {10_000 // up} at {up!r} (stop) with a stop at {low!r}"
    assert said[8] == f"{order}; remembers {low!r} in slot 3"
    assert said[-1] == ""
    part = decisions(KEEPS, example, 20)["function `remembers`"]
    assert part.tolist() == said[:20]


# What breaks it -------------------------------------------------------------------------------


@rule
def tomorrow(t, market, broker, n):
    if market.close[t + 1] > market.close[t] + n:
        broker.buy()
    else:
        broker.sell()


@rule
def wraps(t, market, broker, n):
    if market.close[t] > market.close[t - n]:
        broker.buy()
    else:
        broker.short()


@rule
def last(t, market, broker, n):
    if market.close[t] > market.close[-1] + n:
        broker.buy()
    else:
        broker.short()


@rule
def whole_history(t, market, broker, n):
    if market.close[t] > market.close.mean() + n:
        broker.buy()
    else:
        broker.short()


@rule
def counts(t, market, broker, n):
    if t + n < market.close.size - 1:
        broker.buy()
    else:
        broker.sell()


@pytest.mark.parametrize("decide", [tomorrow, wraps, last, whole_history, counts])
def test_a_function_that_reads_the_future_is_named_with_the_smallest_example(decide):
    reported = found(made(decide))
    assert reported["functions give orders"].status == "pass"
    assert reported["the same again"].status == "pass"
    failure = failures(reported)["no look-ahead"]
    name, cut = decide.py_func.__name__, len(failure.bars) - 2
    assert f"`{name}`" in failure.what
    assert "it reads the future" in failure.what
    assert failure.values["n"] <= 2
    assert len(failure.bars) <= 8
    assert failure.bar <= cut


def test_a_bar_beyond_the_last_known_one_is_told():
    failure = failures(found(made(tomorrow)))["no look-ahead"]
    assert "`tomorrow` (" in failure.what
    assert f") raised IndexError at bar {failure.bar}: index " in failure.what
    assert f"when the bars after {failure.bar} are cut off and only then" in failure.what


def test_comparisons_that_seldom_matter_are_found():
    @rule
    def wraps_late(t, market, broker, n):
        if t == 19 and market.close[t] > market.close[t - 30 - n]:
            broker.buy()

    failure = failures(found(made(wraps_late, shorts=False)))["no look-ahead"]
    assert failure.what.startswith("function `wraps_late`: what it orders at bar 19 changes")
    example = Example(bars_of(walk_of(4, 60)), {"n": 3}, Window(0, 1, 60), Account(), 0, 40)
    said = no_look_ahead(made(wraps_late), example)
    assert said.what == (
        "function `wraps_late`: what it orders at bar 19 changes with the prices after bar 39: "
        "it reads the future (a negative index is counted from the end)"
    )
    assert said.bar == 19
    (low, one), (high, other) = said.values
    assert (low, high) == ("later prices times 0.001", "later prices times 1000")
    assert one.startswith("buy ")
    assert other == "nothing"


def test_orders_that_change_are_shown_as_orders():
    failure = failures(found(made(last)))["no look-ahead"]
    assert failure.what.startswith(f"function `last`: what it orders at bar {failure.bar} changes")
    assert {said.split()[0] for _, said in failure.seen} == {"buy", "short"}


def test_a_series_that_reads_the_future_is_named():
    @rule
    def ahead(market, n):
        out = market.close.copy()
        out[:-1] = market.close[1:]
        return out + n

    @rule
    def decide(t, market, broker, series):
        if series[t] > market.close[t]:
            broker.buy()
        else:
            broker.sell()

    failure = failures(found(made(decide, series=ahead, shorts=False)))["no look-ahead"]
    assert failure.what.startswith(f"function `ahead`: its value at bar {failure.bar} changes")


def test_chance_is_named():
    @rule
    def dice(t, market, broker, n):
        if np.random.random() < 0.5:  # noqa: NPY002
            broker.buy(n)
        else:
            broker.sell()

    reported = found(made(dice))
    assert list(reported) == PROMISES[:2]
    said = reported["the same again"].failure.what
    assert said.startswith(("function `dice`: what it orders at bar", "trade 1 differs when"))
    assert "not on chance" in said


def test_chance_in_a_series_is_named():
    @rule
    def noise(market, n):
        return market.close + np.random.random(market.close.size) * n  # noqa: NPY002

    @rule
    def decide(t, market, broker, series):
        broker.buy()

    said = failures(found(made(decide, series=noise)))["the same again"].what
    assert said.startswith("function `noise`: its value at bar 0 is another one")


SEEN = np.zeros(9)


def test_remembering_outside_the_broker_cannot_be_compiled():
    @rule
    def hoards(t, market, broker, n):
        SEEN[0] += 1
        if SEEN[0] > n:
            broker.buy()

    reported = found(made(hoards))
    assert list(reported) == PROMISES[:1]
    failure = reported["functions give orders"].failure
    assert "`hoards`" in failure.what
    assert "Cannot modify readonly array" in failure.what
    assert (failure.values, failure.bars) == (None, None)
    assert SEEN.tolist() == [0] * 9


def test_what_cannot_be_compiled_ends_the_check():
    @rule
    def typo(t, market, broker, n):
        if market.close[t] > n:
            broker.byu()

    reported = found(made(typo))
    assert list(reported) == PROMISES[:1]
    failure = reported["functions give orders"].failure
    assert "Unknown attribute 'byu' of the broker; did you mean buy?" in failure.what
    assert (failure.values, failure.bars) == (None, None)


def test_what_raises_in_the_middle_shows_bar_and_parameters():
    @rule
    def picky(t, market, broker, n):
        if n > 6 and t > 2:
            raise ValueError("n is too large")
        broker.buy()

    failure = failures(found(made(picky), 30))["functions give orders"]
    assert "raised ValueError at bar 3: n is too large" in failure.what
    assert failure.values == {"n": 7}
    assert failure.bar == 3
    assert len(failure.bars) == 5


def test_what_plain_python_refuses_is_told():
    @rule
    def whole(t, market, broker, n):
        if int(broker.entry_price) >= 0 or n > 0:
            broker.buy()

    failure = failures(found(made(whole)))["functions give orders"]
    assert "raised ValueError at bar 0: cannot convert float NaN to integer" in failure.what


def test_python_s_whole_numbers_that_outgrow_the_compiler_s_are_found():
    @rule
    def grows(t, market, broker, n):
        if int(1e19 * n) > 0:
            broker.buy()
        else:
            broker.short()

    failure = failures(found(made(grows)))["both engines agree"]
    assert failure.what.startswith("trade 1 differs; the reference calls the function in plain")
    (_, reference), (_, fast) = failure.seen
    assert (reference.split()[0], fast.split()[0]) == ("buys", "sells")


@rule
def averages(t, market, broker, n):
    if t >= n + 9 and market.close[t] > market.close[t - n - 9 : t].mean():
        broker.buy_stop(market.high[t - n - 9 : t].mean())
    broker.sell_stop(market.low[max(t - n - 9, 0) : t + 1].mean())


def test_a_sum_that_numpy_rounds_otherwise_matters_on_ties_alone():
    failure = failures(found(made(averages, shorts=False)))["both engines agree"]
    assert failure.what.endswith("take sums from `series`, or add in a loop")
    strategy, rng = made(averages), np.random.default_rng(1)
    bars = smooth_market(strategy, 300, rng)
    example = Example(bars, {"n": 12}, Window(0, 1, 300), Account(), 0, 9)
    slow, fast = (simulated(strategy, example, engine) for engine in ("reference", "fast"))
    assert engines_agree(strategy, example) is None
    assert slow.trades != fast.trades
    assert len(fast.trades) > 5


def test_a_kernel_that_never_trades_is_a_warning():
    @rule
    def waits(t, market, broker, n):
        broker.buy_stop(np.inf + n)

    reported = found(made(waits))
    assert failures(reported) == {}
    assert reported["it trades"].status == "warning"
    assert reported["it trades"].detail.startswith("no example trades")


def test_undeclared_shorts_are_a_warning():
    reported = found(made(shorts=False))
    assert failures(reported) == {}
    assert reported["it trades"].status == "warning"
    assert reported["it trades"].detail.endswith("although it is declared with shorts=False")
