"""What came of a walk-forward, in sentences: what was made, what choosing added, what to doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from meseta.report._format import count, day, money, parameters, plain, share
from meseta.report._walkforward_run import CAUSES, total

if TYPE_CHECKING:
    from meseta.report._walkforward_run import Walk

__all__ = ["FORMS", "Caution", "Verdict", "average", "median_text", "tiles", "verdict"]

FORMS = {
    "dollars": ("In money", "profit out-of-sample ÷ profit in-sample"),
    "annualised": ("A year", "profit per year out-of-sample ÷ the same in-sample (Pardo)"),
    "per_trade": ("A trade", "profit per trade out-of-sample ÷ the same in-sample"),
}
"""Form of the efficiency to its name and what it is."""

_FEW = 30  # trades below which a handful of them decide the result
_NAMED = 3  # parameters up to which a sentence has room for their values
_LEADING = {
    "position": "the position that was held at a boundary",
    "size": "another size of the positions",
    "orders": "the state of orders",
}


@dataclass(frozen=True)
class Caution:
    """A doubt: its heading and its sentences; `strong` ones make the result worthless."""

    title: str
    text: str
    strong: bool = True


@dataclass(frozen=True)
class Verdict:
    """What came of it, and what to doubt about it."""

    sentences: list[str]
    cautions: list[Caution]


def verdict(walk: Walk) -> Verdict:
    """Judge a walk-forward by what its folder says."""
    nothing = _added_nothing(walk)
    sentences = [
        _made_sentence(walk),
        _promise_sentence(walk),
        _winning_sentence(walk),
        *([] if nothing else _added_sentences(walk)),
        _hold_sentence(walk),
        _gap_sentence(walk),
    ]
    doubts = [nothing, _noise(walk), _flat(walk), _few(walk)]
    return Verdict([text for text in sentences if text], [doubt for doubt in doubts if doubt])


def tiles(walk: Walk) -> list[tuple[str, str, str]]:
    """List the key figures of the first page: label, value, remark."""
    summary = walk.manifest.summary
    won, traded = _won(walk, walk.profit_column)
    form = walk.manifest.efficiency.annualised
    efficiency = form.exact if walk.exact else form.emulated
    return [
        ("Out-of-sample profit", money(walk.profit), _source(walk)),
        ("Efficiency a year", share(efficiency), "of the in-sample profit per year"),
        ("Windows that won", *_won_tile(won, traded)),
        ("Median combination", money(summary.median_profit), "held over the same bars"),
        ("Buy and hold", money(summary.hold_profit), "over the same bars"),
        ("Exact − emulated", *_gap_tile(walk)),
    ]


def median_text(walk: Walk) -> str:
    """Return the median combination's values of the searched parameters."""
    known = walk.manifest.median_combination
    return parameters({k: v for k, v in known.items() if k in walk.manifest.choices} or known)


def _won_tile(won: int, traded: int) -> tuple[str, str]:
    if not traded:
        return "—", "none traded"
    return share(won / traded), f"{won} of {traded} that traded"


def _source(walk: Walk) -> str:
    return "exact re-run" if walk.exact else "emulated; no exact re-run"


def _gap_tile(walk: Walk) -> tuple[str, str]:
    gap = walk.manifest.gap
    if gap is None or gap.total is None:
        return "—", "no exact re-run"
    return money(gap.total), f"{_absolute(gap.share)} of the exact profit"


def _absolute(part: float | None) -> str:
    return share(None if part is None else abs(part))


def _made(profit: float | None) -> str:
    if profit is None:
        return "made an unknown amount"
    if profit == 0:
        return "made nothing"
    return f"made {money(profit)}" if profit > 0 else f"lost {money(-profit)}"


def _against(profit: float, other: float) -> str:
    """Say how `other` compares with `profit`."""
    if money(profit) == money(other):
        return "the same"
    return f"{'better' if other > profit else 'worse'} by {money(abs(other - profit))}"


# Sentences


def _made_sentence(walk: Walk) -> str:
    summary, windows = walk.manifest.summary, walk.manifest.windows
    if walk.profit is None:
        return "No out-of-sample result was recorded."
    when = f"Out-of-sample, {day(windows.first_out)} to {day(windows.stop)}, the walk-forward"
    if walk.exact:
        return (
            f"{when} {_made(summary.exact_profit)} in the exact re-run, with a drawdown of "
            f"{money(summary.exact_drawdown)}. The emulated pieces add up to "
            f"{money(summary.emulated_profit)}."
        )
    return (
        f"{when} {_made(summary.emulated_profit)}, emulated, with a drawdown of "
        f"{money(summary.emulated_drawdown)}: pieces of separate simulations added up. No exact "
        "re-run confirms it."
    )


def _promise_sentence(walk: Walk) -> str:
    promise, efficiency = walk.manifest.summary.promise, walk.manifest.efficiency
    side = "exact" if walk.exact else "emulated"
    forms = [
        getattr(form, side)
        for form in (efficiency.dollars, efficiency.annualised, efficiency.per_trade)
    ]
    promised = f"In-sample promised {money(promise)} for the same time. " if promise else ""
    if all(form is None for form in forms):
        return promised + "The walk-forward efficiency is not defined: no profit in-sample."
    money_, year, trade = (share(form) for form in forms)
    return (
        f"{promised}Walk-forward efficiency, out-of-sample as a share of in-sample: {money_} in "
        f"money, {year} a year, {trade} a trade."
    )


