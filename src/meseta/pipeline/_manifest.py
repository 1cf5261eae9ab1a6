"""The manifest: everything that a run was made of, as far as it is known before the search."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from meseta.pipeline._series import asked_of
from meseta.search import thread_count

if TYPE_CHECKING:
    from meseta.bars import Bars
    from meseta.config import RunConfig
    from meseta.pipeline._plan import Plan
    from meseta.series_config import SeriesConfig
    from meseta.walkforward import Phase

__all__ = ["begin_manifest", "data_of", "environment_of", "now", "time_of"]


def begin_manifest(planned: Plan, command: str) -> dict[str, Any]:
    """Return the manifest of a run that is about to search."""
    config = planned.config
    return {
        "meseta": version("meseta"),
        "status": "running",
        "created": now(),
        "command": command,
        "config": config.model_dump(mode="json"),
        "data": data_of(planned.bars, config),
        "strategy": planned.strategy.name,
        "shorts": planned.strategy.shorts,
        "grid": _grid(planned),
        "phases": [_phase(planned.bars, phase) for phase in planned.phases.phases],
        "required_phases": planned.phases.required,
        "vault": _vault(config, planned),
        "account": asdict(planned.problem.account),
        "gates": config.gates.model_dump(),
        "selection": {"axes": list(config.axes), "min_cell": config.min_cell},
        "seed": config.seed,
        **environment_of(config.threads),
        "timings": {},
        "warnings": list(planned.notes),
    }


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def data_of(bars: Bars, config: SeriesConfig) -> dict[str, Any]:
    """Return what is known of a series, and what was asked of its source."""
    return {
        "name": bars.name,
        "source": bars.source,
        "asked": asked_of(config, config.symbol),
        "fingerprint": bars.fingerprint,
        "rows": len(bars),
        "first": time_of(bars, 0),
        "last": time_of(bars, len(bars) - 1),
        "bar_size": bars.bar_size,
        "timezone": bars.timezone,
        "stamp": bars.stamp,
        "allow_nonpositive": bars.allow_nonpositive,
        "second": _second(bars, config),
        "warnings": [asdict(finding) for finding in bars.warnings],
    }


def _second(bars: Bars, config: SeriesConfig) -> dict[str, Any] | None:
    second, alignment = bars.second, bars.alignment
    if second is None or alignment is None:
        return None
    return {
        "name": second.name,
        "source": second.source,
        "asked": asked_of(config, config.symbol2),
        "fingerprint": second.fingerprint,
        "rows": len(second),
        "bar_size": second.bar_size,
        "timezone": second.timezone,
        "stamp": second.stamp,
        "allow_nonpositive": second.allow_nonpositive,
        "alignment": {
            "share": alignment.share,
            "share_second": alignment.share_second,
            **asdict(alignment),
        },
    }


def _grid(planned: Plan) -> dict[str, Any]:
    grid = planned.grid
    return {
        "name": grid.name,
        "combinations": grid.size,
        "searched": planned.combinations,
        "sampled": None if planned.sample is None else asdict(planned.sample),
        "constraints": list(grid.constraints),
        "values": {name: list(values) for name, values in grid.values.items()},
    }


def _phase(bars: Bars, phase: Phase) -> dict[str, Any]:
    return {
        "number": phase.number,
        "start": time_of(bars, phase.a),
        "split": time_of(bars, phase.o),
        "end": time_of(bars, phase.z - 1),
        "a": phase.a,
        "o": phase.o,
        "z": phase.z,
    }


def _vault(config: RunConfig, planned: Plan) -> dict[str, Any] | None:
    if planned.vault_row is None:
        return None
    return {
        "months": config.vault,
        "first": time_of(planned.bars, planned.vault_row),
        "last": time_of(planned.bars, len(planned.bars) - 1),
        "a": planned.vault_row,
        "z": len(planned.bars),
        "opened": None,
    }


def environment_of(threads: int | None) -> dict[str, Any]:
    """Return versions and machine, as the manifest has them."""
    packages = {name: version(name) for name in ("numba", "numpy", "polars")}
    found = {
        "python": platform.python_version(),
        **packages,
        "platform": platform.platform(),
        "threads": thread_count(threads),
    }
    return {"environment": found}


def time_of(bars: Bars, row: int) -> str:
    """Return the time of a bar as text."""
    return str(bars.time[row].astype("datetime64[s]"))
