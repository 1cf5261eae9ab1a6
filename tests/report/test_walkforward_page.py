"""The page of a walk-forward: what it says of each kind of run, and its numbers read back."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from page_reader import Page, check_alone
from run_files import edited, read
from synthetic_walk import THREE, TWELVE, WalkRecipe, windows_of, write_walk
from synthetic_walk_manifest import total

from meseta._files import write_json
from meseta.errors import RunError
from meseta.report import write_report, write_walkforward_report
from meseta.report._format import alike, count, money, parameters, plain, ratio, share

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeWalk = Callable[..., tuple[Page, Path]]

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no matrix": {"matrix": None},
    "never exact": {"exact": "never"},
    "flat": {"flat": (2, 3), "purge": 20, "anchored": True, "policy": "close"},
    "all flat": {"flat": tuple(range(1, 9)), "matrix": None},
    "nothing searched": {"grid": {"xbar": [12]}, "matrix": None},
    "one window": {"windows": 1, "partial": False},
    "100 windows": {"windows": 100, "out_of_sample": 21, "matrix": None, "policy": "finish"},
    "12 parameters": {"grid": TWELVE, "quantity": None},
    "intraday": {"grid": THREE, "quantity": None, "bar_minutes": 360},
    "losing": {"edge": -3000.0, "median_edge": -900.0},
    "odd numbers": {"odd": True},
    "odd and never exact": {"odd": True, "exact": "never", "flat": (2,)},
}
SECTIONS = ["verdict", "curve", "how", "windows", "gap", "path", "matrix", "trades", "record"]


def prose(page: Page) -> str:
    """What a reader sees, all of it, without scripts and styles."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", page.html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def body(page: Page) -> list[list[str]]:
    """Rows of the windows' table without its heads, details and sum."""
    rows = page.table("Without choosing")[2:-1]
    return [row for row in rows if len(row) > 1]


