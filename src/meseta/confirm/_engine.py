"""Whether the event-driven engine is there, and how it is called in a fresh process."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.confirm._outcome import EventDriven
    from meseta.hedge import GridParameters, GridSettings, HedgeMarket

__all__ = ["ENGINE", "Job", "require_engine", "run_job"]

_PACKAGE, _VERSION = "nautilus_trader", "1.221.0"
ENGINE = f"NautilusTrader {_VERSION}"
_INSTALL = "pip install 'meseta[nautilus]' (Python 3.11 to 3.13)"


@dataclass(frozen=True, eq=False)
class Job:
    """One back-test for the engine."""

    market: HedgeMarket
    parameters: GridParameters
    settings: GridSettings
    span: tuple[int, int]


def require_engine() -> None:
    """See that the engine is installed, in the one version that the adapter is written for.

    Raises
    ------
    ArgumentError
        It is not; the message says how to install it.
    """
    try:
        found = version(_PACKAGE)
    except PackageNotFoundError as error:
        raise ArgumentError(
            f"confirmation runs on {ENGINE}, which is not installed: {_INSTALL}; "
            "in a checkout, `uv run --extra nautilus --no-group newest-pandas meseta confirm ...`"
        ) from error
    if found != _VERSION:
        raise ArgumentError(
            f"confirmation needs {_PACKAGE} {_VERSION} exactly, whose rules of fills it knows, "
            f"and finds {found}: {_INSTALL}"
        )


def run_job(job: Job) -> EventDriven:
    """Run a job in this process, which must not run another."""
    # Its import takes a second and 200 MB, and its log system is one for a whole process.
    from meseta.confirm._nautilus import run_event_driven

    return run_event_driven(job.market, job.parameters, job.settings, job.span)
