"""A walk-forward in plain Python, combination by combination and window by window."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from meseta.engine import Window
from meseta.engine._blocks import blocks_of
from meseta.engine._reference import simulate
from meseta.walkforward._sources import Item, piece_of
from meseta.walkforward._stats import WindowStats

PER_YEAR = 252.0
# Sums that cancel leave this part of what was added up.
ROUNDING = 1e-10


def ratio(profit, loss):
    if loss > 0:
        return profit / loss
    return math.inf if profit > 0 else math.nan


def plain(made, capital, a, b, per_year=PER_YEAR):
    """The statistics of rows `a` to `b - 1` as one would compute them by hand."""
    start = made.window.start
    marks = np.array([capital, *made.equity])
    path = marks[a - start : b - start + 1]
    changes, bars = np.diff(path), b - a

    def value(trade, bound):
        """Money of a trade at a boundary."""
        if trade.exit_bar < bound:
            return trade.pnl
        if trade.entry_bar >= bound:
            return 0.0
        before = [t.pnl for t in made.trades if t.exit_bar < bound]
        return marks[bound - start] - capital - sum(before)

    inside = [t for t in made.trades if t.exit_bar >= a and t.entry_bar < b]
    pieces = np.array([value(t, b) - value(t, a) for t in inside])
    before = [t.pnl for t in made.trades if t.exit_bar < b]
    won, lost = sum(p for p in before if p > 0), -sum(p for p in before if p < 0)
    nothing = ROUNDING * max(abs(path[0]), abs(path[-1]), won, lost)
    gross = [float(pieces[pieces > 0].sum()), float(-pieces[pieces < 0].sum())]
    gross = [each if each > nothing else 0.0 for each in gross]
    net, fall = path[-1] - path[0], float((np.maximum.accumulate(path) - path).max())
    mean, root, years = net / bars, math.sqrt(per_year), bars / per_year
    spread = changes.std(ddof=1) if bars >= 3 else 0.0
    below = math.sqrt((np.minimum(changes, 0) ** 2).mean())
    return WindowStats(
        net_profit=net,
        trades=len(inside),
        gross_profit=gross[0],
        gross_loss=gross[1],
        drawdown=fall,
        profit_factor=ratio(*gross),
        profit_to_drawdown=ratio(net, fall),
        sharpe=mean / spread * root if spread > 0 else math.nan,
        sortino=ratio(mean * root, below) if bars >= 3 else math.nan,
        mar=ratio(net / years, fall),
        bars=bars,
        years=years,
    ), nothing


def distance(grid, flat):
    """How far a combination lies from the middle, exactly."""
    total = Fraction(0)
    for name, index in grid.indices(np.array([flat])).items():
        last = len(grid.values[name]) - 1
        if last:
            total += Fraction(abs(2 * int(index[0]) - last), last)
    return total


def flats_of(grid, flats=None):
    """Numbers of the combinations that are searched."""
    every = np.arange(grid.product)
    return every[grid.mask(every)] if flats is None else flats


def run_of(request, flat):
    """One combination over the whole period, bar by bar."""
    rules = request.strategy.rules(request.bars, request.grid.point(flat), request.warmup)
    window = Window(request.start, request.start + 1, request.stop)
    return simulate(request.bars, rules, window, request.account, request.contract)


class ReferenceSource:
    """Blocks made bar by bar, a few combinations at a time."""

    def __init__(self, request, middle, at_once=37):
        self.request, self.middle, self.at_once = request, middle, at_once
        self.flats = flats_of(request.grid, request.flats)

    def items(self):
        begins = range(0, self.flats.size, self.at_once)
        sizes = [min(self.at_once, self.flats.size - begin) for begin in begins]
        return [Item(n, f"part{n:05d}", size) for n, size in enumerate(sizes)]

    def prepare(self):
        self.prepared = True

    def pieces(self, item):
        assert self.prepared
        flats = self.flats[item.number * self.at_once :][: item.combinations]
        # Two pieces of one item, one of them of a single combination.
        for some in (flats[:1], flats[1:]):
            if some.size:
                blocks = np.array([self.one(int(flat)) for flat in some])
                yield piece_of(blocks, some, self.middle, self.request.keep)

    def one(self, flat):
        request = self.request
        return blocks_of(run_of(request, flat), request.account.capital, request.bounds)


def walk_forward(request, fitness):
    """The whole walk-forward by hand; `fitness` is a function of `WindowStats`.

    Returns
    -------
    list of dict, one for each window
    """
    flats, capital = flats_of(request.grid, request.flats), request.account.capital
    runs = {int(flat): run_of(request, int(flat)) for flat in flats}
    far = {flat: distance(request.grid, flat) for flat in runs}
    per_year, found = request.bars.bars_per_year, []
    for a, b, c, d in request.windows.tolist():
        inside = {flat: plain(run, capital, a, b, per_year)[0] for flat, run in runs.items()}
        outside = {flat: plain(run, capital, c, d, per_year)[0] for flat, run in runs.items()}
        values = {flat: fitness(stats) for flat, stats in inside.items()}
        enough = {flat for flat in runs if inside[flat].trades >= request.min_trades}
        known = [flat for flat in enough if not math.isnan(values[flat])]
        profits = [stats.net_profit for stats in outside.values()]
        found.append(
            {
                "order": sorted(known, key=lambda f: (-values[f], far[f], f)),
                "values": values,
                "inside": inside,
                "outside": outside,
                "qualified": len(known),
                "undefined": len(enough) - len(known),
                "few": len(runs) - len(enough),
                "mean": math.fsum(profits) / len(profits),
                "winning": sum(p > 0 for p in profits) / len(profits),
            }
        )
    return found
