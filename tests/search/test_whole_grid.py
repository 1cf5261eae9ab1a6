"""Search, scoring and candidates against the plain functions over the whole grid."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from meseta.account import Account
from meseta.engine import Window
from meseta.errors import ArgumentError
from meseta.search import LEVELS, Lattice, SearchStore, levels_for, score, search, thread_count
from meseta.search import _problem as problem_module
from meseta.search._codes import RankTable
from meseta.selection import Gates, funnel, percentile_ranks, stability, valid
from small_world import (
    FIELDS,
    NARROW_GRID,
    WORLDS,
    brute,
    brute_of,
    built,
    digest,
    fresh,
    scored_in,
    world,
)

EVERY_WORLD = pytest.mark.parametrize("name", WORLDS)
TESTS = Path(__file__).resolve().parents[1]
ALMOST_ALL = Gates(min_efficiency=0.0, max_drawdown_to_profit=5.0, max_drawdown_to_in_sample=10.0)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A world's scoring and candidates, searched once with one thread."""
    found = {}

    def search_world(name):
        if name not in found:
            problem, gates = built(name)
            folder = tmp_path_factory.mktemp(name)
            required = min(2, len(problem.windows))
            found[name] = scored_in(folder, problem, gates, required=required)
        return found[name]

    return search_world


def plain(name, gates=None):
    """Validity, ranks and stability of every combination; profits as the search keeps them."""
    totals = brute(name).phase_totals()
    passed = valid(totals, gates or built(name).gates)
    oos = totals.oos_pnl.astype(np.float32)
    ranks = percentile_ranks(oos, passed)
    return totals, passed, ranks, stability(ranks, passed)


@EVERY_WORLD
def test_funnel_counts_every_combination(name, searched):
    _, scored, _ = searched(name)
    totals, passed, _, _ = plain(name)
    expected = funnel(totals, built(name).gates)
    found = dict(scored.funnel)
    required = found.pop("required")
    assert found.pop("relaxed") is False
    assert found.pop("candidates") == found.pop("stable") == (passed.sum(axis=1) >= required).sum()
    assert required == min(2, passed.shape[1])
    assert found == expected


@EVERY_WORLD
def test_candidates_are_the_stable_combinations_best_first(name, searched):
    _, scored, frame = searched(name)
    _, passed, ranks, expected = plain(name)
    stable = np.flatnonzero(passed.sum(axis=1) >= scored.funnel["required"])
    numbers = frame["flat"].to_numpy()
    flats = brute(name).rows(numbers)
    assert np.array_equal(np.sort(numbers), brute(name).flats[stable])
    assert stable.size
    found = frame["stability"].to_numpy()
    np.testing.assert_allclose(found, expected[flats], rtol=1e-12)
    assert np.array_equal(np.lexsort((numbers, -found)), np.arange(flats.size))
    assert np.array_equal(frame["phases_valid"].to_numpy(), passed[flats].sum(axis=1))
    for p in range(passed.shape[1]):
        rank = frame[f"rank_{p + 1}"].to_numpy()
        np.testing.assert_allclose(rank, ranks[flats, p], rtol=1e-12, equal_nan=True)
        assert frame[f"rank_{p + 1}"].null_count() == (~passed[flats, p]).sum()
        assert not frame[f"rank_{p + 1}"].is_nan().any()


@EVERY_WORLD
def test_candidates_hold_every_field(name, searched):
    _, _, frame = searched(name)
    grid, totals = built(name).problem.grid, brute(name).totals
    numbers = frame["flat"].to_numpy()
    flats = brute(name).rows(numbers)
    for parameter in grid.names:
        expected = [grid.point(int(flat))[parameter] for flat in numbers]
        assert frame[parameter].to_list() == expected
    for p in range(totals.shape[1]):
        for k, field in enumerate(FIELDS):
            found, expected = frame[f"{field}_{p + 1}"].to_numpy(), totals[flats, p, k]
            if "maxdd" in field:
                np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-8)
            else:
                assert np.array_equal(found, expected)
        earned, made = totals[flats, p, 0], totals[flats, p, 1]
        ratio = [m / e if e > 0 else None for e, m in zip(earned, made, strict=True)]
        assert frame[f"efficiency_{p + 1}"].to_list() == ratio
    for k, field in enumerate(FIELDS[:4]):
        np.testing.assert_allclose(frame[field].to_numpy(), totals[flats, :, k].sum(axis=1))
    worst = totals[flats, :, 5].max(axis=1)
    np.testing.assert_allclose(frame["oos_maxdd"].to_numpy(), worst, rtol=1e-9)


