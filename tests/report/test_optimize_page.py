"""The page of a Bayesian study: what it says of each kind of study, and its numbers read back."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from optimize_world import METRICS, StudyRecipe, ranked, write_study
from page_reader import Page, check_alone
from run_files import edited, read

from meseta._files import write_json
from meseta.errors import RunError
from meseta.report import write_optimize_report
from meseta.report._format import brief, count, money, ratio, share
from meseta.report._optimize_words import FIGURES, figure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeStudy = Callable[..., tuple[Page, Path]]

SMALL = {"bars": 1200, "trials": 40}
KINDS: dict[str, dict[str, Any]] = {
    "feasible": {"confirmed": True, "further": True},
    "infeasible": {"edge": -2.2, "null": 5},
    "1,000 trials": {"trials": 1000, "failed": 12, "pruned": 60, "bars": 60_000},
    "no grid": {"grid": False, "strategy": "xbar"},
    "nothing but trials": {"vault": False, "null": 0, "importance": False},
    "walk": {"windows": 5},
    "walk, warm alone": {"windows": 3, "cold": False},
    "multi": {"multi": True},
    "five trials": {"trials": 5, "failed": 1, "pruned": 1, "null": 1},
    "odd numbers": {"odd": True},
    "all failed": {"trials": 6, "failed": 6, "pruned": 0, "importance": False},
}
SECTIONS = [
    *("verdict", "funnel", "sides", "equity", "history", "importance", "slices", "lines"),
    *("pareto", "confirmation", "windows", "space", "how", "record"),
]
SIDE = ("sharpe", "total_return", "max_drawdown", "profit_factor", "trades")


def make(folder: Path, change: Callable[[Path], object] | None = None, **recipe: Any) -> Page:
    write_study(folder, StudyRecipe(**(SMALL | recipe)))
    if change is not None:
        change(folder)
    return Page(write_optimize_report(folder).read_text(encoding="utf-8"))


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """The page and folder of a study of this recipe; `change` may alter the folder."""

    def made(change: Callable[[Path], object] | None = None, **recipe: Any) -> tuple[Page, Path]:
        folder = tmp_path / "study"
        return make(folder, change, **({"few": True} | recipe)), folder

    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole study with its page; tests must not change it."""
    path = tmp_path_factory.mktemp("runs") / "study"
    make(path, confirmed=True, windows=5)
    return path


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def summary_of(folder: Path) -> dict[str, Any]:
    known: dict[str, Any] = read(folder / "summary.json")
    return known


def retold(**values: Any) -> Callable[[Path], None]:
    """Set fields of the summary, `a__b` for a field inside another."""

    def change(folder: Path) -> None:
        summary = summary_of(folder)
        for name, value in values.items():
            *outer, last = name.split("__")
            place = summary
            for key in outer:
                place = place[key]
            place[last] = value
        write_json(folder / "summary.json", summary)

    return change


def tiles(page: Page) -> dict[str, str]:
    found = re.findall(r"<li><span>(.*?)</span><strong>(.*?)</strong>", page.html)
    return dict(found)


# Every kind


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """A page of each kind, made once for all the tests that look at it."""
    return make(tmp_path_factory.mktemp("runs") / "study", **KINDS[request.param])


def test_every_kind_of_study_makes_a_whole_page(kind: Page) -> None:
    named = {a["data-chart"] for _, a in kind.tags if "data-chart" in a}
    assert named == set(kind.charts["figures"])
    targets = [str(a["id"]) for _, a in kind.tags if "id" in a]
    assert {str(a["href"])[1:] for tag, a in kind.tags if tag == "a"} <= set(targets)
    there = [name for name in targets if name in SECTIONS]
    assert there == [name for name in SECTIONS if name != "windows" or "windows" in targets]


def test_no_kind_shows_a_number_that_is_none(kind: Page) -> None:
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", kind.html, flags=re.DOTALL)
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    said = re.sub(r"None of \d+|Remarks on the data None\.|[Nn]ull markets|--null", "", said)
    assert re.findall(r"\b(?:NaN|nan|None|inf|Infinity|null|undefined|Undefined)\b", said) == []
    traces = [trace for figure in kind.charts["figures"].values() for trace in figure["data"]]
    hovers = [str(t[key]) for t in traces for key in ("text", "hovertext") if t.get(key)]
    assert not [text for text in hovers if re.search(r"\b(?:NaN|nan|None|inf)\b", text)]


def test_no_kind_loads_anything(kind: Page) -> None:
    check_alone(kind)


def test_no_chart_is_empty(kind: Page) -> None:
    for name, drawn in kind.charts["figures"].items():
        assert any(len(trace.get("x") or []) for trace in drawn["data"]), name


