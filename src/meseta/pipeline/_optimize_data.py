"""The market data of an optimisation: instruments, and the vault at their end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import numpy as np

from meseta.bars import load, resample
from meseta.data import SeriesKey, Store, fetch, find_source, wanted
from meseta.data._dates import parse_moment
from meseta.data._find import Pick, listed, picked
from meseta.data._key import EVENT
from meseta.data._obtain import STORE, STORED
from meseta.data._to_bars import to_bars
from meseta.errors import ArgumentError, DataError, SourceError
from meseta.hedge import Funding
from meseta.pipeline._progress import steps_of
from meseta.pipeline._series import load_series
from meseta.vault import split_vault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import TimeArray
    from meseta.bars import Bars
    from meseta.optimize_config import OptimizeConfig
    from meseta.pipeline._progress import Listener
    from meseta.strategies import Strategy

__all__ = ["Instrument", "load_instruments", "vault_row"]

_LEAST_BEFORE, _LEAST_INSIDE = 4, 4
# Of a settlement; every eight hours this is 219 % a year.
_LARGE_RATE = 0.002


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Instrument:
    """The data of one market.

    Parameters
    ----------
    bars
        All of them, the vault's too.
    funding, mark
        What a perpetual has beside them; None where there is none.
    notes
        What the user should know of how they were got.
    """

    bars: Bars
    funding: Funding | None = None
    mark: Bars | None = None
    notes: tuple[str, ...] = ()


def load_instruments(
    config: OptimizeConfig, used: Sequence[Strategy], progress: Listener | None = None
) -> tuple[Instrument, ...]:
    """Load the data of every instrument.

    Parameters
    ----------
    config
        Which data.
    used
        The strategy, where it is one of the registry.
    progress
        Is told of fetching, or None.

    Raises
    ------
    ArgumentError, DataError
        Data are missing or cannot be read.
    SourceError
        A source does not answer, and nothing that is stored can stand in.
    """
    if config.symbol is not None:
        return (_of_symbol(config, used, progress),)
    return tuple(_of_file(config, used, at) for at in range(len(config.files)))


def _of_file(config: OptimizeConfig, used: Sequence[Strategy], at: int) -> Instrument:
    alone = {"bars": config.files[at], "further": (), "funding": (), "mark": ()}
    bars = _cut(load_series(used, config.model_copy(update=alone)), config.start, config.end)
    funding, notes = _filed_funding(config.funding[at]) if config.funding else (None, ())
    return Instrument(
        bars=_sized(config, bars),
        funding=funding,
        mark=load(config.mark[at], timezone=config.timezone) if config.mark else None,
        notes=notes,
    )


def _filed_funding(file: str) -> tuple[Funding | None, tuple[str, ...]]:
    """Read a file; doubt rates that no market pays day after day."""
    funding = Funding.load(file)
    usual = float(np.median(np.abs(funding.rate)))
    if usual < _LARGE_RATE:
        return funding, ()
    told = (
        f"half of the funding rates of {file} are larger than {usual:.2%}, and 0.01% is usual: "
        "they are taken for fractions (0.0001 is 0.01%); divide them by 100 if they are per cent"
    )
    return funding, (told,)


def _of_symbol(
    config: OptimizeConfig, used: Sequence[Strategy], progress: Listener | None
) -> Instrument:
    bars = _sized(config, load_series(used, config, progress))
    if not config.hedge:
        return Instrument(bars=bars)
    funding, notes = (
        _filed_funding(config.funding[0]) if config.funding else _stored_funding(config, progress)
    )
    mark = load(config.mark[0]) if config.mark else _stored_mark(config, bars)
    return Instrument(bars=bars, funding=funding, mark=mark, notes=notes)


def _sized(config: OptimizeConfig, bars: Bars) -> Bars:
    if config.bar_size is None:
        return bars
    return resample(bars, config.bar_size, opens=config.session_open)


def _cut(bars: Bars, start: str | None, end: str | None) -> Bars:
    """Return the bars of some days of a file, both included, or between two times."""
    # A bar stamped at its close that ends at midnight belongs to the day before.
    side: Literal["left", "right"] = "left" if bars.stamp == "open" else "right"
    a, z = 0, len(bars)
    if start is not None:
        a = int(np.searchsorted(bars.time, _wall(bars, "start", start, days=0), side=side))
    if end is not None:
        z = int(np.searchsorted(bars.time, _wall(bars, "end", end, days=1), side=side))
    if a >= z:
        span = bars.calendar
        raise ArgumentError(
            f"`start` and `end` must leave bars of {bars.name}, got {start or 'its first'} to "
            f"{end or 'its last'}; it has {span.first} to {span.last} ({bars.timezone})"
        )
    cut = bars.slice(a, z)
    # As if the file had no others: what is kept of it is read again later.
    return replace(cut, bars_per_year=_rate(cut))


def _rate(bars: Bars) -> float:
    years = bars.years
    return (len(bars) - 1) / years if years else bars.bars_per_year


def _wall(bars: Bars, name: str, text: str, *, days: int) -> np.datetime64:
    moment, dated = parse_moment(name, text)
    if moment.tzinfo is not None:
        moment = moment.astimezone(ZoneInfo(bars.timezone)).replace(tzinfo=None)
    return np.datetime64(moment + timedelta(days=days if dated else 0), "us")


def _stored_funding(
    config: OptimizeConfig, progress: Listener | None
) -> tuple[Funding | None, tuple[str, ...]]:
    """Return the funding of a symbol, fetched first where its source is asked for more."""
    store, notes = Store(config.store), tuple[str, ...]()
    key = _stored_key(config, store, "funding")
    if config.fetch and config.source not in STORED:
        key = SeriesKey(find_source(config.source).name, str(config.symbol), EVENT, "funding")
        notes = _fetched(config, key, store, progress)
    meta = None if key is None else store.read(key)
    if meta is None:
        return None, notes
    frame = store.frame(meta)
    time = frame["ts"].dt.replace_time_zone(None).to_numpy()
    hours = frame["interval_hours"].fill_null(float("nan"))
    return Funding.make(time, frame["rate"].to_numpy(), hours.to_numpy()), notes


def _fetched(
    config: OptimizeConfig, key: SeriesKey, store: Store, progress: Listener | None
) -> tuple[str, ...]:
    """Bring a symbol's funding up to date; say why where that is not possible."""
    begin, stop = wanted(key, "UTC", config.start, config.end)
    tell = steps_of(progress, f"{key.symbol} funding")
    try:
        found = fetch(key, find_source(key.source), store, start=begin, end=stop, tell=tell)
    except (ArgumentError, DataError, SourceError) as error:
        return (f"the funding of {key.symbol} could not be fetched: {error}",)
    return tuple(each.message for each in found.warnings)


