"""Scoring and lattice on made-up tiles against plain versions that hold every combination."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt

import numpy as np
import pytest

from meseta.errors import ArgumentError, RunError
from meseta.search import LEVELS, Lattice, score
from meseta.search import _score as scoring
from meseta.search._problem import weights_of
from meseta.search._tiles import TileResult, read_tile, write_tile
from meseta.selection import GATES, Gates

OWNER = "made-up"
AXES = ("stop", "entry")


@dataclass(frozen=True)
class Tile:
    family: int
    first_set: int
    last_set: int
    first_context: int = 0
    last_context: int = 1

    @property
    def name(self):
        return f"{self.family}-{self.first_set}"


@dataclass(frozen=True)
class Grid:
    values: dict

    @property
    def size(self):
        return int(np.prod(self.shape))

    @property
    def shape(self):
        return tuple(map(len, self.values.values()))

    def indices(self, flats):
        return dict(zip(self.values, np.unravel_index(flats, self.shape), strict=True))


@dataclass(frozen=True)
class Whole:
    """Every combination of stops, tightenings, entries and a parameter without effect.

    Exit sets are the tightenings; `tables` of them differ. Tiles hold `per_tile` entry sets.
    """

    seed: int = 0
    stops: int = 3
    exits: int = 6
    tables: int = 4
    sets: int = 7
    per_tile: int = 3
    phases: int = 4
    same: int = 2
    levels: dict = field(default_factory=lambda: dict(LEVELS))

    @property
    def grid(self):
        # In such an order that neither entries nor inert values are next to each other.
        sizes = {"entry": self.sets, "stop": self.stops, "same": self.same, "exit": self.exits}
        return Grid({name: tuple(range(size)) for name, size in sizes.items()})

    @property
    def windows(self):
        return (None,) * self.phases

    @property
    def total(self):
        return self.grid.size

    @property
    def inert(self):
        return np.arange(self.same) * self.exits

    def tiles(self):
        starts = range(0, self.sets, self.per_tile)
        return [
            Tile(stop, first, min(first + self.per_tile, self.sets))
            for stop in range(self.stops)
            for first in starts
        ]

    def members(self, tile):
        # Every table once, then some again, in another order for each family.
        rng = np.random.default_rng(tile.family)
        again = rng.integers(0, self.tables, self.exits - self.tables)
        return rng.permutation(np.concatenate((np.arange(self.tables), again)))

    def exit_offsets(self, tile):
        return tile.family * self.same * self.exits + np.arange(self.exits)

    def set_offsets(self, tile):
        step = self.stops * self.same * self.exits
        return np.arange(tile.first_set, tile.last_set) * step

    def rows(self, tile):
        return self.tables, tile.last_set - tile.first_set


@dataclass(frozen=True)
class Sampled(Whole):
    """Some combinations of the same grid: each is a table of its own with one entry set."""

    many: int = 100

    @property
    def flats(self):
        return np.sort(np.random.default_rng(5).permutation(self.grid.size)[: self.many])

    @property
    def total(self):
        return self.many

    @property
    def inert(self):
        return np.zeros(1, np.int64)

    def tiles(self):
        bounds = [*range(0, self.many, 32), self.many]
        return [Tile(0, first, last) for first, last in pairwise(bounds)]

    def members(self, tile):
        return np.arange(tile.last_set - tile.first_set)

    def exit_offsets(self, tile):
        return self.flats[tile.first_set : tile.last_set]

    def set_offsets(self, tile):
        return np.zeros(1, np.int64)

    def rows(self, tile):
        return tile.last_set - tile.first_set, 1


class Store:
    """Tile files in a folder, as `SearchStore` keeps them."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, tile):
        return self.folder / tile.name

    def read(self, tile, *, check=False):
        return read_tile(self.path(tile), OWNER, check=check)

    def require(self, tile):
        result = self.read(tile, check=True)
        if result is None:
            raise RunError(f"{self.path(tile)} is missing or damaged")
        return result


def continuous(rng, shape):
    return rng.normal(2000, 3000, shape)


def with_ties(rng, shape):
    return rng.integers(-2, 6, shape) * 100.0


