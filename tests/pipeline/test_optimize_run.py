"""A study from its options to its folder."""

from __future__ import annotations

import json
import os
import shlex
import signal
from dataclasses import asdict, replace

import numpy as np
import polars as pl
import pytest
import yaml

import meseta as ms
from meseta.bayes import read_results
from meseta.bayes._luck import expected_best_sharpe
from meseta.errors import ArgumentError, DataError, RunError
from meseta.hedge import BASELINE
from meseta.pipeline import open_study, optimize, plan_optimize
from meseta.pipeline._optimize_null import null_summary
from meseta.pipeline._optimize_tables import METRICS
from meseta.strategy_file import SECTIONS, read_strategy, strategy_of
from optimize_market import EASY, QUICK, config_of, prices, write_market

BASE = """
# of a trader
strategy: {name: mine, instrument_id: BTCUSDT-PERP.BINANCE, since: 2024-05-01}
grid: {grid_step_bps: 40, grid_levels_long: 5, grid_levels_short: 4, base_qty: 0.004}
exit: {tp_steps: 2, sl_steps: 6}
execution: {maker_only: true}
regime: {adx_threshold: 25}
position: {max_position_pct: 80, emergency_liquidation_buffer: 0.15}
"""
# Of a table of trials, what the clock decides.
CLOCK = ["duration", "started_at", "attempts"]


