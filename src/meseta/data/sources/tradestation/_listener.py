"""A web server on this machine alone that waits for the browser to come back from the sign-in."""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import socket
import socketserver
import threading
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from meseta.data import _clock
from meseta.errors import ArgumentError, MesetaError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from pydantic import SecretStr

__all__ = ["Callback", "CallbackServer", "callback"]

# What a key accepts unless TradeStation was asked for others.
PORTS = (80, 3000, 3001, 8080, 31022)
# "localhost" may mean either to a browser.
_ADDRESSES = {
    "localhost": ("127.0.0.1", "::1"),
    "127.0.0.1": ("127.0.0.1",),
    "::1": ("::1",),
}
_NO_ADDRESS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
# So short a wait that an interrupt is seen at once on systems where none ends a wait.
_POLL_SECONDS = 0.25
# A browser may open a connection to have one, and send nothing.
_REQUEST_SECONDS = 10.0
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>meseta</title></head>
<body><p>{}</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the sign-in page sends the browser to: addresses of this machine, port and path."""

    addresses: tuple[str, ...]
    port: int
    path: str


def callback(redirect_uri: str) -> Callback:
    """Read a redirect address.

    Raises
    ------
    ArgumentError
        It is not http to this machine: whoever runs the host would get the sign-in.
    """
    try:
        parts = urlsplit(redirect_uri)
        port = 80 if parts.port is None else parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    addresses = _ADDRESSES.get(parts.hostname or "", ())
    further = parts.query or parts.fragment or parts.username
    if parts.scheme != "http" or not addresses or not port or further:
        raise ArgumentError(
            "`--redirect-uri` must be http to localhost, 127.0.0.1 or [::1], such as "
            f"http://localhost:31022, got {redirect_uri!r}"
        )
    return Callback(addresses, port, parts.path or "/")


class CallbackServer:
    """Serves the callback while its block runs; the waiting time begins with the block.

    Parameters
    ----------
    redirect_uri
        Its host, port and path are listened on, at no other address of this machine.
    read
        Turns the query of the first request for that path into the code, or raises; the browser
        is told which. Requests for other paths, such as a page's icon, find nothing.
    seconds
        How long to wait for it.

    Raises
    ------
    ArgumentError
        The port is taken or not allowed.
    """

    def __init__(
        self, redirect_uri: str, read: Callable[[str], SecretStr], seconds: float
    ) -> None:
        self.callback, self.read, self.seconds = callback(redirect_uri), read, seconds
        self.end = _clock.now() + timedelta(seconds=seconds)
        self.found: queue.Queue[SecretStr | MesetaError] = queue.Queue()
        self.claimed = threading.Lock()
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            for address in self.callback.addresses:
                self._listen(address, stack)
            self.stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stack.close()

    def wait(self) -> SecretStr:
        """Return the code.

        Raises
        ------
        SourceError
            None came in time, or `read` refused what came.
        """
        while True:
            try:
                found = self.found.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                self._require_time()
            else:
                if isinstance(found, MesetaError):
                    raise found
                return found

    def _require_time(self) -> None:
        if _clock.now() < self.end:
            return
        raise SourceError(
            f"no answer from the sign-in page in {self.seconds:g} s; begin again, with "
            "--no-browser if the browser did not open, with --paste if it runs on another "
            "machine, or with a longer --timeout",
            temporary=False,
        )

    def _listen(self, address: str, stack: contextlib.ExitStack) -> None:
        try:
            server = stack.enter_context(_server(address, self))
        except OSError as error:
            if address == "::1" and error.errno in _NO_ADDRESS and self.callback.addresses[1:]:
                return  # a machine without IPv6
            raise self._taken(error) from error
        serve = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        serve.start()
        stack.callback(serve.join)
        stack.callback(server.shutdown)

    def _taken(self, error: OSError) -> ArgumentError:
        ports = ", ".join(str(port) for port in PORTS)
        return ArgumentError(
            f"`--redirect-uri` names port {self.callback.port}, which cannot be listened on here "
            f"({error.strerror}); TradeStation's keys accept http://localhost with the ports "
            f"{ports}: name another, or use --paste"
        )

    def answer(self, path: str, query: str) -> tuple[SecretStr | MesetaError | None, int, str]:
        """Return what a request brought, if anything, and the status and text to tell it."""
        if path != self.callback.path or not self.claimed.acquire(blocking=False):
            return None, 404, "There is nothing here."
        try:
            code = self.read(query)
        except MesetaError as error:
            return error, 400, "This did not sign you in; the terminal says why."
        return code, 200, "meseta has the answer: close this page and go back to the terminal."


class _Server(socketserver.ThreadingTCPServer):
    # Windows would let a second program listen on the same port.
    allow_reuse_address = os.name == "posix"
    daemon_threads = True

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        super().server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: who went away or sent nonsense is no concern of the user's."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def _server(address: str, owner: CallbackServer) -> _Server:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS
        server_version, sys_version = "meseta", ""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            found, status, text = owner.answer(parts.path or "/", parts.query)
            try:
                self.reply(status, text)
            finally:
                # Only now, so that the process does not end before the page is there.
                if found is not None:
                    owner.found.put(found)

        def reply(self, status: int, text: str) -> None:
            page = _PAGE.format(text).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(page)

        def send_error(
            self, code: int, message: str | None = None, explain: str | None = None
        ) -> None:
            # The usual page repeats what was asked.
            del message, explain
            self.reply(code, "This was not understood.")

        def log_message(self, *_: object) -> None:
            """Log nothing: the address that is asked for holds the code."""

    kind = _Server6 if ":" in address else _Server
    return kind((address, owner.callback.port), Handler)
