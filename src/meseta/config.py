"""The configuration of a run: everything that decides its result, checked before work starts."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_validator,
    model_validator,
)

from meseta._near import did_you_mean
from meseta._paths import as_code, as_path, located
from meseta._yaml import read_yaml
from meseta.account import Account
from meseta.errors import ArgumentError
from meseta.selection import MIN_CELL, Gates
from meseta.series_config import SeriesConfig
from meseta.strategies import MAX_COMBINATIONS
from meseta.walkforward import parse_phases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

__all__ = [
    "CommonConfig",
    "GateOptions",
    "RunConfig",
    "TradedConfig",
    "as_grid",
    "load_config",
    "parse_options",
    "read_options",
]

_NAME = re.compile(r"[^\s./\\:][^/\\:\x00-\x1f]*")
Config = TypeVar("Config", bound=BaseModel)
_ACCOUNT = tuple(field.name for field in fields(Account))
_GATES = Gates()


def _as_pair(value: object) -> tuple[str, str]:
    names = tuple(value) if isinstance(value, list | tuple) else (value,)
    if len(names) == 2 and len(set(names)) == 2 and all(isinstance(name, str) for name in names):
        return names
    raise ArgumentError(f"`axes` must be two different parameters, got {value!r}")


def as_grid(value: object) -> object:
    """Refuse what names no grid and is none."""
    if isinstance(value, dict) or (isinstance(value, str) and value):
        return value
    raise ArgumentError(
        f"`grid` must be the name of a grid, a YAML file or a mapping, got {value!r}"
    )


class GateOptions(BaseModel):
    """Thresholds of the quality gates; see `meseta.selection.Gates`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    min_efficiency: float = _GATES.min_efficiency
    max_drawdown_to_profit: float = _GATES.max_drawdown_to_profit
    max_drawdown_to_in_sample: float = _GATES.max_drawdown_to_in_sample
    min_drawdown: float = _GATES.min_drawdown
    min_trades: int = _GATES.min_trades

    @model_validator(mode="after")
    def _check(self) -> GateOptions:
        Gates(**self.model_dump())
        return self


class TradedConfig(SeriesConfig):
    """What every kind of run is told: what is traded, with what, and where it goes.

    Options that say which market data are those of `meseta.series_config.SeriesConfig`.

    Parameters
    ----------
    strategy
        Name of a strategy, or ``path/to/file.py:Name`` for one of your own.
    grid
        Name of a grid, path of a YAML file, or a mapping as `meseta.strategies.load_grid` takes.
    capital, cost_per_share, commission, slippage, lot
        See `meseta.account.Account`.
    warmup
        Bars at the start of the data on which nothing is traded.
    out, name
        The run goes to the folder ``out/name``; without a name one is made up.
    seed
        Of everything that is drawn at random.
    report
        Whether to write the report.
    """

    strategy: Annotated[str, BeforeValidator(as_code)] = "atr_d_l"
    grid: Annotated[str | dict[str, Any], BeforeValidator(as_grid)] = "phase1_slim"
    capital: float = 10_000.0
    cost_per_share: float = 0.0
    commission: float = 0.0
    slippage: float = 0.0
    lot: float = 1.0
    warmup: Annotated[int, Field(ge=0)] = 100
    out: Annotated[Path, BeforeValidator(as_path), PlainSerializer(str)] = Path("runs")
    name: str | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    report: bool = True

    @property
    def account(self) -> Account:
        """The account that trading starts with."""
        return Account(**{name: getattr(self, name) for name in _ACCOUNT})

    @field_validator("name")
    @classmethod
    def _file_name(cls, value: str | None) -> str | None:
        if value is not None and not _NAME.fullmatch(value):
            raise ArgumentError(
                f"`name` must be the name of a folder without / \\ : and not begin with a dot or "
                f"a blank, got {value!r}; --out chooses where it is made"
            )
        return value

    @model_validator(mode="after")
    def _check_account(self) -> Self:
        _ = self.account
        return self


class CommonConfig(TradedConfig):
    """What every run of a grid is told.

    Options that it shares with other searches are those of `TradedConfig`.

    Parameters
    ----------
    max_combinations
        Most combinations that are searched.
    threads
        None uses all processors.
    sample
        Search this many combinations drawn from the grid instead of all; None for all.
    sample_method
        How they are drawn; see `meseta.strategies.sample_grid`.
    """

    max_combinations: Annotated[int, Field(ge=1)] = MAX_COMBINATIONS
    threads: Annotated[int, Field(ge=1)] | None = None
    sample: Annotated[int, Field(ge=1)] | None = None
    sample_method: Literal["sobol", "random"] = "sobol"

    @model_validator(mode="after")
    def _check_sample(self) -> Self:
        if self.sample is not None and self.sample > self.max_combinations:
            raise ArgumentError(
                f"`sample` must be at most `max_combinations`, {self.max_combinations:,}, "
                f"got {self.sample:,}; draw fewer, or raise --max-combinations"
            )
        return self


