"""`meseta check-strategy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meseta.cli import _options as opt  # noqa: TC001 - Typer reads annotations
from meseta.cli._console import day, make_console, table
from meseta.cli._guard import command

if TYPE_CHECKING:
    from rich.console import Console

    from meseta.bars import Bars
    from meseta.checking import Failure, Finding

__all__ = ["register"]

_MARKS = {"pass": "PASS", "fail": "FAIL", "warning": "WARNING", "skipped": "skipped"}
# Bars shown before and after the one that a failure is about.
_BEFORE, _AFTER = 5, 3


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    examples = (
        "meseta check-strategy my_strategy.py\n"
        "meseta check-strategy my_strategy.py:donchian --examples 500 --bars QQQ.csv\n"
        "meseta check-strategy atr_d_l --seed 7"
    )
    panel = "Look things up"
    command(app, "check-strategy", panel=panel, examples=examples)(_check_strategy)


def _check_strategy(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE[:NAME]", help="A strategy, or a Python file with one."),
    ],
    *,
    examples: Annotated[
        int, typer.Option(metavar="N", min=1, help="Random back-tests for each promise.")
    ] = 100,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Which random back-tests.")] = 0,
    bars: opt.Bars = None,
    bars2: opt.Bars2 = None,
) -> None:
    """Check that a strategy keeps what every engine and search relies on.

    On random markets, and on pieces of --bars where given: its rules say the same when asked
    twice, read no future bar and no more history than declared, trade alike in both engines, and
    the search's tables give what single back-tests give. A kernel strategy orders the same when
    asked twice, reads no future bar, trades alike in both engines, and goes on as before when
    its parameters change to the same ones. A broken promise is shown by the smallest example
    found. Exit code 1 means that one is broken; warnings alone do not.
    """
    from meseta.checking import check_strategy
    from meseta.strategies import find_strategy

    console = make_console()
    strategy = find_strategy(name)
    series = _series(bars, bars2)
    where = (
        "random markets" if series is None else f"random markets and on pieces of {series.name}"
    )
    console.print(f"Checking {strategy.name} on {where} ...", soft_wrap=True)
    failed: list[Finding] = []
    warned = 0
    for finding in check_strategy(strategy, examples=examples, seed=seed, bars=series):
        mark = _MARKS[finding.status]
        console.print(f"{mark:<8} {finding.title:<30} {finding.detail}", soft_wrap=True)
        warned += finding.status == "warning"
        if finding.failure is not None:
            failed.append(finding)
    for finding in failed:
        if finding.failure is not None:
            _show(console, finding.title, finding.failure)
    console.print()
    if not failed:
        but = f"; {warned} warning{'s'[: warned > 1]}" if warned else ""
        console.print(f"{strategy.name} keeps the contract{but}.", soft_wrap=True)
        return
    again = f"meseta check-strategy {name} --examples {examples} --seed {seed}"
    given = "".join(
        f" {option} {path}" for option, path in (("--bars", bars), ("--bars2", bars2)) if path
    )
    console.print(f"The same examples again: {again}{given}", soft_wrap=True)
    raise typer.Exit(1)


def _series(bars: str | None, bars2: str | None) -> Bars | None:
    """Return the user's series, with its second symbol."""
    from meseta.bars import load, pair
    from meseta.errors import ArgumentError

    if bars is None:
        if bars2 is not None:
            raise ArgumentError("--bars2 goes with --bars; give the traded symbol there")
        return None
    one = load(bars)
    return one if bars2 is None else pair(one, load(bars2))


def _show(console: Console, title: str, failure: Failure) -> None:
    """Print the smallest example of a failure."""
    console.print(f"\n{title}: {failure.what}", soft_wrap=True)
    if failure.values is not None:
        told = ", ".join(f"{name}={value}" for name, value in failure.values.items())
        console.print(f"  parameters: {told}", soft_wrap=True)
    for name, value in failure.seen:
        console.print(f"  {name}: {value}", soft_wrap=True)
    if failure.bars is not None:
        console.print(f"  on {len(failure.bars)} bars", soft_wrap=True)
        if failure.bar is not None:
            console.print()
            _around(console, failure.bars, failure.bar)


def _around(console: Console, bars: Bars, bar: int) -> None:
    """Print the bars around one."""
    rows = [
        (
            f"{'>' if t == bar else ' '} {t}",
            day(bars.time[t]),
            *(f"{float(column[t])!r}" for column in (bars.open, bars.high, bars.low, bars.close)),
        )
        for t in range(max(bar - _BEFORE, 0), min(bar + _AFTER + 1, len(bars)))
    ]
    table(console, "", ("bar", "time", "open", "high", "low", "close"), rows, left=2)
