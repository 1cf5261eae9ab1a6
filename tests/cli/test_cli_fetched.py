"""`--symbol` in every command: what is asked for, shown and refused.

Fetching is a stand-in here, see `fetched_market`; the whole way is tested in tests/data.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from fetched_market import UNREACHED, Market, open_market

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Call

SMH = ("--symbol", "SMH", "--source", "yahoo")
RUN = ("run", *SMH, "--capital", 100_000, "--min-cell", 2, "--no-report")
WALK = (
    "walkforward", "--grid", "small.yaml", "--capital", 1_000_000, "--in", 1000, "--out", 500,
    "--no-report",
)  # fmt: skip
XBAR = ("backtest", "xbar", "--set", "xbar=20", "--capital", 100_000)


@pytest.fixture
def market(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Market:
    (tmp_path / "small.yaml").write_text("xbar: [3, 8]\n", encoding="utf-8")
    return open_market(monkeypatch)


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def test_a_run_fetches_and_says_what_it_got(
    meseta: Call, market: Market, tiny: Path, tmp_path: Path
) -> None:
    made = meseta(*RUN, "--grid", tiny, "--start", "1999-01-04", "--store", tmp_path / "kept")
    assert made.code == 0, made
    (request,) = market.requests
    assert (request.source, request.start, request.end) == ("yahoo", "1999-01-04", None)
    assert (request.store, request.fetch) == (tmp_path / "kept", True)
    assert "Data      SMH, 5,000 bars of 1d" in made.out
    assert "Source    yahoo SMH 1d split" in made.out
    told = made.err.splitlines()
    assert told[0] == "SMH: Fetching: waiting 1 s for Yahoo"
    assert "Fetching" not in made.out
    assert manifest(tmp_path / "runs" / "atr_d_l-SMH-tiny")["status"] == "finished"


def test_a_source_that_cannot_be_reached_is_said_before_and_after(
    meseta: Call, market: Market, tiny: Path, tmp_path: Path
) -> None:
    market.reachable = False
    made = meseta(*RUN, "--grid", tiny, "--name", "far")
    assert made.code == 0, made
    assert made.out.count(f"Note: {UNREACHED}") == 2
    assert made.out.rindex(UNREACHED) > made.out.index("Gates: combinations left")
    codes = [each["code"] for each in manifest(tmp_path / "runs" / "far")["data"]["warnings"]]
    assert codes[0] == "source_unreachable"


def test_the_network_is_left_alone(meseta: Call, market: Market) -> None:
    made = meseta(*XBAR, *SMH, "--no-fetch", "--end", "2018-12-31", "--basis", "total-return")
    assert made.code == 0, made
    (request,) = market.requests
    assert (request.fetch, request.end, request.basis) == (False, "2018-12-31", "total-return")
    assert made.err == ""


def test_a_walk_forward_and_its_own_name(meseta: Call, market: Market, tmp_path: Path) -> None:
    made = meseta(*WALK, "--symbol", "^GSPC", "--source", "yahoo", "--session", "Pre")
    assert made.code == 0, made
    assert market.requests[0].session == "Pre"
    assert "Source         yahoo ^GSPC 1d split" in made.out
    assert manifest(tmp_path / "runs" / "walkforward-xbar-_GSPC-1000-500")["kind"] == "walkforward"


def test_a_project_of_symbols(meseta: Call, market: Market, tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "symbols: {S: {symbol: SMH}, P: {symbol: ^GSPC}, F: sample:nasdaq}\n"
        "strategies: {xbar: {grid: small.yaml}}\n"
        "options: {source: yahoo, in_sample: 1000, out_of_sample: 500, capital: 1000000}\n",
        encoding="utf-8",
    )
    made = meseta("walkforward", "two.yaml", "--no-report", "--no-fetch")
    assert made.code == 0, made
    assert [(each.symbol, each.fetch) for each in market.requests] == [
        ("SMH", False), ("^GSPC", False),
    ]  # fmt: skip
    made = meseta("walkforward", "two.yaml", "--symbol", "SMH")
    assert made.code == 2
    assert "`symbol` must not be given beside a project file" in made.err


def test_back_test_output_stays_clean(meseta: Call, market: Market, tmp_path: Path) -> None:
    market.reachable = False
    made = meseta(*XBAR, *SMH, "--json", "-", "--html", "page.html")
    assert made.code == 0, made
    assert json.loads(made.out)["report"]
    assert made.err == f"Note: {UNREACHED}\n"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.search(rf"Stored bars stand in for the source’s\.</b> {UNREACHED}", page)
    assert "store:yahoo SMH 1d split" in page


def test_a_back_test_on_two_symbols(meseta: Call, market: Market) -> None:
    made = meseta(
        "backtest", "atr_d_duals_l", "--symbol", "LETF", "--symbol2", "SMH", "--calendar", "XNYS",
        "--set", "atr_period=16",
    )  # fmt: skip
    assert [(each.symbol, each.calendar) for each in market.requests] == [
        ("LETF", "XNYS"), ("SMH", "XNYS"),
    ]  # fmt: skip
    assert made.code == 2
    assert "atr_multiplier" in made.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "--symbol", "SMH", "--bars", "a.csv"), 2, "`bars` and `symbol` must not both"),
        (("run", "--source", "yahoo"), 2, "give --bars a data file"),
        (("run", "--bars", "a.csv", "--no-fetch"), 2, "`fetch` is for a symbol, and no --symbol"),
        (("run", "--symbol", "SMH", "--timezone", "UTC"), 2, "`timezone` is for data files"),
        ((*RUN, "--interval", "5x"), 2, "`interval` must be minutes or hours"),
        ((*XBAR, "--symbol", "SMH", "--basis", "raw"), 2, "`basis` must be 'unadjusted'"),
        ((*XBAR, "--symbol", "SMH", "--symbol2", "^GSPC"), 2, "`symbol2` is not used"),
        ((*XBAR, "--symbol", "SMH", "--date-order", "mdy"), 2, "`date_order` is for data files"),
        ((*XBAR, "--symbol", "GONE"), 1, "Yahoo has no 'GONE'"),
        (("walkforward", "--symbol2", "SMH"), 2, "or --symbol a market and --source who has it"),
    ],
)
def test_what_is_refused(
    meseta: Call, market: Market, tmp_path: Path, arguments: tuple[Any], code: int, words: str
) -> None:
    made = meseta(*arguments)
    assert (made.code, made.out) == (code, ""), made
    assert words in made.err
    assert "Traceback" not in made.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["run", "walkforward", "backtest"])
def test_the_help_has_the_options_and_an_example(meseta: Call, name: str) -> None:
    text = meseta(name, "--help").out
    for option in ("--symbol2", "--source", "--interval", "--basis", "--no-fetch", "--calendar"):
        assert option in text
    assert "--source yahoo" in text or "--source binance" in text
