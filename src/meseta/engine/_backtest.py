"""One parameter set over one window, with either engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from meseta.engine._fast import simulate_fast
from meseta.engine._plays import play_of
from meseta.engine._reference import simulate
from meseta.engine._schedule import Switch, simulate_schedule
from meseta.errors import ArgumentError
from meseta.strategies import SeparableStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meseta.account import Account, Contract
    from meseta.bars import Bars
    from meseta.engine._trades import Simulation, Window
    from meseta.strategies import Strategy

__all__ = ["Engine", "backtest"]

Engine = Literal["fast", "reference"]


def backtest(
    bars: Bars,
    strategy: Strategy,
    values: Mapping[str, float],
    window: Window,
    account: Account,
    *,
    warmup: int = 100,
    engine: Engine = "fast",
    contract: Contract | None = None,
) -> Simulation:
    """Trade one parameter set over one window.

    Parameters
    ----------
    bars
        The whole series; indicators use everything before a bar, never the window's start.
    strategy
        What to trade.
    values
        A value for each of the strategy's parameters.
    window
        Rows to trade, and where out-of-sample begins.
    account
        Capital and costs.
    warmup
        Bars from the start of the data without a signal.
    engine
        `fast` walks the search's tables (of a kernel strategy, a compiled loop over bars),
        `reference` every bar in plain Python; both give the same trades.
    contract
        What is traded; by default shares. Tables know no contracts, so that with one given
        separable strategies are traded by the compiled loop too.

    Returns
    -------
    Simulation
        Trades, equity at every close, and the report of both sides.

    Raises
    ------
    ArgumentError
        A parameter is missing, unknown or outside its range; the window does not fit the data.
    """
    if engine not in ("fast", "reference"):
        raise ArgumentError(f"`engine` must be 'fast' or 'reference', got {engine!r}")
    if warmup < 0:
        raise ArgumentError(f"`warmup` must be zero or more bars, got {warmup!r}")
    start, split, stop = window.require_inside(len(bars))
    if isinstance(strategy, SeparableStrategy) and contract is None:
        rules = strategy.rules(bars, values, warmup)
        run = simulate_fast if engine == "fast" else simulate
        return run(bars, rules, window, account)
    switches = [Switch(start, play_of(strategy, bars, values, warmup))]
    made = simulate_schedule(
        bars, switches, stop, account, contract, split=split, reference=engine == "reference"
    )
    return made.made
