"""Whole projects: members that finish, fail, are interrupted and continued."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tiny_project import TINY, Heard, late_csv, made, manifest, write_project

from meseta.errors import RunError
from meseta.pipeline import (
    load_project,
    plan_project,
    project_states,
    run_project,
    walk_forward,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A finished project, what its listener heard, and its file; tests must not change it."""
    folder = tmp_path_factory.mktemp("project")
    heard = Heard()
    return made(write_project(folder), command="meseta it", progress=heard), heard, folder


@pytest.fixture
def copy(done, tmp_path):
    """The path of a project file whose project is finished."""
    folder = tmp_path / "copy"
    shutil.copytree(done[2], folder)
    # Paths are part of the options, so the copy is that of a project that was made there.
    for path in folder.rglob("*.json"):
        text = path.read_text(encoding="utf-8").replace(str(done[2]), str(folder))
        path.write_text(text, encoding="utf-8")
    return folder / "tiny.yaml"


def stamps(folder):
    """When each of the members' files was written."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("*/*.parquet")}


class TestFinished:
    def test_every_member_is_a_walk_forward_of_its_own(self, done):
        result, _, _ = done
        assert result.manifest["status"] == "finished"
        assert [each["status"] for each in result.manifest["members"]] == ["finished"] * 4
        assert result.failed == []
        for name in ("NDX-as-is-xbar", "NDX-as-is-cross", "LATE-as-is-xbar", "LATE-as-is-cross"):
            assert (result.folder / name / "manifest.json").is_file()
            assert (result.folder / name / "windows.parquet").is_file()

    def test_a_member_is_what_it_is_alone(self, done, tmp_path):
        result, _, folder = done
        member = load_project(folder / "tiny.yaml").members[3]
        config = member.config.model_copy(update={"out": tmp_path})
        alone = walk_forward(config)
        assert alone.manifest["results_hash"] == result.results["hash"][3]
        assert alone.manifest["data"]["name"] == "late"

    def test_the_table_says_what_the_members_say(self, done):
        result, _, _ = done
        table = pl.read_parquet(result.folder / "results.parquet")
        assert table.equals(result.results)
        assert table["symbol"].to_list() == ["NDX", "NDX", "LATE", "LATE"]
        assert table["strategy"].to_list() == ["xbar", "cross"] * 2
        for row in table.iter_rows(named=True):
            from meseta.runs import RunFolder

            told = RunFolder(result.folder / row["folder"]).manifest()
            assert row["net_profit"] == told["summary"]["exact_profit"]
            assert row["drawdown"] == told["summary"]["exact_drawdown"]
            assert row["efficiency"] == told["efficiency"]["annualised"]["exact"]
            assert row["result"] == "exact"
            assert row["windows"] == told["windows"]["count"]
            assert row["combinations"] == told["grid"]["searched"]
            assert str(row["first_out"].date()) == told["windows"]["first_out"][:10]
        summary = result.manifest["summary"]
        assert summary["finished"] == 4
        assert summary["made_money"] == int((table["net_profit"] > 0).sum())
        beaten = table["net_profit"] > table["median_profit"]
        assert summary["beat_median"] == int(beaten.sum())

    def test_the_portfolio_follows_from_the_members_files(self, done):
        result, _, _ = done
        target = 0.1 * 100_000
        parts, days = {}, {}
        for name in result.results["folder"]:
            folder = result.folder / name
            curve = pl.read_parquet(folder / "curve.parquet")
            windows = pl.read_parquet(folder / "windows.parquet")
            best = pl.read_parquet(folder / "best.parquet").filter(pl.col("place") == 1)
            mean = best["is_net_profit"] / best["is_years"]
            known = dict(zip(best["window"], mean / best["is_sharpe"], strict=True))
            size = np.concatenate([
                np.full(row["out_stop"] - row["out_start"], 1 / known[row["window"]])
                for row in windows.iter_rows(named=True)
            ])  # fmt: skip
            days[name] = curve["time"].dt.date()[1:].to_list()
            # The account is put in as a whole, so the pieces are of the size that was measured.
            parts[name] = dict(
                zip(days[name], np.diff(curve["emulated"].to_numpy()) * size, strict=True)
            )
        every = sorted(set().union(*days.values()))
        assert result.portfolio["date"].to_list() == every
        total, active = 0.0, []
        for day in every:
            there = [name for name in parts if days[name][0] <= day <= days[name][-1]]
            active.append(len(there))
            total += sum(parts[name].get(day, 0.0) for name in there) * target / len(there)
        assert result.portfolio["active"].to_list() == active
        assert set(active) == {2, 4}  # LATE begins later
        assert result.portfolio["portfolio"][-1] == pytest.approx(total)
        assert result.manifest["portfolio"]["net_profit"] == pytest.approx(total)

    def test_sizes_keep_the_deviation_near_what_was_shared_out(self, done):
        """In-sample deviation says something of that of the window that follows."""
        held = done[0].manifest["portfolio"]["members"]
        for each in held.values():
            assert 10_000 / 4 / 3 < each["deviation"] < 10_000 / 2 * 2

    def test_progress_names_the_member_and_the_whole(self, done):
        _, heard, _ = done
        assert heard.parts == [
            "NDX as is xbar (1 of 4)",
            "NDX as is cross (2 of 4)",
            "LATE as is xbar (3 of 4)",
            "LATE as is cross (4 of 4)",
        ]
        overall = [at.facts["overall"] for at in heard if at.part]
        assert overall == sorted(overall)
        assert overall[0] == 0
        assert overall[-1] == 1

    def test_the_number_of_threads_plays_no_part(self, done, tmp_path):
        late_csv(tmp_path / "late.csv")
        (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
        one = made(tmp_path / "tiny.yaml", threads=1)
        assert one.manifest["results_hash"] == done[0].manifest["results_hash"]
        assert one.portfolio.equals(done[0].portfolio)


class TestAgain:
    def test_a_finished_project_is_in_the_way(self, copy):
        with pytest.raises(RunError, match="holds this project already; --resume runs what is"):
            made(copy)

    def test_members_of_a_lost_manifest_are_in_the_way_too(self, copy):
        (copy.parent / "runs" / "tiny" / "project.json").unlink()
        with pytest.raises(RunError, match="holds this project already"):
            made(copy)

    def test_another_run_is_in_the_way(self, copy):
        shutil.copy(copy, copy.with_name("NDX-as-is-xbar.yaml"))
        over = {"out": copy.parent / "runs" / "tiny"}
        with pytest.raises(RunError, match="holds another run; choose another --name"):
            run_project(load_project(copy.with_name("NDX-as-is-xbar.yaml"), over), force=True)

    def test_finished_members_are_not_run_again(self, copy, done):
        before, heard = stamps(copy.parent / "runs" / "tiny"), Heard()
        again = made(copy, resume=True, progress=heard)
        assert stamps(copy.parent / "runs" / "tiny") == before
        assert len(before) == 4 * 5
        assert heard.parts == []
        assert again.manifest["results_hash"] == done[0].manifest["results_hash"]
        assert again.results.equals(done[0].results)

    def test_members_with_other_options_are(self, copy, done):
        text = TINY.replace("late.csv", "{bars: late.csv, cost_per_share: 0.5}")
        copy.write_text(text, encoding="utf-8")
        heard = Heard()
        again = made(copy, resume=True, progress=heard)
        assert heard.parts == ["LATE as is xbar (3 of 4)", "LATE as is cross (4 of 4)"]
        kept, new = again.results["hash"].to_list(), done[0].results["hash"].to_list()
        assert kept[:2] == new[:2]
        assert set(kept[2:]).isdisjoint(new[2:])

    def test_members_with_other_data_are(self, copy):
        frame = pl.read_csv(copy.with_name("late.csv"))
        frame.head(frame.height - 1).write_csv(copy.with_name("late.csv"))
        heard = Heard()
        made(copy, resume=True, progress=heard)
        assert heard.parts == ["LATE as is xbar (3 of 4)", "LATE as is cross (4 of 4)"]

    def test_a_new_symbol_is_run_alone(self, copy):
        copy.write_text(TINY.replace("symbols:", "symbols:\n  SPX: sample:sp500"), "utf-8")
        heard = Heard()
        again = made(copy, resume=True, progress=heard)
        assert heard.parts == ["SPX as is xbar (1 of 6)", "SPX as is cross (2 of 6)"]
        assert again.results.height == 6

    @pytest.mark.parametrize("damage", ["manifest.json", "curve.parquet"])
    def test_a_damaged_member_is_run_again(self, copy, done, damage):
        folder = copy.parent / "runs" / "tiny" / "NDX-as-is-xbar"
        (folder / damage).write_text("{", encoding="utf-8")
        if damage.endswith("parquet"):
            (folder / damage).unlink()
        heard = Heard()
        again = made(copy, resume=True, progress=heard)
        assert heard.parts == ["NDX as is xbar (1 of 4)"]
        assert again.manifest["results_hash"] == done[0].manifest["results_hash"]

    def test_force_begins_anew_and_leaves_other_files(self, copy, done):
        folder = copy.parent / "runs" / "tiny"
        (folder / "notes.txt").write_text("mine", encoding="utf-8")
        heard = Heard()
        again = made(copy, force=True, progress=heard)
        assert len(heard.parts) == 4
        assert (folder / "notes.txt").exists()
        assert again.manifest["results_hash"] == done[0].manifest["results_hash"]


class TestInterrupted:
    def test_it_is_continued_where_it_stopped(self, done, tmp_path):
        path = write_project(tmp_path)
        stop = Heard(lambda at: at.part.startswith("NDX as is cross") and at.stage == "exact")
        with pytest.raises(KeyboardInterrupt):
            made(path, progress=stop)
        folder = tmp_path / "runs" / "tiny"
        told = manifest(folder)
        assert told["status"] == "running"
        statuses = [each["status"] for each in told["members"]]
        assert statuses == ["finished", "running", "waiting", "waiting"]
        assert not (folder / "results.parquet").exists()
        planned = plan_project(load_project(path, {"out": tmp_path / "runs"}))
        assert project_states(planned) == ["kept", "continues", "new", "new"]
        before = {p: at for p, at in stamps(folder).items() if p.parent.name == "NDX-as-is-xbar"}
        heard = Heard()
        after = made(path, resume=True, progress=heard)
        assert heard.parts == [f"{name} ({k} of 4)" for name, k in (
            ("NDX as is cross", 2), ("LATE as is xbar", 3), ("LATE as is cross", 4),
        )]  # fmt: skip
        assert before.items() <= stamps(folder).items()
        assert after.manifest["results_hash"] == done[0].manifest["results_hash"]

    def test_what_was_told_of_the_last_time_is_removed_first(self, copy):
        copy.write_text(TINY.replace("[5, 20]", "[5, 21]"), encoding="utf-8")
        with pytest.raises(KeyboardInterrupt):
            made(copy, resume=True, progress=Heard(lambda _at: True))
        folder = copy.parent / "runs" / "tiny"
        assert not (folder / "results.parquet").exists()
        assert not (folder / "portfolio.parquet").exists()


BROKEN = """
symbols:
  GONE: missing.csv
  SHORT: short.csv
  LATE: late.csv
  NEGATIVE: {bars: negative.csv, allow_nonpositive: true, contracts: 10}
