"""How a number, a date or a metric is written on a page.

One missing value is one sign everywhere: None and NaN are an em dash, never a zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "MISSING",
    "alike",
    "brief",
    "count",
    "day",
    "duration",
    "metric",
    "metric_label",
    "moment",
    "money",
    "parameters",
    "percent",
    "plain",
    "ratio",
    "rounded",
    "share",
]

MISSING = "—"
_MINUS = "−"
_THIN = "\u202f"

_LABELS: dict[str, tuple[str, str]] = {
    "stability": ("Stability", "ratio"),
    "net_profit": ("Net profit", "money"),
    "return_pct": ("Return", "percent"),
    "cagr_pct": ("Per year", "percent"),
    "max_drawdown": ("Drawdown", "money"),
    "max_drawdown_pct": ("Drawdown %", "percent"),
    "profit_factor": ("Profit factor", "ratio"),
    "trades": ("Trades", "count"),
    "win_rate": ("Winners", "share"),
    "avg_trade": ("Average trade", "money"),
    "sharpe": ("Sharpe", "ratio"),
    "sortino": ("Sortino", "ratio"),
    "mar": ("MAR", "ratio"),
    "exposure": ("Exposure", "share"),
    "avg_bars_held": ("Bars held", "ratio"),
    "worst_trade": ("Worst trade", "money"),
    "costs": ("Costs", "cents"),
    "pnl": ("Profit", "cents"),
    "shares": ("Shares", "plain"),
    "fill": ("Entry price", "price"),
    "exit": ("Exit price", "price"),
    "reason": ("Exit reason", "plain"),
    "dir": ("Side", "side"),
    "entry_time": ("Entry", "moment"),
    "exit_time": ("Exit", "moment"),
}


def _number(value: Any, digits: int) -> str:
    if value is None:
        return MISSING
    number = float(value)
    if math.isnan(number):
        return MISSING
    if math.isinf(number):
        return "∞" if number > 0 else f"{_MINUS}∞"
    text = f"{number:,.{digits}f}"
    negative = text.startswith("-") and any(c in "123456789" for c in text)
    return (_MINUS if negative else "") + text.lstrip("-")


def count(value: Any) -> str:
    """Write a whole number with thousands separators."""
    return _number(value, 0)


def money(value: Any) -> str:
    """Write money in the account's currency: whole above 1,000, cents below."""
    small = value is not None and abs(float(value)) < 1000
    return _number(value, 2 if small else 0)


def alike(values: Iterable[Any]) -> Callable[[Any], str]:
    """Return how to write money that stands in one table: whole where any of it is large."""
    known = (abs(float(value)) for value in values if value is not None)
    return count if any(1000 <= size < math.inf for size in known) else money


def ratio(value: Any) -> str:
    """Write a pure number with two decimals."""
    return _number(value, 2)


def percent(value: Any, digits: int = 1) -> str:
    """Write a value that is already in percent."""
    text = _number(value, digits)
    return text if text == MISSING else f"{text}{_THIN}%"


def share(value: Any, digits: int = 1) -> str:
    """Write a fraction (0.25) as percent (25.0 %)."""
    return percent(None if value is None else float(value) * 100.0, digits)


def rounded(value: float, figures: int = 2) -> str:
    """Write a count that is only an estimate, to `figures` significant figures."""
    if value <= 0:
        return "0"
    return count(round(value, figures - 1 - math.floor(math.log10(value))))


def plain(value: Any) -> str:
    """Write a parameter value or any other in the shortest form that loses nothing.

    Booleans read yes or no; whole floats drop their decimal point.
    """
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | np.number):
        number = float(value)
        if not math.isfinite(number):
            return _number(number, 0)
        text = f"{number:,.10f}".rstrip("0").rstrip(".")
        return text.replace("-", _MINUS)
    return str(value)


def brief(value: Any) -> str:
    """Write a number to four significant figures: a drawn parameter has sixteen."""
    return plain(float(f"{value:.4g}") if isinstance(value, float) else value)


def day(value: Any) -> str:
    """Write the date of an ISO text or a datetime64: 2024-05-01."""
    return moment(value)[:10]


def moment(value: Any) -> str:
    """Write the date and, unless it is midnight, hour and minute."""
    if value is None:
        return MISSING
    text = str(value).replace("T", " ")[:16]
    return text.removesuffix(" 00:00")


def duration(value: Any) -> str:
    """Write seconds in the unit that reads best."""
    if value is None:
        return MISSING
    seconds = float(value)
    if seconds < 120:
        return f"{seconds:,.1f}{_THIN}s"
    if seconds < 7200:
        return f"{seconds / 60:,.1f}{_THIN}min"
    return f"{seconds / 3600:,.1f}{_THIN}h"


def parameters(values: Mapping[str, Any]) -> str:
    """Write parameter values in one line."""
    return " · ".join(f"{name} {plain(value)}" for name, value in values.items())


def metric_label(name: str) -> str:
    """Return the heading of a metric's column; an unknown name is itself with spaces."""
    return _LABELS[name][0] if name in _LABELS else name.replace("_", " ")


def metric(name: str, value: Any) -> str:
    """Write a metric in its unit; `*_pct` is in percent, `win_rate` and `exposure` fractions."""
    if name not in _LABELS:
        return percent(value) if name.endswith("_pct") else plain(_short(value))
    kind = _LABELS[name][1]
    return _WRITERS[kind](value)


def _cents(value: Any) -> str:
    return _number(value, 2)


def _price(value: Any) -> str:
    """Six significant figures, at least two decimals, so that a column lines up."""
    size = 0.0 if value is None else abs(float(value))
    whole = math.floor(math.log10(size)) + 1 if size > 0 and math.isfinite(size) else 1
    return _number(value, min(max(6 - whole, 2), 10))


def _side(value: Any) -> str:
    if isinstance(value, int | float):
        return "long" if value > 0 else "short"
    return plain(value)


def _short(value: Any, digits: int = 4) -> Any:
    if isinstance(value, float) and math.isfinite(value):
        return round(value, digits)
    return value


_WRITERS: dict[str, Callable[[Any], str]] = {
    "cents": _cents,
    "count": count,
    "money": money,
    "moment": moment,
    "percent": percent,
    "plain": plain,
    "price": _price,
    "ratio": ratio,
    "share": share,
    "side": _side,
}