def odd(rng, shape):
    """Profits from one end to the other, and none of the numbers that are no profit."""
    every = [-1e30, -1.0, -0.0, 0.0, 2.0**-149, 1.0, 1.0000001, 3e37]
    return rng.choice(np.array(every, np.float32), shape)


def with_nan(rng, shape):
    return np.where(rng.random(shape) < 0.2, np.nan, rng.normal(500, 900, shape))


def made(folder, problem, draw=continuous):
    """A folder of random tiles."""
    rng, store = np.random.default_rng(problem.seed), Store(folder)
    folder.mkdir(exist_ok=True)
    for tile in problem.tiles():
        tables, sets = problem.rows(tile)
        shape = tables, sets, problem.phases
        parts = [rng.integers(0, most, shape) for most in (120, 100, 100, 4)]
        codes = sum(part << 8 * k for k, part in enumerate(parts)).astype(np.uint32)
        oos = draw(rng, shape).astype(np.float32)
        write_tile(store.path(tile), TileResult(oos, codes, np.arange(tables)), OWNER)
    return store


# The plain versions hold one entry for each combination. ------------------------------------


def combinations(problem, store):
    """Flat, tile, table, column, profits, codes of every combination."""
    found = []
    for number, tile in enumerate(problem.tiles()):
        result = store.require(tile)
        for x, member in enumerate(problem.members(tile)):
            table = int(result.table_of[member])
            for column, entry in enumerate(problem.set_offsets(tile)):
                for same in problem.inert:
                    flat = int(problem.exit_offsets(tile)[x] + entry + same)
                    row = result.oos[table, column], result.codes[table, column]
                    found.append((flat, number, table, column, *row))
    flat, number, table, column, oos, codes = (np.array(part) for part in zip(*found, strict=True))
    assert flat.size == np.unique(flat).size == problem.total
    return flat, (number, table, column), oos, codes


def masks(oos, codes, gates):
    """Each gate as the codes are read by hand."""
    efficiency = LEVELS["min_efficiency"].index(gates.min_efficiency)
    profit = LEVELS["max_drawdown_to_profit"]
    sample = LEVELS["max_drawdown_to_in_sample"]
    return np.array([
        codes & 255 > 0,
        oos > 0,
        codes & 255 >= efficiency + 2,
        codes >> 8 & 255 >= len(profit) - profit.index(gates.max_drawdown_to_profit),
        codes >> 16 & 255 >= len(sample) - sample.index(gates.max_drawdown_to_in_sample),
        codes >> 24 >= gates.min_trades,
    ])  # fmt: skip


def percentiles(values, passed):
    """Percentiles with the same operations in the same order as the compiled ones."""
    ranks = np.full(passed.shape, np.nan)
    for p in range(passed.shape[1]):
        rows = np.flatnonzero(passed[:, p])
        _, tie, tied = np.unique(values[rows, p], return_inverse=True, return_counts=True)
        below = np.cumsum(tied) - tied
        ranks[rows, p] = ((below + (tied + 1) / 2) / max(rows.size, 1) * 100)[tie]
    return ranks


def stability_of(ranks):
    kept = [float(rank) for rank in ranks if not np.isnan(rank)]
    mean = sum(kept) / len(kept)
    squares = 0.0
    for rank in kept:
        squares += (rank - mean) * (rank - mean)
    deviation = sqrt(squares / len(kept))
    return mean * (1.0 + (len(kept) - 1) * 0.1) / (1.0 + deviation / 20.0)


