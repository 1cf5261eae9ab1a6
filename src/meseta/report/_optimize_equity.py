"""Equity of the trial that a study's page shows, and the money that it is made of.

In-sample and vault are runs of their own: each begins flat with the capital, has its own line
and its own drawdown, and nothing is added up over both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from meseta.report._charts import (
    Curve,
    Line,
    Panels,
    curve_line,
    deepened,
    draw_spans,
    drawn_line,
    fall_area,
    value_axis,
)
from meseta.report._optimize_run import IN_SAMPLE, OUT_OF_SAMPLE
from meseta.report._palette import tone
from meseta.report._sampling import drawdown, thinned
from meseta.report._spans import Span, SpanKind
from meseta.report._trade_stats import by_reason, by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta._types import FloatArray, IntArray, TimeArray
    from meseta.report._figures import Figures
    from meseta.report._optimize_run import Study
    from meseta.report._trade_stats import Tally

__all__ = ["EquityView", "LotsView", "MoneyRow", "equity_view", "lots_views"]

_POINTS = 1600  # drawn of both parts together
_PARTS: dict[str, tuple[SpanKind, str]] = {
    IN_SAMPLE: ("in-sample", "accent"),
    OUT_OF_SAMPLE: ("vault", "vault"),
}
_EXPOSURES = {
    "long_exposure": ("long exposure", "accent", 1),
    "short_exposure": ("short exposure", "short", -1),
}
_FLOWS = {
    "realised": ("realised", "accent", 1),
    "unrealised": ("unrealised", "short", 1),
    "fees": ("fees", "loss", -1),
    "funding": ("funding", "validation", -1),
}


@dataclass(frozen=True)
class Piece:
    """One part's bars: `fall` (N,) is its own drawdown in money, `keep` what is drawn."""

    part: str
    frame: pl.DataFrame
    fall: FloatArray
    keep: IntArray

    @property
    def time(self) -> TimeArray:
        """(N,) times."""
        time: TimeArray = self.frame["time"].to_numpy()
        return time

    def line(self, name: str) -> FloatArray:
        """Return a column, (N,), NaN where unknown."""
        values: FloatArray = self.frame[name].fill_null(float("nan")).to_numpy()
        return values


@dataclass(frozen=True)
class MoneyRow:
    """What one part made and of what: money at its last bar."""

    part: str
    realised: float
    unrealised: float
    fees: float
    funding: float

    @property
    def profit(self) -> float:
        """Return what is left of it."""
        return self.realised + self.unrealised - self.fees - self.funding


@dataclass(frozen=True)
class EquityView:
    """Charts of the equity and of the money; `money` is None for a strategy without its parts.

    `lots` and `exposure` say whether the chart has a panel of them.
    """

    trial: int | None
    chart: str
    money: str | None
    rows: list[MoneyRow]
    parts: list[str]
    exposure: bool
    lots: bool


@dataclass(frozen=True)
class LotsView:
    """Lots of one part, counted by side and by how they ended."""

    part: str
    tallies: list[Tally]
    number: int


def equity_view(study: Study, figures: Figures) -> EquityView | None:
    """Draw the equity of the best trial, or of the nearest; None where it was not written."""
    lots = _counted(study)
    pieces = _pieces(study, lots)
    if not pieces:
        return None
    flows = set(_FLOWS) <= set(pieces[0].frame.columns)
    exposure = "long_exposure" in pieces[0].frame.columns
    chart = _equity_chart(pieces, lots, exposure=exposure)
    return EquityView(
        study.drawn,
        figures.add("equity", chart),
        figures.add("money", _money_chart(pieces)) if flows else None,
        [_money_row(piece) for piece in pieces] if flows else [],
        [piece.part for piece in pieces],
        exposure,
        lots is not None,
    )


def lots_views(study: Study) -> list[LotsView]:
    """Count the lots of each part; empty where the strategy has none."""
    lots = _counted(study)
    if lots is None:
        return []
    sides = {part: lots.filter(pl.col("part") == part) for part in _PARTS}
    return [
        LotsView(part, by_side(frame) + by_reason(frame), len(frame))
        for part, frame in sides.items()
        if len(frame)
    ]


# What is drawn


def _pieces(study: Study, lots: pl.DataFrame | None) -> list[Piece]:
    if study.equity is None:
        return []
    bars = len(study.equity)
    found = [(part, study.equity.filter(pl.col("part") == part)) for part in _PARTS]
    return [_piece(part, frame, bars, lots) for part, frame in found if len(frame)]


