"""Cells of a matrix, what they reach, and the blocks of those that pass."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from emulated_world import START, request_of, windows_of
from hypothesis import given
from hypothesis import strategies as st
from plain_walk import run_of

from meseta.errors import ArgumentError
from meseta.walkforward._emulated import emulate
from meseta.walkforward._matrix import (
    Cell,
    Criteria,
    block_of,
    drawdown_of_pieces,
    efficiency_of,
    matrix_of,
    score_matrix,
)
from meseta.walkforward._stats import STATS, WindowStats

INSIDE, OUTSIDE = (40, 60, 80), (20, 45)


def made_up(**columns):
    """A matrix of two by three cells in which every cell passes, but for what is given."""
    cells = [(a, b) for a in (10, 20) for b in (1, 2, 3)]
    good = {
        "oos_net_profit": 100.0,
        "efficiency": 0.8,
        "winning": 0.6,
        "profit_to_drawdown": 2.0,
        "trades": 9,
    }
    return pl.DataFrame(
        {"in_sample": [a for a, _ in cells], "out_of_sample": [b for _, b in cells]}
        | {name: columns.get(name, [value] * 6) for name, value in good.items()},
        strict=False,
    )


def numbers(matrix, criteria=None):
    return score_matrix(matrix, criteria or Criteria())["block"].to_list()


@pytest.fixture(scope="module")
def walked():
    """A real matrix: the request, what was found, cells."""
    walks = {(a, b): windows_of(150, a, b) for a in INSIDE for b in OUTSIDE}
    bounds = np.cumsum([0, *(len(rows) for rows in walks.values())]).tolist()
    cells = [
        Cell(a, b, first, stop)
        for (a, b), first, stop in zip(walks, bounds, bounds[1:], strict=False)
    ]
    windows = np.concatenate(list(walks.values()))
    request = request_of("both", windows=windows, min_trades=20)
    return request, emulate(request), cells


def test_a_cell_is_its_pieces_put_one_after_the_other(walked):
    request, found, cells = walked
    matrix = matrix_of(found, cells)
    assert len(matrix) == len(cells)
    flat = 0
    for cell, row in zip(cells, matrix.iter_rows(named=True), strict=True):
        changes, inside, nets, trades = [], [], [], 0
        for w in range(cell.first, cell.stop):
            a, b, c, d = (found.windows[w] - START).tolist()
            best = int(found.best[w, 0])
            if best < 0:
                flat += 1
                changes += [0.0] * (d - c)
                continue
            made = run_of(request, best)
            marks = np.array([request.account.capital, *made.equity])
            changes += np.diff(marks[c : d + 1]).tolist()
            nets.append(marks[d] - marks[c])
            inside.append((marks[b] - marks[a], b - a))
            trades += sum(t.exit_bar >= c + START and t.entry_bar < d + START for t in made.trades)
        curve = np.concatenate(([0.0], np.cumsum(changes)))
        per_year = request.bars.bars_per_year
        assert row["oos_net_profit"] == pytest.approx(curve[-1], rel=1e-9)
        assert row["oos_per_year"] == pytest.approx(curve[-1] / len(changes) * per_year)
        fall = (np.maximum.accumulate(curve) - curve).max()
        assert row["oos_drawdown"] == pytest.approx(fall, rel=1e-9)
        assert row["profit_to_drawdown"] == pytest.approx(curve[-1] / fall, rel=1e-9)
        assert row["winning"] == sum(net > 0 for net in nets) / len(nets)
        assert row["trades"] == trades
        earned, bars = np.sum(inside, axis=0)
        traded = sum(
            found.windows[w, 3] - found.windows[w, 2]
            for w in range(cell.first, cell.stop)
            if found.best[w, 0] >= 0
        )
        expected = (sum(nets) / traded) / (earned / bars) if earned > 0 else None
        assert row["efficiency"] == (None if expected is None else pytest.approx(expected))
        assert (row["windows"], row["exact_net_profit"]) == (cell.stop - cell.first, None)
    assert matrix["flat"].sum() == flat > 0
    assert 0 <= matrix["near_median"].min() <= matrix["near_median"].max() <= 1


def test_a_cell_in_which_nothing_was_traded_is_undefined_and_fails(walked):
    request, _, cells = walked
    matrix = matrix_of(emulate(request_of("both", windows=request.windows, min_trades=999)), cells)
    assert matrix["flat"].to_list() == matrix["windows"].to_list()
    assert matrix["oos_net_profit"].to_list() == [0.0] * len(cells)
    for name in ("efficiency", "winning", "near_median", "profit_to_drawdown"):
        assert matrix[name].null_count() == len(cells)
    easy = Criteria(min_profit=-1, min_efficiency=-9, min_winning=0, min_trades=0)
    assert not score_matrix(matrix, easy)["passes"].any()


def test_other_criteria_need_the_table_alone(walked, tmp_path):
    _, found, cells = walked
    matrix = matrix_of(found, cells)
    scored = score_matrix(matrix, Criteria())
    scored.write_parquet(tmp_path / "matrix.parquet")
    again = pl.read_parquet(tmp_path / "matrix.parquet")
    strict = Criteria(min_profit=float(matrix["oos_net_profit"].median()), min_efficiency=-99)
    assert score_matrix(again, strict).equals(score_matrix(matrix, strict))
    assert score_matrix(score_matrix(again, strict), Criteria()).equals(scored)


@pytest.mark.parametrize(
    ("column", "values", "criteria", "passing"),
    [
        ("oos_net_profit", [-1, 0, 1, 5, 5, 5], {}, [0, 1, 1, 1, 1, 1]),
        ("oos_net_profit", [-1, 0, 1, 5, 5, 5], {"min_profit": 5}, [0, 0, 0, 1, 1, 1]),
        ("efficiency", [None, 0.49, 0.5, 1, 1, 1], {}, [0, 0, 1, 1, 1, 1]),
        ("winning", [0.5, None, 0.4, 1, 1, 1], {}, [1, 0, 0, 1, 1, 1]),
        ("profit_to_drawdown", [0.9, 1, math.inf, None, 3, 3], {}, [0, 1, 1, 0, 1, 1]),
        ("trades", [0, 1, 2, 3, 4, 5], {"min_trades": 3}, [0, 0, 0, 1, 1, 1]),
    ],
)
def test_what_passes(column, values, criteria, passing):
    scored = score_matrix(made_up(**{column: values}), Criteria(**criteria))
    assert scored["passes"].to_list() == [bool(each) for each in passing]


def test_blocks_are_connected_side_by_side_in_the_order_of_the_lists():
    assert numbers(made_up()) == [1] * 6
    corners = made_up(trades=[9, 0, 9, 0, 9, 0])
    assert numbers(corners) == [1, 0, 2, 0, 3, 0]
    assert numbers(made_up(trades=[9, 0, 9, 0, 0, 9])) == [2, 0, 1, 0, 0, 1]
    assert numbers(made_up(trades=[0] * 6)) == [0] * 6
    # Rows in another order are other lists: 2, 1, 3.
    swapped = made_up(trades=[9, 9, 0, 0, 0, 0])[[1, 0, 2, 4, 3, 5]]
    assert numbers(swapped) == [1, 1, 0, 0, 0, 0]
    apart = made_up(trades=[9, 0, 9, 0, 0, 0])[[1, 0, 2, 4, 3, 5]]
    assert numbers(apart) == [0, 1, 1, 0, 0, 0]


def test_of_blocks_of_one_size_the_one_with_more_profit_is_first():
    profit = [10.0, 0.0, 30.0, 20.0, 0.0, 5.0]
    two = made_up(trades=[9, 0, 9, 9, 0, 9], oos_net_profit=profit)
    assert numbers(two) == [2, 0, 1, 2, 0, 1]
    assert block_of(score_matrix(two, Criteria())) == [(10, 3), (20, 3)]
    assert numbers(made_up(trades=[9, 0, 9, 9, 0, 9])) == [1, 0, 2, 1, 0, 2]


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=5))
def test_blocks_partition_what_passes(rows):
    cells = [(a, b) for a in range(len(rows)) for b in range(4)]
    passing = {(a, b) for a, b in cells if rows[a][b]}
    matrix = pl.DataFrame(
        {
            "in_sample": [a for a, _ in cells],
            "out_of_sample": [b for _, b in cells],
            "oos_net_profit": 1.0,
            "efficiency": 1.0,
            "winning": 1.0,
            "profit_to_drawdown": 1.0,
            "trades": [int(cell in passing) for cell in cells],
        }
    )
    number = dict(zip(cells, numbers(matrix), strict=True))
    assert {cell for cell in cells if number[cell]} == passing
    for a, b in passing:
        for beside in ((a + 1, b), (a, b + 1)):
            assert beside not in passing or number[beside] == number[a, b]
    sizes = [list(number.values()).count(n) for n in range(1, max(number.values()) + 1)]
    assert sizes == sorted(sizes, reverse=True)
    # Every block is one piece: reaching out from its first cell finds all of it.
    for n in range(1, len(sizes) + 1):
        block = {cell for cell in cells if number[cell] == n}
        reached, todo = set(), [min(block)]
        while todo:
            a, b = cell = todo.pop()
            if cell in block - reached:
                reached.add(cell)
                todo += [(a + 1, b), (a - 1, b), (a, b + 1), (a, b - 1)]
        assert reached == block


def stats_of(*rows):
    """Statistics with net profit, trades and years."""
    made = np.zeros((len(rows), STATS))
    columns = [WindowStats._fields.index(name) for name in ("net_profit", "trades", "years")]
    made[:, columns] = np.reshape(rows, (-1, 3))
    return made


def test_efficiency_in_three_forms():
    inside = stats_of((400, 10, 2), (200, 10, 2))
    outside = stats_of((100, 4, 0.5), (50, 1, 0.5))
    assert efficiency_of(inside, outside) == pytest.approx((0.25, 1.0, 1.0))
    loss = stats_of((-100, 4, 0.5), (50, 1, 0.5))
    assert efficiency_of(inside, loss) == pytest.approx((-1 / 12, -1 / 3, -1 / 3))
    assert efficiency_of(loss, outside) == (None, None, None)
    assert efficiency_of(stats_of((0, 3, 1)), outside) == (None, None, None)
    idle = stats_of((0, 0, 1))
    assert efficiency_of(inside, idle) == (0, 0, None)
    assert efficiency_of(stats_of(), stats_of()) == (None, None, None)


@given(st.lists(st.lists(st.integers(-20, 20), min_size=1, max_size=6), max_size=6))
def test_a_joined_curve_falls_as_its_pieces_say(pieces):
    outside, ranges = np.zeros((len(pieces), STATS)), np.zeros((len(pieces), 2))
    for n, changes in enumerate(pieces):
        path = np.concatenate(([0], np.cumsum(changes)))
        fall = (np.maximum.accumulate(path) - path).max()
        outside[n, [0, 4]] = path[-1], fall
        ranges[n] = path.max(), path.min()
    curve = np.concatenate(([0], np.cumsum([c for changes in pieces for c in changes])))
    assert drawdown_of_pieces(outside, ranges) == (np.maximum.accumulate(curve) - curve).max()


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        ({"min_winning": 1.5}, "`min_winning` is a share between 0 and 1"),
        ({"min_efficiency": math.nan}, "`min_efficiency` must be a finite number, got nan"),
        ({"min_profit": math.inf}, "`min_profit` must be a finite number, got inf"),
    ],
)
def test_criteria_that_mean_nothing_are_refused(given_, why):
    with pytest.raises(ArgumentError, match=why):
        Criteria(**given_)


def test_growth_between_the_sides_is_no_efficiency():
    """An account that doubles a year makes the same share of itself in every window."""
    inside, outside = np.zeros((2, STATS)), np.zeros((2, STATS))
    net, years, trades = (WindowStats._fields.index(n) for n in ("net_profit", "years", "trades"))
    inside[:, net], inside[:, years], inside[:, trades] = (100.0, 400.0), 1.0, 10.0
    outside[:, net], outside[:, years], outside[:, trades] = (200.0, 800.0), 1.0, 10.0
    accounts = np.array([100.0, 400.0]), np.array([200.0, 800.0])
    assert efficiency_of(inside, outside) == (2.0, 2.0, 2.0)
    assert efficiency_of(inside, outside, accounts) == (1.0, 1.0, 1.0)
    assert inside[0, net] == 100.0


def test_an_account_that_is_used_up_adds_nothing_to_the_efficiency():
    inside, outside = np.zeros((2, STATS)), np.zeros((2, STATS))
    net, years, trades = (WindowStats._fields.index(n) for n in ("net_profit", "years", "trades"))
    for stats in (inside, outside):
        stats[:, net], stats[:, years], stats[:, trades] = 50.0, 1.0, 5.0
    accounts = np.array([100.0, 100.0]), np.array([-20.0, 100.0])
    assert efficiency_of(inside, outside, accounts).dollars == 0.5
