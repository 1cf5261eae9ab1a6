"""One back-test of a hedge grid, with either simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from meseta.hedge._market import HedgeMarket
    from meseta.hedge._parameters import GridParameters
    from meseta.hedge._result import HedgeResult
    from meseta.hedge._settings import GridSettings

__all__ = ["Engine", "check_settings", "check_span", "check_step", "ladder_value", "simulate"]

Engine = Literal["compiled", "reference"]


def simulate(
    market: HedgeMarket,
    parameters: GridParameters,
    settings: GridSettings,
    span: tuple[int, int] | None = None,
    *,
    engine: Engine = "compiled",
) -> HedgeResult:
    """Back-test one parameter set.

    Rows before the span are history for the regime detector; what is decided at the close
    before the span acts from its first bar on. Nothing from the span's end on is read.

    Parameters
    ----------
    market, parameters, settings
        What is traded, and how.
    span
        First traded row, and the row after the last; None for all bars.
    engine
        ``"compiled"``, or ``"reference"`` for the slow one that is written to be read. Both
        give the same lots and curves.

    Raises
    ------
    ArgumentError
        The span is empty or outside the bars, a step of the ladder is less than a tick even at
        the highest price, fills are capped by a volume that the bars lack, or there is no such
        engine.
    """
    first, stop = check_span(market, span)
    check_settings(market, settings)
    check_step(market, parameters, settings, stop)
    if engine not in get_args(Engine):
        names = " or ".join(get_args(Engine))
        raise ArgumentError(f"`engine` must be {names}, got {engine!r}")
    if engine == "reference":
        from meseta.hedge._reference import Reference

        return Reference(market, parameters, settings, (first, stop)).run()
    from meseta.hedge._compiled import run
    from meseta.hedge._series import prepare

    return run(prepare(market, settings), parameters, settings, (first, stop), curves=True)


def ladder_value(parameters: GridParameters, price: float) -> tuple[float, float]:
    """Return the value of the full long and short ladder around a price, each rung at its own.

    It bounds what a side can hold before the simulation limits it order by order; a search keeps
    it at most `GridSettings.max_inventory_quote`. Quantities are not rounded.
    """
    totals = []
    for side, levels in ((1, parameters.grid_levels_long), (-1, parameters.grid_levels_short)):
        step = price * parameters.grid_step_bps / 10_000.0
        rungs = range(1, levels + 1)
        sizes = [parameters.base_qty * parameters.qty_scale ** (level - 1) for level in rungs]
        prices = [price - side * level * step for level in rungs]
        totals.append(sum(size * at for size, at in zip(sizes, prices, strict=True)))
    return totals[0], totals[1]


def check_span(market: HedgeMarket, span: tuple[int, int] | None) -> tuple[int, int]:
    """Return the rows that are traded.

    Raises
    ------
    ArgumentError
        They are none, or outside the bars.
    """
    rows = len(market.bars)
    first, stop = (0, rows) if span is None else span
    if not 0 <= first < stop <= rows:
        raise ArgumentError(
            f"`span` must satisfy 0 <= first < stop <= {rows}, the number of bars; got {span!r}"
        )
    return int(first), int(stop)


def check_settings(market: HedgeMarket, settings: GridSettings) -> None:
    """Raise ArgumentError where the market cannot be traded with the settings."""
    if settings.participation is not None and market.bars.volume is None:
        raise ArgumentError(
            f"`participation` {settings.participation:g} caps fills by the bars' volume, which "
            f"{market.bars.name} lacks; leave it out or give bars with volume"
        )


def check_step(
    market: HedgeMarket, parameters: GridParameters, settings: GridSettings, stop: int
) -> None:
    """Raise ArgumentError where rungs lie closer than prices do, at every price before `stop`.

    Where the price has fallen so far only since, rungs meet at a tick, as they would at the
    venue: parameters that were found at higher prices can still be tried.
    """
    price = float(market.bars.high[:stop].max())
    step = price * parameters.grid_step_bps / 10_000.0
    if step < settings.tick:
        raise ArgumentError(
            f"`tick` {settings.tick:g} is more than a step of the ladder, {step:g} at the price "
            f"{price:g}; give the tick of {market.bars.name}"
        )
