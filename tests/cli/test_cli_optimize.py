"""`meseta optimize`, `analyze` and `cleanup` from the command line."""

from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing

import polars as pl
import pytest
import yaml

from meseta.errors import RunError
from optimize_market import EASY, write_market

CSV = [
    "id", "score", "is_valid", "timestamp", "duration_seconds", "sharpe_ratio", "profit_factor",
    "calmar_ratio", "max_drawdown_pct", "total_trades", "win_rate_pct", "total_return_pct",
    "grid.grid_step_bps", "grid.grid_levels_long", "grid.grid_levels_short", "grid.base_qty",
    "grid.qty_scale", "exit.tp_steps", "exit.sl_steps",
]  # fmt: skip


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    return write_market(tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="module")
def easy(bars, tmp_path_factory):
    """A file with the options of a short study on the market."""
    path = tmp_path_factory.mktemp("options") / "study.yaml"
    options = {
        "bars": str(bars),
        "funding": str(bars.with_name("btc_funding.csv")),
        "constraints": EASY,
        "trials": 6,
        "startup_trials": 4,
        "workers": 1,
        "timeout": 0,
        "report": False,
    }
    path.write_text(yaml.safe_dump(options), encoding="utf-8")
    return path


class TestOptimize:
    def test_help_names_every_way_in(self, meseta):
        told = meseta("optimize", "--help")
        assert told.code == 0
        for option in ("--funding", "--null", "--walk-forward", "--resume", "-b", "-s"):
            assert option in told.out
        assert "Exit code 2 where no trial meets" in " ".join(told.out.split())

    def test_it_says_what_it_does_and_what_it_found(self, meseta, easy, tmp_path):
        told = meseta("optimize", "--config", easy, "--study-name", "btc", "-n", 8)
        assert told.code == 0, told
        assert "btc: 8 trials, tpe, seed 0, in batches of 4 by 1 workers" in told.out
        assert "Assumed: the funding guard knows the last settled rate" in told.out
        assert "In-sample beside the vault" in told.out
        assert "expected of the best of" in told.out
        assert "Optimising: 100 %, 8 of 8" in told.err
        summary = json.loads((tmp_path / "runs" / "btc" / "summary.json").read_text())
        assert summary["verdict"] in told.out
        assert f"Best: trial {summary['best']['trial']}" in told.out
        assert (tmp_path / "runs" / "btc" / "btc_best.yaml").is_file()

    def test_a_confirmation_that_cannot_be_is_refused_before_work_starts(
        self, meseta, easy, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("meseta.confirm._engine._PACKAGE", "no-such-engine")
        told = meseta("optimize", "--config", easy, "--study-name", "sure", "--confirm", 2)
        assert told.code == 2
        assert "NautilusTrader" in told.err
        assert "--extra nautilus" in told.err
        told = meseta("optimize", "--strategy", "xbar", "--bars", "sample:nasdaq", "--confirm", 2)
        assert told.code == 2
        assert "`confirm` is for the hedge grid on one market, got 2" in told.err
        assert not (tmp_path / "runs").exists()

    def test_a_study_is_no_failure_where_nobody_asked_for_a_confirmation(
        self, meseta, easy, monkeypatch
    ):
        def fails(folder, *, top):
            raise RunError(f"trial {top} took too long")

        monkeypatch.setattr("meseta.confirm.require_engine", lambda: None)
        monkeypatch.setattr("meseta.cli._optimize.confirm_folder", fails)
        told = meseta("optimize", "--config", easy, "--study-name", "free", "-n", 8)
        assert told.code == 0
        assert "the study is finished, and not confirmed: trial 1 took too long" in told.err
        told = meseta("optimize", "--config", easy, "--study-name", "asked", "--confirm", 2)
        assert told.code == 1
        assert "trial 2 took too long" in told.err

    def test_later_files_win_and_the_command_line_over_all(self, meseta, easy, tmp_path):
        backtest = tmp_path / "backtest.yaml"
        backtest.write_text("capital: 20000\nseed: 3\ninstrument: {taker_fee: 0.001}\n")
        strategy = tmp_path / "mine.yaml"
        strategy.write_text("grid: {grid_step_bps: 33}\nregime: {adx_threshold: 15}\n")
        told = meseta(
            "optimize", "--config", easy, "-b", backtest, "-s", strategy, "--seed", 4,
            "--instrument", "maker_fee=0.0001", "--weights", "sharpe=1,profit=0.5",
            "--min-trades", 2, "--lenient", "--no-verbose", "--name", "files",
        )  # fmt: skip
        assert told.code == 0, told
        assert "Assumed" not in told.out
        assert told.err == ""
        manifest = json.loads((tmp_path / "runs" / "files" / "manifest.json").read_text())
        config = manifest["config"]
        assert (config["seed"], config["capital"], config["trials"]) == (4, 20_000, 6)
        fees = {name: config["instrument"][name] for name in ("maker_fee", "taker_fee")}
        assert fees == {"maker_fee": 0.0001, "taker_fee": 0.001}
        assert config["instrument"]["adx_threshold"] == 15
        assert config["constraints"]["min_trades"] == 2
        assert config["constraints"]["min_sharpe"] == EASY["min_sharpe"]
        assert manifest["objective"]["sharpe"] == 1
        assert manifest["constraints"]["strict"] is False
        assert manifest["base"]["grid"] == {"grid_step_bps": 33}

    def test_none_feasible_is_exit_code_2(self, meseta, easy, tmp_path):
        told = meseta(
            "optimize", "--config", easy, "--min-sharpe", 400, "--name", "none",
            "--best-infeasible",
        )  # fmt: skip
        assert told.code == 2, told
        assert "Constraints, of 6 complete trials" in told.out
        assert "Sharpe at least 400.00" in told.out
        assert "Nearest misses, in-sample" in told.out
        assert "misses Sharpe ratio" in told.out
        assert "min_sharpe" not in told.out
        assert (tmp_path / "runs" / "none" / "none_best_infeasible.yaml").is_file()
        assert not (tmp_path / "runs" / "none" / "none_best.yaml").exists()

    def test_trade_offs_are_a_table(self, meseta, easy):
        told = meseta(
            "optimize", "--config", easy, "--sampler", "nsga2", "--name", "many", "--vault", 0
        )
        assert told.code == 0, told
        assert "Trade-offs of return, drawdown and Sharpe: " in told.out

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            (("--trials", 0), "`trials` must be greater than or equal to 1, got 0"),
            (("--vault", "half"), "`vault` must be a share of the data such as 20%"),
            (("--instrument", "tick"), "`instrument` must be NAME=VALUE, got 'tick'"),
            (("--instrument", "tik=1"), "did you mean tick?"),
            (("--weights", "sharpe=x"), "`objective.sharpe` must be a valid number"),
            (("--preset", "wild"), "did you mean wide?"),
            (("--commission", 0.1), "`commission` is not for hedge_grid"),
            (("--in-sample", 3), "`in_sample` is for --walk-forward"),
            (("--storage", "sqlite:///x.db"), "`storage` must be a PostgreSQL address"),
            (("--max-drawdown", 20), "`max_drawdown` is a fraction"),
            (("--aggregate", "worst"), "`aggregate` is for several --bars"),
        ],
    )
    def test_wrong_options_are_refused_before_anything_is_done(
        self, meseta, easy, tmp_path, options, told
    ):
        result = meseta("optimize", "--config", easy, *options)
        assert result.code == 2
        assert told in result.err
        assert not (tmp_path / "runs").exists()

    def test_files_that_cannot_take_the_results_are_refused_before_and_left_alone(
        self, meseta, easy, tmp_path
    ):
        notes, other, folder = (tmp_path / name for name in ("notes.txt", "other.db", "folder"))
        notes.write_text("mine, and no database at all\n" * 40)
        with closing(sqlite3.connect(other)) as link:
            link.execute("CREATE TABLE trials (mine TEXT)")
        folder.mkdir()
        kept = {path: path.read_bytes() for path in (notes, other)}
        for option, path, why in (
            ("--db-path", notes, "is damaged: file is not a database"),
            ("--db-path", other, "is a database, but not one of results"),
            ("--export-csv", folder, "it is a folder; choose another file"),
        ):
            told = meseta("optimize", "--config", easy, option, path)
            assert told.code == 1, told
            assert why in told.err
        assert kept == {path: path.read_bytes() for path in kept}
        assert not (tmp_path / "runs").exists()

    def test_a_study_in_the_way_is_told(self, meseta, easy):
        first = meseta("optimize", "--config", easy, "--name", "twice")
        assert first.code == 0
        again = meseta("optimize", "--config", easy, "--name", "twice")
        assert again.code == 1
        assert "holds a finished run; choose another --name" in again.err
        more = meseta("optimize", "--config", easy, "--name", "twice", "-n", 7, "--resume")
        assert more.code == 0
        assert "Trials  7" in more.out

    def test_a_symbol_brings_what_is_stored_of_it(self, meseta, bars, tmp_path):
        for path, more in (
            (bars, ("--interval", "5m", "--timezone", "UTC", "--stamp", "open")),
            (bars.with_name("btc_funding.csv"), ("--kind", "funding")),
        ):
            assert meseta("data", "import", path, "--symbol", "BTC", *more).code == 0
        told = meseta(
            "optimize", "--symbol", "BTC", "--interval", "5m", "--start", "2025-03-04",
            "-n", 4, "--timeout", 0, "--workers", 1, "--no-report", "--name", "stored",
        )  # fmt: skip
        assert "BTC, 3,744 bars of 5m, 2025-03-04 to 2025-03-16 23:55 (UTC)" in told.out
        assert "the funding guard knows the last settled rate" in told.out
        assert (tmp_path / "runs" / "stored" / "funding.parquet").is_file()

    def test_ctrl_c_keeps_what_was_finished(self, start, easy, tmp_path):
        process = start(
            "optimize", "--config", easy, "-n", 150, "--name", "long",
            cwd=tmp_path, home=tmp_path / "home",
        )  # fmt: skip
        for line in process.stderr:
            if line.startswith("Optimising:"):
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "What was finished is kept. Continue with:" in err
        assert "--name long --resume" in err
        frame = pl.read_parquet(tmp_path / "runs" / "long" / "trials.parquet")
        assert 0 < frame.height < 150


