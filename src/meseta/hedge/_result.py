"""What a back-test of a hedge grid leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from meseta._types import FloatArray, TimeArray

__all__ = ["DOWN", "END", "LOT", "REASONS", "SIDEWAYS", "UP", "HedgeResult"]

REASONS = ("take-profit", "stop-loss", "liquidation", "drawdown", "end")
END = REASONS.index("end")
DOWN, SIDEWAYS, UP = -1, 0, 1
# A lot in the order of these fields is also a row of the compiled simulator's table.
LOT = np.dtype(
    [
        ("id", np.int64),
        ("side", np.int8),
        ("level", np.int32),
        ("quantity", np.float64),
        ("step", np.float64),
        ("entry_bar", np.int64),
        ("entry_price", np.float64),
        ("exit_bar", np.int64),
        ("exit_price", np.float64),
        ("take_profit", np.float64),
        ("stop_loss", np.float64),
        ("reason", np.int8),
        ("entry_fee", np.float64),
        ("exit_fee", np.float64),
        ("funding", np.float64),
        ("profit", np.float64),
    ]
)


@dataclass(frozen=True, eq=False, kw_only=True)
class HedgeResult:
    """Lots and curves of one back-test.

    At every close ``equity = capital + realised + unrealised - fees - funding``, in this order.

    Parameters
    ----------
    span
        First traded row, and the row after the last.
    lots
        Structured array, a row for each lot in the order of their first fills: ``side`` 1 long
        and -1 short, ``level`` from 1, ``step`` of its ladder in price units, rows
        ``entry_bar`` (of the first fill) and ``exit_bar``, ``reason`` an index of `REASONS`,
        ``profit`` before fees and funding, ``funding`` paid, negative where received. Lots with
        the reason ``"end"`` were open at the last close and are marked there.
    equity, unrealised
        float64, one value for each bar of the span, at its close. The last equity is the final
        one, open lots closed at the last close less the taker fee, so that the last
        `unrealised` is 0.
    realised, fees, funding
        float64, likewise, running totals.
    long_exposure, short_exposure
        float64, likewise: value of the open lots of a side at the close, both positive; at the
        last bar those that were marked.
    state
        int8, likewise: regime 1 up, -1 down, 0 sideways.
    liquidated
        Whether the account was liquidated.
    stopped_bar
        Row at which trading ended early, by liquidation or drawdown; None if it did not.
    """

    span: tuple[int, int]
    lots: npt.NDArray[Any]
    equity: FloatArray
    realised: FloatArray
    unrealised: FloatArray
    fees: FloatArray
    funding: FloatArray
    long_exposure: FloatArray
    short_exposure: FloatArray
    state: npt.NDArray[np.int8]
    liquidated: bool
    stopped_bar: int | None

    def lots_frame(self, time: TimeArray) -> pl.DataFrame:
        """Return the lots as a table for people.

        Parameters
        ----------
        time
            Times of all bars; entry and exit times are those of the bars in which they happened.

        Returns
        -------
        polars.DataFrame
            Columns id, side (long, short), level, quantity, step, entry_time, entry_price,
            exit_time, exit_price, take_profit, stop_loss, reason, entry_fee, exit_fee, funding,
            profit and net (profit less fees and funding).
        """
        import polars as pl

        lots = self.lots
        columns = {str(name): np.ascontiguousarray(lots[name]) for name in LOT.names or ()}
        frame = pl.DataFrame(columns).with_columns(
            side=pl.Series(np.where(lots["side"] > 0, "long", "short"), dtype=pl.String),
            entry_bar=pl.Series(time[lots["entry_bar"]]),
            exit_bar=pl.Series(time[lots["exit_bar"]]),
            reason=pl.Series([REASONS[reason] for reason in lots["reason"]], dtype=pl.String),
            net=pl.Series(lots_net(lots)),
        )
        return frame.rename({"entry_bar": "entry_time", "exit_bar": "exit_time"})


def lots_net(lots: npt.NDArray[Any]) -> FloatArray:
    """Return what each lot made after fees and funding."""
    net: FloatArray = lots["profit"] - lots["entry_fee"] - lots["exit_fee"] - lots["funding"]
    return net