def test_the_same_folder_gives_the_same_page(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "again")
    again = write_optimize_report(tmp_path / "again").read_bytes()
    assert again == (folder / "report.html").read_bytes()


def test_no_page_is_large(kind: Page) -> None:
    assert len(kind.html.encode()) < 6e6


# What came of it


def test_tiles_keep_the_two_sides_apart(page: Page, folder: Path) -> None:
    summary = summary_of(folder)
    best, null = summary["best"], sorted(summary["null"]["best_scores"])
    assert tiles(page) == {
        "Feasible trials": count(summary["feasible"]),
        "Sharpe in-sample": ratio(best["in_sample"]["sharpe"]),
        "Sharpe of noise": ratio(summary["luck"]["sharpe_expected_of_noise"]),
        "Score on null markets": ratio((null[9] + null[10]) / 2),
        "Sharpe in the vault": ratio(best["out_of_sample"]["sharpe"]),
        "Return in the vault": share(best["out_of_sample"]["total_return"], 2),
    }


def test_the_best_trial_is_told_on_both_sides(page: Page, folder: Path) -> None:
    best, text = summary_of(folder)["best"], page.text("verdict")
    inside, beyond = text.split(f"Trial {best['trial']}, vault")
    for name in METRICS[:-1]:
        label = FIGURES[name][0]
        assert f"{label}{figure(name, best['in_sample'][name])}" in inside
        assert f"{label}{figure(name, best['out_of_sample'][name])}" in beyond


def test_luck_stands_beside_the_best(page: Page, folder: Path) -> None:
    summary, text = summary_of(folder), page.text("verdict")
    luck, null = summary["luck"], summary["null"]
    assert f"without any edge the best would be expected to show {ratio(1.27)}" in text
    assert f"Its Sharpe ratio in-sample is {ratio(luck['sharpe_best'])}" in text
    low, high = min(null["best_scores"]), max(null["best_scores"])
    assert f"found best scores of {ratio(low)} to {ratio(high)}" in text
    assert (
        f"on the real one it found {ratio(null['score'])} (p = {ratio(null['p_score'])})" in text
    )
    passed = sum(number > 0 for number in null["feasible"])
    assert f"On {passed} of the shuffled ones a trial met the constraints." in text


def test_assumptions_and_verdict_are_on_the_first_page(page: Page, folder: Path) -> None:
    assert summary_of(folder)["verdict"] in page.html
    assert "A resting limit fills only where the path trades through it" in page.text("verdict")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (retold(best__out_of_sample__total_return=-0.031), "The vault does not confirm it."),
        (retold(best__out_of_sample__liquidated=True), "Liquidated in the vault."),
        (retold(best__out_of_sample__trades=12), "Only 12 trades in the vault."),
        (retold(luck__sharpe_best=1.1), "Noise does as well."),
        (retold(luck__deflated_sharpe=0.8), "Noise may do as well."),
        (
            retold(null__p_score=0.4, null__as_good=7),
            "The search finds as much where nothing is.</b> On 7 of",
        ),
        (retold(null__p_score=0.25, null__as_good=0), "Too few null markets to tell."),
        (
            retold(windows={"traded": 3, "total_return": -0.02}),
            "Walking forward does not confirm it.",
        ),
        (retold(windows={"traded": 0, "total_return": 0.0}), "Walking forward traded nothing."),
        (edited(vault__opened=6), "The vault is worn."),
        (edited(status="interrupted"), "This run is not finished (status: interrupted)"),
    ],
)
def test_doubts(make_study: MakeStudy, change: Callable[[Path], None], words: str) -> None:
    page, _ = make_study(change)
    assert words in page.html


def test_a_sound_study_has_no_doubt(page: Page) -> None:
    assert 'class="notice' not in page.html.split('id="funnel"')[0]


# Constraints


def test_funnel_is_the_file(page: Page, folder: Path) -> None:
    summary = summary_of(folder)
    total, rows = summary["complete"], page.table("Meet it alone")
    assert rows[1][1:] == [count(total)] * 2
    for cells, step in zip(rows[2:-1], summary["funnel"], strict=True):
        assert cells[1] == f"{count(step['passed'])} {share(step['passed'] / total)}"
        left = step["passed_so_far"]
        assert cells[2] == f"{count(left)} {share(left / total)}"
    assert rows[3][0] == f"Drawdown at most {share(0.2)}"
    assert rows[-1][2].startswith(count(summary["feasible"]))


