"""`meseta strategies` and `meseta grids`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from meseta.cli._console import count, facts, make_console, table
from meseta.cli._guard import command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta.strategies import Parameter, Strategy

__all__ = ["register"]

_LARGE = (
    "More than 100,000,000 combinations are searched with a larger --max-combinations alone; "
    "--sample N searches some of them."
)
_KINDS = (
    "Separable strategies are searched in tables (`meseta run`); a kernel is a function that is "
    "called at every close. `meseta optimize` takes all of them, and hedge_grid besides: "
    "`meseta strategies hedge_grid`."
)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    panel = "Look things up"
    examples = "meseta strategies\nmeseta strategies atr_d_l\nmeseta strategies hedge_grid"
    command(app, "strategies", panel=panel, examples=examples)(_strategies)
    examples = "meseta grids\nmeseta grids atr_d_l"
    command(app, "grids", panel=panel, examples=examples)(_grids)


_Name = Annotated[
    str | None, typer.Argument(metavar="[STRATEGY]", help="Name of a strategy; all without it.")
]


def _strategies(name: _Name = None) -> None:
    """List the strategies, or one strategy's parameters and their limits."""
    from meseta.optimize_config import HEDGE_GRID
    from meseta.strategies import broken_strategies, find_strategy, strategies

    console = make_console()
    if name == HEDGE_GRID:
        _describe_grid(HEDGE_GRID)
        return
    if name is not None:
        _describe(find_strategy(name))
        return
    rows = [
        (
            s.name,
            _kind(s),
            str(len(s.parameters)),
            _yes(s.shorts),
            _yes(s.second),
            s.tradestation_name or "-",
            s.summary,
        )
        for s in strategies().values()
    ]
    heads = (
        "strategy", "kind", "parameters", "shorts", "second symbol", "TradeStation",
        "what it does",
    )  # fmt: skip
    table(console, "", heads, rows, left=2, wrap=("what it does",))
    console.print(_KINDS, soft_wrap=not console.is_terminal)
    for broken, why in broken_strategies().items():
        make_console(stderr=True).print(f"{broken} cannot be used: {why}", markup=False)


def _kind(strategy: Strategy) -> str:
    from meseta.strategies import KernelStrategy

    return "kernel" if isinstance(strategy, KernelStrategy) else "separable"


def _yes(value: bool) -> str:  # noqa: FBT001
    return "yes" if value else "no"


def _describe(strategy: Strategy) -> None:
    console = make_console()
    facts(
        console,
        [
            ("Strategy", strategy.name),
            ("Kind", _kind(strategy)),
            ("TradeStation", strategy.tradestation_name or "-"),
            ("What it does", strategy.summary),
            ("Shorts", _yes(strategy.shorts)),
            ("Second symbol", "yes, give --bars2" if strategy.second else "no"),
            ("Simpler variants", ", ".join(strategy.expands) or "none"),
        ],
    )
    console.print()
    rows = [
        (
            p.name,
            p.rule,
            "{:g} to {:g}".format(*p.legal) if p.tradestation else "-",
            p.tradestation or "-",
            p.doc,
        )
        for p in strategy.parameters
    ]
    heads = ("parameter", "limits", "in TradeStation", "its input", "meaning")
    table(console, "", heads, rows, left=5, wrap=("meaning",))


def _describe_grid(name: str) -> None:
    from meseta.hedge import PRESETS, catalogue

    console = make_console()
    what = "ladders of limit orders on both sides of a perpetual's price; `meseta optimize`"
    facts(console, [("Strategy", name), ("What it does", what)])
    console.print()
    rows = [
        (row["group"], row["name"], row["unit"], *(_span(row[preset]) for preset in PRESETS),
         f"{row['baseline']:g}", row["meaning"])
        for row in catalogue()
    ]  # fmt: skip
    heads = ("group", "parameter", "unit", *PRESETS, "baseline", "meaning")
    table(console, "", heads, rows, left=3, wrap=("unit", "meaning"))


def _span(entry: Mapping[str, Any]) -> str:
    step = f" by {entry['step']:g}" if "step" in entry else ""
    return f"{entry['low']:g} to {entry['high']:g}{step}{', log' if entry.get('log') else ''}"


def _grids(name: _Name = None) -> None:
    """List the named grids with their exact numbers of combinations."""
    from meseta.strategies import find_strategy, grid_names, load_grid, strategies

    console = make_console()
    asked = list(strategies().values()) if name is None else [find_strategy(name)]
    rows = [
        (s.name, grid, count(load_grid(grid, s.parameters).size))
        for s in asked
        for grid in grid_names(s.parameters)
    ]
    table(console, "", ("strategy", "grid", "combinations"), rows, left=2)
    console.print(_LARGE, soft_wrap=not console.is_terminal)
    if name is not None:
        console.print()
        for grid in grid_names(asked[0].parameters):
            values = [
                (p.name, str(len(p.grids[grid])), _listed(p, grid)) for p in asked[0].parameters
            ]
            table(console, grid, ("parameter", "n", "values"), values, wrap=("values",))


def _listed(parameter: Parameter, grid: str) -> str:
    return " ".join(f"{value:g}" for value in parameter.grids[grid])
