"""What came of a project, in sentences: how many members were worth it, and what to doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta.report._format import MISSING, count, money, ratio, share

if TYPE_CHECKING:
    from meseta.report._project_run import Portfolio, Project, Summary

__all__ = ["Doubt", "doubts", "sentences", "tiles"]

_MORE = 1.25  # how much more than shared out a portfolio may deviate before it is said


@dataclass(frozen=True)
class Doubt:
    """A reason for caution: its heading and its sentences; `strong` ones come first in weight."""

    title: str
    text: str
    strong: bool = True


def tiles(project: Project) -> list[tuple[str, str, str]]:
    """List the key figures of the first page: label, value, remark."""
    found, held = project.manifest.summary, project.manifest.portfolio
    return [
        *(_count_tiles(found) if found else ()),
        *(_held_tiles(project, held) if held else ()),
    ]


def _count_tiles(found: Summary) -> list[tuple[str, str, str]]:
    of = f"of {count(found.finished)}"
    remark = "members that finished" if found.failed else "members"
    return [
        ("Made money", f"{count(found.made_money)} {of}", remark),
        ("Beat their median", f"{count(found.beat_median)} {of}", "combination, held throughout"),
        ("Beat buy and hold", f"{count(found.beat_hold)} {of}", "over the same bars"),
    ]


def _held_tiles(project: Project, held: Portfolio) -> list[tuple[str, str, str]]:
    return [
        ("Portfolio, a year", money(held.per_year), f"{ratio(held.years)} years, equal risk"),
        ("Sharpe", ratio(held.sharpe), f"deviation {money(held.deviation)} a year"),
        ("Drawdown", money(held.drawdown), _of_capital(held.drawdown, project.manifest.capital)),
    ]


def _of_capital(amount: float | None, capital: float | None) -> str:
    if amount is None or not capital:
        return "of the portfolio"
    return f"{share(amount / capital)} of the capital"


def sentences(project: Project) -> list[str]:
    """Say what came of the members and of the portfolio."""
    found, held = project.manifest.summary, project.manifest.portfolio
    said = [*(_members(project, found) if found and found.finished else ())]
    if held is not None:
        said.append(_portfolio(held))
    return said or ["No member finished, so there is no result."]


def _members(project: Project, found: Summary) -> list[str]:
    of = f"of {_things(found.finished, 'member')}"
    median = f"{count(found.beat_median)} {of} made more than the median combination of their grid"
    said = [
        f"{count(found.made_money)} {of} made money out-of-sample.",
        f"{median}, {count(found.beat_hold)} more than buying and holding.",
    ]
    if project.results is not None and found.finished > 2:
        said.append(
            f"The middle member made {_money(project.results['net_profit'].median())}, all "
            f"together {_money(project.results['net_profit'].sum())}, each in its own size."
        )
    return said


def _portfolio(held: Portfolio) -> str:
    month = held.worst_month
    worst = f" The worst month was {month.month}: {_money(month.net_profit)}." if month else ""
    return (
        f"Held together with equal risk, {held.first} to {held.last}, they made "
        f"{_money(held.per_year)} a year with a yearly deviation of {money(held.deviation)} "
        f"(Sharpe {ratio(held.sharpe)}) and a drawdown of {money(held.drawdown)}.{worst}"
    )


def doubts(project: Project) -> list[Doubt]:
    """List what makes the result worth less than it looks."""
    found = [
        _unfinished(project),
        _failures(project),
        _stand_ins(project),
        _choosing(project),
        _picking(project),
        _deviating(project),
        _left_out(project),
    ]
    return [each for each in found if each]


def _unfinished(project: Project) -> Doubt | None:
    waiting = project.unfinished
    if not waiting:
        return None
    return Doubt(
        f"{_things(len(waiting), 'member')} not finished.",
        "The project was interrupted; what follows is what had been written.",
    )


def _failures(project: Project) -> Doubt | None:
    failed = project.failed
    if not failed:
        return None
    text = "It is" if len(failed) == 1 else "They are"
    return Doubt(
        f"{_things(len(failed), 'member')} of {count(len(project.manifest.members))} failed.",
        f"{text} not in any number here; the reasons stand under Failed.",
        strong=2 * len(failed) > len(project.manifest.members),
    )


def _stand_ins(project: Project) -> Doubt | None:
    """Say which symbols were not got from their source, each with its reasons once."""
    data = [(each.symbol, each.data) for each in project.manifest.members if each.data]
    said = dict.fromkeys(f"{name}: {text}" for name, found in data for text in found.stand_in)
    if not said:
        return None
    return Doubt("Stored bars stand in for a source’s.", " ".join(said))


def _choosing(project: Project) -> Doubt | None:
    found = project.manifest.summary
    if found is None or not found.finished or 2 * found.beat_median > found.finished:
        return None
    return Doubt(
        "Choosing added nothing.",
        f"{count(found.beat_median)} of {_things(found.finished, 'member')} made more than the "
        "combination in the middle of their grid, which nobody had to search for. A coin would "
        "give half.",
    )


def _picking(project: Project) -> Doubt | None:
    results = project.results
    if results is None or results.height < 2:
        return None
    best = results.sort("net_profit", descending=True).row(0, named=True)
    name = f"{best['symbol']} {best['bar_size']} {best['strategy']}"
    return Doubt(
        "The best row is not the one to trade.",
        f"Whoever picks {name} ({_money(best['net_profit'])}) has selected on out-of-sample "
        f"results: the best of {count(results.height)} is high by luck alone, and what it made is "
        "validation from then on. The table as a whole is the evidence.",
        strong=False,
    )


def _deviating(project: Project) -> Doubt | None:
    held = project.manifest.portfolio
    if held is None or held.deviation is None or held.deviation <= _MORE * held.target:
        return None
    return Doubt(
        "The portfolio deviated more than was shared out.",
        f"{money(held.deviation)} a year instead of {money(held.target)}: what was chosen moved "
        "more out-of-sample than in-sample, and members moved together.",
    )


def _left_out(project: Project) -> Doubt | None:
    held = project.manifest.portfolio
    if held is None or not held.left_out:
        return None
    return Doubt(
        f"{_things(len(held.left_out), 'member')} not in the portfolio.",
        f"{', '.join(held.left_out)}: no in-sample deviation is known to size it by.",
        strong=False,
    )


def _things(number: int, name: str) -> str:
    return f"{count(number)} {name}" if number == 1 else f"{count(number)} {name}s"


def _money(amount: object) -> str:
    return money(amount) if isinstance(amount, int | float) else MISSING
