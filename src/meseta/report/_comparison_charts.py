"""Charts of the comparison: validation and vault of every variant, one row each."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from meseta.report._charts import base_layout
from meseta.report._format import count, money
from meseta.report._palette import tone
from meseta.report._statements import shorts

if TYPE_CHECKING:
    from meseta.report._variants import Variant

__all__ = ["dotted", "outcome_chart", "role", "vault_chart"]

_ROW = 54  # pixels of one variant
_ROLES = 6


def role(position: int) -> str:
    """Return the palette's role of a variant's colour, by its position."""
    return f"variant-{position % _ROLES + 1}"


def dotted(variants: list[Variant], position: int) -> bool:
    """Tell whether a variant's curve is dotted: where it sells short, or its colour is used."""
    return shorts(variants[position].manifest) or position >= _ROLES


def outcome_chart(variants: list[Variant]) -> go.Figure:
    """Draw validation profit: median of all, worst and median of the best plateau, its centre.

    Parameters
    ----------
    variants
        One row each, the first on top.
    """
    figure = go.Figure()
    for at, variant in enumerate(variants):
        y, color, plateau = len(variants) - 1 - at, tone(role(at)), variant.plateau
        worst = None if plateau is None else plateau.worst_oos_pnl
        median = None if plateau is None else plateau.median_oos_pnl
        figure.add_trace(_link(worst, median, variant.row.best_oos, y, color))
        for name, value, symbol in (
            ("median of all combinations", variant.row.median_all, "diamond-open"),
            ("worst of the best plateau", worst, "line-ns-open"),
            ("median of the best plateau", median, "circle"),
            ("centre of the best plateau", variant.row.best_oos, "triangle-up"),
        ):
            figure.add_trace(_mark(name, value, y, symbol, color, variant.strategy))
    figure.update_layout(_layout(variants, "validation profit, summed over the phases"))
    return figure


def vault_chart(variants: list[Variant]) -> go.Figure:
    """Draw profit and drawdown of the best plateau's centre in the vault, one row a variant."""
    figure = go.Figure()
    for at, variant in enumerate(variants):
        y, row = len(variants) - 1 - at, variant.row
        fall = None if row.vault_drawdown is None else -row.vault_drawdown
        figure.add_trace(_beam("drawdown", fall, y - 0.17, tone("loss"), 0.09, variant.strategy))
        figure.add_trace(
            _beam("profit", row.vault_profit, y, tone(role(at)), 0.14, variant.strategy)
        )
    figure.update_layout(_layout(variants, "money in the vault"))
    return figure


def _link(
    worst: float | None, median: float | None, best: float | None, y: int, color: str
) -> go.Scatter:
    known = [value for value in (worst, median, best) if value is not None]
    return go.Scatter(
        x=known,
        y=[y] * len(known),
        mode="lines",
        line={"color": color, "width": 1},
        hoverinfo="skip",
    )


def _mark(
    name: str, value: float | None, y: int, symbol: str, color: str, strategy: str
) -> go.Scatter:
    return go.Scatter(
        x=[] if value is None else [value],
        y=[] if value is None else [y],
        mode="markers",
        marker={
            "symbol": symbol,
            "size": 11,
            "color": color,
            "line": {"width": 2, "color": color},
        },
        hovertemplate=f"{escape(strategy)}<br>{name} {money(value)}<extra></extra>",
    )


def _beam(
    name: str, value: float | None, y: float, color: str, width: float, strategy: str
) -> go.Bar:
    return go.Bar(
        orientation="h",
        x=[] if value is None else [value],
        y=[] if value is None else [y],
        width=width,
        marker={"color": color, "line": {"width": 0}},
        hovertemplate=f"{escape(strategy)}<br>{name} {money(value)}<extra></extra>",
    )


def _layout(variants: list[Variant], title: str) -> dict[str, Any]:
    layout = base_layout(_ROW * len(variants) + 80)
    layout["margin"] |= {"l": 12, "b": 46}
    layout["barmode"] = "overlay"
    layout["xaxis"] = {
        "title": {"text": title, "font": {"size": 11, "color": tone("muted")}, "standoff": 6},
        "gridcolor": tone("grid"),
        "zeroline": True,
        "zerolinecolor": tone("muted"),
        "zerolinewidth": 1.2,
        "tickformat": ",~s",
        "nticks": 7,
    }
    layout["yaxis"] = {
        "range": [-0.5, len(variants) - 0.35],
        "showgrid": False,
        "showticklabels": False,
        "zeroline": False,
        "fixedrange": True,
    }
    layout["annotations"] = [
        _label(each, len(variants) - 1 - i) for i, each in enumerate(variants)
    ]
    return layout


def _label(variant: Variant, y: int) -> dict[str, Any]:
    given = f"{count(variant.row.combinations)} combinations"
    return {
        "text": f"<b>{escape(variant.strategy)}</b>  {given}",
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": y + 0.36,
        "yref": "y",
        "yanchor": "middle",
        "showarrow": False,
        "font": {"size": 11, "color": tone("ink")},
        "bgcolor": tone("paper"),
        "borderpad": 1,
    }
