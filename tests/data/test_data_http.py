"""Asking over HTTP: what is tried again, what is not, and what is never sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from data.site import Asked, Reply, Site
from meseta.data.sources._http import Http, take_all, trusted_url
from meseta.errors import ArgumentError, SourceError

if TYPE_CHECKING:
    from data.conftest import Clock


class Echo(Site):
    def answer(self, asked: Asked) -> Reply:
        return Reply.json({"path": asked.path, "query": asked.query})


def test_an_answer_is_read_whole(clock: Clock) -> None:
    with Echo() as site, Http("Echo", take_all) as http:
        found = http.get(f"{site.url}/a%20b", {"symbol": "@ES"})
    assert found.json() == {"path": "/a b", "query": {"symbol": "@ES"}}
    assert clock.waits == []


@pytest.mark.parametrize(
    "fault", [Reply(503), Reply(200, b'{"a": 1}' * 40, cut=5)], ids=["busy", "cut off"]
)
def test_a_passing_fault_is_asked_again_after_growing_pauses(clock: Clock, fault: Reply) -> None:
    with Echo() as site, Http("Echo", take_all) as http:
        site.script = [fault] * 4
        assert http.get(f"{site.url}/x").json()["path"] == "/x"
        assert len(site.asked) == 5
    assert len(clock.waits) == 4
    assert clock.waits[-1] > clock.waits[0]


def test_after_five_faults_the_source_counts_as_unreachable(clock: Clock) -> None:
    with Echo() as site, Http("Echo", take_all) as http:
        site.script = [Reply(500)] * 9
        with pytest.raises(SourceError, match=r"Echo \(127.0.0.1\).*5 tries.*status 500") as found:
            http.get(f"{site.url}/x?token=secret")
        assert len(site.asked) == 5
    assert found.value.temporary
    assert "secret" not in str(found.value)


def test_nobody_at_the_address(clock: Clock) -> None:
    with Echo() as site:
        url = site.url
    with Http("Echo", take_all) as http, pytest.raises(SourceError, match="ConnectError") as found:
        http.get(f"{url}/x")
    assert found.value.temporary


def test_requests_keep_their_pace(clock: Clock) -> None:
    with Echo() as site, Http("Echo", take_all, pace=1.0) as http:
        for _ in range(3):
            http.get(f"{site.url}/x")
    assert clock.waits == pytest.approx([1.0, 1.0])


def test_a_clock_that_was_set_back_does_not_make_it_wait_for_the_old_time(clock: Clock) -> None:
    with Echo() as site, Http("Echo", take_all, pace=1.0) as http:
        http.get(f"{site.url}/x")
        clock.set("2024-06-01T00:00:00+00:00")
        http.get(f"{site.url}/x")
    assert clock.waits == [1.0]


@pytest.mark.parametrize("url", ["http://example.org", "ftp://127.0.0.1", "127.0.0.1", "http://"])
def test_secrets_are_not_sent_in_the_clear(url: str) -> None:
    with pytest.raises(ArgumentError, match=r"MESETA_X_URL.*https"):
        trusted_url("MESETA_X_URL", url)


def test_this_machine_and_https_are_trusted() -> None:
    assert trusted_url("X", "http://127.0.0.1:8080/") == "http://127.0.0.1:8080"
    assert trusted_url("X", "https://api.example.org/v3/") == "https://api.example.org/v3"
