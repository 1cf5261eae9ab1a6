"""Downloading over HTTP into a file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from data.site import Asked, Reply, Site
from meseta.data.sources._http import Http, take_all
from meseta.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from data.conftest import Clock

CONTENT = bytes(range(256)) * 1000


class Store(Site):
    def answer(self, asked: Asked) -> Reply:
        return Reply(200, CONTENT)


@pytest.mark.parametrize(
    "faults",
    [[], [Reply(200, CONTENT, cut=99_999)], [Reply(503, b"busy" * 90_000)]],
    ids=["at once", "cut off", "busy"],
)
def test_a_file_is_written_whole_whatever_came_before(
    clock: Clock, tmp_path: Path, faults: list[Reply]
) -> None:
    with Store() as site, Http("Store", take_all) as http, (tmp_path / "x").open("wb") as stream:
        site.script = list(faults)
        answer, sha256 = http.download(f"{site.url}/x", stream)
    assert answer.status_code == 200
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_a_download_gives_up_as_other_requests_do(clock: Clock, tmp_path: Path) -> None:
    with Store() as site, Http("Store", take_all) as http, (tmp_path / "x").open("wb") as stream:
        site.script = [Reply(200, CONTENT, cut=10)] * 5
        with pytest.raises(SourceError, match=r"5 tries.*RemoteProtocolError"):
            http.download(f"{site.url}/x", stream)
    assert len(clock.waits) == 4
