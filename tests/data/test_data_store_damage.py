"""Kills in the middle of a write, files cut off, and single bits turned."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.series import DAILY, MINUTES, TRADES, meta, moment, rows, values
from meseta.data import DamagedError, SeriesKey, Store, _sealed
from meseta.data._meta import Meta
from meseta.data._sealed import from_text, to_text
from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Killed(BaseException):
    pass


class Life:
    """Ends at the call `left` of what changes files, and with it everything that follows."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, left: int) -> None:
        self.left = left
        for name in ("open", "replace", "unlink", "mkdir"):
            monkeypatch.setattr(Path, name, self.watched(getattr(Path, name)))

    def watched(self, call: Callable[..., object]) -> Callable[..., object]:
        def watch(*arguments: object, **options: object) -> object:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return call(*arguments, **options)

        return watch


def kills(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Iterator[None]:
    """Kill `act` at its first change to files, then at its second, until it gets through."""
    for calls in itertools.count():
        with monkeypatch.context() as patched:
            life = Life(patched, calls)
            with contextlib.suppress(Killed):
                act()
        if life.left >= 0:
            assert calls > 2
            return
        yield


@pytest.mark.parametrize("key", [MINUTES, TRADES], ids=lambda key: key.kind)
def test_a_kill_leaves_the_old_series_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: SeriesKey
) -> None:
    before = Store(tmp_path / "before")
    old = before.save(meta(key), rows(key, [(at, 1) for at in range(60)]))
    span = (moment(key, 10), moment(key, 70))
    new = rows(key, [(at, 2) for at in range(10, 70)])
    seen = set()
    store = Store(tmp_path / "store")

    def act() -> None:
        shutil.rmtree(store.root, ignore_errors=True)
        shutil.copytree(before.root, store.root)
        store.save(old, new, replace=span)

    for _ in kills(monkeypatch, act):
        found = store.read(key)
        assert found is not None
        assert store.verify(key) == ()
        seen.add(tuple(values(key, store.frame(found)).values()))
        saved = store.save(found, new, replace=span)
        names = {path.name for path in store.folder(key).iterdir()}
        assert names == {"meta.json", *(part.file for part in saved.parts)}
    assert seen == {(1.0,) * 60, (1.0,) * 10 + (2.0,) * 60}


def test_a_full_disk_is_said_and_leaves_the_old_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    old = store.save(meta(DAILY), rows(DAILY, [(0, 1)]))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(RunError, match=r"cannot write .*No space left"):
            store.save(old, rows(DAILY, [(0, 2)]))
    assert store.read(DAILY) == old
    assert store.verify(DAILY) == ()
    assert len(list(store.folder(DAILY).iterdir())) == 2


def test_a_kill_while_setting_aside_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Store(tmp_path / "before")
    before.save(meta(TRADES), rows(TRADES, [(at, 1) for at in range(60)]))
    kept = {path.read_bytes() for path in before.folder(TRADES).iterdir()}
    store = Store(tmp_path / "store")

    def act() -> None:
        shutil.rmtree(store.root, ignore_errors=True)
        shutil.copytree(before.root, store.root)
        store.set_aside(TRADES, "why")

    for _ in kills(monkeypatch, act):
        if store.folder(TRADES).joinpath("meta.json").exists():
            store.set_aside(TRADES, "why again")
        assert store.read(TRADES) is None
        left = {p.read_bytes() for p in store.folder(TRADES).rglob("*") if p.is_file()}
        assert kept <= left


def test_a_kill_while_removing_leaves_the_series_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Store(tmp_path / "before")
    before.save(meta(DAILY), rows(DAILY, [(0, 1)]))
    store = Store(tmp_path / "store")

    def act() -> None:
        shutil.rmtree(store.root, ignore_errors=True)
        shutil.copytree(before.root, store.root)
        store.remove(DAILY)

    for _ in kills(monkeypatch, act):
        if store.read(DAILY):
            assert store.verify(DAILY) == ()
        store.save(meta(DAILY), rows(DAILY, [(0, 1)]))
        assert len(list(store.folder(DAILY).iterdir())) == 2


FILES = ["meta.json", "part"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("kept"))
    vendor = {"name": "Semiconductors é", "tick": 1e-05}
    store.save(meta(DAILY, vendor=vendor, notes=("a", "b")), rows(DAILY, [(0, 1), (1, 2)]))
    return store


def the_file(store: Store, kind: str) -> Path:
    name = "meta.json" if kind == "meta.json" else "*.parquet"
    return next(store.folder(DAILY).glob(name))


@pytest.mark.parametrize("kind", FILES)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_single_bit_that_turned_is_noticed(
    kept: Store, kind: str, place: float, bit: int
) -> None:
    path = the_file(kept, kind)
    sound = path.read_bytes()
    edited = bytearray(sound)
    edited[int(place * len(sound))] ^= 1 << bit
    expect_damage(kept, path, bytes(edited), sound)


@pytest.mark.parametrize("kind", FILES)
@given(place=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_off_is_noticed(kept: Store, kind: str, place: float) -> None:
    path = the_file(kept, kind)
    sound = path.read_bytes()
    expect_damage(kept, path, sound[: int(place * len(sound))], sound)


def expect_damage(store: Store, path: Path, content: bytes, sound: bytes) -> None:
    try:
        path.write_bytes(content)
        with pytest.raises(DamagedError, match=path.name) as found:
            use(store)
        wrong = store.verify(DAILY)
        assert wrong == (found.value.fault,)
        assert str(found.value).startswith(f"{wrong[0]}; set it aside with `meseta data verify")
    finally:
        path.write_bytes(sound)
    use(store)


def use(store: Store) -> None:
    found = store.read(DAILY)
    assert isinstance(found, Meta)
    store.frame(found)


def test_damaged_metadata_are_listed_and_never_written_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(meta(DAILY), rows(DAILY, [(0, 1)]))
    path = the_file(store, "meta.json")
    path.write_text("{}")
    assert store.keys() == []
    assert list(store.unreadable()) == [store.folder(DAILY)]
    with pytest.raises(DamagedError):
        store.save(meta(DAILY), rows(DAILY, [(0, 2)]))
    store.set_folder_aside(store.folder(DAILY), "edited")
    assert store.unreadable() == {}
    store.save(meta(DAILY), rows(DAILY, [(0, 2)]))


def test_a_folder_copied_to_another_name_is_not_that_series(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save(meta(DAILY), rows(DAILY, [(0, 1)]))
    shutil.copytree(store.folder(DAILY), store.folder(MINUTES))
    with pytest.raises(DamagedError, match="belongs to another series, yahoo SMH 1d split"):
        store.read(MINUTES)
    assert store.keys() == [DAILY]


def test_a_newer_format_asks_for_a_newer_meseta(tmp_path: Path) -> None:
    document = {**json.loads(to_text(meta(DAILY))), "format": 2}
    with pytest.raises(DamagedError, match=r"written by a newer meseta .*update meseta"):
        from_text(json.dumps(document), tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", '{"format": "1", "seal": ""}'])
def test_what_is_no_metadata_is_damage(tmp_path: Path, text: str) -> None:
    with pytest.raises(DamagedError, match="no metadata of a series"):
        from_text(text, tmp_path)


def test_a_seal_of_ones_own_does_not_make_metadata(tmp_path: Path) -> None:
    document = json.loads(to_text(meta(DAILY)))
    del document["seal"], document["key"]["symbol"]
    text = _sealed._indented({**document, "seal": _sealed._seal(document)})
    with pytest.raises(DamagedError, match="holds what meseta never writes"):
        from_text(text, tmp_path)
