"""A real HTTP server on this machine that speaks a vendor's protocol."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class Asked:
    """A request as it came: `path` decoded, `raw` as it was sent."""

    method: str
    raw: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True)
class Reply:
    """An answer. `cut` closes the connection after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    delay: float = 0.0

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Reply:
        kind = {"Content-Type": "application/json"}
        return cls(status, json.dumps(value).encode(), {**kind, **headers})


class Site:
    """A server to be used as a context; subclasses say what it answers.

    `script` holds replies that are given before `answer` is asked, one for each request.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: list[Reply] = []
        self.lock = threading.Lock()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body are sent one by one, and neither waits for the other.
            disable_nagle_algorithm = True

            def log_message(self, *_: object) -> None:
                return

            def serve(self) -> None:
                site.serve(self)

            do_GET = do_POST = do_HEAD = serve  # noqa: N815

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, asked: Asked) -> Reply:
        raise NotImplementedError

    def paths(self) -> list[str]:
        """Paths asked so far."""
        with self.lock:
            return [asked.path for asked in self.asked]

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        parts = urlsplit(handler.path)
        asked = Asked(
            method=handler.command,
            raw=handler.path,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in handler.headers.items()},
            body=handler.rfile.read(length) if length else b"",
        )
        with self.lock:
            self.asked.append(asked)
            scripted = self.script.pop(0) if self.script else None
        self.send(handler, scripted or self.answer(asked))

    def send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        if reply.delay:
            time.sleep(reply.delay)
        try:
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(reply.body)))
            handler.end_headers()
            if handler.command == "HEAD":
                return
            handler.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            handler.wfile.flush()
        except OSError:
            # Who asked has gone: killed, or tired of waiting.
            handler.close_connection = True
            return
        handler.close_connection = handler.close_connection or reply.cut is not None

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
