"""What was chosen, traded: pieces of full-period runs, and one run in which parameters change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.engine._plays import play_of
from meseta.engine._schedule import Scheduled, Switch, simulate_schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meseta._types import FloatArray, IntArray
    from meseta.account import Account, Contract
    from meseta.bars import Bars
    from meseta.engine import Trade
    from meseta.engine._reference import Policy
    from meseta.engine._schedule import Play
    from meseta.strategies import Strategy

__all__ = ["Path", "Piece", "Trader", "entry_bars"]


@dataclass(frozen=True, slots=True)
class Path:
    """An account over some bars, first to last.

    Parameters
    ----------
    first
        Row of the first bar.
    equity
        Account at the close before `first`, then at every close; money, shape (n + 1,).
    held
        Signed shares at the same closes, shape (n + 1,).
    trades
        What was open on any of the bars, in order of entries.
    before
        Account where the window's in-sample side begins, money; NaN where there is none.
    """

    first: int
    equity: FloatArray
    held: FloatArray
    trades: tuple[Trade, ...]
    before: float = math.nan

    @property
    def profit(self) -> float:
        """Money made from the close before the first bar to the last close."""
        return float(self.equity[-1] - self.equity[0])

    def piece(self, first: int, stop: int, since: int | None = None) -> Path:
        """Return the bars `first` to ``stop - 1`` of it; its in-sample side begins at `since`."""
        a, z = first - self.first, stop - self.first + 1
        inside = tuple(t for t in self.trades if t.entry_bar < stop and t.exit_bar >= first)
        before = math.nan if since is None else float(self.equity[since - self.first])
        return Path(first, self.equity[a:z], self.held[a:z], inside, before)


@dataclass(frozen=True, slots=True)
class Piece:
    """What one window trades.

    Parameters
    ----------
    first, stop
        Its out-of-sample bars, half-open.
    values
        The parameter set; None stays out of the market.
    since
        First bar of its in-sample side; None where it has none.
    """

    first: int
    stop: int
    values: Mapping[str, Any] | None
    since: int | None = None


@dataclass(frozen=True)
class Trader:
    """Trades parameter sets of one strategy on one series.

    Parameters
    ----------
    bars, strategy
        What is traded, on the whole series.
    start, stop
        Bars of the full-period runs.
    account, contract, warmup
        Capital and costs, what is traded, bars without decisions.
    reference
        Use the reference engine; both give the same trades.
    """

    bars: Bars
    strategy: Strategy
    start: int
    stop: int
    account: Account
    contract: Contract
    warmup: int = 100
    reference: bool = False

    def whole(self, values: Mapping[str, Any]) -> Path:
        """Trade one parameter set over the whole period."""
        return self._path([Switch(self.start, self._play(values))], "carry")

    def pieces(self, pieces: Sequence[Piece]) -> list[Path]:
        """Return each window's piece of the full-period run of its parameter set.

        A parameter set that several windows chose is traded once, and only the pieces are kept.
        """
        found: dict[int, Path] = {}
        asked: dict[tuple[Any, ...] | None, list[int]] = {}
        for k, piece in enumerate(pieces):
            key = None if piece.values is None else tuple(sorted(piece.values.items()))
            asked.setdefault(key, []).append(k)
        for places in asked.values():
            values = pieces[places[0]].values
            whole = self._idle() if values is None else self.whole(values)
            for k in places:
                found[k] = whole.piece(pieces[k].first, pieces[k].stop, pieces[k].since)
        return [found[k] for k in range(len(pieces))]

    def schedule(self, pieces: Sequence[Piece], policy: Policy) -> Path:
        """Trade the windows one after the other as one account; see `simulate_schedule`.

        The account begins without a position at the close before the first window.
        """
        switches = [
            Switch(p.first - 1, None if p.values is None else self._play(p.values)) for p in pieces
        ]
        return self._path(switches, policy, pieces[-1].stop).piece(
            pieces[0].first, pieces[-1].stop
        )

    def _path(self, switches: list[Switch], policy: Policy, stop: int | None = None) -> Path:
        made: Scheduled = simulate_schedule(
            self.bars,
            switches,
            stop or self.stop,
            self.account,
            self.contract,
            policy=policy,
            reference=self.reference,
        )
        equity = np.concatenate(([self.account.capital], made.made.equity))
        held = np.concatenate(([0.0], made.held))
        return Path(switches[0].at, equity, held, made.made.trades)

    def _idle(self) -> Path:
        many = self.stop - self.start + 1
        return Path(self.start, np.full(many, self.account.capital), np.zeros(many), ())

    def _play(self, values: Mapping[str, Any]) -> Play:
        return play_of(self.strategy, self.bars, values, self.warmup)


def entry_bars(path: Path) -> IntArray:
    """Return the entry bar of what is held at each close, -1 for none, shape (n + 1,)."""
    found = np.full(path.equity.size, -1, np.int64)
    for trade in path.trades:
        a, z = (max(t - path.first + 1, 0) for t in (trade.entry_bar, trade.exit_bar))
        found[a:z] = trade.entry_bar
    return found