def _piece(part: str, frame: pl.DataFrame, bars: int, lots: pl.DataFrame | None) -> Piece:
    """Choose what is drawn: lows and highs of the equity first, then of all below it."""
    equity, limit = frame["equity"].to_numpy(), max(_POINTS * len(frame) // bars, 80)
    fall = drawdown(equity)
    names = [name for name in (*_FLOWS, *_EXPOSURES) if name in frame.columns]
    others = [frame[name].fill_null(float("nan")).to_numpy() for name in names]
    if lots is not None:
        lots = lots.filter(pl.col("part") == part)
        others += [_held(lots, sign, frame["time"].to_numpy()) for sign in (1, -1)]
    keep = [thinned(equity, limit // 2), thinned(fall, limit // 4)]
    keep += [thinned(values, limit // 16) for values in others]
    return Piece(part, frame, fall, np.unique(np.concatenate(keep)))


def _counted(study: Study) -> pl.DataFrame | None:
    """Lots with `dir` and `pnl` net of fees and funding; None where there are none."""
    if study.lots is None:
        return None
    side = pl.when(pl.col("side") == "long").then(1).otherwise(-1)
    paid = pl.col("entry_fee") + pl.col("exit_fee") + pl.col("funding")
    return study.lots.with_columns(dir=side, pnl=pl.col("profit") - paid)


def _money_row(piece: Piece) -> MoneyRow:
    last = piece.frame.select(pl.col(list(_FLOWS)).fill_null(strategy="forward").last())
    return MoneyRow(piece.part, **{k: v or 0.0 for k, v in last.row(0, named=True).items()})


# The charts


def _equity_chart(
    pieces: Sequence[Piece], lots: pl.DataFrame | None, *, exposure: bool
) -> go.Figure:
    more = [("exposure", 90)] * exposure + [("lots open", 80)] * (lots is not None)
    panels = Panels([("equity", 240), ("drawdown", 80), *more], _lanes(pieces))
    traces = [_equity_line(piece) for piece in pieces]
    traces += [fall_area(p.time[p.keep], p.fall[p.keep]) for p in pieces]
    axes = [value_axis("equity", log=False), value_axis("drawdown", log=False) | {"nticks": 4}]
    axes += [_both_ways(name) for name, _ in more]
    if exposure:
        traces += [trace for piece in pieces for trace in _exposures(piece)]
    if lots is not None:
        axis = f"y{len(axes)}"
        traces += [t for piece in pieces for t in _open_lots(piece, lots, axis)]
    return _assembled(panels, pieces, traces, axes)


def _money_chart(pieces: Sequence[Piece]) -> go.Figure:
    panels = Panels([("money", 300)], _lanes(pieces))
    traces = [_flow(piece, name) for piece in pieces for name in _FLOWS]
    traces += [_profit(piece) for piece in pieces]
    return _assembled(panels, pieces, traces, [_both_ways("money") | {"nticks": 8}])


def _assembled(
    panels: Panels,
    pieces: Sequence[Piece],
    traces: list[go.Scatter],
    axes: Sequence[dict[str, Any]],
) -> go.Figure:
    """Put a chart together: an axis a panel, spans below, both sides shaded."""
    layout = panels.layout(_ends(pieces))
    for number, axis in enumerate(axes, start=1):
        name = "yaxis" if number == 1 else f"yaxis{number}"
        layout[name] = layout[name] | axis
    figure = go.Figure(traces, layout)
    draw_spans(figure, _lanes(pieces), panels, shade=("in-sample", "vault"))
    return deepened(figure)


def _lanes(pieces: Sequence[Piece]) -> list[Span]:
    return [Span(_PARTS[p.part][0], p.time[0], p.time[-1], "span") for p in pieces]


def _ends(pieces: Sequence[Piece]) -> TimeArray:
    ends: TimeArray = np.array([pieces[0].time[0], pieces[-1].time[-1]])
    return ends


def _equity_line(piece: Piece) -> go.Scatter:
    kind, color = _PARTS[piece.part]
    curve = Curve(f"equity, {kind}", piece.time[piece.keep], piece.line("equity")[piece.keep])
    return curve_line(curve, color=color, width=1.5)


def _exposures(piece: Piece) -> list[go.Scatter]:
    return [
        _area(piece, said, sign * piece.line(name), color, "y3")
        for name, (said, color, sign) in _EXPOSURES.items()
        if name in piece.frame.columns
    ]


def _open_lots(piece: Piece, lots: pl.DataFrame, axis: str) -> list[go.Scatter]:
    lots = lots.filter(pl.col("part") == piece.part)
    return [
        _area(piece, said, sign * _held(lots, sign, piece.time), color, axis)
        for sign, said, color in ((1, "long lots", "accent"), (-1, "short lots", "short"))
    ]


def _held(lots: pl.DataFrame, sign: int, time: TimeArray) -> FloatArray:
    """(N,) lots of one side that are open at each time."""
    of = lots.filter(pl.col("dir") == sign)
    entered, left = (
        np.sort(of[name].drop_nulls().cast(pl.Datetime("us")).to_numpy())
        for name in ("entry_time", "exit_time")
    )
    known = time.astype("datetime64[us]")
    begun = np.searchsorted(entered, known, side="right")
    return np.asarray(begun - np.searchsorted(left, known, side="right"), dtype=np.float64)


def _area(piece: Piece, said: str, values: FloatArray, color: str, axis: str) -> go.Scatter:
    curve = Curve(said, piece.time[piece.keep], values[piece.keep])
    trace = curve_line(curve, color=color, width=0.9, axis=axis)
    trace.line.shape = "hv"
    return trace


def _flow(piece: Piece, name: str) -> go.Scatter:
    said, color, sign = _FLOWS[name]
    curve = Curve(said, piece.time[piece.keep], sign * piece.line(name)[piece.keep])
    return drawn_line(Line(curve, color, dotted=False))


def _profit(piece: Piece) -> go.Scatter:
    made = sum(sign * piece.line(name) for name, (_, _, sign) in _FLOWS.items())
    curve = Curve("profit", piece.time[piece.keep], np.asarray(made)[piece.keep])
    return curve_line(curve, color="ink", width=2.0)


def _both_ways(title: str) -> dict[str, Any]:
    return value_axis(title, log=False) | {
        "nticks": 5,
        "zeroline": True,
        "zerolinecolor": tone("muted"),
        "zerolinewidth": 1,
    }
