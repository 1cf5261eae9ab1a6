"""TradeStation as a source of bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from meseta.data import _clock
from meseta.data._listen import Step
from meseta.data._schema import schema_of
from meseta.data.sources._source import Answer, Facts, Source
from meseta.data.sources.tradestation._api import NotFoundError, Pace, Talk, api_url
from meseta.data.sources.tradestation._bars import ZONE, frame_of
from meseta.data.sources.tradestation._session import Session
from meseta.data.sources.tradestation._symbols import basis_of, calendar_of, check, query_of
from meseta.data.sources.tradestation._tokens import TokenStore
from meseta.errors import DataError, SourceError

if TYPE_CHECKING:
    from meseta.data._key import Basis, SeriesKey
    from meseta.data._listen import Listener

__all__ = ["TradeStation"]

LIMIT = 57_600
# A window is asked for one bar wider on each side and may have both its ends.
_SLACK = 4
# Halving a window of 57,600 bars so often leaves a few hundred.
_DEEPEST = 8
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class TradeStation(Source):
    """Bars of TradeStation's API, version 3, for whoever has signed in.

    Prices of shares are adjusted for splits, those of continuous futures for rolls; both change
    the past. The last session of a future is stamped at its close, and so belongs to that day.

    Parameters
    ----------
    limit
        Most bars of less than a day that the vendor gives at once.
    """

    name: ClassVar[str] = "tradestation"
    title: ClassVar[str] = "TradeStation"
    bases: ClassVar[tuple[Basis, ...]] = ("split", "back-adjusted", "unadjusted")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.pace = Pace()

    def basis_of(self, symbol: str) -> Basis:
        """Return the one basis that the vendor has of a symbol."""
        return basis_of(symbol)

    def facts(self, key: SeriesKey) -> Facts:
        """Say what is known of a series; see `Source.facts`.

        Days and longer come in one answer, from wherever the vendor begins. How far back its
        minutes go it does not say, and asking decade after decade for nothing would take hours:
        the user says where to begin.
        """
        check(key)
        minutes = key.bar.minutes if key.bar else None
        page = None if minutes is None else timedelta(minutes=minutes * (self.limit - _SLACK))
        return Facts(
            timezone=ZONE,
            stamp="close",
            calendar=calendar_of(key),
            earliest=_EARLIEST if minutes is None else None,
            page=page,
        )

    def fetch(self, key: SeriesKey, start: datetime, end: datetime, tell: Listener) -> Answer:
        """Return the finished bars of a span; see `Source.fetch`.

        Whether the vendor takes the ends of a span as part of it is not documented: one bar more
        is asked for on each side, and cut off.
        """
        check(key)
        now, bar = _clock.now(), _length(key)
        with Talk(Session(TokenStore(), tell), self.pace, tell) as talk:
            bars = self._window(talk, key, start - bar, min(end + bar, now), 0)
        frame, notes = frame_of(key, bars, now)
        moments = schema_of(key).moments(frame)
        inside = frame.filter((moments >= start) & (moments < end))
        return Answer(inside, vendor={"api": api_url()}, notes=notes)

    def _window(
        self, talk: Talk, key: SeriesKey, first: datetime, last: datetime, depth: int
    ) -> list[Any]:
        """Return the bars from `first` to `last`, asking by halves where they are too many."""
        if first >= last:
            return []
        talk.tell(Step(f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"))
        bars = _ask(talk, key, first, last)
        if key.daily or len(bars) < self.limit:
            return bars
        # As many as there may be: some may have been left out without a word.
        if depth == _DEEPEST:
            raise DataError(
                f"TradeStation gives {len(bars)} bars of {key.label} from {first} to {last}, more "
                "than that span has; what is missing elsewhere cannot be told"
            )
        middle, bar = first + (last - first) / 2, _length(key)
        return [
            *self._window(talk, key, first, middle + bar, depth + 1),
            *self._window(talk, key, middle - bar, last, depth + 1),
        ]


def _ask(talk: Talk, key: SeriesKey, first: datetime, last: datetime) -> list[Any]:
    span = {"firstdate": _stamp(first), "lastdate": _stamp(last)}
    try:
        return talk.bars(key.symbol, {**query_of(key), **span})
    except NotFoundError as error:
        # The same error says that there is no such symbol and that it has nothing in this span,
        # as on holidays and before it was listed.
        if talk.knows(key.symbol):
            return []
        raise SourceError(
            f"TradeStation has no symbol {key.symbol}, or nothing of it ({error})", temporary=True
        ) from error


def _length(key: SeriesKey) -> timedelta:
    """Return how long a bar lasts, at most."""
    if key.bar is None or key.bar.minutes is None:
        return timedelta(days={"1mo": 31, "1w": 7}.get(key.size, 1))
    return timedelta(minutes=key.bar.minutes)


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
