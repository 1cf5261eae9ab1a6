"""Why two back-tests of the same parameters differ, lot by lot and in money.

A lot is the same in both where side, level and bar of entry are. Each lot that differs, and each
that only one of them has, is given one cause; what no rule accounts for is not explained. The
sum over the causes is the difference of the final equities, because that is the sum over lots.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.hedge._result import REASONS, lots_net
from meseta.hedge._simulate import ladder_value

if TYPE_CHECKING:
    from meseta._types import BoolArray
    from meseta.confirm._outcome import EventDriven
    from meseta.hedge import GridParameters, GridSettings, HedgeMarket
    from meseta.hedge._result import HedgeResult

__all__ = ["CAUSES", "UNEXPLAINED", "Cause", "causes_of"]

TAKE, STOP, LIQUIDATION, DRAWDOWN, _ = range(len(REASONS))
UNEXPLAINED = "not explained"
# In the order in which they are listed; each with what it means.
CAUSES = {
    "both exits in a bar": "a bar reaches the take-profit and the stop of an older lot: compiled "
    "counts the stop, the engine what comes first on the bar's path",
    "gap through a stop": "the bar opens beyond a stop: compiled fills it at the open, the "
    "engine at the stop's own price",
    "thin volume": "a quarter of a bar's volume is less than the lot: the engine closes it in "
    "several fills, compiled in one",
    "slippage": "the engine slips a stop by one tick, compiled by `slippage_ticks`",
    "participation": "compiled caps what a bar's volume fills, the engine does not",
    "liquidation": "compiled liquidates at the price that asks for it, the engine at the bar's "
    "close; nothing is traded after it",
    "drawdown stop": "compiled flattens at the next open, the engine at the close that decides "
    "it; nothing is traded after it",
    "prices off the tick": "the engine rounds the bars' prices to the tick, compiled does not",
    "level taken": "a lot that differs still held the level, or had left it, in one of the two",
    "limits": "position limits were near, and lots that differ had changed what counts "
    "towards them",
    "rounding": "the engine keeps money to eight decimals",
    UNEXPLAINED: "no rule accounts for it",
}
# Money of one lot that eight decimals in each fee, and in funding, may make.
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why the two differ.

    Parameters
    ----------
    name
        One of `CAUSES`.
    difference
        Money that the event-driven engine has more at the end for it.
    count
        Lots that it is counted for.
    """

    name: str
    difference: float
    count: int


@dataclass(frozen=True, slots=True)
class _Pair:
    """A lot as each side has it; None where it has none."""

    compiled: Any
    engine: Any

    @property
    def one(self) -> Any:
        """Whichever there is."""
        return self.engine if self.compiled is None else self.compiled

    @property
    def difference(self) -> float:
        """Money that the engine makes more of it."""
        return _net(self.engine) - _net(self.compiled)

    @property
    def same(self) -> bool:
        """Whether the same happened to it in both, money aside."""
        if self.compiled is None or self.engine is None:
            return False
        names = ("quantity", "exit_bar", "reason")
        return all(self.compiled[name] == self.engine[name] for name in names) and bool(
            np.isclose(self.compiled["exit_price"], self.engine["exit_price"], rtol=1e-9)
        )


def causes_of(
    market: HedgeMarket,
    parameters: GridParameters,
    settings: GridSettings,
    compiled: HedgeResult,
    engine: EventDriven,
) -> tuple[Cause, ...]:
    """Explain the difference of two back-tests of one span.

    Parameters
    ----------
    market, parameters, settings
        What both have traded.
    compiled, engine
        The two.

    Returns
    -------
    tuple of Cause
        In the order of `CAUSES`; those that do not occur are left out. Empty where both are the
        same to the last digit.
    """
    found: dict[str, list[float]] = defaultdict(list)
    look = _Look(market, parameters, settings, compiled, engine)
    for pair in look.pairs:
        if pair.difference != 0.0 or not pair.same:
            found[look.cause(pair)].append(pair.difference)
    return tuple(
        Cause(name, float(np.sum(found[name])), len(found[name]))
        for name in CAUSES
        if name in found
    )


