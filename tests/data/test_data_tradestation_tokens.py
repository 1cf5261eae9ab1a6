"""Tokens that renew themselves: kept, replaced, shared between processes, and never told."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from data.site import Reply
from data.tradestation_site import (
    CLIENT_SECRET,
    TradeStationSite,
    bar,
    keep,
    refused,
    serving,
    texts_of,
)
from meseta.cli import app
from meseta.data import SeriesKey, silent
from meseta.data.sources.tradestation import TradeStation
from meseta.data.sources.tradestation._tokens import Tokens, TokenStore
from meseta.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.conftest import Clock
    from meseta.data import Step

KEY = SeriesKey("tradestation", "SMH", "1d", basis="split")
NOW = datetime(2024, 6, 7, 22, tzinfo=UTC)
STALE, FRESH = NOW - timedelta(hours=5), NOW + timedelta(minutes=15)
CUT = Reply(200, b'{"access_token": "half', cut=9)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[TradeStationSite]:
    with serving(monkeypatch) as made:
        made.vendor.series["SMH"] = [bar("2024-06-06 20:00"), bar("2024-06-07 20:00")]
        yield made


def fetch(tell: Any = silent) -> int:
    start, end = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 8, tzinfo=UTC)
    return TradeStation().fetch(KEY, start, end, tell).frame.height


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def failure() -> SourceError:
    with pytest.raises(SourceError) as found:
        fetch()
    return found.value


def test_a_token_that_is_good_is_used(site: TradeStationSite, home: Path) -> None:
    path = keep(home, site.signed_in(FRESH))
    before = path.read_bytes()
    assert fetch() == 2
    assert site.refreshes == 0
    assert path.read_bytes() == before


@pytest.mark.parametrize(("left", "refreshes"), [(179, 1), (180, 1), (181, 0), (-1, 1)])
def test_a_token_about_to_end_is_renewed(
    site: TradeStationSite, home: Path, left: int, refreshes: int
) -> None:
    keep(home, site.signed_in(NOW + timedelta(seconds=left)))
    assert fetch() == 2
    assert site.refreshes == refreshes


def test_a_reply_without_a_refresh_token_leaves_the_old_one(
    site: TradeStationSite, home: Path, clock: Clock
) -> None:
    path = keep(home, site.signed_in(STALE))
    before = content(path)
    for number in (1, 2, 3):
        assert fetch() == 2
        assert site.refreshes == number
        assert content(path)["refresh_token"] == before["refresh_token"]
        clock.sleep(1200)
    assert content(path)["client_secret"] == CLIENT_SECRET


def test_a_new_refresh_token_is_stored_before_anything_else(
    site: TradeStationSite, home: Path, clock: Clock
) -> None:
    site.vendor.rotate = True
    path = keep(home, site.signed_in(STALE))
    stored: list[bool] = []
    site.on_bars = lambda: stored.append({content(path)["refresh_token"]} == site.refresh_tokens)
    for _ in range(3):
        assert fetch() == 2
        clock.sleep(1200)
    assert site.refreshes == 3
    assert stored == [True, True, True]


@pytest.mark.parametrize(
    ("said", "expires"),
    [(300, "2024-06-07T22:05:00"), ("600", "2024-06-07T22:10:00"), (None, None), ("soon", None)],
)
def test_how_long_a_token_lives_is_for_the_vendor_to_say(
    site: TradeStationSite, home: Path, said: Any, expires: str | None
) -> None:
    site.vendor.expires_in = said
    path = keep(home, site.signed_in(STALE))
    fetch()
    found = content(path)["expires"]
    assert found is None if expires is None else found.startswith(expires)
    fetch()
    assert site.refreshes == 1


def test_without_a_refresh_token_the_user_signs_in_again(
    site: TradeStationSite, home: Path
) -> None:
    keep(home, site.signed_in(STALE, refresh_token=None))
    found = failure()
    assert found.temporary
    assert "sign in again: meseta data login tradestation" in str(found)


def test_nobody_signed_in(site: TradeStationSite, home: Path) -> None:
    found = failure()
    assert found.temporary
    assert "meseta data login tradestation" in str(found)
    assert site.paths() == []
    assert not (home / "credentials").exists()


def test_a_refresh_token_that_is_void_wants_a_new_sign_in(
    site: TradeStationSite, home: Path
) -> None:
    path = keep(home, site.signed_in(STALE))
    before = path.read_bytes()
    site.refresh_tokens.clear()
    found = failure()
    assert found.temporary
    assert "invalid_grant" in str(found)
    assert "Unknown or invalid refresh token ***." in str(found)
    assert "sign in again: meseta data login tradestation" in str(found)
    assert path.read_bytes() == before
    assert site.refreshes == 1


@pytest.mark.parametrize(
    "fault",
    [
        CUT,
        Reply(503),
        Reply(429),
        Reply.json({"access_token": ""}),
        Reply(200, b"<html>"),
        Reply(403),
        refused("temporarily_unavailable", "later", 400),
    ],
    ids=["cut off", "busy", "too many", "no token", "no JSON", "gateway", "unavailable"],
)
def test_a_fault_on_the_way_is_no_matter_of_signing_in(
    site: TradeStationSite, home: Path, fault: Reply
) -> None:
    path = keep(home, site.signed_in(STALE))
    before = path.read_bytes()
    site.tokens_script = [fault] * 5
    found = failure()
    assert found.temporary
    assert "sign in" not in str(found)
    assert path.read_bytes() == before
    # The tokens are as good as before.
    site.tokens_script = []
    assert fetch() == 2


def test_nobody_at_the_address_of_the_sign_in(
    site: TradeStationSite, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keep(home, site.signed_in(STALE))
    before = path.read_bytes()
    monkeypatch.setenv("MESETA_TRADESTATION_SIGNIN_URL", "http://127.0.0.1:9")
    found = failure()
    assert found.temporary
    assert "ConnectError" in str(found)
    assert path.read_bytes() == before


def test_a_passing_fault_of_a_renewal_is_tried_again(site: TradeStationSite, home: Path) -> None:
    keep(home, site.signed_in(STALE))
    site.tokens_script = [Reply(502), CUT]
    assert fetch() == 2
    assert site.refreshes == 3


def test_the_secret_of_the_environment_renews(
    site: TradeStationSite, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = keep(home, site.signed_in(STALE, client_secret=None))
    assert "MESETA_TRADESTATION_CLIENT_SECRET" in str(failure())
    monkeypatch.setenv("MESETA_TRADESTATION_CLIENT_SECRET", CLIENT_SECRET)
    assert fetch() == 2
    assert content(path)["client_secret"] is None


def test_pkce_renews_without_a_secret(site: TradeStationSite, home: Path) -> None:
    site.vendor.pkce = True
    keep(home, site.signed_in(STALE))
    assert fetch() == 2
    [form] = [asked.form for asked in site.asked if asked.path == "/oauth/token"]
    assert form.keys() == {"grant_type", "client_id", "refresh_token"}


def test_a_token_that_is_refused_before_its_time_is_renewed_once(
    site: TradeStationSite, home: Path
) -> None:
    keep(home, site.signed_in(FRESH))
    site.access_tokens.clear()
    assert fetch() == 2
    assert site.refreshes == 1
    assert len(site.asked_bars()) == 2


def test_a_token_that_is_refused_again_wants_a_new_sign_in(
    site: TradeStationSite, home: Path
) -> None:
    keep(home, site.signed_in(FRESH))
    body = {"Error": "Unauthorized", "Message": "no"}
    site.bars_script = [Reply.json(body, 401), Reply.json(body, 200), Reply.json(body, 401)]
    found = failure()
    assert found.temporary
    assert "sign in again: meseta data login tradestation" in str(found)
    assert site.refreshes == 1
    assert len(site.asked_bars()) == 2


def test_another_processs_renewal_is_used(site: TradeStationSite, home: Path) -> None:
    path = keep(home, site.signed_in(FRESH))
    renewed = site.signed_in(FRESH)
    site.access_tokens.discard(content(path)["access_token"])
    site.on_bars = lambda: keep(home, renewed) and None
    assert fetch() == 2
    assert site.refreshes == 0


PROCESS = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from meseta.data import SeriesKey, silent
from meseta.data.sources.tradestation import SOURCE
key = SeriesKey("tradestation", "SMH", "1d", basis="split")
Path(sys.argv[1]).touch()
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
span = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 8, tzinfo=UTC)
print(SOURCE.fetch(key, *span, silent).frame.height)
"""


