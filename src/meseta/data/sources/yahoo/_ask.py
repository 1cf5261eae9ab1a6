"""Asking Yahoo through yfinance, and telling its ways to say nothing apart."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import platformdirs

from meseta.data import _clock
from meseta.data._listen import Step
from meseta.data.sources._http import back_off, trusted_url
from meseta.errors import ArgumentError, DataError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from meseta.data._listen import Listener

__all__ = ["ADDRESS", "Reply", "ask"]

ADDRESS = "MESETA_YAHOO_URL"
"""Environment variable with an address to be asked instead of all of Yahoo's."""

# No crumb, no cookie, too many requests.
_REFUSALS = {401, 403, 429, 999}
TRIES = 3
TIMEOUT = 30


@dataclass(frozen=True, eq=False, slots=True)
class Reply:
    """What Yahoo answered.

    Parameters
    ----------
    frame
        The pandas frame of yfinance, prices as Yahoo has them; None where it has none.
    meta
        What Yahoo says of the series; empty where it says nothing.
    """

    frame: Any
    meta: Mapping[str, Any]


def ask(symbol: str, interval: str, start: datetime, end: datetime, tell: Listener) -> Reply:
    """Return Yahoo's bars of a span.

    Raises
    ------
    ArgumentError
        yfinance is not installed, or the address in `ADDRESS` is no good.
    SourceError
        Yahoo is not reached or refuses (temporary), or has no such symbol or span.
    DataError
        The answer makes no sense.
    """
    yfinance = _library()
    given = os.environ.get(ADDRESS)
    line = _line(trusted_url(ADDRESS, given) if given else "")
    for attempt in range(TRIES):
        line.answer = None
        try:
            frame = _history(yfinance, line, symbol, interval, start, end)
            return Reply(frame, _said(line, "result", 0, "meta"))
        except Exception as error:
            verdict = _judged(line, symbol, error)
        if isinstance(verdict, Reply):
            return verdict
        if attempt + 1 < TRIES:
            pause = back_off(attempt)
            tell(Step(f"waiting {pause:.0f} s for Yahoo ({verdict})"))
            _clock.sleep(pause)
    raise SourceError(
        f"Yahoo gave no usable answer for {symbol} in {TRIES} tries, at last {verdict}; try again "
        "later",
        temporary=True,
    )


# yfinance ------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _library() -> Any:
    """Return the package, kept from writing elsewhere and from talking to users."""
    try:
        import yfinance
    except ModuleNotFoundError as error:
        raise ArgumentError(
            "`source` 'yahoo' needs the package yfinance: pip install 'meseta[yahoo]'"
        ) from error
    home = os.environ.get("MESETA_HOME")
    caches = Path(home) / "cache" if home else Path(platformdirs.user_cache_dir("meseta"))
    yfinance.set_tz_cache_location(str(caches / "yfinance"))
    logging.getLogger("yfinance").addHandler(logging.NullHandler())
    return yfinance


@lru_cache(maxsize=1)
def _line(base: str) -> Any:
    """Return a session for yfinance that remembers Yahoo's last answer with prices.

    It is one for the whole process, since cookies belong to it. All requests go to `base` where
    that is given: yfinance has several addresses, and cookies come from further ones.
    """
    from curl_cffi.requests import Session

    class Line(Session[Any]):
        answer: Any = None

        def request(self, method: Any, url: str, *args: Any, **options: Any) -> Any:
            path = urlsplit(url).path
            answer = super().request(method, base + path if base else url, *args, **options)
            if path.startswith("/v8/finance/chart/"):
                self.answer = answer
            return answer

    return Line(impersonate="chrome")


def _history(
    yfinance: Any, line: Any, symbol: str, interval: str, start: datetime, end: datetime
) -> Any:
    from yfinance.data import YfData
    from yfinance.scrapers.history import PriceHistory

    data = YfData(session=line)
    # Answers of this process are kept by yfinance; prices of the past may have changed since.
    data.cache_get.cache_clear()
    hidden, yfinance.config.debug.hide_exceptions = yfinance.config.debug.hide_exceptions, False
    try:
        with warnings.catch_warnings():
            # What pandas tells the authors of yfinance, which shows it to everybody.
            warnings.simplefilter("ignore", DeprecationWarning)
            return PriceHistory(data, symbol, "UTC", line).history(
                interval=interval, start=start, end=end, auto_adjust=False, timeout=TIMEOUT
            )
    finally:
        yfinance.config.debug.hide_exceptions = hidden


# What went wrong -----------------------------------------------------------------------------


def _judged(line: Any, symbol: str, error: Exception) -> Reply | str:
    """Return a reply without prices, or why to ask again, or raise what ends it."""
    if line.answer is None:
        return type(error).__name__
    status = line.answer.status_code
    if status in _REFUSALS:
        raise SourceError(
            f"Yahoo refuses to answer for now (status {status}), as it does after many requests; "
            "try again in an hour",
            temporary=True,
        ) from error
    if status >= 500 or status == 408:
        return f"status {status}"
    try:
        line.answer.json()
    except ValueError:
        return "an answer that is no JSON"
    return type(error).__name__ if isinstance(error, OSError) else _empty(line, symbol, error)


def _empty(line: Any, symbol: str, error: Exception) -> Reply:
    """Return a reply without prices if that is what Yahoo says, or raise what else it says."""
    told = _said(line, "error").get("description") or ""
    if told.startswith("Data doesn't exist for startDate"):
        return Reply(None, {})
    if line.answer.status_code == 404:
        raise SourceError(
            f"Yahoo has no symbol {symbol!r} (it says: {told or 'not found'}); look it up on "
            "finance.yahoo.com",
            temporary=False,
        ) from error
    if told:
        raise SourceError(f"Yahoo will not give {symbol}: {told}", temporary=False) from error
    result = _said(line, "result", 0)
    if result.get("meta") and "timestamp" not in result:
        return Reply(None, result["meta"])
    raise DataError(
        f"Yahoo's answer for {symbol} makes no sense ({type(error).__name__}: {error})"
    ) from error


def _said(line: Any, *where: str | int) -> dict[str, Any]:
    """Return a part of Yahoo's last answer; empty where there is none."""
    try:
        part = line.answer.json()["chart"]
        for step in where:
            part = part[step]
    except (KeyError, IndexError, TypeError):
        return {}
    return part if isinstance(part, dict) else {}
