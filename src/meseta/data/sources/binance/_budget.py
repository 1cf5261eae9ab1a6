"""How much of the REST API's allowance is used, and whether it has been withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from meseta.data import _clock
from meseta.data._listen import Step
from meseta.errors import SourceError

if TYPE_CHECKING:
    import httpx2

    from meseta.data._listen import Listener

__all__ = ["Budget"]

_USED = "X-MBX-USED-WEIGHT-1M"
_SHARE = 0.8
# Funding has 500 calls in five minutes of its own; this is the same share of them.
_FUNDING_PACE = 300 / (_SHARE * 500)
_MINUTE = timedelta(minutes=1)


@dataclass(slots=True)
class Budget:
    """The weight of requests in this minute, as Binance counts it for an address.

    Parameters
    ----------
    limit
        Weight that is allowed in a minute.
    used
        Weight used in the minute of `since`.
    since
        When that was known.
    banned
        Until when nothing may be asked.
    funding
        When funding was last asked for.
    """

    limit: int = 2400
    used: int = 0
    since: datetime | None = None
    banned: datetime | None = None
    funding: datetime | None = None

    def spend(self, weight: int, tell: Listener) -> None:
        """Wait for the next minute where a request would pass 80 % of what is allowed.

        Raises
        ------
        SourceError
            Binance has banned this address and the ban is not over.
        """
        self.refuse_while_banned()
        now = _clock.now()
        if self.since is None or _minute(self.since) != _minute(now):
            self.used = 0
        if self.used + weight > _SHARE * self.limit:
            wait = (_minute(now) + _MINUTE - now).total_seconds()
            tell(Step(f"waiting {wait:.0f} s to stay below Binance's limit"))
            _clock.sleep(wait)
            self.used = 0
        self.used, self.since = self.used + weight, _clock.now()

    def note(self, answer: httpx2.Response) -> None:
        """Take over what Binance says is used."""
        used = answer.headers.get(_USED, "")
        if used.isdigit():
            self.used, self.since = int(used), _clock.now()

    def pace_funding(self) -> None:
        """Wait so that calls for funding keep below their own limit."""
        if self.funding is not None:
            passed = (_clock.now() - self.funding).total_seconds()
            if passed < _FUNDING_PACE:
                # No longer than that where the clock was set back meanwhile.
                _clock.sleep(min(_FUNDING_PACE, _FUNDING_PACE - passed))
        self.funding = _clock.now()

    def refuse_while_banned(self) -> None:
        """Raise a `SourceError` that says until when this address is banned, if it is."""
        if self.banned is not None and _clock.now() < self.banned:
            raise SourceError(
                "Binance has banned this address for too many requests, until "
                f"{self.banned:%Y-%m-%d %H:%M:%S} UTC; ask nothing of it before that",
                temporary=True,
            )


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
