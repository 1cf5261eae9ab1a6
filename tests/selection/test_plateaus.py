from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.errors import ArgumentError
from meseta.selection import CellTotals, find_plateaus
from meseta.selection._plateaus import edge_drop
from meseta.strategies._grids import Grid

AXES = ("atr_multiplier", "atr_buy_multiplier")
GRID = Grid(
    "test",
    {
        "atr_period": tuple(range(4, 24)),
        "atr_multiplier": tuple(float(v) for v in range(2, 26, 2)),
        "bb_length": (10,),
        "atr_buy_multiplier": tuple(0.5 * v for v in range(1, 8)),
        "atr_smooth_period": tuple(range(1, 21)),
    },
)
SHAPE = (12, 7)
PER_CELL = GRID.size // 84
TOTALS = CellTotals(
    np.full(SHAPE, PER_CELL), np.add.outer(np.arange(12), np.arange(7)).astype(np.int64)
)


def table(flats, stability, rng):
    """Candidates with the given numbers and stability."""
    n = len(flats)
    return pl.DataFrame(
        {
            "flat": flats,
            **GRID.columns(flats),
            "behaviour": flats // 4,
            "stability": stability,
            "phases_valid": rng.integers(3, 5, n).astype(np.int32),
            "oos_pnl": rng.normal(1000, 300, n),
            "oos_trades": rng.integers(5, 60, n).astype(np.int32),
        }
    )


def planted(regions, background=0.05, seed=0):
    """Candidates: a random share of each cell, dense and stable inside the regions."""
    rng = np.random.default_rng(seed)
    flats = np.arange(GRID.size)
    index = GRID.indices(flats)
    x, y = index[AXES[0]], index[AXES[1]]
    chance = np.full(GRID.size, background)
    level = np.full(GRID.size, 40.0)
    for (x0, x1, y0, y1), stability in regions:
        inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
        chance[inside], level[inside] = 0.8, stability
    keep = rng.random(GRID.size) < chance
    return table(flats[keep], level[keep] + rng.normal(0, 5, keep.sum()), rng)


def outcomes(cells):
    return float(len(cells)), -float(cells.sum()), 0.75


def find(candidates, **options):
    options = {"phases": 4, "totals": TOTALS, "outcomes": outcomes} | options
    return find_plateaus(candidates, GRID, AXES, **options)


NARROW = ((0, 3, 0, 3), 70.0)
WIDE = ((7, 11, 3, 7), 90.0)


def test_planted_plateaus_are_recovered():
    candidates = planted([NARROW, WIDE])
    found = find(candidates)
    best, second = found.plateaus
    assert found.warnings == ()
    assert np.all(found.rank_of[7:11, 3:7] == 1)
    assert np.all(found.rank_of[0:3, 0:3] == 2)
    assert np.count_nonzero(found.rank_of) == 16 + 9
    assert (best.regime, second.regime) == ("WIDE", "TIGHT")
    assert best.worth == pytest.approx(90, abs=0.5)
    assert second.worth == pytest.approx(70, abs=0.5)
    assert best.edge_drop == pytest.approx(50, abs=3)
    assert best.cells[0] == (16.0, 2.0)
    assert best.combinations == 16 * PER_CELL
    assert best.candidates == sum(
        row["candidates"] for row in found.to_dict()["cells"] if row["plateau"] == 1
    )