@EVERY_WORLD
def test_behaviours_are_shared_exactly_by_combinations_with_the_same_trades(name, searched):
    _, _, frame = searched(name)
    flats, behaviours = frame["flat"].to_list(), frame["behaviour"].to_list()
    trades = dict(zip(brute(name).flats.tolist(), brute(name).trades, strict=True))
    lowest = {}
    for flat in sorted(flats):
        lowest.setdefault(trades[flat], flat)
    assert behaviours == [lowest[trades[flat]] for flat in flats]


@EVERY_WORLD
def test_other_gates_score_the_same_tiles(name, tmp_path):
    problem, _ = built(name)
    store = SearchStore(tmp_path, problem)
    search(problem, store, threads=1, required=1, gates=built(name).gates)
    gates = replace(ALMOST_ALL, min_drawdown=problem.min_drawdown)
    scored = score(problem, store, gates, required=1, limit=10**6, threads=1)
    totals, passed, _, expected = plain(name, gates)
    assert scored.funnel["phases"] == funnel(totals, gates)["phases"]
    kept = brute(name).flats[passed.any(axis=1)]
    assert set(scored.chosen.flat.tolist()) == set(kept.tolist())
    rows = brute(name).rows(scored.chosen.flat)
    np.testing.assert_allclose(scored.chosen.stability, expected[rows], rtol=1e-12)


def test_the_best_are_kept_and_ties_go_to_the_lower_number(tmp_path, searched):
    problem, gates = built("plain")
    whole = searched("plain")[2]
    for limit in (1, 2, 7, 100, whole.height - 1, whole.height, whole.height + 1):
        _, scored, frame = scored_in(tmp_path, problem, gates, limit=limit)
        assert frame.equals(whole.head(limit))
        assert scored.funnel["candidates"] == min(limit, whole.height)
        assert scored.funnel["stable"] == whole.height


def test_fewer_phases_are_asked_when_none_is_stable(tmp_path):
    problem, gates = built("costs")
    _, passed, _, _ = plain("costs")
    assert passed.sum(axis=1).max() == 3
    _, scored, frame = scored_in(tmp_path, problem, gates, required=4)
    assert (scored.funnel["required"], scored.funnel["relaxed"]) == (2, True)
    assert frame.height == (passed.sum(axis=1) >= 2).sum()
    _, scored, frame = scored_in(tmp_path, problem, gates, required=3)
    assert (scored.funnel["required"], scored.funnel["relaxed"]) == (3, False)
    assert frame.height == (passed.sum(axis=1) >= 3).sum()


def test_no_candidate_at_all(tmp_path):
    problem, _ = built("plain")
    gates = Gates(min_trades=255)
    problem = replace(problem, levels=levels_for(gates))
    _, scored, frame = scored_in(tmp_path, problem, gates)
    assert frame.height == scored.funnel["candidates"] == scored.funnel["stable"] == 0
    assert scored.funnel["valid_in"]["0"] == problem.grid.size
    assert (scored.funnel["required"], scored.funnel["relaxed"]) == (2, False)
    assert frame.columns == scored_in(tmp_path, *built("plain"))[2].columns


