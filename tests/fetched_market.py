"""A market in the place of `meseta.data._obtain.obtain`, which is all that runs know of fetching.

The whole way, from a vendor's server through the store to bars, is tested in tests/data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meseta.bars import Finding, load
from meseta.data import Step
from meseta.errors import SourceError

if TYPE_CHECKING:
    import pytest

    from meseta.bars import Bars
    from meseta.data._obtain import Request

# Odd symbols too; the samples are what they are all made of.
SAMPLES = {"SMH": "sample:nasdaq", "^GSPC": "sample:sp500", "LETF": "sample:nasdaq-3x"}
UNREACHED = "Yahoo cannot be reached; the bars that are stored end on 2018-12-31"


class Market:
    """What a source has: some of the bars of a sample, more of them every day.

    Attributes
    ----------
    requests
        What it was asked for.
    bars
        How many bars of each symbol there are.
    reachable
        Whether the source answers.
    """

    def __init__(self, bars: int) -> None:
        self.requests: list[Request] = []
        self.bars, self.reachable = bars, True

    def obtain(self, request: Request, *, tell, allow_nonpositive: bool = False) -> Bars:
        self.requests.append(request)
        if request.symbol not in SAMPLES:
            raise SourceError(f"Yahoo has no {request.symbol!r}", temporary=False)
        notes = () if self.asks(request, tell) else (_note(),)
        whole = replace(load(SAMPLES[request.symbol]), warnings=()).slice(0, self.bars)
        basis = request.basis or "split"
        source = f"store:{request.source} {request.symbol} {request.interval} {basis}"
        return replace(whole, name=request.symbol, source=source, warnings=notes)

    def asks(self, request: Request, tell) -> bool:
        if not self.reachable or not request.fetch or request.source == "store":
            return self.reachable
        tell(Step("waiting 1 s for Yahoo"))
        tell(Step("1999-01-04 to 2018-12-31", 1, 2))
        return True

    @property
    def symbols(self) -> list[str]:
        return [request.symbol for request in self.requests]


def _note() -> Finding:
    return Finding("source_unreachable", 0, "", "", UNREACHED)


def open_market(monkeypatch: pytest.MonkeyPatch, bars: int = 5000) -> Market:
    """Put a market in the place of fetching."""
    made = Market(bars)
    monkeypatch.setattr("meseta.data._obtain.obtain", made.obtain)
    return made
