"""The report as a reader gets it: what it states, and that it opens anywhere."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from page_reader import Page
from run_files import edited, read
from synthetic_run import Recipe, write_run

from meseta._files import write_json
from meseta.errors import RunError
from meseta.report import write_report
from meseta.report._format import count, metric, money, percent, plain, ratio, share

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# One file, no network


def test_nothing_is_fetched(page: Page) -> None:
    fetched = [
        (tag, name, value)
        for tag, attributes in page.tags
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "action", "data", "poster"}
        and not str(value).startswith("#")
    ]
    assert fetched == []
    assert not [tag for tag, _ in page.tags if tag in {"link", "iframe", "img", "object", "base"}]
    style = page.html[page.html.index("<style>") : page.html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_the_page_forbids_itself_the_network(page: Page) -> None:
    rules = [a["content"] for tag, a in page.tags if a.get("http-equiv")]
    assert len(rules) == 1
    assert str(rules[0]).startswith("default-src 'none';")
    assert "http" not in str(rules[0])


def test_plotly_is_in_the_page_once(page: Page) -> None:
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert sum("plotly.js v" in script for script in page.scripts) == 1


def test_size_with_the_most_finalists(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "synthetic", Recipe(plateaus=4, finalists=125))
    assert len(pl.read_parquet(folder / "finalists" / "finalists.parquet")) == 500
    assert write_report(folder).stat().st_size < 12e6


def test_the_same_folder_gives_the_same_page(run_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(run_folder, tmp_path / "again")
    first = (run_folder / "report.html").read_bytes()
    assert write_report(tmp_path / "again").read_bytes() == first


def test_every_chart_of_the_page_has_a_figure(page: Page) -> None:
    named = {a["data-chart"] for _, a in page.tags if "data-chart" in a}
    assert named == set(page.charts["figures"])
    assert {"timeline", "map", "plateau-1", "plateau-2", "plateau-3", "vault"} == named


def test_every_link_has_a_target(page: Page) -> None:
    targets = {a["id"] for _, a in page.tags if "id" in a}
    links = {str(a["href"])[1:] for tag, a in page.tags if tag == "a"}
    assert links <= targets


# What it states


def test_what_a_source_was_asked_for(make_page: Callable[..., Page]) -> None:
    asked = {
        "symbol": "SMH", "source": "yahoo", "interval": "1d", "basis": "split", "session": "",
        "start": None, "end": "2024-06-07", "calendar": None, "fetch": True,
    }  # fmt: skip
    page = make_page(edited(data__asked=asked))
    assert "SMH 1d split, the earliest to 2024-06-07, from yahoo" in page.text("tested")
    page = make_page(edited(data__asked=asked | {"fetch": False}))
    assert "from what is stored of yahoo, which was not asked" in page.text("tested")
    page = make_page(edited(data__asked=asked | {"fetch": False, "source": "store"}))
    assert "to 2024-06-07, from what is stored" in page.text("tested")
    assert "not asked" not in page.text("tested")
    page = make_page(edited(data__asked=asked | {"fetch": False, "source": "files"}))
    assert "to 2024-06-07, from files that were imported" in page.text("tested")


def test_that_a_source_was_not_reached_stands_first(
    make_page: Callable[..., Page], page: Page
) -> None:
    finding = {"code": "source_unreachable", "row": 0, "time": "", "value": "", "message": "Off."}
    other = finding | {"code": "missing_sessions", "message": "Two are missing."}
    html = make_page(edited(data__warnings=[finding, other])).html
    top = html[: html.index('class="lead"')]
    assert "<b>Stored bars stand in for the source’s.</b> Off." in top
    assert "Two are missing." not in top
    assert "Stored bars stand in" not in page.html


def test_first_page_states_what_was_tested_and_assumed(page: Page) -> None:
    text = page.text("tested")
    for words in (
        "synthetic-fund.csv",
        "Capital per phase10,000",
        "Slippage, price units a share0.01",
        "fill at the stop, or at the open where the bar opens beyond it",
        "the extreme nearer the open first, the low on a tie",
        "their orders live on the next bar alone",
        "Every phase starts again from the capital",
        "the whole equity buys as many lots as it can",
    ):
        assert words in text, words
    assert "No slippage and no costs" not in text


def test_a_run_without_any_cost_says_so(make_page: Callable[..., Page]) -> None:
    text = make_page(edited(account__slippage=0.0)).text("tested")
    assert "No slippage and no costs were assumed" in text


def test_searched_values_are_the_grid(page: Page, run_folder: Path) -> None:
    grid = read(run_folder / "manifest.json")["grid"]["values"]
    rows = {row[0]: row[1].split() for row in page.table("bb_length")}
    assert rows == {name: [plain(v) for v in values] for name, values in grid.items()}


def test_behaviours_are_counted(make_page: Callable[..., Page]) -> None:
    counts = {"entry_sets": 175, "exit_sets": 331_776, "exit_tables": 250_000}
    text = make_page(edited(behaviours=counts)).text("tested")
    assert "175 entry sets times 331,776 exit sets, of which 250,000 behave differently" in text


def test_funnel_shows_every_count(page: Page, run_folder: Path) -> None:
    funnel = read(run_folder / "manifest.json")["funnel"]
    rows = page.table("In-sample profit above 0")
    for position, phase in enumerate(funnel["phases"]):
        column = [row[position + 1] for row in rows]
        assert column[1] == count(phase["combinations"])
        for cell, (key, left) in zip(column[2:8], phase["sequence"].items(), strict=True):
            alone = share(phase["alone"][key] / phase["combinations"])
            assert cell == f"{count(left)} alone −{alone}"
        assert column[8].startswith(count(phase["valid"]))


def test_thresholds_come_from_the_run(make_page: Callable[..., Page]) -> None:
    text = make_page(edited(gates__min_efficiency=0.71, gates__min_trades=9)).text("gates")
    assert "profit above 0.71" in text
    assert "At least 9 trades on each side" in text


def test_luck_stands_beside_the_number_found(page: Page) -> None:
    text = page.text("gates")
    assert "Expected by luck of 58,060,800350,000 to 1,200,000" in text
    assert "Found in 3 phases or more1,913,204" in text
    assert "validated over several windows, not proven" in text


@pytest.mark.parametrize(
    "values",
    [{"gates__min_efficiency": 0.5}, {"required_phases": 2}],
    ids=["other gates", "other rule"],
)
def test_luck_is_not_guessed_for_other_runs(
    make_page: Callable[..., Page], values: dict[str, Any]
) -> None:
    text = make_page(edited(**values)).text("gates")
    assert "Expected by luck" not in text
    assert "no number is given" in text


def test_plateau_table_shows_the_file(page: Page, run_folder: Path) -> None:
    rows = page.table("Profitable share")[1:]
    plateaus = read(run_folder / "plateaus.json")["plateaus"]
    assert rows == [
        [
            str(p["rank"]),
            p["regime"],
            ratio(p["worth"]),
            str(len(p["cells"])),
            count(p["candidates"]),
            count(p["behaviours"]),
            share(p["profitable_share"]),
            money(p["median_oos_pnl"]),
            money(p["worst_oos_pnl"]),
            ratio(p["edge_drop"]),
        ]
        for p in plateaus
    ]


def test_finalists_show_the_centre_first_then_the_most_stable(
    page: Page, run_folder: Path
) -> None:
    frame = pl.read_parquet(run_folder / "finalists" / "finalists.parquet")
    frame = frame.filter(pl.col("plateau") == 1).sort("stability", descending=True)
    best = frame.filter(pl.col("role") == "best").to_dicts()
    centre = frame.filter(pl.col("role") == "centre").to_dicts()
    rows = page.table("History before the vault")
    shown = [row for row in rows[2:] if len(row) > 1]
    assert len(shown) == 10
    assert shown[0][0] == "Centre"
    for cells, row in zip(shown, [*centre, *best[:9]], strict=True):
        assert cells[1:3] == [ratio(row["stability"]), metric("net_profit", row["net_profit"])]
        assert cells[-3] == percent(row["vault_return_pct"])
        assert cells[-1] == count(row["vault_trades"])
    details = [row[0] for row in rows[2:] if len(row) == 1]
    assert f"atr_period {plain(centre[0]['atr_period'])} ·" in details[0]


def test_ranges_separate_searched_from_fixed(page: Page, run_folder: Path) -> None:
    ranges = read(run_folder / "plateaus.json")["plateaus"][0]["ranges"]
    rows = {row[0]: row[1:] for row in page.table("Input")[1:]}
    assert list(rows) == sorted(
        ranges, key=lambda name: (ranges[name]["tier"], list(ranges).index(name))
    )
    for name, cells in rows.items():
        if ranges[name]["tier"] == 1:
            assert cells == [plain(ranges[name][key]) for key in ("min", "max", "step")]
        else:
            assert cells == [f"fixed at {plain(ranges[name]['value'])}"]


def test_settings_mark_the_one_that_was_taken(page: Page) -> None:
    taken = [row for row in page.table("Reproducibility") if row[-1] == "taken"]
    assert [row[:2] for row in taken] == [["1", "4"]]


def test_record_allows_the_run_to_be_repeated(page: Page) -> None:
    text = page.text("record")
    for words in ("meseta search", "5b1f" * 16, "c0de" * 16, "Seed0", "numba0.68.0", "48.2"):
        assert words in text, words
    assert "six days without a bar" in text


def test_validation_is_never_called_evidence(page: Page) -> None:
    prose = re.sub(r"<script.*?</script>", "", page.html, flags=re.DOTALL)
    assert "evidence" not in prose.lower()
    assert "Validation is part of the selection" in page.text("vault")


# The vault


@pytest.mark.parametrize(
    ("opened", "words"),
    [
        (None, "is not recorded"),
        (0, "has not been opened"),
        (1, "the first time"),
        (3, "opened 3 times"),
        (5, "opened 5 times for this data. The fifth look is no longer a test: read"),
    ],
)
def test_how_often_the_vault_was_opened(
    make_page: Callable[..., Page], opened: int | None, words: str
) -> None:
    assert words in make_page(opened=opened).text("vault")


def test_vault_table_holds_the_centres_the_median_and_buy_and_hold(
    page: Page, run_folder: Path
) -> None:
    rows = page.table("In the vault")[2:]
    assert [row[0] for row in rows] == [
        "Centre of plateau 1",
        "Centre of plateau 2",
        "Centre of plateau 3",
        "Median of 63 finalists",
        "Buy and hold",
    ]
    frame = pl.read_parquet(run_folder / "finalists" / "finalists.parquet")
    assert rows[3][4] == percent(frame["vault_return_pct"].median())
    bars = pl.read_parquet(run_folder / "bars.parquet")["close"]
    vault = read(run_folder / "manifest.json")["vault"]
    held = bars[vault["z"] - 1] / bars[vault["a"]] - 1
    assert rows[4][4] == share(held)


# What is missing is said


def test_no_vault(make_page: Callable[..., Page]) -> None:
    page = make_page(vault=False)
    assert "This run has no vault" in page.text("vault")
    assert "vault" not in page.charts["figures"]
    rows = page.table("History before the vault")
    assert all("Return" not in cell for cell in rows[1])


def test_no_candidates(make_page: Callable[..., Page]) -> None:
    page = make_page(candidates=0, plateaus=0)
    assert "There are no candidates" in page.text("map")
    assert "there are no candidates" in page.text("plateaus")
    assert "No clustering was run" in page.text("clusters")
    assert "no finalists" in page.text("vault")
    assert set(page.charts["figures"]) == {"timeline"}


def test_cells_without_any_candidate_are_no_map(make_page: Callable[..., Page]) -> None:
    def empty(folder: Path) -> None:
        plateaus = read(folder / "plateaus.json")
        plateaus["cells"] = [{"x": 2.0, "y": 0.5, "candidates": 0, "counts": False}]
        plateaus["warnings"] = ["there are no candidates, so there are no plateaus"]
        write_json(folder / "plateaus.json", plateaus)

    page = make_page(empty, candidates=0, plateaus=0)
    assert "map" not in page.charts["figures"]
    assert "there are no candidates, so there are no plateaus" in page.text("plateaus")


def test_candidates_but_no_plateaus(make_page: Callable[..., Page]) -> None:
    page = make_page(plateaus=0)
    assert "No plateau was found" in page.text("plateaus")
    assert "map" in page.charts["figures"]
    assert page.charts["figures"]["map"]["layout"].get("shapes", []) == []


def test_plateaus_without_finalists(make_page: Callable[..., Page]) -> None:
    page = make_page(lambda folder: shutil.rmtree(folder / "finalists"))
    assert "This plateau has no finalists" in page.text("plateau-1")
    assert "no finalists with a result on the vault" in page.text("vault")


def test_finalists_without_equity(make_page: Callable[..., Page]) -> None:
    page = make_page(lambda folder: (folder / "finalists" / "equity.parquet").unlink())
    assert "No equity was kept" in page.text("plateau-1")
    assert "plateau-1" not in page.charts["figures"]


def test_one_phase(make_page: Callable[..., Page]) -> None:
    page = make_page(phases=1, plateaus=1, years=5.0)
    assert "over 1 phase," in re.sub(r"\s+", " ", page.html)
    assert "not several independent" not in page.text("phases")


def test_one_finalist(make_page: Callable[..., Page]) -> None:
    page = make_page(plateaus=1, finalists=1)
    assert "Median of 1 finalist" in page.table("In the vault")[3][0]
    assert "much alike" not in page.text("vault")


def test_intraday_bars_keep_their_minutes(make_page: Callable[..., Page]) -> None:
    page = make_page(bar_minutes=60, years=2.0)
    assert all(len(label) == 16 for label in page.charts["figures"]["timeline"]["data"][0]["x"])
    assert "09:30" in page.text("tested")


def test_only_a_manifest(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", {"status": "running"})
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert "not finished (status: running)" in page.html
    assert "This run has no phases" in page.text("phases")
    assert page.charts["figures"] == {}


def test_an_unfinished_run_without_a_search(make_page: Callable[..., Page]) -> None:
    empty: dict[str, Any] = {"phases": [], "valid_in": {}}
    page = make_page(edited(status="interrupted", funnel=empty))
    assert "recorded no gate counts" in page.text("gates")
    assert "status: interrupted" in page.html


def test_relaxed_rule_is_said(make_page: Callable[..., Page]) -> None:
    page = make_page(edited(funnel__relaxed=True, funnel__required=2))
    assert "the rule was relaxed to 2 because nothing passed in 3" in page.text("gates")


def test_sampled_grid_is_said_beside_every_count(make_page: Callable[..., Page]) -> None:
    page = make_page(strategy="atr_d_ls", sampled=1_000_000)
    extent = "1,000,000 of 16,721,510,400 combinations, Sobol sample, seed 7"
    assert f"{extent}, over 4 phases" in page.html
    assert "of 16,721,510,400 in grid phase1_slim: Sobol sample, seed 7" in page.html
    assert f"Searched: {extent}. Every count in this report is of the sample" in page.text(
        "tested"
    )
    gates = page.text("gates")
    assert f"Counts are of the sample: {extent}." in gates
    assert f"Of the combinations searched ({extent})" in gates
    assert "Expected by luck of 1,000,000, the sample6,000 to 20,000" in gates
    assert "Combinations in its cells, of the sample" in page.text("plateau-1")
    whole = make_page()
    prose = whole.text("tested") + whole.text("gates") + whole.text("plateau-1")
    assert "the sample" not in prose
    assert "Sobol" not in prose


def test_all_combinations_together(page: Page, run_folder: Path) -> None:
    whole = read(run_folder / "manifest.json")["whole_grid"]
    text = page.text("gates")
    assert f"{share(whole['profitable'])} made a profit in validation" in text
    assert f"made {money(whole['median_oos'])}, the worst {money(whole['worst_oos'])}" in text


def test_constraints_are_listed_and_counted(make_page: Callable[..., Page]) -> None:
    rules = ["bb_length > atr_period", "<b>x</b> < y"]
    page = make_page(edited(grid__constraints=rules, grid__combinations=1234))
    text = page.text("tested")
    assert rules[0] in text
    assert rules[1] in text
    assert "1,234 of 58,060,800 combinations meet them" in text
    assert "Constraints" not in make_page().text("tested")


# Shorts, the second symbol, the Hull rule


def test_long_only_says_nothing_of_shorts(page: Page) -> None:
    text = page.text("tested")
    for word in ("Shorts", "sells short", "Reversals", "Hull", "second symbol"):
        assert word not in text, word
    rows = page.table("Average trade")
    assert [row[0] for row in rows[2:]] == [
        "trailtrailing stop reached",
        "breachclosed beyond the final stop, left at the next open",
    ]


def test_shorts_state_their_fills_and_what_they_leave_out(make_page: Callable[..., Page]) -> None:
    text = make_page(strategy="atr_d_ls").text("tested")
    for words in (
        "the whole equity buys, or sells short, as many lots as it can",
        "Shorts earn the entry price less the exit price",
        "neither borrow cost nor the dividends",
        "Reversals close a position and open the opposite one at the same price",
    ):
        assert words in text, words
    assert "Hull" not in text


def test_entries_from_flat_only_are_no_reversals(make_page: Callable[..., Page]) -> None:
    def flat_only(folder: Path) -> None:
        manifest = read(folder / "manifest.json")
        manifest["grid"]["values"]["entry_mode"] = [0]
        write_json(folder / "manifest.json", manifest)

    assert "Reversals are never made" in make_page(flat_only, strategy="atr_d_ls").text("tested")


@pytest.mark.parametrize(
    ("strategy", "short"), [("atr_d_hma_l", False), ("atr_d_hma_ls", True)], ids=str
)
def test_hull_rule(make_page: Callable[..., Page], strategy: str, short: bool) -> None:
    text = make_page(strategy=strategy).text("tested")
    assert "The Hull rule: when the fast Hull average crosses above the slow one" in text
    assert ("it sells short" in text) == short
    assert ("opens the opposite one at the same price" in text) == short


def test_second_symbol_is_named_with_the_bars_it_cost(make_page: Callable[..., Page]) -> None:
    page = make_page(strategy="atr_d_duals_l", second="big index")
    lead = "atr_d_duals_l also reads big index. To align the two, 1.00\u202f% of the bars of "
    assert (
        lead + "synthetic-fund and 20.00\u202f% of those of big index were dropped, " in page.html
    )
    assert "and 1,234 bars before or after the span" in page.html
    text = page.text("tested")
    for words in (
        "Second symbolbig index",
        "Its sourcebig index.csv",
        "Bars dropped of synthetic-fund1.00",
        "Bars dropped of big index20.00",
        "The second symbol, big index, is read at each close and never traded",
        "the results look ahead",
    ):
        assert words in text, words


@pytest.mark.parametrize(
    ("alignment", "said"),
    [
        (0.0125, "1.25\u202f% of the bars of synthetic-fund were dropped."),
        ({"dropped": 0.0125}, "1.25\u202f% of the bars of synthetic-fund were dropped."),
        ({"bars": 0, "dropped": 0}, "is not recorded"),
        ({"bars": 300, "dropped": 0}, "0.00\u202f% of the bars of synthetic-fund were dropped."),
        (None, "is not recorded"),
    ],
)
def test_alignment_as_counts_or_as_a_share(
    make_page: Callable[..., Page], alignment: Any, said: str
) -> None:
    second = {"name": "index", "source": None, "alignment": alignment}
    assert said in make_page(edited(data__second=second)).html


def test_trades_of_the_centre_are_split(make_page: Callable[..., Page], tmp_path: Path) -> None:
    page = make_page(strategy="atr_d_ls")
    finalists = tmp_path / "synthetic" / "finalists"
    centre = pl.read_parquet(finalists / "finalists.parquet").row(0, named=True)
    trades = pl.read_parquet(finalists / "trades.parquet")
    mine = trades.filter(pl.col("finalist") == centre["finalist"])
    rows = page.table("Average trade")[2:]
    assert [row[0] for row in rows[:2]] == ["Long", "Short"]
    assert rows[-1][0] == "reversean entry order the other way filled"
    for row, side in zip(rows[:2], (1, -1), strict=True):
        for at, span in ((1, "history"), (5, "vault")):
            part = mine.filter((pl.col("dir") == side) & (pl.col("span") == span))["pnl"]
            winners = share((part > 0).mean()) if len(part) else "—"
            assert row[at : at + 3] == [count(len(part)), winners, money(part.sum())]


def test_strategy_of_the_user(make_page: Callable[..., Page]) -> None:
    def strange(folder: Path) -> None:
        plateaus = read(folder / "plateaus.json")
        plateaus["axes"] = ["lookback", "entry_mode"]
        for plateau in plateaus["plateaus"]:
            plateau["regime"] = None
        write_json(folder / "plateaus.json", plateaus)
        edited(strategy="my_own", shorts=True, grid__values={"entry_mode": [0, 5]})(folder)

    page = make_page(strange, tradestation=False)
    assert "TradeStation" not in page.text("plateaus")
    assert "Candidates grouped by lookback and entry_mode" in page.text("map")
    text = page.text("tested")
    assert "Shorts earn the entry price" in text
    assert "Reversals" not in text, "entry_mode is another parameter there"


def test_ranges_without_an_export_are_not_called_tradestations(
    make_page: Callable[..., Page],
) -> None:
    def unexported(folder: Path) -> None:
        plateaus = read(folder / "plateaus.json")
        for plateau in plateaus["plateaus"]:
            plateau["export"] = None
        write_json(folder / "plateaus.json", plateaus)

    text = make_page(unexported).text("plateau-1")
    assert "Ranges to refine in" in text
    assert "TradeStation" not in text


# Made-up data


@pytest.mark.parametrize(
    "values",
    [
        {"data__name": "nasdaq-3x (made up)"},
        {"data__second": {"name": "made-up index"}},
        {"warnings": ["the fund is made up: three times the index"]},
        {"data__warnings": [{"code": "made_up", "message": "these prices are made up"}]},
    ],
    ids=["name", "second", "warning", "remark"],
)
def test_made_up_data_are_said_at_the_top(
    make_page: Callable[..., Page], values: dict[str, Any]
) -> None:
    page = make_page(edited(**values))
    assert page.html.index("The data are made up") < page.html.index('class="lead"')


def test_real_data_are_not_called_made_up(page: Page) -> None:
    assert "made up" not in page.text("record")
    assert "The data are made up" not in page.html


def test_many_remarks_are_cut_and_counted(make_page: Callable[..., Page]) -> None:
    remark = {"code": "gap", "row": 1, "time": "2020-01-01", "value": None, "message": "odd"}
    page = make_page(edited(data__warnings=[remark] * 1234))
    assert "40 of 1,234 remarks" in page.text("record")


# What users name things


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "</script><img src=x onerror=alert(1)>",
        '" onload="x',
        "Söhne & <b>",
    ],
)
def test_hostile_names_are_text(make_page: Callable[..., Page], name: str) -> None:
    page = make_page(edited(data__name=name, strategy=name, warnings=[name], command=name))
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert not [a for _, a in page.tags if {"onerror", "onload"} & set(a)]
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert " ".join(name.split()) in page.text("record")


def test_hostile_parameter_names_do_not_reach_the_charts(make_page: Callable[..., Page]) -> None:
    def rename(folder: Path) -> None:
        plateaus = read(folder / "plateaus.json")
        plateaus["axes"] = ["</script><script>alert(1)", "<a href='http://example.org'>y</a>"]
        write_json(folder / "plateaus.json", plateaus)

    page = make_page(rename)
    assert [tag for tag, _ in page.tags].count("script") == 3
    layout = page.charts["figures"]["map"]["layout"]
    assert "<" not in layout["yaxis"]["title"]["text"]


# Files that cannot be used


def test_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run folder: it has no manifest\.json"):
        write_report(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", '{"phases": [{"number": "one"}]}'])
def test_damaged_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RunError, match=r"manifest\.json is damaged"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_spans_beyond_the_bars_are_left_out(make_page: Callable[..., Page]) -> None:
    def cut(folder: Path) -> None:
        bars = pl.read_parquet(folder / "bars.parquet")
        bars.head(1200).write_parquet(folder / "bars.parquet")

    page = make_page(cut)
    bars = [t for t in page.charts["figures"]["timeline"]["data"] if t["type"] == "bar"]
    assert 0 < len(bars) < 9
