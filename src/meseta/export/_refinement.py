"""What TradeStation found in a run's range files, ranked."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from meseta.errors import ArgumentError, DataError
from meseta.export._refinement_metrics import COLUMNS, METRICS, OPTIONAL, ranked, scored
from meseta.export._refinement_run import read_origin
from meseta.export._refinement_text import (
    fields_of,
    headings,
    input_key,
    key,
    parse_number,
    printable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from meseta._types import FloatArray
    from meseta.export._refinement_run import Basis, Job, Origin

__all__ = ["FileRead", "Refinement", "refine"]

_NAME = re.compile(r"Refinement_(.+)_rank([0-9]{1,6})_(.+)\.csv", re.IGNORECASE)
_TEST_KEYS = ("testnum", "test", "testnumber")
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """One results file and the range file that it belongs to.

    Attributes
    ----------
    name
        The file's name.
    job
        The range file.
    rows
        Combinations in it.
    """

    name: str
    job: Job
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """The ranked combinations of all results files of one symbol.

    Attributes
    ----------
    run
        Name of the run.
    created
        When the run was begun, UTC.
    symbol
        The symbol that TradeStation tested.
    basis
        Years and capital behind annual figures, and where they come from.
    files
        What was read.
    inputs
        By strategy, its inputs in order.
    tables
        By strategy, its combinations from the best: ``rank``, ``rank_sum``, ``plateau``,
        ``test``, the metrics and their ranks, the reported figures, and a column per input.
        Null where a figure is undefined.
    overall
        All combinations ranked together, without inputs: sums of ranks among different numbers
        of combinations cannot be compared. ``strategy_rank`` is the rank in its strategy.
    warnings
        What the user must know.
    """

    run: str
    created: datetime
    symbol: str
    basis: Basis
    files: tuple[FileRead, ...]
    inputs: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, pl.DataFrame]
    overall: pl.DataFrame
    warnings: tuple[str, ...]


class _Result(NamedTuple):
    """A results file by its name."""

    path: Path
    job: Job
    symbols: str


class _Place(NamedTuple):
    """Where a results file has what."""

    result: _Result
    columns: dict[str, int]
    inputs: dict[str, int]


def refine(
    run: Path,
    results: Path,
    *,
    symbol: str | None = None,
    years: float | None = None,
    capital: float | None = None,
) -> Refinement:
    """Rank what TradeStation found in a run's range files.

    Parameters
    ----------
    run
        The run's folder.
    results
        Folder of ``Refinement_<STRATEGY>_rank<N>_<SYM>.csv`` files, also
        ``..._<SYM>_<SYM2>.csv`` for strategies of two symbols.
    symbol
        Which symbol's files; needed when there are several symbols'.
    years
        Years that TradeStation optimised over; None takes the span of the run's data.
    capital
        Money at the start; None takes the run's.

    Raises
    ------
    ArgumentError
        `results` is no folder or holds no results of the run, `symbol` is missing or unknown, or
        `years` or `capital` is not positive.
    DataError
        A results file lacks columns, has a line that cannot be read, or holds values outside its
        range file, so that it is of another run.
    RunError
        The run is not finished, has no range files, or is damaged.
    """
    origin = read_origin(run, years=years, capital=capital)
    found, strangers = _find(results, origin.jobs)
    chosen, symbol = _choose(found, symbol)
    frames = [_read(place) for place in _locate(chosen)]
    files = tuple(
        FileRead(name=printable(result.path.name), job=result.job, rows=frame.height)
        for result, frame in zip(chosen, frames, strict=True)
    )
    if not any(file.rows for file in files):
        raise DataError(f"the results in {results} hold no combination, only headings")
    tables = _tables(files, frames, origin)
    return Refinement(
        run=origin.name,
        created=origin.created,
        symbol=printable(symbol),
        basis=origin.basis,
        files=files,
        inputs={file.job.strategy: file.job.inputs for file in files},
        tables=tables,
        overall=_overall(tables),
        warnings=(*_warnings(origin.jobs, files, strangers, tables), *origin.notes),
    )


def _tables(
    files: Sequence[FileRead], frames: Sequence[pl.DataFrame], origin: Origin
) -> dict[str, pl.DataFrame]:
    """Score and rank each strategy's combinations, in the order of the run's range files."""
    basis, by_strategy = origin.basis, dict[str, list[pl.DataFrame]]()
    for file, frame in sorted(
        zip(files, frames, strict=True), key=lambda pair: origin.jobs.index(pair[0].job)
    ):
        by_strategy.setdefault(file.job.strategy, []).append(frame)
    return {
        strategy: ranked(scored(pl.concat(parts), years=basis.years, capital=basis.capital))
        for strategy, parts in by_strategy.items()
    }


def _find(results: Path, jobs: Sequence[Job]) -> tuple[list[_Result], list[str]]:
    """Return the results of the run's range files, and the names of other results files."""
    folder = printable(str(results))
    if not results.is_dir():
        raise ArgumentError(f"`results` must be a folder that exists, got {folder}")
    try:
        paths = sorted(results.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    by_name = {(job.strategy.casefold(), job.rank): job for job in jobs}
    found, strangers = [], []
    for path in paths:
        name = _NAME.fullmatch(path.name)
        job = by_name.get((name[1].casefold(), int(name[2]))) if name else None
        if name and job:
            found.append(_Result(path, job, name[3]))
        elif path.name.lower().startswith("refinement_") and path.suffix.lower() == ".csv":
            strangers.append(printable(path.name))
    if not found:
        other = f"; it holds {', '.join(strangers)}" if strangers else ""
        wanted = f"Refinement_{jobs[0].strategy}_rank{jobs[0].rank}_<SYMBOL>.csv"
        raise ArgumentError(
            f"`results` must hold results of the run's range files, such as {wanted}, and "
            f"{folder} holds none{other}"
        )
    return found, strangers


def _choose(found: Sequence[_Result], symbol: str | None) -> tuple[list[_Result], str]:
    """Return the results of one symbol, and the symbol."""
    symbols = _symbols(found)
    if symbol is None and len(symbols) > 1:
        raise ArgumentError(
            f"`symbol` must say which of {', '.join(map(printable, symbols))} to rank: "
            "there are results of each"
        )
    asked = symbols[0] if symbol is None else symbol
    chosen = [result for result in found if _is_of(result, asked)]
    if not chosen:
        raise ArgumentError(
            f"`symbol` must be one of {', '.join(map(printable, symbols))}, got {asked!r}"
        )
    for one, other in itertools.combinations(chosen, 2):
        if one.job is other.job:
            raise DataError(
                f"{printable(one.path.name)} and {printable(other.path.name)} are both results of "
                f"{one.job.title}; move one of them away"
            )
    return chosen, asked


def _symbols(found: Iterable[_Result]) -> list[str]:
    """Return the symbols tested; a second symbol after ``_`` belongs to dual strategies alone."""
    symbols: dict[str, str] = {}
    for result in sorted(found, key=lambda each: each.job.dual):
        if not any(_is_of(result, known) for known in symbols.values()):
            name = result.symbols.partition("_")[0] if result.job.dual else result.symbols
            symbols.setdefault(name.casefold(), name)
    return list(symbols.values())


def _is_of(result: _Result, symbol: str) -> bool:
    name, asked = result.symbols.casefold(), symbol.casefold()
    return name == asked or (result.job.dual and name.startswith(f"{asked}_"))


def _locate(results: Iterable[_Result]) -> list[_Place]:
    """Find the columns of all files, or say everything that any of them lacks."""
    places, faults = [], []
    for result in results:
        place, missing = _place(result)
        places.append(place)
        if missing:
            faults.append(f"  {printable(result.path.name)}: {', '.join(missing)}")
    if faults:
        way_out = (
            "let TradeStation write the report with all its columns; an input that it did not "
            "optimise must be fixed in the range file"
        )
        raise DataError("\n".join(["columns are missing:", *faults, way_out]))
    return places


def _place(result: _Result) -> tuple[_Place, list[str]]:
    heads = headings(result.path)
    at: dict[str, list[int]] = {}
    named: dict[str, list[int]] = {}
    for position, head in enumerate(heads):
        for keys, found in ((at, key(head)), (named, input_key(head))):
            if found:
                keys.setdefault(found, []).append(position)
    columns = {
        name: _only(at[key(head)], heads, result)
        for name, head in {**COLUMNS, **OPTIONAL}.items()
        if key(head) in at
    }
    test = next((found for found in _TEST_KEYS if found in named), None)
    if test:
        columns["test"] = _only(named[test], heads, result)
    inputs = {
        name: _only(named[key(name)], heads, result)
        for name in result.job.inputs
        if key(name) in named
    }
    missing = [head for name, head in COLUMNS.items() if name not in columns]
    return _Place(result, columns, inputs), missing + _unknown(result.job, inputs)


def _only(positions: Sequence[int], heads: Sequence[str], result: _Result) -> int:
    if len(positions) > 1:
        twice = " and ".join(repr(heads[position]) for position in positions)
        raise DataError(
            f"{printable(result.path.name)} has one column twice: {twice}; keep one of them"
        )
    return positions[0]


def _unknown(job: Job, optimised: Iterable[str]) -> list[str]:
    """List the inputs that are neither a column nor fixed in the range file."""
    fixed = {name for name, limits in job.limits.items() if limits.fixed}
    return [name for name in job.inputs if name not in fixed and name not in optimised]


def _read(place: _Place) -> pl.DataFrame:
    """Return a file's combinations: figures as reported, and every input."""
    job = place.result.job
    wanted = {**place.columns, **{f"input {name}": at for name, at in place.inputs.items()}}
    lines, numbers = _numbers(place.result.path, wanted)
    rows = len(lines)
    _check_figures(place.result, lines, numbers)
    _check_inputs(place, lines, numbers)
    test = numbers.get("test", np.arange(1, rows + 1))
    unknown = np.full(rows, np.nan)
    return pl.DataFrame(
        {
            "strategy": [job.strategy] * rows,
            "plateau": np.full(rows, job.rank),
            "test": test.astype(np.int64),
            "robustness": np.full(rows, job.robustness),
            **{name: numbers.get(name, unknown) for name in (*COLUMNS, *OPTIONAL)},
            **{
                name: numbers[f"input {name}"]
                if name in place.inputs
                else np.full(rows, job.limits[name].low)
                for name in job.inputs
            },
        },
        schema_overrides={"strategy": pl.String},
    )


def _numbers(path: Path, wanted: Mapping[str, int]) -> tuple[list[int], dict[str, FloatArray]]:
    """Return the lines' numbers, and the wanted columns."""
    lines: list[int] = []
    values: dict[str, list[float]] = {name: [] for name in wanted}
    columns = [(at, name, values[name]) for name, at in wanted.items()]
    for line, fields in fields_of(path):
        lines.append(line)
        for at, name, column in columns:
            try:
                column.append(parse_number(fields[at]))
            except ValueError as error:
                raise _wrong(path, line, name, f"{fields[at]!r} is no number") from error
    return lines, {name: np.array(column, np.float64) for name, column in values.items()}


def _wrong(path: Path, line: int, name: str, why: str) -> DataError:
    head = {**COLUMNS, **OPTIONAL, "test": "the test's number"}.get(
        name, name.removeprefix("input ")
    )
    return DataError(f"{printable(path.name)}, line {line}, {head}: {why}")


def _check_figures(
    result: _Result, lines: Sequence[int], numbers: Mapping[str, FloatArray]
) -> None:
    """Refuse figures that cannot be: the file is damaged, or its columns are something else."""
    trades, percent = numbers["trades"], numbers["percent_profitable"]
    test = numbers.get("test", trades)
    rules = [
        (
            "trades",
            "must be a whole number, zero or more",
            (trades < 0) | (trades != np.floor(trades)),
        ),
        ("percent_profitable", "must be 0 to 100", (percent < 0) | (percent > 100)),
        ("average_win", "must be zero or more", numbers["average_win"] < 0),
        ("profit_factor", "must be zero or more", numbers["profit_factor"] < 0),
    ]
    if "test" in numbers:
        whole = (np.abs(test) < 2**53) & (test == np.floor(test))
        rules.append(("test", "must be a whole number", ~whole))
    rules += [
        (name, "must be finite", np.isinf(numbers[name]))
        for name in (*COLUMNS, *OPTIONAL)
        if name in numbers and name != "profit_factor"
    ]
    for name, rule, broken in rules:
        # What is not reported breaks no rule, but for a test's number.
        rows = np.flatnonzero(broken & ((name == "test") | ~np.isnan(numbers[name])))
        if rows.size:
            row = int(rows[0])
            raise _wrong(result.path, lines[row], name, f"{rule}, got {numbers[name][row]:g}")
    _check_percent(result, percent[~np.isnan(percent)])


def _check_percent(result: _Result, known: FloatArray) -> None:
    if known.max(initial=0) <= 1 and np.any((known > 0) & (known < 1)):
        raise DataError(
            f"{printable(result.path.name)}: {COLUMNS['percent_profitable']} must be in percent, "
            "0 to 100, and none is above 1; they look like fractions"
        )


def _check_inputs(place: _Place, lines: Sequence[int], numbers: Mapping[str, FloatArray]) -> None:
    """Refuse values outside the range file, which tell that it is another run's result."""
    for name in place.inputs:
        limits = place.result.job.limits.get(name)
        values = numbers[f"input {name}"]
        if limits is None:
            outside = ~np.isfinite(values)
        else:
            slack = _ROUNDING * max(1.0, abs(limits.low), abs(limits.high))
            outside = ~((values >= limits.low - slack) & (values <= limits.high + slack))
        if outside.any():
            row = int(np.flatnonzero(outside)[0])
            span = "a number" if limits is None else f"{limits.low:g} to {limits.high:g}"
            why = (
                f"must be {span} as in {place.result.job.file}, got {values[row]:g}; "
                "these are results of other ranges than the run's"
            )
            raise _wrong(place.result.path, lines[row], name, why)


def _overall(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Rank the combinations of all strategies together."""
    figures = [*COLUMNS, *OPTIONAL, *(m.name for m in METRICS)]
    common = ["strategy", "plateau", "test", *dict.fromkeys(figures)]
    return ranked(
        pl.concat(table.select(*common, strategy_rank=pl.col("rank")) for table in tables.values())
    )


def _warnings(
    jobs: Sequence[Job],
    files: Sequence[FileRead],
    strangers: Sequence[str],
    tables: Mapping[str, pl.DataFrame],
) -> list[str]:
    read = [file.job for file in files]
    found = [f"{job.file} has no results" for job in jobs if job not in read]
    found += [f"{name} belongs to no range file of the run and was left out" for name in strangers]
    for file in files:
        many = file.job.combinations
        if file.rows != many:
            found.append(
                f"{file.name} holds {file.rows:,} combinations where its ranges have {many:,}; "
                "a report that keeps only the best has been selected before it is ranked"
            )
    undefined = sum(
        table.filter(pl.any_horizontal(pl.col(m.name).is_null() for m in METRICS)).height
        for table in tables.values()
    )
    if undefined:
        found.append(
            f"{undefined:,} combinations have a metric that is undefined, as Formulas says, and "
            "rank last in it"
        )
    if any(table["return_on_account"].is_null().all() for table in tables.values()):
        found.append(f"{OPTIONAL['return_on_account']} is not reported")
    return found
