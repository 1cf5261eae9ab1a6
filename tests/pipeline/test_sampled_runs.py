"""Runs on a sample of a grid: what is searched, and that everything says so."""

from __future__ import annotations

import pytest
from tiny_run import (
    GRID,
    GRID_LS,
    SIZE,
    frame,
    options,
    same_scores,
    stopped,
)

import meseta
from meseta.errors import ArgumentError, RunError
from meseta.pipeline import plan, rescore, run
from meseta.strategies import load_grid, sample_grid

MANY = 120


def test_a_sample_is_searched_and_told(done, tmp_path):
    whole, _ = done
    result = run(options(tmp_path, sample=MANY, seed=3, report=True))
    grid = result.manifest["grid"]
    assert (grid["combinations"], grid["searched"]) == (SIZE, MANY)
    assert grid["sampled"] == {"count": MANY, "method": "sobol", "seed": 3}
    assert whole.manifest["grid"]["sampled"] is None
    assert whole.manifest["grid"]["searched"] == SIZE
    assert all(p["combinations"] == MANY for p in result.manifest["funnel"]["phases"])
    drawn = sample_grid(plan(options(tmp_path)).grid, MANY, seed=3)
    found = frame(result)
    assert found.height > 0
    assert set(found["flat"]) <= set(drawn.tolist())
    # The same combinations make the same money as in the whole search.
    both = found.join(frame(whole), on="flat", suffix="_whole")
    assert both.height > 0
    assert both["oos_pnl"].to_list() == both["oos_pnl_whole"].to_list()


def test_seed_and_method_choose_the_sample(tmp_path):
    config = options(tmp_path, sample=MANY)
    flats = {
        (seed, method): tuple(
            plan(
                config.model_copy(update={"seed": seed, "sample_method": method})
            ).problem.flats.tolist()
        )
        for seed in (0, 1)
        for method in ("sobol", "random")
    }
    assert len(set(flats.values())) == 4
    assert flats[0, "sobol"] == tuple(plan(config).problem.flats.tolist())


def test_a_sampled_run_is_scored_again_and_continued(tmp_path):
    gates = {"min_efficiency": 0.2}
    first = run(options(tmp_path, sample=MANY, name="first"))
    fresh = run(options(tmp_path, sample=MANY, name="fresh", gates=gates))
    again = rescore(first.folder, gates=gates)
    same_scores(again, fresh)
    assert again.manifest["grid"] == first.manifest["grid"]
    config = options(tmp_path, sample=MANY, name="cut", gates=gates)
    stopped(config, lambda at: at.stage == "score")
    for other in (config.model_copy(update={"seed": 1}), options(tmp_path, name="cut")):
        with pytest.raises(RunError, match="was searched with other"):
            run(other, resume=True)
    same_scores(run(config, resume=True), fresh)


@pytest.mark.parametrize("asked", [SIZE, SIZE + 5])
def test_a_grid_no_larger_than_the_sample_is_searched_whole(done, tmp_path, asked):
    result = run(options(tmp_path, sample=asked))
    same_scores(result, done[0])
    assert result.manifest["grid"]["sampled"] is None
    assert any("so all are searched" in warning for warning in result.manifest["warnings"])


def test_each_variant_samples_its_own_grid(done, tmp_path):
    asked = SIZE + 50
    result = run(options(tmp_path, strategy="atr_d_ls", grid=GRID_LS, sample=asked))
    assert result.manifest["grid"]["sampled"]["count"] == asked < 2 * SIZE
    (variant,) = result.variants
    assert variant.manifest["grid"]["sampled"] is None
    assert variant.manifest["results_hash"] == done[0].manifest["results_hash"]
    assert result.manifest["variants"][0]["combinations"] == SIZE
    fewer = plan(options(tmp_path, strategy="atr_d_ls", grid=GRID_LS, sample=MANY))
    assert [each.combinations for each in fewer.whole] == [MANY, MANY]


def test_the_limit_is_on_the_sample(tmp_path):
    assert plan(options(tmp_path, sample=MANY, max_combinations=MANY)).combinations == MANY
    with pytest.raises(ArgumentError, match="--sample"):
        plan(options(tmp_path, max_combinations=SIZE - 1))
    with pytest.raises(ArgumentError, match="`sample` must be at most `max_combinations`"):
        options(tmp_path, sample=MANY, max_combinations=MANY - 1)


def test_a_large_grid_is_planned_by_its_sample(tmp_path):
    large = plan(options(tmp_path, strategy="atr_d_ls", grid="phase1_slim", sample=1000))
    assert large.grid.size == 16_721_510_400
    assert [each.combinations for each in large.whole] == [1000, 1000]
    assert large.disk_bytes < 1e6
    assert large.seconds < 60


def test_the_function_for_scripts_samples_too(tmp_path):
    result = run(options(tmp_path, sample=MANY, seed=5))
    found = meseta.search_phases(
        "sample:nasdaq", "atr_d_l", GRID, account=options(tmp_path).account, sample=MANY, seed=5,
        threads=1, max_combinations=MANY,
    )  # fmt: skip
    assert found.candidates.equals(frame(result))
    assert found.funnel == result.manifest["funnel"]
    assert found.grid.size == load_grid(GRID, plan(options(tmp_path)).strategy.parameters).size
