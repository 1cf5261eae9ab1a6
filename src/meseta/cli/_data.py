"""`meseta data`: getting market data, looking at them, and making coarser bars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meseta.cli import _data_fetch, _data_import, _data_login, _data_store
from meseta.cli import _options as opt
from meseta.cli._console import count, day, facts, make_console, table
from meseta.cli._guard import command
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.bars import Bars

__all__ = ["register"]

File = Annotated[
    str,
    typer.Argument(metavar="FILE", help="A data file, sample:nasdaq, or - for standard input."),
]


def register(app: typer.Typer) -> None:
    """Add the group to `app`."""
    group = typer.Typer(
        no_args_is_help=True,
        help="Fetch, import and keep market data, look at it, make coarser bars.",
    )
    examples = (
        "meseta data check QQQ.csv\n"
        "meseta data check export.txt --timezone America/New_York --date-order mdy\n"
        "meseta data check sample:nasdaq"
    )
    command(group, "check", examples=examples)(_check)
    examples = (
        "meseta data resample CL_15m.csv --size 360m --out CL_360m.parquet "
        "--timezone America/New_York --allow-nonpositive\n"
        "meseta data resample QQQ_5m.csv --size 1d --out QQQ_daily.parquet\n"
        "meseta data resample export.txt --size 90m --session-open 09:00 --out TQQQ_90m.parquet"
    )
    command(group, "resample", examples=examples)(_resample)
    _data_fetch.register(group)
    _data_import.register(group)
    _data_store.register(group)
    _data_login.register(group)
    app.add_typer(group, name="data", rich_help_panel="Look things up")


def _check(
    *,
    file: File,
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


def _resample(
    *,
    file: File,
    size: Annotated[
        str,
        typer.Option(
            metavar="SIZE", help="Length of the new bars: 30m, 360m, 6h and the like, 1d or 1w."
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Parquet file to write, or to replace.")
    ],
    timezone: opt.Timezone = None,
    date_order: opt.DateOrder = None,
    allow_nonpositive: opt.Nonpositive = None,
    session_open: opt.SessionOpen = None,
) -> None:
    """Join bars to coarser ones, session by session.

    Bars are counted from the opening of each session and do not cross its end: where a session
    ends before a bar is full, the bar is kept and marked as a stub. The file that is written
    loads anywhere a data file does, with its time zone.
    """
    from meseta.bars import load, resample, save

    _require_parquet(out, file)
    bars = load(
        file,
        timezone=timezone,
        date_order=date_order,
        allow_nonpositive=bool(allow_nonpositive),
    )
    made = resample(bars, size, opens=session_open)
    save(made, out)
    console = make_console()
    stubs = 0 if made.stubs is None else int(made.stubs.sum())
    made_of = ("Made of", f"{count(len(bars))} bars of {bars.bar_size}")
    facts(console, [*_facts(made), made_of, ("Stubs", count(stubs)), ("Written", str(out))])


def _require_parquet(out: Path, file: str) -> None:
    if out.suffix.lower() != ".parquet":
        raise ArgumentError(f"`--out` must name a Parquet file, such as bars.parquet; got {out}")
    if out.exists() and Path(file).exists() and out.samefile(file):
        raise ArgumentError(f"`--out` must not be the file that is read, got {out}")


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
