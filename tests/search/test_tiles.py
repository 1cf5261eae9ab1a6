"""Tile files: kept whole, told from damaged and foreign ones, used again after a failure."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from meseta.errors import RunError
from meseta.search import SearchStore, candidates, score, search
from meseta.search import _exhaustive as exhaustive
from meseta.search import _problem as problem_module
from meseta.search._tiles import TileResult, read_tile, write_tile
from small_world import fresh, scored_in


@st.composite
def results(draw):
    shape = tuple(draw(st.integers(1, 9)) for _ in range(3))
    return TileResult(
        draw(hnp.arrays(np.float32, shape)),
        draw(hnp.arrays(np.uint32, shape)),
        draw(hnp.arrays(np.int64, draw(st.integers(1, 20)))),
    )


def contents(result):
    return [
        (array.dtype, array.shape, array.tobytes())
        for array in (result.oos, result.codes, result.table_of)
    ]


@given(results())
def test_what_was_written_is_read(tmp_path_factory, result):
    path = tmp_path_factory.mktemp("tile") / "a.tile"
    write_tile(path, result, "me")
    for check in (True, False):
        assert contents(read_tile(path, "me", check=check)) == contents(result)
    assert [file.name for file in path.parent.iterdir()] == ["a.tile"]


SMALL = TileResult(
    np.arange(24, dtype=np.float32).reshape(2, 4, 3),
    np.arange(24, dtype=np.uint32).reshape(2, 4, 3) * 1000,
    np.array([0, 1, 1], np.int64),
)


@pytest.fixture
def tile(tmp_path):
    path = tmp_path / "small.tile"
    write_tile(path, SMALL, "me")
    return path


def test_a_foreign_tile_is_not_read(tile):
    assert read_tile(tile, "you") is None


def test_a_missing_tile_is_not_read(tmp_path):
    assert read_tile(tmp_path / "none.tile", "me") is None
    assert read_tile(tmp_path, "me") is None


def test_a_tile_cut_anywhere_is_not_read(tile):
    whole = tile.read_bytes()
    for length in range(len(whole)):
        tile.write_bytes(whole[:length])
        assert read_tile(tile, "me") is None, length
    tile.write_bytes(whole + b"\0")
    assert read_tile(tile, "me") is None


@pytest.mark.parametrize("change", [1, 0x20, 0x80, 2, 16])
def test_a_tile_with_any_byte_changed_is_not_read_or_reads_the_same(tile, change):
    whole = tile.read_bytes()
    refused = 0
    for place in range(len(whole)):
        edited = bytearray(whole)
        edited[place] ^= change
        tile.write_bytes(edited)
        found = read_tile(tile, "me")
        # A byte between two arrays, or a blank in the header, means nothing.
        assert found is None or contents(found) == contents(SMALL), (place, whole[place])
        refused += found is None
    assert refused > 200


def test_a_header_with_any_character_changed_is_not_read_or_reads_the_same(tile):
    whole = tile.read_bytes()
    for place in range(whole.index(b"\n") + 1):
        for character in b'0123456789<>|=uifU:,[]{} "\n':
            edited = bytearray(whole)
            edited[place] = character
            tile.write_bytes(edited)
            found = read_tile(tile, "me")
            assert found is None or contents(found) == contents(SMALL), (place, chr(character))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        '{"identity": "me"}',
        '{"identity": "me", "crc": 0, "shapes": []}',
        '{"identity": "me", "crc": 0, "shapes": [[1, 1, 1], [1, 1, 1]]}',
        '{"identity": "me", "crc": 0, "shapes": [[0], [0], [0]]}',
        '{"identity": "me", "crc": 0, "shapes": [[-1], [1], [1]]}',
        '{"identity": "me", "crc": 0, "shapes": [[1.5], [1], [1]]}',
        '{"identity": "me", "crc": 0, "shapes": [["1"], [1], [1]]}',
        '{"identity": "me", "crc": 0, "shapes": [[99999999999999999999], [1], [1]]}',
        '{"shapes": [[1], [1], [1]], "crc": 0}',
    ],
)
def test_other_files_are_not_read(tmp_path, text):
    path = tmp_path / "other.tile"
    for end in (b"", b"\n", b"\n" + b"\0" * 200, b"\xff\xfe\n"):
        path.write_bytes(text.encode() + end)
        assert read_tile(path, "me") is None


def outcome(folder, problem, gates, *, required=2):
    """A hash of the funnel and the candidates; what a run's manifest calls results_hash."""
    _, scored, frame = scored_in(folder, problem, gates, required=required)
    text = json.dumps(scored.funnel) + frame.write_json()
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def counted(monkeypatch):
    """Names of the tiles that are searched."""
    names = []
    evaluate = exhaustive.evaluate_tile

    def count(problem, tile):
        names.append(tile.name)
        return evaluate(problem, tile)

    monkeypatch.setattr(exhaustive, "evaluate_tile", count)
    return names


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(problem_module, "_SETS_PER_TILE", 1)


