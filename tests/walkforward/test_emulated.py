"""The emulated walk-forward finds what simulating every combination bar by bar finds."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from emulated_world import FUTURE, START, WINDOWS, WorldSource, request_of
from plain_walk import distance, flats_of, walk_forward

import meseta.search._problem as problem_module
import meseta.walkforward._sources as sources_module
from meseta.account import Account, Contract
from meseta.errors import ArgumentError
from meseta.strategies import load_grid
from meseta.walkforward._emulated import Emulated, emulate
from meseta.walkforward._fitness import FITNESSES, FitnessError, find_fitness, fitness
from meseta.walkforward._middle import Middle
from random_market import bars_of, walk_of
from small_world import WIDE_GRID

EXACT = ("net_profit", "profit_to_drawdown", "mar")
# A world for each kind of tables: trailing, both directions, reversals that are too small,
# shared parameters, exits at closes, a second symbol, constraints, samples, resting stops.
PLACES = [
    ("plain", "rolling"), ("costs", "cells"), ("poor", "purged"), ("fractions", "anchored"),
    ("late", "rolling"), ("both", "rolling"), ("both poor", "cells"), ("hull", "purged"),
    ("hull both", "rolling"), ("two symbols", "anchored"), ("tied", "cells"),
    ("tied hull", "rolling"), ("sampled", "rolling"), ("sampled hull", "cells"),
    ("own", "cells"), ("own tied", "rolling"), ("own sampled", "purged"),
    ("own leaving", "anchored"),
]  # fmt: skip


def same(one: Emulated, other: Emulated) -> None:
    """Assert that two results are the same to the last bit."""
    for each in fields(Emulated):
        a, b = getattr(one, each.name), getattr(other, each.name)
        assert np.array_equal(a, b, equal_nan=np.asarray(a).dtype == float), each.name


def alike(found: Emulated, expected: Emulated, scale: float) -> None:
    """Assert that two results agree; at equal fitness but for rounding either may come first."""
    near = {"rel": 1e-9, "abs": 1e-9 * scale, "nan_ok": True}
    for name in ("qualified", "undefined", "few", "winning", "combinations", "median"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    loose = {"rel": 1e-6, "abs": 1e-9, "nan_ok": True}
    assert found.fitness == pytest.approx(expected.fitness, **loose)
    assert found.median_fitness == pytest.approx(expected.median_fitness, **loose)
    assert found.mean == pytest.approx(expected.mean, **near)
    chosen = found.best == expected.best
    assert chosen.mean() > 0.9
    for name in ("inside", "outside"):
        one, other = (getattr(each, name)[chosen][:, :5] for each in (found, expected))
        assert one == pytest.approx(other, **near), name


@pytest.mark.parametrize(("world", "windows"), PLACES)
def test_tables_find_what_the_reference_engine_finds(world, windows):
    for name in ("net_profit", "mar"):
        request = request_of(world, windows=windows, fitness=name, keep=4)
        middle = Middle(request.grid)
        expected = emulate(request, source=WorldSource(world, request, middle), threads=1)
        found = emulate(request, threads=1)
        for each in ("best", "fitness", "distance", "qualified", "undefined", "few", "winning",
                     "median", "median_fitness"):  # fmt: skip
            a, b = getattr(found, each), getattr(expected, each)
            assert np.array_equal(a, b, equal_nan=np.asarray(a).dtype == float), each
        alike(found, expected, request.account.capital)
        total = found.qualified + found.undefined + found.few
        assert (total == request.combinations).all()
        assert (found.best[:, 0] >= 0).any()
    for name in ("profit_factor", "sharpe", "sortino"):
        request = request_of(world, windows=windows, fitness=name, keep=4)
        source = WorldSource(world, request, Middle(request.grid))
        alike(emulate(request, threads=1), emulate(request, source=source), 1e4)


@pytest.mark.parametrize("world", ["plain", "both", "own"])
def test_a_future_is_found_like_the_reference_engine_finds_it(world):
    request = request_of(world, windows="cells", contract=FUTURE, min_trades=2)
    source = WorldSource(world, request, Middle(request.grid))
    found, expected = emulate(request), emulate(request, source=source)
    alike(found, expected, 1e4)
    assert (found.best[:, 0] >= 0).any()
    free = emulate(request_of(world, windows="cells", min_trades=2))
    assert not np.array_equal(free.mean, found.mean)


@fitness
def careful(stats):
    """Profit less drawdown; nothing to say of a window with a single trade."""
    if stats.trades == 1:
        return np.nan
    return stats.net_profit - 1.5 * stats.drawdown


@pytest.mark.parametrize("name", [*FITNESSES, careful])
def test_choices_are_those_of_a_walk_forward_by_hand(name):
    request = request_of("narrow", fitness=name, keep=3)
    request = replace(
        request,
        grid=load_grid(WIDE_GRID | {"bb_length": 10, "atr_period": 5, "atr_buy_multiplier": 0.3},
                       request.strategy.parameters),
    )  # fmt: skip
    found = emulate(request, threads=1)
    by_hand = walk_forward(request, careful if name is careful else lambda s: getattr(s, name))
    assert len(by_hand) == len(found.windows)
    for w, expected in enumerate(by_hand):
        assert found.qualified[w] == expected["qualified"]
        assert found.undefined[w] == expected["undefined"]
        assert found.few[w] == expected["few"]
        assert found.winning[w] == expected["winning"]
        assert found.mean[w] == pytest.approx(expected["mean"], rel=1e-9, abs=1e-5)
        order, values = expected["order"], expected["values"]
        for place in range(3):
            flat = int(found.best[w, place])
            if place >= len(order):
                assert flat == -1
                continue
            # Where rounding alone tells two apart either may come first.
            value = values[order[place]]
            assert flat == order[place] or values[flat] == pytest.approx(value, rel=1e-9)
            assert found.fitness[w, place] == pytest.approx(value, rel=1e-7)
            assert found.distance[w, place] == pytest.approx(float(distance(request.grid, flat)))
            for name_, stats in (("inside", found.inside), ("outside", found.outside)):
                told, want = stats[w, place], expected[name_][flat]
                assert told[:5] == pytest.approx(want[:5], rel=1e-9, abs=1e-6)
                assert told[10:] == pytest.approx(want[10:])
    middle = found.median
    values = [each["values"][middle] for each in by_hand]
    assert found.median_fitness == pytest.approx(values, rel=1e-7, nan_ok=True)
    profits = [each["outside"][middle].net_profit for each in by_hand]
    assert found.median_outside[:, 0] == pytest.approx(profits, rel=1e-9, abs=1e-6)


def test_ties_go_to_the_middle_among_all_that_share_a_table():
    """Inert parameters, a threshold that never binds, entries that are alike: equal fitness."""
    request = request_of("plain", windows="cells", keep=9)
    found = emulate(request)
    tied = 0
    for w in range(len(found.windows)):
        ranks = [
            (-found.fitness[w, k], distance(request.grid, flat), flat)
            for k, flat in enumerate(found.best[w].tolist())
        ]
        assert ranks == sorted(ranks)
        tied += found.fitness[w, 0] == found.fitness[w, 1]
        assert len(set(found.best[w].tolist())) == 9
    assert tied > 0


@pytest.mark.parametrize("world", ["plain", "both", "tied", "sampled", "own tied", "hull both"])
def test_where_all_are_equal_the_middle_is_found(world):
    """Nothing can be bought, so that one result stands for every combination."""
    request = request_of(world, keep=11, min_trades=0)
    found = emulate(replace(request, account=Account(capital=1e-6)))
    far = {flat: distance(request.grid, flat) for flat in flats_of(request.grid, request.flats)}
    nearest = sorted(far, key=lambda flat: (far[flat], flat))[:11]
    nearest += [-1] * (11 - len(nearest))
    assert found.best.tolist() == [nearest] * len(found.windows)
    assert (found.qualified == request.combinations).all()
    assert (found.winning == 0).all()


@pytest.mark.parametrize("world", ["both", "tied", "sampled", "own", "hull both"])
def test_neither_threads_nor_the_size_of_parts_change_anything(world, monkeypatch):
    request = request_of(world, windows="cells", fitness="profit_factor")
    expected = emulate(request, threads=1)
    for threads in (2, 4):
        same(emulate(request, threads=threads), expected)
    for sets, stops, tile, sample in ((1, 3, 10, 7), (2, 1, 50, 64)):
        monkeypatch.setattr(problem_module, "_SETS_PER_TILE", sets)
        monkeypatch.setattr(problem_module, "_STOPS_PER_TILE", stops)
        monkeypatch.setattr(problem_module, "_TILE", tile)
        monkeypatch.setattr(problem_module, "_SAMPLE_TILE", sample)
        monkeypatch.setattr(sources_module, "_LEAST_ROWS", 1 if sets == 1 else 5)
        monkeypatch.setattr(sources_module, "_PIECE_BYTES", 1)
        for threads in (1, 4):
            same(emulate(request, threads=threads), expected)


def test_a_window_in_which_nothing_qualifies_is_flat():
    request = request_of("plain", min_trades=34)
    found = emulate(request)
    assert found.flat.any()
    assert not found.flat.all()
    none = found.flat
    assert (found.best[none] == -1).all()
    assert np.isnan(found.fitness[none]).all()
    assert np.isnan(found.inside[none]).all()
    assert (found.qualified[none] == 0).all()
    assert (found.qualified[~none] > 0).all()
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.median_inside[:, 0]).all()
    idle = emulate(replace(request, min_trades=10_000))
    assert idle.flat.all()
    assert (idle.few == request.combinations).all()


def test_more_places_than_combinations_stay_empty():
    request = request_of("narrow", keep=20)
    found = emulate(request)
    many = request.combinations
    assert many < 20
    assert (found.best[:, many:] == -1).all()
    filled = found.best[:, :many][found.qualified == many]
    assert (np.sort(filled, axis=1) == flats_of(request.grid)).all()


def test_cells_are_the_walk_forwards_that_they_are_alone():
    whole = emulate(request_of("costs", windows="cells"))
    cells = [WINDOWS["cells"][:6], WINDOWS["cells"][6:9], WINDOWS["cells"][9:10]]
    at = 0
    for windows in cells:
        request = replace(request_of("costs"), windows=windows)
        same(whole.rows(at, at + len(windows)), emulate(request))
        at += len(windows)


@fitness
def profit(stats):
    return stats.net_profit


@fitness
def never(stats):
    return stats.net_profit / stats.net_profit * np.nan


@fitness
def picky(stats):
    if stats.trades > 3:
        raise ValueError("too busy")
    return 1


def test_a_user_s_fitness_is_as_good_as_a_built_in_one():
    own, built_in = (emulate(request_of("both", fitness=f)) for f in (profit, "net_profit"))
    same(own, built_in)
    nothing = emulate(request_of("both", fitness=never))
    assert nothing.flat.all()
    assert nothing.undefined.sum() > 0
    with pytest.raises(FitnessError, match=r"`picky` .*raised ValueError: too busy; with Window"):
        emulate(request_of("both", fitness=picky), threads=2)


# Kept parts -------------------------------------------------------------------------------------


def parts_in(folder):
    return sorted(folder.glob("*.best"))


def test_what_is_kept_is_not_computed_again(tmp_path, monkeypatch):
    monkeypatch.setattr(problem_module, "_SETS_PER_TILE", 1)
    request, told = request_of("plain", windows="cells"), []
    expected = emulate(request, store=tmp_path)
    names = parts_in(tmp_path)
    assert len(names) > 4
    before = {path: path.stat().st_mtime_ns for path in names}
    same(emulate(request, store=tmp_path, tick=lambda *done: told.append(done)), expected)
    assert {path: path.stat().st_mtime_ns for path in names} == before
    assert told == [(request.combinations, request.combinations)]
    for path in names[::2]:
        path.unlink()
    told.clear()
    same(emulate(request, store=tmp_path, tick=lambda *done: told.append(done)), expected)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[0][0] < told[-1][0] == request.combinations
    assert parts_in(tmp_path) == names


@pytest.mark.parametrize("how", ["cut", "byte", "longer", "empty", "header"])
def test_damaged_parts_are_computed_again_and_told(how, tmp_path):
    request, damaged = request_of("narrow"), []
    expected = emulate(request, store=tmp_path)
    (path,) = parts_in(tmp_path)
    content = bytearray(path.read_bytes())
    if how == "cut":
        del content[-20:]
    elif how == "byte":
        content[-9] ^= 4
    elif how == "longer":
        content += b"\0"
    elif how == "header":
        content[0:1] = b"["
    else:
        content.clear()
    path.write_bytes(content)
    same(emulate(request, store=tmp_path, damaged=damaged), expected)
    assert damaged == [f"{path.name} was damaged or foreign: searched again"]
    damaged.clear()
    same(emulate(request, store=tmp_path, damaged=damaged), expected)
    assert damaged == []


def test_parts_of_another_request_are_not_used(tmp_path):
    request = request_of("narrow", keep=2)
    emulate(request, store=tmp_path)
    others = [
        replace(request, keep=3),
        replace(request, min_trades=2),
        replace(request, fitness=find_fitness("sharpe")),
        replace(request, fitness=find_fitness(profit)),
        replace(request, fitness=find_fitness(careful)),
        replace(request, windows=WINDOWS["purged"]),
        replace(request, account=Account(capital=9_000)),
        replace(request, contract=Contract(quantity=1.0)),
        replace(request, warmup=70),
        replace(request, start=START - 1),
        replace(request, bars=bars_of(walk_of(1, 300, step=0.01, level=90.0))),
    ]
    assert len({each.fingerprint() for each in [request, *others]}) == len(others) + 1
    for other in others:
        damaged = []
        same(emulate(other, store=tmp_path, damaged=damaged), emulate(other))
        assert len(damaged) == 1


# What is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"keep": 0}, "`keep` must be 1 or more, got 0"),
        ({"min_trades": -1}, "`min_trades` must be 0 or more, got -1"),
        ({"warmup": -5}, "`warmup` must be 0 or more"),
        ({"stop": 301}, "0 <= start < stop <= 300"),
        ({"windows": np.zeros((0, 4), int)}, r"shape \(W, 4\) with W > 0, got \(0, 4\)"),
        ({"windows": np.array([[60, 90, 80, 120]])}, r"got \[60, 90, 80, 120\] as window 1"),
        ({"windows": np.array([[50, 90, 90, 120]])}, "`windows` must satisfy 60 <= in_start"),
        ({"windows": np.array([[60, 90, 90, 301]])}, "out_stop <= 300"),
    ],
)
def test_requests_that_cannot_be_met_are_refused(change, why):
    with pytest.raises(ArgumentError, match=why):
        request_of("narrow", **change)


def test_prices_of_zero_and_less_need_another_kind_of_strategy():
    rows = walk_of(3, 300, level=100.0) - 95.0
    bars = bars_of(rows, allow_nonpositive=True)
    request = replace(request_of("own"), bars=bars)
    with pytest.raises(ArgumentError, match=r"prices of zero or less.*kernel strategy"):
        emulate(request)
