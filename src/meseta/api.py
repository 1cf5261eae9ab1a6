"""The product in a few functions, for notebooks and scripts."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from meseta.account import Account, Contract
from meseta.bars import Bars, load, pair
from meseta.engine import Simulation, Window
from meseta.engine import backtest as _backtest
from meseta.errors import ArgumentError
from meseta.search import (
    Lattice,
    Problem,
    SearchStore,
    candidates,
    levels_for,
    score,
    thread_count,
)
from meseta.search import search as _search
from meseta.selection import Gates, Plateaus, find_plateaus
from meseta.strategies import (
    MAX_COMBINATIONS,
    Grid,
    find_separable,
    find_strategy,
    load_grid,
    sample_grid,
)
from meseta.vault import split_vault
from meseta.walkforward import PhasePlan, plan_phases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from meseta.data import Basis
    from meseta.pipeline import OptimizeResult
    from meseta.walkforward import Walked

__all__ = ["PhaseSearch", "backtest", "fetch", "optimize", "search_phases", "walk_forward"]

# Options that may be given as whole numbers.
_MONEY = {"capital", "cost_per_share", "lot", "contracts", "point_value", "roll_cost"}


@dataclass(frozen=True, slots=True)
class PhaseSearch:
    """What an exhaustive search over phases found.

    Parameters
    ----------
    grid
        The combinations.
    phases
        The phases, and how many of them a stable combination passes.
    funnel
        Counts by gate and phase.
    candidates
        The most stable combinations with every field, best first.
    plateaus
        Regions of two parameters where many combinations are stable.
    """

    grid: Grid
    phases: PhasePlan
    funnel: Mapping[str, Any]
    candidates: pl.DataFrame
    plateaus: Plateaus


def fetch(
    symbol: str,
    *,
    source: str,
    interval: str = "1d",
    basis: Basis | None = None,
    session: str = "",
    start: str | None = None,
    end: str | None = None,
    fetch: bool = True,
    calendar: str | None = None,
    store: str | Path | None = None,
    allow_nonpositive: bool = False,
) -> Bars:
    """Return the bars of a symbol; what is not stored of them is fetched and stored first.

    The command `meseta data fetch` stores many series at once, and funding and trades too.

    Parameters
    ----------
    symbol
        As the source writes it, such as ``"SMH"``, ``"@ES"`` or ``"BTCUSDT"``.
    source
        ``"tradestation"``, ``"yahoo"``, ``"binance"``, ``"path/to/file.py:NAME"`` for one of your
        own, or ``"store"`` for what is stored of the symbol.
    interval
        Length of the source's bars, such as ``"5m"`` or ``"1d"``.
    basis
        What prices are adjusted for, see `meseta.data.SeriesKey`; None for the source's usual.
    session
        The source's name for trading hours other than its usual ones.
    start, end
        Dates such as ``"2024-05-31"``, both included, or times such as ``"2024-05-31T09:30"``,
        the end excluded. None for where the stored bars begin, else the earliest that the source
        has, and for the latest bar that is finished.
    fetch
        Whether the source may be asked; False takes what is stored and leaves the network alone.
    calendar
        Name of the exchange calendar instead of the source's, such as ``"XNYS"`` or ``"24/7"``.
    store
        Folder in which data are kept; None for the usual one.
    allow_nonpositive
        Let prices of zero and less pass, as additively back-adjusted futures have them.

    Returns
    -------
    Bars
        Named after the symbol. Where the source cannot be reached, those that are stored:
        `Bars.warnings` then begin with a finding of the code ``"source_unreachable"``.

    Raises
    ------
    ArgumentError
        An option breaks a rule, or the source has no such series.
    DataError
        Nothing is stored and nothing may be fetched, or the bars are impossible.
    SourceError
        The source does not answer and nothing is stored, or it refuses the request.
    """
    from meseta.data import Request, obtain

    request = Request(
        symbol=symbol,
        source=source,
        interval=interval,
        basis=basis,
        session=session,
        start=start,
        end=end,
        fetch=fetch,
        calendar=calendar,
        store=None if store is None else Path(store),
    )
    return obtain(request, allow_nonpositive=allow_nonpositive)


def backtest(
    bars: Bars | str | Path,
    strategy: str = "atr_d_l",
    parameters: Mapping[str, float] | None = None,
    *,
    bars2: Bars | str | Path | None = None,
    allow_dropped: bool = False,
    window: tuple[int, int, int] | None = None,
    account: Account | None = None,
    warmup: int = 100,
    engine: Literal["fast", "reference"] = "fast",
    contract: Contract | None = None,
) -> Simulation:
    """Trade one parameter set over one window.

    Parameters
    ----------
    bars
        A series, or what `meseta.load` takes.
    strategy
        Name of a strategy.
    parameters
        A value for each of the strategy's parameters.
    bars2
        The second symbol, for a strategy that reads one; not needed where `bars` has it already.
    allow_dropped
        Accept that the two symbols share few bars; see `meseta.bars.pair`.
    window
        Rows (start, split, stop): traded from `start` to `stop - 1`, out-of-sample from `split`
        on. By default everything after the warm-up, split at 60 %.
    account
        Capital and costs.
    warmup
        Bars from the start of the data without a signal.
    engine
        `fast` or `reference`; both give the same trades.
    contract
        The future that is traded: contracts, point value, tick, rolls. None for shares.

    Returns
    -------
    Simulation
        `trades`, `equity` at every close of the window, and the `report` of both sides.

    Raises
    ------
    ArgumentError, DataError
        A parameter, the window or the data cannot be used.

    Examples
    --------
    >>> import meseta as ms
    >>> bars = ms.load("sample:nasdaq")
    >>> made = ms.backtest(
    ...     bars,
    ...     parameters=dict(
    ...         atr_period=16, atr_multiplier=6, bb_length=25, bb_deviation=2, vol_threshold=0.2,
    ...         min_tightening=0.4, scaling_method=0, atr_buy_period=20, atr_buy_multiplier=0.5,
    ...         atr_smooth_period=6, equity_price_method=0,
    ...     ),
    ...     account=ms.Account(capital=100_000),
    ... )
    >>> made.trades[0].reason
    'trail'
    >>> made.report.is_trades, made.report.oos_trades
    (194, 158)

    A fixed number of contracts, by a kernel strategy:

    >>> made = ms.backtest(
    ...     bars, "xbar", dict(xbar=20), contract=ms.Contract(quantity=2, point_value=20)
    ... )
    >>> {trade.shares for trade in made.trades}, made.trades[0].reason
    ({2.0}, 'reverse')
    """
    series = _series(bars, bars2, allow_dropped=allow_dropped)
    rows = _default_window(len(series), warmup) if window is None else Window(*window)
    return _backtest(
        series,
        find_strategy(strategy),
        parameters or {},
        rows,
        account or Account(),
        warmup=warmup,
        engine=engine,
        contract=contract,
    )


def _series(
    bars: Bars | str | Path, bars2: Bars | str | Path | None, *, allow_dropped: bool
) -> Bars:
    one = bars if isinstance(bars, Bars) else load(bars)
    if bars2 is None:
        return one
    other = bars2 if isinstance(bars2, Bars) else load(bars2)
    return pair(one, other, allow_dropped=allow_dropped)


def _default_window(bars: int, warmup: int) -> Window:
    start = min(warmup, max(bars - 3, 0))
    return Window(start, start + max(int((bars - start) * 0.6), 1), bars)


def search_phases(
    bars: Bars | str | Path,
    strategy: str = "atr_d_l",
    grid: str | Mapping[str, Any] = "phase1_slim",
    *,
    bars2: Bars | str | Path | None = None,
    allow_dropped: bool = False,
    phases: Literal["auto"] | Sequence[Mapping[str, Any]] = "auto",
    account: Account | None = None,
    gates: Gates | None = None,
    vault: float = 12.0,
    warmup: int = 100,
    axes: tuple[str, str] = ("atr_multiplier", "atr_buy_multiplier"),
    max_candidates: int = 2_000_000,
    max_combinations: int = MAX_COMBINATIONS,
    sample: int | None = None,
    sample_method: Literal["sobol", "random"] = "sobol",
    seed: int = 0,
    threads: int | None = None,
) -> PhaseSearch:
    """Search every combination of a grid over overlapping phases and find its plateaus.

    The command `meseta run` does the same, keeps it in a folder, searches the strategy's simpler
    variants too, tests the finalists on the vault and writes a report.

    Parameters
    ----------
    bars
        A series, or what `meseta.load` takes.
    strategy, grid
        Names, or a mapping from parameter to values.
    bars2, allow_dropped
        As for `backtest`.
    phases
        `auto`, or a list as `meseta.walkforward.plan_phases` takes.
    account, gates
        Capital and costs; thresholds.
    vault
        Months at the end of the data that are not looked at at all; 0 for none.
    warmup
        Bars from the start of the data without a signal.
    axes
        The two parameters that span the plateau map.
    max_candidates, max_combinations
        Most candidates; most combinations that are searched.
    sample, sample_method
        Search this many combinations of a grid that has more, drawn as
        `meseta.strategies.sample_grid` does; None for all.
    seed
        Of everything that is drawn at random.
    threads
        None for one per processor. The result does not depend on it.

    Returns
    -------
    PhaseSearch
        Funnel, candidates and plateaus. Out-of-sample profit of the phases was read by the
        selection: it is validation, not evidence.

    Examples
    --------
    >>> import meseta as ms
    >>> found = ms.search_phases(
    ...     "sample:nasdaq",
    ...     grid=dict(
    ...         atr_period=[8, 32], atr_multiplier=[4, 8, 12], bb_length=35, bb_deviation=1.5,
    ...         vol_threshold=[0.06, 0.18], min_tightening=[0.2, 0.8], scaling_method=0,
    ...         atr_buy_period=[10, 30], atr_buy_multiplier=[0.5, 1, 1.5],
    ...         atr_smooth_period=[3, 9], equity_price_method=0,
    ...     ),
    ...     account=ms.Account(capital=100_000),
    ... )
    >>> found.grid.size
    288
    >>> found.candidates.height == found.funnel["candidates"]
    True
    """
    series = _series(bars, bars2, allow_dropped=allow_dropped)
    kind, rules = find_separable(strategy), gates or Gates()
    points = load_grid(grid, kind.parameters)
    flats = None
    if sample is not None and sample < points.size:
        flats = sample_grid(points, sample, seed=seed, method=sample_method)
    else:
        points.require_at_most(max_combinations)
    before, _ = split_vault(series, vault)
    planned = plan_phases(before, warmup=warmup, spec=phases)
    problem = Problem(
        bars=before,
        strategy=kind,
        grid=points,
        windows=tuple(Window(*phase.window) for phase in planned.phases),
        account=account or Account(),
        warmup=warmup,
        levels=levels_for(rules),
        min_drawdown=rules.min_drawdown,
        flats=flats,
    )
    with tempfile.TemporaryDirectory(prefix="meseta-", ignore_cleanup_errors=True) as folder:
        store = SearchStore(Path(folder), problem)
        workers, needed = thread_count(threads), planned.required
        _search(problem, store, threads=workers, required=needed, gates=rules)
        scored = score(
            problem, store, rules, required=needed, limit=max_candidates, threads=workers
        )
        frame = candidates(problem, store, scored, rules, workers)
        lattice = Lattice(problem, store, axes, threads=workers)
        plateaus = find_plateaus(
            frame,
            points,
            axes,
            phases=len(problem.windows),
            totals=lattice.totals(),
            outcomes=lattice.outcomes,
            seed=seed,
        )
    return PhaseSearch(points, planned, scored.funnel, frame, plateaus)


def walk_forward(
    bars: Bars | str | Path,
    strategy: str = "xbar",
    grid: str | Mapping[str, Any] = "default",
    *,
    bars2: Bars | str | Path | None = None,
    allow_dropped: bool = False,
    threads: int | None = None,
    **options: Any,
) -> Walked:
    """Walk a strategy forward over rolling windows.

    The command `meseta walkforward` does the same, keeps it in a folder and writes a report.

    Parameters
    ----------
    bars
        A series, or what `meseta.load` takes.
    strategy, grid
        Names, or a mapping from parameter to values.
    bars2, allow_dropped
        As for `backtest`.
    threads
        None for one per processor. The result does not depend on it.
    **options
        Options of `meseta.walkforward_config.WalkForwardConfig`, such as `in_sample`,
        `out_of_sample`, `unit`, `anchored`, `purge`, `fitness`, `min_trades`, `exact`, `policy`,
        `matrix`, `capital`, `contracts`, `point_value`, `bar_size`.

    Returns
    -------
    Walked
        `outcome` with tables of windows, best combinations, curves and trades, `summary`,
        `efficiency`, `gap` and `path`; `matrix` where one was asked for.

    Raises
    ------
    ArgumentError, DataError
        An option, the strategy or the data cannot be used.

    Examples
    --------
    >>> import meseta as ms
    >>> walked = ms.walk_forward(
    ...     "sample:nasdaq", "xbar", dict(xbar=[5, 10, 20]), in_sample=1000, out_of_sample=500,
    ...     capital=1_000_000,
    ... )
    >>> walked.outcome.windows.height
    8
    >>> walked.outcome.curve["exact"][0]
    0.0
    """
    from meseta.pipeline import plan_walkforward
    from meseta.walkforward._walked import walk
    from meseta.walkforward_config import load_walkforward_config

    series = _series(bars, bars2, allow_dropped=allow_dropped)
    named = {"bars": series.source or series.name, "strategy": strategy}
    points = grid if isinstance(grid, str) else dict(grid)
    whole = {name: float(v) if name in _MONEY else v for name, v in options.items()}
    config = load_walkforward_config(None, named | {"grid": points} | whole)
    return walk(plan_walkforward(config, series).request(), threads=thread_count(threads))


def optimize(
    bars: str | Path | Sequence[str | Path],
    strategy: str = "hedge_grid",
    *,
    resume: bool = False,
    force: bool = False,
    **options: Any,
) -> OptimizeResult:
    """Search a strategy's parameters by Bayesian optimisation, and doubt what is found.

    What the command `meseta optimize` does, which shows its progress besides. In a script that
    is started as a program, call it under ``if __name__ == "__main__":``, because back-tests run
    in processes of their own.

    Parameters
    ----------
    bars
        Path of a data file or ``"sample:nasdaq"``; several of them are searched together.
    strategy
        ``"hedge_grid"``, the name of a strategy, or ``path/to/file.py:Name``.
    resume
        Go on with a study that was interrupted, or to more trials.
    force
        Begin anew where a study exists.
    **options
        Options of `meseta.optimize_config.OptimizeConfig`, such as `funding`, `trials`, `seed`,
        `sampler`, `space`, `constraints`, `instrument`, `vault`, `null_markets`, `walk_forward`,
        `workers`, `out` and `name`.

    Returns
    -------
    OptimizeResult
        `result` with every trial and the best, `summary` as in `summary.json`, and the `folder`
        that all of it is kept in.

    Raises
    ------
    ArgumentError, DataError, RunError
        An option or the data cannot be used, or a study is in the way.
    """
    from meseta.optimize_config import load_optimize_config
    from meseta.pipeline import optimize as _optimize
    from meseta.pipeline import plan_optimize

    if isinstance(bars, Bars):
        raise ArgumentError(
            "`bars` must be the path of a file, which the study's processes read and a resume "
            f"finds again, got {bars!r}; write them with meseta.bars.save"
        )
    named = str(bars) if isinstance(bars, str | Path) else [str(each) for each in bars]
    whole = {name: float(v) if name in _MONEY else v for name, v in options.items()}
    config = load_optimize_config((), {"bars": named, "strategy": strategy} | whole)
    return _optimize(plan_optimize(config, resume=resume), resume=resume, force=force)
