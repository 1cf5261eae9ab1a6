"""`meseta confirm`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from meseta.cli import _optimize_options as of
from meseta.cli import _options as opt
from meseta.cli._console import count, day, duration, facts, make_console, number, table
from meseta.cli._guard import command
from meseta.cli._progress import watch
from meseta.cli._report import find_run
from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from meseta.confirm import Confirmed
    from meseta.pipeline import ConfirmPlan, ConfirmResult

__all__ = ["confirm_folder", "register"]

Top = Annotated[
    int, typer.Option("--top", "-n", min=1, max=100, metavar="N", help="Best trials to run again.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Processes, each of 500 MB and more. Default: one for each processor but one.",
    ),
]
Timeout = Annotated[
    float,
    typer.Option(metavar="SECONDS", help="A trial that takes longer is ended and not confirmed."),
]
Part = Annotated[
    Literal["in-sample", "out-of-sample"],
    typer.Option(
        help="Which side of the vault's edge; out-of-sample opens the vault once more, and counts."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    examples = (
        "meseta confirm btc\n"
        "meseta confirm runs/btc --top 10 --workers 4\n"
        "meseta confirm btc --part out-of-sample --timeout 1800"
    )
    command(app, "confirm", panel=opt.SEARCH, examples=examples)(_confirm)


def _confirm(
    *,
    study: of.Study,
    top: Top = 5,
    part: Part = "in-sample",
    workers: Workers = None,
    timeout: Timeout = 600.0,
) -> None:
    """Run a study's best hedge grids again on NautilusTrader, an event-driven engine.

    Each trial runs in a process of its own, order by order. Its trades, fees, funding, return and
    drawdown stand beside those of the compiled simulator, and the difference is put down to its
    causes, lot by lot. Needs the extra `nautilus`. Exit code 1 where a trial failed.
    """
    from meseta.confirm import require_engine

    require_engine()
    confirm_folder(find_run(Path(study)), top=top, part=part, workers=workers, timeout=timeout)


def confirm_folder(
    folder: Path,
    *,
    top: int,
    part: Literal["in-sample", "out-of-sample"] = "in-sample",
    workers: int | None = None,
    timeout: float = 600.0,
) -> None:
    """Confirm the best trials of a study's folder, and show how near the two engines are."""
    from meseta import pipeline

    planned = pipeline.plan_confirm(folder, top=top, part=part)
    console = make_console()
    _show_plan(console, planned)
    console.file.flush()
    began = time.monotonic()
    with watch(make_console(stderr=True)) as display:
        try:
            result = pipeline.confirm_study(
                planned, workers=workers, timeout=timeout, progress=display
            )
        except KeyboardInterrupt as error:
            error.add_note("The study is as it was; nothing was written.")
            raise
    _show_result(console, result, time.monotonic() - began)
    _fail_where_one_did(result.confirmed)


def _show_plan(console: Console, plan: ConfirmPlan) -> None:
    from meseta.confirm import ENGINE

    first, stop = plan.problem.span
    time_of = plan.problem.time
    met = sum(trial.feasible for trial in plan.trials)
    facts(
        console,
        [
            ("Study", f"{plan.study.plan.name}: {plan.problem.name}"),
            ("Engine", ENGINE),
            ("Span", f"{plan.part}, {day(time_of[first])} to {day(time_of[stop - 1])}"),
            ("Trials", f"the best {count(len(plan.trials))} of {count(len(plan.study.trials))}"),
        ],
    )
    console.print()
    if met < len(plan.trials):
        console.print(
            f"Note: {met} of these trials meet the constraints, the others miss them by least.",
            soft_wrap=True,
        )


def _show_result(console: Console, result: ConfirmResult, seconds: float) -> None:
    """Print both engines side by side, why they differ, and where it is written."""
    heads = ("trial", "engine", "trades", "fees", "funding", "return", "drawdown", "equity")
    rows = [row for each in result.confirmed for row in _rows(each)]
    table(console, "Compiled against event-driven", heads, rows, left=2)
    _show_causes(console, result.confirmed)
    if result.summary["vault_opened"]:
        console.print(f"Openings of this vault so far: {result.summary['vault_opened']}.")
    console.print(result.summary["verdict"], soft_wrap=not console.is_terminal)
    console.print(f"\nDone in {duration(seconds)}: {result.plan.study.folder}", soft_wrap=True)
    if result.report is not None:
        console.print(f"Report: {result.report}", soft_wrap=True)


def _rows(each: Confirmed) -> Iterator[tuple[str, ...]]:
    ours, theirs = each.compiled_metrics, each.engine_metrics
    names = ("trades", "fees", "funding", "total_return", "max_drawdown", "final_equity")
    have = [float(getattr(ours, name)) for name in names]
    yield (str(each.trial), "compiled", *_cells(have))
    if theirs is None:
        yield ("", "NautilusTrader", *["-"] * len(names))
        return
    made = [float(getattr(theirs, name)) for name in names]
    yield ("", "NautilusTrader", *_cells(made))
    yield ("", "difference", *_cells([b - a for a, b in zip(have, made, strict=True)]))


def _cells(values: Sequence[float]) -> list[str]:
    # Fees to the cent and fractions to a thousandth of a per cent: the two are often that near.
    trades, fees, funding, total_return, drawdown, equity = (value + 0.0 for value in values)
    return [
        count(trades),
        _signless(fees, 2),
        _signless(funding, 2),
        f"{_signless(100 * total_return, 3)} %",
        f"{_signless(100 * drawdown, 3)} %",
        _signless(equity, 2),
    ]


def _signless(value: float, digits: int) -> str:
    """Write a number; one that rounds to nothing has no sign."""
    return number(round(value, digits) + 0.0, digits)


def _show_causes(console: Console, confirmed: Sequence[Confirmed]) -> None:
    from meseta.confirm import CAUSES

    rows = [
        (str(each.trial), cause.name, _signless(cause.difference, 2), count(cause.count))
        for each in confirmed
        for cause in each.causes
    ]
    table(console, "Why they differ", ("trial", "cause", "difference", "lots"), rows, left=2)
    found = {name for _, name, *_ in rows}
    for name, meaning in CAUSES.items():
        if name in found:
            console.print(f"{name}: {meaning}", soft_wrap=True)
    if found:
        console.print()


def _fail_where_one_did(confirmed: Sequence[Confirmed]) -> None:
    failed = [f"trial {each.trial} {each.error}" for each in confirmed if each.error]
    if failed:
        raise RunError(
            f"not all trials are confirmed: {'; '.join(failed)}. The others are written; raise "
            "--timeout, or use fewer --workers where memory is short"
        )