bar_sizes: as is
strategies:
  xbar: {grid: {xbar: [5, 20]}}
  lost: {strategy: xbar, grid: lost.yaml}
  atr_d_l: {grid: small.yaml}
options: {in_sample: 504, out_of_sample: 252, report: false, capital: 100000}
"""
SMALL = """
atr_period: [8]
atr_multiplier: [4, 8]
bb_length: 35
bb_deviation: 3
vol_threshold: 0.18
min_tightening: 0.2
scaling_method: 0
atr_buy_period: 10
atr_buy_multiplier: 0.5
atr_smooth_period: 3
equity_price_method: 0
"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    path = write_project(folder, BROKEN, "broken.yaml")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    late = pl.read_csv(folder / "late.csv")
    late.head(400).write_csv(folder / "short.csv")
    prices = ("open", "high", "low", "close")
    late.with_columns(pl.col(prices) - 100).write_csv(folder / "negative.csv")
    return made(path)


class TestFailures:
    def reasons(self, broken):
        members = broken.manifest["members"]
        return {(each["symbol"], each["strategy"]): each["error"] for each in members}

    def test_one_that_fails_does_not_stop_the_others(self, broken):
        finished = broken.results.filter(pl.col("status") == "finished")
        named = list(zip(finished["symbol"], finished["strategy"], strict=True))
        assert named == [("LATE", "xbar"), ("LATE", "atr_d_l"), ("NEGATIVE", "xbar")]
        assert broken.manifest["status"] == "finished"
        assert broken.manifest["summary"]["failed"] == len(broken.failed) == 9
        assert broken.portfolio.columns[4:] == finished["folder"].to_list()

    def test_each_says_why(self, broken):
        why = self.reasons(broken)
        assert "No such file" in why["GONE", "xbar"]
        assert "400" in why["SHORT", "xbar"]
        assert "lost.yaml" in why["LATE", "lost"]
        assert "zero or less" in why["NEGATIVE", "atr_d_l"]
        assert why["LATE", "xbar"] is None

    def test_the_table_has_them_too(self, broken):
        failed = broken.results.filter(pl.col("status") == "failed")
        assert failed.height == 9
        assert failed["error"].null_count() == 0
        assert failed["net_profit"].null_count() == 9
        assert failed["folder"].null_count() == 9

    def test_what_was_mended_is_tried_again(self, tmp_path):
        text = "symbols: {A: a.csv, NDX: sample:nasdaq}\nstrategies: {xbar: {grid: {xbar: [5]}}}"
        path = write_project(tmp_path, text + "\noptions: {report: false}")
        assert [each["symbol"] for each in made(path).failed] == ["A"]
        shutil.copy(tmp_path / "late.csv", tmp_path / "a.csv")
        heard = Heard()
        again = made(path, resume=True, progress=heard)
        assert heard.parts == ["A as is xbar (1 of 2)"]
        assert again.failed == []

    def test_a_size_that_cannot_be_built_fails_alone(self, tmp_path):
        text = """
        symbols: {NDX: sample:nasdaq}
        bar_sizes: [60m, 1w]
        strategies: {xbar: {grid: {xbar: [5]}}}
        options: {report: false, in_sample: 104, out_of_sample: 52}
        """
        path = write_project(tmp_path, text)
        found = made(path)
        (failed,) = found.failed
        assert (failed["bar_size"], failed["status"]) == ("60m", "failed")
        assert "load finer bars" in failed["error"]
        # A week's money is there on its Friday.
        assert found.portfolio["date"].dt.weekday().unique().to_list() == [5]

    def test_a_fault_of_the_program_is_recorded_as_one(self, tmp_path):
        planned = plan_project(load_project(write_project(tmp_path), {"out": tmp_path / "runs"}))
        first = planned.members[0]
        bad = replace(first, plan=replace(first.plan, windows=None))
        found = run_project(
            planned.project, planned=replace(planned, members=(bad, *planned.members[1:]))
        )
        (failed,) = found.failed
        assert failed["status"] == "fault"
        assert failed["error"].startswith("meseta has a fault: AttributeError")
        assert "Traceback" in failed["trace"]
        assert found.results["status"].to_list() == ["fault"] + ["finished"] * 3

    def test_all_may_fail(self, tmp_path):
        text = "symbols: {A: none.csv}\nstrategies: xbar\noptions: {report: false}"
        path = write_project(tmp_path, text)
        found = made(path)
        assert found.portfolio is None
        assert found.manifest["portfolio"] is None
        assert found.manifest["summary"]["finished"] == 0
        assert not (found.folder / "portfolio.parquet").exists()


