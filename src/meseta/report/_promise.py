"""What in-sample and validation promised beside what the vault paid, as growth per year.

Money cannot be compared between spans of different length in which profits are reinvested,
so every span is turned into the growth of the account over it, and pooled over the phases:
the sum of logarithmic growth over the sum of years.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
import polars as pl

from meseta.report._charts import base_layout
from meseta.report._palette import tone

if TYPE_CHECKING:
    from meseta._types import FloatArray, TimeArray
    from meseta.report._run import Manifest, Phase, Run, Vault

__all__ = ["Hold", "hold", "promise_chart", "promises"]

_YEAR = np.timedelta64(31_557_600_000_000, "us")  # 365.25 days
_SIDES = ("In-sample", "Validation", "Vault")


@dataclass(frozen=True, slots=True)
class Hold:
    """Buying at a span's first close and holding to its last, in percent; None: not defined."""

    in_sample: float | None
    validation: float | None
    vault: float | None
    vault_return: float | None
    vault_drawdown: float | None


def promises(run: Run) -> pl.DataFrame:
    """Work out the growth per year of every finalist, in percent.

    Returns
    -------
    Columns finalist, plateau, role, in_sample, validation and vault (percent per year, null
    where the finalist is no candidate or an account was wiped out), and the `vault_` metrics.
    Empty when there are no finalists or no bars.
    """
    finalists, bars = run.finalists, run.bars
    if finalists is None or bars is None:
        return pl.DataFrame()
    vault = [c for c in finalists.columns if c.startswith("vault_")]
    keep = ["finalist", "plateau", "role", "flat", "stability", *vault]
    frame = finalists.select([c for c in keep if c in finalists.columns])
    rows = run.candidates(frame["flat"].to_list())
    frame = frame.with_columns(
        _vault_rate(run.manifest.vault, frame, bars["time"].to_numpy()).alias("vault")
    )
    if rows is None:
        empty = pl.lit(None, pl.Float64)
        return frame.with_columns(in_sample=empty, validation=empty)
    rates = _phase_rates(run.manifest, rows, bars["time"].to_numpy())
    return frame.join(rates, on="flat", how="left", maintain_order="left")


def hold(run: Run) -> Hold:
    """Work out buy and hold over the same spans."""
    manifest, bars = run.manifest, run.bars
    if bars is None:
        return Hold(None, None, None, None, None)
    time, close = bars["time"].to_numpy(), bars["close"].to_numpy()
    phases = [p for p in manifest.phases if p.z <= len(close)]
    whole, fall, rate = None, None, None
    if manifest.vault is not None and manifest.vault.z <= len(close):
        whole, fall = _held(close[manifest.vault.a : manifest.vault.z])
        rate = _held_rate(time, close, [(manifest.vault.a, manifest.vault.z)])
    return Hold(
        _held_rate(time, close, [(p.a, p.o) for p in phases]),
        _held_rate(time, close, [(p.o, p.z) for p in phases]),
        rate,
        whole,
        fall,
    )


def promise_chart(frame: pl.DataFrame, holding: Hold) -> go.Figure:
    """Draw a slope chart: each finalist from in-sample over validation to the vault.

    Parameters
    ----------
    frame
        From `promises`; rows without a vault result are left out.
    holding
        From `hold`; drawn dashed where all three rates are defined.
    """
    known = frame.drop_nulls(["in_sample", "validation", "vault"])
    figure = go.Figure(_bundle(known.filter(pl.col("role") != "centre")))
    for row in known.filter(pl.col("role") == "centre").iter_rows(named=True):
        figure.add_trace(_slope(row))
    rates = (holding.in_sample, holding.validation, holding.vault)
    if None not in rates:
        figure.add_trace(_hold_line([float(rate) for rate in rates if rate is not None]))
    figure.update_layout(_layout())
    return figure


def _years(time: TimeArray, a: int, z: int) -> float:
    """Length of bars `[a, z)`, from the first bar's time to the last's."""
    return float((time[z - 1] - time[a]) / _YEAR)


def _vault_rate(vault: Vault | None, frame: pl.DataFrame, time: TimeArray) -> pl.Series:
    empty = pl.Series("vault", [None] * len(frame), dtype=pl.Float64)
    if vault is None or "vault_return_pct" not in frame.columns or vault.z > len(time):
        return empty
    growth = 1.0 + frame["vault_return_pct"].cast(pl.Float64).to_numpy() / 100.0
    return _percent(_log(growth), _years(time, vault.a, vault.z))


