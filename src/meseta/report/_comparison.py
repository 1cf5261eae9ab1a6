"""The page that compares a strategy with its simpler variants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from meseta.report import _sections as sections
from meseta.report._charts import Line, curves_chart
from meseta.report._comparison_charts import dotted, outcome_chart, role, vault_chart
from meseta.report._figures import Figures
from meseta.report._format import count, money, plain, ratio, share
from meseta.report._page import write_page
from meseta.report._plateau_view import centre_curve
from meseta.report._run import read_run
from meseta.report._statements import SHORT_COSTS, sample, shorts
from meseta.report._variants import (
    COMPARISON,
    Addition,
    Variant,
    VariantRow,
    additions,
    differences,
    read_variants,
    unlike_grids,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meseta.report._run import Run

__all__ = ["VariantRow", "comparison_rows", "write_comparison"]

_POINTS = 1200  # of each equity curve


def comparison_rows(run_folder: Path) -> list[VariantRow]:
    """Read what each variant of a run was given and what came of it, simplest variant first.

    Parameters
    ----------
    run_folder
        The main strategy's run folder.

    Raises
    ------
    RunError
        The folder holds no run, the run has no variants, or a file is damaged.
    """
    return [variant.row for variant in read_variants(run_folder)]


def write_comparison(run_folder: Path) -> Path:
    """Write `comparison.html` into a run folder: what each addition to the strategy brought.

    The page is one file, like the report. A variant that was not finished, or in which no
    plateau was found, is listed as such.

    Parameters
    ----------
    run_folder
        The main strategy's run folder, whose manifest lists the variants.

    Returns
    -------
    Path of the page.

    Raises
    ------
    RunError
        The folder holds no run, the run has no variants, a file is damaged, or the page cannot
        be written.
    """
    variants = read_variants(run_folder)
    main = read_run(run_folder)
    figures = Figures()
    content = _content(main, variants, figures)
    return write_page(run_folder / COMPARISON, "comparison.html.j2", figures, **content)


@dataclass(frozen=True)
class Column:
    """The head of one variant's column, and its key in the charts."""

    variant: Variant
    role: str
    dotted: bool
    link: str | None
    given: str
    drawn: str | None
    times: str | None


@dataclass(frozen=True)
class Cell:
    """A number and its difference to the simplest variant's."""

    value: str
    change: str | None


@dataclass(frozen=True)
class Group:
    """Rows of the table that say the same kind of thing."""

    title: str
    remark: str
    rows: list[tuple[str, list[Cell]]]


@dataclass(frozen=True)
class Finding:
    """What one addition brought, in sentences.

    Attributes
    ----------
    title
        Name of the addition.
    with_, without
        The two variants.
    sentences
        The median of all, the best plateau, the vault.
    cautions
        What makes the two hard to compare.
    """

    title: str
    with_: str
    without: str
    sentences: list[str]
    cautions: list[str]


def _content(main: Run, variants: list[Variant], figures: Figures) -> dict[str, Any]:
    invented = [sections.invented(each.manifest) for each in variants]
    said = dict.fromkeys(text for found in invented for text in found or [])
    return {
        "manifest": main.manifest,
        "columns": [_column(main.folder, variants, at) for at in range(len(variants))],
        "simplest": variants[0].strategy,
        "findings": [_finding(pair) for pair in additions(variants)],
        "groups": _groups(variants),
        "unlike": differences(variants),
        "largest": _largest(variants),
        "made_up": None if all(found is None for found in invented) else list(said),
        "opened": _opened(variants),
        "short_costs": SHORT_COSTS if any(shorts(each.manifest) for each in variants) else None,
        "outcomes": _outcomes(variants, figures),
        "vault": _vault(variants, figures),
        "curves": _curves(main, variants, figures),
        "absent": [each.strategy for each in variants if each.run and not each.plateau],
        "unfinished": [(e.strategy, e.status) for e in variants if e.status != "finished"],
    }


def _column(folder: Path, variants: list[Variant], at: int) -> Column:
    variant, simplest = variants[at], variants[0]
    link = "report.html" if variant.folder == "." else f"{variant.folder}/report.html"
    manifest, row = variant.manifest, variant.row
    drawn = sample(manifest)
    there = variant.folder == "." or (folder / link).is_file()
    return Column(
        variant=variant,
        role=role(at),
        dotted=dotted(variants, at),
        link=quote(link) if there else None,
        given=count(row.combinations),
        drawn=drawn and f"of {count(manifest.grid.combinations)}: {drawn}",
        times=_times(row.combinations, simplest.row.combinations) if at else None,
    )


def _times(number: int | None, other: int | None) -> str | None:
    """Say how `number` compares: "288 times as many"; None where one is not known."""
    if not number or not other:
        return None
    if max(number, other) < 1.05 * min(number, other):
        return "as many"
    factor = max(number, other) / min(number, other)
    text = plain(round(factor, 1 if factor < 10 else 0))
    return f"{text} times as many" if number > other else f"{text} times fewer"


def _largest(variants: list[Variant]) -> str | None:
    """Say how many more combinations the largest search had; None if all had as many."""
    known = [each.row.combinations for each in variants if each.row.combinations]
    text = _times(max(known), min(known)) if known else None
    return None if text == "as many" else text


def _opened(variants: list[Variant]) -> str:
    times = [each.manifest.vault.opened for each in variants if each.manifest.vault is not None]
    known = [each for each in times if each is not None]
    return sections.opened(max(known, default=None))


