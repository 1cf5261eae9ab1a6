"""The bars of a run: one series or two, from their sources or from the run's own copies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from meseta.bars import Alignment, Finding, load, pair
from meseta.errors import ArgumentError, RunError
from meseta.strategies import strategies

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meseta.bars import Bars
    from meseta.runs import RunFolder
    from meseta.strategies import Strategy

__all__ = ["kept_series", "load_series", "require_second"]

_LEVERAGED = "-3x"


class LoadOptions(TypedDict):
    """Options of `meseta.bars.load` that a user may give."""

    timezone: str | None
    date_order: Literal["mdy", "dmy", "ymd"] | None
    allow_nonpositive: bool


def require_second(used: Sequence[Strategy], bars: object, bars2: object) -> None:
    """Refuse a second symbol that nobody reads, and the lack of one that somebody reads.

    Parameters
    ----------
    used
        The strategies that are going to be run.
    bars, bars2
        Sources as `meseta.bars.load` takes them; None for no second one.

    Raises
    ------
    ArgumentError
        With the way out.
    """
    if bars == bars2 == "-":
        raise ArgumentError(
            "`bars` and `bars2` must not both be '-', there is one standard input; give one of "
            "them a file"
        )
    readers = [strategy.name for strategy in used if strategy.second]
    if readers and bars2 is None:
        raise ArgumentError(
            f"`bars2` is missing: {readers[0]} trades one symbol and reads a second one, as a "
            f"leveraged fund and its index; {_advice(bars)}"
        )
    if bars2 is not None and not readers:
        names = " and ".join(strategy.name for strategy in used)
        with_ = [name for name, strategy in strategies().items() if strategy.second]
        raise ArgumentError(
            f"`bars2` is not used: no second symbol is read by {names}; leave --bars2 out, or "
            f"choose a strategy that reads one ({', '.join(with_)})"
        )


def _advice(bars: object) -> str:
    if isinstance(bars, str) and bars.startswith("sample:"):
        base = bars.removesuffix(_LEVERAGED)
        return f"give --bars {base}{_LEVERAGED} --bars2 {base}"
    return "give --bars2 a data file, of the same bar size and time zone as --bars"


def load_series(
    used: Sequence[Strategy],
    bars: str,
    bars2: str | None,
    *,
    allow_dropped: bool,
    **options: Unpack[LoadOptions],
) -> Bars:
    """Load the bars, joined with those of the second symbol where there is one.

    Every variant runs on what this returns, whether it reads the second symbol or not: with the
    same bars it has the same phases, and the results can be compared.

    Parameters
    ----------
    used
        The strategies that are going to be run.
    bars, bars2
        Sources as `meseta.bars.load` takes them.
    allow_dropped
        See `meseta.bars.pair`.
    **options
        Options of `meseta.bars.load`, for both.

    Raises
    ------
    ArgumentError, DataError
        A second symbol is missing or not used, or the data cannot be read or joined.
    """
    require_second(used, bars, bars2)
    one = load(bars, **options)
    if bars2 is None:
        return one
    return pair(one, load(bars2, **options), allow_dropped=allow_dropped)


def kept_series(folder: RunFolder, old: dict[str, Any]) -> Bars:
    """Load the bars that a run kept, as its manifest describes them.

    Raises
    ------
    RunError
        They are not those of the run.
    """
    data = old["data"]
    bars = _kept(folder.bars, data)
    if data.get("second"):
        told = data["second"]["alignment"]
        bars = replace(
            bars,
            second=_kept(folder.bars2, data["second"]),
            alignment=Alignment(**{n: told[n] for n in Alignment.__dataclass_fields__}),
        )
    if bars.fingerprint != data["fingerprint"]:
        raise RunError(f"{folder.bars} is not the series of this run; run again with --force")
    # The findings name rows of the source, not of the copy.
    findings = tuple(Finding(**each) for each in data["warnings"])
    return replace(bars, warnings=findings)


def _kept(path: Path, data: dict[str, Any]) -> Bars:
    bars = load(
        path,
        name=data["name"],
        timezone=data["timezone"],
        stamp=data["stamp"],
        allow_nonpositive=data["allow_nonpositive"],
    )
    return replace(bars, source=data["source"], warnings=())
