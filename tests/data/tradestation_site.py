"""TradeStation's sign-in pages and API, spoken by a server on this machine."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2

from data.site import Asked, Reply, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pytest

CLIENT_ID = "key-of-the-tests"
CLIENT_SECRET = "s3cret-of-the-key"
AUDIENCE = "https://api.tradestation.com"
LENGTHS = {"Daily": timedelta(days=1), "Weekly": timedelta(days=7), "Monthly": timedelta(days=31)}


@dataclass
class Grant:
    """What a code was given for."""

    redirect_uri: str
    scope: str
    challenge: str | None


@dataclass
class Vendor:
    """How the vendor behaves, to be changed while it serves."""

    pkce: bool = False
    rotate: bool = False
    decline: bool = False
    expires_in: Any = 1200
    limit: int = 57_600
    inclusive: tuple[bool, bool] = (True, True)
    keeps: str = "oldest"
    """Which bars are given where they are more than the limit."""
    empty_is_404: bool = False
    series: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class TradeStationSite(Site):
    """The whole protocol. `issued` holds every secret that it ever gave out."""

    def __init__(self) -> None:
        super().__init__()
        self.vendor = Vendor()
        self.grants: dict[str, Grant] = {}
        self.refresh_tokens: set[str] = set()
        self.access_tokens: set[str] = set()
        self.issued: set[str] = {CLIENT_SECRET}
        self.refreshes = 0
        self.number = 0
        # Answers to be given at one path alone, before anything else.
        self.tokens_script: list[Reply] = []
        self.bars_script: list[Reply] = []
        self.on_bars: Callable[[], None] = lambda: None

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/authorize":
            return self.authorize(asked.query)
        if asked.path == "/oauth/token" and asked.method == "POST":
            return self.token(asked)
        if asked.path.startswith("/v3/marketdata/barcharts/"):
            return self.bars(asked)
        return Reply.json({"Error": "NotFound", "Message": "no such place"}, 404)

    def signed_in(self, expires: datetime | None, **changes: Any) -> dict[str, Any]:
        """Return the content of a token file that this vendor stands by."""
        return {
            "client_id": CLIENT_ID,
            "client_secret": None if self.vendor.pkce else CLIENT_SECRET,
            "flow": "pkce" if self.vendor.pkce else "code",
            "redirect_uri": "http://localhost:31022",
            "scope": "openid offline_access MarketData",
            "access_token": self.new(self.access_tokens, "access"),
            "expires": None if expires is None else expires.isoformat(),
            "refresh_token": self.new(self.refresh_tokens, "refresh"),
            **changes,
        }

    def new(self, kind: set[str], name: str) -> str:
        self.number += 1
        made = f"{name}-token-{self.number:04}-{hashlib.sha256(name.encode()).hexdigest()[:20]}"
        kind.add(made)
        self.issued.add(made)
        return made

    # The sign-in page: whoever opens it signs in at once, or declines.

    def authorize(self, query: dict[str, str]) -> Reply:
        wrong = self.wrong_request(query)
        if wrong:
            return Reply(400, f"<p>{wrong}</p>".encode())
        if self.vendor.decline:
            told = {"error": "access_denied", "error_description": "The user said \x1b[31mno"}
            return self.redirect(query, told)
        code = self.new(set(), "code")
        self.grants[code] = Grant(
            query["redirect_uri"], query["scope"], query.get("code_challenge")
        )
        return self.redirect(query, {"code": code})

    def wrong_request(self, query: dict[str, str]) -> str:
        if query.get("response_type") != "code" or query.get("client_id") != CLIENT_ID:
            return "unknown client"
        if query.get("audience") != AUDIENCE or "openid" not in query.get("scope", "").split():
            return "audience or scope"
        if len(query.get("state", "")) < 20:
            return "state"
        method = query.get("code_challenge_method")
        return "challenge" if method != ("S256" if self.vendor.pkce else None) else ""

    def redirect(self, query: dict[str, str], told: dict[str, str]) -> Reply:
        back = urlencode({**told, "state": query["state"]})
        return Reply(302, headers={"Location": f"{query['redirect_uri']}?{back}"})

    # The token service.

    def token(self, asked: Asked) -> Reply:
        kind = asked.headers.get("content-type", "").partition(";")[0]
        form = asked.form
        with self.lock:
            self.refreshes += form.get("grant_type") == "refresh_token"
            scripted = self.tokens_script.pop(0) if self.tokens_script else None
        if scripted:
            return scripted
        if kind != "application/x-www-form-urlencoded" or form.get("client_id") != CLIENT_ID:
            return refused("invalid_client", "unknown client")
        if form.get("client_secret") != (None if self.vendor.pkce else CLIENT_SECRET):
            return refused("invalid_client", "wrong secret", 401)
        with self.lock:
            if form["grant_type"] == "authorization_code":
                return self.exchange(form)
            return self.refresh(form)

    def exchange(self, form: dict[str, str]) -> Reply:
        grant = self.grants.pop(form.get("code", ""), None)
        if grant is None or form.get("redirect_uri") != grant.redirect_uri:
            return refused("invalid_grant", f"Invalid authorization code {form.get('code')}")
        if grant.challenge != challenge_of(form.get("code_verifier")):
            return refused("invalid_grant", "Failed to verify code verifier")
        return self.grant(grant.scope, rotate="offline_access" in grant.scope)

    def refresh(self, form: dict[str, str]) -> Reply:
        if form.get("refresh_token") not in self.refresh_tokens:
            told = f"Unknown or invalid refresh token {form.get('refresh_token')}."
            return refused("invalid_grant", told, 403)
        if self.vendor.rotate:
            self.refresh_tokens.clear()
        return self.grant("openid offline_access MarketData", rotate=self.vendor.rotate)

    def grant(self, scope: str, *, rotate: bool) -> Reply:
        made = {
            "access_token": self.new(self.access_tokens, "access"),
            "id_token": self.new(set(), "id"),
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": self.vendor.expires_in,
        }
        if rotate:
            made["refresh_token"] = self.new(self.refresh_tokens, "refresh")
        return Reply.json({name: value for name, value in made.items() if value is not None})

    # Bars.

    def bars(self, asked: Asked) -> Reply:
        self.on_bars()
        with self.lock:
            scripted = self.bars_script.pop(0) if self.bars_script else None
            known = asked.headers.get("authorization", "").removeprefix("Bearer ")
            good = known in self.access_tokens
        if scripted:
            return scripted
        if not good:
            return failed(401, "Unauthorized", "The token is invalid or has expired.")
        symbol = asked.path.removeprefix("/v3/marketdata/barcharts/")
        if symbol not in self.vendor.series:
            return failed(404, "NotFound", "Symbol not found.")
        wrong = wrong_query(asked.query)
        if wrong:
            return failed(400, "BadRequest", wrong)
        found = self.chosen(self.vendor.series[symbol], asked.query)
        if not found and self.vendor.empty_is_404:
            return failed(404, "NotFound", "No data available.")
        return Reply.json({"Bars": found})

    def chosen(self, bars: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        if "barsback" in query:
            return bars[-int(query["barsback"]) :]
        first, last = moment(query["firstdate"]), moment(query["lastdate"])
        at_first, at_last = self.vendor.inclusive
        found = [
            bar
            for bar in bars
            if first <= (at := moment(bar["TimeStamp"])) <= last
            and (at_first or at != first)
            and (at_last or at != last)
        ]
        if query["unit"] != "Minute" or len(found) <= self.vendor.limit:
            return found
        oldest = self.vendor.keeps == "oldest"
        return found[: self.vendor.limit] if oldest else found[-self.vendor.limit :]

    def asked_bars(self) -> list[Asked]:
        with self.lock:
            return [asked for asked in self.asked if "/barcharts/" in asked.path]


def wrong_query(query: dict[str, str]) -> str:
    unit, interval = query.get("unit"), int(query.get("interval", "1"))
    if unit not in {"Minute", *LENGTHS} or (unit != "Minute" and interval != 1):
        return "unit or interval"
    return "barsback excludes firstdate" if {"barsback", "firstdate"} <= query.keys() else ""


def refused(error: str, told: str, status: int = 400) -> Reply:
    return Reply.json({"error": error, "error_description": told}, status)


def failed(status: int, title: str, told: str, **headers: str) -> Reply:
    return Reply.json({"Error": title, "Message": told}, status, **headers)


def challenge_of(verifier: str | None) -> str | None:
    if verifier is None:
        return None
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def bar(stamp: str, close: float = 10.0, **changes: Any) -> dict[str, Any]:
    """Return a bar as the vendor writes it; `stamp` in UTC."""
    at = datetime.fromisoformat(stamp).replace(tzinfo=UTC)
    return {
        "High": f"{close + 1:.2f}",
        "Low": f"{close - 1:.2f}",
        "Open": f"{close:.2f}",
        "Close": f"{close:.2f}",
        "TimeStamp": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "TotalVolume": "300",
        "DownTicks": 1,
        "DownVolume": 100,
        "OpenInterest": "0",
        "IsRealtime": False,
        "IsEndOfHistory": False,
        "TotalTicks": 3,
        "UnchangedTicks": 0,
        "UnchangedVolume": 0,
        "UpTicks": 2,
        "UpVolume": 200,
        "Epoch": int(at.timestamp() * 1000),
        "BarStatus": "Closed",
        **changes,
    }


def minutes(first: str, count: int, size: int = 1) -> list[dict[str, Any]]:
    """Return bars that follow each other without a gap, each with a price of its own."""
    start = datetime.fromisoformat(first)
    return [
        bar((start + timedelta(minutes=size * at)).isoformat(), 10 + at / 100)
        for at in range(count)
    ]


class Hand:
    """The user's hand: opens the address in a browser, which follows where it is sent to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[str] = []
        self.pages: list[httpx2.Response] = []
        self.threads: list[threading.Thread] = []
        monkeypatch.setattr("webbrowser.open", self.open)

    def open(self, url: str) -> bool:
        self.opened.append(url)
        self.threads.append(threading.Thread(target=self.visit, args=(url,)))
        self.threads[-1].start()
        return True

    def visit(self, url: str) -> None:
        with httpx2.Client(follow_redirects=True, trust_env=False) as browser:
            self.pages.append(browser.get(url))

    def done(self) -> None:
        for thread in self.threads:
            thread.join()


def texts_of(folder: Path) -> dict[str, str]:
    """Return every file under a folder, by name."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes().decode("utf-8", "replace") for path in files}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[TradeStationSite]:
    """Serve, and let the product ask here and nowhere else."""
    for name in ("CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"MESETA_TRADESTATION_{name}", raising=False)
    with TradeStationSite() as site:
        monkeypatch.setenv("MESETA_TRADESTATION_URL", f"{site.url}/v3")
        monkeypatch.setenv("MESETA_TRADESTATION_SIGNIN_URL", site.url)
        yield site


def keep(home: Path, content: dict[str, Any]) -> Path:
    """Write a token file as the product would."""
    path = home / "credentials" / "tradestation.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
