"""The configuration of an optimisation, checked before work starts."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from meseta._paths import as_code, as_path
from meseta.bayes import Bounds, Constraints, Objective, StudyOptions
from meseta.bayes._storage import postgres_url
from meseta.config import TradedConfig, as_grid, parse_options, read_options
from meseta.errors import ArgumentError
from meseta.hedge import GridSettings, Policy
from meseta.strategy_file import read_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meseta.account import Contract
    from meseta.bars import Bars

__all__ = [
    "HEDGE_GRID",
    "ConstraintOptions",
    "InstrumentOptions",
    "ObjectiveOptions",
    "OptimizeConfig",
    "load_optimize_config",
    "parse_vault",
]

HEDGE_GRID = "hedge_grid"
_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*%")
_OBJECTIVE, _CONSTRAINTS, _OPTIONS = Objective(), Constraints(), StudyOptions()
_SETTINGS = GridSettings()
_STUDY = tuple(StudyOptions.__dataclass_fields__)
# Options that only strategies of the registry have; the grid has its instrument.
_OF_STRATEGIES = (
    "grid", "cost_per_share", "commission", "slippage", "lot", "warmup", "bar_size",
    "session_open", "contracts", "point_value", "tick", "roll_cost", "rolls", "bars2", "symbol2",
)  # fmt: skip
_OF_HEDGE_GRID = (
    "funding", "mark", "allow_gaps", "instrument", "preset", "strategy_config",
)  # fmt: skip
_INSTEAD = {
    "grid": "give --space a file or --preset a name",
    "cost_per_share": "its fees are instrument: {maker_fee: ..., taker_fee: ...}",
    "commission": "its fees are instrument: {maker_fee: ..., taker_fee: ...}",
    "slippage": "its stops slip by instrument: {slippage_ticks: ...}",
    "lot": "its smallest step of a quantity is instrument: {lot: ...}",
    "tick": "its smallest step of a price is instrument: {tick: ...}",
}
# Groups whose options are merged one by one.
_GROUPS = ("objective", "constraints", "instrument")


def parse_vault(value: object) -> float | str:
    """Return a vault's length: months as a number, or a share of the data such as ``"20%"``.

    Raises
    ------
    ArgumentError
        It is neither.
    """
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, int | float) and not isinstance(text, bool) and 0 <= text < math.inf:
        return float(text)
    found = _SHARE.fullmatch(text) if isinstance(text, str) else None
    if found and 0 <= float(found[1]) < 100:
        return f"{float(found[1]):g}%" if float(found[1]) else 0.0
    try:
        return parse_vault(float(text)) if isinstance(text, str) else _no_vault(value)
    except ValueError:
        return _no_vault(value)


def _no_vault(value: object) -> float:
    raise ArgumentError(
        "`vault` must be a share of the data such as 20%, a number of months, or 0 for none, "
        f"got {value!r}"
    )


def _as_files(value: object) -> object:
    """Return one file or several as a tuple."""
    return (
        (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value
    )


def _as_bounds(value: object) -> object:
    if not isinstance(value, dict):
        return value
    return {name: tuple(pair) if isinstance(pair, list) else pair for name, pair in value.items()}


def _as_space(value: object) -> object:
    if value is None or isinstance(value, dict) or (isinstance(value, str) and value):
        return value
    raise ArgumentError(f"`space` must be a YAML file or a mapping, got {value!r}")


_Files = Annotated[tuple[str, ...], BeforeValidator(_as_files)]
_Path = Annotated[Path, BeforeValidator(as_path), PlainSerializer(str)]


class _Group(BaseModel):
    """A group of options, whose rules stand elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ObjectiveOptions(_Group):
    """What a study maximises; see `meseta.bayes.Objective`."""

    sharpe: float = _OBJECTIVE.sharpe
    profit: float = _OBJECTIVE.profit
    calmar: float = _OBJECTIVE.calmar
    drawdown: float = _OBJECTIVE.drawdown
    profit_metric: Literal["total_return", "profit_factor"] = _OBJECTIVE.profit_metric
    bounds: Annotated[dict[str, tuple[float, float]], BeforeValidator(_as_bounds)] = {}

    @property
    def objective(self) -> Objective:
        """The same, for a study."""
        unknown = set(self.bounds) - set(Bounds.__dataclass_fields__)
        if unknown:
            raise ArgumentError(
                f"`objective.bounds` must be of {', '.join(Bounds.__dataclass_fields__)}, "
                f"got {min(unknown)!r}"
            )
        return Objective(**self.model_dump(exclude={"bounds"}), bounds=Bounds(**self.bounds))

    @model_validator(mode="after")
    def _check(self) -> Self:
        _ = self.objective
        return self


