"""What a run handed to TradeStation: its range files, and the plateaus they came from."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meseta.errors import ArgumentError, RunError
from meseta.export._tradestation import CONFIG_FILE
from meseta.runs import RunFolder
from meseta.strategies import strategies

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Basis", "Job", "Limits", "Origin", "read_origin"]

_DAYS_IN_YEAR = 365.25
_SEARCHED_YEARS = (
    "The app that optimises in TradeStation takes the last 10 calendar years unless told "
    "otherwise; give --years if they are not the run's"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The range of one input: `low` to `high` in steps of `step`; equal for a fixed input."""

    low: float
    high: float
    step: float

    @property
    def fixed(self) -> bool:
        """Whether the input has one value, which TradeStation does not report."""
        return self.low == self.high

    @property
    def count(self) -> int:
        """How many values the range has."""
        return 1 if self.fixed else int((self.high - self.low) / self.step + 1e-9) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One range file.

    Attributes
    ----------
    strategy
        The strategy's name in TradeStation.
    rank
        The plateau's rank.
    dual
        Whether the strategy reads a second symbol.
    file
        The range file's name.
    inputs
        Names of all inputs in the strategy's order.
    limits
        Their ranges.
    robustness
        Share of profitable combinations in the plateau, 0 to 1; NaN where the run knows none.
    """

    strategy: str
    rank: int
    dual: bool
    file: str
    inputs: tuple[str, ...]
    limits: Mapping[str, Limits]
    robustness: float

    @property
    def combinations(self) -> int:
        """How many combinations the ranges have."""
        return math.prod(limits.count for limits in self.limits.values())

    @property
    def title(self) -> str:
        """The strategy and the plateau, in words."""
        return f"{self.strategy}, plateau {self.rank}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """The time and money that annual figures count from, and where they were taken."""

    years: float
    years_from: str
    capital: float
    capital_from: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The run behind the range files.

    Attributes
    ----------
    name
        Name of the run's folder.
    created
        When the run was begun, UTC.
    jobs
        Its range files in their order.
    basis
        Years and capital.
    notes
        What the user must know about the run's data when reading the ranks.
    """

    name: str
    created: datetime
    jobs: tuple[Job, ...]
    basis: Basis
    notes: tuple[str, ...]


def read_origin(run: Path, *, years: float | None, capital: float | None) -> Origin:
    """Read the range files of a finished run.

    Parameters
    ----------
    run
        The run's folder.
    years, capital
        Win over the run's; None takes the run's.

    Raises
    ------
    ArgumentError
        `years` or `capital` is not positive and finite.
    RunError
        The folder holds no finished run, the run has no range files, or a file is damaged.
    """
    for name, value in (("years", years), ("capital", capital)):
        if value is not None and not 0 < value < math.inf:
            raise ArgumentError(f"`{name}` must be positive and finite, got {value!r}")
    folder = RunFolder(run)
    manifest = folder.manifest()
    if manifest.get("status") != "finished":
        raise RunError(f"{run} is not finished; continue it with `meseta run ... --resume`")
    try:
        return Origin(
            name=run.resolve().name,
            created=_moment(manifest["created"]).astimezone(UTC),
            jobs=_jobs(folder, manifest["strategy"]),
            basis=_basis(manifest, years, capital),
            notes=_notes(manifest, years),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise RunError(f"{run} is damaged ({error!r}); run again with --force") from error


def _basis(manifest: Mapping[str, Any], years: float | None, capital: float | None) -> Basis:
    first, last = manifest["data"]["first"], manifest["data"]["last"]
    span = (_moment(last) - _moment(first)).total_seconds() / 86400 / _DAYS_IN_YEAR
    if years is None and span <= 0:
        raise ArgumentError("the run's data span no time; give the optimised years with --years")
    return Basis(
        years=years or span,
        years_from="--years" if years else f"the run's data, {first[:10]} to {last[:10]}",
        capital=capital or float(manifest["account"]["capital"]),
        capital_from="--capital" if capital else "the run's account",
    )


def _notes(manifest: Mapping[str, Any], years: float | None) -> tuple[str, ...]:
    notes = [] if years else [_SEARCHED_YEARS]
    vault = manifest.get("vault")
    if vault:
        notes.append(
            f"Where TradeStation's data reach past {vault['first'][:10]}, this ranking has seen "
            "the vault, and only later data can test what it chose"
        )
    return tuple(notes)


def _jobs(folder: RunFolder, main: str) -> tuple[Job, ...]:
    path = folder.path / "exports" / CONFIG_FILE
    rows = _table(path)
    if not rows:
        raise RunError(f"{path} lists no range file: the run found no plateau to refine")
    return tuple(_job(folder, main, row) for row in rows)


def _job(folder: RunFolder, main: str, row: Mapping[str, str]) -> Job:
    known = {each.tradestation_name: each for each in strategies().values()}
    strategy, rank, file = known.get(row["StrategyName"]), int(row["Rank"]), row["RangeFile"]
    if strategy is None:
        raise ValueError(f"no strategy is called {row['StrategyName']!r} in TradeStation")
    if Path(file).name != file:
        raise ValueError(f"{file!r} is no file's name")
    ranges = _table(folder.path / "exports" / file)
    limits = {each["ParameterName"]: _limits(each) for each in ranges}
    own = folder if strategy.name == main else RunFolder(folder.path / "variants" / strategy.name)
    return Job(
        strategy=strategy.tradestation_name,
        rank=rank,
        dual=row["IsDualSymbol"] == "1",
        file=file,
        inputs=tuple(dict.fromkeys([*(p.tradestation for p in strategy.parameters), *limits])),
        limits=limits,
        robustness=_robustness(own, rank),
    )


def _limits(row: Mapping[str, str]) -> Limits:
    found = Limits(float(row["Min"]), float(row["Max"]), float(row["Step"]))
    if not (-math.inf < found.low <= found.high < math.inf and 0 < found.step < math.inf):
        raise ValueError(f"no range of {row['ParameterName']}")
    return found


def _robustness(folder: RunFolder, rank: int) -> float:
    for plateau in folder.plateaus()["plateaus"]:
        if plateau["rank"] == rank:
            share = plateau["profitable_share"]
            return math.nan if share is None else float(share)
    raise ValueError(f"{folder.path / 'plateaus.json'} has no plateau {rank}")


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.DictReader(stream))
    except (OSError, UnicodeError, csv.Error) as error:
        raise RunError(f"{path} cannot be read: {error}; run again with --force") from error


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
