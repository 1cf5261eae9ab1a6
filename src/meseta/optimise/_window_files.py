"""A file for each finished window, so that a walk goes on where it was stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from meseta._files import write_json
from meseta.bayes import Metrics
from meseta.bayes._record import identity_of
from meseta.optimise._window_results import Found

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.bayes import Constraints, Objective, Params, Problem, Space, StudyOptions

__all__ = ["WindowFiles"]

_Kept = tuple[Found | None, int, int]


@dataclass(frozen=True, slots=True)
class WindowFiles:
    """The files of a walk in a folder, or none."""

    folder: Path | None

    @staticmethod
    def key(
        problem: Problem,
        space: Space,
        objective: Objective,
        constraints: Constraints,
        options: StudyOptions,
        first: Params | None,
    ) -> str:
        """Return a hash of everything that a window's study depends on."""
        begun = () if first is None else (first,)
        identity = identity_of(problem, space, objective, constraints, options, begun)
        said = json.dumps([asdict(identity), options.trials], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    def read(self, window: int, key: str, *, warm: bool) -> _Kept | None:
        """Return what was kept of a window; None where nothing was, or of another search."""
        if self.folder is None:
            return None
        # What cannot be read is searched again.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(self._path(self.folder, window, warm=warm).read_text("utf-8"))
            if kept["key"] == key:
                found = None if kept["found"] is None else _found(kept["found"])
                return found, int(kept["trials"]), int(kept["feasible"])
        return None

    def write(
        self, window: int, key: str, found: Found | None, trials: int, feasible: int, *, warm: bool
    ) -> None:
        """Keep what was found in a window."""
        if self.folder is None:
            return
        told = None if found is None else asdict(found)
        if told is not None:
            told["inside"] = {name: _plain(value) for name, value in told["inside"].items()}
        content = {"key": key, "trials": trials, "feasible": feasible, "found": told}
        write_json(self._path(self.folder, window, warm=warm), content)

    @staticmethod
    def _path(folder: Path, window: int, *, warm: bool) -> Path:
        return folder / f"window-{window:03d}-{'warm' if warm else 'cold'}.json"


def _found(kept: dict[str, Any]) -> Found:
    figures: dict[str, Any] = {
        name: float(value) if isinstance(value, str) else value
        for name, value in kept["inside"].items()
    }
    given = {"inside": Metrics(**figures), "violated": tuple(kept["violated"])}
    return Found(**kept | given)


def _plain(value: Any) -> Any:
    """Return a number that JSON can hold, or its name: NaN and infinity are none."""
    return value if math.isfinite(value) else str(value)
