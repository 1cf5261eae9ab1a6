"""Small walk-forwards whose every combination can be simulated bar by bar."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import numpy as np
import plain_walk

from meseta.account import Contract
from meseta.walkforward._emulated import Emulation
from meseta.walkforward._fitness import find_fitness
from small_world import built

START, STOP = 60, 300


def windows_of(first_out, inside, outside, *, purge=0, start=None):
    """Rolling windows; anchored when a start is given."""
    return np.array(
        [
            (
                begin - purge - inside if start is None else start,
                begin - purge,
                begin,
                min(begin + outside, STOP),
            )
            for begin in range(first_out, STOP, outside)
        ]
    )


WINDOWS = {
    "rolling": windows_of(140, 70, 30),
    "purged": windows_of(150, 60, 40, purge=7),
    "anchored": windows_of(140, 0, 50, start=START),
    # Cells of a matrix one after the other: they share spans, and two have equal windows.
    "cells": np.concatenate([windows_of(150, a, b) for a in (40, 80) for b in (25, 50, 200)]),
}
FUTURE = Contract(
    quantity=2.0,
    point_value=5.0,
    roll_cost=3.0,
    rolls=tuple(date(2000, 1, 3) + timedelta(days=days) for days in (70, 130, 200)),
)


def request_of(world, *, windows="rolling", fitness="net_profit", **more):
    """The walk-forward of a small world."""
    problem = built(world).problem
    given = {
        "bars": problem.bars,
        "strategy": problem.strategy,
        "grid": problem.grid,
        "windows": WINDOWS[windows] if isinstance(windows, str) else windows,
        "start": START,
        "stop": STOP,
        "account": problem.account,
        "warmup": problem.warmup,
        "fitness": find_fitness(fitness),
        "flats": problem.flats,
    }
    return Emulation(**given | more)


@cache
def _run(world, contract, flat):
    return _UNCACHED(request_of(world, contract=contract), flat)


_UNCACHED = plain_walk.run_of


@cache
def _blocks(world, contract, flat, bounds):
    made = _run(world, contract, flat)
    capital = built(world).problem.account.capital
    return plain_walk.blocks_of(made, capital, np.array(bounds))


class WorldSource(plain_walk.ReferenceSource):
    """Blocks from the reference engine; a combination of a world is simulated once."""

    def __init__(self, world, request, middle, **more):
        super().__init__(request, middle, **more)
        self.world = world

    def one(self, flat):
        bounds = tuple(self.request.bounds.tolist())
        return _blocks(self.world, self.request.contract, flat, bounds)
