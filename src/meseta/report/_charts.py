"""Charts over time: the phases on the price, equity with drawdown, a single back-test.

Every function takes plain values and returns a Plotly figure in the light theme. The colours
all come from the palette, so that a page can swap them for their dark twins. Names are escaped,
because Plotly reads markup (links too) in every text.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from meseta.report._palette import tone
from meseta.report._sampling import drawdown, thinned, time_labels
from meseta.report._spans import SPAN_NAMES, Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meseta._types import BoolArray, FloatArray, TimeArray

__all__ = [
    "FONT",
    "Curve",
    "Line",
    "Panels",
    "Trades",
    "backtest_chart",
    "base_layout",
    "curve_line",
    "curves_chart",
    "deepened",
    "draw_spans",
    "drawn_line",
    "equity_chart",
    "fall_area",
    "phase_timeline",
    "value_axis",
]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_LANE = 17  # pixels of one row of spans


@dataclass(frozen=True, slots=True)
class Curve:
    """An equity curve, or a piece of one.

    Parameters
    ----------
    label
        What the pointer shows.
    time
        (N,) datetime64.
    equity
        (N,) money; NaN breaks the line.
    """

    label: str
    time: TimeArray
    equity: FloatArray


@dataclass(frozen=True, slots=True)
class Line:
    """How one of several curves is drawn: in the colour of a palette's role, solid or dotted."""

    curve: Curve
    color: str
    dotted: bool


@dataclass(frozen=True, slots=True)
class Trades:
    """Where trades began and ended: times (M,) and prices (M,).

    `short` (M,) is True where a trade sold short; without it every trade is a long.
    """

    entry_time: TimeArray
    entry: FloatArray
    exit_time: TimeArray
    exit: FloatArray
    short: BoolArray | None = None


def base_layout(height: int) -> dict[str, Any]:
    """Return what every chart has in common: fonts, margins, colours; `height` in pixels."""
    return {
        "template": go.layout.Template(),
        "height": height,
        "autosize": True,
        "margin": {"l": 62, "r": 12, "t": 24, "b": 30},  # the tool bar stands in the top one
        "paper_bgcolor": tone("clear"),
        "plot_bgcolor": tone("clear"),
        "font": {"family": FONT, "size": 12, "color": tone("muted")},
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": "zoom",
        "hoverlabel": {
            "bgcolor": tone("paper"),
            "bordercolor": tone("rule"),
            "font": {"family": FONT, "size": 12, "color": tone("ink")},
            "align": "left",
        },
    }


def deepened(figure: go.Figure, pixels: int = 14) -> go.Figure:
    """Give a chart room below for dates of two lines, as those of hours are; returns it."""
    margin = figure.layout.margin.b + pixels
    return figure.update_layout(margin={"b": margin}, height=figure.layout.height + pixels)


def phase_timeline(
    time: TimeArray, close: FloatArray, spans: Sequence[Span], *, points: int = 1600
) -> go.Figure:
    """Price with one row of spans per phase below it.

    Parameters
    ----------
    time, close
        (N,); at most about `points` of them are drawn, lows and highs kept. The price axis is
        logarithmic when every price is positive.
    spans
        One row per distinct lane, in the order given; a vault is shaded over the price too.
    """
    keep = thinned(close, points)
    price = close[keep]
    panels = Panels([("price", 270)], spans)
    figure = go.Figure(
        go.Scatter(
            x=time_labels(time[keep]),
            y=price.astype(np.float32),
            mode="lines",
            line={"color": tone("ink"), "width": 1.1},
            hovertemplate="%{x}<br>close %{y:,.6~g}<extra></extra>",
        )
    )
    figure.update_layout(panels.layout(time))
    figure.update_layout(yaxis=value_axis("close", log=bool(np.nanmin(price) > 0)))
    draw_spans(figure, spans, panels, shade=("vault",))
    figure.update_annotations(text="vault,<br>locked")
    return figure


