"""TradeStation's errors and limits: what is asked again, when, and what the user is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx2
import pytest

from data.site import Reply
from data.tradestation_site import TradeStationSite, bar, failed, keep, serving
from meseta.data import SeriesKey, silent
from meseta.data.sources import _http
from meseta.data.sources.tradestation import TradeStation
from meseta.errors import ArgumentError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.conftest import Clock

KEY = SeriesKey("tradestation", "SMH", "1d", basis="split")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, clock: Clock, home: Path) -> Iterator[TradeStationSite]:
    with serving(monkeypatch) as made:
        keep(home, made.signed_in(datetime(2030, 1, 1, tzinfo=UTC)))
        made.vendor.series["SMH"] = [bar("2024-06-06 20:00"), bar("2024-06-07 20:00")]
        yield made


def fetch(source: TradeStation | None = None, key: SeriesKey = KEY) -> int:
    span = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 8, tzinfo=UTC)
    return (source or TradeStation()).fetch(key, *span, silent).frame.height


def failure(key: SeriesKey = KEY) -> SourceError:
    with pytest.raises(SourceError) as found:
        fetch(key=key)
    return found.value


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (failed(400, "BadRequest", "Invalid unit"), "BadRequest: Invalid unit"),
        (failed(403, "Forbidden", "Not entitled"), "Not entitled.*MarketData"),
        (failed(200, "Forbidden", "Not entitled"), "Not entitled.*MarketData"),
        (failed(200, "BadRequest", "Invalid unit"), "BadRequest: Invalid unit"),
        (failed(200, "Something New", "of tomorrow"), "Something New: of tomorrow"),
        (Reply(418, b"tea"), "status 418"),
        (Reply(302, headers={"Location": "https://example.org"}), "status 302"),
    ],
)
def test_what_is_the_requests_fault_is_not_asked_again(
    site: TradeStationSite, clock: Clock, reply: Reply, told: str
) -> None:
    site.bars_script = [reply]
    with pytest.raises(SourceError, match=told) as found:
        fetch()
    assert not found.value.temporary
    assert len(site.asked) == 1
    assert clock.waits == []


def test_a_message_cannot_write_to_the_terminal(site: TradeStationSite) -> None:
    site.bars_script = [failed(400, "BadRequest", "\x1b[2J" + "x" * 500)]
    told = str(failure())
    assert "\x1b" not in told
    assert len(told) < 300


def test_a_symbol_that_the_vendor_does_not_know(site: TradeStationSite) -> None:
    found = failure(SeriesKey("tradestation", "SMHH", "1d", basis="split"))
    # What is stored may stand in.
    assert found.temporary
    assert "Symbol not found" in str(found)
    assert len(site.asked) == 2


def test_nothing_in_a_span_may_come_as_the_same_error(site: TradeStationSite) -> None:
    site.vendor.empty_is_404 = True
    site.vendor.series["SMH"] = [bar("2020-06-05 20:00")]
    assert fetch() == 0
    assert [asked.query.get("barsback") for asked in site.asked] == [None, "1"]


def test_too_many_requests_wait_as_long_as_the_vendor_says(
    site: TradeStationSite, clock: Clock
) -> None:
    headers = {"X-RateLimit-Reset": "7"}
    site.bars_script = [
        failed(429, "TooManyRequests", "quota", **headers),
        failed(200, "TooManyRequests", "quota", **headers),
    ]
    assert fetch() == 2
    assert clock.waits == [7, 7]


@pytest.mark.parametrize("reset", [None, "1717797600", "-3", "soon", "nan"])
def test_without_a_usable_time_waiting_doubles_and_ends(
    site: TradeStationSite, clock: Clock, reset: str | None
) -> None:
    headers = {"X-RateLimit-Reset": reset} if reset else {}
    site.bars_script = [failed(429, "TooManyRequests", "quota", **headers)] * 9
    found = failure()
    assert found.temporary
    assert "429" in str(found)
    assert clock.waits == [60, 120, 240, 300]
    assert len(site.asked) == 5


@pytest.mark.parametrize("status", [408, 500, 501, 503, 504])
def test_a_fault_of_the_vendors_is_asked_again(
    site: TradeStationSite, clock: Clock, status: int
) -> None:
    site.bars_script = [Reply(status, b"<html>")] * 4
    assert fetch() == 2
    site.bars_script = [Reply(status)] * 5
    found = failure()
    assert found.temporary
    assert len(site.asked) == 10


def test_an_answer_that_is_cut_off_is_asked_for_again(
    site: TradeStationSite, clock: Clock
) -> None:
    site.bars_script = [Reply(200, b'{"Bars": []}' * 9, cut=12)] * 4
    assert fetch() == 2
    assert len(site.asked) == 5


def test_an_answer_that_is_too_slow_is_asked_for_again(
    site: TradeStationSite, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http, "TIMEOUT", httpx2.Timeout(0.4))
    site.bars_script = [Reply(200, b'{"Bars": []}', delay=2.0)]
    assert fetch() == 2
    assert len(site.asked) == 2


def test_nobody_at_the_address(
    site: TradeStationSite, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESETA_TRADESTATION_URL", "http://127.0.0.1:9/v3")
    found = failure()
    assert found.temporary
    assert "ConnectError" in str(found)


def test_no_more_than_one_request_a_second(site: TradeStationSite, clock: Clock) -> None:
    source = TradeStation()
    for _ in range(3):
        fetch(source)
    assert clock.waits == pytest.approx([1.0, 1.0])


def test_a_limit_that_is_used_up_is_left_alone(site: TradeStationSite, clock: Clock) -> None:
    source = TradeStation()
    bars = {"Bars": [bar("2024-06-07 20:00")]}
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "42"}
    site.bars_script = [Reply.json(bars, **headers)]
    fetch(source)
    assert clock.waits == []
    fetch(source)
    assert clock.waits == [42]
    fetch(source)
    assert clock.waits == pytest.approx([42, 1.0])


@pytest.mark.parametrize(
    ("name", "told"),
    [("MESETA_TRADESTATION_URL", "https"), ("MESETA_TRADESTATION_SIGNIN_URL", "https")],
)
def test_tokens_are_not_sent_in_the_clear(
    site: TradeStationSite, home: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    keep(home, site.signed_in(datetime(2024, 6, 7, 22, 1, tzinfo=UTC)))
    monkeypatch.setenv(name, "http://api.example.org/v3")
    with pytest.raises(ArgumentError, match=f"{name}.*{told}"):
        fetch()
