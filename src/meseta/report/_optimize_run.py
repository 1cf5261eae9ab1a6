"""Reads the folder of a Bayesian study; whatever its page shows comes from here.

Everything but the manifest may be missing, and any number may be null: a failed trial has no
metrics, a study without a feasible trial has no best one, and without a vault nothing is
out-of-sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import Field

from meseta.errors import RunError
from meseta.report._record import Data, Model, Record, filled, parse, parse_manifest, scan
from meseta.report._run import Vault  # noqa: TC001 - pydantic reads annotations
from meseta.report._walkforward_run import (
    Kind,
    Strategy,
    completed,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "IN_SAMPLE",
    "METRICS",
    "OUT_OF_SAMPLE",
    "Best",
    "Luck",
    "Null",
    "Study",
    "StudyManifest",
    "Summary",
    "finite",
    "read_study",
]

METRICS = (
    *("sharpe", "total_return", "profit_factor", "calmar", "max_drawdown", "trades"),
    *("win_rate", "final_equity", "fees", "funding"),
)
"""Figures of one back-test; returns, drawdowns and win rates are fractions."""

IN_SAMPLE, OUT_OF_SAMPLE = "in-sample", "out-of-sample"

_MONEY = ("equity", "realised", "unrealised", "fees", "funding")
_EXPOSURE = ("long_exposure", "short_exposure")


class SpaceRecord(Model):
    """What was searched: one row a parameter."""

    name: str | None = None
    rows: list[Any] = Field(default_factory=list)


class Spans(Model):
    """First row, row after the last, first and last time of each side."""

    in_sample: list[Any] | None = None
    vault: list[Any] | None = None


class FundingRecord(Model):
    """Settled funding rates that were charged."""

    settlements: int | None = None
    first: str | None = None
    last: str | None = None


class StudyManifest(Record):
    """`manifest.json` of a Bayesian study."""

    strategy: Strategy = Field(default_factory=Strategy)
    further: list[Data] = Field(default_factory=list)
    funding: list[FundingRecord | None] = Field(default_factory=list)
    mark: list[str | None] = Field(default_factory=list)
    space: SpaceRecord = Field(default_factory=SpaceRecord)
    objective: dict[str, Any] = Field(default_factory=dict)
    constraints: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    spans: Spans = Field(default_factory=Spans)
    assumptions: list[str] = Field(default_factory=list)
    vault: Vault | None = None


class Best(Model):
    """The best feasible trial: its values and both sides of the vault's edge."""

    trial: int
    score: float | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    in_sample: dict[str, Any] = Field(default_factory=dict)
    out_of_sample: dict[str, Any] | None = None


class Step(Model):
    """One constraint: how many trials meet it, alone and after those before it."""

    constraint: str
    threshold: float | None = None
    passed: int | None = None
    passed_so_far: int | None = None


class Luck(Model):
    """What the best of so many trials without an edge would be expected to show."""

    trials: float | None = None
    sharpe_best: float | None = None
    sharpe_expected_of_noise: float | None = None
    sharpe_variance: float | None = None
    deflated_sharpe: float | None = None
    score_best: float | None = None


class Null(Model):
    """The same search on markets without structure; one entry a market.

    Scores, `score` of the real market too, lie between the objective's own bounds; `feasible`
    counts each market's feasible trials, `as_good` those markets that have such a score too.
    """

    runs: int = 0
    score: float | None = None
    best_scores: list[float | None] = Field(default_factory=list)
    best_sharpes: list[float | None] = Field(default_factory=list)
    feasible: list[int | None] = Field(default_factory=list)
    as_good: int | None = None
    p_score: float | None = None


class Adaptive(Model):
    """Whether scores are normalised anew, and by which bounds in the end."""

    mode: str | None = None
    bounds: Any = None


class Way(Model):
    """What one walk over the windows made: its account from the first window to the last."""

    traded: int | None = None
    total_return: float | None = None
    max_drawdown: float | None = None


class Changed(Model):
    """What the warm start changed from the second window on: with it less without it."""

    windows: int = 0
    better: int = 0
    worse: int = 0
    score: float | None = None
    final_equity: float | None = None


class Walked(Way):
    """What the walk made, the same without (or with) a warm start, and the difference."""

    warm_start: bool = True
    other: Way | None = None
    changed: Changed | None = None


class Summary(Model):
    """`summary.json`."""

    study: str | None = None
    strategy: str | None = None
    market: str | None = None
    trials: int | None = None
    complete: int | None = None
    pruned: int | None = None
    failed: int | None = None
    feasible: int | None = None
    best: Best | None = None
    nearest: list[Any] = Field(default_factory=list)
    funnel: list[Step] = Field(default_factory=list)
    luck: Luck = Field(default_factory=Luck)
    null: Null | None = None
    adaptive: Adaptive = Field(default_factory=Adaptive)
    verdict: str | None = None
    confirmation: Any = None
    windows: Walked | None = None
    multi: bool = False
    pareto: list[int] = Field(default_factory=list)


