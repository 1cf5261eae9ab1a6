"""An optimisation, checked against its data before any work is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meseta._near import did_you_mean
from meseta.errors import ArgumentError
from meseta.hedge import GridParameters, HedgeMarket, HedgeProblem, hedge_space
from meseta.optimise import InstrumentsProblem, StrategyProblem, space_of
from meseta.optimize_config import HEDGE_GRID
from meseta.pipeline._optimize_data import Instrument, load_instruments, vault_row
from meseta.pipeline._optimize_files import read_instruments
from meseta.pipeline._series import data_name, kept_if_alike
from meseta.runs import RunFolder
from meseta.strategies import find_strategy, grid_names
from meseta.strategy_file import StrategyFile, read_strategy
from meseta.walkforward import WalkForward, plan_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meseta.bars import Bars
    from meseta.bayes import Constraints, Objective, Params, Problem, Space, StudyOptions
    from meseta.hedge import GridSettings
    from meseta.optimize_config import OptimizeConfig
    from meseta.pipeline._progress import Listener
    from meseta.strategies import Strategy
    from meseta.walkforward import RollingPlan, RollingWindow

__all__ = ["OptimizePlan", "optimize_name", "plan_instruments", "plan_optimize"]

# A window's in-sample side where none is given: this part of what comes before the vault; its
# out-of-sample side is the same part of that.
_WINDOW_PART = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizePlan:
    """An optimisation, checked against its data before any work is done.

    Parameters
    ----------
    config
        What was asked.
    instruments
        The data.
    strategy
        Of the registry; None for the hedge grid.
    problem
        What the study searches on: the span before the vault.
    vault
        The same over the vault; None without one.
    space, objective, constraints, options
        Of the study.
    settings
        Of the hedge grid; None for another strategy.
    base
        The strategy file that the run begins with.
    first
        Parameters with which the study begins: those of the strategy file.
    windows
        Where studies are made in rolling windows; None where they are not.
    assumptions
        What is assumed of the market, in sentences.
    warnings
        What the user should know before it starts.
    """

    config: OptimizeConfig
    instruments: tuple[Instrument, ...]
    strategy: Strategy | None
    problem: Problem
    vault: Problem | None
    space: Space
    objective: Objective
    constraints: Constraints
    options: StudyOptions
    settings: GridSettings | None = None
    base: StrategyFile = field(default_factory=StrategyFile)
    first: tuple[Params, ...] = ()
    windows: RollingPlan | None = None
    assumptions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the study, and of its folder."""
        return optimize_name(self.config)

    @property
    def bars(self) -> Bars:
        """Of the first instrument, the vault's too."""
        return self.instruments[0].bars

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First row and the row after the last of each instrument before its vault."""
        return _spans(self.problem)

    @property
    def vaults(self) -> tuple[tuple[int, int], ...]:
        """The same of the vault; none without one."""
        return () if self.vault is None else _spans(self.vault)

    def space_over(self, problem: Problem) -> Space:
        """Return the space of the same problem over other rows or other prices."""
        return _space(self.config, self.strategy, problem)[0]


def optimize_name(config: OptimizeConfig) -> str:
    """Return the name of the study and of its folder."""
    if config.name:
        return config.name
    strategy = HEDGE_GRID if config.hedge else find_strategy(config.strategy).name
    size = f"-{config.bar_size}" if config.bar_size else ""
    more = f"-and-{len(config.further)}" if config.further else ""
    return f"optimize-{strategy}-{data_name(config)}{more}{size}"


def plan_optimize(
    config: OptimizeConfig, *, resume: bool = False, progress: Listener | None = None
) -> OptimizePlan:
    """Check a configuration against its data.

    Parameters
    ----------
    config
        What to do.
    resume
        Take the data that an unfinished study kept where their source may have others by now.
    progress
        Is told of fetching, or None.

    Raises
    ------
    ArgumentError
        An option breaks a rule.
    DataError
        The data cannot be used, or are too short.
    SourceError
        A source does not answer, and nothing that is stored can stand in.
    """
    strategy = _strategy(config)
    base = StrategyFile()
    if config.strategy_config is not None:
        base = _base(config.strategy_config)
    used = () if strategy is None else (strategy,)
    kept = _kept(config) if resume else None
    return plan_instruments(config, kept or load_instruments(config, used, progress), base)


def _base(path: Path) -> StrategyFile:
    """Read the strategy file, and refuse parameters that no grid can have."""
    base = read_strategy(path)
    try:
        GridParameters.from_params(base.params)
    except ArgumentError as error:
        raise ArgumentError(f"the strategy file {path}: {error}") from error
    return base


def _strategy(config: OptimizeConfig) -> Strategy | None:
    """Return the strategy of the registry; None for the hedge grid."""
    if config.hedge:
        return None
    try:
        return find_strategy(config.strategy)
    except ArgumentError as error:
        meant = did_you_mean(config.strategy, [HEDGE_GRID])
        if not meant:
            raise
        raise ArgumentError(f"{error}, and {HEDGE_GRID} is one here{meant}") from error


def _kept(config: OptimizeConfig) -> tuple[Instrument, ...] | None:
    """Return the data of a study that is continued, where its source could have others by now."""
    folder = RunFolder(Path(config.out) / optimize_name(config))
    alike = kept_if_alike(folder, config) is not None
    return read_instruments(folder, folder.manifest()) if alike else None


def plan_instruments(
    config: OptimizeConfig, instruments: tuple[Instrument, ...], base: StrategyFile
) -> OptimizePlan:
    """Plan on data that are there.

    Raises
    ------
    ArgumentError, DataError
        As those of `plan_optimize`.
    """
    strategy = _strategy(config)
    series = [each.bars for each in instruments]
    parts = [_problem(config, strategy, each) for each in instruments]
    whole = _together(config, parts)
    start, stop = whole.span
    edge = vault_row(config.vault, whole.time, whole.span, series[0], parts[0].time)
    problem = whole.over(start, edge)
    space, said = _space(config, strategy, problem)
    notes = [finding.message for bars in series for finding in bars.warnings]
    windows = _windows(config, problem, series[0])
    if windows is not None and strategy is None:
        _require_spaces(config, problem, windows, series[0])
    return OptimizePlan(
        config=config,
        instruments=instruments,
        strategy=strategy,
        problem=problem,
        vault=whole.over(edge, stop) if edge < stop else None,
        space=space,
        objective=config.objective.objective,
        constraints=config.limits,
        options=config.study,
        settings=config.settings if config.hedge else None,
        base=base,
        first=_first(base),
        windows=windows,
        assumptions=_assumptions(config, parts),
        warnings=(*base.notes, *(n for each in instruments for n in each.notes), *said, *notes),
    )


def _first(base: StrategyFile) -> tuple[Params, ...]:
    """Return the parameters of a strategy file; what it leaves out is the baseline's."""
    if not base.params:
        return ()
    made = GridParameters.from_params(base.params)
    return ({name: getattr(made, name) for name in GridParameters.__slots__},)


