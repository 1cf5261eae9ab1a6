"""Results folders as TradeStation, spreadsheets and people leave them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from meseta.errors import ArgumentError, DataError, RunError
from meseta.export import refine
from refinement_world import (
    BOTH,
    DUAL,
    LONG,
    METRICS,
    RANGES,
    combinations,
    report,
    write_results,
    write_run,
)

if TYPE_CHECKING:
    from pathlib import Path

FORMS = ("app", "desktop", "mixed", "tabs")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_report_reads_the_same(run: Path, results: Path, form: str) -> None:
    rows = combinations()
    write_results(results, rows, form=form)
    found = refine(run, results)
    table = found.tables[LONG].sort("test")
    assert found.symbol == "QQQ"
    assert table.height == len(rows) == 60
    for name, head in (("net_profit", METRICS[0]), ("percent_profitable", METRICS[3])):
        assert table[name].to_list() == pytest.approx([row[head] for row in rows], abs=1e-6)
    assert table["max_drawdown"].min() > 0
    for name in ("ATR_Period", "ATR_Multiplier", "TestNum"):
        column = "test" if name == "TestNum" else name
        assert table[column].to_list() == [row[name] for row in rows]


def test_fixed_inputs_come_from_the_range_file(run: Path, results: Path) -> None:
    write_results(results, combinations())
    found = refine(run, results)
    assert found.inputs[LONG] == tuple(RANGES)
    table = found.tables[LONG]
    for name, (low, high, _) in RANGES.items():
        if low == high:
            assert table[name].unique().to_list() == [low]


def test_years_and_capital_come_from_the_run_or_from_the_user(run: Path, results: Path) -> None:
    write_results(results, combinations())
    basis = refine(run, results).basis
    assert basis.years == pytest.approx(4745 / 365.25)
    assert (basis.capital, basis.capital_from) == (100_000, "the run's account")
    assert basis.years_from == "the run's data, 2006-01-03 to 2018-12-31"
    other = refine(run, results, years=10, capital=5_000)
    assert (other.basis.years, other.basis.years_from) == (10, "--years")
    assert (other.basis.capital, other.basis.capital_from) == (5_000, "--capital")
    row = other.tables[LONG].row(0, named=True)
    growth = ((5_000 + row["net_profit"]) / 5_000) ** 0.1 - 1
    assert row["mar"] == pytest.approx(growth / (row["max_drawdown"] / 5_000))


@pytest.mark.parametrize("option", ["years", "capital"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_years_and_capital_must_be_positive(
    run: Path, results: Path, option: str, value: float
) -> None:
    with pytest.raises(ArgumentError, match=f"`{option}` must be positive and finite"):
        refine(run, results, **{option: value})


def test_plateaus_of_a_strategy_are_ranked_together(tmp_path: Path, results: Path) -> None:
    shares = {(LONG, 1): 0.6, (LONG, 2): 0.9}
    run = write_run(tmp_path / "two", [(LONG, 1), (LONG, 2)], shares=shares)
    for rank in (1, 2):
        write_results(results, combinations(), rank=rank)
    table = refine(run, results).tables[LONG]
    assert table.height == 120
    robust = dict(table.select("plateau", "robustness_rank").unique().iter_rows())
    assert robust == {2: 30.5, 1: 90.5}
    twins = table.filter(table["test"] == 7)
    assert twins["plateau"].to_list() == [2, 1]
    assert twins["mar_rank"].n_unique() == 1


def test_variants_have_their_own_plateaus_and_share_the_overview(
    tmp_path: Path, results: Path
) -> None:
    jobs = [(BOTH, 1), (LONG, 1), (DUAL, 1)]
    shares = {(BOTH, 1): 0.5, (LONG, 1): 0.7, (DUAL, 1): 0.8}
    run = write_run(tmp_path / "three", jobs, main="atr_d_ls", shares=shares)
    write_results(results, combinations(BOTH, seed=1), strategy=BOTH)
    write_results(results, combinations(seed=2), form="desktop")
    write_results(results, combinations(DUAL, seed=3), strategy=DUAL, symbols="QQQ_TQQQ")
    found = refine(run, results)
    assert list(found.tables) == [BOTH, LONG, DUAL]
    for (strategy, _), share in shares.items():
        assert found.tables[strategy]["robustness"].unique().to_list() == [share]
    assert "Short_Multiplier" in found.tables[BOTH].columns
    assert "Short_Multiplier" not in found.tables[LONG].columns
    assert found.overall.height == sum(table.height for table in found.tables.values())
    assert found.overall["rank"].to_list() == list(range(1, found.overall.height + 1))
    best = found.overall.filter(found.overall["strategy"] == DUAL)["strategy_rank"]
    assert sorted(best) == list(range(1, 61))


def test_both_names_of_a_dual_symbols_results_are_taken(tmp_path: Path, results: Path) -> None:
    run = write_run(tmp_path / "dual", [(DUAL, 1)], main="atr_d_duals_l")
    one = write_results(results, combinations(DUAL), strategy=DUAL, symbols="QQQ")
    assert refine(run, results).symbol == "QQQ"
    two = write_results(results, combinations(DUAL), strategy=DUAL, symbols="QQQ_TQQQ")
    with pytest.raises(DataError, match=f"{one.name} and {two.name} are both results of"):
        refine(run, results)
    one.unlink()
    assert refine(run, results).symbol == "QQQ"
    assert refine(run, results, symbol="qqq_tqqq").files[0].name == two.name


def test_several_symbols_need_a_choice(run: Path, results: Path) -> None:
    write_results(results, combinations(), symbols="QQQ")
    write_results(results, combinations(seed=5), symbols="SPY")
    with pytest.raises(ArgumentError, match="`symbol` must say which of QQQ, SPY to rank"):
        refine(run, results)
    assert refine(run, results, symbol="spy").files[0].name.endswith("_SPY.csv")
    with pytest.raises(ArgumentError, match="`symbol` must be one of QQQ, SPY, got 'DIA'"):
        refine(run, results, symbol="DIA")


def test_what_has_no_partner_is_said(tmp_path: Path, results: Path) -> None:
    run = write_run(tmp_path / "two", [(LONG, 1), (LONG, 2)])
    write_results(results, combinations())
    write_results(results, combinations(), rank=7)
    write_results(results, combinations(BOTH), strategy=BOTH)
    (results / "Refinement_old.csv").write_text("x")
    (results / "notes.csv").write_text("x")
    said = refine(run, results).warnings
    assert "phase5_refine_ATR-D-v1.5-L_rank2.csv has no results" in said
    left_out = [text.split()[0] for text in said if "belongs to no range file" in text]
    assert left_out == [
        "Refinement_ATR-D-v1.5-LS_rank1_QQQ.csv",
        "Refinement_ATR-D-v1.5-L_rank7_QQQ.csv",
        "Refinement_old.csv",
    ]
    assert any("has seen the vault" in text for text in said)


def test_a_report_cut_short_is_said(run: Path, results: Path) -> None:
    write_results(results, combinations()[:40])
    said = [text for text in refine(run, results).warnings if "its ranges have" in text]
    assert len(said) == 1
    assert "holds 40 combinations where its ranges have 60" in said[0]


def test_undefined_metrics_are_counted(run: Path, results: Path) -> None:
    rows = combinations()
    rows[0] |= dict.fromkeys(METRICS, "n/a") | {"Total Trades": 0}
    write_results(results, rows)
    found = refine(run, results)
    assert any(text.startswith("1 combinations have a metric") for text in found.warnings)
    last = found.tables[LONG].row(-1, named=True)
    assert last["test"] == 1
    assert last["mar_rank"] == last["sharpe_rank"] == 60


def test_all_missing_columns_of_all_files_are_said_at_once(tmp_path: Path, results: Path) -> None:
    run = write_run(tmp_path / "two", [(LONG, 1), (LONG, 2)])
    rows = combinations()
    without = [{k: v for k, v in row.items() if k not in METRICS[:2]} for row in rows]
    write_results(results, without)
    without = [
        {k: v for k, v in row.items() if k not in {"ATR_Period", METRICS[4]}} for row in rows
    ]
    write_results(results, without, rank=2, form="desktop")
    with pytest.raises(DataError) as error:
        refine(run, results)
    first, second = str(error.value).splitlines()[1:3]
    assert "rank1_QQQ.csv: All: Net Profit, All: Max Intraday Drawdown" in first
    assert "rank2_QQQ.csv: All: ProfitFactor, ATR_Period" in second


def test_what_is_shown_alone_may_be_missing(run: Path, results: Path) -> None:
    rows = [
        {k: v for k, v in row.items() if k not in {"Return on Account", "Avg Trade", "TestNum"}}
        for row in combinations()
    ]
    write_results(results, rows)
    found = refine(run, results)
    assert "All: Return on Account is not reported" in found.warnings
    assert sorted(found.tables[LONG]["test"]) == list(range(1, 61))


def test_columns_of_other_names_are_passed_over(run: Path, results: Path) -> None:
    rows = [row | {"Long: Net Profit": "?", "Whatever": "=1+1"} for row in combinations()]
    write_results(results, rows)
    assert refine(run, results).tables[LONG].height == 60


CHANGES = [
    ({"Net Profit": "lots"}, "line 4, All: Net Profit: 'lots' is no number"),
    ({"Net Profit": "inf"}, "line 4, All: Net Profit: must be finite"),
    ({"Net Profit": "12,5"}, "line 4: 15 fields where the header has 14"),
    ({"Total Trades": -1}, "line 4, All: Total Trades: must be a whole number"),
    ({"Total Trades": 1.5}, "line 4, All: Total Trades: must be a whole number"),
    ({"% Profitable": 100.5}, "line 4, All: % Profitable: must be 0 to 100, got 100.5"),
    ({"Avg Winning Trade": -1}, "line 4, All: Avg Winning Trade: must be zero or more"),
    ({"ProfitFactor": -1}, "line 4, All: ProfitFactor: must be zero or more"),
    ({"TestNum": "n/a"}, "line 4, the test's number: must be a whole number"),
    (
        {"ATR_Period": 999},
        "line 4, ATR_Period: must be 8 to 24 as in phase5_refine_.*other ranges",
    ),
    ({"ATR_Period": "n/a"}, "line 4, ATR_Period: must be 8 to 24"),
]


@pytest.mark.parametrize(("change", "what"), CHANGES)
def test_what_cannot_be_is_refused_with_its_place(
    run: Path, results: Path, change: dict[str, float | str], what: str
) -> None:
    rows = combinations()
    rows[2] |= change
    write_results(results, rows)
    with pytest.raises(DataError, match=f"Refinement_.*QQQ.csv, {what}"):
        refine(run, results)


def test_fractions_in_place_of_percent_are_refused(run: Path, results: Path) -> None:
    rows = [row | {"% Profitable": row["% Profitable"] / 100} for row in combinations()]
    write_results(results, rows)
    with pytest.raises(DataError, match="must be in percent"):
        refine(run, results)


def test_a_column_that_stands_twice_is_refused(run: Path, results: Path) -> None:
    data = report(combinations()).replace(b"All: Avg Trade", b"All: NetProfit")
    (results / "Refinement_ATR-D-v1.5-L_rank1_QQQ.csv").write_bytes(data)
    with pytest.raises(DataError, match="one column twice: 'All: Net Profit' and 'All: NetPro"):
        refine(run, results)


def test_an_optimised_input_that_the_range_file_lacks_must_be_a_column(
    tmp_path: Path, results: Path
) -> None:
    ranges = {name: limits for name, limits in RANGES.items() if name != "BB_Length"}
    run = write_run(tmp_path / "short", ranges=ranges)
    write_results(results, combinations())
    with pytest.raises(DataError, match=r"rank1_QQQ\.csv: BB_Length"):
        refine(run, results)
    write_results(results, [{"BB_Length": 20.0} | row for row in combinations()])
    assert refine(run, results).tables[LONG]["BB_Length"].unique().to_list() == [20]


def test_headings_alone_are_no_results(tmp_path: Path, results: Path) -> None:
    run = write_run(tmp_path / "two", [(LONG, 1), (LONG, 2)])
    first = report(combinations()).split(b"\n")[0]
    (results / "Refinement_ATR-D-v1.5-L_rank1_QQQ.csv").write_bytes(first)
    with pytest.raises(DataError, match="hold no combination"):
        refine(run, results)
    write_results(results, combinations(), rank=2)
    found = refine(run, results)
    assert [file.rows for file in found.files] == [0, 60]
    assert any("holds 0 combinations" in text for text in found.warnings)


def test_a_folder_without_results_is_refused(run: Path, results: Path) -> None:
    wanted = "such as Refinement_ATR-D-v1.5-L_rank1_<SYMBOL>.csv"
    with pytest.raises(ArgumentError, match=wanted):
        refine(run, results)
    write_results(results, combinations(), rank=3)
    with pytest.raises(ArgumentError, match=r"it holds Refinement_ATR-D-v.*_rank3_QQQ"):
        refine(run, results)
    with pytest.raises(ArgumentError, match="`results` must be a folder that exists"):
        refine(run, results / "nowhere")


def test_names_in_any_bytes(run: Path, results: Path) -> None:
    data = report(combinations())
    try:
        name = os.fsencode(results) + b"/Refinement_ATR-D-v1.5-L_rank1_Q\xff=.csv"
        with open(name, "wb") as stream:  # noqa: PTH123
            stream.write(data)
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    found = refine(run, results)
    assert found.symbol == "Q\\udcff="
    assert found.files[0].name.encode()


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("file", "text", "what"),
    [
        ("exports/phase5_refine_config.csv", "JobNum\n", "found no plateau"),
        ("exports/phase5_refine_config.csv", "StrategyName,Rank\nX,1\n", "is damaged"),
        ("exports/phase5_refine_config.csv", None, "cannot be read"),
        ("exports/phase5_refine_ATR-D-v1.5-L_rank1.csv", None, "cannot be read"),
        (
            "exports/phase5_refine_ATR-D-v1.5-L_rank1.csv",
            "ParameterName,Min,Max,Step\nATR_Period,9,8,1\n",
            "no range of ATR_Period",
        ),
        (
            "exports/phase5_refine_config.csv",
            "StrategyName,RangeFile,Rank,IsDualSymbol\nATR-D-v1.5-L,../x.csv,1,0\n",
            "is no file's name",
        ),
        (
            "exports/phase5_refine_config.csv",
            "StrategyName,RangeFile,Rank,IsDualSymbol\nATR-X,x.csv,1,0\n",
            "no strategy is called 'ATR-X'",
        ),
        ("plateaus.json", '{"plateaus": []}', "has no plateau 1"),
        ("plateaus.json", "[", "cannot be read"),
        ("manifest.json", '{"status": "running"}', "is not finished"),
        ("manifest.json", '{"status": "finished"}', "is damaged"),
        ("manifest.json", None, "is no run folder"),
    ],
)
def test_a_damaged_run_is_refused(
    run: Path, results: Path, file: str, text: str | None, what: str
) -> None:
    write_results(results, combinations())
    if text is None:
        (run / file).unlink()
    else:
        (run / file).write_text(text)
    with pytest.raises(RunError, match=what):
        refine(run, results)


def test_a_run_of_a_single_bar_needs_the_years(run: Path, results: Path) -> None:
    write_results(results, combinations())
    day = "2018-12-31T00:00:00"
    edit(run / "manifest.json", data={"first": day, "last": day}, vault=None)
    with pytest.raises(ArgumentError, match="give the optimised years with --years"):
        refine(run, results)
    assert not any("vault" in text for text in refine(run, results, years=3).warnings)


def test_a_plateau_of_unknown_worth_ranks_last(tmp_path: Path, results: Path) -> None:
    run = write_run(tmp_path / "two", [(LONG, 1), (LONG, 2)])
    plateaus = json.loads((run / "plateaus.json").read_text())["plateaus"]
    plateaus[0]["profitable_share"] = None
    edit(run / "plateaus.json", plateaus=plateaus)
    for rank in (1, 2):
        write_results(results, combinations(), rank=rank)
    table = refine(run, results).tables[LONG]
    assert dict(table.select("plateau", "robustness_rank").unique().iter_rows()) == {
        2: 30.5,
        1: 90.5,
    }