def test_a_plateaus_numbers_are_those_of_its_candidates():
    candidates = planted([WIDE])
    (plateau,) = find(candidates).plateaus
    mine = candidates.filter(
        pl.col("atr_multiplier").is_in([x for x, _ in plateau.cells])
        & pl.col("atr_buy_multiplier").is_in([y for _, y in plateau.cells])
    )
    assert plateau.candidates == mine.height
    assert plateau.behaviours == mine["behaviour"].n_unique()
    assert plateau.worth == pytest.approx(mine["stability"].mean())
    assert plateau.mean_phases == pytest.approx(mine["phases_valid"].mean())
    assert plateau.median_oos_pnl == 16
    assert plateau.worst_oos_pnl == -sum(x + y for x in range(7, 11) for y in range(3, 7))
    assert plateau.profitable_share == 0.75
    top = mine.sort("stability", descending=True).head(-(-mine.height // 10))
    assert plateau.top["flat"].to_list() == top["flat"].to_list()
    assert plateau.top.columns == candidates.columns
    assert plateau.best.equals(top.head(20))


def test_the_centre_is_the_top_candidate_in_the_middle():
    (plateau,) = find(planted([WIDE])).plateaus
    top = plateau.top["flat"].to_numpy()
    index = GRID.indices(top)
    steps = np.column_stack([index[name] for name in GRID.searched])
    middle = np.average(steps, axis=0, weights=plateau.top["stability"].to_numpy())
    distance = ((steps - middle) ** 2).sum(axis=1)
    assert plateau.centre == top[np.argmin(distance)]
    assert plateau.parameters == GRID.point(plateau.centre)


def test_ties_for_the_centre_go_to_the_more_stable_then_the_lower_number():
    rng = np.random.default_rng(0)
    corners = [
        GRID.flat_of(
            {
                "atr_period": period,
                "atr_multiplier": 2.0,
                "bb_length": 10,
                "atr_buy_multiplier": 0.5,
                "atr_smooth_period": smooth,
            }
        )
        for period in (4, 6)
        for smooth in (1, 3)
    ]
    one_cell = CellTotals(np.full(SHAPE, 9), np.full(SHAPE, 1))
    alike = find(table(np.array(corners), np.full(4, 50.0), rng), min_cell=1, totals=one_cell)
    assert alike.plateaus[0].centre == corners[0]
    # The two lie equally far from their middle, but for a rounding error.
    differ = find(table(np.array(corners[:2]), np.array([50.0, 50.0 + 1e-12]), rng), min_cell=1)
    assert differ.plateaus[0].centre == corners[1]


def test_cells_are_described_by_hand():
    first = GRID.flat_of(
        {
            "atr_period": 4,
            "atr_multiplier": 4.0,
            "bb_length": 10,
            "atr_buy_multiplier": 1.5,
            "atr_smooth_period": 1,
        }
    )
    candidates = pl.DataFrame(
        {
            "flat": [first + 2, first, first + 1],
            "behaviour": [8, 7, 7],
            "stability": [60.0, 90.0, 30.0],
            "phases_valid": [4, 3, 4],
            "oos_pnl": [100.0, -50.0, 250.0],
            "oos_trades": [10, 20, 30],
        }
    )
    document = find(candidates).to_dict()
    cells = {(row["x"], row["y"]): row for row in document["cells"]}
    assert len(cells) == 84
    assert cells[4.0, 1.5] == {
        "x": 4.0,
        "y": 1.5,
        "candidates": 3,
        "behaviours": 2,
        "mean_stability": 60.0,
        "max_stability": 90.0,
        "mean_phases": pytest.approx(11 / 3),
        "valid_in_all": 2,
        "mean_oos_pnl": 100.0,
        "max_oos_pnl": 250.0,
        "mean_trades": 20.0,
        "counts": False,
        "plateau": None,
        "profitable_share": (1 + 2) / PER_CELL,
        "combinations": PER_CELL,
    }
    empty = cells[2.0, 0.5]
    assert (empty["candidates"], empty["behaviours"], empty["valid_in_all"]) == (0, 0, 0)
    assert [name for name, value in empty.items() if value is None] == [
        "mean_stability",
        "max_stability",
        "mean_phases",
        "mean_oos_pnl",
        "max_oos_pnl",
        "mean_trades",
        "plateau",
    ]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(seed):
    candidates = planted([NARROW, WIDE])
    order = np.random.default_rng(seed).permutation(candidates.height)
    plain, shuffled = find(candidates), find(candidates[order])
    assert plain.to_dict() == shuffled.to_dict()
    for a, b in zip(plain.plateaus, shuffled.plateaus, strict=True):
        assert a.top.equals(b.top)


def test_a_surface_of_noise_gives_no_trusted_structure():
    # Every cell hovers about the threshold: which ones count is chance.
    rng = np.random.default_rng(7)
    flats = np.flatnonzero(rng.random(GRID.size) < 48 / PER_CELL)
    found = find(table(flats, rng.uniform(20, 100, len(flats)), rng))
    (setting,) = (s for s in found.settings if s.chosen)
    assert setting.reproducibility < 0.7
    assert setting.noise_share < 0.6
    (plateau,) = found.plateaus
    assert abs(plateau.edge_drop) < 2


def test_noise_that_is_dense_everywhere_is_one_plateau_and_says_so():
    found = find(planted([], background=0.5))
    assert np.all(found.rank_of == 1)
    assert found.plateaus[0].edge_drop is None
    assert "fills the whole lattice" in found.warnings[0]


@pytest.mark.parametrize(
    ("candidates", "why"),
    [
        (planted([], background=0.0), "there are no candidates"),
        (planted([], background=0.05), "no cell has 50 candidates"),
    ],
)
def test_too_few_candidates_give_no_plateau(candidates, why):
    found = find(candidates)
    assert found.plateaus == ()
    assert why in found.warnings[0]
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["settings"] == document["plateaus"] == []
    assert len(document["cells"]) == 84


def test_an_axis_with_one_value():
    candidates = planted([((0, 5, 0, 7), 70.0)])
    totals = CellTotals(np.full((12, 1), GRID.size // 12), np.zeros((12, 1), np.int64))
    found = find_plateaus(
        candidates,
        GRID,
        ("atr_multiplier", "bb_length"),
        phases=4,
        totals=totals,
        outcomes=outcomes,
        min_cell=500,
    )
    (plateau,) = found.plateaus
    assert plateau.cells == tuple((x, 10) for x in (2.0, 4.0, 6.0, 8.0, 10.0))
    assert plateau.profitable_share == 0.75


def test_a_sampled_grid_may_leave_cells_without_combinations():
    candidates = planted([WIDE])
    combinations = np.full(SHAPE, PER_CELL)
    combinations[0, 0] = 0
    found = find(candidates, totals=CellTotals(combinations, combinations // 2))
    shares = [row["profitable_share"] for row in found.to_dict()["cells"]]
    assert shares[0] is None
    assert shares[1] == 0.5


def test_a_grid_without_stop_multiplier_has_no_regime():
    grid = Grid("plain", {"a": tuple(range(6)), "b": tuple(range(6)), "c": tuple(range(20))})
    flats = np.arange(grid.size)
    candidates = pl.DataFrame(
        {
            "flat": flats,
            "behaviour": flats,
            "stability": np.full(grid.size, 50.0),
            "phases_valid": np.full(grid.size, 3),
            "oos_pnl": np.full(grid.size, 1.0),
            "oos_trades": np.full(grid.size, 1),
        }
    )
    totals = CellTotals(np.full((6, 6), 20), np.full((6, 6), 20))
    found = find_plateaus(
        candidates,
        grid,
        ("a", "b"),
        phases=3,
        totals=totals,
        outcomes=outcomes,
        min_cell=20,
    )
    assert found.plateaus[0].regime is None


def test_the_document_takes_ranges_and_exports():
    found = find(planted([NARROW, WIDE]))
    one = {"atr_period": {"min": 4, "max": 8, "step": 1, "tier": 1}}
    document = found.to_dict(ranges={2: one}, exports={2: "exports/range.csv"})
    assert [(p["ranges"], p["export"]) for p in document["plateaus"]] == [
        ({}, None),
        (one, "exports/range.csv"),
    ]
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize(
    ("axes", "why"),
    [
        (("atr_multiplyer", "atr_period"), "got 'atr_multiplyer'; did you mean atr_multiplier"),
        (("atr_period", "atr_period"), "must differ"),
    ],
)
def test_bad_axes_are_refused(axes, why):
    with pytest.raises(ArgumentError, match=why):
        find_plateaus(planted([]), GRID, axes, phases=4, totals=TOTALS, outcomes=outcomes)


def test_bad_arguments_are_refused():
    with pytest.raises(ArgumentError, match="lack the columns behaviour, oos_pnl"):
        find(planted([]).drop("behaviour", "oos_pnl"))
    with pytest.raises(ArgumentError, match=r"lattice's shape \(12, 7\), got \(7, 12\)"):
        find(planted([]), totals=CellTotals(TOTALS.combinations.T, TOTALS.profitable.T))
    with pytest.raises(ArgumentError, match="`min_cell` must be at least 1"):
        find(planted([]), min_cell=0)
    with pytest.raises(ArgumentError, match="between 0 and `combinations`"):
        CellTotals(np.zeros(SHAPE, np.int64), np.ones(SHAPE, np.int64))
    with pytest.raises(ArgumentError, match="must have the shape"):
        CellTotals(np.zeros(SHAPE, np.int64), np.zeros(SHAPE[::-1], np.int64))


def test_edge_drop_by_hand():
    inside = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]], dtype=bool)
    stability = np.array([[100.0, 80, 50], [60, 40, 30], [20, 0, 99]])
    # Edge: 80, 60, 40 (100 has no side outside). Around: 50, 30, 20 and an empty one.
    assert edge_drop(inside, stability) == pytest.approx(60 - 25)
    assert edge_drop(np.ones((3, 3), bool), stability) is None
