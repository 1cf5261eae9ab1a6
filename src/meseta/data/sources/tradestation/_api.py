"""Talking to TradeStation's API: its errors, its limits, and a sign-in that renews itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from meseta.data import _clock
from meseta.data._listen import Step
from meseta.data.sources._http import Http, back_off, trusted_url
from meseta.data.sources.tradestation._endpoint import TITLE, printable
from meseta.data.sources.tradestation._tokens import SIGN_IN_AGAIN
from meseta.errors import DataError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    import httpx2
    from pydantic import SecretStr

    from meseta.data._listen import Listener
    from meseta.data.sources.tradestation._session import Session

__all__ = ["NotFoundError", "Pace", "Talk", "api_url"]

URL_VARIABLE = "MESETA_TRADESTATION_URL"
# Least seconds between requests; the limit of this call is not published, its neighbours' is 500
# in 5 minutes.
PACE = 1.0
LEAST_WAIT, LONGEST_WAIT = 60.0, 300.0
# Longer than any published window: such a number is something else, such as a time.
_LONGEST_RESET = 3600.0
# An error may come with status 200; its title says which it is.
_STATUS = {
    "badrequest": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "notfound": 404,
    "toomanyrequests": 429,
    "internalservererror": 500,
    "notimplemented": 501,
    "serviceunavailable": 503,
    "gatewaytimeout": 504,
}


class NotFoundError(SourceError):
    """The vendor has no such symbol, or nothing of it in this span: it does not say which."""


@dataclass(slots=True)
class Pace:
    """When the vendor was asked last, and until when it wants to be left alone."""

    asked: float | None = None
    rest: datetime | None = None


class Talk:
    """A conversation, to be used as a context.

    Parameters
    ----------
    session
        Supplies access tokens.
    pace
        Goes on from one conversation to the next.
    tell
        Told of waits.
    """

    def __init__(self, session: Session, pace: Pace, tell: Listener) -> None:
        self.session, self.pace, self.tell = session, pace, tell
        self.http = Http(TITLE, self._judge, pace=PACE, tell=tell)
        self.http.asked = pace.asked
        self.sent: SecretStr | None = None
        self.renewed = False
        self.body: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pace.asked = self.http.asked
        self.http.__exit__(kind, error, trace)

    def bars(self, symbol: str, query: Mapping[str, str]) -> list[Any]:
        """Return the bars of a symbol, as the vendor writes them.

        Raises
        ------
        NotFoundError
            The vendor has none.
        SourceError
            It cannot be reached, or refuses.
        DataError
            The answer is malformed.
        """
        # Each character of a symbol belongs to this one part of the path.
        place = f"{api_url()}/marketdata/barcharts/{quote(symbol, safe='')}"
        self._rest()
        self._authorise(self.session.token())
        self.renewed = False
        self.http.get(place, query)
        found = self.body.get("Bars", "absent")
        if found is not None and not isinstance(found, list):
            raise DataError(f"TradeStation's answer for {symbol} is malformed: it has no Bars")
        return found or []

    def knows(self, symbol: str) -> bool:
        """Return whether the vendor has the symbol at all: its last daily bar."""
        try:
            return bool(self.bars(symbol, {"unit": "Daily", "interval": "1", "barsback": "1"}))
        except NotFoundError:
            return False

    def _authorise(self, token: SecretStr) -> None:
        self.sent = token
        self.http.client.headers["Authorization"] = f"Bearer {token.get_secret_value()}"

    def _rest(self) -> None:
        until, self.pace.rest = self.pace.rest, None
        if until is not None and (seconds := (until - _clock.now()).total_seconds()) > 0:
            self.tell(Step(f"waiting {seconds:.0f} s: TradeStation's limit is used up"))
            _clock.sleep(seconds)

    def _judge(self, answer: httpx2.Response, attempt: int) -> float | None:
        """Follow the vendor's table of errors."""
        self.body = _body_of(answer)
        status, told = _status_of(answer, self.body), _told(answer, self.body)
        if status == 200:
            self._heed(answer)
            return None
        if status == 401:
            return self._renew(told)
        if status == 429:
            return _reset_of(answer) or min(LONGEST_WAIT, LEAST_WAIT * 2.0**attempt)
        if status == 408 or status >= 500:
            return back_off(attempt)
        raise _refusal(status, told)

    def _renew(self, told: str) -> float:
        if self.renewed:
            raise SourceError(
                f"TradeStation refuses access ({told}); {SIGN_IN_AGAIN}", temporary=True
            )
        self._authorise(self.session.token(refused=self.sent))
        self.renewed = True
        return 0.0

    def _heed(self, answer: httpx2.Response) -> None:
        if _number(answer, "X-RateLimit-Remaining") == 0:
            seconds = _reset_of(answer) or LEAST_WAIT
            self.pace.rest = _clock.now() + timedelta(seconds=seconds)


def api_url() -> str:
    """Return the address of the API: the real one's, or what the environment says."""
    return trusted_url(
        URL_VARIABLE, os.environ.get(URL_VARIABLE) or "https://api.tradestation.com/v3"
    )


def _refusal(status: int, told: str) -> SourceError:
    if status == 404:
        return NotFoundError(told, temporary=True)
    if status == 403:
        told = f"{told}; the sign-in's scope lacks MarketData, or the account this market's data"
    return SourceError(f"TradeStation refuses the request ({told})", temporary=False)


def _body_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return what an answer holds; of an error, whatever can be read."""
    try:
        body = answer.json()
    except ValueError as error:
        if answer.status_code == 200:
            raise DataError(f"TradeStation's answer is malformed: no JSON ({error})") from error
        return {}
    if isinstance(body, dict):
        return body
    if answer.status_code == 200:
        raise DataError("TradeStation's answer is malformed: a JSON object is missing")
    return {}


def _status_of(answer: httpx2.Response, body: Mapping[str, Any]) -> int:
    if answer.status_code == 200 and body.get("Error"):
        title = str(body["Error"]).replace(" ", "").lower()
        return _STATUS.get(title, 400)
    return answer.status_code


def _told(answer: httpx2.Response, body: Mapping[str, Any]) -> str:
    said = [str(body[name]) for name in ("Error", "Message") if body.get(name)]
    return printable(": ".join(said) or f"status {answer.status_code}")


def _reset_of(answer: httpx2.Response) -> float | None:
    """Return the seconds until the limit is whole again; at least one, so that it is."""
    seconds = _number(answer, "X-RateLimit-Reset")
    return max(1.0, seconds) if seconds is not None and 0 <= seconds <= _LONGEST_RESET else None


def _number(answer: httpx2.Response, header: str) -> float | None:
    try:
        return float(answer.headers[header])
    except (KeyError, ValueError):
        return None