def _stored_mark(config: OptimizeConfig, bars: Bars) -> Bars | None:
    """Return the mark prices that are stored of a symbol, where they are of the bars' dates."""
    store = Store(config.store)
    key = _stored_key(config, store, "mark")
    meta = None if key is None else store.read(key)
    if meta is None:
        return None
    mark = to_bars(meta, store.frame(meta))
    apart = mark.time[-1] < bars.time[0] or bars.time[-1] < mark.time[0]
    return None if apart else mark


def _stored_key(config: OptimizeConfig, store: Store, kind: str) -> SeriesKey | None:
    pick = Pick(
        name=str(config.symbol),
        source=None if config.source == STORE else config.source,
        kind=kind,
    )
    every = picked(store, pick)
    found = [key for key in every if key.size == config.interval] or every
    if len(found) > 1:
        raise ArgumentError(
            f"the {kind} of `symbol` {config.symbol} is stored more than once: {listed(found)}; "
            f"choose with --source, or give a file with --{kind}"
        )
    return found[0] if found else None


def vault_row(
    vault: float | str,
    time: TimeArray,
    span: tuple[int, int],
    bars: Bars,
    own: TimeArray,
) -> int:
    """Return the row of a problem with which the vault begins; its span's end for no vault.

    Parameters
    ----------
    vault
        Months before the last bar, or a share of the span such as ``"20%"``.
    time, span
        Of the problem over all data.
    bars, own
        Of the first instrument, and their times as its problem has them.

    Raises
    ------
    ArgumentError
        The vault leaves too few bars on one of its sides.
    """
    start, stop = span
    if not vault:
        return stop
    if isinstance(vault, str):
        row = start + round((stop - start) * (1 - float(vault.rstrip("%")) / 100))
    else:
        last = int(np.searchsorted(own, time[stop - 1], side="right"))
        at = split_vault(bars.slice(0, last), vault)[1]
        row = stop if at is None else int(np.searchsorted(time, own[at]))
    if row - start < _LEAST_BEFORE or stop - row < _LEAST_INSIDE:
        raise ArgumentError(
            f"`vault` must leave {_LEAST_BEFORE} bars before it and hold {_LEAST_INSIDE}, got "
            f"{vault} with {row - start} and {stop - row} of {bars.name}; use another, or 0"
        )
    return row
