"""What lies in the vault, or after a window, decides nothing of what was searched before it."""

from __future__ import annotations

import polars as pl
import pytest

from meseta.errors import ArgumentError
from meseta.pipeline import optimize, plan_optimize
from meseta.pipeline._optimize_null import _space as null_space
from optimize_market import config_of, prices, write_market

CLOCK = ["duration", "started_at", "attempts"]
# What a study searches, and what it says of its in-sample side.
SEARCHED = ("feasible", "funnel", "luck", "null", "adaptive", "pareto", "windows")


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two studies whose markets have nothing in common in the vault but its times."""
    folder = tmp_path_factory.mktemp("vaults")
    made = []
    for name in ("plain", "spoilt"):
        path = write_market(folder / name)
        if name == "spoilt":
            spoil(path)
        config = config_of(
            path, folder / name / "runs", trials=8, preset="wide", null_markets=1,
            walk_forward=True, in_sample=4, out_of_sample=3, adaptive="rebuild", epoch_every=4,
        )  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MESETA_HOME", str(folder / name / "home"))
            made.append(optimize(plan_optimize(config)))
    return made


def spoil(path):
    """Give the last fifth other prices, forty times as high and wilder."""
    own = pl.read_csv(path)
    edge = round(len(own) * 0.8)
    other = prices(seed=9, price=3_600_000.0)
    figures = ["open", "high", "low", "close", "volume"]
    pl.concat([own[:edge], own[edge:].with_columns(other[edge:][figures])]).write_csv(path)


def test_the_vault_decides_nothing(both):
    plain, spoilt = both
    assert plain.plan.space == spoilt.plan.space
    for name in ("trials", "importance", "null", "windows", "windows_curve"):
        one, other = (pl.read_parquet(each.folder / f"{name}.parquet") for each in both)
        assert one.drop(CLOCK, strict=False).equals(other.drop(CLOCK, strict=False)), name
    for name in SEARCHED:
        assert plain.summary[name] == spoilt.summary[name], name
    parts = ("trial", "score", "params", "in_sample")
    best = [{part: each.summary["best"][part] for part in parts} for each in both]
    assert best[0] == best[1]


def test_the_vault_is_read_by_its_own_figures_alone(both):
    frames = [pl.read_parquet(each.folder / "spans.parquet") for each in both]
    before, after = ([f.filter(pl.col("part") == part) for f in frames]
                     for part in ("in-sample", "out-of-sample"))  # fmt: skip
    assert before[0].equals(before[1])
    assert not after[0].equals(after[1])
    assert after[0]["trial"].to_list() == after[1]["trial"].to_list()


def cheapest(space):
    """Return the smallest base quantity, and the price that the largest is bound by."""
    found = next(each for each in space.dependents if each.name == "base_qty")
    return found.low, found.bound.price


def test_a_space_has_the_prices_of_its_own_rows(tmp_path):
    bars = write_market(tmp_path)
    plan = plan_optimize(config_of(bars, tmp_path, instrument={"min_notional": 400.0}))
    rows = pl.read_csv(bars)[: plan.problem.span[1]]
    low, price = cheapest(plan.space)
    assert (low - 0.001) * rows["low"].min() < 400 <= low * rows["low"].min()
    assert price == rows["high"].max()
    drawn = plan.problem.shuffled(1)
    assert cheapest(null_space(plan, drawn))[1] == drawn.market.bars.high[: len(rows)].max()


def test_a_range_of_ones_own_stays_where_a_null_market_has_no_use_for_it(tmp_path):
    given = {
        "base_qty": {"low": 0.0011, "high": 0.0012},
        "grid_levels_long": 3,
        "grid_levels_short": 3,
        "qty_scale": 1,
    }
    plan = plan_optimize(config_of(write_market(tmp_path), tmp_path, space=given))
    drawn = plan.problem.shuffled(1)
    bars = drawn.market.bars
    for name in ("open", "high", "low", "close"):
        object.__setattr__(bars, name, getattr(bars, name) / 100)
    assert null_space(plan, drawn) == plan.space


def test_a_window_that_a_range_does_not_suit_is_told_before_the_study(tmp_path):
    bars = write_market(tmp_path)
    own = pl.read_csv(bars)
    factor = pl.Series([0.4] * 1152 + [1.0] * (len(own) - 1152))  # the first four days
    own.with_columns(pl.col("open", "high", "low", "close") * factor).write_csv(bars)
    given = {"base_qty": {"low": 0.001, "high": 0.0011}, "qty_scale": 1}
    walk = {"walk_forward": True, "in_sample": 3, "out_of_sample": 3}
    plan_optimize(config_of(bars, tmp_path, space=given))
    with pytest.raises(ArgumentError, match="window 1 of the walk-forward: `base_qty` to"):
        plan_optimize(config_of(bars, tmp_path, space=given, **walk))