def _spans(problem: Problem) -> tuple[tuple[int, int], ...]:
    """Return the rows of each instrument in a problem's span."""
    return tuple(each.span for each in _parts(problem))


def _parts(problem: Any) -> tuple[Any, ...]:
    """Return the problems of single instruments."""
    parts: tuple[Any, ...] = getattr(problem, "problems", (problem,))
    return parts


def _problem(config: OptimizeConfig, strategy: Strategy | None, one: Instrument) -> Any:
    """Return the problem over all of an instrument's bars."""
    if strategy is None:
        market = HedgeMarket.make(one.bars, one.funding, one.mark, allow_gaps=config.allow_gaps)
        return HedgeProblem(market=market, settings=config.settings, span=(0, len(one.bars)))
    return StrategyProblem(
        bars=one.bars,
        strategy=config.strategy,
        account=config.account,
        contract=config.contract(one.bars),
        warmup=config.warmup,
    )


def _together(config: OptimizeConfig, problems: Sequence[Problem]) -> Problem:
    if len(problems) == 1:
        return problems[0]
    return InstrumentsProblem(problems=tuple(problems), aggregate=config.aggregate)


def _grid(config: OptimizeConfig, strategy: Strategy) -> str | dict[str, Any]:
    """Return the grid asked for; not every strategy has the one that is taken by default."""
    named = grid_names(strategy.parameters)
    if config.grid == "default" and "default" not in named:
        listed = f" ({', '.join(named)}, or a YAML file)" if named else " a YAML file"
        raise ArgumentError(
            f"{strategy.name} has no grid `default`: say where to search, with --grid{listed} or "
            "with --space a YAML file"
        )
    return config.grid


