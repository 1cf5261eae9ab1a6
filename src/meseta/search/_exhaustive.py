"""The exhaustive search: every tile once, over threads, resumable."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from meseta._files import write_json
from meseta.errors import RunError
from meseta.search._codes import count_survivors, needs_of
from meseta.search._problem import weights_of
from meseta.search._threads import in_threads
from meseta.search._tiles import TileResult, read_tile, write_tile
from meseta.search._walks import evaluate_tile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meseta.search._codes import Needs
    from meseta.search._problem import Problem, Tile
    from meseta.selection import Gates

__all__ = ["SearchStore", "search", "thread_count"]

_IDENTITY = "search.json"


class SearchStore:
    """The folder of tile files of one search.

    Parameters
    ----------
    folder
        Where the tiles lie.
    problem
        What is searched; tiles of another search are refused.
    """

    def __init__(self, folder: Path, problem: Problem) -> None:
        self.folder, self.problem = folder, problem
        self.identity = problem.fingerprint()

    def path(self, tile: Tile) -> Path:
        """Return where a tile's file belongs."""
        return self.folder / f"{tile.name}.tile"

    def begin(self) -> None:
        """Write what is searched beside the tiles, and remove what a killed process left."""
        for part in self.folder.glob(".*.part"):
            part.unlink(missing_ok=True)
        write_json(self.folder / _IDENTITY, self.problem.identity())

    def read(self, tile: Tile, *, check: bool = False) -> TileResult | None:
        """Return a tile's result, or None when it has to be searched."""
        return read_tile(self.path(tile), self.identity, check=check)

    def write(self, tile: Tile, result: TileResult) -> None:
        """Keep a tile's result."""
        write_tile(self.path(tile), result, self.identity)

    def require(self, tile: Tile) -> TileResult:
        """Return a tile's result.

        Raises
        ------
        RunError
            It is missing or damaged.
        """
        result = self.read(tile, check=True)
        if result is None:
            raise RunError(
                f"{self.path(tile)} is missing or damaged; search again with `meseta run "
                "--force`, or continue an unfinished run with --resume"
            )
        return result


def thread_count(asked: int | None) -> int:
    """Return how many threads to use: as asked, or one for each processor that may be used."""
    if asked is not None:
        return asked
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def search(
    problem: Problem,
    store: SearchStore,
    *,
    threads: int,
    required: int,
    gates: Gates,
    damaged: list[str] | None = None,
    tick: Callable[[int, int], None] = lambda _done, _survivors: None,
) -> None:
    """Search every tile that the store does not have yet.

    Parameters
    ----------
    problem, store
        What to search and where its tiles are kept.
    threads
        Threads; the result does not depend on their number.
    required, gates
        A combination that passes the gates in this many phases is counted as a survivor.
    damaged
        Receives a sentence for each tile file that had to be searched again.
    tick
        Called after each tile with the combinations done and the survivors among them.

    Raises
    ------
    KeyboardInterrupt
        After the tiles in work were finished and kept.
    """
    needs = needs_of(gates, problem.levels)
    done, survivors, todo = 0, 0, []
    for tile in problem.tiles():
        kept = store.read(tile, check=True)
        if kept is not None:
            done += problem.combinations(tile)
            survivors += _survivors(problem, tile, kept, needs, required)
            continue
        if damaged is not None and store.path(tile).exists():
            damaged.append(f"{store.path(tile).name} was damaged or foreign: searched again")
        todo.append(tile)
    tick(done, survivors)
    if todo:
        problem.prepare()

    def work(tile: Tile) -> int:
        result = evaluate_tile(problem, tile)
        store.write(tile, result)
        return _survivors(problem, tile, result, needs, required)

    for tile, found in in_threads(work, todo, threads):
        done += problem.combinations(tile)
        survivors += found
        tick(done, survivors)


def _survivors(
    problem: Problem, tile: Tile, result: TileResult, needs: Needs, required: int
) -> int:
    weights = weights_of(problem, tile, result.table_of)
    return int(count_survivors(result.oos, result.codes, weights, needs, required))
