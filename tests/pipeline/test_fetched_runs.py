"""Runs on symbols: what is asked for, kept, said and continued.

Fetching is a stand-in here, see `fetched_market`; the whole way is tested in tests/data.
"""

from __future__ import annotations

import numpy as np
import pytest
from tiny_project import Heard
from tiny_project import made as made_project
from tiny_run import (
    GRID,
    SMALL,
    frame,
    half_way,
    options,
    same_scores,
    stopped,
)
from walkforward_run import config_of

from fetched_market import UNREACHED, open_market
from meseta.bars import load, pair
from meseta.data._obtain import Request
from meseta.errors import ArgumentError, RunError, SourceError
from meseta.pipeline import (
    load_project,
    plan,
    plan_project,
    plan_walkforward,
    project_states,
    rescore,
    run,
    walk_forward,
)
from meseta.pipeline._expand import run_name
from meseta.pipeline._walkforward import walkforward_name
from meseta.runs import RunFolder

SMH = {"bars": None, "symbol": "SMH", "source": "yahoo"}
BOTH = {"strategy": "atr_d_duals_l", "grid": SMALL, "bars": None, "symbol": "LETF"}


@pytest.fixture
def market(monkeypatch):
    return open_market(monkeypatch)


def smh(out, **changes):
    return options(out, **(SMH | changes))


def grown(market):
    """A day has passed since: the source has one bar more."""
    market.bars += 1
    market.requests.clear()


class TestAsking:
    def test_the_source_is_asked_for_what_the_options_say(self, tmp_path, market):
        given = {
            "interval": "60m", "basis": "total-return", "session": "Pre", "start": "1999-01-04",
            "end": "2018-12-31", "fetch": False, "calendar": "XNYS", "store": tmp_path,
        }  # fmt: skip
        plan(smh(tmp_path, **given))
        asked = given | {"symbol": "SMH", "source": "yahoo", "interval": "1h"}
        assert market.requests == [Request(**asked)]

    def test_both_symbols_are_of_one_source(self, tmp_path, market):
        planned = plan(options(tmp_path, **BOTH, symbol2="SMH", source="yahoo", basis="split"))
        assert market.symbols == ["LETF", "SMH"]
        assert {(each.source, each.basis) for each in market.requests} == {("yahoo", "split")}
        whole = pair(*(load(f"sample:{name}").slice(0, 5000) for name in ("nasdaq-3x", "nasdaq")))
        assert planned.bars.fingerprint == whole.fingerprint

    def test_a_file_may_stand_beside_a_symbol(self, tmp_path, market):
        planned = plan(
            options(tmp_path, **(BOTH | {"symbol": None, "bars": "sample:nasdaq-3x"}),
                    symbol2="SMH")
        )  # fmt: skip
        assert market.symbols == ["SMH"]
        assert planned.bars.second.name == "SMH"

    def test_nothing_is_asked_where_an_option_is_wrong(self, tmp_path, market):
        with pytest.raises(ArgumentError, match="axes"):
            plan(smh(tmp_path, axes=("atr_period", "gone")))
        assert market.requests == []

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            (BOTH, "`symbol2` is missing: .*give --symbol2 what the same source calls"),
            (SMH | {"symbol2": "LETF"}, "`symbol2` is not used: .*leave --symbol2 out"),
            (SMH | {"bars2": "sample:sp500"}, "`bars2` is not used: .*leave --bars2 out"),
            ({"symbol2": "SMH"}, "`symbol2` is not used"),
        ],
    )
    def test_a_second_symbol_and_its_strategy_go_together(self, tmp_path, market, changes, words):
        with pytest.raises(ArgumentError, match=words):
            plan(options(tmp_path, **changes))
        assert market.requests == []

    def test_what_a_source_does_not_have_is_its_own_error(self, tmp_path, market):
        with pytest.raises(SourceError, match="Yahoo has no 'GONE'"):
            run(smh(tmp_path, symbol="GONE"))
        assert not (tmp_path / "one").exists()

    def test_the_listener_is_told_of_fetching(self, tmp_path, market):
        heard = []
        plan(smh(tmp_path), progress=heard.append)
        assert [(at.stage, at.part, at.done, at.total) for at in heard] == [
            ("fetch", "SMH", 0, 0), ("fetch", "SMH", 1, 2),
        ]  # fmt: skip
        assert heard[1].facts["what"] == "1999-01-04 to 2018-12-31"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"symbol": "SMH"}, "SMH"),
        ({"symbol": "BRK.B"}, "BRK.B"),
        ({"symbol": "@ES"}, "_ES"),
        ({"symbol": "^GSPC"}, "_GSPC"),
        ({"symbol": "EURUSD=X", "interval": "5m"}, "EURUSD_X-5m"),
        ({"symbol": "A/B:C*?"}, "A_B_C__"),
        ({"symbol": "BTCUSDT", "interval": "60m"}, "BTCUSDT-1h"),
        ({"bars": "data/QQQ.csv.gz"}, "QQQ"),
        ({"bars": "sample:nasdaq"}, "nasdaq"),
        ({"bars": "-"}, "stdin"),
    ],
)
def test_folders_are_called_by_symbol_or_file(tmp_path, given, name):
    given = {"bars": None, "name": None} | given
    made = run_name(options(tmp_path, grid="phase1_slim", **given))
    assert made == f"atr_d_l-{name}-phase1_slim"
    walked = walkforward_name(config_of(tmp_path, **given))
    assert walked == f"walkforward-xbar-{name}-500-250"
    for folder in (made, walked):
        assert options(tmp_path, name=folder).name == folder
        (tmp_path / folder).mkdir()


