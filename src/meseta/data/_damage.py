"""What is not as it was written, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meseta.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DamagedError", "NewerError", "damaged"]

_WAY_OUT = (
    "set it aside with `meseta data verify --set-aside`, then fetch or import the series again"
)


class DamagedError(DataError):
    """A file of the store is not what was written.

    Parameters
    ----------
    fault
        Which file, and what is wrong with it.
    way_out
        What to do about it.
    """

    def __init__(self, fault: str, way_out: str = _WAY_OUT) -> None:
        super().__init__(f"{fault}; {way_out}")
        self.fault = fault


class NewerError(DamagedError):
    """A newer meseta wrote the series, which is sound for all that this one can tell."""


def damaged(path: Path, what: str) -> DamagedError:
    """Make the error that says what is wrong with a file."""
    return DamagedError(f"{path} {what}")
