"""Whether the search's tables give what single back-tests give."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meseta.account import Account
from meseta.checking._compare import Difference
from meseta.checking._examples import draw_values, smooth_market
from meseta.engine import Window, backtest
from meseta.search import Problem, levels_for
from meseta.search._walks import evaluate_tile, walk_rows
from meseta.selection import Gates
from meseta.strategies import Grid

if TYPE_CHECKING:
    from meseta._types import FloatArray
    from meseta.strategies import SeparableStrategy as Strategy
    from meseta.strategies._separable import Values

__all__ = ["Searched", "problem_of", "searched_totals", "tables_agree"]

_BARS = 320
# Combinations of a grid, and how many of them are traded one by one.
_MOST, _TRADED = 96, 24
_ROUNDING = 1e-9
_FIELDS = ("profit", "profit", "number of trades", "number of trades", "drawdown", "drawdown")


class Searched(NamedTuple):
    """Some combinations from a search's tables.

    Parameters
    ----------
    flats
        Their numbers in the grid, int64, shape (n,).
    totals
        Profit, trades and drawdown, in-sample and out-of-sample by turns, shape (n, W, 6).
    scored
        Out-of-sample profit as the scoring reads it, shape (n, W).
    """

    flats: np.ndarray
    totals: FloatArray
    scored: np.ndarray


def problem_of(strategy: Strategy, rng: np.random.Generator) -> Problem:
    """Return a search of a few combinations over two phases of a random market."""
    bars = smooth_market(strategy, _BARS, rng)
    price = float(np.median(bars.close))
    gates = Gates()
    return Problem(
        bars=bars,
        strategy=strategy,
        grid=_grid(strategy, rng),
        windows=(Window(40, 160, 230), Window(100, 230, _BARS)),
        account=Account(
            capital=100 * price, commission=0.001, slippage=0.0003 * price, cost_per_share=0.01
        ),
        warmup=0,
        levels=levels_for(gates),
        min_drawdown=gates.min_drawdown,
    )


def _grid(strategy: Strategy, rng: np.random.Generator) -> Grid:
    """Return a grid of one or two values for each parameter."""
    one, other = (draw_values(strategy.parameters, rng) for _ in range(2))
    values = {name: (value,) for name, value in one.items()}
    size = 1
    for name in rng.permutation(list(one)).tolist():
        if other[name] != one[name] and 2 * size <= _MOST:
            values[name] = tuple(sorted((one[name], other[name])))  # type: ignore[assignment]
            size *= 2
    return Grid("check", values)


def searched_totals(problem: Problem, rng: np.random.Generator) -> Searched:
    """Search a whole grid and return some combinations of every tile."""
    parts = []
    for tile in problem.tiles():
        result = evaluate_tile(problem, tile)
        exits, sets = problem.exit_offsets(tile), problem.set_offsets(tile)
        many = min(exits.size * sets.size, max(1, _TRADED // len(problem.tiles())))
        picked = rng.permutation(exits.size * sets.size)[:many]
        x, e = np.divmod(picked, sets.size)
        tables = result.table_of[problem.members(tile)[x]]
        totals, _ = walk_rows(problem, tile, result.table_of, tables, e)
        same = rng.choice(problem.inert, many)
        parts.append((exits[x] + sets[e] + same, totals, result.oos[tables, e]))
    return Searched(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def tables_agree(strategy: Strategy, seed: int, number: int) -> tuple[Difference, Values] | None:
    """Search a small grid, trade some of its combinations one by one, and compare."""
    rng = np.random.default_rng([seed, number, 2])
    problem = problem_of(strategy, rng)
    try:
        found = searched_totals(problem, rng)
    except KeyError as error:
        return Difference(
            f"a part of the strategy reads parameter {error}, which is not among that part's: "
            "`orders` may read those named in shared and entry, `protections` shared and stop, "
            "`leaves` and `clears` shared, `factor` factor"
        ), problem.grid.point(0)
    for flat, totals, scored in zip(*found, strict=True):
        p = problem.grid.point(int(flat))
        for window, total, score in zip(problem.windows, totals, scored, strict=True):
            wrong = _unequal(problem, p, window, [*total.tolist(), float(score)])
            if wrong is not None:
                return wrong, p
    return None


def _unequal(problem: Problem, p: Values, window: Window, found: list[float]) -> Difference | None:
    """Compare totals and score with a back-test's report."""
    strategy, account = problem.strategy, problem.account
    report = backtest(problem.bars, strategy, p, window, account, warmup=problem.warmup).report
    expected = [*report, report.oos_pnl]
    scale = max(map(abs, expected)) + 1.0
    tolerances = [_ROUNDING * scale] * len(report) + [1e-6 * scale]
    fields = (*_FIELDS, "profit")
    for field, one, other, near in zip(fields, expected, found, tolerances, strict=True):
        if abs(one - other) > near:
            return Difference(
                f"the search finds another {field} than a back-test of the same parameters on "
                f"bars {window.start} to {window.stop - 1}: a part of the strategy depends on a "
                "parameter that is not among that part's",
                None,
                (("search", f"{other!r}"), ("back-test", f"{one!r}")),
            )
    return None