class TestManifest:
    def test_a_run_is_that_of_the_same_bars_and_says_where_they_are_from(self, tmp_path, market):
        result = run(smh(tmp_path, start="1999-01-04", report=True))
        data = result.manifest["data"]
        assert (data["name"], data["source"]) == ("SMH", "store:yahoo SMH 1d split")
        assert data["asked"] == {
            "symbol": "SMH", "source": "yahoo", "interval": "1d", "basis": None, "session": "",
            "start": "1999-01-04", "end": None, "calendar": None, "fetch": True,
        }  # fmt: skip
        assert result.manifest["config"]["symbol"] == "SMH"
        assert result.manifest["config"]["bars"] is None
        load("sample:nasdaq").slice(0, 5000).to_polars().write_csv(tmp_path / "SMH.csv")
        same = run(options(tmp_path, bars=str(tmp_path / "SMH.csv"), name="file"))
        assert same.manifest["data"]["asked"] is None
        assert frame(same).equals(frame(result))
        page = result.report.read_text(encoding="utf-8")
        assert "SMH 1d, 1999-01-04 to the latest, from yahoo" in page
        assert "Stored bars stand in" not in page

    @pytest.mark.parametrize("changes", [{"fetch": False}, {"source": "store"}])
    def test_stored_bars_alone_are_said_to_be(self, tmp_path, market, changes):
        planned = plan_walkforward(config_of(tmp_path, **(SMH | changes)))
        from meseta.pipeline._manifest import data_of

        assert data_of(planned.bars, planned.config)["asked"]["fetch"] is False

    def test_a_source_that_cannot_be_reached_is_said_everywhere(self, tmp_path, market):
        market.reachable = False
        given = BOTH | {"symbol2": "SMH", "source": "yahoo", "report": True}
        result = run(options(tmp_path, **given))
        for each in (result, *result.variants):
            data = each.manifest["data"]
            assert [f["code"] for f in data["warnings"]][:2] == ["source_unreachable"] * 2
            assert data["second"]["asked"]["symbol"] == "SMH"
        for page in (result.report, result.comparison, result.variants[0].report):
            text = page.read_text(encoding="utf-8")
            assert "Stored bars stand in for the source’s." in text
            assert UNREACHED in text

    def test_a_walk_forward_warns_too(self, tmp_path, market):
        market.reachable = False
        made = walk_forward(config_of(tmp_path, **SMH, report=True))
        assert UNREACHED in made.manifest["warnings"]
        assert "Stored bars stand in" in made.report.read_text(encoding="utf-8")

    def test_scoring_again_asks_nobody(self, tmp_path, market):
        first = run(smh(tmp_path))
        grown(market)
        again = rescore(first.folder)
        assert market.requests == []
        same_scores(again, first)
        assert again.manifest["data"] == first.manifest["data"]
        assert again.manifest["config"] == first.manifest["config"]


