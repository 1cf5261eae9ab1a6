"""The page of a single back-test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from page_reader import Page

from meseta.errors import ArgumentError
from meseta.report import Span, write_backtest_page

if TYPE_CHECKING:
    from pathlib import Path

TIME = np.arange("2022-01-01", "2023-01-01", dtype="datetime64[D]").astype("datetime64[us]")
CLOSE = 50 + np.arange(len(TIME)) * 0.1
EQUITY = np.where(np.arange(len(TIME)) < 100, np.nan, 10_000 + np.arange(len(TIME)) * 3.0)


def some_trades(number: int) -> pl.DataFrame:
    at = np.arange(number) % (len(TIME) - 1)
    return pl.DataFrame(
        {
            "entry_time": TIME[at],
            "exit_time": TIME[at + 1],
            "dir": np.where(at % 2 == 0, 1, -1),
            "fill": CLOSE[at],
            "exit": CLOSE[at + 1],
            "shares": np.full(number, 100.0),
            "reason": np.full(number, "trail"),
            "pnl": np.where(at % 2 == 0, 10.0, -10.5),
        }
    )


def page(path: Path, **changes: Any) -> Page:
    given: dict[str, Any] = {
        "title": "atr_d_l on synthetic",
        "time": TIME,
        "close": CLOSE,
        "equity": EQUITY,
        "trades": some_trades(3),
        "report": {"net_profit": 1234.5, "win_rate": 0.4},
        "assumptions": {"slippage": 0.01, "fills": "at the stop"},
    }
    written = write_backtest_page(path / "page.html", **(given | changes))
    return Page(written.read_text(encoding="utf-8"))


def test_trades_are_listed_as_given(tmp_path: Path) -> None:
    rows = page(tmp_path).table("Exit reason")
    assert rows[0][:5] == ["No.", "Entry", "Exit", "Side", "Entry price"]
    assert rows[1][:4] == ["1", "2022-01-01", "2022-01-02", "long"]
    assert rows[1][4:] == ["50.0000", "50.1000", "100", "trail", "10.00"]
    assert rows[2][3] == "short"
    assert rows[2][-1] == "−10.50"
    assert len(rows) == 4


def test_results_and_assumptions(tmp_path: Path) -> None:
    shown = page(tmp_path)
    assert shown.table("Net profit") == [["Net profit", "1,234"], ["Winners", "40.0\u202f%"]]
    assert "at the stop" in shown.html


def test_parts_of_the_history_stand_side_by_side(tmp_path: Path) -> None:
    report = {"trades": 9, "in-sample": {"trades": 5}, "validation": {"trades": 4, "mar": 1.5}}
    rows = page(tmp_path, report=report).table("validation")
    assert rows == [
        ["", "whole", "in-sample", "validation"],
        ["Trades", "9", "5", "4"],
        ["MAR", "—", "—", "1.50"],
    ]


def test_windows_are_shaded(tmp_path: Path) -> None:
    spans = [
        Span("in-sample", TIME[100], TIME[200], "window"),
        Span("validation", TIME[201], TIME[-1], "window"),
    ]
    figure = page(tmp_path, spans=spans).charts["figures"]["backtest"]
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == ["2022-07-21"]
    assert sum(trace["type"] == "bar" for trace in figure["data"]) == 2


def test_no_trades(tmp_path: Path) -> None:
    shown = page(tmp_path, trades=some_trades(0), equity=np.full(len(TIME), 10_000.0))
    assert "No trade was made" in shown.html
    assert "0 trades" in shown.html


def test_thousands_of_trades_are_cut_and_counted(tmp_path: Path) -> None:
    shown = page(tmp_path, trades=some_trades(2500))
    rows = shown.table("Exit reason")[1:]
    assert len(rows) == 2000
    assert [rows[999][0], rows[1000][0]] == ["1000", "1501"]
    assert "The first and the last 1,000 of 2,500 trades" in shown.html


def test_shorts_have_their_own_mark_and_rows(tmp_path: Path) -> None:
    shown = page(tmp_path, trades=some_trades(5))
    traces = shown.charts["figures"]["backtest"]["data"]
    marks = {t["marker"]["symbol"]: t["x"] for t in traces if t.get("mode") == "markers"}
    assert marks["triangle-up"] == ["2022-01-01", "2022-01-03", "2022-01-05"]
    assert marks["triangle-down"] == ["2022-01-02", "2022-01-04"]
    rows = shown.table("Side and exit")
    assert rows[1] == ["Long", "3", "100.0\u202f%", "30.00", "10.00"]
    assert rows[2] == ["Short", "2", "0.0\u202f%", "−21.00", "−10.50"]
    assert rows[3] == ["trailtrailing stop reached", "5", "60.0\u202f%", "9.00", "1.80"]
    assert "neither borrow cost nor the dividends" in shown.html


def test_contracts_have_their_own_assumptions(tmp_path: Path) -> None:
    shown = page(tmp_path, trades=some_trades(5), contracts=True).html
    assert "neither margin nor a margin call is counted" in shown
    assert "neither borrow cost" not in shown
    assert "neither margin" not in page(tmp_path, trades=some_trades(5)).html


def test_an_account_below_zero_is_said(tmp_path: Path) -> None:
    assert "at zero or below" not in page(tmp_path).html
    for below, said in ((1, "1 close."), (1200 - 1000, "200 closes.")):
        equity = EQUITY.copy()
        equity[150 : 150 + below] = -np.arange(below)
        shown = page(tmp_path, equity=equity)
        assert f"The account stood at zero or below at {said}" in shown.html
        curve = shown.charts["figures"]["backtest"]["layout"]
        assert curve["yaxis2"].get("type") != "log"


def test_long_only_has_no_word_of_shorts(tmp_path: Path) -> None:
    shown = page(tmp_path, trades=some_trades(5).with_columns(dir=pl.lit(1)))
    assert [row[0] for row in shown.table("Average trade")] == [
        "Exit",
        "trailtrailing stop reached",
    ]
    assert "sell short" not in shown.html[: shown.html.index("chart-data")]
    symbols = [t["marker"]["symbol"] for t in shown.charts["figures"]["backtest"]["data"][1:3]]
    assert symbols == ["triangle-up", "circle"]


def test_made_up_data_are_said(tmp_path: Path) -> None:
    assert "The data are made up" not in page(tmp_path).html
    titled = page(tmp_path, title="atr_d_l on nasdaq-3x (made up)").html
    assert titled.index("The data are made up") < titled.index('class="lead"')
    noted = page(tmp_path, assumptions={"data": "made up from the index"}).html
    assert "made up from the index" in noted[noted.index("The data are made up") :]


def test_title_is_text(tmp_path: Path) -> None:
    shown = page(tmp_path, title="<script>alert(1)</script>")
    assert [tag for tag, _ in shown.tags].count("script") == 3


def test_missing_assumptions_are_said(tmp_path: Path) -> None:
    assert "No assumptions were stated" in page(tmp_path, assumptions={}).html


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"close": CLOSE[:-1]}, r"one length above 0, got \{'time': 365, 'close': 364"),
        ({"trades": pl.DataFrame({"fill": [1.0]})}, r"`trades` lacks \['entry_time'"),
    ],
)
def test_wrong_arguments(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        page(tmp_path, **changes)
    assert not (tmp_path / "page.html").exists()
