"""Lanes and scalar chains against the reference engine, for every combination and window."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.account import Account
from meseta.engine import Window
from meseta.engine._chain import Levels
from meseta.engine._entries import EntrySet, entry_tables, mark_entries
from meseta.engine._exits import leave_table
from meseta.engine._family import Task, pack, search_family, walk_family
from meseta.engine._fast import costs_of
from meseta.engine._marks import prepare_windows
from meseta.engine._path import sides_of
from meseta.engine._reference import simulate
from meseta.engine._tables import Ground, exit_tables, link, side_tables, states_of, words_of
from meseta.search._codes import needs_of
from meseta.search._problem import LEVELS
from meseta.search._walks import evaluate_tile, walk_rows
from meseta.selection import GATES, Gates, PhaseTotals, gate_masks
from meseta.strategies import LONG, SHORT, Orders, Protection, Rules
from meseta.strategies._indicators import Tightenings, tightening
from random_market import (
    accounts,
    any_leaves,
    any_orders,
    any_protection,
    bars_of,
    column,
    tiny_bars,
    turned,
    windows,
)
from small_world import FIELDS, LOOSE, WORLDS, brute, built

TWO_SIDED = ("both", "both poor", "hull both", "two symbols", "sampled")
EVERY_WORLD = pytest.mark.parametrize("name", WORLDS)


def flats_of(problem, tile):
    """Flat index of every combination of a tile, shape (exit sets, entry sets, inert values)."""
    exits, sets = problem.exit_offsets(tile), problem.set_offsets(tile)
    return exits[:, None, None] + sets[:, None] + problem.inert


@EVERY_WORLD
def test_every_combination_is_in_one_tile(name):
    problem = built(name).problem
    seen = [flats_of(problem, tile).ravel() for tile in problem.tiles()]
    assert np.array_equal(np.sort(np.concatenate(seen)), brute(name).flats)
    assert sum(map(problem.combinations, problem.tiles())) == problem.total


@EVERY_WORLD
def test_lanes_earn_what_the_reference_earns(name):
    problem, known = built(name).problem, brute(name)
    traded = 0
    for tile in problem.tiles():
        found, flats = evaluate_tile(problem, tile), flats_of(problem, tile)
        oos = found.oos[found.table_of[problem.members(tile)]]
        expected = known.totals[known.rows(flats), :, 1].astype(np.float32)
        assert np.array_equal(np.repeat(oos[:, :, None], flats.shape[2], axis=2), expected)
        traded += np.count_nonzero(expected)
    assert traded


def passes(codes, oos, needs):
    """The gates of `gate_masks`, read from a code."""
    efficiency, to_profit = codes & 255, (codes >> 8) & 255
    return {
        "is_profit": efficiency > 0,
        "oos_profit": oos > 0,
        "efficiency": efficiency >= needs.efficiency,
        "drawdown_to_profit": to_profit >= needs.to_profit,
        "drawdown_to_in_sample": ((codes >> 16) & 255) >= needs.to_in_sample,
        "trades": (codes >> 24) >= needs.trades,
    }


def gate_choices(gates):
    """Gates with each threshold that a search remembers, one after the other."""
    for name, levels in LEVELS.items():
        for level in {*levels, getattr(gates, name)}:
            yield replace(gates, **{name: level})
    for trades in (0, 1, 3, 10, 40, 255):
        yield replace(gates, min_trades=trades)


def walked(problem, tile, found):
    """Totals and fingerprints of every exit table and entry set, (T, E, W, 6) and (T, E)."""
    tables, sets, _ = found.oos.shape
    table, entry = np.divmod(np.arange(tables * sets), sets)
    totals, prints = walk_rows(problem, tile, found.table_of, table, entry)
    return totals.reshape(tables, sets, -1, 6), prints.reshape(tables, sets)


def phase_totals(totals):
    """Rows of (combinations, phases, 6) as the plain functions of the selection take them."""
    return PhaseTotals(**{name: totals[:, :, k] for k, name in enumerate(FIELDS)})


@EVERY_WORLD
def test_codes_answer_the_gates(name):
    # Exactly, from the scalar chains' totals, which the next test compares with the reference.
    problem, gates = built(name)
    phases, totals, codes, oos = len(problem.windows), [], [], []
    for tile in problem.tiles():
        found = evaluate_tile(problem, tile)
        totals.append(walked(problem, tile, found)[0].reshape(-1, phases, len(FIELDS)))
        codes.append(found.codes.reshape(-1, phases))
        oos.append(found.oos.reshape(-1, phases))
    every = np.concatenate(totals)
    code, profit = np.concatenate(codes), np.concatenate(oos)
    assert len(code) == len(every) > 0
    packed = pack(every, problem.kernel_levels)
    assert np.array_equal(packed[0], profit)
    assert np.array_equal(packed[1], code)
    for choice in gate_choices(gates):
        plain = gate_masks(phase_totals(every), choice)
        coded = passes(code, profit, needs_of(choice, problem.levels))
        assert tuple(plain) == tuple(coded) == GATES
        for gate, mask in plain.items():
            assert np.array_equal(mask, coded[gate]), (choice, gate)


@EVERY_WORLD
def test_scalar_chains_report_what_the_reference_reports(name):
    problem, known = built(name).problem, brute(name)
    scale = problem.account.capital
    for tile in problem.tiles():
        found, flats = evaluate_tile(problem, tile), flats_of(problem, tile)
        totals, _ = walked(problem, tile, found)
        mine = totals[found.table_of[problem.members(tile)]]
        mine = np.repeat(mine[:, :, None], flats.shape[2], axis=2)
        expected = known.totals[known.rows(flats)]
        assert np.array_equal(mine[..., :4], expected[..., :4])
        np.testing.assert_allclose(mine[..., 4:], expected[..., 4:], rtol=1e-9, atol=1e-12 * scale)


@EVERY_WORLD
def test_fingerprints_are_equal_exactly_for_equal_trades(name):
    problem, known = built(name).problem, brute(name)
    by_print, by_trades = {}, {}
    for tile in problem.tiles():
        found, flats = evaluate_tile(problem, tile), flats_of(problem, tile)[:, :, 0]
        _, prints = walked(problem, tile, found)
        mine = prints[found.table_of[problem.members(tile)]]
        rows = known.rows(flats.ravel())
        for row, mark in zip(rows.tolist(), mine.ravel().tolist(), strict=True):
            by_print.setdefault(mark, set()).add(known.trades[row])
            by_trades.setdefault(known.trades[row], set()).add(mark)
    assert len(by_trades) == len(set(known.trades)) > 1
    assert {len(made) for made in by_print.values()} == {1}, "different trades, one fingerprint"
    assert {len(marks) for marks in by_trades.values()} == {1}, "same trades, two fingerprints"


@EVERY_WORLD
def test_inert_values_change_no_trade(name):
    problem, known = built(name).problem, brute(name)
    for tile in problem.tiles():
        rows = known.rows(flats_of(problem, tile).reshape(-1, problem.inert.size))
        for each in rows.tolist():
            assert len({known.trades[row] for row in each}) == 1


def test_worlds_are_what_they_are_meant_to_be():
    sizes = {name: built(name).problem for name in WORLDS}
    wide, narrow = sizes["plain"], sizes["narrow"]
    assert wide.entries.size % 2 == 1
    assert narrow.stops.size == narrow.entries.size == 1
    assert narrow.series.kinds.many < 8 < wide.series.kinds.many
    # Some exit sets share a series, and some series share an exit table.
    assert wide.factors.size > wide.series.kinds.many
    tables = [evaluate_tile(wide, tile).table_of for tile in wide.tiles()]
    assert any(np.unique(table_of).size < table_of.size for table_of in tables)
    assert any(np.unique(table_of).size % 8 for table_of in tables)
    # The account is too small for an order at times and large enough at others.
    for name in ("poor", "hundreds", "both poor"):
        problem, made = sizes[name], brute(name).trades
        account = replace(problem.account, capital=100 * problem.account.capital)
        mixed = 0
        for flat in range(0, problem.grid.size, 31):
            rules = problem.strategy.rules(problem.bars, problem.grid.point(flat), problem.warmup)
            for window, trades in zip(problem.windows, made[flat], strict=True):
                rich = simulate(problem.bars, rules, window, account).trades
                mixed += 0 < len(trades) < len(rich)
        assert mixed > 3
    for name in TWO_SIDED:
        made = {trade[2] for runs in brute(name).trades for run in runs for trade in run}
        assert made == {LONG, SHORT}, name


# Ratios that whole prices reach exactly.
REMEMBERED = ((0.0, 0.25, 0.5, 1.0, 2.0), (0.5, 1.0, 2.0), (0.5, 1.0, 2.0, 3.0))


class Context(NamedTuple):
    """What one set of shared parameters gives: entry sets, and where positions are left."""

    sets: list[EntrySet]
    leaves: tuple
    first: np.ndarray


class Family(NamedTuple):
    """The exits of one stop distance and the entry sets of some contexts."""

    contexts: list[Context]
    guards: tuple[Protection, ...]
    series: Tightenings
    turns: bool = False
    together: bool = True

    def rules(self, context, s, e):
        """The rules of one series and one entry set."""
        kinds, each = self.series, context.sets[e]
        factor = tightening(
            kinds.width[kinds.length[s]], kinds.ratio[s], kinds.scaling[s], kinds.floor[s]
        )
        return Rules(
            each.orders, each.clears, self.guards[0], (*self.guards, None)[1], factor,
            *context.leaves, self.turns, *each.reverses, max(each.first, int(context.first[s])),
        )  # fmt: skip

    def tasks(self, bars, spans, ground):
        """What the search is given; contexts build their tables together or each its own."""
        sides, slippage = ground.sides, ground.slippage
        entries = [entry_tables(each.sets, sides, slippage) for each in self.contexts]
        reached = np.zeros((len(sides), len(bars)), np.bool_)
        for tables in entries:
            mark_entries(tables.events, words_of(sides), reached)
        reached[:, : min(window.start for window in spans) + 1] = False
        reached[:, max(window.stop for window in spans) :] = False
        least = float(self.series.floor.min())
        first = min(int(each.first.min()) for each in self.contexts)

        def made():
            whose = zip(sides, (LONG, SHORT), self.guards, reached, strict=False)
            return [
                side_tables(own, way, guard, first, row, least) for own, way, guard, row in whose
            ]

        shared = made()
        for context, tables in zip(self.contexts, entries, strict=True):
            parts = shared if self.together else made()
            leaves = tuple(map(leave_table, sides, context.leaves))
            states = states_of(len(context.sets[0].orders), len(bars), turns=self.turns)
            yield Task(exit_tables(parts, leaves, states, slippage), context.first, tables)

    def walk(self, bars, spans, account, levels):
        """Both walks of the search, by context: profits, codes, tables; totals, fingerprints."""
        sides = sides_of(bars, len(self.guards) > 1)
        cuts = prepare_windows(sides, spans)
        ground = Ground(sides, cuts, costs_of(account), account.slippage)
        tasks, which = list(self.tasks(bars, spans, ground)), np.arange(self.series.many)
        searched = search_family(ground, tasks, self.series, which, levels)
        for context, task, found in zip(self.contexts, tasks, searched, strict=True):
            many = len(context.sets)
            pairs = np.divmod(np.arange(which.size * many), many)
            linked = link(task.entries, task.tables)
            full = walk_family(ground, task.tables, self.series, task.first, linked, pairs)
            yield context, found, full, pairs


@st.composite
def contexts(draw, bars, shorts, modes, turns, many):
    """Entry sets of a kind that no indicator gives."""
    count, leaves = len(bars), draw(any_leaves(bars, shorts))
    clears = draw(column([True, False, False, False], count))
    starts = [0, 0, 1, 3, count, count + 9]
    sets = []
    for _ in range(draw(st.integers(1, 3))):
        orders = [draw(any_orders(bars, shorts)) for _ in range(modes)]
        if turns:
            orders[0] = turned(orders[0], leaves, bars.close)
        reverses = shorts and draw(st.booleans()), shorts and draw(st.booleans())
        sets.append(EntrySet(tuple(orders), clears, reverses, draw(st.sampled_from(starts))))
    return Context(sets, leaves, draw(column(starts, many)))


@st.composite
def families(draw, bars):
    """Entry sets and an exit family of a kind that no indicator gives."""
    count, shorts = len(bars), draw(st.sampled_from([True, True, False]))
    turns = shorts and draw(st.booleans())
    modes = draw(st.sampled_from([1, 3 if shorts else 2]))
    # More than fit into the lanes, and into what is filled at a time.
    lengths, many = draw(st.integers(1, 3)), draw(st.integers(1, 12) | st.integers(30, 36))
    kinds = draw(contexts_of(bars, shorts, modes, turns, many))
    widths = [draw(column([0.9, 0.5, 0.25, 1.5, np.nan], count)) for _ in range(lengths)]
    series = Tightenings(
        np.array(widths),
        draw(column(range(lengths), many)),
        draw(column([1.0, 0.5, 1 / 3], many)),
        draw(column([0, 1, 2], many)),
        draw(column([0.1, 0.3, 0.9, 1.0], many)),
    )
    least = min(int(each.first.min()) for each in kinds)
    undefined = draw(st.sampled_from([0, least]))
    ways = (LONG, SHORT) if shorts else (LONG,)
    guards = tuple(draw(any_protection(bars, way, undefined=undefined)) for way in ways)
    return Family(kinds, guards, series, turns, draw(st.booleans()))


def contexts_of(bars, shorts, modes, turns, many):
    return st.lists(contexts(bars, shorts, modes, turns, many), min_size=1, max_size=3)


def money_and_bars(simulations):
    """What two lists of trades must share to be the same; reasons may differ at one price."""
    return tuple(tuple((*t[:6], t[7]) for t in made.trades) for made in simulations)


def check_family(family, bars, spans, account):
    """Assert that both walks of the search report what the reference does; return its runs."""
    levels = Levels(*(np.array(each) for each in REMEMBERED), account.capital / 50)
    behaviours, runs = set(), []
    for context, (oos, codes, table_of), (totals, prints), pairs in family.walk(
        bars, spans, account, levels
    ):
        for n, (s, e) in enumerate(zip(*pairs, strict=True)):
            made = [simulate(bars, family.rules(context, s, e), w, account) for w in spans]
            reports = np.array([run.report for run in made])
            assert np.array_equal(oos[table_of[s], e], reports[:, 1].astype(np.float32))
            assert np.array_equal(totals[n, :, :4], reports[:, :4])
            np.testing.assert_allclose(
                totals[n, :, 4:], reports[:, 4:], rtol=1e-9, atol=1e-12 * account.capital
            )
            codes_tell(codes[table_of[s], e], totals[n], account.capital / 50)
            behaviours.add((int(prints[n]), money_and_bars(made)))
            runs += made
        packed = pack(totals, levels)
        assert np.array_equal(packed[0].reshape(-1, *oos.shape[1:]), oos[table_of])
        assert np.array_equal(packed[1].reshape(-1, *oos.shape[1:]), codes[table_of])
    assert len({mark for mark, _ in behaviours}) == len(behaviours)
    assert len({trades for _, trades in behaviours}) == len(behaviours)
    return runs


@given(st.data())
@settings(max_examples=100)
def test_any_rules_through_the_lanes(data):
    bars = data.draw(tiny_bars(), label="bars")
    family = data.draw(families(bars), label="family")
    spans = data.draw(st.lists(windows(len(bars)), min_size=1, max_size=3), label="windows")
    account = data.draw(accounts(8.0, (0.0, 0.001, 0.3)), label="account")
    check_family(family, bars, spans, account)


def plain_series(count, many=1):
    """Tightening series that never tighten."""
    zero = np.zeros(many, np.int64)
    return Tightenings(np.ones((1, count)), zero, np.ones(many), zero, np.ones(many))


@pytest.mark.parametrize("later", [True, False])
@pytest.mark.parametrize("bought", [True, False])
def test_a_reversal_too_small_to_be_ordered_is_walked_again(later, bought):
    # 102 buys one share at 102 and sells one at 100, but none at 103 or 105.
    rows = [
        (100, 101, 99, 100),
        (102, 104, 101, 103),
        (104, 106, 102.5, 105),
        (106, 108, 104, 107),
        (107, 108, 99, 100),
        (100, 101, 95, 96),
    ]
    side = [LONG, SHORT, SHORT, SHORT if later else 0, LONG if bought else 0, 0]
    level = np.array([102.0, 103, 105, 100, 99.5, 1])
    count, never = len(rows), np.full(len(rows), np.nan)
    orders = Orders(np.array(side, np.int8), level, level)
    sets = [
        EntrySet((orders,), np.zeros(count, np.bool_), (way, True), 0) for way in (True, False)
    ]
    guards = tuple(Protection(np.full(count, -way * 1e7), never) for way in (LONG, SHORT))
    context = Context(sets, (None, None), np.zeros(1, np.int64))
    family = Family([context], guards, plain_series(count))
    spans = [Window(0, 2, 6), Window(0, 4, 5), Window(0, 3, 4), Window(0, 5, 6)]
    runs = check_family(family, bars_of(rows), spans, Account(capital=102))
    whole = [trade.reason for trade in runs[0].trades]
    expected = ["reverse", "reverse", "end"] if bought else ["reverse", "end"]
    assert whole == (expected if later else ["end"])


def codes_tell(codes, totals, min_drawdown):
    """Assert the four counts of a code from the totals of the same chain."""
    names = tuple(LEVELS)
    gates = ("efficiency", "drawdown_to_profit", "drawdown_to_in_sample")
    shaped = phase_totals(totals[None])
    found = (codes & 255, (codes >> 8) & 255, (codes >> 16) & 255)
    assert np.array_equal(codes >> 24, np.minimum(totals[:, 2], totals[:, 3]))
    assert np.array_equal(found[0] > 0, totals[:, 0] > 0)
    for k, (name, gate) in enumerate(zip(names, gates, strict=True)):
        for place, level in enumerate(REMEMBERED[k]):
            choice = Gates(**{name: level}, min_drawdown=min_drawdown)
            expected = gate_masks(shaped, choice)[gate][0]
            need = place + 2 if k == 0 else len(REMEMBERED[k]) - place
            assert np.array_equal(found[k] >= need, expected)


def test_a_ratio_on_its_threshold_does_not_pass():
    # Ten shares from 100: in-sample 1000, 1050, 1000, 1200, out-of-sample 1100, 1300. Efficiency
    # 100 / 200, drawdowns 50 and 100: each is one of the thresholds.
    closes = [100, 105, 100, 120, 110, 130]
    opens = [100, *closes[:-1]]
    rows = [(o, max(o, c), min(o, c), c) for o, c in zip(opens, closes, strict=True)]
    count = len(rows)
    level = np.array([100.0] + [1e6] * (count - 1))
    orders = Orders(np.full(count, LONG, np.int8), level, level)
    sets = [EntrySet((orders,), np.zeros(count, np.bool_), (False, False), 0)]
    guard = Protection(np.full(count, -1e6), np.full(count, -1e6))
    family = Family(
        [Context(sets, (None, None), np.zeros(1, np.int64))], (guard,), plain_series(count)
    )
    remembered = Levels(*(np.array(each) for each in REMEMBERED), 0.0)
    account = Account(capital=1000)
    ((_, (oos, codes, _), _, _),) = family.walk(
        bars_of(rows), [Window(0, 4, 6)], account, remembered
    )
    assert oos.tolist() == [[[100.0]]]
    code = int(codes[0, 0, 0])
    assert (code & 255, code >> 8 & 255, code >> 16 & 255, code >> 24) == (3, 1, 1, 1)


def test_trades_are_counted_up_to_255():
    # The count's byte is the code's highest: one more would overflow into nothing.
    assert needs_of(replace(LOOSE, min_trades=255), built("plain").problem.levels).trades == 255
    assert all(a < b for levels in LEVELS.values() for a, b in pairwise(levels))