class TestContinued:
    """A run goes on with the bars that it began with, whatever came since."""

    def test_a_run(self, tmp_path, market):
        whole = run(smh(tmp_path, name="whole"))
        stopped(smh(tmp_path), half_way)
        grown(market)
        result = run(smh(tmp_path), resume=True)
        assert market.requests == []
        same_scores(result, whole)
        assert result.manifest["data"] == whole.manifest["data"]

    def test_a_run_without_the_network_or_with_another_store(self, tmp_path, market):
        stopped(smh(tmp_path), half_way)
        grown(market)
        run(smh(tmp_path, fetch=False, store=tmp_path), resume=True)
        assert market.requests == []

    def test_both_symbols(self, tmp_path, market):
        given = BOTH | {"symbol2": "SMH", "source": "yahoo"}
        whole = run(options(tmp_path, **given, name="whole"))
        stopped(options(tmp_path, **given), lambda at: at.stage == "score")
        grown(market)
        result = run(options(tmp_path, **given), resume=True)
        assert market.requests == []
        same_scores(result, whole)
        same_scores(result.variants[0], whole.variants[0])

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"symbol": "^GSPC"}, "bars"),
            ({"bars": "sample:sp500", "symbol": None, "source": "store"}, "bars, windows"),
            ({"grid": GRID | {"atr_period": [8, 33]}}, "grid"),
        ],
    )
    def test_other_data_or_options_are_refused(self, tmp_path, market, change, what):
        stopped(smh(tmp_path), half_way)
        with pytest.raises(RunError, match=f"was searched with other {what}; .*--force"):
            run(smh(tmp_path, **change), resume=True)

    def test_kept_bars_that_are_gone_are_said(self, tmp_path, market):
        folder = stopped(smh(tmp_path), half_way)
        (folder / "bars.parquet").unlink()
        with pytest.raises(RunError, match=r"bars\.parquet.*run again with --force"):
            run(smh(tmp_path), resume=True)

    def test_without_a_run_one_begins(self, tmp_path, market):
        assert plan(smh(tmp_path), resume=True).bars.name == "SMH"
        assert market.symbols == ["SMH"]

    @pytest.mark.parametrize("size", [None, "1w"])
    def test_a_walk_forward(self, tmp_path, market, size):
        lengths = {"in_sample": 104, "out_of_sample": 52} if size else {}
        given = SMH | lengths | {"bar_size": size, "contracts": 1.0}
        whole = walk_forward(config_of(tmp_path, **given, name="whole"))
        config = config_of(tmp_path, **given, name="cut")
        with pytest.raises(KeyboardInterrupt):
            walk_forward(config, progress=Heard(lambda at: at.stage == "exact"))
        grown(market)
        made = walk_forward(config, resume=True)
        assert market.requests == []
        assert made.manifest["results_hash"] == whole.manifest["results_hash"]
        assert made.manifest["data"] == whole.manifest["data"]

    def test_a_walk_forward_with_other_options_is_refused(self, tmp_path, market):
        with pytest.raises(KeyboardInterrupt):
            walk_forward(
                config_of(tmp_path, **SMH, name="cut"),
                progress=Heard(lambda at: at.stage == "exact"),
            )
        other = config_of(tmp_path, **SMH, name="cut", end="2018-01-01")
        with pytest.raises(RunError, match=r"begun with other options \(end\)"):
            walk_forward(other, resume=True)


