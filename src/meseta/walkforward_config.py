"""The configuration of a walk-forward, checked before work starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from meseta._paths import as_code
from meseta.account import Contract
from meseta.config import CommonConfig, as_grid, parse_options, read_options
from meseta.errors import ArgumentError
from meseta.walkforward import Criteria, WalkForward

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from meseta.bars import Bars

__all__ = ["CriteriaOptions", "WalkForwardConfig", "load_walkforward_config", "parse_matrix"]

_CRITERIA = Criteria()


def parse_matrix(text: str) -> dict[str, list[int]]:
    """Return the lengths in ``"252,504x63,126"``: in-sample, then out-of-sample.

    Raises
    ------
    ArgumentError
        It is not written like that.
    """
    sides = text.lower().replace(" ", "").split("x")
    try:
        lengths = [[int(part) for part in side.split(",")] for side in sides]
    except ValueError:
        lengths = []
    if len(lengths) != 2:
        raise ArgumentError(
            "`matrix` must be in-sample lengths, an x, out-of-sample lengths, such as "
            f'"252,504,756x63,126", got {text!r}'
        )
    return {"in_sample": lengths[0], "out_of_sample": lengths[1]}


def _as_matrix(value: object) -> object:
    given = parse_matrix(value) if isinstance(value, str) else value
    if given is None:
        return None
    names = {"in_sample", "out_of_sample"}
    if not isinstance(given, dict) or set(given) != names:
        raise ArgumentError(
            "`matrix` must map in_sample and out_of_sample to lists of lengths, or be a text "
            f'such as "252,504x63,126", got {value!r}'
        )
    return {name: _lengths(name, given[name]) for name in sorted(names)}


def _lengths(name: str, values: Any) -> list[int]:
    whole = isinstance(values, list | tuple) and all(
        isinstance(v, int) and not isinstance(v, bool) and v > 0 for v in values
    )
    if not whole or not values or len(set(values)) < len(values):
        raise ArgumentError(
            f"`matrix` {name} must be a list of different positive whole numbers, got {values!r}"
        )
    return sorted(values)


class CriteriaOptions(BaseModel):
    """What a cell of the matrix must reach to pass; see `meseta.walkforward.Criteria`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    min_profit: float = _CRITERIA.min_profit
    min_efficiency: float = _CRITERIA.min_efficiency
    min_winning: float = _CRITERIA.min_winning
    min_profit_to_drawdown: float = _CRITERIA.min_profit_to_drawdown
    min_trades: int = _CRITERIA.min_trades

    @model_validator(mode="after")
    def _check(self) -> CriteriaOptions:
        Criteria(**self.model_dump())
        return self


class WalkForwardConfig(CommonConfig):
    """Everything that decides what a walk-forward finds, and where it goes.

    Options that it shares with other kinds of runs are those of `CommonConfig`.

    Parameters
    ----------
    bar_size
        Build bars of this size from the data, such as ``"360m"`` or ``"1d"``; None takes them as
        they are. See `meseta.bars.resample`.
    session_open
        Time at which the trading day begins, ``"18:00"`` in the data's time zone; None finds it
        from the data.
    in_sample, out_of_sample, unit, anchored, purge
        See `meseta.walkforward.WalkForward`.
    fitness
        ``net_profit``, ``profit_to_drawdown``, ``profit_factor``, ``sharpe``, ``sortino``,
        ``mar``, or ``path/to/file.py:name`` for one of your own.
    min_trades
        Fewest trades in a window with which a combination can be chosen there.
    keep
        How many of the best combinations of each window are kept.
    exact
        What is traded again as one account: ``"never"``, ``"finalists"`` (the chosen lengths,
        and the largest passing block of a matrix) or ``"always"`` (every cell).
    policy
        What happens to a position at a boundary; see `simulate_schedule`.
    matrix
        Lengths that are tried beside the chosen ones, by ``in_sample`` and ``out_of_sample``,
        or as text; None for none.
    criteria
        What a cell of the matrix must reach to pass.
    contracts, point_value, tick, roll_cost
        See `meseta.account.Contract`; `contracts` is its `quantity`.
    rolls
        Dates of the rolls, or ``"monthly"`` or ``"quarterly"``; see `meseta.bars.parse_rolls`.
    """

    strategy: Annotated[str, BeforeValidator(as_code)] = "xbar"
    grid: Annotated[str | dict[str, Any], BeforeValidator(as_grid)] = "default"
    bar_size: str | None = None
    session_open: str | None = None
    in_sample: Annotated[int, Field(ge=1)] = 504
    out_of_sample: Annotated[int, Field(ge=1)] = 126
    unit: Literal["bars", "sessions", "months"] = "sessions"
    anchored: bool = False
    purge: Annotated[int, Field(ge=0)] = 0
    fitness: Annotated[str, BeforeValidator(as_code)] = "net_profit"
    min_trades: Annotated[int, Field(ge=0)] = 1
    keep: Annotated[int, Field(ge=1, le=100)] = 5
    exact: Literal["never", "finalists", "always"] = "finalists"
    policy: Literal["carry", "close", "finish"] = "carry"
    matrix: Annotated[dict[str, list[int]] | None, BeforeValidator(_as_matrix)] = None
    criteria: CriteriaOptions = CriteriaOptions()
    contracts: float | None = None
    point_value: float = 1.0
    tick: float = 0.0
    roll_cost: float = 0.0
    rolls: str | None = None

    @property
    def spec(self) -> WalkForward:
        """The windows of the run."""
        return self.spec_of(self.in_sample, self.out_of_sample)

    def spec_of(self, in_sample: int, out_of_sample: int) -> WalkForward:
        """Return the windows of a cell."""
        return WalkForward(
            in_sample=in_sample,
            out_of_sample=out_of_sample,
            unit=self.unit,
            anchored=self.anchored,
            purge=self.purge,
        )

    def contract(self, bars: Bars) -> Contract:
        """Return what is traded; the dates of rolls may depend on the data."""
        from meseta.bars import parse_rolls

        return Contract(
            point_value=self.point_value,
            quantity=self.contracts,
            tick=self.tick,
            roll_cost=self.roll_cost,
            rolls=parse_rolls(self.rolls, bars) if self.rolls else (),
        )

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        _ = self.spec, Criteria(**self.criteria.model_dump())
        return self


def load_walkforward_config(
    path: str | Path | None = None, overrides: Mapping[str, Any] | None = None
) -> WalkForwardConfig:
    """Read a configuration file and lay options over it; see `meseta.config.load_config`.

    Raises
    ------
    ArgumentError
        A file cannot be read, or an option is unknown or breaks its rule.
    """
    options = {} if path is None else read_options(Path(path).expanduser())
    given = dict(overrides or {})
    if isinstance(options.get("criteria"), dict) and "criteria" in given:
        given["criteria"] = options["criteria"] | given["criteria"]
    return parse_options(WalkForwardConfig, options | given)