@pytest.mark.parametrize(
    ("name", "axes"),
    [
        ("plain", ("atr_multiplier", "atr_buy_multiplier")),
        ("plain", ("atr_buy_multiplier", "atr_period")),
        ("plain", ("bb_length", "min_tightening")),
        ("plain", ("equity_price_method", "vol_threshold")),
        ("plain", ("atr_buy_multiplier", "equity_price_method")),
        ("plain", ("atr_buy_period", "scaling_method")),
        # Some combinations never trade: a profit of zero is none.
        ("hundreds", ("atr_period", "atr_buy_period")),
        ("poor", ("min_tightening", "bb_length")),
        ("both", ("short_multiplier", "entry_mode")),
        ("hull", ("hma_fast_length", "atr_multiplier")),
        ("hull", ("hma_slow_length", "equity_price_method")),
        ("tied", ("atr_multiplier", "atr_buy_multiplier")),
        ("tied", ("atr_period", "equity_price_method")),
        ("sampled", ("atr_multiplier", "atr_buy_multiplier")),
        ("own", ("channel", "atr_multiplier")),
        ("own tied", ("atr_period", "atr_multiplier")),
    ],
)
def test_lattice_counts_every_combination(name, axes, searched):
    problem = built(name).problem
    grid = problem.grid
    store, _, _ = searched(name)
    lattice = Lattice(problem, store, axes)
    profit = brute(name).totals[:, :, 1].astype(np.float32).astype(float)
    total = profit[:, 0] + profit[:, 1] + profit[:, 2] + profit[:, 3]
    shape = tuple(len(grid.values[axis]) for axis in axes)
    many, profitable = np.zeros(shape, int), np.zeros(shape, int)
    index = grid.indices(brute(name).flats)
    np.add.at(many, (index[axes[0]], index[axes[1]]), 1)
    np.add.at(profitable, (index[axes[0]], index[axes[1]]), total > 0)
    found = lattice.totals()
    assert np.array_equal(found.combinations, many)
    assert np.array_equal(found.profitable, profitable)
    assert 0 < profitable.sum() <= problem.total
    cells = np.array([(0, 0), (shape[0] - 1, shape[1] - 1)])[: many.size]
    inside = np.zeros(shape, bool)
    inside[cells[:, 0], cells[:, 1]] = True
    some = total[inside[index[axes[0]], index[axes[1]]]].astype(np.float32)
    median, worst, share = lattice.outcomes(cells)
    assert median == pytest.approx(float(np.median(some)), rel=1e-6)
    assert (worst, share) == (float(some.min()), np.count_nonzero(some > 0) / some.size)


@pytest.mark.parametrize("name", ["plain", "hundreds"])
@pytest.mark.parametrize("threads", [2, 5])
def test_the_number_of_threads_changes_nothing(name, threads):
    assert digest(name, threads=threads) == digest(name)


@pytest.mark.parametrize("name", ["plain", "hundreds", "poor", "both", "hull", "own"])
@pytest.mark.parametrize("sets", [1, 2])
def test_the_size_of_tiles_changes_nothing(name, sets, monkeypatch):
    before, tiles = digest(name), len(fresh(name).problem.tiles())
    monkeypatch.setattr(problem_module, "_SETS_PER_TILE", sets)
    monkeypatch.setattr(problem_module, "_STOPS_PER_TILE", 3)
    monkeypatch.setattr(problem_module, "_TILE", 10)
    assert len(fresh(name).problem.tiles()) > tiles
    assert digest(name, threads=2) == before


def test_the_lattice_does_not_depend_on_tiles(monkeypatch, searched, tmp_path):
    problem, gates = built("plain")
    axes = ("atr_multiplier", "atr_buy_multiplier")
    store, _, _ = searched("plain")
    one = Lattice(problem, store, axes)
    monkeypatch.setattr(problem_module, "_SETS_PER_TILE", 2)
    problem = fresh("plain").problem
    two = Lattice(problem, scored_in(tmp_path, problem, gates)[0], axes)
    assert np.array_equal(one.totals().profitable, two.totals().profitable)
    cells = np.array([(1, 0), (0, 2)])
    assert one.outcomes(cells) == two.outcomes(cells)


