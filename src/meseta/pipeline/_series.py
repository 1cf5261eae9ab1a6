"""The bars of a run: one series or two, from their sources or from the run's own copies."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meseta.bars import Alignment, Finding, load, pair
from meseta.data._obtain import STORED
from meseta.errors import ArgumentError, DataError, RunError
from meseta.pipeline._progress import steps_of
from meseta.series_config import SeriesConfig
from meseta.strategies import strategies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.bars import Bars
    from meseta.pipeline._progress import Listener
    from meseta.runs import RunFolder
    from meseta.strategies import Strategy

__all__ = [
    "asked_of",
    "data_name",
    "file_name",
    "kept_bars",
    "kept_if_alike",
    "kept_series",
    "load_series",
]

_LEVERAGED = "-3x"
# Options that say how bars are got, not which.
_HOW = {"fetch", "store"}


def data_name(config: SeriesConfig) -> str:
    """Return what folders call the data: the symbol with its bars' length, or the file's stem."""
    if config.symbol is not None:
        usual = SeriesConfig.model_fields["interval"].default
        size = "" if config.interval == usual else f"-{config.interval}"
        return file_name(config.symbol) + size
    bars = str(config.bars).removeprefix("sample:").replace("\\", "/")
    return "stdin" if bars == "-" else Path(bars).name.split(".")[0] or "data"


def file_name(text: str) -> str:
    """Return `text` with everything replaced that a folder's name should not have."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text)


def asked_of(config: SeriesConfig, symbol: str | None) -> dict[str, Any] | None:
    """Return what a source is asked for, fit for a manifest; None where it is a file.

    `fetch` tells whether the source itself may be asked, or only what is stored of it.
    """
    if symbol is None:
        return None
    names = ("source", "interval", "basis", "session", "start", "end", "calendar")
    asked = {"symbol": symbol} | {name: getattr(config, name) for name in names}
    return asked | {"fetch": config.fetch and config.source not in STORED}


def _require_second(used: Sequence[Strategy], config: SeriesConfig) -> None:
    """Refuse a second symbol that nobody reads, and the lack of one that somebody reads."""
    by_symbol = config.symbol2 or (config.symbol and not config.bars2)
    name = "symbol2" if by_symbol else "bars2"
    given = config.bars2 is not None or config.symbol2 is not None
    if config.bars == config.bars2 == "-":
        raise ArgumentError(
            "`bars` and `bars2` must not both be '-', there is one standard input; give one of "
            "them a file"
        )
    readers = [strategy.name for strategy in used if strategy.second]
    if readers and not given:
        raise ArgumentError(
            f"`{name}` is missing: {readers[0]} trades one symbol and reads a second one, as a "
            f"leveraged fund and its index; {_advice(config)}"
        )
    if given and not readers:
        names = " and ".join(strategy.name for strategy in used)
        with_ = [known for known, strategy in strategies().items() if strategy.second]
        raise ArgumentError(
            f"`{name}` is not used: no second symbol is read by {names}; leave --{name} out, or "
            f"choose a strategy that reads one ({', '.join(with_)})"
        )


def _advice(config: SeriesConfig) -> str:
    if config.symbol is not None:
        return "give --symbol2 what the same source calls the other"
    if config.bars is not None and config.bars.startswith("sample:"):
        base = config.bars.removesuffix(_LEVERAGED)
        return f"give --bars {base}{_LEVERAGED} --bars2 {base}"
    return "give --bars2 a data file, of the same bar size and time zone as --bars"


def load_series(
    used: Sequence[Strategy], config: SeriesConfig, progress: Listener | None = None
) -> Bars:
    """Load the bars, joined with those of the second symbol where there is one.

    Every variant runs on what this returns, whether it reads the second symbol or not: with the
    same bars it has the same phases, and the results can be compared.

    Parameters
    ----------
    used
        The strategies that are going to be run.
    config
        Which data; those of a symbol are fetched as far as they are not stored.
    progress
        Is told of fetching, or None.

    Raises
    ------
    ArgumentError, DataError
        A second symbol is missing or not used, or the data cannot be read or joined.
    SourceError
        A source does not answer, and nothing that is stored can stand in.
    """
    _require_second(used, config)
    one = _one(config, config.bars, config.symbol, progress)
    if config.bars2 is None and config.symbol2 is None:
        return one
    two = _one(config, config.bars2, config.symbol2, progress)
    return pair(one, two, allow_dropped=config.allow_dropped)


def _one(
    config: SeriesConfig, bars: str | None, symbol: str | None, progress: Listener | None
) -> Bars:
    if symbol is not None:
        return _obtained(config, symbol, progress)
    assert bars is not None  # the configuration has one of the two
    return load(
        bars,
        timezone=config.timezone,
        date_order=config.date_order,
        allow_nonpositive=config.allow_nonpositive,
    )


def _obtained(config: SeriesConfig, symbol: str, progress: Listener | None) -> Bars:
    from meseta.data._obtain import Request, obtain

    names = {field.name for field in fields(Request)} - {"symbol"}
    request = Request(symbol=symbol, **{name: getattr(config, name) for name in names})
    tell = steps_of(progress, symbol)
    return obtain(request, tell=tell, allow_nonpositive=config.allow_nonpositive)


def kept_if_alike(folder: RunFolder, config: SeriesConfig) -> Bars | None:
    """Return the bars that a run kept, where its data could be other ones by now.

    A run that is continued must go on with the bars that it began with, whatever its source has
    got since. None where the folder has no run, or one that was asked for other data, and for
    files, which are read again and compared.

    Raises
    ------
    RunError
        The bars that were kept are not those of the run.
    """
    if not (config.fleeting and folder.exists()):
        return None
    old, names = folder.manifest(), set(SeriesConfig.model_fields) - _HOW
    new = config.model_dump(mode="json", include=names)
    if any(old.get("config", {}).get(name) != value for name, value in new.items()):
        return None
    return kept_series(folder, old)


def kept_series(folder: RunFolder, old: dict[str, Any]) -> Bars:
    """Load the bars that a run kept, as its manifest describes them.

    Raises
    ------
    RunError
        They are not those of the run.
    """
    data = old["data"]
    bars = kept_bars(folder.bars, data)
    if data.get("second"):
        told = data["second"]["alignment"]
        bars = replace(
            bars,
            second=kept_bars(folder.bars2, data["second"]),
            alignment=Alignment(**{n: told[n] for n in Alignment.__dataclass_fields__}),
        )
    if bars.fingerprint != data["fingerprint"]:
        raise RunError(f"{folder.bars} is not the series of this run; run again with --force")
    # The findings name rows of the source, not of the copy.
    findings = tuple(Finding(**each) for each in data["warnings"])
    return replace(bars, warnings=findings)


def kept_bars(path: Path, data: dict[str, Any]) -> Bars:
    """Load a single series that a run kept, as its manifest describes it.

    Raises
    ------
    RunError
        The file is missing or damaged.
    """
    try:
        bars = load(
            path,
            name=data["name"],
            timezone=data["timezone"],
            stamp=data["stamp"],
            allow_nonpositive=data["allow_nonpositive"],
        )
    except DataError as error:
        raise RunError(f"{error}; run again with --force") from error
    return replace(bars, source=data["source"], warnings=())
