"""Asking a vendor over HTTP: patient where that helps, and never telling secrets."""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import random
from typing import IO, TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import httpx2

from meseta.data import _clock
from meseta.data._listen import Step, silent
from meseta.errors import ArgumentError, SourceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self

    from meseta.data._listen import Listener

    # What a source makes of an answer: None takes it, seconds wait and ask again, a SourceError
    # ends it.
    Judge: TypeAlias = Callable[[httpx2.Response, int], float | None]

__all__ = ["Http", "back_off", "take_all", "trusted_url"]

TRIES = 5
TIMEOUT = httpx2.Timeout(30.0, connect=10.0)
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0


class Http:
    """A connection to one vendor.

    Transport faults (no connection, time-out, an answer that is cut off) are tried again with
    growing pauses, five times in all; what an answer's status means is for `judge` to say.

    Parameters
    ----------
    title
        The vendor's name in messages.
    judge
        What to make of an answer, given how often it was asked before.
    headers
        Sent with every request; never shown.
    pace
        Least seconds from one request to the next.
    tell
        Told of waits.
    """

    def __init__(
        self,
        title: str,
        judge: Judge,
        *,
        headers: Mapping[str, str] | None = None,
        pace: float = 0.0,
        tell: Listener = silent,
    ) -> None:
        self.title, self.judge, self.pace, self.tell = title, judge, pace, tell
        self.client = httpx2.Client(
            headers={"User-Agent": "meseta", **(headers or {})},
            timeout=TIMEOUT,
            verify=_certificates(),
        )
        self.asked: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()

    def get(self, url: str, params: Mapping[str, Any] | None = None) -> httpx2.Response:
        """Return the answer that `judge` takes, read to its end.

        Raises
        ------
        SourceError
            None came in five tries, or `judge` gave up.
        """
        return self.send("GET", url, params=params)

    def send(self, method: str, url: str, **options: Any) -> httpx2.Response:
        """Like `get`, with any method and the options of `httpx2.Client.request`."""
        return self._patiently(url, lambda: self.client.request(method, url, **options))

    def download(self, url: str, stream: IO[bytes]) -> tuple[httpx2.Response, str]:
        """Write the body of the answer that `judge` takes to a file, without holding it.

        `judge` sees status and headers only. What an earlier try wrote is overwritten.

        Returns
        -------
        tuple
            The answer, its body unread, and the SHA-256 of what was written.

        Raises
        ------
        SourceError
            As `get`.
        """
        digest = ""

        def ask() -> httpx2.Response:
            nonlocal digest
            with self.client.stream("GET", url) as answer:
                digest = _pour(answer, stream)
            return answer

        return self._patiently(url, ask), digest

    def _patiently(self, url: str, ask: Callable[[], httpx2.Response]) -> httpx2.Response:
        last = ""
        for attempt in range(TRIES):
            self._keep_pace()
            try:
                answer = ask()
            except httpx2.TransportError as error:
                last, wait = type(error).__name__, back_off(attempt)
            else:
                pause = self.judge(answer, attempt)
                if pause is None:
                    return answer
                last, wait = f"status {answer.status_code}", pause
            if attempt + 1 < TRIES:
                self._wait(wait, last)
        raise SourceError(
            f"{self.title} ({urlsplit(url).hostname}) gave no usable answer in {TRIES} tries, at "
            f"last {last}; try again later",
            temporary=True,
        )

    def _keep_pace(self) -> None:
        passed = _clock.now().timestamp() - (self.asked or 0.0)
        if self.asked is not None and passed < self.pace:
            # No longer than that where the clock was set back meanwhile.
            _clock.sleep(min(self.pace, self.pace - passed))
        self.asked = _clock.now().timestamp()

    def _wait(self, seconds: float, why: str) -> None:
        if seconds >= 1:
            self.tell(Step(f"waiting {seconds:.0f} s for {self.title} ({why})"))
        _clock.sleep(seconds)


@functools.cache
def _certificates() -> ssl.SSLContext:
    # Reading them takes longer than many an answer.
    return httpx2.create_ssl_context()


def _pour(answer: httpx2.Response, stream: IO[bytes]) -> str:
    stream.seek(0)
    stream.truncate()
    digest = hashlib.sha256()
    for chunk in answer.iter_bytes():
        stream.write(chunk)
        digest.update(chunk)
    return digest.hexdigest()


def back_off(attempt: int) -> float:
    """Return how long to wait after a fault, growing, with jitter; seconds."""
    # Jitter keeps several processes from asking again at once; it decides no result.
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0**attempt) * random.uniform(0.5, 1.0)


def take_all(answer: httpx2.Response, attempt: int) -> float | None:
    """Take what is no error; wait for a server at fault; give up on everything else."""
    if answer.status_code < 400:
        return None
    if answer.status_code >= 500 or answer.status_code in {408, 429}:
        return back_off(attempt)
    raise SourceError(f"status {answer.status_code} from {answer.url.host}", temporary=False)


def trusted_url(variable: str, url: str) -> str:
    """Return an address without its last slash, or refuse one that sends secrets in the clear.

    Parameters
    ----------
    variable
        Environment variable that named it, for the message.
    url
        https, or http to this machine.

    Raises
    ------
    ArgumentError
        It is neither.
    """
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or "")):
        return url.rstrip("/")
    raise ArgumentError(
        f"`{variable}` must be an https address, or http to 127.0.0.1, got {url!r}"
    )


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