def equity_chart(
    centre: Curve,
    others: Sequence[Curve] = (),
    spans: Sequence[Span] = (),
    *,
    fall: FloatArray | None = None,
) -> go.Figure:
    """Equity of one combination over its neighbours, its drawdown, and the spans.

    Parameters
    ----------
    centre
        The curve that stands out; nothing is thinned here, so pass what should be drawn.
    others
        Thin lines behind it.
    spans
        Drawn as rows below; validation and vault are shaded over the curves too.
    fall
        (N,) drawdown of `centre` in money, zero or more; worked out from it when not given,
        which misses what lies between the points of a thinned curve.
    """
    panels = Panels([("equity", 250), ("drawdown", 90)], spans)
    figure = go.Figure([_thin_line(curve) for curve in others])
    figure.add_trace(curve_line(centre))
    depth = drawdown(centre.equity) if fall is None else fall
    figure.add_trace(fall_area(centre.time, depth))
    figure.update_layout(panels.layout(centre.time))
    levels = np.concatenate([centre.equity, *(curve.equity for curve in others)])
    figure.update_layout(yaxis=value_axis("equity", log=_wide(levels)))
    figure.update_layout(yaxis2=value_axis("drawdown", log=False) | {"nticks": 4})
    draw_spans(figure, spans, panels, shade=("validation", "vault"))
    return figure


def curves_chart(lines: Sequence[Line], spans: Sequence[Span] = ()) -> go.Figure:
    """Several equity curves in one panel, and the spans.

    Parameters
    ----------
    lines
        At least one.
    spans
        Drawn as rows below; validation and vault are shaded over the curves too.
    """
    panels = Panels([("equity", 320)], spans)
    figure = go.Figure([drawn_line(each) for each in lines])
    times = [each.curve.time for each in lines]
    ends = np.array([min(time[0] for time in times), max(time[-1] for time in times)])
    figure.update_layout(panels.layout(ends))
    levels = np.concatenate([each.curve.equity for each in lines])
    figure.update_layout(yaxis=value_axis("equity", log=_wide(levels)))
    draw_spans(figure, spans, panels, shade=("validation", "vault"))
    return figure