class ConstraintOptions(_Group):
    """What parameters must reach; see `meseta.bayes.Constraints`."""

    min_sharpe: float = _CONSTRAINTS.min_sharpe
    max_drawdown: float = _CONSTRAINTS.max_drawdown
    min_trades: int = _CONSTRAINTS.min_trades
    min_win_rate: float = _CONSTRAINTS.min_win_rate
    min_profit_factor: float = _CONSTRAINTS.min_profit_factor
    min_calmar: float = _CONSTRAINTS.min_calmar

    @model_validator(mode="after")
    def _check(self) -> Self:
        Constraints(**self.model_dump())
        return self


class InstrumentOptions(_Group):
    """The perpetual that a grid trades, and what its account allows.

    See `meseta.hedge.GridSettings`, which has one more: `capital` is an option of its own.
    """

    tick: float = _SETTINGS.tick
    lot: float = _SETTINGS.lot
    min_quantity: float = _SETTINGS.min_quantity
    min_notional: float = _SETTINGS.min_notional
    maker_fee: float = _SETTINGS.maker_fee
    taker_fee: float = _SETTINGS.taker_fee
    slippage_ticks: int = _SETTINGS.slippage_ticks
    touch_fills: bool = _SETTINGS.touch_fills
    participation: float | None = _SETTINGS.participation
    leverage: float = _SETTINGS.leverage
    maintenance_margin: float = _SETTINGS.maintenance_margin
    max_leverage_used: float = _SETTINGS.max_leverage_used
    max_position_size: float = _SETTINGS.max_position_size
    max_inventory_quote: float = _SETTINGS.max_inventory_quote
    max_stop_pct: float | None = _SETTINGS.max_stop_pct
    policy: Policy = _SETTINGS.policy
    adx_threshold: float = _SETTINGS.adx_threshold
    atr_gate_mult: float = _SETTINGS.atr_gate_mult
    funding_window_minutes: int = _SETTINGS.funding_window_minutes
    drawdown_stop: float | None = _SETTINGS.drawdown_stop


