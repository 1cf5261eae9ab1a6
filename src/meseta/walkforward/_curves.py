"""Out-of-sample curves at every close: what was traded, promised, and to be had anyway."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import FloatArray
    from meseta.account import Account, Contract
    from meseta.bars import Bars
    from meseta.walkforward._exact import Path

__all__ = ["curves", "drawdown_of", "held_market", "stitched"]


def stitched(pieces: Sequence[Path]) -> FloatArray:
    """Return the money made from the first piece on, pieces added up; shape (bars + 1,)."""
    changes = [np.diff(piece.equity) for piece in pieces]
    return np.concatenate(([0.0], np.cumsum(np.concatenate(changes))))


def held_market(
    bars: Bars, first: int, stop: int, account: Account, contract: Contract
) -> FloatArray:
    """Return the money that buying at the close before `first` and holding makes.

    The whole account in whole lots, or the contract's quantity; without costs. Nothing where the
    price is not positive and the account is to be put in.
    """
    close = bars.close[first - 1 : stop]
    if contract.quantity is not None:
        shares = contract.quantity
    elif close[0] > 0:
        shares = math.floor(account.capital / close[0] / account.lot) * account.lot
    else:
        shares = 0.0
    made: FloatArray = (close - close[0]) * shares * contract.point_value
    return made


def drawdown_of(made: FloatArray) -> float:
    """Return the largest fall of a curve from its running peak; money."""
    return float((np.maximum.accumulate(made) - made).max())


def curves(
    bars: Bars,
    pieces: Sequence[Path],
    exact: Path | None,
    promised: Sequence[float],
    median: Path,
    hold: FloatArray,
) -> pl.DataFrame:
    """Return all curves at the closes from the one before the first out-of-sample bar on.

    Parameters
    ----------
    bars
        The series.
    pieces, exact
        Emulated pieces, and the exact run; None for none.
    promised
        What the in-sample window of each piece made for a bar; 0 for a flat one.
    median
        The median combination, held over the same bars as one account.
    hold
        From `held_market`.

    Returns
    -------
    DataFrame
        `time`, `emulated`, `exact`, `promise`, `median`, `hold` (money, the first row is 0),
        `emulated_position`, `exact_position` (signed shares).
    """
    first, stop = pieces[0].first, pieces[-1].first + pieces[-1].equity.size - 1
    steps = [np.full(p.equity.size - 1, rate) for p, rate in zip(pieces, promised, strict=True)]
    held = [pieces[0].held[:1], *(piece.held[1:] for piece in pieces)]
    none = pl.lit(None, pl.Float64)
    columns = {
        "time": bars.time[first - 1 : stop],
        "emulated": stitched(pieces),
        "promise": np.concatenate(([0.0], np.cumsum(np.concatenate(steps)))),
        "median": median.equity - median.equity[0],
        "hold": hold,
        "emulated_position": np.concatenate(held),
    }
    frame = pl.DataFrame(columns).with_columns(
        exact=none if exact is None else pl.Series(exact.equity - exact.equity[0]),
        exact_position=none if exact is None else pl.Series(exact.held),
    )
    order = ("time", "emulated", "exact", "promise", "median", "hold", "emulated_position")
    return frame.select(*order, "exact_position")