def _space(
    config: OptimizeConfig, strategy: Strategy | None, problem: Problem
) -> tuple[Space, list[str]]:
    """Return where to search, and what was not taken as it stands.

    Of the prices, those of the problem's own span alone are looked at.
    """
    if strategy is not None:
        return space_of(strategy, config.space or _grid(config, strategy)), []
    said: list[str] = []
    parts = _parts(problem)
    spans = [each.market.bars.slice(*each.span) for each in parts]
    space = hedge_space(
        config.space or config.preset or "default",
        price=max(float(each.high.max()) for each in spans),
        low_price=min(float(each.low.min()) for each in spans),
        settings=config.settings,
        has_funding=all(each.market.funding is not None for each in parts),
        warnings=said,
    )
    return space, said


def _windows(config: OptimizeConfig, problem: Problem, bars: Bars) -> RollingPlan | None:
    if not config.walk_forward:
        return None
    start, stop = _spans(problem)[0]
    before = bars.slice(0, stop)
    inside = config.in_sample or max(_units(before, config.unit) // _WINDOW_PART, 1)
    spec = WalkForward(
        in_sample=inside,
        out_of_sample=config.out_of_sample or max(inside // _WINDOW_PART, 1),
        unit=config.unit,
    )
    return plan_windows(before, spec, warmup=start, opens=config.session_open)


def _require_spaces(
    config: OptimizeConfig, problem: Problem, windows: RollingPlan, bars: Bars
) -> None:
    """Raise before work starts where a window's prices do not suit a range of one's own."""
    rows: Sequence[RollingWindow] = windows.windows
    if isinstance(problem, InstrumentsProblem):
        rows = problem.windows(rows, bars.time)
    for each in rows:
        try:
            _space(config, None, problem.over(each.in_start, each.in_stop))
        except ArgumentError as error:
            raise ArgumentError(f"window {each.number} of the walk-forward: {error}") from error


def _units(bars: Bars, unit: str) -> int:
    if unit == "bars":
        return len(bars)
    calendar = bars.calendar
    first, last = calendar.first, calendar.last
    months = 12 * (last.year - first.year) + last.month - first.month + 1
    return calendar.sessions if unit == "sessions" else months


def _assumptions(config: OptimizeConfig, problems: Sequence[Any]) -> tuple[str, ...]:
    begun = f"every span begins flat, with {config.capital:,.0f}"
    if not config.hedge:
        return (*_costs(config), begun)
    of_market = dict.fromkeys(note for each in problems for note in each.market.notes)
    ended = (
        "trades, win rate and profit factor are those of closed lots; lots that are open at the "
        "end are marked at the last close and count in the equity alone"
    )
    return (*_fills(config), *of_market, begun, ended)


def _costs(config: OptimizeConfig) -> tuple[str, ...]:
    account = config.account
    charged = (
        f"{account.cost_per_share:g} a share for the round trip, commission "
        f"{account.commission:.4%} of the value at each side, slippage {account.slippage:g}"
    )
    return (charged,)


def _fills(config: OptimizeConfig) -> tuple[str, ...]:
    s = config.settings
    where = "touches it" if s.touch_fills else "goes a tick beyond it"
    rest = f"a resting order is filled where the price {where}, at its own price, "
    stop = f"a stop is filled {s.slippage_ticks} ticks worse than its price, or than the open "
    return (
        f"{rest}for {s.maker_fee:.4%} of the value",
        f"{stop}beyond it, for {s.taker_fee:.4%} of the value",
    )