def test_without_a_feasible_trial_the_nearest_are_shown(make_study: MakeStudy) -> None:
    page, folder = make_study(edge=-2.2)
    assert "No trial is feasible." in page.text("verdict")
    trials = pl.read_parquet(folder / "trials.parquet")
    nearest = trials.filter(state="complete").sort("violation", "number").head(10)
    rows = page.table("What it breaks")[1:]
    assert [row[0] for row in rows] == [count(n) for n in nearest["number"]]
    for row, trial in zip(rows, nearest.iter_rows(named=True), strict=True):
        assert row[1] == ratio(trial["violation"])
        assert f"Sharpe at least 1: {ratio(trial['sharpe'])}" in row[3]
        assert row[3].count(";") == trial["violated"].count(",")
    assert tiles(page)["Sharpe in-sample"] == "—"
    assert "the nearest miss: it is not feasible" in page.text("equity")
    assert "★" not in page.text("history"), "no best trial is marked"


# In-sample and vault


def test_both_sides_are_the_file(page: Page, folder: Path) -> None:
    spans = pl.read_parquet(folder / "spans.parquet")
    for part, first in (("in-sample", 2), ("out-of-sample", 7)):
        frame = spans.filter(part=part).sort("rank")
        cells = [row[first : first + 5] for row in page.table("Vault, out-of-sample")[2:-1]]
        assert cells == [
            [figure(name, row[name]) for name in SIDE] for row in frame.iter_rows(named=True)
        ]
        medians = frame.select(pl.col(SIDE).median()).row(0)
        assert page.table("Vault, out-of-sample")[-1][first : first + 5] == [
            figure(name, value) for name, value in zip(SIDE, medians, strict=True)
        ]


def test_no_in_sample_number_is_called_out_of_sample(make_study: MakeStudy) -> None:
    """Every return in-sample is 11.1 % and every one in the vault 22.2 %."""

    def marked(folder: Path) -> None:
        path = folder / "spans.parquet"
        told = pl.when(pl.col("part") == "in-sample").then(0.1111).otherwise(0.2222)
        pl.read_parquet(path).with_columns(total_return=told).write_parquet(path)
        told = {
            "best__in_sample__total_return": 0.1111,
            "best__out_of_sample__total_return": 0.2222,
        }
        retold(**told)(folder)

    page, _ = make_study(marked)
    rows = page.table("Vault, out-of-sample")
    assert {row[3] for row in rows[2:]} == {share(0.1111, 2)}
    assert {row[8] for row in rows[2:]} == {share(0.2222, 2)}
    sentences = re.split(r"(?<=\.) ", page.text("verdict"))
    for text in sentences:
        vault = "vault" in text.lower()
        assert share(0.1111, 2) not in text or not vault or "in-sample" in text.lower()
    assert tiles(page)["Return in the vault"] == share(0.2222, 2)
    best = page.text("verdict").split(", vault")
    assert share(0.2222, 2) not in best[0].split("In the vault")[0]
    assert share(0.1111, 2) not in best[-1]


def test_without_a_vault_nothing_is_out_of_sample(make_study: MakeStudy) -> None:
    page, _ = make_study(vault=False)
    assert "There is no vault." in page.text("verdict")
    assert "nothing here is out-of-sample" in page.text("sides")
    assert "All of it is in-sample" in page.text("equity")
    assert tiles(page)["Sharpe in the vault"] == "none"
    heads = [cell for table in page.tables for row in table[:2] for cell in row]
    assert not [text for text in heads if "out-of-sample" in text.lower() or "Vault" in text]


# What is not there


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("spans.parquet", {"sides": "No trial was run on both sides"}),
        ("equity.parquet", {"equity": "has no equity curve"}),
        ("importance.parquet", {"importance": "importance of the parameters is not known"}),
        ("lots.parquet", {"equity": "No lot was recorded."}),
        (
            "trials.parquet",
            dict.fromkeys(("history", "slices", "lines"), "No trial has a score")
            | {"pareto": "nothing to draw"},
        ),
    ],
)
def test_a_missing_file_leads_to_a_sentence(
    make_study: MakeStudy, name: str, told: dict[str, str]
) -> None:
    page, _ = make_study(lambda folder: (folder / name).unlink())
    for section, words in told.items():
        assert words in page.text(section)