# Every kind


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A page of each kind, made once for all the tests that look at it."""
    folder = tmp_path_factory.mktemp("runs") / "walk"
    write_walk(folder, WalkRecipe(**({"windows": 8} | KINDS[request.param])))
    return Page(write_walkforward_report(folder).read_text(encoding="utf-8"))


def test_every_kind_of_run_makes_a_whole_page(kind: Page) -> None:
    named = {a["data-chart"] for _, a in kind.tags if "data-chart" in a}
    assert named == set(kind.charts["figures"])
    targets = {a["id"] for _, a in kind.tags if "id" in a}
    assert {str(a["href"])[1:] for tag, a in kind.tags if tag == "a"} <= targets
    there = [name for name in SECTIONS if name in targets]
    assert there == [name for name in SECTIONS if name != "matrix" or "matrix" in named]


def test_no_kind_shows_a_number_that_is_none(kind: Page) -> None:
    said = prose(kind).replace("Remarks on the data None.", "")
    assert re.findall(r"\b(?:NaN|nan|None|inf|Infinity|null|undefined|Undefined)\b", said) == []
    traces = [trace for figure in kind.charts["figures"].values() for trace in figure["data"]]
    hovers = [str(t[key]) for t in traces for key in ("text", "hovertext") if t.get(key)]
    assert not [text for text in hovers if re.search(r"\b(?:NaN|nan|None|inf)\b", text)]


def test_no_kind_loads_anything(kind: Page) -> None:
    check_alone(kind)


def test_the_same_folder_gives_the_same_page(walk_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(walk_folder, tmp_path / "again")
    first = (walk_folder / "report.html").read_bytes()
    assert write_walkforward_report(tmp_path / "again").read_bytes() == first


def test_size_with_many_windows_and_parameters(tmp_path: Path) -> None:
    folder = write_walk(tmp_path / "walk", WalkRecipe(windows=100, grid=TWELVE))
    assert write_walkforward_report(folder).stat().st_size < 8e6


# How it was done


def test_windows_and_choice_are_stated(walk_page: Page) -> None:
    text = walk_page.text("how")
    for words in (
        "In-sample504 sessions",
        "Out-of-sample126 sessions",
        "Purge between themnone",
        "26, 2 flat, the last one shorter",
        "Chosen by in-samplenet profit",
        "Least trades in-sample5",
        "fill at the stop, or at the open where the bar opens beyond it",
        "the extreme nearer the open first, the low on a tie",
        "Size is fixed: 1 in every position",
        "pays 40 per contract",
        "Money per point1,000",
        "only where the price goes beyond the limit",
        "(policy carry): The position stays",
        "No margin call is counted",
    ):
        assert words in text, words
    assert "borrow" not in text, "nobody borrows a future"


def test_purged_and_anchored_windows(make_walk: MakeWalk) -> None:
    page, _ = make_walk(purge=20, anchored=True)
    text = page.text("how")
    assert "every in-sample window begins at the start, and 20 sessions between the two" in text
    assert "Purge between them20 sessions" in text
    assert "anchored: all begin at the start" in text


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("carry", "distances come from the new combination"),
        ("close", "left at the open of the boundary’s first bar"),
        ("finish", "The old combination manages its position until it exits"),
    ],
)
def test_the_policy_is_explained(make_walk: MakeWalk, policy: str, words: str) -> None:
    page, _ = make_walk(policy=policy)
    assert words in page.text("how")
    assert f"Policy {policy}. " in page.text("gap")
    assert words in page.text("gap")


def test_whole_equity_and_stubs(make_walk: MakeWalk) -> None:
    page, _ = make_walk(quantity=None, bar_minutes=360)
    text = page.text("how")
    assert "Buy and hold: the whole capital" in page.text("curve")
    assert "the whole equity buys, or sells short, as many lots as it can" in text
    assert "Shorter bars at a session’s end17" in text
    assert "A share to borrow is always there" in text
    assert "Contracts" not in text


def test_buy_and_hold_has_the_same_size(make_walk: MakeWalk) -> None:
    assert "Buy and hold: 3 contracts" in make_walk(quantity=3.0)[0].text("curve")


def test_a_separable_strategy_has_no_limit_orders(make_walk: MakeWalk) -> None:
    assert "Limit orders" not in make_walk(kind="separable")[0].text("how")


# Windows


def test_windows_table_is_the_file(walk_page: Page, walk_folder: Path) -> None:
    frame = windows_of(walk_folder)
    write = alike(frame["oos_net_profit"])
    for cells, row in zip(body(walk_page), frame.iter_rows(named=True), strict=True):
        first, last = (str(row[name])[:10] for name in ("out_first", "out_last"))
        assert cells[2] == f"{first} –{last}"
        assert cells[3] == ("—" if row["flat"] else plain(row["xbar"]))
        assert cells[4:7] == [
            write(row["is_net_profit"]),
            count(row["is_trades"]),
            write(row["is_drawdown"]),
        ]
        assert cells[7:10] == [
            write(row["oos_net_profit"]),
            count(row["oos_trades"]),
            write(row["oos_drawdown"]),
        ]
        assert cells[11:] == [
            write(row[name])
            for name in ("exact_net_profit", "gap", "median_net_profit", "all_mean")
        ]


def test_efficiency_of_a_window_is_per_year(walk_page: Page, walk_folder: Path) -> None:
    for cells, row in zip(body(walk_page), windows_of(walk_folder).to_dicts(), strict=True):
        if row["flat"]:
            assert cells[10] == "—"
            continue
        beyond = row["oos_net_profit"] / row["oos_years"]
        assert cells[10] == share(beyond / (row["is_net_profit"] / row["is_years"]), 0)


def test_flat_and_partial_windows_are_marked(walk_page: Page) -> None:
    marks = {row[0] for row in body(walk_page) if not row[0].isdigit()}
    assert marks == {"3flat", "9flat", "26partial"}


def test_windows_are_added_up(walk_page: Page, walk_folder: Path) -> None:
    frame = windows_of(walk_folder)
    write = alike(frame["oos_net_profit"])
    row = walk_page.table("Without choosing")[-1]
    assert row[0] == "Sum"
    assert row[7] == write(total(frame, "oos_net_profit"))
    assert row[11:] == [
        write(total(frame, name))
        for name in ("exact_net_profit", "gap", "median_net_profit", "all_mean")
    ]


def test_many_parameters_stand_below_their_window(make_walk: MakeWalk) -> None:
    page, folder = make_walk(grid=TWELVE, flat=(2,))
    details = [row[0] for row in page.table("Without choosing")[2:] if len(row) == 1]
    frame = windows_of(folder).filter(~pl.col("flat"))
    assert details == [parameters(row) for row in frame.select(*TWELVE).to_dicts()]


def test_without_an_exact_run_its_columns_are_gone(make_walk: MakeWalk) -> None:
    page, _ = make_walk(exact="never")
    heads = page.table("Without choosing")[1]
    assert "Exact" not in heads
    assert "Gap" not in heads
    assert {len(row) for row in body(page)} == {len(heads)}


def test_many_windows_are_folded(make_walk: MakeWalk) -> None:
    page, _ = make_walk(windows=61, out_of_sample=21)
    assert '<details class="quiet">\n<summary>All 61 windows' in page.html
    assert len(body(page)) == 61


# The gap


def test_gap_by_boundary_and_cause(walk_page: Page, walk_folder: Path) -> None:
    frame, gap = windows_of(walk_folder), read(walk_folder / "manifest.json")["gap"]
    exact = read(walk_folder / "manifest.json")["summary"]["exact_profit"]
    write = alike(frame["gap"])
    names = ("gap_position", "gap_size", "gap_orders", "gap")
    rows = walk_page.table("Position there")[2:]
    for cells, row in zip(rows, frame.iter_rows(named=True), strict=True):
        assert cells[-4:] == [write(row[name]) for name in names]
        assert cells[2] == ("flat" if row["flat"] else f"xbar {plain(row['xbar'])}")
    causes = walk_page.table("Cause")[1:]
    for cells, cause in zip(causes, ("position", "size", "orders", "total"), strict=True):
        assert cells[1:3] == [money(gap[cause]), share(gap[cause] / abs(exact))]
    many = int((frame["gap_position"] != 0).sum())
    assert causes[0][3] == str(many)


def test_positions_are_written_in_words(make_walk: MakeWalk) -> None:
    def held(folder: Path) -> None:
        frame = windows_of(folder).with_columns(
            position_emulated=pl.Series([1.0, -2.0, 0.0, 1500.0] + [0.0] * 4),
            position_exact=pl.Series([None, 3.0, -0.5, 0.0] + [0.0] * 4, dtype=pl.Float64),
        )
        frame.write_parquet(folder / "windows.parquet")

    rows = make_walk(held)[0].table("Position there")[2:6]
    assert [row[3:5] for row in rows] == [
        ["long 1", "—"],
        ["short 2", "long 3"],
        ["flat", "short 0.5"],
        ["long 1,500", "flat"],
    ]


def test_never_exact_says_how_to_get_it(make_walk: MakeWalk) -> None:
    page, _ = make_walk(exact="never")
    text = page.text("gap")
    assert "There was no exact re-run (--exact never)" in text
    assert "--exact finalists" in text
    assert "gap" not in page.charts["figures"]


# The parameter path


def test_jumps_are_the_manifests(make_walk: MakeWalk) -> None:
    page, folder = make_walk(grid=THREE, quantity=None)
    jumps = read(folder / "manifest.json")["path"]["jumps"]
    rows = page.table("Values chosen")[1:]
    assert [
        row[0].split(THREE_RANGES[name])[0] for row, name in zip(rows, jumps, strict=True)
    ] == (list(jumps))
    for row, (name, jump) in zip(rows, jumps.items(), strict=True):
        n = len(THREE[name])
        assert row[1:] == [
            str(windows_of(folder)[name].n_unique()),
            count(jump["changes"]),
            ratio(jump["mean_steps"]),
            share(jump["mean_share"]),
            share((n + 1) / (3 * n)),
        ]


THREE_RANGES = {
    "lookback": "10 … 80, 4 values",
    "stop": "1 … 4, 7 values",
    "side": "long … both, 2 values",
}


def test_how_often_the_choice_was_the_median(walk_page: Page, walk_folder: Path) -> None:
    near = read(walk_folder / "manifest.json")["path"]["near_median"]
    assert f"In {share(near)} of the windows the fitness" in walk_page.text("path")


# The matrix


def test_matrix_table_is_the_file(walk_page: Page, walk_folder: Path) -> None:
    frame = pl.read_parquet(walk_folder / "matrix.parquet").sort("in_sample", "out_of_sample")
    write = alike(frame["oos_net_profit"])
    rows = walk_page.table("In × out")[1:]
    for cells, row in zip(rows, frame.iter_rows(named=True), strict=True):
        own = " ●" if (row["in_sample"], row["out_of_sample"]) == (504, 126) else ""
        assert cells[0] == f"{plain(row['in_sample'])} × {row['out_of_sample']}{own}"
        assert cells[3:6] == [
            write(row[name]) for name in ("oos_net_profit", "oos_per_year", "exact_net_profit")
        ]
        assert cells[8:10] == [share(row["efficiency"]), share(row["winning"], 0)]
        block = "block" if row["block"] == 1 else "yes" if row["passes"] else "no"
        assert cells[-1] == block


def test_matrix_says_what_it_is(walk_page: Page, walk_folder: Path) -> None:
    text = walk_page.text("matrix")
    frame = pl.read_parquet(walk_folder / "matrix.parquet")
    block = frame.filter(pl.col("block") == 1)
    worst, best = block["oos_per_year"].min(), block["oos_per_year"].max()
    for words in (
        "Trade the block, not the best cell",
        "All cells share one out-of-sample period",
        "is a selection that has read the out-of-sample results",
        f"{int(frame['passes'].sum())} of {len(frame)} cells pass",
        f"The largest connected block has {len(block)} cells",
        f"worst {money(worst)}, best {money(best)}",
        "The walk-forward above lies inside this block",
        "efficiency, at least20.0",
        "winning, at least50.0",
    ):
        assert words in text, words


def changed_matrix(**columns: pl.Expr) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        frame = pl.read_parquet(folder / "matrix.parquet").with_columns(**columns)
        frame.write_parquet(folder / "matrix.parquet")

    return change


def test_no_cell_passes(make_walk: MakeWalk) -> None:
    page, _ = make_walk(changed_matrix(passes=pl.lit(value=False), block=pl.lit(0)))
    assert "No cell passes. There is no block to trade." in page.text("matrix")
    assert page.charts["figures"]["matrix"]["layout"].get("shapes", []) == []


def test_a_single_passing_cell_is_luck(make_walk: MakeWalk) -> None:
    alone = (pl.col("in_sample") == 504) & (pl.col("out_of_sample") == 63)
    page, _ = make_walk(changed_matrix(passes=alone, block=alone.cast(pl.Int64)))
    text = page.text("matrix")
    assert "a single cell, 504 by 63 sessions" in text
    assert "what luck looks like; it is nothing to trade" in text
    assert "lies outside of this block" in text


def test_the_best_cell_outside_of_the_block(make_walk: MakeWalk) -> None:
    best = (pl.col("in_sample") == 252) & (pl.col("out_of_sample") == 252)
    far = pl.when(best).then(99_000.0).otherwise(pl.col("oos_per_year"))
    page, _ = make_walk(changed_matrix(oos_per_year=far))
    assert "most money, 252 by 252, is not in it. To be the best of 12 cells" in page.text(
        "matrix"
    )


def test_lengths_of_the_run_outside_of_the_matrix(make_walk: MakeWalk) -> None:
    page, _ = make_walk(matrix=([100, 200], [10, 20]))
    assert "are not among the cells" in page.text("matrix")
    assert "●" not in "".join(row[0] for row in page.table("In × out"))


def test_criteria_that_are_not_set_are_left_out(make_walk: MakeWalk) -> None:
    criteria = {"min_efficiency": None, "max_drawdown": 5000.0, "trades_a_year": 12}
    text = make_walk(edited(matrix__criteria=criteria))[0].text("matrix")
    assert "drawdown, at most5,000" in text
    assert "trades a year12" in text
    assert "efficiency, at least" not in text


def test_matrix_file_that_is_missing(make_walk: MakeWalk) -> None:
    page, _ = make_walk(lambda folder: (folder / "matrix.parquet").unlink())
    assert "has no cells" in page.text("matrix")
    assert "efficiency, at least" not in page.text("path")


# Trades and record


def test_trades_are_counted_by_side_and_exit(walk_page: Page, walk_folder: Path) -> None:
    trades = pl.read_parquet(walk_folder / "trades.parquet")
    rows = {row[0]: row[1:] for row in walk_page.table("Side and exit")[1:]}
    for label, side in (("Long", 1), ("Short", -1)):
        mine = trades.filter(pl.col("dir") == side)["pnl"]
        assert rows[label][0] == count(len(mine))
        assert rows[label][2] == money(mine.sum())
    assert f"{count(len(trades))} trades of the exact re-run, costs of" in walk_page.text("trades")
    assert any(label.startswith("boundary") for label in rows)


def test_without_an_exact_run_there_are_no_trades(make_walk: MakeWalk) -> None:
    page, _ = make_walk(exact="never")
    assert "there was none" in page.text("trades")


def test_record_allows_the_run_to_be_repeated(walk_page: Page) -> None:
    text = walk_page.text("record")
    for words in (
        "meseta walkforward --strategy xbar --bars synthetic-oil.csv --in 504 --out 126",
        "5b1f" * 16,
        "c0de" * 16,
        '"in_sample": 504',
        "meseta0.1.0",
    ):
        assert words in text, words
    assert "Seed" not in text


# What is missing, odd or hostile


def test_only_a_manifest(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", {"kind": "walkforward", "status": "running"})
    page = Page(write_walkforward_report(tmp_path).read_text(encoding="utf-8"))
    assert "not finished (status: running)" in page.html
    assert "No out-of-sample result was recorded." in page.text("verdict")
    for section in ("curve", "how", "windows", "path", "trades"):
        assert 'class="absent"' in page.html[page.html.index(f'<section id="{section}">') :]
    assert "No exact re-run was recorded" in page.text("gap")
    assert page.charts["figures"] == {}


@pytest.mark.parametrize("name", ["windows", "curve", "trades", "matrix"])
def test_any_file_may_be_missing(make_walk: MakeWalk, name: str) -> None:
    page, _ = make_walk(lambda folder: (folder / f"{name}.parquet").unlink())
    assert "xbar" in page.text("how")


def test_columns_of_another_version_may_be_missing(make_walk: MakeWalk) -> None:
    def older(folder: Path) -> None:
        windows_of(folder).drop("gap_size", "all_mean", "partial").write_parquet(
            folder / "windows.parquet"
        )

    page, _ = make_walk(older)
    assert body(page)[0][-1] == "—"
    assert "the average of all combinations" not in page.text("verdict")


def test_numbers_that_are_not_finite_are_signs(make_walk: MakeWalk) -> None:
    page, _ = make_walk(odd=True)
    assert body(page)[1][8] == "—"
    assert body(page)[1][10] == "—", "no profit in-sample, no efficiency"
    row = page.table("In × out")[1]
    assert row[3:5] == ["—", "—"]
    assert "∞" in row


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", '" onload="x', "</script><img src=x onerror=alert(1)>"]
)
def test_hostile_names_are_text(make_walk: MakeWalk, name: str) -> None:
    page, _ = make_walk(
        edited(data__name=name, strategy__name=name, warnings=[name], fitness=name),
        grid={name: [1, 2, 3]},
    )
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert not [a for _, a in page.tags if {"onerror", "onload"} & set(a)]
    assert name in page.text("how")
    hovers = [str(t.get("text")) for f in page.charts["figures"].values() for t in f["data"]]
    assert not [text for text in hovers if re.search(r"<(?!br>|b>|/b>)", text)]


def test_another_kind_of_run_is_refused(run_folder: Path) -> None:
    with pytest.raises(RunError, match="holds no walk-forward"):
        write_walkforward_report(run_folder)


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run folder: it has no manifest\.json"):
        write_walkforward_report(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": "walkforward", "windows": 3}'])
def test_damaged_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RunError, match=r"manifest\.json is damaged"):
        write_walkforward_report(tmp_path)


def test_the_report_of_a_search_refuses_a_walkforward(make_walk: MakeWalk) -> None:
    _, folder = make_walk()
    with pytest.raises(RunError):
        write_report(folder)