@pytest.mark.parametrize("seed", ["1", "4711"])
def test_a_fresh_process_finds_the_same(seed):
    script = "from small_world import digest; print(digest('costs', threads=2))"
    made = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(TESTS)},
        timeout=300,
    )
    assert made.stdout.split() == [digest("costs")]


def test_survivors_and_progress_are_told(tmp_path):
    problem, gates = built("plain")
    _, passed, _, _ = plain("plain")
    told = []
    store = SearchStore(tmp_path, problem)
    for _ in range(2):  # the second time every tile is there
        told.clear()
        search(
            problem, store, threads=2, required=3, gates=gates, tick=lambda *at: told.append(at)
        )
        assert told[-1] == (problem.total, (passed.sum(axis=1) >= 3).sum())
        assert told == sorted(told)
    assert len(told) == 1
    steps = []
    score(
        problem, store, gates, required=3, limit=9, threads=1,
        tick=lambda *at: steps.append(at),
    )  # fmt: skip
    assert steps == sorted(steps)
    assert steps[-1][0] == steps[-1][1]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"min_efficiency": 0.1234}, "`min_efficiency` .* remembered .* got 0.1234; .* again"),
        ({"max_drawdown_to_profit": 7.0}, "`max_drawdown_to_profit` .* remembered .* got 7;"),
        ({"max_drawdown_to_in_sample": 0.55}, "`max_drawdown_to_in_sample` .* remembered"),
        ({"min_trades": 256}, "`min_trades` must be at most 255, got 256"),
    ],
)
def test_thresholds_that_were_not_remembered_are_refused(change, why, tmp_path):
    problem, gates = built("narrow")
    store = SearchStore(tmp_path, problem)
    search(problem, store, threads=1, required=1, gates=gates)
    with pytest.raises(ArgumentError, match=why):
        score(problem, store, replace(gates, **change), required=1, limit=1, threads=1)


def test_a_run_s_own_thresholds_are_remembered():
    levels = levels_for(Gates(min_efficiency=0.1234, max_drawdown_to_profit=7.0))
    assert 0.1234 in levels["min_efficiency"]
    assert levels["max_drawdown_to_profit"] == (*LEVELS["max_drawdown_to_profit"], 7.0)
    assert levels["max_drawdown_to_in_sample"] == LEVELS["max_drawdown_to_in_sample"]


def phased(count):
    """A narrow search of many short phases."""
    spans = tuple(Window(85 + 3 * k, 130 + 3 * k, 200 + 3 * k) for k in range(count))
    return world(NARROW_GRID, Account(), gates=ALMOST_ALL, windows=spans)


@pytest.mark.parametrize("count", [1, 8, 9, 32])
def test_phases_are_counted_apart_however_many(count, tmp_path):
    problem, gates = phased(count)
    required = count // 2 + 1
    _, scored, frame = scored_in(tmp_path, problem, gates, required=required)
    totals = brute_of(problem).phase_totals()
    passed = valid(totals, gates)
    assert scored.funnel["valid_in"] == funnel(totals, gates)["valid_in"]
    assert frame.height == (passed.sum(axis=1) >= required).sum() > 0
    assert frame[f"rank_{count}"].is_not_null().sum() == passed[frame["flat"], -1].sum() > 0


def test_more_phases_than_there_are_bits_are_refused():
    with pytest.raises(ArgumentError, match="`phases` must be at most 32, got 33"):
        phased(33)


def test_thread_count():
    assert thread_count(3) == 3
    assert 1 <= thread_count(None) <= (os.cpu_count() or 1)


def test_ranks_are_looked_up_exactly(searched):
    # Every rank that occurs is found again by its key, whatever bucket it fell into.
    for table in searched("plain")[1].ranks:
        assert isinstance(table, RankTable)
        assert np.all(np.diff(table.key.astype(np.int64)) > 0)
        assert np.all(np.diff(table.rank) > 0)
        assert table.rank.size
        assert 0 < table.rank[0] <= table.rank[-1] <= 100