def test_a_manifest_alone_makes_a_page(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", {"kind": "optimize"})
    page = Page(write_optimize_report(tmp_path).read_text(encoding="utf-8"))
    assert page.charts["figures"] == {}
    assert "No verdict was recorded." in page.html
    for section in SECTIONS[1:-1]:
        if section != "windows":
            assert "not" in page.text(section) or "no" in page.text(section).lower()


def test_an_unconfirmed_study_says_how(make_study: MakeStudy) -> None:
    page, _ = make_study()
    assert "meseta confirm hedge-1 --top 5" in page.text("confirmation")
    page, _ = make_study(grid=False)
    assert "Only the hedge grid" in page.text("confirmation")


def test_a_strategy_that_is_no_grid_has_no_lots(make_study: MakeStudy) -> None:
    page, _ = make_study(grid=False)
    text = page.text("equity")
    assert "no separate account of its realised profit" in text
    assert "lots" not in text
    assert "Funding" not in page.text("how")
    assert "Slippage, price units a share0.02" in page.text("how").replace(" 0.02", "0.02")


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run folder"):
        write_optimize_report(tmp_path)
    write_json(tmp_path / "manifest.json", {"kind": "walkforward"})
    with pytest.raises(RunError, match="holds no study"):
        write_optimize_report(tmp_path)
    write_json(tmp_path / "manifest.json", {"kind": "optimize"})
    (tmp_path / "summary.json").write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match="damaged"):
        write_optimize_report(tmp_path)


def test_names_are_escaped(make_study: MakeStudy) -> None:
    evil = "<img src=x>"

    def renamed(folder: Path) -> None:
        edited(strategy__name=evil, data__name=evil, assumptions=[evil])(folder)
        retold(study=evil, verdict=evil)(folder)
        path = folder / "trials.parquet"
        frame = pl.read_parquet(path).rename({"param_fast": f"param_{evil}"})
        frame.write_parquet(path)
        pl.DataFrame({"name": [evil], "importance": [1.0]}).write_parquet(
            folder / "importance.parquet"
        )

    page, _ = make_study(renamed)
    check_alone(page)
    assert "<img" not in page.html.split("<script>")[0]
    assert evil in page.text("verdict")
    assert evil in page.text("slices")
    shown = [
        text
        for drawn in page.charts["figures"].values()
        for text in [
            *(str(trace.get("hovertemplate")) for trace in drawn["data"]),
            *map(str, drawn["layout"]["xaxis"].get("ticktext", [])),
            *(
                str(y)
                for trace in drawn["data"]
                for y in trace.get("y") or []
                if drawn is not None
            ),
        ]
    ]
    assert not [text for text in shown if "<img" in text]


# Confirmation, windows, front


