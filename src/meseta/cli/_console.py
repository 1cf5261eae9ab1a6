"""Where output goes, and how numbers, times and tables are written there."""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "count",
    "day",
    "duration",
    "facts",
    "make_console",
    "money",
    "number",
    "share",
    "size",
    "table",
]

_PIPED_WIDTH = 160
_UNBOUNDED = 10_000


def make_console(*, stderr: bool = False, least_width: int = 0) -> Console:
    """Return a console that writes text as it is, without wrapping it early into a pipe.

    Parameters
    ----------
    stderr
        Write to standard error instead of standard output.
    least_width
        Characters in a line at least, though a terminal be narrower.
    """
    stream = sys.stderr if stderr else sys.stdout
    console = Console(file=stream, markup=False, highlight=False, emoji=False)
    piped = not stream.isatty() and "COLUMNS" not in os.environ
    console.width = max(_PIPED_WIDTH if piped else console.width, least_width)
    return console


def table(
    console: Console,
    title: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int = 1,
    wrap: Sequence[str] = (),
) -> None:
    """Print a table; nothing where it has no rows.

    Parameters
    ----------
    console
        Where to.
    title
        Line above it.
    heads, rows
        Column names, and text for each of them.
    left
        How many columns, from the first, are aligned left; numbers stand right.
    wrap
        Names of the columns whose text may go over several lines.
    """
    listed = list(rows)
    if not listed:
        return
    grid = Table(
        box=None,
        title=title or None,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for at, head in enumerate(heads):
        least = 0 if head in wrap else max(cell_len(row[at]) for row in (heads, *listed))
        justify: Any = "left" if at < left or head in wrap else "right"
        grid.add_column(head, justify=justify, no_wrap=head not in wrap, min_width=least)
    for row in listed:
        grid.add_row(*row)
    # A table too wide for a terminal goes over its edge: cut off numbers would be wrong numbers.
    options = console.options.update(width=_UNBOUNDED)
    wide = make_console(least_width=Measurement.get(console, options, grid).minimum)
    with wide.capture() as drawn:
        wide.print(grid)
    # Rich fills lines with blanks, which are a nuisance in files and pipes.
    lines = [line.rstrip() for line in drawn.get().splitlines()]
    console.file.write("\n".join([*lines, "", ""]))


def facts(console: Console, pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and texts in two columns."""
    listed = list(pairs)
    width = max(len(name) for name, _ in listed)
    for name, text in listed:
        console.print(f"{name:<{width}}  {text}", soft_wrap=True)


def count(value: float | None) -> str:
    """Write a whole number with thousands separators."""
    return "-" if value is None else f"{value:,.0f}"


def money(value: float | None) -> str:
    """Write money in whole units."""
    return count(None if value is None or not math.isfinite(value) else value + 0.0)


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with a fixed number of decimals."""
    missing = value is None or not math.isfinite(value)
    return "-" if missing else f"{value:,.{digits}f}"


def share(value: float | None) -> str:
    """Write a fraction as a percentage."""
    missing = value is None or not math.isfinite(value)
    return "-" if missing else f"{value:.1%}".replace("%", " %")


def duration(seconds: float) -> str:
    """Write a time span in its two largest units."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def size(bytes_: float) -> str:
    """Write a number of bytes in powers of a thousand."""
    for unit in ("B", "kB", "MB"):
        if bytes_ < 1000:
            return f"{bytes_:.0f} {unit}"
        bytes_ /= 1000
    return f"{bytes_:,.1f} GB"


def day(moment: Any) -> str:
    """Write a datetime64 as a date, with the time where it is not midnight."""
    text = str(moment).replace("T", " ")[:16]
    return text.removesuffix(" 00:00")
