"""What came of a walk-forward optimisation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from meseta.bayes import Metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from meseta._types import FloatArray, TimeArray
    from meseta.walkforward import RollingWindow

__all__ = ["Found", "WindowStudies", "WindowStudy"]


@dataclass(frozen=True, slots=True)
class Found:
    """A window's best trial: the feasible one of the highest score, else the nearest miss.

    Parameters
    ----------
    trial
        Its number.
    params
        What was run.
    inside
        In-sample figures.
    score
        Between the objective's own bounds, so that those of several studies can be compared;
        None where there is none.
    feasible, violated
        Whether it keeps the constraints, and which it does not.
    """

    trial: int
    params: dict[str, int | float]
    inside: Metrics
    score: float | None
    feasible: bool
    violated: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class WindowStudy:
    """One window.

    Parameters
    ----------
    window
        Its rows.
    warm
        Whether the walk is one with transfer.
    found
        Its best trial; None where all failed.
    trials, feasible
        Of its study.
    outside
        Out-of-sample figures of `found`; where it is not feasible, what it would have done.
    capital
        Money before the first out-of-sample bar.
    equity
        Of what was traded, at the out-of-sample closes, shape (n,); flat where nothing was.
    """

    window: RollingWindow
    warm: bool
    found: Found | None
    trials: int
    feasible: int
    outside: Metrics | None
    capital: float
    equity: FloatArray

    @property
    def traded(self) -> bool:
        """Whether its best trial was feasible, and so traded."""
        return self.found is not None and self.found.feasible and self.outside is not None

    @property
    def final_equity(self) -> float:
        """Money after the last out-of-sample bar."""
        return float(self.equity[-1])


@dataclass(frozen=True, slots=True, eq=False)
class WindowStudies:
    """A walk-forward optimisation.

    Parameters
    ----------
    windows
        What came of each window, in the order of time.
    other
        The same the other way, with or without transfer; empty without comparison.
    time
        Times of all bars.
    capital
        Money before the first out-of-sample bar.
    warm_start
        Whether `windows` is the walk with transfer.
    interrupted
        Whether the user stopped it; what was finished is here.
    """

    windows: tuple[WindowStudy, ...]
    other: tuple[WindowStudy, ...]
    time: TimeArray
    capital: float
    warm_start: bool
    interrupted: bool = False

    def table(self) -> pl.DataFrame:
        """Return a row for each window and way; the figures of the best trial on both sides.

        Columns `window`, `in_first`, `in_last`, `out_first`, `out_last`, `partial`, `warm`,
        `trials`, `feasible_trials`, `trial`, `score`, `feasible`, `violated`, `traded`,
        `capital`, ``in_`` and ``out_`` of each of `Metrics`, ``param_`` of each parameter.
        Figures that cannot be had are null.
        """
        import polars as pl

        rows = [self._row(each) for each in (*self.windows, *self.other)]
        frame = pl.DataFrame(rows, infer_schema_length=None)
        numbers = [name for name, kind in frame.schema.items() if kind == pl.Float64]
        return frame.with_columns(pl.col(numbers).fill_nan(None))

    def curves(self) -> pl.DataFrame:
        """Return the stitched equity at every out-of-sample close: `time`, `equity`, `warm`."""
        import polars as pl

        ways = [way for way in (self.windows, self.other) if way]
        return pl.concat(
            [
                pl.DataFrame(
                    {"time": self._times(way), "equity": _stitched(way), "warm": way[0].warm}
                )
                for way in ways
            ]
        )

    def summary(self) -> dict[str, Any]:
        """Return what a walk made, and what the transfer changed, for a JSON document.

        ``changed`` is None without comparison; else `windows`, those whose best in-sample trial
        was better, worse and the same with transfer where both or neither is feasible, the mean
        difference of in-sample scores, and
        the difference of the final equities: with transfer less without.
        """
        own = _way(self.windows, self.capital)
        if not self.other:
            return own | {"warm_start": self.warm_start, "changed": None}
        ways = (self.windows, self.other) if self.warm_start else (self.other, self.windows)
        return own | {
            "warm_start": self.warm_start,
            "other": _way(self.other, self.capital),
            "changed": _changed(*ways),
        }

    def said(self) -> str:
        """Return in a sentence what the transfer changed; empty without comparison."""
        changed = self.summary()["changed"]
        if changed is None or not changed["windows"]:
            return ""
        gain = changed["final_equity"]
        return (
            f"with the last window's best as first trial, the best in-sample score was higher in "
            f"{changed['better']} of {changed['windows']} windows, lower in {changed['worse']} "
            f"({changed['score']:+.3f} on average), and the account ended {abs(gain):,.2f} "
            f"{'higher' if gain >= 0 else 'lower'} than without (one path, so mostly luck)"
        )

    def _times(self, way: Sequence[WindowStudy]) -> TimeArray:
        return np.concatenate(
            [self.time[each.window.out_start : each.window.out_stop] for each in way]
        )

    def _row(self, each: WindowStudy) -> dict[str, Any]:
        w, found = each.window, each.found
        times = {
            "in_first": w.in_start, "in_last": w.in_stop - 1,
            "out_first": w.out_start, "out_last": w.out_stop - 1,
        }  # fmt: skip
        return {
            "window": w.number,
            **{name: self.time[row].item() for name, row in times.items()},
            "partial": w.partial,
            "warm": each.warm,
            "trials": each.trials,
            "feasible_trials": each.feasible,
            "trial": found.trial if found else None,
            "score": found.score if found else None,
            "feasible": bool(found and found.feasible),
            "violated": ", ".join(found.violated) if found else "",
            "traded": each.traded,
            "capital": each.capital,
            **_side("in", found.inside if found else None),
            **_side("out", each.outside),
            **{f"param_{k}": float(v) for k, v in (found.params if found else {}).items()},
        }


def _side(side: str, figures: Metrics | None) -> dict[str, Any]:
    return {
        f"{side}_{field.name}": None if figures is None else getattr(figures, field.name)
        for field in fields(Metrics)
    }


def _stitched(way: Sequence[WindowStudy]) -> FloatArray:
    return np.concatenate([each.equity for each in way])


def _way(way: Sequence[WindowStudy], capital: float) -> dict[str, Any]:
    """Return what one walk made."""
    path = np.concatenate(([capital], *(each.equity for each in way)))
    peaks = np.maximum.accumulate(path)
    return {
        "windows": len(way),
        "traded": sum(each.traded for each in way),
        "final_equity": float(path[-1]),
        "total_return": float(path[-1]) / capital - 1,
        "max_drawdown": float(((peaks - path) / peaks).max()),
    }


def _changed(warm: Sequence[WindowStudy], cold: Sequence[WindowStudy]) -> dict[str, Any]:
    """Return what the transfer changed from the second window on.

    A feasible trial and a nearest miss are not compared: scores do not know of constraints.
    """
    found = [(a.found, b.found) for a, b in zip(warm[1:], cold[1:], strict=False)]
    gains = [
        a.score - b.score
        for a, b in found
        if a and b and a.feasible == b.feasible and a.score is not None and b.score is not None
    ]
    return {
        "windows": len(gains),
        "better": sum(gain > 0 for gain in gains),
        "worse": sum(gain < 0 for gain in gains),
        "score": float(np.mean(gains)) if gains else None,
        "final_equity": warm[-1].final_equity - cold[-1].final_equity,
    }