def test_confirmation_is_the_file(page: Page, folder: Path) -> None:
    frame = pl.read_parquet(folder / "confirmation.parquet")
    rows = page.table("Engine")[1:]
    names = ("trades", "total_return", "max_drawdown", "fees", "funding")
    for at, row in enumerate(frame.iter_rows(named=True)):
        cells = rows[at // 2 * 3 + at % 2]
        assert cells[1] == ("compiled", "NautilusTrader")[at % 2]
        assert cells[2:] == [figure(name, row[name]) for name in names]
    one, other = frame.row(0, named=True), frame.row(1, named=True)
    assert rows[2][2:] == [figure(name, other[name] - one[name]) for name in names]
    causes = page.table("Cause")[1:]
    told = pl.read_parquet(folder / "confirmation_causes.parquet")
    assert len(causes) == len(told)
    assert causes[0][1:] == ["touch fills", money(-12.4), "3"]


def test_a_confirmation_says_which_side_of_the_vault_it_is_of(make_study: MakeStudy) -> None:
    judged = retold(confirmation={"part": "in-sample", "verdict": "Equal to the cent."})
    page, _ = make_study(judged, confirmed=True)
    assert "In-sample: Equal to the cent." in page.text("confirmation")


def test_a_run_that_failed_on_the_other_engine_has_dashes(make_study: MakeStudy) -> None:
    def failed(folder: Path) -> None:
        path = folder / "confirmation.parquet"
        frame = pl.read_parquet(path)
        first = (pl.col("engine") == "nautilus") & (pl.col("trial") == frame["trial"][0])
        frame.filter(~first).write_parquet(path)

    rows = make_study(failed, confirmed=True)[0].table("Engine")[1:]
    assert rows[1][2:] == ["—"] * 5
    assert rows[2][2:] == ["—"] * 5
    assert "—" not in rows[4][2:]


def test_windows_are_the_file(page: Page, folder: Path) -> None:
    frame = pl.read_parquet(folder / "windows.parquet").sort("window", ~pl.col("warm"))
    rows = [row for row in page.table("Out-of-sample, the same")[2:] if len(row) > 1]
    for cells, row in zip(rows, frame.iter_rows(named=True), strict=True):
        assert cells[3:7] == [
            ratio(row["score"]),
            ratio(row["in_sharpe"]),
            share(row["in_total_return"], 2),
            share(row["in_max_drawdown"], 2),
        ]
        assert cells[7:] == [
            ratio(row["out_sharpe"]),
            share(row["out_total_return"], 2),
            share(row["out_max_drawdown"], 2),
            count(row["out_trades"]),
        ]
        assert ("not traded" in cells[0]) == (not row["traded"])


def test_the_warm_start_is_compared(page: Page, folder: Path, make_study: MakeStudy) -> None:
    walked, text = summary_of(folder)["windows"], page.text("windows")
    table = page.table("Return, all windows")
    assert [row[6] for row in table[1:]] == [
        share(walked["total_return"], 2),
        share(walked["other"]["total_return"], 2),
    ]
    traded = pl.read_parquet(folder / "windows.parquet").filter("traded", "warm")
    assert table[1][2] == count(len(traded))
    assert table[1][5] == ratio(traded["out_sharpe"].mean())
    assert "a better in-sample score in 2 of 4 windows" in text
    assert f"ended {money(389.0)} higher than the cold one" in text
    alone = make_study(windows=3, cold=False)[0].text("windows")
    assert "cold" not in alone.lower()
    assert "In sum" in alone


def test_the_front_is_listed(make_study: MakeStudy) -> None:
    page, folder = make_study(multi=True)
    front = summary_of(folder)["pareto"]
    trials = pl.read_parquet(folder / "trials.parquet")
    kept = trials.filter(pl.col("number").is_in(front)).sort("max_drawdown")
    rows = page.table("Feasible")
    found = [row for row in rows[1:] if len(row) > 1]
    assert [row[0] for row in found] == [count(n) for n in kept["number"]]
    assert [row[1] for row in found] == [share(v, 2) for v in kept["total_return"]]
    assert "What no trial beats" not in make_study()[0].html


# Space and how it was done


def test_space_and_best_values(page: Page, folder: Path) -> None:
    best = summary_of(folder)["best"]["params"]
    rows = {row[0]: row for row in page.table("Meaning")[1:] if len(row) > 1}
    assert set(rows) == set(best)
    assert rows["tp_steps"][1:3] == ["1 to 10", "steps"]
    trials = pl.read_parquet(folder / "trials.parquet")
    for name, value in best.items():
        tried = trials[f"param_{name}"]
        edge = {tried.min(): "lowest tried", tried.max(): "highest tried"}.get(value, "")
        assert rows[name][3] == brief(value) + edge


def test_how_it_was_done(page: Page) -> None:
    text = page.text("how")
    for words in (
        "TPE (Optuna), multivariate",
        "Drawn together4",
        "Time limit of a back-test10.0",
        "Strict: all must hold",
        f"Winners at least {share(0.45)}",
        "63 settlements, 2024-01-01 to",
        "maker fee0.0002",
    ):
        assert words in text, words
    rows = page.table("Normalised between")
    bounds = [f"{share(low)} to {share(high)}" for low, high in ((-0.2, 0.5), (-0.04, 0.21))]
    assert rows[2] == ["Profit", "0.25", *bounds]
    assert rows[4][1] == "−0.2"


def test_options_that_do_not_count_are_left_out(make_study: MakeStudy) -> None:
    page, _ = make_study(edited(options__pruner="none"))
    assert "Segments" not in page.text("how")
    page, _ = make_study(multi=True)
    assert "NSGA-II" in page.text("how")
    assert "Drawn at random" not in page.text("how")
    assert "drawn at random" not in page.text("history")


def test_a_strategy_without_costs_is_told(make_study: MakeStudy) -> None:
    words = "No slippage and no costs were assumed."
    assert words in make_study(edited(config__slippage=0.0), grid=False)[0].text("how")
    assert words not in make_study(grid=False)[0].text("how")


def test_the_lenient_rule_is_told(make_study: MakeStudy) -> None:
    page, _ = make_study(edited(constraints__strict=False))
    assert "meets all constraints but one" in page.text("funnel")
    assert "Lenient: one may be broken" in page.text("how")


def test_a_parameter_that_never_varies_is_named(make_study: MakeStudy) -> None:
    def still(folder: Path) -> None:
        path = folder / "trials.parquet"
        pl.read_parquet(path).with_columns(param_stop=pl.lit(1.5)).write_parquet(path)

    page, _ = make_study(still)
    assert "stop 1.5" in page.text("importance")
    assert "stop" not in page.text("slices")


def test_the_best_is_that_of_the_order(folder: Path) -> None:
    trials = pl.read_parquet(folder / "trials.parquet")
    assert summary_of(folder)["best"]["trial"] == ranked(trials)[0]