# Sentences


def _finding(pair: Addition) -> Finding:
    return Finding(
        title=pair.name,
        with_=pair.with_.strategy,
        without=pair.without.strategy,
        sentences=[_median_sentence(pair), _plateau_sentence(pair), _vault_sentence(pair)],
        cautions=_cautions(pair),
    )


def _more(new: float, old: float) -> str:
    """Say how much more or less `new` is: "1,234 more (934 to 2,168)"."""
    if money(new) == money(old):
        return f"the same ({money(new)})"
    word = "more" if new > old else "less"
    return f"{money(abs(new - old))} {word} ({money(new)} against {money(old)})"


def _median_sentence(pair: Addition) -> str:
    new, old = pair.with_.row.median_all, pair.without.row.median_all
    if new is None or old is None:
        return f"The median combination of {_lacking(new, pair)} was not recorded."
    return f"The median combination made {_more(new, old)} in validation."


def _plateau_sentence(pair: Addition) -> str:
    new, old = pair.with_.row.plateau_oos_median, pair.without.row.plateau_oos_median
    if pair.with_.plateau is None and pair.without.plateau is None:
        return "No plateau was found in either."
    if pair.with_.plateau is None or pair.without.plateau is None:
        return f"No plateau was found in {_lacking(pair.with_.plateau, pair)}."
    if new is None or old is None:
        return f"The median of the best plateau of {_lacking(new, pair)} was not recorded."
    return f"The median of the best plateau made {_more(new, old)} in validation."


def _vault_sentence(pair: Addition) -> str:
    new, old = pair.with_.row.vault_profit, pair.without.row.vault_profit
    if new is None and old is None:
        return "Neither has a result in a vault."
    if new is None or old is None:
        return f"{_lacking(new, pair)} has no result in the vault."
    return f"In the vault, the centre of the best plateau made {_more(new, old)}."


def _lacking(new: object, pair: Addition) -> str:
    return pair.with_.strategy if new is None else pair.without.strategy


def _cautions(pair: Addition) -> list[str]:
    new, old = pair.with_.row.combinations, pair.without.row.combinations
    texts = []
    times = _times(new, old)
    if times is not None and times != "as many":
        texts.append(
            f"{pair.with_.strategy} was given {times} combinations "
            f"({count(new)} against {count(old)})."
        )
    other = unlike_grids(pair)
    if other:
        texts.append(
            f"The two grids list other values of {', '.join(other)} too, so their medians differ "
            "by more than the addition."
        )
    return texts


# Table


def _groups(variants: list[Variant]) -> list[Group]:
    def line(label: str, read: Callable[[Variant], Any], write: Callable[..., str]) -> Any:
        return label, _cells([read(each) for each in variants], write)

    def inside(field: str) -> Callable[[Variant], Any]:
        return lambda each: None if each.plateau is None else getattr(each.plateau, field)

    return [
        Group(
            "All combinations",
            "a larger number of them does not help",
            [
                line("Median validation profit", lambda each: each.row.median_all, money),
                line("Share with a profit", lambda each: each.row.share_profitable, share),
            ],
        ),
        Group(
            "Best plateau",
            "chosen on validation; a larger number helps, by luck too",
            [
                line("Stability", lambda each: each.row.plateau_stability, ratio),
                line("Median validation profit", inside("median_oos_pnl"), money),
                line("Worst validation profit", inside("worst_oos_pnl"), money),
                line("Share with a profit", inside("profitable_share"), share),
            ],
        ),
        Group(
            "Its centre",
            "chosen on validation; a larger number helps, by luck too",
            [
                line("Validation profit", lambda each: each.row.best_oos, money),
                line("Validation drawdown", lambda each: each.row.best_drawdown, money),
            ],
        ),
        Group(
            "The same centre in the vault",
            "the only unseen data",
            [
                line("Profit", lambda each: each.row.vault_profit, money),
                line("Drawdown", lambda each: each.row.vault_drawdown, money),
            ],
        ),
    ]


def _cells(values: list[float | None], write: Callable[..., str]) -> list[Cell]:
    first = values[0]
    cells = [Cell(write(first), None)]
    for value in values[1:]:
        change = None
        if value is not None and first is not None:
            change = _change(value, first, write)
        cells.append(Cell(write(value), change))
    return cells


def _change(value: float, first: float, write: Callable[..., str]) -> str:
    text: str = write(value - first)
    if write is share:
        text = text.removesuffix("%").strip() + " points"
    return text if text.startswith("−") else f"+{text}"


# Charts


def _outcomes(variants: list[Variant], figures: Figures) -> str | None:
    if all(each.row.median_all is None and each.plateau is None for each in variants):
        return None
    return figures.add("outcomes", outcome_chart(variants))


def _vault(variants: list[Variant], figures: Figures) -> str | None:
    if all(each.row.vault_profit is None for each in variants):
        return None
    return figures.add("vault", vault_chart(variants))


def _curves(main: Run, variants: list[Variant], figures: Figures) -> str | None:
    lines = []
    for at, each in enumerate(variants):
        curve = None if each.run is None else centre_curve(each.run, each.strategy, _POINTS)
        if curve is not None:
            lines.append(Line(curve, role(at), dotted(variants, at)))
    if not lines:
        return None
    return figures.add("curves", curves_chart(lines, sections.spans(main)))
