"""`meseta data`: looking at market data before a run uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from meseta.cli import _options as opt  # noqa: TC001 - Typer reads annotations
from meseta.cli._console import count, day, facts, make_console, table
from meseta.cli._guard import command

if TYPE_CHECKING:
    from meseta.bars import Bars

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    group = typer.Typer(no_args_is_help=True, help="Look at market data.")
    examples = (
        "meseta data check QQQ.csv\n"
        "meseta data check export.txt --timezone America/New_York --date-order mdy\n"
        "meseta data check sample:nasdaq"
    )
    command(group, "check", examples=examples)(_check)
    app.add_typer(group, name="data", rich_help_panel="Look things up")


def _check(
    *,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A data file, sample:nasdaq, or - for standard input."
        ),
    ],
    timezone: opt.Timezone = None,
    date_order: opt.DateOrder = None,
    allow_nonpositive: opt.Nonpositive = None,
) -> None:
    """Show what a data file holds and everything that is wrong with it.

    Exit code 1 means that a fault stops the data from being used; suspicious things alone do not.
    """
    from meseta.bars import check

    console = make_console()
    report = check(
        file,
        timezone=timezone,
        date_order=date_order,
        allow_nonpositive=bool(allow_nonpositive),
    )
    known = _facts(report.bars) if report.bars else []
    facts(console, [("Source", report.source), ("Rows", count(report.rows)), *known])
    console.print()
    for title, found in (
        ("Faults (they stop a run)", report.faults),
        ("Suspicious (a run goes on)", report.findings),
    ):
        rows = [(finding.code, finding.message) for finding in found]
        table(console, title, ("kind", "what"), rows, left=2, wrap=("what",))
    if report.faults:
        raise typer.Exit(1)
    if not report.findings:
        console.print("Nothing wrong, nothing suspicious.")


def _facts(bars: Bars) -> list[tuple[str, str]]:
    span = bars.calendar
    return [
        ("Name", bars.name),
        ("Bars", f"{count(len(bars))} of {bars.bar_size}"),
        ("Sessions", f"{count(span.sessions)}{_opening(bars)}"),
        ("From", f"{day(bars.time[0])} to {day(bars.time[-1])} ({span.years:.2f} years)"),
        ("Time zone", f"{bars.timezone}, times mark the {bars.stamp} of a bar"),
        ("Prices", f"{bars.low.min():,g} to {bars.high.max():,g}, last close {bars.close[-1]:,g}"),
        ("Volume", "yes" if bars.volume is not None else "none"),
        ("Fingerprint", bars.fingerprint),
    ]


def _opening(bars: Bars) -> str:
    from meseta.bars import session_open

    if bars.bar_minutes is None:
        return ""
    opens = session_open(bars)
    evening = " on the evening before" if opens < 0 else ""
    return f", from {opens % 1440 // 60:02}:{opens % 60:02}{evening}"