@pytest.fixture(scope="module")
def bars(tmp_path_factory):
    return write_market(tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "mine.yaml"
    path.write_text(BASE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def done(bars, base, tmp_path_factory):
    """A finished study with a strategy file, null markets and windows; not to be changed."""
    out = tmp_path_factory.mktemp("runs")
    config = config_of(
        bars, out, strategy_config=base, null_markets=2, walk_forward=True, in_sample=4,
        out_of_sample=4, report=True,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESETA_HOME", str(out / "home"))
        return optimize(plan_optimize(config), command="meseta optimize it")


def made(config, **options):
    return optimize(plan_optimize(config, resume=options.get("resume", False)), **options)


def table(result, name):
    return pl.read_parquet(result.folder / f"{name}.parquet")


def trials_of(result):
    return table(result, "trials").drop(CLOCK)


class TestFolder:
    def test_every_trial_is_told_as_it_was_run(self, done):
        frame = table(done, "trials")
        _, trials = read_results(done.folder)
        assert frame["number"].to_list() == list(range(12)) == [t.number for t in trials]
        for trial, row in zip(trials, frame.iter_rows(named=True), strict=True):
            assert {n: row[f"param_{n}"] for n in trial.params} == dict(trial.params)
            assert row["score"] == trial.score
            assert row["trades"] == trial.metrics.trades

    def test_the_best_is_the_feasible_trial_of_the_highest_score(self, done):
        frame = table(done, "trials").filter("feasible").sort("score", descending=True)
        assert done.summary["best"]["trial"] == frame["number"][0]
        assert done.summary["feasible"] == frame.height

    def test_both_sides_of_the_edge_are_what_the_strategy_makes_there(self, done):
        plan, told = done.plan, done.summary["best"]
        assert plan.problem.span[1] == plan.vault.span[0]
        for part, problem in (("in_sample", plan.problem), ("out_of_sample", plan.vault)):
            metrics = asdict(problem.evaluator().metrics(told["params"]))
            assert told[part]["total_return"] == metrics["total_return"]
            assert told[part]["trades"] == metrics["trades"]

    def test_spans_hold_the_best_ten_on_both_sides(self, done):
        spans = table(done, "spans")
        assert set(METRICS) <= set(spans.columns)
        assert spans["part"].value_counts().sort("part")["count"].to_list() == [10, 10]
        assert spans["trial"][0] == done.summary["best"]["trial"]
        assert spans["rank"].to_list() == sorted(spans["rank"].to_list())

    def test_equity_is_that_of_both_spans(self, done):
        equity, told = table(done, "equity"), done.summary["best"]
        inside = equity.filter(pl.col("part") == "in-sample")
        outside = equity.filter(pl.col("part") == "out-of-sample")
        assert inside.height == np.diff(done.plan.problem.span)[0]
        assert outside.height == np.diff(done.plan.vault.span)[0]
        assert inside["equity"][-1] == told["in_sample"]["final_equity"]
        assert outside["equity"][-1] == told["out_of_sample"]["final_equity"]
        costs = inside["realised"] + inside["unrealised"] - inside["fees"] - inside["funding"]
        np.testing.assert_allclose(inside["equity"], 10_000 + costs)
        lots = table(done, "lots").filter(pl.col("part") == "in-sample")
        closed = lots.filter(pl.col("reason") != "end")
        assert closed.height == told["in_sample"]["trades"]

    def test_the_manifest_says_what_was_done(self, done):
        manifest = json.loads((done.folder / "manifest.json").read_text())
        assert manifest["status"] == "finished"
        assert manifest["kind"] == "optimize"
        assert manifest["command"] == "meseta optimize it"
        assert manifest["spans"]["in_sample"][1] == manifest["spans"]["vault"][0]
        assert manifest["vault"]["opened"] >= 1
        assert [row["name"] for row in manifest["space"]["rows"]] == list(BASELINE)
        assert any(
            "funding guard knows the last settled rate" in a for a in manifest["assumptions"]
        )
        assert "lots that are open at the end" in manifest["assumptions"][-1]
        assert any("taken for per cent" in warning for warning in manifest["warnings"])

    def test_the_page_is_there(self, done):
        assert done.report == done.folder / "report.html"
        assert "<html" in done.report.read_text(encoding="utf-8")[:2000]

    def test_the_funnel_counts(self, done):
        frame, funnel = table(done, "trials"), done.summary["funnel"]
        many = {each["constraint"]: each for each in funnel}
        enough = frame.filter(pl.col("trades") >= EASY["min_trades"]).height
        assert many["min_trades"]["passed"] == enough
        so_far = [each["passed_so_far"] for each in funnel]
        assert so_far == sorted(so_far, reverse=True)
        assert so_far[-1] == done.summary["feasible"]

    def test_luck_is_that_of_the_trials(self, done):
        luck = done.summary["luck"]
        sharpes = table(done, "trials").drop_nulls("score")["sharpe"]
        assert luck["trials"] == len(sharpes)
        assert luck["sharpe_variance"] == pytest.approx(sharpes.var())
        noise = expected_best_sharpe(sharpes.var(), len(sharpes))
        assert luck["sharpe_expected_of_noise"] == pytest.approx(noise)
        assert 0 <= luck["deflated_sharpe"] <= 1

    def test_null_markets_are_searched_as_the_true_one(self, done):
        null, frame = done.summary["null"], table(done, "null")
        assert frame["seed"].to_list() == [1, 2]
        assert frame["trials"].to_list() == [12, 12]
        assert null["score"] == max(t.fixed_score for t in done.result.trials if t.fixed_score)
        assert null["p_score"] == (1 + null["as_good"]) / 3

    def test_windows_are_walked_with_transfer_and_without(self, done):
        windows, curve = table(done, "windows"), table(done, "windows_curve")
        assert windows["warm"].to_list() == [True, True, False, False]
        walk = done.summary["windows"]
        assert (walk["windows"], walk["warm_start"]) == (2, True)
        assert set(walk["changed"]) >= {"better", "worse", "final_equity"}
        stop = done.plan.bars.time[done.plan.problem.span[1] - 1]
        assert curve["time"].max() == stop.item()

    def test_it_opens_again_from_its_folder_alone(self, done):
        opened = open_study(done.folder)
        assert opened.problem.fingerprint == done.plan.problem.fingerprint
        assert opened.plan.space.fingerprint == done.plan.space.fingerprint
        assert opened.plan.vault.fingerprint == done.plan.vault.fingerprint
        assert opened.plan.first == done.plan.first
        assert opened.trials == done.result.trials
        assert opened.summary == done.summary


class TestStrategyFile:
    def test_the_base_is_the_first_trial(self, done):
        first = done.result.trials[0].params
        assert first["grid_step_bps"] == 40
        assert first["max_position_pct"] == 0.8
        assert first["ema_slow"] == BASELINE["ema_slow"]
        assert done.plan.settings.adx_threshold == 25

    def test_the_best_file_holds_what_was_run(self, done):
        best = done.summary["best"]
        assert done.best_file == done.folder / "study_best.yaml"
        assert read_strategy(done.best_file).params == best["params"]
        assert read_strategy(done.best_file).settings["adx_threshold"] == 25

    def test_other_keys_of_the_base_are_kept(self, done):
        content = yaml.safe_load(done.best_file.read_text())
        assert set(SECTIONS) <= set(content)
        assert content["strategy"]["instrument_id"] == "BTCUSDT-PERP.BINANCE"
        assert content["execution"] == {"maker_only": True}
        assert content["position"]["emergency_liquidation_buffer"] == 0.15
        assert content["policy"]["strategy"] == "throttled-counter"
        assert content["funding"]["funding_window_minutes"] == 480

    def test_the_heading_says_where_it_comes_from(self, done):
        text = done.best_file.read_text()
        assert (
            f"# study study: trial {done.summary['best']['trial']} of 12, in-sample score" in text
        )
        assert f"# {done.summary['verdict']}\n" in text
        assert f"fingerprint {done.plan.problem.fingerprint}" in text
        assert "# in-sample 2025-03-03T00:00:00 to " in text

    def test_mistyped_names_are_told(self):
        content = {"gird": {"tp_steps": 2}, "grid": {"grid_step_bp": 40}, "execution": {"x": 1}}
        step, section = sorted(strategy_of(content, "mine.yaml").notes)
        assert step.startswith("`grid.grid_step_bp` of mine.yaml means nothing to a hedge grid")
        assert "did you mean grid_step_bps?" in step
        assert section.startswith("section `gird` of mine.yaml means nothing")
        assert section.endswith("did you mean grid?")


class TestVault:
    def test_no_trial_reads_it(self, done, bars, base, tmp_path):
        frame = prices()
        edge = done.plan.vault.span[0]
        crash = pl.when(pl.int_range(pl.len()) >= edge).then(0.5).otherwise(1.0)
        other = frame.with_columns(
            (pl.col(c) * crash).round(1) for c in ("open", "high", "low", "close")
        )
        path = write_market(tmp_path)
        other.write_csv(path)
        again = made(config_of(path, tmp_path, strategy_config=base))
        assert trials_of(again).equals(trials_of(done))
        assert again.summary["best"]["in_sample"] == done.summary["best"]["in_sample"]
        assert again.summary["best"]["out_of_sample"] != done.summary["best"]["out_of_sample"]

    def test_every_opening_counts(self, tmp_path):
        config = config_of(write_market(tmp_path, seed=5), tmp_path, trials=4)
        assert made(config).manifest["vault"]["opened"] == 1
        assert made(config, force=True).manifest["vault"]["opened"] == 2

    def test_none_is_none(self, bars, tmp_path):
        result = made(config_of(bars, tmp_path, trials=6, vault=0))
        assert result.manifest["vault"] is None
        assert result.plan.problem.span[1] == len(result.plan.bars)
        assert set(table(result, "spans")["part"]) == {"in-sample"}
        assert "there is no vault to say what it makes" in result.summary["verdict"]

    def test_it_may_be_months(self, bars, tmp_path):
        plan = plan_optimize(config_of(bars, tmp_path, vault=0.1))
        first = plan.bars.time[plan.vaults[0][0]]
        assert plan.bars.time[-1] - first < np.timedelta64(74, "h")
        assert plan.bars.time[-1] - first > np.timedelta64(72, "h")


class TestResume:
    def test_more_trials_are_those_of_a_longer_study(self, bars, tmp_path):
        made(config_of(bars, tmp_path, trials=6))
        longer = made(config_of(bars, tmp_path, trials=10), resume=True)
        whole = made(config_of(bars, tmp_path, trials=10, name="whole"))
        assert trials_of(longer).equals(trials_of(whole))

    def test_an_interrupted_study_is_kept_and_continued(self, bars, tmp_path):
        config = config_of(bars, tmp_path, trials=10)

        def interrupt(at):
            if at.stage == "study" and at.done == 5:
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            made(config, progress=interrupt)
        folder = tmp_path / "study"
        assert json.loads((folder / "manifest.json").read_text())["status"] == "interrupted"
        assert 5 <= pl.read_parquet(folder / "trials.parquet").height < 10
        assert not (folder / "summary.json").exists()
        assert len(open_study(folder).trials) >= 5
        with pytest.raises(RunError, match="unfinished run; continue it with --resume"):
            made(config)
        whole = made(config_of(bars, tmp_path, trials=10, name="whole"))
        assert trials_of(made(config, resume=True)).equals(trials_of(whole))

    def test_what_differs_is_refused(self, done, bars, base):
        out = done.folder.parent
        options = {"strategy_config": base, "trials": 20}
        for changes, told in (
            ({"seed": 1}, r"other options: seed \(0, now 1\); continue"),
            ({"preset": "wide"}, r"preset \(None, now 'wide'\); the space"),
            (
                {"instrument": {"maker_fee": 0.001}},
                r"instrument\.maker_fee \(0\.0002, now 0\.001\); the data",
            ),
            ({"start": "2025-03-04"}, r"start \(None, now '2025-03-04'\); the data"),
        ):
            with pytest.raises(RunError, match=told):
                made(config_of(bars, out, **options, **changes), resume=True)

    def test_another_version_is_refused_and_loses_nothing(self, done, bars, base, monkeypatch):
        before = (done.folder / "manifest.json").read_bytes()
        monkeypatch.setattr("meseta.bayes._record.version", lambda _name: "99")
        with pytest.raises(RunError, match=r"cannot be resumed.*the code \(meseta "):
            made(config_of(bars, done.folder.parent, strategy_config=base, trials=20), resume=True)
        assert (done.folder / "manifest.json").read_bytes() == before
        assert (done.folder / "summary.json").is_file()

    def test_a_damaged_store_ends_a_run_and_the_next_goes_on(self, bars, tmp_path):
        first = made(config_of(bars, tmp_path, trials=4))
        before = trials_of(first)
        (first.folder / "results.db").write_bytes(b"no database" * 500)
        more = config_of(bars, tmp_path, trials=6)
        with pytest.raises(RunError, match="set aside"):
            made(more, resume=True)
        manifest = json.loads((first.folder / "manifest.json").read_text())
        assert manifest["status"] == "interrupted"
        assert trials_of(made(more, resume=True)).head(4).equals(before)

    def test_a_finished_study_needs_more_trials(self, done):
        with pytest.raises(RunError, match="finished study of 12 trials; raise --trials"):
            optimize(done.plan, resume=True)
        with pytest.raises(RunError, match="holds a finished run; choose another --name"):
            optimize(done.plan)

    def test_another_kind_of_folder_is_left_alone(self, bars, tmp_path):
        (tmp_path / "study").mkdir()
        (tmp_path / "study" / "manifest.json").write_text('{"kind": "walkforward"}')
        with pytest.raises(RunError, match="holds no study"):
            made(config_of(bars, tmp_path), resume=True)
        with pytest.raises(RunError, match="holds no study"):
            open_study(tmp_path / "study")


class TestNoneFeasible:
    def test_the_nearest_misses_are_told(self, bars, tmp_path):
        hard = EASY | {"min_sharpe": 500.0, "min_trades": 9}
        result = made(config_of(bars, tmp_path, constraints=hard, trials=8))
        assert result.summary["best"] is None
        assert result.best_file is None
        assert not list(result.folder.glob("*_best*.yaml"))
        near = result.summary["nearest"]
        assert [each["violation"] for each in near] == sorted(e["violation"] for e in near)
        assert "min_sharpe" in near[0]["violated"]
        assert result.summary["verdict"].startswith("Nothing worth having: none of 8 trials")
        assert table(result, "spans").height

    def test_a_file_of_the_nearest_on_request(self, bars, tmp_path):
        hard = EASY | {"min_sharpe": 500.0}
        config = config_of(bars, tmp_path, constraints=hard, trials=6, best_infeasible=True)
        result = made(config)
        assert result.best_file == result.folder / "study_best_infeasible.yaml"
        assert "# it misses Sharpe ratio" in result.best_file.read_text()

    def test_one_may_be_missed_where_that_is_wanted(self, bars, tmp_path):
        hard = EASY | {"min_sharpe": 500.0}
        result = made(config_of(bars, tmp_path, constraints=hard, trials=6, lenient=True))
        assert result.summary["best"]["violated"] == ["min_sharpe"]


class TestOtherStrategies:
    def test_a_strategy_of_the_registry(self, tmp_path):
        config = config_of(
            tmp_path / "x.csv", tmp_path, strategy="xbar", bars="sample:nasdaq", funding=[],
            grid={"xbar": [3, 5, 8, 13, 21, 34, 55]}, capital=1_000_000.0, trials=6,
            end="2004-12-31", vault=12,
        )  # fmt: skip
        result = made(config)
        assert result.plan.bars.time[-1] == np.datetime64("2004-12-31")
        assert result.plan.bars.time[result.plan.vaults[0][0]] == np.datetime64("2004-01-02")
        assert table(result, "equity").columns == ["time", "equity", "part"]
        assert not (result.folder / "lots.parquet").exists()
        told = result.summary["best"] or result.summary["nearest"][0]
        assert told["params"]["xbar"] in {3, 5, 8, 13, 21, 34, 55}
        opened = open_study(result.folder)
        assert opened.problem.fingerprint == result.plan.problem.fingerprint

    def test_several_instruments_share_the_edge(self, bars, tmp_path):
        second = write_market(tmp_path, "eth", seed=9, price=60_000.0)
        frame = pl.read_csv(second)
        frame[300:].write_csv(second)
        rates = [p.with_name(f"{p.stem}_funding.csv") for p in (bars, second)]
        config = config_of(
            bars, tmp_path, bars=[str(bars), str(second)], funding=[str(p) for p in rates],
            aggregate="worst", trials=6, instrument={"min_notional": 5.0},
        )  # fmt: skip
        result = made(config)
        plan = result.plan
        edges = {
            each.bars.time[a] for each, (a, _) in zip(plan.instruments, plan.vaults, strict=True)
        }
        assert len(edges) == 1
        told = result.summary["best"] or result.summary["nearest"][0]
        each = [p.evaluator().metrics(told["params"]) for p in plan.problem.problems]
        assert told["in_sample"]["trades"] == min(m.trades for m in each)
        assert (result.folder / "bars-2.parquet").is_file()
        opened = open_study(result.folder)
        assert opened.problem.fingerprint == plan.problem.fingerprint

    def test_trade_offs_of_several_objectives(self, bars, tmp_path):
        result = made(config_of(bars, tmp_path, sampler="nsga2", population=4, trials=8))
        assert result.summary["multi"]
        front = set(result.summary["pareto"])
        returns = {t.number: t.metrics.total_return for t in result.result.trials if t.metrics}
        assert max(returns, key=returns.get) in front


class TestSpace:
    def test_a_first_rung_is_an_order_at_the_lowest_price_in_sample(self, tmp_path):
        # 0.002 is worth 100 at the highest price and less at the lowest.
        plan = plan_optimize(config_of(write_market(tmp_path, price=50_000.0), tmp_path))
        base = next(each for each in plan.space.dependents if each.name == "base_qty")
        start, stop = plan.problem.span
        lowest = plan.problem.market.bars.low[start:stop].min()
        assert base.low * lowest >= 100 > (base.low - 0.001) * lowest
        assert any("`base_qty` is searched from 0.003" in each for each in plan.warnings)


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "error", "told"),
        [
            ({"bars": "nope.csv"}, DataError, "nope.csv"),
            ({"preset": "fast"}, ArgumentError, "did you mean fast-1m"),
            ({"vault": 12}, ArgumentError, "must leave a history to search"),
            ({"vault": "99.99%"}, ArgumentError, "must leave 4 bars before it"),
            ({"start": "2026-01-01"}, ArgumentError, "must leave bars of btc"),
            ({"end": "soon"}, ArgumentError, "`end` must be a date such as"),
            ({"strategy": "hedge_gird", "funding": []}, ArgumentError, "did you mean hedge_grid"),
            ({"space": {"tp_steps": {"low": 5, "high": 2}}}, ArgumentError, "tp_steps"),
            ({"walk_forward": True, "in_sample": 50}, DataError, "sessions"),
            ({"strategy": "atr_d_l", "funding": []}, ArgumentError, r"with --grid \(ts_coarse"),
        ],
    )
    def test_before_anything_is_written(self, bars, tmp_path, changes, error, told):
        with pytest.raises(error, match=told):
            plan_optimize(config_of(bars, tmp_path / "runs", **changes))
        assert not (tmp_path / "runs").exists()

    def test_a_strategy_file_that_cannot_be_run(self, bars, tmp_path):
        path = tmp_path / "wrong.yaml"
        for text, told in (
            ("regime: {ema_fast: 40, ema_slow: 30}", "`ema_fast` must be below `ema_slow`"),
            ("grid: {grid_levels_long: 4.5}", "`grid.grid_levels_long` of the strategy file"),
            ("grid: 7", "section `grid` of the strategy file"),
            ("policy: {strategy: martingale}", "`instrument.policy` must be"),
            ("- 1", "must have sections such as"),
        ):
            path.write_text(text, encoding="utf-8")
            with pytest.raises(ArgumentError) as caught:
                plan_optimize(config_of(bars, tmp_path / "runs", strategy_config=path))
            assert told in str(caught.value)
        assert not (tmp_path / "runs").exists()

    def test_gaps_unless_they_are_allowed(self, tmp_path):
        path = write_market(tmp_path)
        frame = pl.read_csv(path)
        pl.concat([frame[:500], frame[520:]]).write_csv(path)
        with pytest.raises(DataError, match="20 bars of 5m are missing, first after"):
            plan_optimize(config_of(path, tmp_path))
        plan = plan_optimize(config_of(path, tmp_path, allow_gaps=True))
        assert any("orders rest through a gap" in each for each in plan.assumptions)

    def test_funding_that_may_be_per_cent_is_doubted(self, tmp_path):
        bars = write_market(tmp_path)
        rates = bars.with_name("btc_funding.csv")
        assert not any("per cent" in w for w in plan_optimize(config_of(bars, tmp_path)).warnings)
        pl.read_csv(rates).with_columns(pl.col("funding_rate") * 100).write_csv(rates)
        (told,) = (w for w in plan_optimize(config_of(bars, tmp_path)).warnings if "per cent" in w)
        assert "they are taken for fractions" in told
        assert str(rates) in told

    def test_the_password_of_a_storage_is_not_written(self, bars, tmp_path):
        from meseta.pipeline._optimize import _begin

        for url, told in (
            ("postgresql://me:secret@host:5432/a", "postgresql://me:***@host:5432/a"),
            ("postgresql://host/a?password=secret&user=me", "host/a?password=***&user=me"),
        ):
            plan = plan_optimize(config_of(bars, tmp_path, storage=url))
            text = json.dumps(_begin(plan, f"meseta optimize --storage {shlex.quote(url)}"))
            assert "secret" not in text
            assert text.count(told) == 2


def test_a_null_market_without_a_score_is_worse(done):
    frame = pl.DataFrame(
        {
            "seed": [1, 2, 3],
            "score": [None, 99.0, -99.0],
            "sharpe": [None, 1.0, 1.0],
            "total_return": [None, 0.0, 0.0],
            "feasible": [0, 0, 0],
        }
    )
    found = null_summary(frame, done.result.trials)
    assert found["as_good"] == 1
    assert found["p_score"] == 0.5
    assert null_summary(frame, [])["p_score"] is None


def test_null_markets_go_on_where_they_were_stopped(bars, tmp_path):
    def interrupt(at):
        if at.stage == "null" and at.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(config_of(bars, tmp_path, trials=4, null_markets=3), progress=interrupt)
    folder = tmp_path / "study"
    assert json.loads((folder / "manifest.json").read_text())["status"] == "interrupted"
    kept = pl.read_parquet(folder / "null.parquet")
    assert kept.height == 2
    result = made(config_of(bars, tmp_path, trials=4, null_markets=3), resume=True)
    assert table(result, "null").head(2).equals(kept)
    assert result.summary["null"]["runs"] == 3


@pytest.mark.parametrize(
    ("durations", "workers"), [([40.0, *[0.01] * 19], 1), ([5.0] * 20, 4), ([], 1)]
)
def test_short_studies_beside_the_first_start_no_processes(done, durations, workers):
    from meseta.pipeline._optimize import _beside

    trials = tuple(replace(done.result.trials[0], duration=each) for each in durations)
    options = replace(done.plan.options, workers=4)
    assert _beside(options, replace(done.result, trials=trials)).workers == workers


@pytest.mark.parametrize(("name", "text"), [("end", "9999-12-31"), ("start", "0001-01-01T00+05")])
def test_days_beyond_the_calendar_are_refused(bars, tmp_path, name, text):
    with pytest.raises(ArgumentError, match=f"`{name}` must lie in the years 1900 to 2199"):
        plan_optimize(config_of(bars, tmp_path, **{name: text}))


def test_who_is_told_to_begin_anew_is_told_what_that_takes(bars, tmp_path):
    config = config_of(bars, tmp_path, trials=4)
    folder = made(config).folder
    (folder / "manifest.json").write_text("{")
    with pytest.raises(RunError, match=r"manifest\.json cannot be read") as caught:
        made(config, resume=True)
    assert f"{folder / 'results.db'} holds the trials; copy it first" in caught.value.__notes__[0]
    assert len(read_results(folder)[1]) == 4


def test_python_makes_the_study_of_the_options(bars, tmp_path):
    rates = str(bars.with_name(f"{bars.stem}_funding.csv"))
    first = made(config_of(bars, tmp_path, trials=4))
    again = ms.optimize(
        bars, funding=rates, out=str(tmp_path), name="py", capital=10_000, **QUICK | {"trials": 4}
    )
    assert again.folder == tmp_path / "py"
    run = [[t.params for t in each.result.trials] for each in (first, again)]
    assert len(run[0]) == 4
    assert run[0] == run[1]


def test_bars_that_no_process_can_read_are_refused(bars, tmp_path):
    with pytest.raises(ArgumentError, match=r"write them with meseta\.bars\.save"):
        ms.optimize(ms.load(bars), out=str(tmp_path))
