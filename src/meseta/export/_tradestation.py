"""Range files for TradeStation: where its own optimiser shall look around each plateau.

A range file has one row per EasyLanguage input in the strategy's order. Inputs of the first tier
are searched between the least and the greatest value of a plateau's best combinations; the others
are fixed. The programs in use choose some steps differently; the rules here are:

======================================  ====================================================
input                                   step of its search
======================================  ====================================================
multipliers, thresholds, Hull lengths   the fine step, also for ATRBuyMultiplier of the Hull
                                        strategies (elsewhere the coarse step)
periods                                 a third of the coarse step, rounded, at least 1; also
                                        for ATR_Smooth_Period (elsewhere the coarse step)
others of the first tier                the coarse step
======================================  ====================================================

Trend_Filter_Period is not searched.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from meseta._files import write_text
from meseta.errors import ArgumentError
from meseta.strategies._parameters import exact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import polars as pl

    from meseta.strategies._grids import Grid
    from meseta.strategies._parameters import Parameter

__all__ = [
    "CONFIG_FILE",
    "Range",
    "RangeFile",
    "refinement_ranges",
    "write_config",
    "write_ranges",
]

CONFIG_FILE = "phase5_refine_config.csv"

_FINE = frozenset(
    {
        "ATR_Multiplier",
        "ATRBuyMultiplier",
        "HMA_Fast_Length",
        "HMA_Slow_Length",
        "Short_Multiplier",
        "Trend_Veto_Threshold",
    }
)
_THIRD_OF_COARSE = frozenset({"ATR_Period", "ATRBuy_Period", "ATR_Smooth_Period"})
_COARSE = frozenset({"BB_Deviation", "Entry_Mode", "Min_Tightening"})
_SEARCHED = _FINE | _THIRD_OF_COARSE | _COARSE
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What one TradeStation input gets.

    Attributes
    ----------
    parameter
        Python name.
    input
        EasyLanguage name.
    low, high, step
        Search from `low` to `high`; equal for a fixed input, whose step is 1.
    searched
        Whether the input is of the first tier.
    clamped
        Whether the best combinations lie partly outside what the input accepts, so that the
        range cannot hold them all.
    """

    parameter: str
    input: str
    low: float
    high: float
    step: float
    searched: bool
    clamped: bool = False

    @property
    def row(self) -> str:
        """The range file's line: ``ATR_Period,4,28,8``."""
        numbers = (_number(value) for value in (self.low, self.high, self.step))
        return ",".join((self.input, *numbers))

    def to_dict(self) -> dict[str, Any]:
        """Return the range as `plateaus.json` has it; ``value`` for fixed inputs alone."""
        found = {
            "min": self.low,
            "max": self.high,
            "step": self.step,
            "tier": 1 if self.searched else 2,
        }
        return found if self.searched else found | {"value": self.low}


@dataclass(frozen=True, slots=True)
class RangeFile:
    """A range file that was written, for the configuration that lists them.

    Parameters
    ----------
    strategy
        The strategy's name in TradeStation: ``"ATR-D-v1.5-L"``.
    rank
        The plateau's rank.
    file
        The file's name, without its folder.
    """

    strategy: str
    rank: int
    file: str

    @property
    def short_enabled(self) -> bool:
        """Whether the strategy sells short."""
        return self.strategy.endswith("-LS")

    @property
    def dual_symbol(self) -> bool:
        """Whether the strategy reads a second symbol."""
        return "-DualS-" in self.strategy


def refinement_ranges(
    top: pl.DataFrame, strategy_parameters: Sequence[Parameter], grid: Grid
) -> list[Range]:
    """Return the range of every input around a plateau's best combinations.

    Searched inputs run from the least to the greatest value, both clamped to what the input
    accepts; equal ones are widened by one fine step each way. Fixed inputs take the median; a
    median that is no value of the grid was never tested, so the most frequent value (the least of
    several) takes its place.

    Parameters
    ----------
    top
        A column per parameter, a row per combination (`Plateau.top`).
    strategy_parameters
        The strategy's parameters in order, each with its TradeStation input.
    grid
        The grid that was searched.

    Raises
    ------
    ArgumentError
        `top` is empty or lacks a parameter, or a parameter has no TradeStation input or steps.
    """
    if top.is_empty():
        raise ArgumentError("refinement ranges need at least one combination, got none")
    missing = [p.name for p in strategy_parameters if p.name not in top.columns]
    if missing:
        raise ArgumentError(f"the combinations lack the parameters {', '.join(missing)}")
    return [_range(p, top[p.name], grid.values[p.name]) for p in strategy_parameters]