class RunConfig(CommonConfig):
    """Everything that decides what a run finds, and where it goes.

    The constructor raises pydantic's ValidationError, `load_config` an ArgumentError. Options
    that it shares with other kinds of runs are those of `CommonConfig`.

    Parameters
    ----------
    phases
        ``"auto"`` or a list as `meseta.walkforward.parse_phases` takes.
    vault
        Calendar months at the end of the data that no selection reads; 0 for none.
    gates
        See `meseta.selection.Gates`.
    axes
        The two parameters that span the plateau map.
    min_cell
        Candidates that a cell of the map needs to count.
    max_candidates, max_finalists
        Bounds on what is kept, and re-run in full.
    expand
        Whether the strategy's simpler variants are searched too, each in a folder of its own
        inside the run's.
    csv
        Whether to write the candidates as CSV too.
    keep_tiles
        Whether the search's intermediate results stay after it has ended.
    """

    phases: Literal["auto"] | list[dict[str, Any]] = "auto"
    vault: Annotated[float, Field(ge=0)] = 12.0
    gates: GateOptions = GateOptions()
    axes: Annotated[tuple[str, str], BeforeValidator(_as_pair)] = (
        "atr_multiplier",
        "atr_buy_multiplier",
    )
    min_cell: Annotated[int, Field(ge=1)] = MIN_CELL
    max_candidates: Annotated[int, Field(ge=1)] = 2_000_000
    max_finalists: Annotated[int, Field(ge=1)] = 500
    expand: bool = True
    csv: bool = False
    keep_tiles: bool = True

    @field_validator("phases", mode="before")
    @classmethod
    def _parse_phases(cls, value: Any) -> Any:
        if value == "auto":
            return value
        return [phase.as_mapping() for phase in parse_phases(value)]


def load_config(
    path: str | Path | None = None, overrides: Mapping[str, Any] | None = None
) -> RunConfig:
    """Read a configuration file and lay options over it.

    Parameters
    ----------
    path
        YAML file with options of `RunConfig`; None for none. Paths in it (`bars`, `bars2`,
        `store`, `grid`, `phases`, `out`, the file of a `strategy` or `source`) count from the
        file's folder.
    overrides
        Options that win over the file's. `gates` is merged gate by gate; a text for `phases`
        other than ``"auto"`` is the path of a YAML file with the list.

    Raises
    ------
    ArgumentError
        A file cannot be read, or an option is unknown or breaks its rule; the message names
        option, rule and value.
    """
    options = {} if path is None else read_options(Path(path).expanduser())
    given = dict(overrides or {})
    if isinstance(options.get("gates"), dict) and "gates" in given:
        given["gates"] = options["gates"] | given["gates"]
    options |= given
    options["phases"] = _phases(options.get("phases", "auto"))
    return parse_options(RunConfig, options)


def parse_options(kind: type[Config], options: Mapping[str, Any]) -> Config:
    """Return a checked configuration.

    Raises
    ------
    ArgumentError
        An option is missing, unknown or breaks its rule; the message names option, rule, value.
    """
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        texts = [_explain(found, kind) for found in error.errors()]
        raise ArgumentError("\n".join(texts)) from error


def read_options(path: Path) -> dict[str, Any]:
    """Return the options in a configuration file, with paths that count from its folder."""
    options = read_yaml(path, "configuration")
    if not isinstance(options, dict) or not all(isinstance(key, str) for key in options):
        raise ArgumentError(
            f"the configuration file {path} must map options to values, such as "
            f"`bars: QQQ.csv`; got {options!r}"
        )
    return {key: located(path.parent, key, value) for key, value in options.items()}


def _phases(spec: Any) -> Any:
    if not isinstance(spec, str) or spec == "auto":
        return spec
    path = Path(spec).expanduser()
    if not path.is_file():
        raise ArgumentError(f"`phases` must be 'auto' or a YAML file with a list, got {spec!r}")
    return read_yaml(path, "phases")


def _explain(error: ErrorDetails, kind: type[BaseModel]) -> str:
    """Turn one of pydantic's findings into a sentence that names option, rule and value."""
    own = error.get("ctx", {}).get("error")
    if isinstance(own, ArgumentError):
        return str(own)
    option = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        return f"there is no option `{option}`{_hint(error, kind)}"
    if error["type"] == "model_type":
        return f"`{option}` must map options to values, got {error['input']!r}"
    rule = re.split(", got|, unable", error["msg"])[0].replace("Input should", "must")
    return f"`{option}` {rule}, got {error['input']!r}"


def _hint(error: ErrorDetails, kind: type[BaseModel]) -> str:
    option = str(error["loc"][-1])
    groups = {
        name: field.annotation.model_fields
        for name, field in kind.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    if len(error["loc"]) > 1:
        group = str(error["loc"][0])
        known = groups.get(group, {})
        return did_you_mean(option, known) or f"; {group} are {', '.join(known)}"
    for group, known in groups.items():
        if option in known:
            return f"; it is one of the {group}, {group}: {{{option}: {error['input']!r}}}"
    return did_you_mean(option, kind.model_fields)
