"""Options that say which stored series is meant, or what a file is to become."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

__all__ = ["Basis", "Interval", "Kind", "Source", "Symbol"]

Symbol = Annotated[
    str,
    typer.Argument(metavar="SYMBOL", help="SMH, yahoo/SMH or yahoo/SMH/1d."),
]
Source = Annotated[
    str | None,
    typer.Option("--source", metavar="NAME", help="Where it comes from; files for imported ones."),
]
Interval = Annotated[
    str | None,
    typer.Option("--interval", metavar="SIZE", help="Length of a bar: 1m, 4h, 1d and the like."),
]
Kind = Annotated[
    Literal["bars", "mark", "index", "premium", "funding", "trades"] | None,
    typer.Option("--kind", help="Bars of what traded, of mark prices and so on, or events."),
]
Basis = Annotated[
    Literal["unadjusted", "split", "total-return", "back-adjusted", "unknown"] | None,
    typer.Option("--basis", help="What prices were adjusted for."),
]