class TestFlat:
    def test_windows_without_a_choice_make_nothing(self, tmp_path):
        text = """
        symbols: {NDX: sample:nasdaq}
        strategies: {never: {strategy: xbar, grid: {xbar: [5]}, min_trades: 100000},
                     xbar: {grid: {xbar: [5]}}}
        options: {report: false, in_sample: 756, out_of_sample: 504}
        """
        found = made(write_project(tmp_path, text))
        row = found.results.row(0, named=True)
        assert row["flat"] == row["windows"]
        assert found.failed == []
        assert not found.portfolio["NDX-as-is-never"].to_numpy().any()
        assert set(found.portfolio["active"]) == {2}


class TestContracts:
    def test_a_fixed_number_of_contracts_is_held_as_it_was_traded(self, tmp_path):
        text = """
        symbols: {NDX: {bars: "sample:nasdaq", contracts: 1, point_value: 20}}
        strategies: {xbar: {grid: {xbar: [5, 20]}}}
        options: {report: false, in_sample: 756, out_of_sample: 504, capital: 1000000}
        """
        found = made(write_project(tmp_path, text))
        assert found.manifest["portfolio"]["members"]["NDX-as-is-xbar"]["curve"] == "exact"
        emulated = made(write_project(tmp_path, text), over={"exact": "never", "name": "other"})
        assert emulated.results["result"].to_list() == ["emulated"]
        held = emulated.manifest["portfolio"]["members"]["NDX-as-is-xbar"]
        assert held["curve"] == "emulated"


