"""Signing in to TradeStation with the command line, against a server that speaks its protocol."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from typer.testing import CliRunner

from data.tradestation_site import (
    CLIENT_ID,
    CLIENT_SECRET,
    Grant,
    Hand,
    TradeStationSite,
    free_port,
    serving,
    texts_of,
)
from meseta.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.conftest import Clock

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no modes and no SIGINT")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[TradeStationSite]:
    with serving(monkeypatch) as made:
        yield made


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hand]:
    made = Hand(monkeypatch)
    yield made
    made.done()


@pytest.fixture
def port() -> int:
    return free_port()


def call(*arguments: object, typed: str | None = None) -> Any:
    return CliRunner().invoke(app, ["data", *map(str, arguments)], input=typed)


def login(port: int, *arguments: object, typed: str | None = f"{CLIENT_SECRET}\n") -> Any:
    uri = f"http://localhost:{port}"
    given = ("--client-id", CLIENT_ID, "--redirect-uri", uri, *arguments)
    return call("login", "tradestation", *given, typed=typed)


def stored(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "credentials" / "tradestation.json").read_bytes())
    return found


def assert_nothing_told(site: TradeStationSite, home: Path, *texts: str) -> None:
    """No secret stands anywhere but in the token file."""
    found = {**texts_of(home), **{f"output {at}": text for at, text in enumerate(texts)}}
    found.pop(str(home / "credentials" / "tradestation.json"), None)
    told = [
        (place, secret)
        for place, text in found.items()
        for secret in site.issued
        if secret in text
    ]
    assert told == []


def test_signing_in_stores_what_renews_itself(
    site: TradeStationSite, hand: Hand, home: Path, port: int, clock: Clock
) -> None:
    result = login(port)
    hand.done()
    assert result.exit_code == 0, result.stderr
    found = stored(home)
    assert found["access_token"] in site.access_tokens
    assert found["refresh_token"] in site.refresh_tokens
    assert found["client_secret"] == CLIENT_SECRET
    assert found["expires"].startswith("2024-06-07T22:20:00")
    assert "Access until  2024-06-07 22:20 UTC, renewed by itself" in result.stdout
    [page] = hand.pages
    assert page.status_code == 200
    assert "close this page" in page.text
    assert_nothing_told(site, home, result.stdout, result.stderr, page.text)


def test_the_sign_in_page_is_asked_for_no_more_than_bars_need(
    site: TradeStationSite, hand: Hand, port: int
) -> None:
    login(port)
    [asked] = [parse_qs(urlsplit(url).query) for url in hand.opened]
    assert asked["scope"] == ["openid offline_access MarketData"]
    assert asked["audience"] == ["https://api.tradestation.com"]
    assert asked["redirect_uri"] == [f"http://localhost:{port}"]
    assert "code_challenge" not in asked


def test_every_sign_in_has_a_state_of_its_own(
    site: TradeStationSite, hand: Hand, port: int
) -> None:
    login(port)
    login(port)
    first, second = (parse_qs(urlsplit(url).query)["state"][0] for url in hand.opened)
    assert first != second
    assert min(len(first), len(second)) >= 40


@posix
def test_only_the_owner_may_read_the_tokens(
    site: TradeStationSite, hand: Hand, home: Path, port: int
) -> None:
    login(port)
    folder = home / "credentials"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "tradestation.json").stat().st_mode) == 0o600


def test_pkce_proves_itself_without_a_secret(
    site: TradeStationSite, hand: Hand, home: Path, port: int
) -> None:
    site.vendor.pkce = True
    result = login(port, "--flow", "pkce", typed=None)
    assert result.exit_code == 0, result.stderr
    assert stored(home)["client_secret"] is None
    [form] = [asked.form for asked in site.asked if asked.path == "/oauth/token"]
    assert "client_secret" not in form
    assert 43 <= len(form["code_verifier"]) <= 128
    site.issued.add(form["code_verifier"])
    assert_nothing_told(site, home, result.stdout, result.stderr)


def test_a_secret_of_the_environment_is_not_written_down(
    site: TradeStationSite, hand: Hand, home: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESETA_TRADESTATION_CLIENT_SECRET", CLIENT_SECRET)
    monkeypatch.setenv("MESETA_TRADESTATION_CLIENT_ID", CLIENT_ID)
    uri = f"http://localhost:{port}"
    result = call("login", "tradestation", "--redirect-uri", uri)
    assert result.exit_code == 0, result.stderr
    assert stored(home)["client_secret"] is None


def test_a_second_sign_in_goes_on_with_the_settings_of_the_first(
    site: TradeStationSite, hand: Hand, home: Path, port: int
) -> None:
    login(port)
    before = stored(home)
    result = call("login", "tradestation")
    assert result.exit_code == 0, result.stderr
    after = stored(home)
    assert after["redirect_uri"] == before["redirect_uri"]
    assert after["access_token"] != before["access_token"]


def test_a_damaged_sign_in_is_told_and_replaced(
    site: TradeStationSite, hand: Hand, home: Path, port: int
) -> None:
    login(port)
    path = home / "credentials" / "tradestation.json"
    path.write_bytes(path.read_bytes()[:-40])
    result = login(port)
    assert result.exit_code == 0, result.stderr
    assert "was damaged" in result.stderr
    assert stored(home)["access_token"] in site.access_tokens


def test_without_a_key_there_is_nothing_to_sign_in_with(site: TradeStationSite) -> None:
    result = call("login", "tradestation")
    assert result.exit_code == 2
    assert "--client-id" in result.stderr
    assert "MESETA_TRADESTATION_CLIENT_ID" in result.stderr


def test_declining_ends_the_sign_in_with_the_vendors_words(
    site: TradeStationSite, hand: Hand, home: Path, port: int
) -> None:
    site.vendor.decline = True
    result = login(port)
    hand.done()
    assert result.exit_code == 1
    assert "access_denied: The user said" in result.stderr
    assert "\x1b" not in result.stderr
    assert hand.pages[0].status_code == 400
    assert "said" not in hand.pages[0].text
    assert not (home / "credentials" / "tradestation.json").exists()


def test_an_answer_to_another_sign_in_is_refused_and_told(
    site: TradeStationSite, home: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(monkeypatch)
    forged = f"http://localhost:{port}/?code=stolen-code&state=guessed-state"
    monkeypatch.setattr("webbrowser.open", lambda _: hand.open(forged))
    result = login(port)
    hand.done()
    assert result.exit_code == 1
    assert "`state`" in result.stderr
    assert hand.pages[0].status_code == 400
    assert site.paths() == []
    told = result.stderr + result.stdout + hand.pages[0].text
    assert "stolen-code" not in told
    assert "guessed-state" not in told


def test_other_paths_find_nothing_and_end_nothing(
    site: TradeStationSite, home: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(monkeypatch)

    def browse(url: str) -> bool:
        for path in ("favicon.ico", "logout?code=a&state=b"):
            hand.visit(f"http://localhost:{port}/{path}")
        return hand.open(url)

    monkeypatch.setattr("webbrowser.open", browse)
    result = login(port)
    hand.done()
    assert result.exit_code == 0, result.stderr
    assert [page.status_code for page in hand.pages] == [404, 404, 200]


def test_a_path_of_the_redirect_address_is_the_one_that_counts(
    site: TradeStationSite, hand: Hand, port: int
) -> None:
    uri = f"http://127.0.0.1:{port}/back"
    result = login(port, "--redirect-uri", uri)
    assert result.exit_code == 0, result.stderr


def test_nonsense_is_answered_without_repeating_it(
    site: TradeStationSite, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = Hand(monkeypatch)
    answers: list[str] = []

    def browse(url: str) -> bool:
        for sent in (
            b"GET /?code=nonsense <b> HTTP/1.1\r\n\r\n",
            b"POST /?nonsense HTTP/1.1\r\n\r\n",
        ):
            with socket.create_connection(("127.0.0.1", port)) as wire:
                wire.sendall(sent)
                answers.append(wire.makefile("rb").read().decode())
        # A connection that a browser opens in advance, and never uses, holds nobody up.
        with socket.create_connection(("127.0.0.1", port)):
            hand.visit(url)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    assert login(port).exit_code == 0
    assert "400" in answers[0]
    assert "501" in answers[1]
    assert "nonsense" not in "".join(answers)


def test_waiting_ends(
    site: TradeStationSite, port: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_asleep(_: str) -> bool:
        clock.sleep(61)
        return True

    monkeypatch.setattr("webbrowser.open", fall_asleep)
    result = login(port, "--timeout", 60)
    assert result.exit_code == 1
    assert "in 60 s" in result.stderr
    assert "--paste" in result.stderr


def test_no_other_machine_can_reach_the_listener(
    site: TradeStationSite, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    hand = Hand(monkeypatch)
    heard: set[str] = set()

    def look(url: str) -> bool:
        found = psutil.Process().net_connections("inet")
        heard.update(at.laddr.ip for at in found if at.laddr.port == port)
        return hand.open(url)

    monkeypatch.setattr("webbrowser.open", look)
    login(port)
    hand.done()
    assert "127.0.0.1" in heard
    assert heard <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken(site: TradeStationSite, hand: Hand, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as other:
        try:
            other.bind((address, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        other.listen()
        taken = other.getsockname()[1]
        result = login(taken)
    assert result.exit_code == 2
    assert f"port {taken}" in result.stderr
    assert "80, 3000, 3001, 8080, 31022" in result.stderr
    assert "--paste" in result.stderr
    assert hand.opened == []


@pytest.mark.parametrize(
    "uri",
    [
        "http://example.org:31022",
        "https://localhost:31022",
        "http://0.0.0.0:31022",
        "http://localhost.example.org",
        "http://me@localhost:31022",
        "http://localhost:0",
        "http://localhost:99999",
        "localhost:31022",
        "http://[::1",
    ],
)
@pytest.mark.parametrize("way", ["--no-browser", "--paste"])
def test_only_this_machine_gets_the_answer(
    site: TradeStationSite, hand: Hand, uri: str, way: str
) -> None:
    result = login(80, "--redirect-uri", uri, way)
    assert result.exit_code == 2
    assert "--redirect-uri" in result.stderr
    assert site.paths() == []


def test_pasting_the_address_that_the_browser_ends_at(
    site: TradeStationSite, hand: Hand, home: Path
) -> None:
    # Nobody listens there: the browser shows an error, and the address.
    result, ended = paste(site)
    assert result.exit_code == 0, result.stderr
    assert stored(home)["access_token"] in site.access_tokens
    assert hand.opened == []
    site.issued -= {parse_qs(urlsplit(ended).query)["code"][0]}
    assert_nothing_told(site, home, result.stdout, result.stderr)


def test_pasting_an_address_of_another_sign_in(
    site: TradeStationSite, hand: Hand, home: Path
) -> None:
    result, _ = paste(site, changed=("state=", "state=x"))
    assert result.exit_code == 1
    assert "`state`" in result.stderr
    assert not (home / "credentials" / "tradestation.json").exists()


def paste(site: TradeStationSite, changed: tuple[str, str] = ("", "")) -> tuple[Any, str]:
    """Sign in elsewhere and paste where that ended, once the product has said where to begin."""
    import typer

    ended: list[str] = []

    def prompt(text: str, **options: Any) -> str:
        if options.get("hide_input"):
            return CLIENT_SECRET
        begin = next(line for line in said if line.startswith(site.url))
        ended.append(httpx2.get(begin, trust_env=False).headers["Location"])
        return f"  {ended[0].replace(*changed)}#fragment \n"

    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer, "prompt", prompt)
        echo = typer.echo

        def listen(text: str, **options: Any) -> None:
            said.extend(text.splitlines())
            echo(text, **options)

        patch.setattr(typer, "echo", listen)
        return login(31022, "--paste"), ended[0]


@pytest.mark.parametrize("pasted", ["http://[?code=a&state=%ff", "?state=ÿ&code=a", "code", "&=?"])
def test_pasting_nonsense(site: TradeStationSite, hand: Hand, pasted: str) -> None:
    result = login(31022, "--paste", typed=f"{CLIENT_SECRET}\n{pasted}\n")
    assert result.exit_code == 1
    assert "`state`" in result.stderr


def test_a_wrong_secret_is_told_without_it(
    site: TradeStationSite, hand: Hand, home: Path, port: int
) -> None:
    site.issued.add("not-the-secret")
    result = login(port, typed="not-the-secret\n")
    assert result.exit_code == 1
    assert "invalid_client: wrong secret" in result.stderr
    assert_nothing_told(site, home, result.stdout, result.stderr)


def test_a_code_that_the_vendor_repeats_in_its_error_is_blotted_out(
    site: TradeStationSite, hand: Hand, home: Path, port: int
) -> None:
    class Forgetful(dict[str, Grant]):
        def __setitem__(self, *_: object) -> None:
            return

    site.grants = Forgetful()
    result = login(port)
    assert result.exit_code == 1
    assert "Invalid authorization code ***" in result.stderr
    assert_nothing_told(site, home, result.stdout, result.stderr)


@pytest.mark.parametrize("scope", ["openid MarketData Trade", "openid trade", "MarketData"])
def test_no_token_that_could_trade_is_asked_for(
    site: TradeStationSite, hand: Hand, port: int, scope: str
) -> None:
    result = login(port, "--scope", scope)
    assert result.exit_code == 2
    assert "--scope" in result.stderr
    assert hand.opened == []


def test_the_status_shows_everything_but_tokens(
    site: TradeStationSite, hand: Hand, home: Path, port: int, clock: Clock
) -> None:
    assert "not signed in: meseta data login tradestation" in call("status").stdout
    login(port)
    result = call("status")
    assert result.exit_code == 0
    for text in ("signed in", "code", "openid offline_access MarketData", "2024-06-07 22:20 UTC"):
        assert text in result.stdout
    assert str(home / "credentials" / "tradestation.json") in result.stdout
    assert_nothing_told(site, home, result.stdout, result.stderr)


def test_a_sign_in_that_cannot_renew_itself_says_so(
    site: TradeStationSite, hand: Hand, port: int
) -> None:
    result = login(port, "--scope", "openid MarketData")
    assert "then sign in again" in result.stdout


def test_signing_out_leaves_no_token_behind(
    site: TradeStationSite, hand: Hand, home: Path, port: int
) -> None:
    login(port)
    folder = home / "credentials"
    kept = (folder / "tradestation.json").read_bytes()
    # What a killed process and a damaged file leave.
    (folder / ".tradestation.json.0123456789ab.part").write_bytes(kept)
    (folder / "tradestation.json.damaged").write_bytes(kept)
    result = call("logout", "tradestation")
    assert result.exit_code == 0
    assert "revoke" in result.stdout
    assert_nothing_told(site, home, result.stdout, result.stderr)
    assert not (folder / "tradestation.json").exists()
    assert "nothing to remove" in call("logout", "tradestation").stdout


@pytest.mark.parametrize("what", ["login", "logout"])
def test_other_sources_need_no_sign_in(what: str) -> None:
    result = call(what, "yahoo")
    assert result.exit_code == 2
    assert "tradestation" in result.stderr


@posix
def test_an_interrupt_ends_waiting_at_once(
    site: TradeStationSite, port: int, tmp_path: Path
) -> None:
    arguments = ["--client-id", CLIENT_ID, "--redirect-uri", f"http://localhost:{port}"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "meseta",
            "data",
            "login",
            "tradestation",
            "--no-browser",
            *arguments,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "MESETA_TRADESTATION_CLIENT_SECRET": CLIENT_SECRET,
            "PYTHONUNBUFFERED": "1",
        },
    )
    assert process.stdout is not None
    assert any(line.startswith(site.url) for line in process.stdout)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in err
    assert CLIENT_SECRET not in out + err
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
