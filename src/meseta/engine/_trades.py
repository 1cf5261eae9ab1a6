"""Trades and windows: what every engine is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta._types import FloatArray

__all__ = ["REASONS", "Report", "Simulation", "Trade", "Window"]

REASONS = (
    "trail", "breach", "end", "cross", "reverse", "stop", "limit", "exit", "boundary",
)  # fmt: skip


class Window(NamedTuple):
    """Bars `start` to `stop - 1` are traded; from `split` on they are out-of-sample.

    Row numbers of the series. The first decision is taken at the close of `start`, the last at
    the close of `stop - 2`.
    """

    start: int
    split: int
    stop: int

    def require_inside(self, bars: int) -> Window:
        """Return the window, or raise when it does not fit `bars` bars."""
        if not 0 <= self.start < self.split < self.stop <= bars:
            raise ArgumentError(
                f"`window` must satisfy 0 <= A < O < Z <= {bars} (rows of the data), "
                f"got {self.start}:{self.split}:{self.stop}"
            )
        return self


class Trade(NamedTuple):
    """One position from its fill to its exit.

    `fill` and `exit` are prices after slippage, `dir` is 1 for long and -1 for short, `pnl` is
    money after `costs`. `reason` is one of `REASONS`: the trailing stop, the open after a close
    through the final stop, the window's end, a signal to leave, a filled entry order of the
    other direction, the resting stop order, a limit order, an order to leave at the market, or
    the change to another parameter set.
    """

    entry_bar: int
    exit_bar: int
    dir: int
    fill: float
    exit: float
    shares: float
    reason: str
    pnl: float
    costs: float


@dataclass(frozen=True, slots=True)
class Simulation:
    """One run of one parameter set over one window.

    Parameters
    ----------
    window
        The bars that were traded.
    trades
        In order of their entries.
    equity
        Account at every bar's close of the window, open positions marked at the close; money,
        shape (stop - start,).
    report
        Profit, trades and drawdown of both sides.
    """

    window: Window
    trades: tuple[Trade, ...]
    equity: FloatArray
    report: Report


class Report(NamedTuple):
    """Both sides of a window (`spec/atr-d.md` section 7): money, and numbers of trades.

    A trade belongs to the side of its entry. A position open across the split is marked at the
    last in-sample close: in-sample gets what the price change up to there earned and a trade,
    out-of-sample the rest, the costs and a trade. Drawdown is the largest fall from the running
    peak of the equity marked at closes; the peak starts at the side's first equity.
    """

    is_pnl: float
    oos_pnl: float
    is_trades: int
    oos_trades: int
    is_maxdd: float
    oos_maxdd: float
