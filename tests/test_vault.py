"""The vault: what is taken off the history, and the count of its openings."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.bars import Bars, load
from meseta.errors import ArgumentError
from meseta.vault import VaultLedger, split_vault

RECORD = {"run": "one", "strategy": "atr_d_l", "grid": "phase1_slim"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("MESETA_HOME", str(folder))
    return folder


def daily(days: int, *, first: str = "2020-01-01", price: float = 100.0) -> Bars:
    time = np.datetime64(first, "us") + np.arange(days) * np.timedelta64(1, "D")
    close = np.full(days, price) + np.arange(days)
    return Bars.from_arrays(time, close, close + 1, close - 1, close, name="daily")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "qqq.csv"
    path.parent.mkdir()
    frame = daily(800).to_polars()
    frame.drop("volume").write_csv(path)
    return path


def vault_of(bars: Bars, months: float = 12) -> Bars:
    _, row = split_vault(bars, months)
    assert row is not None
    return bars.slice(row, len(bars))


class TestSplit:
    def test_no_months_are_no_vault(self) -> None:
        bars = daily(400)
        assert split_vault(bars, 0) == (bars, None)

    @pytest.mark.parametrize(
        ("first", "days", "months", "row_date"),
        [
            ("2020-01-01", 731, 12, "2021-01-01"),  # last bar 2021-12-31
            ("2020-01-01", 731, 1, "2021-12-01"),  # 31 November does not exist
            ("2019-02-01", 394, 12, "2019-03-01"),  # last bar 2020-02-29
            ("2020-01-01", 731, 1.5, "2021-11-15"),
            ("2020-01-01", 60, 1, "2020-01-30"),  # last bar 2020-02-29
        ],
    )
    def test_calendar_months_before_the_last_bar(
        self, first: str, days: int, months: float, row_date: str
    ) -> None:
        bars = daily(days, first=first)
        before, row = split_vault(bars, months)
        assert row is not None
        assert str(bars.time[row].astype("datetime64[D]")) == row_date
        assert (len(before), before.time[-1]) == (row, bars.time[row - 1])

    def test_the_sample_loses_its_last_calendar_year(self) -> None:
        bars = load("sample:nasdaq")
        before, row = split_vault(bars, 12)
        assert str(before.time[-1])[:10] == "2017-12-29"
        assert row is not None
        assert str(bars.time[row])[:10] == "2018-01-02"

    @pytest.mark.parametrize("months", [-1, float("nan"), float("inf")])
    def test_months_must_be_zero_or_more(self, months: float) -> None:
        with pytest.raises(ArgumentError, match="`vault` must be zero or more months, got"):
            split_vault(daily(400), months)

    @pytest.mark.parametrize("months", [600, 13.2, 1e12])
    def test_a_vault_of_the_whole_history_is_refused(self, months: float) -> None:
        with pytest.raises(ArgumentError, match=r"months of 13\.1 \(daily, 2020-01-01 to 2021"):
            split_vault(daily(400), months)

    def test_a_vault_of_a_single_bar_is_refused(self) -> None:
        with pytest.raises(ArgumentError, match=r"at least 2 bars, got 0\.02 months with 1"):
            split_vault(daily(400), 0.02)

    @settings(deadline=None)
    @given(days=st.integers(40, 900), months=st.floats(0.1, 40))
    def test_every_bar_is_on_one_side(self, days: int, months: float) -> None:
        bars = daily(days)
        try:
            before, row = split_vault(bars, months)
        except ArgumentError:
            assert months > bars.years * 12 - 0.2
            return
        assert row is not None
        assert len(before) == row < len(bars)
        length = (bars.time[-1] - bars.time[row]) / np.timedelta64(1, "D")
        assert abs(length - months * 30.4375) < 4


class TestLedger:
    def test_openings_are_counted_and_recorded(self, file: Path, home: Path) -> None:
        vault = vault_of(load(file))
        assert VaultLedger(str(file)).times_opened(vault) == 0
        assert [VaultLedger(str(file)).open(vault, **RECORD) for _ in range(3)] == [1, 2, 3]
        assert VaultLedger(str(file)).times_opened(vault) == 3
        beside = json.loads(Path(f"{file}.vault.json").read_text())["openings"]
        assert beside == json.loads((home / "vault.json").read_text())["openings"]
        assert beside[0] | RECORD == beside[0]
        assert beside[0]["vault"] == vault.fingerprint

    def test_counting_records_nothing(self, file: Path, home: Path) -> None:
        VaultLedger(str(file)).times_opened(vault_of(load(file)))
        assert not Path(f"{file}.vault.json").exists()
        assert not home.exists()

    def test_a_renamed_file_keeps_its_count(self, file: Path) -> None:
        vault = vault_of(load(file))
        VaultLedger(str(file)).open(vault, **RECORD)
        other = file.rename(file.with_name("other.csv"))
        assert VaultLedger(str(other)).open(vault, **RECORD) == 2

    def test_the_count_travels_with_the_file(
        self, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vault = vault_of(load(file))
        VaultLedger(str(file)).open(vault, **RECORD)
        monkeypatch.setenv("MESETA_HOME", str(tmp_path / "another machine"))
        assert VaultLedger(str(file)).open(vault, **RECORD) == 2

    @pytest.mark.parametrize("source", ["sample:nasdaq", "-", None])
    def test_data_without_a_file_are_counted_at_home(self, source: str | None, home: Path) -> None:
        vault = vault_of(daily(800))
        assert [VaultLedger(source).open(vault, **RECORD) for _ in range(2)] == [1, 2]
        assert (home / "vault.json").is_file()

    def test_another_number_of_months_or_newer_data_do_not_reset_the_count(self) -> None:
        assert VaultLedger(None).open(vault_of(daily(800)), **RECORD) == 1
        assert VaultLedger(None).open(vault_of(daily(800), 6), **RECORD) == 2
        assert VaultLedger(None).open(vault_of(daily(830)), **RECORD) == 3

    def test_other_prices_and_other_spans_are_other_vaults(self) -> None:
        VaultLedger(None).open(vault_of(daily(800)), **RECORD)
        assert VaultLedger(None).open(vault_of(daily(800, price=50)), **RECORD) == 1
        assert VaultLedger(None).times_opened(daily(300)) == 0

    def test_a_series_that_is_adjusted_anew_keeps_its_count(self, home: Path) -> None:
        source = "store:yahoo SMH 1d total-return"
        before = vault_of(daily(800))
        assert VaultLedger(source).open(before, **RECORD) == 1
        after = vault_of(daily(803, price=99.5))  # a dividend was paid since
        assert VaultLedger(source).times_opened(after) == 1
        assert VaultLedger("store:yahoo SMH 1d split").times_opened(after) == 0
        assert VaultLedger("-").times_opened(after) == 0
        assert VaultLedger("-").times_opened(before) == 1
        later = daily(400, first="2022-04-01", price=99.5)
        assert VaultLedger(source).times_opened(later) == 0
        assert list(home.glob("*.json")) == [home / "vault.json"]

    def test_a_stored_series_has_no_file_to_lie_beside(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        source = "store:binance " + "\N{CJK UNIFIED IDEOGRAPH-6C49}" * 80 + " 1d"
        (tmp_path / "store:yahoo SMH 1d").touch()
        for name in (source, "store:yahoo SMH 1d", "store:yahoo ../^A\x7f 1d"):
            assert VaultLedger(name).open(vault_of(daily(800, price=len(name))), **RECORD) == 1
        assert [path.name for path in tmp_path.glob("*.json")] == []

    @pytest.mark.parametrize(
        "damage", ["", '{"version": 1, "openings": [{"id"', "[]", '{"openings": [{"id": 1}]}', "é"]
    )
    def test_a_damaged_ledger_is_set_aside_and_said(self, home: Path, damage: str) -> None:
        home.mkdir()
        (home / "vault.json").write_bytes(damage.encode("latin-1"))
        (home / "vault.json.damaged").write_text("an earlier one")
        ledger = VaultLedger(None)
        vault = vault_of(daily(800))
        assert ledger.times_opened(vault) == 0
        assert ledger.open(vault, **RECORD) == 1
        assert len(ledger.warnings) == 1
        assert "was damaged and is set aside as vault.json.damaged2" in ledger.warnings[0]
        assert (home / "vault.json.damaged2").read_bytes() == damage.encode("latin-1")
        assert (home / "vault.json.damaged").read_text() == "an earlier one"
        assert VaultLedger(None).open(vault, **RECORD) == 2

    def test_one_place_is_enough(self, file: Path, home: Path) -> None:
        home.write_text("a file where the folder should be")
        ledger = VaultLedger(str(file))
        vault = vault_of(load(file))
        assert [ledger.open(vault, **RECORD) for _ in range(2)] == [1, 2]
        assert ledger.warnings == []

    def test_no_place_at_all_is_said(self, home: Path) -> None:
        home.write_text("a file where the folder should be")
        ledger = VaultLedger("sample:nasdaq")
        assert ledger.open(vault_of(daily(800)), **RECORD) == 1
        assert len(ledger.warnings) == 1
        assert ledger.warnings[0].startswith("the opening of the vault is not recorded: ")

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes anywhere")
    def test_an_unwritable_folder_beside_is_still_read(self, file: Path) -> None:
        vault = vault_of(load(file))
        VaultLedger(str(file)).open(vault, **RECORD)
        file.parent.chmod(0o500)
        try:
            assert VaultLedger(str(file)).open(vault, **RECORD) == 2
        finally:
            file.parent.chmod(0o700)

    def test_two_processes_lose_nothing(self, file: Path) -> None:
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=_open_often, args=(str(file), 5)) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0, 0]
        assert VaultLedger(str(file)).open(vault_of(load(file)), **RECORD) == 11


def _open_often(source: str, times: int) -> None:
    vault = vault_of(load(source))
    for _ in range(times):
        VaultLedger(source).open(vault, **RECORD)