class OptimizeConfig(TradedConfig):
    """Everything that decides what an optimisation finds, and where it goes.

    Options that it shares with other kinds of runs are those of `TradedConfig`; `start` and
    `end` cut data files too.

    Parameters
    ----------
    strategy
        ``"hedge_grid"``, or a strategy as every run takes.
    further
        Data files of further instruments; a list for `bars` sets it.
    funding
        File of settled funding rates, one for each instrument; none charges nothing. Those of a
        symbol are looked for in the store by default.
    mark
        File of mark prices, one for each instrument; none takes the last price.
    allow_gaps
        Accept that bars of the hedge grid's market are missing.
    preset
        Named space of the hedge grid: ``"default"``, ``"fast-1m"`` or ``"wide"``.
    space
        YAML file or mapping with a space of one's own, instead of a preset or a grid.
    instrument
        What the hedge grid trades; see `InstrumentOptions`.
    strategy_config
        YAML file in the layout of a hedge grid's own configuration: its settings are those of
        the run, its parameters the first trial, and the best file keeps its other keys.
    vault
        The end of the data that no selection reads: a share such as ``"20%"``, or calendar
        months as a number; 0 for none.
    objective, constraints
        What is maximised, and what must be reached.
    lenient
        Let one constraint be violated.
    trials, sampler, startup_trials, batch, workers, pruner, segments
        See `meseta.bayes.StudyOptions`.
    adaptive, epoch_every, population
        See `meseta.bayes.StudyOptions`.
    timeout
        The same; 0 or None for no limit. A study with one worker and no limit runs in this
        process.
    storage
        URL of an Optuna storage that machines share; None keeps the study in the folder.
    aggregate
        How several instruments become one objective: ``"mean"``, ``"worst"`` or
        ``path/to/file.py:name``.
    null_markets
        On how many markets without structure the study is made again.
    walk_forward
        Whether a study is made in each rolling window before the vault, too.
    in_sample, out_of_sample, unit
        Their lengths, see `meseta.walkforward.WalkForward`. None: a third of the sessions (or of
        whatever `unit` counts) before the vault, and a third of that.
    transfer
        Whether a window's study begins with the best of the one before.
    best_infeasible
        Write a strategy file of the nearest miss where no trial meets the constraints.
    bar_size, session_open, contracts, point_value, tick, roll_cost, rolls
        Of strategies other than the hedge grid, see `meseta.walkforward_config`.
    """

    _of_any_data: ClassVar[frozenset[str]] = frozenset({"start", "end"})

    strategy: Annotated[str, BeforeValidator(as_code)] = HEDGE_GRID
    grid: Annotated[str | dict[str, Any], BeforeValidator(as_grid)] = "default"
    further: _Files = ()
    funding: _Files = ()
    mark: _Files = ()
    allow_gaps: bool = False
    preset: str | None = None
    space: Annotated[str | dict[str, Any] | None, BeforeValidator(_as_space)] = None
    instrument: InstrumentOptions = InstrumentOptions()
    strategy_config: _Path | None = None
    vault: Annotated[float | str, BeforeValidator(parse_vault)] = "20%"
    objective: ObjectiveOptions = ObjectiveOptions()
    constraints: ConstraintOptions = ConstraintOptions()
    lenient: bool = False
    trials: Annotated[int, Field(ge=1, le=10_000)] = _OPTIONS.trials
    sampler: Literal["tpe", "nsga2", "random"] = _OPTIONS.sampler
    startup_trials: Annotated[int, Field(ge=1)] = _OPTIONS.startup_trials
    batch: Annotated[int, Field(ge=1)] = _OPTIONS.batch
    workers: Annotated[int, Field(ge=1)] | None = _OPTIONS.workers
    timeout: Annotated[float, Field(ge=0)] | None = _OPTIONS.timeout
    pruner: Literal["none", "median"] = _OPTIONS.pruner
    segments: Annotated[int, Field(ge=2)] = _OPTIONS.segments
    adaptive: Literal["report-only", "rebuild"] = _OPTIONS.adaptive
    epoch_every: Annotated[int, Field(ge=1)] = _OPTIONS.epoch_every
    population: Annotated[int, Field(ge=2)] = _OPTIONS.population
    storage: str | None = None
    aggregate: Annotated[str, BeforeValidator(as_code)] = "mean"
    null_markets: Annotated[int, Field(ge=0)] = 0
    walk_forward: bool = False
    in_sample: Annotated[int, Field(ge=1)] | None = None
    out_of_sample: Annotated[int, Field(ge=1)] | None = None
    unit: Literal["bars", "sessions", "months"] = "sessions"
    transfer: bool = True
    best_infeasible: bool = False
    bar_size: str | None = None
    session_open: str | None = None
    contracts: float | None = None
    point_value: float = 1.0
    tick: float = 0.0
    roll_cost: float = 0.0
    rolls: str | None = None

    @property
    def hedge(self) -> bool:
        """Whether the hedge grid is optimised."""
        return self.strategy == HEDGE_GRID

    @property
    def files(self) -> tuple[str, ...]:
        """Data files, one for each instrument; none for a symbol."""
        return () if self.bars is None else (self.bars, *self.further)

    @property
    def limits(self) -> Constraints:
        """What must be reached."""
        return Constraints(**self.constraints.model_dump(), strict=not self.lenient)

    @property
    def study(self) -> StudyOptions:
        """How the study is made; a time limit of 0 is none."""
        given = {name: getattr(self, name) for name in _STUDY}
        return StudyOptions(**given | {"timeout": self.timeout or None})

    def contract(self, bars: Bars) -> Contract:
        """Return what a strategy of the registry trades; dates of rolls may depend on the data."""
        from meseta.account import Contract
        from meseta.bars import parse_rolls

        return Contract(
            point_value=self.point_value,
            quantity=self.contracts,
            tick=self.tick,
            roll_cost=self.roll_cost,
            rolls=parse_rolls(self.rolls, bars) if self.rolls else (),
        )

    @property
    def settings(self) -> GridSettings:
        """Everything of a hedge grid that is not searched."""
        return GridSettings(capital=self.capital, **self.instrument.model_dump())

    @model_validator(mode="before")
    @classmethod
    def _take_base(cls, given: Any) -> Any:
        """Let the strategy file's settings be those of the instrument where none are given."""
        path = given.get("strategy_config") if isinstance(given, dict) else None
        own = given.get("instrument", {}) if path else None
        if not path or not isinstance(own, dict):
            return given
        return given | {"instrument": {**read_strategy(Path(path).expanduser()).settings, **own}}

    @model_validator(mode="before")
    @classmethod
    def _split_bars(cls, given: Any) -> Any:
        """Let `bars` be a list of files."""
        files = given.get("bars") if isinstance(given, dict) else None
        if not isinstance(files, list) or not all(isinstance(each, str) for each in files):
            return given
        if not files or given.get("further"):
            raise ArgumentError(f"`bars` must name a file or a list of them, got {files!r}")
        return given | {"bars": files[0], "further": tuple(files[1:])}

    @model_validator(mode="after")
    def _check_strategy(self) -> Self:
        names = _OF_STRATEGIES if self.hedge else _OF_HEDGE_GRID
        for name in names:
            value = getattr(self, name)
            if value != type(self).model_fields[name].default:
                raise ArgumentError(f"`{name}` {self._why_not(name)}, got {value!r}")
        return self

    def _why_not(self, name: str) -> str:
        if self.hedge:
            return f"is not for {HEDGE_GRID}; {_INSTEAD.get(name, 'leave it out')}"
        return f"is for --strategy {HEDGE_GRID} alone; leave it out"

    @model_validator(mode="after")
    def _check_instruments(self) -> Self:
        many = max(len(self.files), 1)
        for name in ("funding", "mark"):
            given = len(getattr(self, name))
            if given not in {0, many}:
                raise ArgumentError(
                    f"`{name}` must be given once for each instrument, {many}, or not at all, "
                    f"got {given}"
                )
        if self.further and (self.bars2 is not None or "-" in self.files):
            raise ArgumentError(
                "several `bars` must be files, and go with no `bars2`, got "
                f"{', '.join(self.files)}"
            )
        if self.aggregate != "mean" and not self.further:
            raise ArgumentError(
                f"`aggregate` is for several --bars, got {self.aggregate!r} with one; leave it out"
            )
        if len(set(self.files)) < len(self.files):
            raise ArgumentError(
                f"several `bars` must be different files, got {', '.join(self.files)}"
            )
        return self

    @model_validator(mode="after")
    def _check_search(self) -> Self:
        _ = self.study, self.limits, self.settings
        if self.storage is not None:
            postgres_url(self.storage)
        for other in ("preset", "grid"):
            value = getattr(self, other)
            if self.space is not None and value != type(self).model_fields[other].default:
                raise ArgumentError(
                    f"`space` and `{other}` must not both be given, got {self.space!r} and "
                    f"{value!r}; each says where to search"
                )
        return self

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        for name in ("in_sample", "out_of_sample", "unit", "transfer"):
            value = getattr(self, name)
            if not self.walk_forward and value != type(self).model_fields[name].default:
                raise ArgumentError(
                    f"`{name}` is for --walk-forward, got {value!r}; add it, or leave `{name}` out"
                )
        return self


def load_optimize_config(
    paths: Sequence[str | Path] = (), overrides: Mapping[str, Any] | None = None
) -> OptimizeConfig:
    """Read configuration files and lay options over them.

    Parameters
    ----------
    paths
        YAML files with options of `OptimizeConfig`; those of a later file win. Paths in them
        count from the file's folder.
    overrides
        Options that win over the files'. `objective`, `constraints` and `instrument` are merged
        option by option.

    Raises
    ------
    ArgumentError
        A file cannot be read, or an option is unknown or breaks its rule.
    """
    options: dict[str, Any] = {}
    files = [read_options(Path(path).expanduser()) for path in paths]
    for given in (*files, dict(overrides or {})):
        merged = {
            name: options[name] | given[name]
            for name in _GROUPS
            if isinstance(options.get(name), dict) and isinstance(given.get(name), dict)
        }
        options |= given | merged
    return parse_options(OptimizeConfig, options)