def _phase_rates(manifest: Manifest, rows: pl.DataFrame, time: TimeArray) -> pl.DataFrame:
    capital = float(manifest.account.get("capital") or 0.0)
    phases = [p for p in manifest.phases if p.z <= len(time) and f"is_pnl_{p.number}" in rows]
    sides = [_phase_growth(rows, phase, capital) for phase in phases]
    inside = sum((i for i, _ in sides), np.zeros(len(rows)))
    beyond = sum((o for _, o in sides), np.zeros(len(rows)))
    return pl.DataFrame(
        {
            "flat": rows["flat"],
            "in_sample": _percent(inside, sum(_years(time, p.a, p.o) for p in phases)),
            "validation": _percent(beyond, sum(_years(time, p.o, p.z) for p in phases)),
        }
    )


def _phase_growth(
    rows: pl.DataFrame, phase: Phase, capital: float
) -> tuple[FloatArray, FloatArray]:
    """Logarithmic growth of the account on both sides; validation starts from what is there."""
    inside = capital + rows[f"is_pnl_{phase.number}"].to_numpy()
    beyond = inside + rows[f"oos_pnl_{phase.number}"].to_numpy()
    if capital <= 0:
        nothing = np.full(len(rows), np.nan)
        return nothing, nothing
    return _log(inside / capital), _log(beyond) - _log(inside)


def _log(growth: FloatArray) -> FloatArray:
    """Logarithm; NaN where an account is at or below zero."""
    return np.log(np.where(growth > 0, growth, np.nan))


def _percent(growth: FloatArray, years: float) -> pl.Series:
    rate = np.expm1(growth / years) * 100.0 if years > 0 else np.full(len(growth), np.nan)
    return pl.Series(rate).fill_nan(None)


def _held_rate(time: TimeArray, close: FloatArray, spans: list[tuple[int, int]]) -> float | None:
    spans = [(a, z) for a, z in spans if z - a > 1]
    ends = [(close[a], close[z - 1]) for a, z in spans]
    if not ends or min(min(pair) for pair in ends) <= 0:
        return None
    growth = sum(float(np.log(last / first)) for first, last in ends)
    return float(np.expm1(growth / sum(_years(time, a, z) for a, z in spans)) * 100.0)


def _held(close: FloatArray) -> tuple[float | None, float | None]:
    """Return and largest fall from a peak, both in percent."""
    if len(close) == 0 or close.min() <= 0:
        return None, None
    peak = np.maximum.accumulate(close)
    return float(close[-1] / close[0] - 1) * 100, float(np.max(1 - close / peak)) * 100


def _bundle(frame: pl.DataFrame) -> go.Scatter:
    """All other finalists as one trace, NaN between them."""
    gap = np.full(len(frame), np.nan)
    rates = [frame[side].to_numpy() for side in ("in_sample", "validation", "vault")]
    return go.Scatter(
        x=np.tile([0.0, 1.0, 2.0, np.nan], len(frame)).astype(np.float32),
        y=np.column_stack([*rates, gap]).ravel().astype(np.float32),
        mode="lines",
        line={"color": tone("thin"), "width": 0.8},
        opacity=0.6,
        hoverinfo="skip",
    )


def _slope(row: dict[str, Any]) -> go.Scatter:
    return go.Scatter(
        x=[0, 1, 2],
        y=[row["in_sample"], row["validation"], row["vault"]],
        mode="lines+markers+text",
        text=["", "", f" {row['plateau']}"],
        textposition="middle right",
        textfont={"color": tone("ink"), "size": 12},
        cliponaxis=False,
        line={"color": tone("accent"), "width": 1.8},
        marker={"color": tone("accent"), "size": 7},
        hovertemplate=f"centre of plateau {row['plateau']}"
        "<br>%{y:.1f} % per year<extra></extra>",
    )


def _hold_line(rates: list[float]) -> go.Scatter:
    return go.Scatter(
        x=[0, 1, 2],
        y=rates,
        mode="lines+markers",
        line={"color": tone("hold"), "width": 1.6, "dash": "dash"},
        marker={"color": tone("hold"), "size": 6},
        hovertemplate="buy and hold<br>%{y:.1f} % per year<extra></extra>",
    )


def _layout() -> dict[str, Any]:
    layout = base_layout(340)
    layout["xaxis"] = {
        "tickvals": [0, 1, 2],
        "ticktext": list(_SIDES),
        "range": [-0.18, 2.25],
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "tickfont": {"size": 12, "color": tone("ink")},
    }
    layout["yaxis"] = {
        "title": {"text": "growth per year", "font": {"size": 11, "color": tone("muted")}},
        "ticksuffix": " %",
        "gridcolor": tone("grid"),
        "zeroline": True,
        "zerolinecolor": tone("rule"),
        "zerolinewidth": 1.5,
    }
    return layout
