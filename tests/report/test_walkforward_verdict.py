"""What a walk-forward’s page says first: what was made, what choosing added, what to doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from run_files import edited, read
from synthetic_walk import windows_of
from synthetic_walk_manifest import total

from meseta.report._format import money, share

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from page_reader import Page

    MakeWalk = Callable[..., tuple[Page, Path]]


def sentences(page: Page) -> str:
    return page.text("verdict")


def test_verdict_says_what_was_made(walk_page: Page, walk_folder: Path) -> None:
    summary = read(walk_folder / "manifest.json")["summary"]
    text = sentences(walk_page)
    for words in (
        f"the walk-forward made {money(summary['exact_profit'])} in the exact re-run",
        f"with a drawdown of {money(summary['exact_drawdown'])}",
        f"The emulated pieces add up to {money(summary['emulated_profit'])}",
        f"In-sample promised {money(summary['promise'])} for the same time",
        f"Buy and hold made {money(summary['hold_profit'])} over the same bars",
    ):
        assert words in text, words


def test_verdict_has_the_three_forms_of_efficiency(walk_page: Page, walk_folder: Path) -> None:
    efficiency = read(walk_folder / "manifest.json")["efficiency"]
    dollars, annual, trade = (
        share(efficiency[k]["exact"]) for k in ("dollars", "annualised", "per_trade")
    )
    assert f"{dollars} in money, {annual} a year, {trade} a trade" in sentences(walk_page)
    rows = walk_page.table("Out-of-sample per in-sample")[1:]
    for row, form in zip(rows, ("dollars", "annualised", "per_trade"), strict=True):
        assert row[1:] == [share(efficiency[form]["exact"]), share(efficiency[form]["emulated"])]


def test_verdict_counts_the_windows_that_made_money(walk_page: Page, walk_folder: Path) -> None:
    used = windows_of(walk_folder).filter(~pl.col("flat"))
    won = int((used["exact_net_profit"] > 0).sum())
    assert f"{won} of {len(used)} windows that traded made money ({share(won / len(used))}" in (
        sentences(walk_page)
    )


def test_emulated_alone_says_so(make_walk: MakeWalk) -> None:
    page, folder = make_walk(exact="never")
    summary = read(folder / "manifest.json")["summary"]
    text = sentences(page)
    assert f"made {money(summary['emulated_profit'])}, emulated, with a drawdown of" in text
    assert "No exact re-run confirms it" in text
    assert "what one account would have made is not known" in text
    assert "the exact re-run: one account" not in text
    assert "emulated; no exact re-run" in page.html


@pytest.mark.parametrize(("edge", "word"), [(3000.0, "made"), (-3000.0, "lost")])
def test_a_loss_is_called_one(make_walk: MakeWalk, edge: float, word: str) -> None:
    page, folder = make_walk(edge=edge)
    profit = read(folder / "manifest.json")["summary"]["exact_profit"]
    assert f"the walk-forward {word} {money(abs(profit))} in the exact re-run" in sentences(page)


def test_choosing_that_helped(make_walk: MakeWalk) -> None:
    page, folder = make_walk(edge=6000.0, median_edge=-500.0)
    summary, average = (
        read(folder / "manifest.json")["summary"],
        total(windows_of(folder), "all_mean"),
    )
    text = sentences(page)
    assert "Choosing beat what needs no choosing: over the same bars simply holding" in text
    pairs = ((summary["median_profit"], "exact_profit"), (average, "emulated_profit"))
    for other, mine in pairs:
        said = f"{'made' if other > 0 else 'lost'} {money(abs(other))}"
        assert f"{said}, worse by {money(summary[mine] - other)}" in text
    assert "Choosing added nothing" not in text


def test_choosing_that_added_nothing(make_walk: MakeWalk) -> None:
    page, folder = make_walk(edge=-500.0, median_edge=4000.0)
    summary, average = (
        read(folder / "manifest.json")["summary"],
        total(windows_of(folder), "all_mean"),
    )
    text = sentences(page)
    assert text.index("Choosing added nothing.") < text.index("Out-of-sample, ")
    every = "the average of all combinations (emulated, as all of them are)"
    held = "simply holding the median combination (xbar 18)"
    for name, other, mine in (
        (held, summary["median_profit"], "exact_profit"),
        (every, average, "emulated_profit"),
    ):
        better = money(other - summary[mine])
        assert f"{name} made {money(other)}, better by {better}" in text
    assert "Choosing beat" not in text


def test_emulated_pieces_that_would_have_helped(make_walk: MakeWalk) -> None:
    def between(folder: Path) -> None:
        edited(summary__exact_profit=100.0, summary__median_profit=200.0)(folder)
        edited(summary__emulated_profit=300_000.0)(folder)

    text = sentences(make_walk(between)[0])
    assert "Choosing added nothing." in text
    assert "The emulated pieces (300,000) made more, but nobody could have traded them" in text


def test_nothing_to_choose(make_walk: MakeWalk) -> None:
    page, _ = make_walk(grid={"xbar": [12]}, matrix=None)
    text = sentences(page)
    assert "There was nothing to choose. The grid has one combination" in text
    assert "Choosing added nothing" not in text
    assert "the best of" not in text
    assert "the only combination, over 504 sessions" in page.html
    assert "No parameter has more than one value" in page.text("path")


def test_noise_is_said(make_walk: MakeWalk) -> None:
    page, folder = make_walk(near=0.9)
    near = read(folder / "manifest.json")["path"]["near_median"]
    assert f"The search chose noise. In {share(near)} of the windows" in sentences(page)
    assert "That is the mark of noise" in page.text("path")
    quiet, _ = make_walk(near=0.0)
    assert "noise" not in sentences(quiet) + quiet.text("path")


def test_flat_windows_are_said(walk_page: Page, make_walk: MakeWalk) -> None:
    said = "2 of 26 windows were flat. No combination with at least 5 trades in-sample"
    assert said in sentences(walk_page)
    page, _ = make_walk(flat=tuple(range(1, 9)))
    assert "8 of 8 windows were flat." in sentences(page)
    assert "No window traded." in sentences(page)
    assert "is not defined: no profit in-sample" in sentences(page)


@pytest.mark.parametrize(
    ("trades", "words"),
    [(0, "No trade out-of-sample."), (1, "Only 1 trade out-of"), (12, "Only 12 trades out-of")],
)
def test_few_trades_are_said(make_walk: MakeWalk, trades: int, words: str) -> None:
    assert words in sentences(make_walk(edited(summary__trades=trades))[0])
    assert "Only" not in sentences(make_walk(edited(summary__trades=30))[0])


def test_warnings_stand_at_the_top_and_in_the_record(make_walk: MakeWalk) -> None:
    page, _ = make_walk(edited(warnings=[f"remark {n}" for n in range(6)]))
    text = sentences(page)
    assert "remark 3" in text
    assert "remark 4" not in text
    assert "4 of 6; the others stand below" in text
    assert "remark 5" in page.text("record")


def test_evidence_is_what_no_selection_has_read(walk_page: Page, make_walk: MakeWalk) -> None:
    text = sentences(walk_page)
    assert "no selection has read this curve" in text
    assert "Any cell of the matrix" in text
    assert "is validation from then on" in text
    assert "has chosen it by its out-of-sample result" in text
    assert "cell of the matrix" not in sentences(make_walk(matrix=None)[0])


def test_made_up_data_are_said_at_the_top(make_walk: MakeWalk) -> None:
    page, _ = make_walk(edited(data__name="oil (made up)"))
    assert page.html.index("The data are made up") < page.html.index('class="lead"')


def test_gap_in_the_verdict(walk_page: Page, walk_folder: Path) -> None:
    gap = read(walk_folder / "manifest.json")["gap"]
    more = "more" if gap["total"] > 0 else "less"
    said = f"The exact re-run made {money(abs(gap['total']))} {more} than the emulated pieces"
    assert f"{said} ({share(abs(gap['share']))} of the exact profit)" in sentences(walk_page)


def test_no_gap_at_all(make_walk: MakeWalk) -> None:
    nothing = {"total": 0.0, "share": 0.0, "position": 0.0, "size": 0.0, "orders": 0.0}
    assert "re-run and the emulated pieces agree" in sentences(make_walk(edited(gap=nothing))[0])
    evens = nothing | {"position": 50.0, "orders": -50.0}
    assert "differ, but not in sum" in sentences(make_walk(edited(gap=evens))[0])
