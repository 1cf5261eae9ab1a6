"""Asking Binance's REST API within what it allows."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from meseta.data import _clock
from meseta.data.sources._http import Http, back_off, trusted_url
from meseta.data.sources.binance._waits import bearable, retry_after
from meseta.errors import DataError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    import httpx2

    from meseta.data._listen import Listener
    from meseta.data.sources.binance._budget import Budget

__all__ = ["RefusedError", "Rest", "rest_address"]

_VARIABLE, _ADDRESS = "MESETA_BINANCE_REST_URL", "https://fapi.binance.com"
_TOO_MANY, _BAD_SYMBOL, _BAD_INTERVAL = -1003, -1121, -1120
_PATIENCE = 2
"""Waits for a limit before giving up."""
_MINUTE = 60.0
# The least that a ban lasts.
_BAN = 120.0


class RefusedError(SourceError):
    """The REST API will not say more of this series; the archive may."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came: `value` read from JSON, and the answer that it came in."""

    value: Any
    answer: httpx2.Response


class Rest:
    """A connection to the REST API.

    Parameters
    ----------
    url
        As `rest_address` returns it.
    budget
        What the process has used at that address.
    tell
        Told of waits.
    """

    def __init__(self, url: str, budget: Budget, tell: Listener) -> None:
        self.url, self.budget, self.tell = url, budget, tell
        self.http = Http("Binance", self._judge, tell=tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.__exit__(kind, error, trace)

    def get(self, path: str, params: Mapping[str, Any], weight: int) -> Reply:
        """Return what an end point replies, waiting first where the limit is near.

        Raises
        ------
        RefusedError
            Binance has no such symbol, or does not serve this region.
        SourceError
            It does not answer, or has banned this address.
        DataError
            The reply is no JSON.
        """
        self.budget.spend(weight, self.tell)
        answer = self.http.get(f"{self.url}{path}", params)
        try:
            return Reply(answer.json(), answer)
        except ValueError as error:
            raise DataError(f"Binance's reply to {path} is no JSON") from error

    def _judge(self, answer: httpx2.Response, attempt: int) -> float | None:
        self.budget.note(answer)
        status = answer.status_code
        if status == 200:
            return None
        code, message = _fault(answer)
        if status == 418:
            self._ban(answer, message)
        if status == 429 or code == _TOO_MANY:
            return _patience(answer, attempt)
        if status == 408 or status >= 500:
            return bearable(max(back_off(attempt), retry_after(answer) or 0.0), "Binance")
        raise _refusal(answer, code, message)

    def _ban(self, answer: httpx2.Response, message: str) -> None:
        wait = retry_after(answer) or 0.0
        ends = [_clock.now() + timedelta(seconds=wait if wait > 0 else _BAN)]
        if until := re.search(r"until (\d{13})", message):
            ends.append(datetime.fromtimestamp(int(until[1]) / 1000, UTC))
        self.budget.banned = max(ends)
        self.budget.refuse_while_banned()


def rest_address() -> str:
    """Return where the REST API is; `MESETA_BINANCE_REST_URL` says where else.

    Raises
    ------
    ArgumentError
        The variable names no trusted address.
    """
    return trusted_url(_VARIABLE, os.environ.get(_VARIABLE) or _ADDRESS)


def _patience(answer: httpx2.Response, attempt: int) -> float:
    asked = retry_after(answer)
    wait = bearable(_MINUTE if asked is None else max(asked, 1.0), "Binance")
    if attempt < _PATIENCE:
        return wait
    raise SourceError(
        "Binance still has too many requests from this address; wait some minutes, or fetch "
        "less at once",
        temporary=True,
    )


def _fault(answer: httpx2.Response) -> tuple[int, str]:
    """Return the code and the message of an error; 0 and the text where it has none."""
    try:
        body = answer.json()
        return int(body["code"]), str(body["msg"])
    except (ValueError, TypeError, KeyError):
        return 0, answer.text[:160]


def _refusal(answer: httpx2.Response, code: int, message: str) -> SourceError:
    status, asked = answer.status_code, answer.url.params
    if status == 451:
        return RefusedError(
            "Binance's REST API does not serve this region (status 451); its archive may: ask "
            "for a span that ends before yesterday",
            temporary=True,
        )
    if code == _BAD_SYMBOL:
        return RefusedError(
            f"Binance's REST API knows no symbol {asked.get('symbol') or asked.get('pair')} among "
            "its USD-M futures; where it was delisted, ask for a span that ends before that",
            temporary=False,
        )
    if status == 403:
        return SourceError(
            "Binance's firewall refuses this address (status 403), perhaps for too many requests; "
            "wait five minutes or try from another network",
            temporary=True,
        )
    what = "no bars of this size" if code == _BAD_INTERVAL else "an error"
    return SourceError(
        f"Binance replied with {what} (status {status}, code {code}): {message}", temporary=False
    )