@dataclass(frozen=True)
class Study:
    """The folder of a Bayesian study, read when asked.

    Attributes
    ----------
    folder
        Where it is.
    manifest, summary
        The two JSON files.
    """

    folder: Path
    manifest: StudyManifest
    summary: Summary

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.summary.study or self.folder.name

    @cached_property
    def trials(self) -> pl.DataFrame | None:
        """One row a trial by number, NaN as null; None when not written."""
        frame = self._read("trials.parquet")
        if frame is None:
            return None
        frame = completed(
            frame, (*METRICS, "score", "violation"), ("state", "feasible", "violated", "error")
        )
        flag = pl.col("feasible").cast(pl.Boolean).fill_null(value=False)
        return frame.with_columns(flag, pl.col("number").cast(pl.Int64)).sort("number")

    @cached_property
    def scored(self) -> pl.DataFrame | None:
        """Complete trials with a finite score; None where there is none."""
        if self.trials is None:
            return None
        finite_score = pl.col("score").is_not_null() & pl.col("score").is_finite()
        return filled(self.trials.filter(pl.col("state") == "complete", finite_score))

    @cached_property
    def parameters(self) -> list[str]:
        """Names of the parameters in the order of the space, then as the trials have them."""
        if self.trials is None:
            return []
        known = [c.removeprefix("param_") for c in self.trials.columns if c.startswith("param_")]
        ordered = [row["name"] for row in self.space if row["name"] in known]
        return ordered + [name for name in known if name not in ordered]

    @cached_property
    def space(self) -> list[dict[str, str]]:
        """Rows of the space: name, group, range, unit, meaning."""
        names = ("name", "group", "range", "unit", "meaning")
        return [_space_row(row, names) for row in self.manifest.space.rows]

    @cached_property
    def spans(self) -> pl.DataFrame | None:
        """Metrics of the best trials by rank and part; None when not written."""
        frame = self._read("spans.parquet")
        return None if frame is None else completed(frame, METRICS, ("rank",))

    @cached_property
    def importance(self) -> dict[str, float]:
        """Share of the score that each parameter decides, largest first; empty without."""
        frame = self._read("importance.parquet")
        if frame is None:
            return {}
        frame = completed(frame, ("importance",), ())
        known = frame.filter(pl.col("importance").is_finite()).sort("importance", descending=True)
        return dict(known.select("name", "importance").iter_rows())

    @cached_property
    def equity(self) -> pl.DataFrame | None:
        """Every bar of the trial that is drawn, NaN as null; None when not written."""
        frame = self._read("equity.parquet")
        if frame is None:
            return None
        there = tuple(name for name in (*_MONEY, *_EXPOSURE) if name in frame.columns)
        return filled(completed(frame, there, ()).drop_nulls("equity"))

    @cached_property
    def lots(self) -> pl.DataFrame | None:
        """Lots of the trial that is drawn, by part; None where the strategy has none."""
        return self._read("lots.parquet")

    @cached_property
    def windows(self) -> pl.DataFrame | None:
        """One row a window and kind of start; None where nothing was walked forward."""
        frame = self._read("windows.parquet")
        if frame is None:
            return None
        sides = tuple(f"{side}_{name}" for side in ("in", "out") for name in METRICS)
        frame = completed(frame, (*sides, "score"), ("feasible", "warm", "traded"))
        flags = pl.col("feasible", "traded", "warm").cast(pl.Boolean)
        return frame.with_columns(flags.fill_null(value=True))

    @cached_property
    def windows_curve(self) -> pl.DataFrame | None:
        """Equity over the out-of-sample windows; None where there is none."""
        frame = self._read("windows_curve.parquet")
        if frame is None:
            return None
        frame = completed(frame, ("equity",), ("warm",)).drop_nulls("equity")
        return filled(frame.with_columns(pl.col("warm").cast(pl.Boolean).fill_null(value=True)))

    @cached_property
    def confirmation(self) -> pl.DataFrame | None:
        """One row a trial and engine; None before `meseta confirm`."""
        frame = self._read("confirmation.parquet")
        numbers = ("trades", "fees", "funding", "total_return", "max_drawdown")
        return None if frame is None else completed(frame, numbers, ())

    @cached_property
    def causes(self) -> pl.DataFrame | None:
        """Why the engines differ, in money by trial; None before `meseta confirm`."""
        frame = self._read("confirmation_causes.parquet")
        return None if frame is None else completed(frame, ("difference", "count"), ())

    @property
    def drawn(self) -> int | None:
        """Number of the trial whose equity is in the folder: the best, else the nearest."""
        if self.summary.best is not None:
            return self.summary.best.trial
        first = None if self.spans is None else self.spans.sort("rank")["trial"][0]
        return None if first is None else int(first)

    def side(self, trial: int, part: str) -> dict[str, Any] | None:
        """Return the metrics of a trial on one side of the vault's edge; None without."""
        if self.spans is None:
            return None
        of = (pl.col("trial") == trial) & (pl.col("part") == part)
        return next(self.spans.filter(of).select(METRICS).iter_rows(named=True), None)

    def _read(self, name: str) -> pl.DataFrame | None:
        lazy = scan(self.folder / name)
        return None if lazy is None else filled(lazy.collect())


def read_study(folder: Path) -> Study:
    """Read the two JSON files of a study's folder.

    Raises
    ------
    RunError
        There is no manifest, it is of another kind of run, or a file is damaged.
    """
    kind = parse_manifest(folder, Kind).kind
    if kind != "optimize":
        raise RunError(
            f"{folder} holds no study: its manifest says kind {kind!r}; "
            "`meseta optimize` writes one"
        )
    summary = folder / "summary.json"
    known = parse(summary, Summary) if summary.is_file() else Summary()
    return Study(folder, parse_manifest(folder, StudyManifest), known)


def finite(column: str) -> pl.Expr:
    """Whether a number is known and neither NaN nor infinite."""
    return pl.col(column).is_not_null() & pl.col(column).is_finite()


def _space_row(row: Any, names: tuple[str, ...]) -> dict[str, str]:
    given = row if isinstance(row, dict) else dict(zip(names, row, strict=False))
    return {name: _text(given.get(name)) for name in names}


def _text(value: Any) -> str:
    return (
        " to ".join(str(each) for each in value) if isinstance(value, list) else str(value or "")
    )
