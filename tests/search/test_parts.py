"""Grids taken apart, and what is kept between tiles."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.search._parts import Part
from meseta.search._recent import Recent
from meseta.strategies import Grid
from small_world import WORLDS, fresh

AXES = st.lists(st.integers(1, 4), min_size=2, max_size=5)


def grid_of(lengths):
    return Grid("any", {f"p{k}": tuple(range(n)) for k, n in enumerate(lengths)})


@given(AXES, st.data())
def test_parts_add_up_to_the_number_of_a_combination(lengths, data):
    grid = grid_of(lengths)
    names = list(data.draw(st.permutations(grid.names)))
    cut = data.draw(st.integers(0, len(names)))
    one, two = Part(grid, tuple(names[:cut])), Part(grid, tuple(names[cut:]))
    assert one.size * two.size == grid.product
    total = (one.offsets[:, None] + two.offsets).ravel()
    assert np.array_equal(np.sort(total), np.arange(grid.product))
    for number in range(one.size):
        for other in range(two.size):
            point = one.point(number) | two.point(other)
            assert grid.flat_of(point) == one.offsets[number] + two.offsets[other]
    index = grid.indices(np.arange(grid.product))
    assert np.array_equal(
        one.offsets[one.numbers(index)] + two.offsets[two.numbers(index)], np.arange(grid.product)
    )


@pytest.mark.parametrize("name", WORLDS)
def test_tiles_cover_what_is_searched_once(name):
    problem = fresh(name).problem
    grid, found = problem.grid, []
    for tile in problem.tiles():
        exits, sets = problem.exit_offsets(tile), problem.set_offsets(tile)
        flats = (exits[:, None, None] + sets[:, None] + problem.inert).ravel()
        assert flats.size == problem.combinations(tile) > 0
        assert problem.members(tile).size == exits.size
        found.append(flats)
    every = np.arange(grid.product)
    expected = every[grid.mask(every)] if problem.flats is None else problem.flats
    assert np.array_equal(np.sort(np.concatenate(found)), expected)
    assert problem.total == expected.size
    assert len({tile.name for tile in problem.tiles()}) == len(problem.tiles())


def test_what_was_used_last_is_kept():
    built = []

    def build(key):
        built.append(key)
        return key * 10

    recent = Recent(25, len)
    get = lambda key: recent.get(key, lambda: build(key))  # noqa: E731
    assert get("a") == "a" * 10
    assert get("b") == "b" * 10
    get("a")
    get("c")  # 30 bytes: the one used longest ago goes
    assert built == ["a", "b", "c"]
    get("a")
    assert built == ["a", "b", "c"]
    get("b")
    assert built == ["a", "b", "c", "b"]
    assert recent.bytes == sum(map(len, recent.kept.values())) <= 25


def test_the_newest_is_kept_whatever_its_size():
    recent = Recent(1, len)
    assert recent.get(1, lambda: "large") == "large"
    assert recent.get(1, lambda: "other") == "large"


def test_threads_share_it():
    recent, found = Recent(1e9, len), []
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        found.extend(recent.get(k % 7, lambda k=k: str(k % 7)) for k in range(200))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([str(k % 7) for k in range(200)] * 4)
    assert recent.bytes == 7