def write_ranges(folder: Path, strategy: str, rank: int, ranges: Iterable[Range]) -> RangeFile:
    """Write ``phase5_refine_{strategy}_rank{rank}.csv`` and return its description.

    Parameters
    ----------
    folder
        Made when missing.
    strategy
        The strategy's name in TradeStation.
    rank
        The plateau's rank.
    ranges
        One per input, in the strategy's order.

    Raises
    ------
    ArgumentError
        `strategy` is no plain name, so the reader, which splits at commas, would lose its place.
    RunError
        The file cannot be written.
    """
    if not _PLAIN_NAME.fullmatch(strategy):
        raise ArgumentError(
            f"a TradeStation strategy's name must be letters, digits, '.', '_' and '-', "
            f"got {strategy!r}"
        )
    file = f"phase5_refine_{strategy}_rank{rank}.csv"
    write_text(folder / file, _lines("ParameterName,Min,Max,Step", (r.row for r in ranges)))
    return RangeFile(strategy, rank, file)


def write_config(folder: Path, files: Iterable[RangeFile]) -> Path:
    """Write ``phase5_refine_config.csv``, the list of range files, and return its path.

    Parameters
    ----------
    folder
        Where the range files are.
    files
        The range files of all strategies of the run, in the order of their jobs.

    Raises
    ------
    RunError
        The file cannot be written.
    """
    header = "JobNum,StrategyName,StrategyFile,RangeFile,Rank,ShortEnabled,IsDualSymbol"
    rows = (
        f"{job},{f.strategy},_{f.strategy},{f.file},{f.rank},"
        f"{int(f.short_enabled)},{int(f.dual_symbol)}"
        for job, f in enumerate(files, start=1)
    )
    path = folder / CONFIG_FILE
    write_text(path, _lines(header, rows))
    return path


def _range(parameter: Parameter, values: pl.Series, grid_values: tuple[float, ...]) -> Range:
    searched = parameter.tradestation in _SEARCHED
    found = _extremes(values) if searched else (_typical(values, grid_values),) * 2
    low, high = (_clamp(parameter, value) for value in found)
    if searched and low == high:
        low, high = _widened(parameter, low)
    return Range(
        parameter=parameter.name,
        input=_input(parameter),
        low=parameter.check(low),
        high=parameter.check(high),
        step=_step(parameter) if searched else 1,
        searched=searched,
        clamped=any(_clamp(parameter, value) != value for value in found),
    )


def _extremes(values: pl.Series) -> tuple[float, float]:
    numbers: list[float] = values.to_list()
    return min(numbers), max(numbers)


def _typical(values: pl.Series, grid_values: tuple[float, ...]) -> float:
    """Return the median, or the mode where the median is no value of the grid."""
    median = values.median()
    if median in grid_values:
        return grid_values[grid_values.index(median)]
    numbers: list[float] = values.to_list()
    counts = Counter(numbers)
    most = max(counts.values())
    return min(value for value, count in counts.items() if count == most)


def _clamp(parameter: Parameter, value: float) -> float:
    low, high = parameter.legal
    return min(max(value, low), high)


def _widened(parameter: Parameter, value: float) -> tuple[float, float]:
    """Return one fine step each way, as decimal numbers, within the legal range."""
    step = exact(_steps(parameter)[0])
    around = (float(exact(value) - step), float(exact(value) + step))
    low, high = (_clamp(parameter, each) for each in around)
    return low, high


def _step(parameter: Parameter) -> float:
    fine, coarse = _steps(parameter)
    if parameter.tradestation in _FINE:
        return fine
    if parameter.tradestation in _THIRD_OF_COARSE:
        return max(1, round(coarse / 3))
    return coarse


def _steps(parameter: Parameter) -> tuple[float, float]:
    if parameter.fine_step is None or parameter.coarse_step is None:
        raise ArgumentError(
            f"`{parameter.name}` needs a fine_step and a coarse_step for a TradeStation range"
        )
    return parameter.fine_step, parameter.coarse_step


def _input(parameter: Parameter) -> str:
    if not parameter.tradestation:
        raise ArgumentError(
            f"`{parameter.name}` has no TradeStation input; only strategies whose parameters all "
            "name one can be exported"
        )
    return parameter.tradestation


def _number(value: float) -> str:
    """Return a number with at most 4 decimals and no needless zeros: 28, 0.25, -0.5."""
    rounded = round(exact(value), 4)
    return format(rounded.normalize() if rounded else Decimal(0), "f")


def _lines(header: str, rows: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in (header, *rows))
