"""What the exchange says of itself: its limit and its symbols."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from meseta.data.sources.binance._budget import Budget
from meseta.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta.data.sources.binance._rest import Rest

__all__ = ["Venue"]

_WEIGHT = 1
_FILTERS = {
    "tick": ("PRICE_FILTER", "tickSize"),
    "quantity_step": ("LOT_SIZE", "stepSize"),
    "least_value": ("MIN_NOTIONAL", "notional"),
}


@dataclass(slots=True)
class Venue:
    """What a process knows of the exchange at one address.

    Parameters
    ----------
    budget
        Used in all requests to it.
    symbols
        What the exchange says of each symbol; None before it was asked.
    """

    budget: Budget = field(default_factory=Budget)
    symbols: dict[str, dict[str, Any]] | None = None

    def about(self, rest: Rest, symbol: str) -> dict[str, Any]:
        """Return what is known of a symbol, asking the exchange the first time.

        Nothing is known of a symbol that was delisted.

        Raises
        ------
        SourceError
            Binance does not answer.
        DataError
            The reply is malformed.
        """
        if self.symbols is None:
            info = rest.get("/fapi/v1/exchangeInfo", {}, _WEIGHT).value
            try:
                self.budget.limit = _limit(info["rateLimits"], self.budget.limit)
                self.symbols = {str(entry["symbol"]): _facts(entry) for entry in info["symbols"]}
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise DataError(f"Binance's exchangeInfo is malformed: {error!r}") from error
        return self.symbols.get(symbol, {})


def _limit(limits: list[Mapping[str, Any]], usual: int) -> int:
    """Return the weight that is allowed in one minute."""
    one_minute = ("REQUEST_WEIGHT", "MINUTE", 1)
    for limit in limits:
        if (limit["rateLimitType"], limit["interval"], int(limit["intervalNum"])) == one_minute:
            return int(limit["limit"])
    return usual


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    filters = {found["filterType"]: found for found in entry.get("filters", [])}
    facts: dict[str, Any] = {
        name: float(filters[kind][value])
        for name, (kind, value) in _FILTERS.items()
        if kind in filters
    }
    if "onboardDate" in entry:
        listed = datetime.fromtimestamp(int(entry["onboardDate"]) / 1000, UTC)
        facts["listed"] = f"{listed:%Y-%m-%d}"
    return {**facts, "status": str(entry.get("status", ""))}
