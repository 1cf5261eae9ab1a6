"""From Yahoo to bars, by the product's own commands."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from data.yahoo_site import Series, YahooSite, daily, single
from meseta.data import Request, Store, obtain

pytest.importorskip("yfinance", reason="yfinance, of the extra `yahoo`, is not installed")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from data.conftest import Call, Clock

OF = ("--source", "yahoo")
TEST = ("backtest", "xbar", "--set", "xbar=5", "--symbol")
# Friday at two in New York.
NOW = "2024-06-07T18:00:00+00:00"
DAYS = [date(2022, 6, 6) + timedelta(days=at) for at in range(733)]
WEEKDAYS = [day.isoformat() for day in DAYS if day.weekday() < 5]


@pytest.fixture
def site(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[YahooSite]:
    from yfinance.data import SingletonMeta

    from meseta.data._sessions import sessions_of

    clock.set(NOW)
    # What yfinance remembers of another server.
    monkeypatch.setattr(SingletonMeta, "_instances", {})
    sessions = set(sessions_of("XNYS").dates.astype("datetime64[D]").astype(str))
    with YahooSite(NOW) as made:
        monkeypatch.setenv("MESETA_YAHOO_URL", made.url)
        fund = made.series["SMH"] = Series()
        fund.rows["1d"] = daily(fund, [day for day in WEEKDAYS if day in sessions])
        paid = fund.rows["1d"][100].stamp
        fund.dividends[paid] = 2.0
        fund.rows["1d"] = [
            replace(row, adjusted=single((row.close or 0) * (0.9 if row.stamp < paid else 1)))
            for row in fund.rows["1d"]
        ]
        pair = made.series["EURUSD=X"] = Series("Europe/London", ("00:00", "23:59"), "CURRENCY")
        pair.rows["1d"] = daily(pair, WEEKDAYS)
        yield made


def test_a_currency_by_the_name_that_yahoo_gives_it(
    meseta: Call, site: YahooSite, home: Path
) -> None:
    made = meseta("data", "fetch", "EURUSD=X", *OF)
    assert made.code == 0, made
    assert re.search(r"EURUSD=X +1d split +fetched +\d+ +\d+ +2022-06-06 +2024-06-06", made.out)
    [folder] = (home / "data" / "yahoo").glob("EURUSD*/")
    assert re.fullmatch(r"EURUSD-X\+[0-9a-f]{16}", folder.name)
    asked = len(site.charts)
    for name in ("EURUSD=X", "yahoo/EURUSD=X"):
        assert meseta("data", "verify", name).out == "yahoo EURUSD=X 1d split: sound\n"
        assert "Missing          nothing" in meseta("data", "show", name).out
    for more in ((*OF, "--no-fetch"), OF, ()):
        made = meseta(*TEST, "EURUSD=X", *more)
        assert (made.code, made.err) == (0, ""), made
    assert len(site.charts) == asked


def test_bases_are_series_of_their_own(meseta: Call, site: YahooSite, home: Path) -> None:
    for basis in ("split", "total-return"):
        assert meseta("data", "fetch", "SMH", *OF, "--basis", basis).code == 0
    split, total = (
        obtain(Request(symbol="SMH", basis=basis, end="2024-06-06"))
        for basis in ("split", "total-return")
    )
    assert (split.time == total.time).all()
    factor = total.close / split.close
    assert factor[:100] == pytest.approx(0.9, rel=1e-3)
    assert factor[100:] == pytest.approx(1.0)
    made = meseta(*TEST, "SMH")
    assert made.code == 2
    assert "yahoo SMH 1d split, yahoo SMH 1d total-return; choose with" in made.err
    made = meseta(*TEST, "SMH", *OF, "--basis", "unadjusted")
    assert made.code == 2
    assert "`basis` must be split or total-return for Yahoo's bars of 1d" in made.err
    folders = sorted(path.name for path in (home / "data" / "yahoo" / "SMH").glob("1d*"))
    assert folders == ["1d-split", "1d-total-return"]


def test_a_dividend_changes_the_whole_of_a_total_return(
    meseta: Call, site: YahooSite, clock: Clock, home: Path
) -> None:
    for basis in ("split", "total-return"):
        meseta("data", "fetch", "SMH", *OF, "--basis", basis, "--end", "2024-06-03")
    fund = site.series["SMH"]
    fund.dividends[fund.rows["1d"][-2].stamp] = 5.0
    last = fund.rows["1d"][-2].stamp
    fund.rows["1d"] = [
        replace(row, adjusted=single((row.adjusted or 0) * (0.95 if row.stamp < last else 1)))
        for row in fund.rows["1d"]
    ]
    made = meseta("data", "fetch", "SMH", *OF)
    assert "extended" in made.out
    made = meseta("data", "fetch", "SMH", *OF, "--basis", "total-return")
    assert "fetched again" in made.out
    assert "yahoo SMH 1d total-return is not what was stored (2024-05-" in made.out
    store = Store(home / "data")
    for key in store.keys():  # noqa: SIM118 - no mapping
        assert store.verify(key) == ()


def test_yahoo_is_gone(
    meseta: Call, site: YahooSite, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert meseta("data", "fetch", "SMH", *OF).code == 0
    clock.set("2024-06-10T22:00:00+00:00")
    monkeypatch.setenv("MESETA_YAHOO_URL", "http://127.0.0.1:1")
    made = meseta(*TEST, "SMH", *OF)
    assert made.code == 0, made
    assert "Note: Yahoo" in made.err
    assert "the bars stored on 2024-06-07 are used, 2022-06-06 to 2024-06-06" in made.err
    made = meseta(*TEST, "QQQ", *OF)
    assert (made.code, made.out) == (1, "")