class TestReal:
    def test_intraday_data_of_different_markets(self, shared, tmp_path):
        data = shared / "data" / "intraday"
        path = tmp_path / "real.yaml"
        path.write_text(
            f"""
            symbols:
              CL: {{bars: {data}/CL_15m.csv.gz, timezone: America/New_York,
                   allow_nonpositive: true, contracts: 1, point_value: 1000, tick: 0.01,
                   cost_per_share: 5, slippage: 0.01, roll_cost: 30, rolls: monthly}}
              QQQ: {data}/QQQ_15m.csv.gz
            bar_sizes: [60m, 1d]
            strategies:
              xbar: {{grid: {{xbar: [5, 10, 20]}}}}
              ma_cross: {{grid: {{fast: [5, 10], slow: [40, 80], stop_ranges: 4}}}}
            options: {{capital: 100000, report: false, threads: 2}}
            """,
            encoding="utf-8",
        )
        found = made(path)
        assert found.failed == []
        assert found.results.height == 8
        assert found.results["windows"].min() >= 19
        # Bars of an hour and of a day are of the same sessions.
        days = found.results.with_columns(pl.col("last").dt.date())
        assert days.filter(pl.col("symbol") == "QQQ")["last"].n_unique() == 1
        weekdays = found.portfolio["date"].dt.weekday()
        assert weekdays.max() == 5  # the evening of a Sunday belongs to Monday
        assert found.portfolio["active"].max() == 8
        held = found.manifest["portfolio"]
        assert {each["curve"] for each in held["members"].values()} == {"exact", "emulated"}
        assert held["target"] / 8 < held["deviation"] < 1.5 * held["target"]


def test_the_example_runs(tmp_path):
    over = {"out": tmp_path, "report": False}
    found = run_project(load_project(ROOT / "examples" / "project.yaml", over))
    assert found.failed == []
    assert found.results.height == 12
