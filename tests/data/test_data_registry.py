"""Sources by name: built in, of a file, of an installed package."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from meseta.data import Listener
from meseta.data.sources import Source, find_source, sources
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HEAD = """
from meseta.data.sources import Answer, Facts, Source

class Mine(Source):
    name = "mine"
    title = "Mine"

    def facts(self, key):
        return Facts(timezone="UTC", stamp="close", calendar=None, earliest=None)

    def fetch(self, key, start, end, tell):
        return Answer(None)

"""


def file_of(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_the_product_s_own_are_known_and_loaded_when_asked_for() -> None:
    assert list(sources())[-3:] == ["tradestation", "binance", "yahoo"]
    assert find_source("yahoo").title == sources()["yahoo"]
    with pytest.raises(ArgumentError, match=r"path/to/file\.py:NAME, got 'yaho'; did you mean ya"):
        find_source("yaho")


def test_a_file_s_source_is_found_by_variable_by_name_and_alone(tmp_path: Path) -> None:
    path = file_of(tmp_path, "from meseta.data.sources.yahoo import SOURCE\nFIRST = Mine()\n")
    found = find_source(f"{path}:FIRST")
    assert isinstance(found, Source)
    assert found is find_source(f"{path}:mine") is find_source(str(path))
    file_of(tmp_path, "FIRST = Mine()\nFIRST.more = 1\n")
    assert find_source(str(path)) is not found


def test_whoever_writes_a_source_can_annotate_it(tmp_path: Path) -> None:
    text = """
from datetime import datetime
from typing import get_type_hints
from meseta.data import Basis, Kind, Listener, SeriesKey, Step

class Typed(Mine):
    kinds: tuple[Kind, ...] = ("bars",)

    def basis_of(self, symbol: str) -> Basis:
        return "split"

    def fetch(self, key: SeriesKey, start: datetime, end: datetime, tell: Listener) -> Answer:
        tell(Step("page"))
        return Answer(None)

TYPED = Typed()
TYPED.hints = get_type_hints(Typed.fetch)
"""
    source = find_source(f"{file_of(tmp_path, text)}:TYPED")
    assert vars(source)["hints"]["tell"] == Listener


@pytest.mark.parametrize(
    ("text", "wanted", "why"),
    [
        ("", "", r"has no sources \(none\)"),
        ("", ":Mine", r"the class Mine, no source; make one: Mine\(\)"),
        ("A = Mine()\nclass B(Mine):\n    name = 'b'\nB = B()\n", "", r"2 sources \(b, mine\)"),
        ("X = Mine()\n", ":Y", r"has no 'Y'.* \(the file's sources: mine\)"),
        ("Source()\n", "", r"mine\.py:\d+: TypeError: .*abstract.* fetch"),
        ("import helper_beside\n", "", "a source's file stands alone or imports installed"),
        ("Mine.name = 'Mine'\nX = Mine()\n", "", "`name` must be lower-case letters.* 'Mine'"),
        ("Mine.name = 'yahoo'\nX = Mine()\n", "", "`yahoo` is taken"),
        ("Mine.name = 'files'\nX = Mine()\n", "", "`files` is taken"),
        ("del Mine.title\nX = Mine()\n", "", "needs a `title`"),
        ("Mine.kinds = ('ticks',)\nX = Mine()\n", "", r"`kinds` must be .*bars, .*\('ticks',\)"),
        ("Mine.bases = ()\nX = Mine()\n", "", r"`bases` must be .*split.* got \(\)"),
        ("del Mine.name\nX = Mine()\n", "", "`name` must be .*None"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    tmp_path: Path, text: str, wanted: str, why: str
) -> None:
    path = file_of(tmp_path, text)
    with pytest.raises(ArgumentError, match=why):
        find_source(f"{path}{wanted}")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"`source` .*there is no file .*no\.py"):
        find_source(f"{tmp_path / 'no.py'}:X")


# Installed packages ---------------------------------------------------------------------------


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install a module with an entry point, as pip leaves it on disk."""

    def installed(module: str, text: str, name: str) -> None:
        file_of(tmp_path, text, f"{module}.py")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[meseta.sources]\n{name} = {module}:X\n")

    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield installed
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_packages_offer_sources(install: Callable[..., None]) -> None:
    install("pack_one", "X = Mine()\n", "mine")
    assert sources()["mine"] == "of the package pack_one"
    assert find_source("mine").title == "Mine"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import nowhere_to_be_found\n", "ModuleNotFoundError"),
        ("X = Mine()\nX.name = 'other'\n", "it calls itself `other`"),
        ("X = 3\n", "it is int, no source"),
    ],
)
def test_a_broken_package_is_told(install: Callable[..., None], text: str, why: str) -> None:
    install("pack_bad", text, "mine")
    with pytest.raises(ArgumentError, match=rf"of the package pack_bad .*\(pack_bad:X\): .*{why}"):
        find_source("mine")


def test_a_package_cannot_take_the_name_of_a_built_in_source(
    install: Callable[..., None],
) -> None:
    install("pack_odd", "Mine.name = 'yahoo'\nX = Mine()\n", "yahoo")
    assert find_source("yahoo").title == "Yahoo Finance"
    assert sources()["yahoo"] == "Yahoo Finance"