def again(store, gates, **options):
    damaged = []
    search(
        store.problem, store, required=2, gates=gates, damaged=damaged, **{"threads": 1} | options
    )
    return damaged


def test_only_a_damaged_tile_is_searched_again_and_told(tmp_path, small_tiles, counted):
    problem, gates = fresh("plain")
    expected = outcome(tmp_path, problem, gates)
    tiles = [tile.name for tile in problem.tiles()]
    assert sorted(counted) == sorted(tiles)
    store = SearchStore(tmp_path, problem)
    for damage in (lambda b: b[:-9], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda _: b""):
        counted.clear()
        file = store.path(problem.tiles()[4])
        file.write_bytes(damage(file.read_bytes()))
        told = again(store, gates)
        assert counted == [tiles[4]]
        assert told == [f"{file.name} was damaged or foreign: searched again"]
        assert outcome(tmp_path, problem, gates) == expected
    counted.clear()
    store.path(problem.tiles()[2]).unlink()
    assert again(store, gates) == []
    assert counted == [tiles[2]]
    counted.clear()
    assert again(store, gates) == counted == []


def test_tiles_of_another_search_are_not_used(tmp_path, small_tiles, counted):
    problem, gates = fresh("plain")
    outcome(tmp_path, problem, gates)
    dearer = replace(problem, account=replace(problem.account, cost_per_share=0.01))
    assert dearer.fingerprint() != problem.fingerprint()
    counted.clear()
    told = again(SearchStore(tmp_path, dearer), gates)
    assert len(told) == len(counted) == len(problem.tiles())


def test_everything_that_decides_the_numbers_is_in_the_identity():
    problem, _ = fresh("plain")
    other = fresh("fractions").problem
    changes = {
        "bars": other.bars,
        "grid": other.grid,
        "windows": problem.windows[:3],
        "account": replace(problem.account, slippage=0.001),
        "warmup": 1,
        "min_drawdown": 0.5,
        "levels": problem.levels | {"min_efficiency": (0.1,)},
    }
    prints = {problem.fingerprint()}
    for name, value in changes.items():
        changed = replace(problem, **{name: value})
        if name != "grid":
            assert changed.fingerprint() not in prints, name
        prints.add(changed.fingerprint())
    assert replace(problem, bars=replace(problem.bars, name="x")).fingerprint() in prints


@pytest.mark.parametrize("threads", [1, 3])
def test_a_search_that_failed_goes_on_with_what_is_there(tmp_path, small_tiles, counted, threads):
    problem, gates = fresh("plain")
    expected = outcome(tmp_path / "whole", problem, gates)
    counted.clear()
    store = SearchStore(tmp_path / "broken", problem)

    def stop_early(done, _survivors):
        if done > problem.grid.size / 3:
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        again(store, gates, threads=threads, tick=stop_early)
    assert threading.active_count() == before
    # How far the other threads got is chance; what they finished is kept.
    kept = sorted(path.stem for path in store.folder.glob("*.tile"))
    assert kept == sorted(counted)
    assert len(kept) >= len(problem.tiles()) // 3
    counted.clear()
    assert again(store, gates, threads=threads) == []
    assert sorted([*kept, *counted]) == sorted(tile.name for tile in problem.tiles())
    assert outcome(store.folder, problem, gates) == expected


def test_an_error_in_a_tile_is_raised_and_the_others_are_kept(tmp_path, small_tiles, monkeypatch):
    problem, gates = fresh("plain")
    store = SearchStore(tmp_path, problem)
    fourth = problem.tiles()[3].name
    evaluate = exhaustive.evaluate_tile

    def fail(problem, tile):
        if tile.name == fourth:
            raise OSError("no space left on device")
        return evaluate(problem, tile)

    monkeypatch.setattr(exhaustive, "evaluate_tile", fail)
    with pytest.raises(OSError, match="no space left"):
        again(store, gates)
    kept = {path.stem for path in tmp_path.glob("*.tile")}
    assert kept >= {tile.name for tile in problem.tiles()[:3]}
    assert fourth not in kept


def test_scoring_refuses_a_search_with_a_gap(tmp_path, small_tiles):
    problem, gates = fresh("plain")
    outcome(tmp_path, problem, gates)
    store = SearchStore(tmp_path, problem)
    file = store.path(problem.tiles()[1])
    whole = file.read_bytes()
    for content in (None, whole[:-1], whole[:-3] + b"abc"):
        file.unlink() if content is None else file.write_bytes(content)
        with pytest.raises(RunError, match="is missing or damaged; search again"):
            score(problem, store, gates, required=2, limit=9, threads=1)
    file.write_bytes(whole)
    scored = score(problem, store, gates, required=2, limit=9, threads=1)
    assert candidates(problem, store, scored, gates, 1).height == 9


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    store = SearchStore(tmp_path, fresh("plain").problem)
    left = tmp_path / ".family00000-sets00000.tile.0123456789ab.part"
    left.write_bytes(b"half")
    store.begin()
    assert not left.exists()
