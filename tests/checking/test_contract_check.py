"""The check passes what keeps the contract and names what does not, by the smallest example."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from meseta import indicators
from meseta.checking import check_strategy
from meseta.checking._examples import draw_values, examples_of
from meseta.errors import ArgumentError
from meseta.strategies import (
    LONG,
    AtrD,
    Orders,
    Parameter,
    Protection,
    RuleStrategy,
    SeparableStrategy,
    Study,
    Touch,
    find_strategy,
    rule,
)
from meseta.strategies._atr_d import ATR_D
from random_market import bars_of, walk_of

ROOT = Path(__file__).resolve().parents[2]
N = Parameter("n", 1, 40, "int")
B = Parameter("b", 1, 9)
PROMISES = [
    "rules give values",
    "the same again",
    "no look-ahead",
    "both engines agree",
    "no more history than declared",
    "search and back-test agree",
    "it trades",
]


@rule
def below(market, n):
    return market.close - 0.01 * n * np.abs(market.close)


@rule
def channel(market, n):
    return indicators.highest(market.high, n)


def made(enter=channel, stop=below, **given):
    return RuleStrategy(**{"name": "mine", "parameters": (N,)} | given, enter=enter, stop=stop)


def found(strategy, examples=10, **given):
    return {each.title: each for each in check_strategy(strategy, examples=examples, **given)}


def failures(made):
    return {title: each.failure for title, each in made.items() if each.status == "fail"}


# What keeps it --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [*(each.name for each in ATR_D), str(ROOT / "examples" / "donchian.py")]
)
def test_strategies_keep_the_contract(name):
    strategy = find_strategy(name)
    reported = found(strategy)
    own = isinstance(strategy, RuleStrategy)
    assert list(reported) == PROMISES + ["shorts mirror longs"] * own
    assert {each.status for each in reported.values()} == {"pass"}
    assert reported["no look-ahead"].detail == "10 examples"


def test_the_page_s_seventh_variant_keeps_the_contract(tmp_path):
    page = (ROOT / "docs" / "write-a-strategy.md").read_text(encoding="utf-8")
    path = tmp_path / "hull_duals.py"
    blocks = [part.split("```")[0] for part in page.split("```python\n")]
    path.write_text(next(each for each in blocks if "hull_duals" in each), encoding="utf-8")
    assert {each.status for each in found(find_strategy(str(path))).values()} == {"pass"}


def test_a_user_s_bars_are_used():
    bars = bars_of(walk_of(1, 90), name="mine")
    given = list(examples_of(made(), 6, 0, bars))
    on_them = [example for example in given if example.bars.name == "mine"]
    assert len(on_them) == 3
    assert all(np.isin(example.bars.close, bars.close).all() for example in on_them)
    assert failures(found(made(), 4, bars=bars)) == {}


def test_a_strategy_with_two_symbols_needs_both():
    with pytest.raises(ArgumentError, match="measures on a second symbol"):
        found(find_strategy("atr_d_duals_l"), bars=bars_of(walk_of(1, 90)))
    with pytest.raises(ArgumentError, match="`bars` must have at least 30 bars, got 9"):
        found(made(), bars=bars_of(walk_of(1, 9)))
    with pytest.raises(ArgumentError, match="`examples` must be at least 1, got 0"):
        found(made(), 0)


def test_the_same_seed_draws_the_same():
    one, other, third = (list(examples_of(made(), 5, seed, None)) for seed in (4, 4, 5))
    for left, right in zip(one, other, strict=True):
        assert left.bars.fingerprint == right.bars.fingerprint
        assert replace(left, bars=right.bars) == right
    assert one[0].bars.fingerprint != third[0].bars.fingerprint


def test_values_are_legal_whatever_the_limits():
    rng = np.random.default_rng(0)
    limits = [(0, 0), (-5, -1), (0, 1e6), (0.5, 0.5), (1e-9, 1e-8), (-1e-3, 1e3)]
    parameters = [Parameter(f"p{k}", *each) for k, each in enumerate(limits)]
    parameters += [Parameter("i", -3, 4000, "int"), Parameter("c", 0, 2, "choice")]
    for _ in range(200):
        values = draw_values(tuple(parameters), rng)
        assert all(p.check(values[p.name]) == values[p.name] for p in parameters)


# What breaks it -------------------------------------------------------------------------------


@rule
def tomorrow(market, n):
    out = market.high.copy()
    out[:-1] = market.high[1:]
    return out + n


@rule
def whole_mean(market, n):
    return market.close + market.close.mean() * 0.001 * n


@rule
def counted(market, n):
    return market.close + 0.001 * market.close.size * n


@rule
def wraps(market, n):
    out = np.empty(market.close.size)
    for t in range(out.size):
        out[t] = market.high[t - n]
    return out


@pytest.mark.parametrize("enter", [tomorrow, whole_mean, counted, wraps])
def test_a_rule_that_reads_the_future_is_named_with_the_smallest_example(enter):
    reported = found(made(enter))
    failure = failures(reported).pop("no look-ahead")
    name = enter.py_func.__name__
    cut = len(failure.bars) - 2
    assert failure.what == (
        f"rule `{name}`: its value at bar {failure.bar} changes when the bars after {cut} are "
        "cut off: it reads the future"
    )
    assert failure.values == {"n": 1}
    assert len(failure.bars) == 4
    assert failure.bar <= cut
    (_, whole), (label, part) = failure.seen
    assert label == f"bars up to {cut}"
    assert float(whole) != float(part)


def test_a_stop_that_reads_the_future_is_named():
    @rule
    def sees(market, n):
        out = market.low.copy()
        out[:-1] = np.minimum(market.low[1:], market.low[:-1])
        return out - n

    assert "rule `sees`: its value" in failures(found(made(stop=sees)))["no look-ahead"].what


def test_a_short_side_that_reads_the_future_is_named():
    @rule
    def sees(market, n):
        out = market.high + n * 0.01
        if market.close[0] < 0:
            out[:-1] = market.high[1:]
        return out

    failure = failures(found(made(sees, shorts=True)))["no look-ahead"]
    assert failure.what.startswith("rule `sees`, called for shorts,: its value")


def test_chance_is_named():
    @rule
    def dice(market, n):
        return market.close + n * np.random.random(market.close.size)  # noqa: NPY002

    reported = found(made(dice))
    assert list(reported) == PROMISES[:2]
    assert (
        "rule `dice`: its value at bar 0 is another one when"
        in reported["the same again"].failure.what
    )


def test_a_rule_that_cannot_be_compiled_ends_the_check():
    @rule
    def typo(market, n):
        return market.hgih + n

    reported = found(made(typo))
    assert list(reported) == PROMISES[:1]
    failure = reported["rules give values"].failure
    assert "rule `typo`" in failure.what
    assert "Unknown attribute 'hgih' of type market" in failure.what
    assert (failure.values, failure.bars) == (None, None)


def test_a_rule_that_raises_for_some_values_shows_them():
    @rule
    def picky(market, n):
        if n > 6:
            raise ValueError("n is too large")
        return market.close + n

    failure = failures(found(made(picky)))["rules give values"]
    assert "raised ValueError: n is too large with n=7" in failure.what
    assert failure.values == {"n": 7}


def test_a_hole_in_a_stop_shows_its_bar():
    @rule
    def hole(market, n):
        return np.where(market.close < market.open, np.nan, market.close - n)

    failure = failures(found(made(stop=hole)))["rules give values"]
    assert f"gave NaN at bar {failure.bar} after" in failure.what
    assert failure.bars.close[failure.bar] < failure.bars.open[failure.bar]


def test_a_look_back_that_is_too_short_is_shown():
    kept = found(made(look_back=lambda p: p["n"]))["no more history than declared"]
    assert kept.status == "pass"
    failure = failures(found(made(look_back=lambda p: max(1, p["n"] - 1))))
    assert list(failure) == ["no more history than declared"]
    failure = failure["no more history than declared"]
    assert "rule `channel`: its value at bar" in failure.what
    assert failure.values == {"n": 2}
    skipped = found(made())["no more history than declared"]
    assert (skipped.status, skipped.detail) == (
        "skipped", "look_back is not declared: not checked",
    )  # fmt: skip


def test_a_strategy_that_never_trades_is_a_warning():
    @rule
    def nothing(market, n):
        return np.full(market.close.size, np.nan) * n

    reported = found(made(nothing))
    assert failures(reported) == {}
    assert reported["it trades"].status == "warning"
    assert reported["it trades"].detail.startswith("no example trades")


def test_percentages_of_negative_prices_are_a_warning():
    @rule
    def percent(market, n):
        return market.close * (1 + 0.001 * n)

    reported = found(made(percent, shorts=True))
    assert failures(reported) == {}
    assert reported["shorts mirror longs"].status == "warning"
    assert "rule `percent` lies above the close at 100%" in reported["shorts mirror longs"].detail
    assert reported["it trades"].detail.endswith("one direction never trades")


# Strategies that are no rules -----------------------------------------------------------------


class PlainStudy(Study):
    """Buys one above the close, sells `b` below; `change` breaks it."""

    def __init__(self, bars, strategy):
        super().__init__(bars)
        self.strategy = strategy

    def orders(self, p):
        level = self.bars.close + p["n"] * 0.01
        side = np.full(level.size, LONG, np.int8)
        return (Orders(side, level + self.strategy.adds(self.bars, p), level),)

    def protections(self, p):
        stop = self.bars.close - p["b"]
        return (Protection(stop, np.zeros(stop.size), trailing=False),)


@dataclass(eq=False)
class Plain(SeparableStrategy):
    adds: object = staticmethod(lambda bars, p: 0.0)
    name: str = "plain"
    summary: str = ""
    parameters: tuple = (N, B)
    entry: tuple = ("n",)
    stop: tuple = ("b",)

    def study(self, bars):
        return PlainStudy(bars, self)


def test_other_strategies_are_checked_too():
    assert failures(found(Plain())) == {}
    ahead = Plain(lambda bars, p: np.append(np.diff(bars.high), 0.0))
    failure = failures(found(ahead))["no look-ahead"]
    assert "orders' level: its value at bar" in failure.what
    asked = []
    counts = Plain(lambda bars, p: float(asked.append(0) or len(asked)))
    assert "orders' level: its value at bar 0 is another" in (
        failures(found(counts))["the same again"].what
    )
    breaks = Plain(lambda bars, p: 1 / (p["n"] - 1))
    failure = failures(found(breaks, 100))["rules give values"]
    assert "`<lambda>` raised ZeroDivisionError" in failure.what
    assert failure.values["n"] == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        # Read by the entry, and not named there: the search keeps one value of it.
        ({"entry": ()}, "reads parameter 'n', which is not among that part's"),
        ({"stop": ("n",)}, "reads parameter 'b', which is not among that part's"),
    ],
)
def test_parts_that_read_others_parameters_are_found(given, why):
    failure = failures(found(Plain(**given), 40))["search and back-test agree"]
    assert why in failure.what


def test_a_parameter_that_is_called_inert_and_is_not_is_found():
    class Hidden(PlainStudy):
        def orders(self, p):
            return super().orders({"n": p.get("n", 1)})

    class Strategy(Plain):
        def study(self, bars):
            return Hidden(bars, self)

    failure = failures(found(Strategy(entry=()), 40))["search and back-test agree"]
    assert "than a back-test of the same parameters on bars" in failure.what
    assert "n" in failure.values


def test_a_first_bar_that_depends_on_the_future_is_found():
    class Late(PlainStudy):
        def entry_first(self, p):
            return len(self.bars) // 2

    class Strategy(Plain):
        def study(self, bars):
            return Late(bars, self)

    failure = failures(found(Strategy()))["no look-ahead"]
    assert failure.what.startswith("the first bar that may signal is")


def test_an_atr_d_look_back_covers_its_indicators():
    class Short(Touch):
        def look_back(self, p):
            return int(p["atr_buy_period"])

    parameters = find_strategy("atr_d_l").parameters
    short = AtrD(name="x", summary="", parameters=parameters, opens=Short())
    assert list(failures(found(short, 100))) == ["no more history than declared"]