def backtest_chart(
    time: TimeArray,
    close: FloatArray,
    equity: FloatArray,
    trades: Trades,
    spans: Sequence[Span] = (),
    *,
    points: int = 4000,
) -> go.Figure:
    """Price with trades, equity and drawdown of one back-test.

    Parameters
    ----------
    time, close, equity
        (N,); equity is NaN where nothing was simulated. At most about `points` are drawn.
    trades
        Entry and exit marks; all are drawn.
    spans
        Drawn as rows below; validation and vault are shaded over the curves too.
    """
    keep = np.union1d(thinned(close, points // 2), thinned(equity, points // 2))
    panels = Panels([("price", 230), ("equity", 190), ("drawdown", 90)], spans)
    price = Curve("close", time[keep], close[keep])
    account = Curve("equity", time[keep], equity[keep])
    figure = go.Figure(curve_line(price, color="ink", width=1.1))
    figure.add_traces(_marks(trades))
    figure.add_trace(curve_line(account, axis="y2"))
    figure.add_trace(fall_area(time[keep], drawdown(equity)[keep], axis="y3"))
    figure.update_layout(panels.layout(time))
    figure.update_layout(
        yaxis=value_axis("close", log=_wide(close)),
        yaxis2=value_axis("equity", log=_wide(equity)),
        yaxis3=value_axis("drawdown", log=False) | {"nticks": 4},
    )
    draw_spans(figure, spans, panels, shade=("validation", "vault"))
    return figure


class Panels:
    """Heights of stacked panels, with a row of lanes at the bottom, as fractions of the paper."""

    def __init__(self, panels: Sequence[tuple[str, int]], spans: Sequence[Span]) -> None:
        self.lanes = list(dict.fromkeys(escape(span.lane) for span in spans))
        heights = [height for _, height in panels]
        if self.lanes:
            heights.append(_LANE * len(self.lanes))
        gap = 16
        total = sum(heights) + gap * (len(heights) - 1)
        top = float(total)
        self.domains: list[tuple[float, float]] = []
        for height in heights:
            self.domains.append((max(top - height, 0) / total, top / total))
            top -= height + gap
        self.inner = total

    @property
    def lane_axis(self) -> int:
        """Number of the axis that carries the lanes."""
        return len(self.domains)

    def layout(self, time: TimeArray) -> dict[str, Any]:
        """Return the base layout with the shared time axis and every panel's domain."""
        layout = base_layout(self.inner + 54)
        layout["xaxis"] = {
            "type": "date",
            "range": [_date(time[0]), _date(time[-1])],
            "hoverformat": "%Y-%m-%d %H:%M" if " " in time_labels(time)[0] else "%Y-%m-%d",
            "anchor": _axis("y", self.lane_axis),
            "showgrid": True,
            "gridcolor": tone("grid"),
            "linecolor": tone("rule"),
            "showline": True,
            "ticks": "outside",
            "ticklen": 4,
            "tickcolor": tone("rule"),
            "zeroline": False,
        }
        for number, domain in enumerate(self.domains, start=1):
            layout[_axis("yaxis", number)] = {"domain": list(domain)}
        if self.lanes:
            layout[_axis("yaxis", self.lane_axis)] |= {
                "type": "category",
                "categoryorder": "array",
                "categoryarray": self.lanes[::-1],
                "range": [-0.5, len(self.lanes) - 0.5],
                "showgrid": False,
                "zeroline": False,
                "fixedrange": True,
                "tickfont": {"size": 11, "color": tone("muted")},
            }
        return layout


def _axis(name: str, number: int) -> str:
    return name if number == 1 else f"{name}{number}"


def value_axis(title: str, *, log: bool) -> dict[str, Any]:
    """Return the axis of money or of prices, named `title`."""
    return {
        "type": "log" if log else "linear",
        "title": {
            "text": f"{title}, log" if log else title,
            "font": {"size": 11, "color": tone("muted")},
            "standoff": 6,
        },
        "gridcolor": tone("grid"),
        "zeroline": False,
        "showline": False,
        "tickformat": ",~s" if title != "close" else ",~g",
        **({"dtick": "D2"} if log else {}),
    }


def _wide(levels: FloatArray) -> bool:
    """Whether growth is best read on a logarithmic axis."""
    low, high = np.nanmin(levels, initial=np.inf), np.nanmax(levels, initial=-np.inf)
    return bool(low > 0 and high > 8 * low)


def curve_line(
    curve: Curve, *, color: str = "accent", width: float = 1.8, axis: str = "y"
) -> go.Scatter:
    """Draw a curve in the colour of a palette's role."""
    return go.Scatter(
        x=time_labels(curve.time),
        y=curve.equity.astype(np.float32),
        yaxis=axis,
        mode="lines",
        line={"color": tone(color), "width": width},
        hovertemplate=f"{escape(curve.label)}<br>%{{x}}<br>%{{y:,.6~g}}<extra></extra>",
    )


def _thin_line(curve: Curve) -> go.Scatter:
    line = curve_line(curve, color="thin", width=0.8)
    line.opacity = 0.7
    return line


def drawn_line(line: Line) -> go.Scatter:
    """Draw one of several curves."""
    trace = curve_line(line.curve, color=line.color, width=1.6)
    trace.line.dash = "dot" if line.dotted else "solid"
    return trace


def fall_area(time: TimeArray, depth: FloatArray, axis: str = "y2") -> go.Scatter:
    """Draw a drawdown (N,), zero or more, downwards."""
    return go.Scatter(
        x=time_labels(time),
        y=-depth.astype(np.float32),
        yaxis=axis,
        mode="lines",
        line={"color": tone("loss"), "width": 1},
        fill="tozeroy",
        fillcolor=tone("loss-fill"),
        hovertemplate="drawdown<br>%{x}<br>%{y:,.0f}<extra></extra>",
    )


def _marks(trades: Trades) -> list[go.Scatter]:
    short = np.zeros(len(trades.entry), bool) if trades.short is None else trades.short
    marks = [
        ("buy", ~short, trades.entry_time, trades.entry, "triangle-up", "accent"),
        ("sell short", short, trades.entry_time, trades.entry, "triangle-down", "short"),
        ("exit", np.ones(len(short), bool), trades.exit_time, trades.exit, "circle", "validation"),
    ]
    return [
        go.Scatter(
            x=time_labels(times[of]),
            y=prices[of],
            mode="markers",
            marker={"symbol": symbol, "size": 6, "color": tone(color)},
            hovertemplate=f"{name}<br>%{{x}}<br>%{{y:,.6~g}}<extra></extra>",
        )
        for name, of, times, prices, symbol, color in marks
        if name != "sell short" or of.any()
    ]


def draw_spans(
    figure: go.Figure, spans: Sequence[Span], panels: Panels, *, shade: tuple[str, ...]
) -> None:
    """Draw every span in its lane; shade those of the kinds `shade` over the panels too."""
    figure.add_traces([_bar(span, _axis("y", panels.lane_axis)) for span in spans])
    figure.update_layout(barmode="overlay", bargap=0.28)
    for kind in shade:
        stretches = _joined([span for span in spans if span.kind == kind])
        for first, last in stretches:
            figure.add_shape(_band(kind, first, last, bottom=panels.domains[-2][0]))
    for span in (span for span in spans if span.kind == "vault"):
        figure.add_annotation(_vault_label(span))


def _joined(spans: Sequence[Span]) -> list[tuple[np.datetime64, np.datetime64]]:
    """Stretches that the spans cover together, so that an overlap is not shaded twice."""
    stretches: list[tuple[np.datetime64, np.datetime64]] = []
    for span in sorted(spans, key=lambda span: span.first):
        if stretches and span.first <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(stretches[-1][1], span.last))
        else:
            stretches.append((span.first, span.last))
    return stretches


def _bar(span: Span, axis: str) -> go.Bar:
    length = (span.last - span.first) / np.timedelta64(1, "ms")
    hatch = {"shape": "/", "size": 5, "solidity": 0.3, "fgcolor": tone("paper")}
    return go.Bar(
        orientation="h",
        base=time_labels(np.array([span.first])),
        x=[length],
        y=[escape(span.lane)],
        yaxis=axis,
        marker={
            "color": tone(span.kind),
            "line": {"width": 0},
            "pattern": hatch | {"bgcolor": tone("vault")} if span.kind == "vault" else {},
        },
        hovertemplate=f"{escape(span.lane)}: {SPAN_NAMES[span.kind].lower()}<br>"
        f"{_date(span.first)} to {_date(span.last)}<extra></extra>",
    )


def _band(
    kind: str, first: np.datetime64, last: np.datetime64, *, bottom: float
) -> Mapping[str, Any]:
    return {
        "type": "rect",
        "layer": "below",
        "xref": "x",
        "yref": "paper",
        "x0": _date(first),
        "x1": _date(last),
        "y0": bottom,
        "y1": 1,
        "line": {"width": 0},
        "fillcolor": tone(f"{kind}-fill"),
    }


def _vault_label(span: Span) -> Mapping[str, Any]:
    return {
        "text": "vault",
        "x": _date(span.last),
        "y": 1,
        "xref": "x",
        "yref": "paper",
        "xanchor": "right",
        "yanchor": "top",
        "align": "right",
        "showarrow": False,
        "font": {"size": 11, "color": tone("vault")},
    }


def _date(time: np.datetime64) -> str:
    return time_labels(np.array([time]))[0]