def plain(problem, store, gates, required, limit, values=lambda oos, _passed: oos):
    """Funnel and candidates with every combination in memory; `values` are what is ranked."""
    flat, places, oos, codes = combinations(problem, store)
    each = masks(oos, codes, gates)
    passed = each.all(axis=0)
    times = passed.sum(axis=1)
    least = 2 if required > 2 and not (times >= required).any() else required
    ranks = percentiles(values(oos, passed), passed)
    stable = np.flatnonzero(times >= least)
    one = np.array([stability_of(ranks[k]) for k in stable])
    order = np.lexsort((flat[stable], -one))[:limit]
    left = np.logical_and.accumulate(each, axis=0)
    funnel = {
        "phases": [
            {
                "phase": p + 1,
                "combinations": problem.total,
                "alone": {g: int((~each[k, :, p]).sum()) for k, g in enumerate(GATES)},
                "sequence": {g: int(left[k, :, p].sum()) for k, g in enumerate(GATES)},
                "valid": int(passed[:, p].sum()),
            }
            for p in range(problem.phases)
        ],
        "valid_in": {str(k): int((times == k).sum()) for k in range(problem.phases + 1)},
        "required": least,
        "relaxed": least != required,
        "stable": stable.size,
        "candidates": order.size,
    }
    chosen = stable[order]
    return funnel, (flat[chosen], one[order], *(place[chosen] for place in places))


def columns(chosen):
    return chosen.flat, chosen.stability, chosen.tile, chosen.table, chosen.entry_set


def same(problem, store, gates, *, required=2, limit=10**6, threads=1, **given):
    """Score, compare with the plain version to the last bit, and return the scoring."""
    scored = score(problem, store, gates, required=required, limit=limit, threads=threads)
    funnel, expected = plain(problem, store, gates, required, limit, **given)
    assert scored.funnel == funnel
    for found, wanted in zip(columns(scored.chosen), expected, strict=True):
        assert np.array_equal(found, wanted)
    return scored


LOOSE = Gates(
    min_efficiency=0.1, max_drawdown_to_profit=3.0, max_drawdown_to_in_sample=5.0, min_trades=1
)
DRAWS = pytest.mark.parametrize("draw", [continuous, with_ties, odd, with_nan])
PROBLEMS = [
    Whole(),
    Whole(seed=1, stops=1, exits=3, tables=3, sets=1, same=1),
    Whole(seed=2, stops=2, exits=40, tables=30, sets=20, per_tile=8, phases=7, same=3),
    Whole(seed=3, phases=1),
    Sampled(seed=4),
    Sampled(seed=5, many=33, phases=9),
]