PROJECT = """
symbols:
  S: {symbol: SMH, source: yahoo}
  P: {symbol: ^GSPC}
strategies:
  xbar: {grid: {xbar: [5, 20]}}
  cross: {strategy: ma_cross, grid: {fast: [5, 10], slow: [30, 60], stop_ranges: 3}}
options:
  {in_sample: 756, out_of_sample: 504, capital: 100000, report: false, source: yahoo}
"""


@pytest.fixture
def project(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text(PROJECT, encoding="utf-8")
    return path


class TestProjects:
    def rows(self, result):
        return [each["data"]["rows"] for each in result.manifest["members"]]

    def test_each_symbol_is_asked_for_once(self, project, market):
        heard = Heard()
        result = made_project(project, progress=heard)
        assert market.symbols == ["SMH", "^GSPC"]
        assert [at.part for at in heard if at.stage == "fetch"] == ["SMH"] * 2 + ["^GSPC"] * 2
        assert result.failed == []
        entry = result.manifest["members"][2]
        assert (entry["name"], entry["data"]["name"]) == ("P-as-is-xbar", "P")
        assert entry["data"]["asked"]["symbol"] == "^GSPC"

    def test_what_is_begun_stays_on_its_bars(self, project, market):
        stop = Heard(lambda at: at.part.startswith("S as is cross") and at.stage == "exact")
        with pytest.raises(KeyboardInterrupt):
            made_project(project, progress=stop)
        grown(market)
        out = {"out": project.parent / "runs"}
        planned = plan_project(load_project(project, out), resume=True)
        assert project_states(planned) == ["kept", "continues", "new", "new"]
        assert market.symbols == ["^GSPC"]
        result = made_project(project, resume=True)
        assert self.rows(result) == [5000, 5000, 5001, 5001]
        grown(market)
        again = made_project(project, resume=True)
        assert market.requests == []
        assert again.manifest["results_hash"] == result.manifest["results_hash"]

    def test_force_takes_what_there_is_now(self, project, market):
        made_project(project)
        grown(market)
        assert self.rows(made_project(project, force=True)) == [5001] * 4

    def test_a_changed_member_is_run_again_on_what_there_is_now(self, project, market):
        made_project(project)
        grown(market)
        text = PROJECT.replace("[5, 20]", "[5, 21]")
        project.write_text(text, encoding="utf-8")
        heard = Heard()
        result = made_project(project, resume=True, progress=heard)
        assert {at.part for at in heard if at.stage == "walk"} == {
            "S as is xbar (1 of 4)", "P as is xbar (3 of 4)",
        }  # fmt: skip
        assert self.rows(result) == [5001, 5000, 5001, 5000]

    @pytest.mark.parametrize("damage", ["bars.parquet", "manifest.json"])
    def test_a_damaged_member_is_run_again(self, project, market, damage):
        first = made_project(project)
        (first.folder / "S-as-is-xbar" / damage).write_text("{", encoding="utf-8")
        result = made_project(project, resume=True)
        assert result.failed == []
        assert RunFolder(result.folder / "S-as-is-xbar").finished()
        assert market.symbols == ["SMH", "^GSPC", "SMH"]

    def test_a_source_that_fails_stops_its_own_members(self, project, market):
        text = PROJECT.replace("^GSPC", "GONE").replace("report: false", "report: true")
        project.write_text(text, encoding="utf-8")
        market.reachable = False
        result = made_project(project)
        assert [each["name"] for each in result.failed] == ["P-as-is-xbar", "P-as-is-cross"]
        page = result.report.read_text(encoding="utf-8")
        assert f"S: {UNREACHED}" in page
        assert page.count(UNREACHED) == 1


def test_bars_that_were_obtained_are_walked_by_scripts(market):
    import meseta

    bars = market.obtain(Request(symbol="SMH", source="yahoo"), tell=lambda _step: None)
    made = meseta.walk_forward(bars, "xbar", {"xbar": [5]}, in_sample=1000, out_of_sample=500)
    assert np.isfinite(made.outcome.curve["emulated"].to_numpy()).all()