class _Look:
    """Finds the cause of each lot that differs."""

    def __init__(
        self,
        market: HedgeMarket,
        parameters: GridParameters,
        settings: GridSettings,
        compiled: HedgeResult,
        engine: EventDriven,
    ) -> None:
        self.bars, self.p, self.s = market.bars, parameters, settings
        self.compiled, self.engine, self.thin = compiled, engine.result, engine.thin
        self.pairs = _pairs(compiled.lots, engine.result.lots)
        self.differ = [pair for pair in self.pairs if not pair.same]
        self.off = _off_tick(market, settings.tick)

    def cause(self, pair: _Pair) -> str:
        """Return the name of a lot's cause."""
        if pair.same:
            # Exits alike leave fees and funding; more than rounding there is no rule's doing.
            return "rounding" if abs(pair.difference) <= _ROUNDING else UNEXPLAINED
        if pair.compiled is None or pair.engine is None:
            return self.only(pair)
        return self.rule(pair.compiled, pair.engine) or self.elsewhere(pair)

    def rule(self, ours: Any, theirs: Any) -> str | None:
        """Return the rule of fills by which two exits of a lot differ; None for none."""
        reasons, bar = {int(ours["reason"]), int(theirs["reason"])}, int(ours["exit_bar"])
        if LIQUIDATION in reasons:
            return "liquidation"
        if DRAWDOWN in reasons:
            return "drawdown stop"
        if int(theirs["id"]) in self.thin:
            return "thin volume"
        if bar == theirs["exit_bar"]:
            return self.in_one_bar(ours, theirs, bar)
        return None

    def in_one_bar(self, ours: Any, theirs: Any, bar: int) -> str | None:
        """Return the rule by which exits in the same bar differ."""
        both = (int(ours["reason"]), int(theirs["reason"]))
        if both == (STOP, TAKE) and ours["entry_bar"] < bar and self.reaches_both(ours, bar):
            return "both exits in a bar"
        if both == (STOP, STOP):
            # A rung of this bar whose stop the open is beyond was filled at that open as well.
            if ours["side"] * (ours["stop_loss"] - self.bars.open[bar]) > 0:
                return "gap through a stop"
            if self.s.slippage_ticks > 1:
                return "slippage"
        return None

    def reaches_both(self, lot: Any, bar: int) -> bool:
        """Whether a bar's range holds both exits of a lot."""
        high, low = self.bars.high[bar], self.bars.low[bar]
        return bool(
            low <= min(lot["stop_loss"], lot["take_profit"])
            and high >= max(lot["stop_loss"], lot["take_profit"])
        )

    def only(self, pair: _Pair) -> str:
        """Return why only one of the two has a lot."""
        bar = int(pair.one["entry_bar"])
        lacking = self.engine if pair.engine is None else self.compiled
        # The engine stops at a bar's close, the compiled simulator in a bar or at its open.
        if lacking.stopped_bar is not None and bar >= lacking.stopped_bar + (pair.engine is None):
            return "liquidation" if lacking.liquidated else "drawdown stop"
        if self.level_differs(pair.one, bar):
            return "level taken"
        found = self.elsewhere(pair)
        return "limits" if found == UNEXPLAINED and self.near_limits(pair.one) else found

    def level_differs(self, lot: Any, bar: int) -> bool:
        """Whether the level was free in one of the two alone when its order could be placed."""
        return any(
            other.one["side"] == lot["side"]
            and other.one["level"] == lot["level"]
            and _holds(other.compiled, bar) != _holds(other.engine, bar)
            for other in self.differ
        )

    def elsewhere(self, pair: _Pair) -> str:
        """Return the cause of what no rule of fills at the lot itself accounts for."""
        bars = {int(lot[name]) for lot in (pair.compiled, pair.engine) if lot is not None
                for name in ("entry_bar", "exit_bar")}  # fmt: skip
        if self.s.participation is not None:
            return "participation"
        return "prices off the tick" if any(self.off[bar] for bar in bars) else UNEXPLAINED

    def near_limits(self, lot: Any) -> bool:
        """Whether a lot that differs before may have moved a side to, or from, a limit."""
        row = int(lot["entry_bar"]) - 1 - self.compiled.span[0]
        if row < 0 or not any(other.one["entry_bar"] < lot["entry_bar"] for other in self.differ):
            return False
        return any(
            self.crowded(result, lot["side"], row) for result in (self.compiled, self.engine)
        )

    def crowded(self, result: HedgeResult, side: int, row: int) -> bool:
        """Whether a side's lots and its whole ladder do not fit its limits at a close."""
        price, equity = self.bars.close[result.span[0] + row], result.equity[row]
        held = result.long_exposure[row], result.short_exposure[row]
        ladder = ladder_value(self.p, float(price))
        own, other = (0, 1) if side > 0 else (1, 0)
        most = min(
            self.p.max_position_pct * equity,
            self.s.max_inventory_quote,
            self.s.max_position_size * price,
            min(self.s.max_leverage_used, self.s.leverage) * equity - held[other] - ladder[other],
        )
        return bool(held[own] + ladder[own] > most)


def _pairs(compiled: Any, engine: Any) -> list[_Pair]:
    """Match lots by side, level and bar of entry, in the order of entries."""
    ours, theirs = _by_key(compiled), _by_key(engine)
    keys = sorted(ours.keys() | theirs.keys(), key=lambda key: (key[2], -key[0], key[1]))
    return [_Pair(ours.get(key), theirs.get(key)) for key in keys]


def _by_key(lots: Any) -> dict[tuple[int, int, int], Any]:
    return {(int(lot["side"]), int(lot["level"]), int(lot["entry_bar"])): lot for lot in lots}


def _holds(lot: Any, bar: int) -> bool:
    """Whether a lot keeps its level from being quoted for a bar."""
    return lot is not None and bool(lot["entry_bar"] < bar <= lot["exit_bar"])


def _net(lot: Any) -> float:
    return 0.0 if lot is None else float(lots_net(lot))


def _off_tick(market: HedgeMarket, tick: float) -> BoolArray:
    """Return the bars with a price that is not the very number nearest to a whole tick."""
    inverse = round(1.0 / tick)
    exact = inverse > 0 and abs(inverse * tick - 1.0) < 1e-9
    off = np.zeros(len(market.bars), bool)
    for column in (market.bars.open, market.bars.high, market.bars.low, market.bars.close):
        ticks = np.round(column * inverse if exact else column / tick)
        off |= column != (ticks / inverse if exact else ticks * tick)
    return off
