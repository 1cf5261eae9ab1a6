"""One thing noticed in market data, whether it stops the load or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["UNREACHABLE", "Finding", "and_more", "clock", "whole"]

# Code of the finding that stored bars stand in for those that a source has now.
UNREACHABLE = "source_unreachable"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault or a suspicious thing, at its first or worst place.

    Parameters
    ----------
    code
        Short name of the kind.
    row
        Line in the file (the header is line 1), or position counted from 0 in a frame or in
        arrays; 0 where the finding concerns the whole source.
    time
        Time of the bar, ISO; empty where there is none.
    value
        The value that is wrong or remarkable, as text; empty where there is none.
    message
        The whole sentence, with row, time, value and how many more there are.
    """

    code: str
    row: int
    time: str
    value: str
    message: str


def whole(code: str, message: str) -> Finding:
    """Make a finding about the source as a whole."""
    return Finding(code, 0, "", "", message)


def clock(time: np.datetime64) -> str:
    """Write a time the short way: the date alone at midnight, minutes where they suffice."""
    if np.isnat(time):
        return ""
    text = str(time.astype("datetime64[us]")).replace("T", " ")
    for tail in (".000000", ":00", " 00:00"):
        text = text.removesuffix(tail)
    return text


def and_more(count: int) -> str:
    """Say how many more places a finding has beyond the one that it names."""
    return f" (and {count - 1} more)" if count > 1 else ""
