"""How numbers, dates and metrics are written."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.report import _format as write

THIN = "\u202f"


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (write.count, 58_060_800, "58,060,800"),
        (write.count, None, "—"),
        (write.count, math.nan, "—"),
        (write.money, -1234.4, "−1,234"),
        (write.money, 999.994, "999.99"),
        (write.money, -0.001, "0.00"),
        (write.ratio, math.inf, "∞"),
        (write.ratio, -math.inf, "−∞"),
        (write.percent, 12.34, f"12.3{THIN}%"),
        (write.percent, None, "—"),
        (write.share, 0.0123, f"1.2{THIN}%"),
        (write.share, None, "—"),
        (write.rounded, 348_364.8, "350,000"),
        (write.rounded, 1_161_216.0, "1,200,000"),
        (write.rounded, 0.0, "0"),
        (write.plain, 4.0, "4"),
        (write.plain, 0.04, "0.04"),
        (write.plain, -0.5, "−0.5"),
        (write.plain, True, "yes"),
        (write.plain, None, "—"),
        (write.plain, "close", "close"),
        (write.plain, math.nan, "—"),
        (write.plain, np.int64(3), "3"),
        (write.day, "2024-05-01T00:00:00", "2024-05-01"),
        (write.moment, "2024-05-01T00:00:00", "2024-05-01"),
        (write.moment, "2024-05-01T09:30:00", "2024-05-01 09:30"),
        (write.moment, np.datetime64("2024-05-01T09:30", "us"), "2024-05-01 09:30"),
        (write.moment, None, "—"),
        (write.duration, 48.21, f"48.2{THIN}s"),
        (write.duration, 600, f"10.0{THIN}min"),
        (write.duration, 9000, f"2.5{THIN}h"),
        (write.duration, None, "—"),
    ],
)
def test_writers(function: Any, value: Any, text: str) -> None:
    assert function(value) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("win_rate", 0.44, f"44.0{THIN}%"),
        ("max_drawdown_pct", 22.5, f"22.5{THIN}%"),
        ("unknown_pct", 22.5, f"22.5{THIN}%"),
        ("unknown", 1.23456, "1.2346"),
        ("dir", 1, "long"),
        ("dir", -1, "short"),
        ("dir", "long", "long"),
        ("fill", 14.586348, "14.5863"),
        ("fill", 12345.678, "12,345.68"),
        ("fill", 0.0000123456, "0.0000123456"),
        ("fill", None, "—"),
        ("pnl", -1012.5, "−1,012.50"),
        ("trades", 12, "12"),
    ],
)
def test_metrics_have_their_own_unit(name: str, value: Any, text: str) -> None:
    assert write.metric(name, value) == text


@given(st.floats(-1e9, 1e9))
def test_plain_loses_nothing_a_parameter_has(value: float) -> None:
    written = write.plain(value).replace("−", "-").replace(",", "")
    assert float(written) == pytest.approx(value, abs=1e-10)