class TestAnalyze:
    @pytest.fixture
    def study(self, meseta, easy, tmp_path):
        told = meseta(
            "optimize", "--config", easy, "-n", 20, "--name", "btc", "--no-verbose",
            "--db-path", tmp_path / "all.db", "--export-csv", tmp_path / "trials.csv",
        )  # fmt: skip
        assert told.code == 0, told
        return tmp_path / "runs" / "btc"

    def test_a_study_is_shown_exported_and_cleaned_up(self, meseta, study, tmp_path):
        told = meseta("analyze", "btc", "-n", 3, "--export-csv", "again.csv")
        assert told.code == 0, told
        summary = json.loads((study / "summary.json").read_text())
        assert "Best trials" in told.out
        assert "Importance (PED-ANOVA)" in told.out
        assert "Constraints, of 20 complete trials" in told.out
        assert summary["verdict"] in told.out
        made, again = (pl.read_csv(tmp_path / name) for name in ("trials.csv", "again.csv"))
        assert made.columns[: len(CSV)] == CSV
        assert made["id"].to_list() == list(range(20))
        assert again.equals(made)
        trials = pl.read_parquet(study / "trials.parquet")
        assert made["max_drawdown_pct"].to_list() == pytest.approx(
            [100 * each for each in trials["max_drawdown"]]
        )
        self.same_from_the_file(meseta, study, tmp_path)
        self.cleaned(meseta, study)
        self.without_trials(meseta, study)

    def without_trials(self, meseta, study):
        with closing(sqlite3.connect(study / "results.db")) as link, link:
            link.execute("DELETE FROM trials")
        told = meseta("analyze", "btc", "--export-csv", "none.csv")
        assert told.code == 1
        assert "has no trials yet; let it run on" in told.err

    def same_from_the_file(self, meseta, study, tmp_path):
        told = meseta("analyze", "btc", "-n", 3, "--db-path", tmp_path / "all.db")
        assert told.code == 0, told
        best = json.loads((study / "summary.json").read_text())["best"]["trial"]
        top = told.out.split("Best trials")[1].splitlines()[2]
        assert top.split()[0] == str(best)
        wrong = meseta("analyze", "eth", "--db-path", tmp_path / "all.db")
        assert wrong.code == 2
        assert "no study 'eth'" in wrong.err

    def cleaned(self, meseta, study):
        before = (study / "optuna.db").read_bytes()
        told = meseta("cleanup", "btc", "--keep-top-n", 4)
        assert told.code == 0, told
        assert "16 trials of btc removed, at most 4 kept" in told.out
        assert (study / "optuna.db").read_bytes() == before
        with sqlite3.connect(study / "results.db") as link:
            assert link.execute("SELECT count(*) FROM trials").fetchone() == (4,)

    def test_no_study_is_told(self, meseta, tmp_path):
        assert "there is no run folder nope" in meseta("analyze", "nope").err
        (tmp_path / "runs" / "other").mkdir(parents=True)
        assert "no run folder: it has no manifest.json" in meseta("analyze", "other").err
        told = meseta("analyze", "x", "--top-n", 0)
        assert told.code == 2
