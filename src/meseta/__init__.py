"""meseta: search every parameter combination, find plateaus that hold up, doubt the result.

The names below are imported on first use, so that `import meseta` itself is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meseta.account import Account, Contract
    from meseta.api import PhaseSearch, backtest, fetch, optimize, search_phases, walk_forward
    from meseta.bars import Bars, load
    from meseta.config import RunConfig, load_config
    from meseta.engine import Report, Simulation, Trade, Window
    from meseta.errors import ArgumentError, DataError, MesetaError, RunError, SourceError
    from meseta.pipeline import OptimizeResult, RunResult, rescore, run
    from meseta.selection import Gates
    from meseta.strategies import Grid, Parameter, load_grid

__all__ = [
    "Account",
    "ArgumentError",
    "Bars",
    "Contract",
    "DataError",
    "Gates",
    "Grid",
    "MesetaError",
    "OptimizeResult",
    "Parameter",
    "PhaseSearch",
    "Report",
    "RunConfig",
    "RunError",
    "RunResult",
    "Simulation",
    "SourceError",
    "Trade",
    "Window",
    "backtest",
    "fetch",
    "load",
    "load_config",
    "load_grid",
    "optimize",
    "rescore",
    "run",
    "search_phases",
    "walk_forward",
]

_HOMES = {
    "meseta.account": ("Account", "Contract"),
    "meseta.api": (
        "PhaseSearch",
        "backtest",
        "fetch",
        "optimize",
        "search_phases",
        "walk_forward",
    ),
    "meseta.bars": ("Bars", "load"),
    "meseta.config": ("RunConfig", "load_config"),
    "meseta.engine": ("Report", "Simulation", "Trade", "Window"),
    "meseta.errors": ("ArgumentError", "DataError", "MesetaError", "RunError", "SourceError"),
    "meseta.pipeline": ("OptimizeResult", "RunResult", "rescore", "run"),
    "meseta.selection": ("Gates",),
    "meseta.strategies": ("Grid", "Parameter", "load_grid"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'meseta' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
