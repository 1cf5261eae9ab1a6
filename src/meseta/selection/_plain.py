"""Gates, ranks and stability in a few lines of NumPy each, written to be read against the rules.

The search has compiled versions for tens of millions of combinations; these are what the
compiled versions are tested against, and what a caller with a handful of rows can use.

Everywhere a row may stand for several grid combinations that behave alike; `weights` says for
how many, and all counts and ranks are over grid combinations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from meseta._types import BoolArray, FloatArray, IntArray
    from meseta.selection._gates import Gates, PhaseTotals

__all__ = ["GATES", "funnel", "gate_masks", "percentile_ranks", "stability", "valid"]

GATES = (
    "is_profit",
    "oos_profit",
    "efficiency",
    "drawdown_to_profit",
    "drawdown_to_in_sample",
    "trades",
)


def gate_masks(totals: PhaseTotals, gates: Gates) -> dict[str, BoolArray]:
    """Return which combinations pass each gate in each phase, each gate on its own.

    Parameters
    ----------
    totals
        Results of the combinations.
    gates
        Thresholds.

    Returns
    -------
    dict
        For each name in `GATES`, in that order, a bool array of shape (combinations, phases). An
        efficiency over an in-sample profit of zero or less is undefined and does not pass. A NaN
        does not pass.
    """
    t = totals
    earned = t.is_pnl > 0
    efficiency = np.divide(t.oos_pnl, t.is_pnl, out=np.full(earned.shape, np.nan), where=earned)
    small = t.oos_maxdd <= gates.min_drawdown
    return {
        "is_profit": earned,
        "oos_profit": t.oos_pnl > 0,
        "efficiency": efficiency > gates.min_efficiency,
        "drawdown_to_profit": small | (t.oos_maxdd < gates.max_drawdown_to_profit * t.oos_pnl),
        "drawdown_to_in_sample": small
        | (t.oos_maxdd < gates.max_drawdown_to_in_sample * t.is_maxdd),
        "trades": (t.is_trades >= gates.min_trades) & (t.oos_trades >= gates.min_trades),
    }


def valid(totals: PhaseTotals, gates: Gates) -> BoolArray:
    """Return where a combination passes every gate; shape (combinations, phases)."""
    passed = np.ones(totals.is_pnl.shape, bool)
    for mask in gate_masks(totals, gates).values():
        passed &= mask
    return passed


def funnel(totals: PhaseTotals, gates: Gates, weights: IntArray | None = None) -> dict[str, Any]:
    """Count what each gate removes alone, and what is left after each in sequence.

    Parameters
    ----------
    totals
        Results of the combinations.
    gates
        Thresholds.
    weights
        How many grid combinations each row stands for, int64, shape (combinations,); None means
        one each.

    Returns
    -------
    dict
        ``phases``: for each phase ``phase`` (from 1), ``combinations``, ``alone`` (removed by
        each gate on its own), ``sequence`` (left after each gate, in the order of `GATES`) and
        ``valid``. ``valid_in``: how many combinations are valid in exactly 0, 1, ... phases, with
        text keys as JSON has them.
    """
    masks = gate_masks(totals, gates)
    rows, phases = totals.is_pnl.shape
    many = np.ones(rows, np.int64) if weights is None else weights
    times = valid(totals, gates).sum(axis=1)
    return {
        "phases": [
            _phase_funnel(p + 1, {name: mask[:, p] for name, mask in masks.items()}, many)
            for p in range(phases)
        ],
        "valid_in": {str(k): int(many[times == k].sum()) for k in range(phases + 1)},
    }


def percentile_ranks(
    oos: FloatArray, passed: BoolArray, weights: IntArray | None = None
) -> FloatArray:
    """Return each combination's percentile by out-of-sample profit among the valid ones.

    Ties share the average of their ranks; the rank is divided by the number of valid grid
    combinations of the phase and multiplied by 100.

    Parameters
    ----------
    oos
        Out-of-sample profit, shape (combinations, phases).
    passed
        Where the combination is valid, same shape.
    weights
        How many grid combinations each row stands for, shape (combinations,); they tie with one
        another. None means one each.

    Returns
    -------
    FloatArray
        Same shape, above 0 and at most 100; NaN where the combination is not valid.
    """
    many = np.ones(len(oos), np.int64) if weights is None else weights
    ranks = np.full(oos.shape, np.nan)
    for p in range(oos.shape[1]):
        rows = np.flatnonzero(passed[:, p])
        _, tie = np.unique(oos[rows, p], return_inverse=True)
        tied = np.zeros(len(rows), np.int64)
        np.add.at(tied, tie, many[rows])
        below = np.cumsum(tied) - tied
        average = below + (tied + 1) / 2
        ranks[rows, p] = average[tie] / max(tied.sum(), 1) * 100
    return ranks


def stability(ranks: FloatArray, passed: BoolArray) -> FloatArray:
    """Return the stability of each combination.

    Mean rank over the valid phases, times ``1 + (valid phases - 1) * 0.1``, times
    ``1 / (1 + population standard deviation of the ranks / 20)``.

    Parameters
    ----------
    ranks
        Percentiles, shape (combinations, phases); read only where valid.
    passed
        Where the combination is valid, same shape.

    Returns
    -------
    FloatArray
        Shape (combinations,); NaN for a combination that is valid nowhere.
    """
    out = np.full(len(ranks), np.nan)
    for row in np.flatnonzero(passed.any(axis=1)):
        r = ranks[row][passed[row]]
        phase_bonus = 1 + (len(r) - 1) * 0.1
        consistency = 1 / (1 + np.std(r) / 20)
        out[row] = np.mean(r) * phase_bonus * consistency
    return out


def _phase_funnel(phase: int, masks: dict[str, BoolArray], many: IntArray) -> dict[str, Any]:
    left = np.ones(len(many), bool)
    sequence: dict[str, int] = {}
    for name, mask in masks.items():
        left = left & mask
        sequence[name] = int(many[left].sum())
    return {
        "phase": phase,
        "combinations": int(many.sum()),
        "alone": {name: int(many[~mask].sum()) for name, mask in masks.items()},
        "sequence": sequence,
        "valid": int(many[left].sum()),
    }