@DRAWS
@pytest.mark.parametrize("problem", PROBLEMS)
def test_candidates_are_the_plain_ones_to_the_last_bit(problem, draw, tmp_path):
    store, required = made(tmp_path, problem, draw), min(2, problem.phases)
    scored = same(problem, store, LOOSE, required=required)
    assert scored.tiles == problem.tiles()
    assert scored.exit_tables == sum(
        problem.rows(tile)[0] for tile in problem.tiles() if tile.first_set == 0
    )
    stable = scored.funnel["stable"]
    for limit in {1, 2, 10, max(stable // 2, 1), max(stable - 1, 1), stable + 1}:
        same(problem, store, LOOSE, required=required, limit=limit)


@pytest.mark.parametrize("threads", [2, 5])
@pytest.mark.parametrize("sorted_rows", [0, 10**6])
def test_threads_change_nothing(threads, sorted_rows, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_SORTED", sorted_rows)
    problem = PROBLEMS[2]
    store = made(tmp_path, problem)
    one, many = (
        score(problem, store, LOOSE, required=2, limit=500, threads=count)
        for count in (1, threads)
    )
    assert one.funnel == many.funnel
    for left, right in zip(columns(one.chosen), columns(many.chosen), strict=True):
        assert np.array_equal(left, right)


@pytest.mark.parametrize("chunk", [1, 3, 50])
@pytest.mark.parametrize("draw", [continuous, with_ties])
def test_candidates_are_the_same_however_few_are_held(chunk, draw, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_CHUNK", chunk)
    store = made(tmp_path, PROBLEMS[0], draw)
    for limit in (1, 7, 60, 10**6):
        same(PROBLEMS[0], store, LOOSE, limit=limit, threads=2)


def test_of_equals_the_lowest_numbers_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_CHUNK", 4)
    problem = Whole()
    store = Store(tmp_path)
    for tile in problem.tiles():
        shape = *problem.rows(tile), problem.phases
        passing = np.full(shape, 0xFFFFFFFF, np.uint32)
        result = TileResult(np.ones(shape, np.float32), passing, np.arange(shape[0]))
        write_tile(store.path(tile), result, OWNER)
    scored = same(problem, store, LOOSE, limit=20)
    assert scored.chosen.flat.tolist() == list(range(20))


def cut(oos, passed, buckets):
    """Profits as the lower bounds of their buckets."""
    found = np.zeros(oos.shape)
    for p in range(oos.shape[1]):
        bits = oos[:, p].astype(np.float32).view(np.uint32).astype(np.int64)
        kept = bits[passed[:, p]]
        low, high = kept.min(initial=1 << 40), kept.max(initial=0)
        shift = 0
        while (high - low) >> shift >= buckets:
            shift += 1
        found[:, p] = (bits - low) >> shift
    return found


@DRAWS
@pytest.mark.parametrize("buckets", [1, 16, 1 << 22])
@pytest.mark.parametrize("problem", [PROBLEMS[0], PROBLEMS[2], PROBLEMS[4]])
def test_many_rows_are_ranked_by_buckets(problem, draw, buckets, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_SORTED", 0)
    monkeypatch.setattr(scoring, "_BUCKETS", buckets)
    store = made(tmp_path, problem, draw)
    most = min(buckets, 1 << (scoring._ALL_BUCKETS // problem.phases).bit_length() - 1)
    same(problem, store, LOOSE, threads=2, values=lambda *given: cut(*given, most))


def test_phases_with_many_rows_are_counted_and_the_others_sorted(tmp_path, monkeypatch):
    problem = PROBLEMS[2]
    store = made(tmp_path, problem)
    exact = score(problem, store, LOOSE, required=2, limit=10**6, threads=1)
    rows = [table.key.size for table in exact.ranks]
    middle = sorted(rows)[3]
    assert min(rows) < middle < max(rows)
    monkeypatch.setattr(scoring, "_SORTED", middle)
    monkeypatch.setattr(scoring, "_BUCKETS", 16)
    mixed = score(problem, store, LOOSE, required=2, limit=10**6, threads=1)
    for size, before, after in zip(rows, exact.ranks, mixed.ranks, strict=True):
        if size <= middle:
            assert np.array_equal(before.rank, after.rank)
        else:
            assert after.key.size <= 16
    assert mixed.funnel == exact.funnel


def test_fewer_phases_are_asked_when_none_is_stable(tmp_path):
    problem = Whole(seed=8)
    store = made(tmp_path, problem)
    gates = Gates(min_efficiency=1.0, max_drawdown_to_profit=3.0, max_drawdown_to_in_sample=5.0)
    assert same(problem, store, gates, required=4).funnel["relaxed"]
    assert same(problem, store, gates, required=1).funnel["candidates"]


def test_nothing_is_chosen_where_nothing_is_valid(tmp_path):
    store = made(tmp_path, Whole())
    scored = same(Whole(), store, Gates(min_trades=255), required=3)
    assert scored.chosen.flat.size == scored.funnel["stable"] == 0
    assert [column.dtype.kind for column in columns(scored.chosen)] == list("ifiii")


def test_a_tile_that_is_damaged_or_gone_is_told(tmp_path):
    store = made(tmp_path, Whole())
    path = store.path(Whole().tiles()[-1])
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(RunError, match="missing or damaged"):
        score(Whole(), store, LOOSE, required=2, limit=9, threads=2)
    path.unlink()
    with pytest.raises(RunError, match="missing or damaged"):
        Lattice(Whole(), store, AXES, threads=2).totals()


def test_progress_grows_to_its_end(tmp_path):
    store, told = made(tmp_path, Whole()), []
    score(Whole(), store, LOOSE, required=2, limit=9, threads=2, tick=lambda *at: told.append(at))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert len({total for _, total in told}) == 1


def test_memory_does_not_grow_with_the_number_of_tiles(tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "_SORTED", 1000)
    monkeypatch.setattr(scoring, "_BUCKETS", 1 << 16)

    def work(stops):
        problem = Whole(stops=stops, exits=64, tables=32, sets=256, per_tile=256, same=1)
        store = made(tmp_path / str(stops), problem)
        lattice = Lattice(problem, store, AXES)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        score(problem, store, LOOSE, required=2, limit=1000, threads=1)
        lattice.totals()
        lattice.outcomes(np.array([(0, 0), (stops - 1, 3)]))
        return tracemalloc.get_traced_memory()[1] - before

    work(2)  # so that the compiler's memory is not counted
    tracemalloc.start()
    try:
        few, many = work(4), work(64)
    finally:
        tracemalloc.stop()
    # A byte for each of the rows more would be four times as much.
    assert many - few < 60 * 32 * 256 / 4


# The lattice. -------------------------------------------------------------------------------


def summed(problem, store, axes):
    """Cell and summed profit of every combination, and the lattice's shape."""
    flat, _, oos, _ = combinations(problem, store)
    total = np.zeros(flat.size)
    for p in range(problem.phases):
        total += oos[:, p]
    index = problem.grid.indices(flat)
    shape = tuple(len(problem.grid.values[axis]) for axis in axes)
    return (index[axes[0]], index[axes[1]]), total.astype(np.float32), shape


EVERY_AXES = pytest.mark.parametrize(
    "axes", [AXES, ("entry", "stop"), ("same", "exit"), ("exit", "stop"), ("entry", "same")]
)


@EVERY_AXES
@pytest.mark.parametrize("draw", [continuous, with_ties, odd])
@pytest.mark.parametrize("problem", [PROBLEMS[0], PROBLEMS[2], PROBLEMS[4]])
def test_lattice_counts_every_combination(problem, draw, axes, tmp_path):
    store = made(tmp_path, problem, draw)
    lattice = Lattice(problem, store, axes, threads=2)
    cell, total, shape = summed(problem, store, axes)
    many, profitable = np.zeros(shape, int), np.zeros(shape, int)
    np.add.at(many, cell, 1)
    np.add.at(profitable, cell, total > 0)
    found = lattice.totals()
    assert np.array_equal(found.combinations, many)
    assert np.array_equal(found.profitable, profitable)
    rng = np.random.default_rng(0)
    every = np.argwhere(many)
    for size in (1, 1, 2, 3, len(every)):
        cells = rng.permutation(every)[:size]
        inside = np.zeros(shape, bool)
        inside[tuple(cells.T)] = True
        some = total[inside[cell]]
        expected = float(np.median(some)), float(some.min()), float((some > 0).mean())
        assert lattice.outcomes(cells) == expected


@pytest.mark.parametrize("many", [31, 32])
def test_median_of_an_odd_and_of_an_even_number(many, tmp_path):
    problem = Sampled(seed=6, many=many)
    store = made(tmp_path, problem)
    every = np.argwhere(np.ones((problem.stops, problem.sets)))
    median, _, _ = Lattice(problem, store, AXES).outcomes(every)
    total = summed(problem, store, AXES)[1]
    low, high = np.sort(total)[[(many - 1) // 2, many // 2]]
    assert (low == high) == (many == 31)
    assert median == float((low + high) / np.float32(2))


def test_tiles_without_the_cells_are_not_read(tmp_path):
    problem = Whole()
    store = made(tmp_path, problem)
    lattice = Lattice(problem, store, AXES)
    before = lattice.outcomes(np.array([(1, 0), (1, 2)]))
    for tile in problem.tiles():
        if tile.family != 1 or tile.first_set > 2:
            store.path(tile).unlink()
    assert lattice.outcomes(np.array([(1, 0), (1, 2)])) == before
    with pytest.raises(RunError):
        lattice.outcomes(np.array([(1, 0), (0, 0)]))


def test_cells_without_a_combination_are_refused(tmp_path):
    problem = Sampled(many=1)
    lattice = Lattice(problem, made(tmp_path, problem), AXES)
    empty = np.argwhere(lattice.totals().combinations == 0)
    with pytest.raises(ArgumentError, match="`cells` must hold a combination"):
        lattice.outcomes(empty)


def test_weights_are_those_of_the_interface(tmp_path):
    problem = Whole()
    tile = problem.tiles()[0]
    found = weights_of(problem, tile, np.arange(problem.tables))
    assert found.sum() == problem.exits * problem.same
    assert found.min() >= problem.same