def test_two_processes_renew_once(site: TradeStationSite, home: Path, tmp_path: Path) -> None:
    # With rotation a second renewal would use a token that is void.
    site.vendor.rotate = True
    path = keep(home, site.signed_in(STALE))
    ready = [tmp_path / f"ready{number}" for number in range(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROCESS, str(mark), str(tmp_path / "go")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for mark in ready
    ]
    while not all(mark.exists() for mark in ready):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    ended = [process.communicate(timeout=60) for process in processes]
    assert [out.strip() for out, _ in ended] == ["2", "2"], ended
    assert site.refreshes == 1
    assert content(path)["refresh_token"] in site.refresh_tokens


def test_whoever_waits_for_another_process_is_told(site: TradeStationSite, home: Path) -> None:
    path = keep(home, site.signed_in(STALE))
    told: list[Step] = []
    held = TokenStore()._acquired(silent)

    def hear(step: Step) -> None:
        told.append(step)
        if "another meseta" in step.what:
            path.write_text(json.dumps(site.signed_in(FRESH)))
            held.release()

    assert fetch(hear) == 2
    assert any("another meseta" in step.what for step in told)
    assert site.refreshes == 0


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", "\x00\xff", "truncated", "field", "type"]
)
def test_a_damaged_file_is_set_aside_and_told(
    site: TradeStationSite, home: Path, damage: str
) -> None:
    kept = site.signed_in(FRESH)
    lost = {name: value for name, value in kept.items() if name != "flow"}
    texts = {
        "truncated": json.dumps(kept)[:-30],
        "field": json.dumps(lost),
        "type": json.dumps({**kept, "refresh_token": [kept["refresh_token"]]}),
    }
    path = keep(home, kept)
    path.write_text(texts.get(damage, damage), encoding="latin-1")
    written = path.read_bytes()
    result = CliRunner().invoke(app, ["data", "status"])
    assert result.exit_code == 1
    aside = path.with_name("tradestation.json.damaged")
    assert str(aside) in result.stderr
    assert "sign in again: meseta data login tradestation" in result.stderr
    assert aside.read_bytes() == written
    assert not path.exists()
    assert not [secret for secret in site.issued if secret in result.stdout + result.stderr]
    assert "not signed in" in str(failure())


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_a_file_is_its_owners_from_its_first_byte(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    opened = os.open

    def look(path: Any, flags: int, mode: int = 0o777, **options: Any) -> int:
        made = opened(path, flags, mode, **options)
        if ".part" in str(path):
            seen.append(stat.S_IMODE(os.fstat(made).st_mode))
        return made

    monkeypatch.setattr(os, "open", look)
    mask = os.umask(0)
    try:
        store = TokenStore()
        with store.lock():
            store.save(tokens())
    finally:
        os.umask(mask)
    assert seen == [0o600]
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def tokens() -> Tokens:
    return Tokens(
        client_id="key",
        client_secret=SecretStr("hidden-secret"),
        flow="code",
        redirect_uri="http://localhost",
        scope="openid",
        access_token=SecretStr("hidden-access"),
        refresh_token=SecretStr("hidden-refresh"),
    )


def test_what_is_written_is_read(home: Path) -> None:
    store = TokenStore()
    assert store.load() is None
    with store.lock():
        store.save(tokens())
    assert store.load() == tokens()


def test_tokens_show_nothing(home: Path) -> None:
    made = tokens()
    shown = f"{made!r} {made} {made.model_dump()} {made.model_dump_json()}"
    assert "hidden" not in shown


def test_no_log_and_no_traceback_tells_a_secret(
    site: TradeStationSite, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    keep(home, site.signed_in(STALE))
    told: list[str] = []
    fetch(lambda step: told.append(step.what))
    site.access_tokens.clear()
    site.refresh_tokens.clear()
    told += traceback.format_exception(failure())
    told += [record.getMessage() for record in caplog.records]
    told += [f"{record.args}" for record in caplog.records]
    assert len(told) > 10
    assert not [secret for secret in site.issued if secret in "\n".join(told)]
    files = texts_of(home)
    files.pop(str(home / "credentials" / "tradestation.json"))
    assert not [secret for secret in site.issued if secret in "\n".join(files.values())]