def _winning_sentence(walk: Walk) -> str | None:
    won, traded = _won(walk, walk.profit_column)
    if not traded:
        return "No window traded."
    other = _won(walk, "oos_net_profit")
    windows = "window that traded" if traded == 1 else "windows that traded"
    emulated = f"; emulated, {other[0]} of {other[1]}" if walk.exact and other[0] != won else ""
    return f"{won} of {traded} {windows} made money ({share(won / traded)}{emulated})."


def _won(walk: Walk, column: str) -> tuple[int, int]:
    """Count the windows that made money, and those that traded."""
    if walk.windows is None:
        return 0, 0
    known = walk.windows.filter(~pl.col("flat"))[column].drop_nulls()
    return int((known > 0).sum()), len(known)


def _hold_sentence(walk: Walk) -> str | None:
    held, profit = walk.manifest.summary.hold_profit, walk.profit
    if held is None or profit is None:
        return None
    return f"Buy and hold {_made(held)} over the same bars, {_against(profit, held)}."


def _gap_sentence(walk: Walk) -> str | None:
    gap = walk.manifest.gap
    if gap is None or gap.total is None:
        return None
    parts = {cause: getattr(gap, cause) or 0.0 for cause in CAUSES}
    if not any(parts.values()):
        return "The exact re-run and the emulated pieces agree."
    leading = _LEADING[max(parts, key=lambda cause: abs(parts[cause]))]
    if money(gap.total) == money(0.0):
        return (
            f"The exact re-run and the emulated pieces differ, but not in sum; most by {leading}."
        )
    of = "" if gap.share is None else f" ({_absolute(gap.share)} of the exact profit)"
    more = f"{money(abs(gap.total))} {'more' if gap.total > 0 else 'less'}"
    return f"The exact re-run made {more} than the emulated pieces{of}, most of it by {leading}."


# What choosing added


def average(walk: Walk) -> float | None:
    """Return what all combinations made on average; None where a window's is not known."""
    if walk.windows is None or walk.windows["all_mean"].is_null().any():
        return None
    return total(walk.windows, "all_mean")


def _compared(walk: Walk) -> list[tuple[str, float, float]]:
    """List what needs no choosing: its name, what it made, what choosing made to compare with.

    The average of all combinations is one of full-period runs, so it is compared with the
    emulated pieces, which are cut from such runs; the median combination is traded as one
    account from the first out-of-sample bar on, as the exact re-run is.
    """
    summary = walk.manifest.summary
    values = f" ({median_text(walk)})" if len(walk.manifest.choices) <= _NAMED else ""
    apart = " (emulated, as all of them are)" if walk.exact else ""
    named = [
        (f"simply holding the median combination{values}", summary.median_profit, walk.profit),
        (f"the average of all combinations{apart}", average(walk), summary.emulated_profit),
    ]
    return [
        (name, made, profit)
        for name, made, profit in named
        if made is not None and profit is not None
    ]


def _added_nothing(walk: Walk) -> Caution | None:
    """Say so where the walk-forward did not beat what needs no choosing."""
    profit = walk.profit
    if profit is None:
        return None
    if walk.manifest.searched == 1:
        text = "The grid has one combination, so every window trades it."
        return Caution("There was nothing to choose.", text, strong=False)
    better = [each for each in _compared(walk) if each[1] >= each[2]]
    if not better:
        return None
    lost = [f"{name} {_made(made)}, {_against(mine, made)}" for name, made, mine in better]
    text = "; ".join(lost)
    return Caution(
        "Choosing added nothing.", f"Over the same bars {text}.{_other_way(walk, better)}"
    )


def _added_sentences(walk: Walk) -> list[str]:
    if walk.profit is None:
        return []
    said = [
        f"{name} {_made(made)}, {_against(mine, made)}" for name, made, mine in _compared(walk)
    ]
    if not said:
        return ["What needs no choosing was not recorded, so what choosing added is not known."]
    return [f"Choosing beat what needs no choosing: over the same bars {'; '.join(said)}."]


def _other_way(walk: Walk, better: list[tuple[str, float, float]]) -> str:
    """Add that the emulated pieces say otherwise, where they do."""
    emulated = walk.manifest.summary.emulated_profit
    if not walk.exact or emulated is None or any(made >= emulated for _, made, _ in better):
        return ""
    return (
        f" The emulated pieces ({money(emulated)}) made more, but nobody could have traded them."
    )


# Doubts


def _noise(walk: Walk) -> Caution | None:
    path = walk.manifest.path
    if not path.noise:
        return None
    return Caution(
        "The search chose noise.",
        f"In {share(path.near_median)} of the windows the fitness of the chosen combination was "
        "within 1 % of that of the median combination. Where the best is no better than the "
        "middle of the grid, which one comes out best is chance.",
    )


def _flat(walk: Walk) -> Caution | None:
    windows, least = walk.manifest.windows, walk.manifest.min_trades
    if not windows.flat:
        return None
    many = f"{count(windows.flat)} of {count(windows.count)} windows"
    asked = "" if least is None else f" with at least {_trades(least)} in-sample"
    return Caution(
        f"{many} {'was' if windows.flat == 1 else 'were'} flat.",
        f"No combination{asked} had a fitness there, so nothing was traded: these windows count "
        "as 0, and as neither won nor lost.",
        strong=windows.flat == windows.count,
    )


def _trades(number: float) -> str:
    return "1 trade" if number == 1 else f"{plain(number)} trades"


def _few(walk: Walk) -> Caution | None:
    trades = walk.manifest.summary.trades
    if trades is None or trades >= _FEW:
        return None
    if trades == 0:
        return Caution("No trade out-of-sample.", "There is no result to judge.")
    text = "A handful of them decides the result, so chance does."
    return Caution(f"Only {_trades(trades)} out-of-sample.", text, strong=False)
