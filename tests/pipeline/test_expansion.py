"""Runs with simpler variants: what each is made of, continuing, scoring again, refusing."""

from __future__ import annotations

import json
import shutil

import numpy as np
import polars as pl
import pytest
from tiny_run import (
    GRID,
    GRID_LS,
    SIZE,
    SMALL,
    StopError,
    both_sides,
    files_of,
    frame,
    options,
    same_scores,
    state,
    stopped,
)

from meseta.bars import load
from meseta.engine import Window, backtest
from meseta.errors import ArgumentError, RunError
from meseta.pipeline import Progress, plan, rescore, run
from meseta.runs import RunFolder
from meseta.strategies import find_strategy, load_grid

AXES = ("short_multiplier", "atr_multiplier")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A finished run with its variant, its configuration and all that it told."""
    folder = tmp_path_factory.mktemp("pair")
    told: list[Progress] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESETA_HOME", str(folder / "home"))
        config = both_sides(folder, report=True)
        return run(config, command="meseta run it", progress=told.append), config, told


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def same_finalists(one, other):
    for name in ("finalists", "equity", "trades"):
        assert frame(one, f"finalists/{name}").equals(frame(other, f"finalists/{name}"))


def plain_plateaus(result):
    """Plateaus without the paths of their exports."""
    return [p | {"export": None} for p in result.plateaus["plateaus"]]


class TestFolders:
    def test_the_variant_is_a_run_of_its_own(self, pair, done):
        result, config, _ = pair
        (variant,), (alone, _) = result.variants, done
        assert variant.folder == result.folder / "variants" / "atr_d_l"
        assert frame(variant).equals(frame(alone))
        assert plain_plateaus(variant) == plain_plateaus(alone)
        assert variant.manifest["results_hash"] == alone.manifest["results_hash"]
        same_finalists(variant, alone)
        for name in ("data", "phases", "required_phases", "account", "gates", "seed", "grid"):
            assert variant.manifest[name] == alone.manifest[name], name
        mine = files_of(variant.folder)
        assert mine == {
            name
            for name in files_of(alone.folder)
            if not name.startswith("exports/") and name != "candidates.csv"
        }
        assert config.expand is True

    def test_the_main_run_is_the_run_without_expansion(self, pair, tmp_path):
        result, _, _ = pair
        alone = run(both_sides(tmp_path, expand=False))
        same_scores(result, alone)
        same_finalists(result, alone)
        assert alone.manifest["variants"] == []
        assert alone.manifest["expanded"] is False
        assert alone.variants == ()
        assert alone.comparison is None
        assert not (alone.folder / "variants").exists()

    def test_the_manifests_name_each_other(self, pair):
        result, _, _ = pair
        assert manifest(result.folder) == result.manifest
        assert result.manifest["status"] == "finished"
        assert result.manifest["expanded"] is True
        assert result.manifest["variants"] == [
            {
                "strategy": "atr_d_l",
                "folder": "variants/atr_d_l",
                "combinations": SIZE,
                "status": "finished",
            }
        ]
        variant = result.variants[0].manifest
        assert manifest(result.variants[0].folder) == variant
        assert variant["variant_of"] == "atr_d_ls"
        assert variant["strategy"] == variant["config"]["strategy"] == "atr_d_l"
        assert variant["config"]["expand"] is False
        assert (result.manifest["shorts"], variant["shorts"]) == (True, False)
        assert "variants" not in variant

    def test_phases_and_vault_are_the_same(self, pair):
        result, _, _ = pair
        main, variant = result.manifest, result.variants[0].manifest
        assert main["phases"] == variant["phases"]
        vaults = [each["vault"] | {"opened": None} for each in (main, variant)]
        assert vaults[0] == vaults[1]
        # Each looks once, and each look counts.
        assert (main["vault"]["opened"], variant["vault"]["opened"]) == (1, 2)

    def test_all_range_files_are_in_one_folder_and_one_list(self, pair):
        result, _, _ = pair
        assert not (result.variants[0].folder / "exports").exists()
        lines = (result.folder / "exports" / "phase5_refine_config.csv").read_text().splitlines()
        rows = [line.split(",") for line in lines[1:]]
        both = (result, *result.variants)
        names = ["ATR-D-v1.5-LS", "ATR-D-v1.5-L"]
        expected = [
            [name, f"_{name}", f"phase5_refine_{name}_rank{p['rank']}.csv", str(p["rank"])]
            for each, name in zip(both, names, strict=True)
            for p in each.plateaus["plateaus"]
        ]
        assert expected
        assert [row[1:5] for row in rows] == expected
        assert [row[0] for row in rows] == [str(k + 1) for k in range(len(rows))]
        assert {row[5] for row in rows if row[1].endswith("-LS")} == {"1"}
        for each in both:
            for plateau in each.plateaus["plateaus"]:
                assert (each.folder / plateau["export"]).resolve().is_file()
        listed = {row[3] for row in rows} | {"phase5_refine_config.csv"}
        assert {path.name for path in (result.folder / "exports").iterdir()} == listed

    def test_pages(self, pair):
        result, _, _ = pair
        assert result.report.is_file()
        assert result.variants[0].report == result.variants[0].folder / "report.html"
        assert result.variants[0].report.is_file()
        assert result.comparison == result.folder / "comparison.html"
        assert "atr_d_l" in result.comparison.read_text(encoding="utf-8")

    def test_progress_says_which_variant(self, pair):
        _, _, told = pair
        parts = list(dict.fromkeys((at.part, at.stage) for at in told))
        stages = ["search", "score", "plateaus", "finalists", "report"]
        assert parts == [
            *(("atr_d_ls (1 of 2)", stage) for stage in stages),
            *(("atr_d_l (2 of 2)", stage) for stage in stages),
            ("", "comparison"),
        ]

    def test_without_a_report_there_is_no_comparison(self, tmp_path):
        small = GRID_LS | SMALL
        result = run(options(tmp_path, strategy="atr_d_ls", grid=small))
        assert result.comparison is None
        assert len(result.variants) == 1
        assert not list(result.folder.rglob("*.html"))
        again = result.folder.parent / "again"
        shutil.copytree(result.folder, again)
        assert RunFolder(again).finished()


def test_the_whole_grid_is_every_combination(tmp_path):
    """Median, worst and share over all, profitable or not, candidate or not."""
    result = run(options(tmp_path, grid=SMALL, gates={"min_trades": 255}))
    assert result.manifest["funnel"]["candidates"] == 0
    bars, strategy = load("sample:nasdaq"), find_strategy("atr_d_l")
    grid = load_grid(SMALL, strategy.parameters)
    profits = [
        sum(
            backtest(
                bars, strategy, grid.point(flat), Window(p["a"], p["o"], p["z"]),
                options(tmp_path).account,
            ).report.oos_pnl
            for p in result.manifest["phases"]
        )
        for flat in range(grid.size)
    ]  # fmt: skip
    found = result.manifest["whole_grid"]
    assert found["profitable"] == np.mean(np.array(profits) > 0)
    assert found["median_oos"] == pytest.approx(np.median(profits), rel=1e-4)
    assert found["worst_oos"] == pytest.approx(min(profits), rel=1e-4)
    assert len(set(profits)) > 2


class TestGrids:
    def test_a_named_grid_is_the_variants_own(self, tmp_path):
        found = plan(options(tmp_path, strategy="atr_d_ls", grid="ts_coarse"))
        (variant,) = found.variants
        for each in (found, variant):
            own = load_grid("ts_coarse", each.strategy.parameters)
            assert each.grid == own
            assert each.config.grid == "ts_coarse"
        assert variant.bars is found.bars
        assert [p.window for p in variant.phases.phases] == [p.window for p in found.phases.phases]

    def test_other_entries_and_foreign_constraints_are_dropped_and_said(self, tmp_path):
        kept, foreign = "atr_multiplier >= 4", "entry_mode < atr_period"
        grid = GRID_LS | {"constraints": [kept, foreign]}
        found = plan(options(tmp_path, strategy="atr_d_ls", grid=grid))
        (variant,) = found.variants
        assert found.grid.constraints == (kept, foreign)
        assert variant.grid.constraints == (kept,)
        assert variant.grid.values == load_grid(GRID, variant.strategy.parameters).values
        assert variant.config.grid["constraints"] == [kept]
        assert any(
            f"constraint `{foreign}` is left out: atr_d_l has no entry_mode" in note
            for note in variant.notes
        )
        assert load_grid(variant.config.grid, variant.strategy.parameters).size == SIZE

    def test_the_limit_is_for_each_variant(self, tmp_path):
        grid = GRID_LS | {"constraints": "entry_mode == 2 and atr_period == 8"}
        config = options(tmp_path, strategy="atr_d_ls", grid=grid, max_combinations=SIZE - 1)
        with pytest.raises(ArgumentError, match=r"variant atr_d_l of atr_d_ls: .*--no-expand"):
            plan(config)
        alone = config.model_copy(update={"expand": False})
        assert plan(alone).combinations == SIZE // 2

    def test_axes_that_a_variant_lacks_are_replaced(self, tmp_path):
        grid = GRID_LS | {"short_multiplier": [0.4, 0.8]}
        config = options(tmp_path, strategy="atr_d_ls", grid=grid, axes=AXES)
        (variant,) = plan(config).variants
        assert variant.config.axes == ("atr_multiplier", "atr_buy_multiplier")
        assert any("short_multiplier" in note for note in variant.notes)


def at(part, stage):
    return lambda step: step.part.startswith(part) and step.stage == stage


MOMENTS = {
    "main search": lambda s: s.part.startswith("atr_d_ls") and s.stage == "search" and s.done > 99,
    "main finalists": at("atr_d_ls", "finalists"),
    "main report": at("atr_d_ls", "report"),
    "variant begins": lambda s: s.part.startswith("atr_d_l ") and s.stage == "search",
    "variant search": lambda s: s.part.startswith("atr_d_l ") and s.done > 99,
    "variant finalists": at("atr_d_l ", "finalists"),
    "variant report": at("atr_d_l ", "report"),
    "comparison": at("", "comparison"),
}


class TestContinued:
    @pytest.mark.parametrize("moment", MOMENTS)
    def test_what_is_unfinished_is_continued_and_nothing_else(self, pair, tmp_path, moment):
        expected, _, _ = pair
        config = both_sides(tmp_path, report=True)
        when = MOMENTS[moment]
        hit = when if moment != "comparison" else lambda s: s.stage == "comparison"
        folder = stopped(config, hit)
        finished = [m for m in (folder, folder / "variants" / "atr_d_l") if ended(m)]
        with pytest.raises(RunError, match="holds an unfinished run; continue it with --resume"):
            run(config)
        told: list[Progress] = []
        result = run(config, resume=True, progress=told.append)
        worked = {step.part.split()[0] for step in told if step.stage == "search" and step.part}
        assert worked == {"atr_d_ls", "atr_d_l"} - {manifest(m)["strategy"] for m in finished}
        same_scores(result, expected)
        same_scores(result.variants[0], expected.variants[0])
        assert result.manifest["variants"] == expected.manifest["variants"]
        assert manifest(folder) == result.manifest
        assert files_of(folder) == files_of(expected.folder)
        assert exports_of(folder) == exports_of(expected.folder)
        if finished:
            # Nobody who was finished has looked into the vault again.
            assert result.manifest["vault"]["opened"] == 1
        with pytest.raises(RunError, match="holds a finished run"):
            run(config, resume=True)

    def test_a_variant_of_another_search_is_refused_before_anything_is_done(self, tmp_path):
        config = both_sides(tmp_path)
        folder = stopped(config, at("atr_d_l ", "score"))
        before = state(folder)
        with pytest.raises(RunError, match="was searched with other grid"):
            run(both_sides(tmp_path).model_copy(update={"grid": GRID_LS | SMALL}), resume=True)
        with pytest.raises(RunError, match=r"was begun with the variants atr_d_l; .*--no-expand"):
            run(both_sides(tmp_path, expand=False), resume=True)
        assert state(folder) == before

    def test_other_gates_score_again_what_was_finished(self, tmp_path):
        gates = {"min_efficiency": 0.5}
        folder = stopped(both_sides(tmp_path), at("atr_d_l ", "score"))
        result = run(both_sides(tmp_path, gates=gates), resume=True)
        fresh = run(both_sides(tmp_path, gates=gates, name="fresh"))
        assert result.folder == folder
        same_scores(result, fresh)
        same_scores(result.variants[0], fresh.variants[0])

    def test_a_run_may_be_expanded_while_it_is_unfinished(self, pair, tmp_path):
        config = both_sides(tmp_path, expand=False)
        stopped(config, lambda step: step.stage == "score")
        result = run(both_sides(tmp_path), resume=True)
        same_scores(result.variants[0], pair[0].variants[0])

    def test_force_clears_all(self, tmp_path):
        small = {"strategy": "atr_d_ls", "grid": GRID_LS | SMALL, "report": True}
        first = run(options(tmp_path, **small))
        second = run(options(tmp_path, **small, expand=False), force=True)
        assert second.folder == first.folder
        assert not (first.folder / "variants").exists()
        assert not (first.folder / "comparison.html").exists()
        names = {path.name for path in (first.folder / "exports").iterdir()}
        assert not any(name.startswith("phase5_refine_ATR-D-v1.5-L_") for name in names)


def ended(folder):
    return (folder / "manifest.json").exists() and manifest(folder)["status"] == "finished"


def exports_of(folder):
    return {path.name: path.read_text() for path in (folder / "exports").iterdir()}


class TestRescored:
    def test_variants_are_scored_again_too(self, tmp_path):
        gates = {"min_efficiency": 0.5}
        first = run(both_sides(tmp_path, name="first", report=True))
        fresh = run(both_sides(tmp_path, name="fresh", gates=gates, report=True))
        again = rescore(first.folder, gates=gates, command="meseta rescore")
        for one, other in zip((again, *again.variants), (fresh, *fresh.variants), strict=True):
            same_scores(one, other)
            assert one.manifest["config"]["gates"]["min_efficiency"] == 0.5
            assert one.manifest["status"] == "finished"
            assert one.manifest["rescore_command"] == "meseta rescore"
        assert again.manifest["variants"] == fresh.manifest["variants"]
        assert again.comparison.is_file()
        assert files_of(again.folder) == files_of(fresh.folder)
        assert exports_of(again.folder) == exports_of(fresh.folder)
        assert RunFolder(again.folder).finished()

    def test_axes_change_where_a_variant_has_them(self, tmp_path):
        grid = GRID_LS | SMALL | {"short_multiplier": [0.4, 0.8], "bb_deviation": [1.5, 3]}
        first = run(options(tmp_path, strategy="atr_d_ls", grid=grid))
        again = rescore(first.folder, axes=AXES)
        assert again.plateaus["axes"] == list(AXES)
        assert again.variants[0].plateaus["axes"] == ["atr_multiplier", "atr_buy_multiplier"]
        again = rescore(first.folder, axes=("atr_multiplier", "bb_deviation"))
        assert again.variants[0].plateaus["axes"] == ["atr_multiplier", "bb_deviation"]

    def test_a_variant_is_not_scored_alone(self, pair):
        result, _, _ = pair
        before = state(result.folder)
        with pytest.raises(RunError, match=r"is a variant of the run in .*; score that again"):
            rescore(result.variants[0].folder)
        assert state(result.folder) == before

    def test_an_unfinished_variant_is_in_the_way(self, tmp_path):
        folder = stopped(both_sides(tmp_path), at("atr_d_l ", "score"))
        with pytest.raises(RunError, match="is not finished; continue it with `meseta run"):
            rescore(folder)

    @pytest.mark.parametrize("part", ["atr_d_ls", "atr_d_l "])
    def test_an_interrupted_one_is_repeated(self, tmp_path, part):
        gates = {"min_efficiency": 0.5}
        first = run(both_sides(tmp_path, name="first", report=True))
        fresh = run(both_sides(tmp_path, name="fresh", gates=gates, report=True))

        def listen(step):
            if at(part, "finalists")(step):
                raise StopError

        with pytest.raises(StopError):
            rescore(first.folder, gates=gates, progress=listen)
        assert not RunFolder(first.folder).finished()
        assert not (first.folder / "comparison.html").exists()
        again = rescore(first.folder, gates=gates)
        same_scores(again, fresh)
        same_scores(again.variants[0], fresh.variants[0])
        assert RunFolder(first.folder).finished()


def test_a_page_that_is_missing_is_written_by_resume(tmp_path):
    config = options(tmp_path, grid=SMALL, report=True)
    folder = stopped(config, lambda step: step.stage == "report")
    assert not (folder / "report.html").exists()
    result = run(config, resume=True)
    assert result.report.is_file()
    assert result.manifest["vault"]["opened"] <= 1
    assert pl.read_parquet(folder / "candidates.parquet").height == frame(result).height
