"""Yahoo Finance as a source."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from meseta.data import _clock
from meseta.data._calendars import finished
from meseta.data._listen import Step
from meseta.data._schema import schema_of
from meseta.data.sources._source import Answer, Facts, Source
from meseta.data.sources.yahoo._ask import Reply, ask
from meseta.data.sources.yahoo._markets import market_of
from meseta.data.sources.yahoo._rows import closed_before, rows_of, vendor_of
from meseta.errors import ArgumentError, SourceError

if TYPE_CHECKING:
    from meseta.data._key import Basis, SeriesKey
    from meseta.data._listen import Listener

__all__ = ["SOURCE", "Yahoo"]

_DAY = timedelta(days=1)
_SYMBOL = re.compile(r"\^?[A-Z0-9][A-Z0-9.&=-]*")
# Days that Yahoo goes back, by size of bar.
_DAYS = {"1m": 30, "2m": 60, "5m": 60, "15m": 60, "30m": 60, "1h": 730, "90m": 60}
_LONGEST = timedelta(hours=2)
# It gives seven days of minutes at a time; what is asked for is widened to whole days.
_MINUTES_PAGE = timedelta(days=5)
_FIRST = datetime(1927, 1, 1, tzinfo=UTC)


class Yahoo(Source):
    """Bars of Yahoo Finance.

    Daily bars of basis ``"split"`` are Yahoo's own, adjusted for splits; those of
    ``"total-return"`` are adjusted for dividends too, so that every dividend changes the whole
    series: what is stored is then fetched again. Bars of less than a day are not adjusted for
    dividends. Weeks and months are not offered, since Yahoo cuts them anew for every request.

    Prices have no step that Yahoo would tell. Shares, indices and futures are taken to move by
    cents, total returns by a tenth of that; of coins and currencies it is read off the prices.
    """

    name: ClassVar[str] = "yahoo"
    title: ClassVar[str] = "Yahoo Finance"
    bases: ClassVar[tuple[Basis, ...]] = ("split", "total-return")

    def facts(self, key: SeriesKey) -> Facts:
        """Say what is known of a series, see `Source.facts`."""
        _check(key)
        market = market_of(key.symbol)
        minutes = key.size == "1m"
        return Facts(
            timezone=market.timezone,
            stamp="close",
            calendar=market.calendar,
            earliest=_FIRST if key.daily else _oldest(key) + _DAY,
            page=_MINUTES_PAGE if minutes else None,
            tick=_tick(key, market.calendar),
        )

    def fetch(self, key: SeriesKey, start: datetime, end: datetime, tell: Listener) -> Answer:
        """Return the finished rows of ``start <= moment < end``, see `Source.fetch`."""
        _check(key)
        _check_age(key, start)
        reply = self._reply(key, start, end, tell) if start < end else Reply(None, {})
        now = _clock.now()
        calendar = market_of(key.symbol).calendar
        end = min(end, finished(key, calendar, now), closed_before(key, reply.meta, now))
        frame = rows_of(key, reply)
        moments = schema_of(key).moments(frame)
        frame = schema_of(key).conform(frame.filter((moments >= start) & (moments < end)))
        return Answer(frame, vendor_of(reply.meta), notes=_notes(key, reply))

    def _reply(self, key: SeriesKey, start: datetime, end: datetime, tell: Listener) -> Reply:
        """Ask for whole days around a span, so that bars at its ends are whole."""
        tell(Step(f"{key.symbol} {start:%Y-%m-%d} to {end:%Y-%m-%d}"))
        first = _midnight(start - (_DAY if key.daily else _LONGEST))
        if not key.daily:
            first = max(first, _oldest(key))
        return ask(key.symbol, key.size, first, _midnight(end) + _DAY, tell)


def _check(key: SeriesKey) -> None:
    if not _SYMBOL.fullmatch(key.symbol):
        raise ArgumentError(
            "`symbol` must be as Yahoo writes it, capitals and digits such as SMH, BRK-B, "
            f"VOD.L, ^GSPC, ES=F or BTC-USD, got {key.symbol!r}"
        )
    if key.kind != "bars" or key.session:
        raise ArgumentError(f"Yahoo has `bars` of the usual trading hours alone, got {key.label}")
    if key.size != "1d" and key.size not in _DAYS:
        raise ArgumentError(
            f"`interval` must be one of Yahoo's, {', '.join(_DAYS)} or 1d, got {key.size!r}; "
            "longer bars can be made of daily ones"
        )
    known = Yahoo.bases if key.daily else Yahoo.bases[:1]
    if key.basis not in known:
        raise ArgumentError(
            f"`basis` must be {' or '.join(known)} for Yahoo's bars of {key.size}, "
            f"got {key.basis!r}"
        )


def _check_age(key: SeriesKey, start: datetime) -> None:
    if key.daily or start >= _oldest(key):
        return
    raise SourceError(
        f"Yahoo has bars of {key.size} of the last {_DAYS[key.size]} days alone, and was asked "
        f"for {start:%Y-%m-%d}; `--start` must be {_oldest(key) + _DAY:%Y-%m-%d} or later, and "
        "stored bars that end before then can only be removed and begun anew",
        temporary=False,
    )


def _oldest(key: SeriesKey) -> datetime:
    """Return from when on Yahoo has bars of less than a day, at least for the next hours."""
    return _midnight(_clock.now()) - (_DAYS[key.size] - 1) * _DAY


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _tick(key: SeriesKey, calendar: str | None) -> float | None:
    if calendar in {"24/5", "24/7"}:
        return None
    return 0.001 if key.basis == "total-return" else 0.01


def _notes(key: SeriesKey, reply: Reply) -> tuple[str, ...]:
    told, used = reply.meta.get("exchangeTimezoneName"), market_of(key.symbol).timezone
    if key.daily or not told or told == used:
        return ()
    return (f"Yahoo says that {key.symbol} trades in {told}; its bars are used in {used}",)


SOURCE = Yahoo()
