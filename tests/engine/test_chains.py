"""Lanes and scalar chains against the reference engine, for every combination and window."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.account import Account
from meseta.engine import Window
from meseta.engine._chain import Levels
from meseta.engine._entries import entry_tables
from meseta.engine._family import prepare_family, search_family, walk_family
from meseta.engine._fast import costs_of, prices_of
from meseta.engine._marks import prepare_windows
from meseta.engine._reference import simulate
from meseta.search._codes import needs_of
from meseta.search._exhaustive import evaluate_tile
from meseta.search._problem import LEVELS
from meseta.selection import GATES, Gates, PhaseTotals, gate_masks
from meseta.strategies import EntrySets, ExitFamily, LongRules
from meseta.strategies._indicators import Tightenings, tightening
from random_market import accounts, any_rules, bars_of, tiny_bars, windows
from small_world import FIELDS, LOOSE, WORLDS, brute, built

EVERY_WORLD = pytest.mark.parametrize("name", WORLDS)


def flats_of(problem, tile):
    """Flat index of every combination of a tile: series, entry set, exit set's place, inert."""
    family = problem.families[tile.family]
    entry = problem.entry_sets.offset[tile.first_set : tile.last_set]
    for k, offset in enumerate(family.offset):
        flats = offset + entry[:, None] + problem.inert
        yield int(family.member[k]), flats


@EVERY_WORLD
def test_every_combination_is_in_one_tile(name):
    problem = built(name).problem
    seen = [flats.ravel() for tile in problem.tiles() for _, flats in flats_of(problem, tile)]
    assert np.array_equal(np.sort(np.concatenate(seen)), np.arange(problem.grid.size))
    assert sum(map(problem.combinations, problem.tiles())) == problem.grid.size


@EVERY_WORLD
def test_lanes_earn_what_the_reference_earns(name):
    problem, totals = built(name).problem, brute(name).totals
    traded = 0
    for tile in problem.tiles():
        found = evaluate_tile(problem, tile)
        for series, flats in flats_of(problem, tile):
            oos = found.oos[found.table_of[series]]
            expected = totals[flats, :, 1].astype(np.float32)
            assert np.array_equal(np.repeat(oos[:, None], flats.shape[1], axis=1), expected)
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


def walked(problem, family):
    """Totals and fingerprints of all pairs of a family, shapes (series, sets, W, 6) and (..)."""
    slippage = problem.account.slippage
    tables = prepare_family(family, problem.entries, problem.prices, slippage)
    many, sets = family.series.many, len(problem.entry_sets.offset)
    series, entry = np.divmod(np.arange(many * sets), sets)
    totals, prints = walk_family(
        tables, family.series, (series, entry), problem.prices, problem.cuts, problem.costs,
        slippage,
    )  # fmt: skip
    return totals.reshape(many, sets, -1, 6), prints.reshape(many, sets)


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
        pairs, _ = walked(problem, problem.families[tile.family])
        totals.append(pairs.reshape(-1, phases, len(FIELDS)))
        codes.append(found.codes[found.table_of].reshape(-1, phases))
        oos.append(found.oos[found.table_of].reshape(-1, phases))
    every = phase_totals(np.concatenate(totals))
    code, profit = np.concatenate(codes), np.concatenate(oos)
    assert len(code) == len(every.is_pnl) > 0
    for choice in gate_choices(gates):
        plain = gate_masks(every, choice)
        coded = passes(code, profit, needs_of(choice, problem.levels))
        assert tuple(plain) == tuple(coded) == GATES
        for gate, mask in plain.items():
            assert np.array_equal(mask, coded[gate]), (choice, gate)


@EVERY_WORLD
def test_scalar_chains_report_what_the_reference_reports(name):
    problem, (expected, _) = built(name).problem, brute(name)
    scale = problem.account.capital
    for family in problem.families:
        totals, _ = walked(problem, family)
        for k, offset in enumerate(family.offset):
            flats = offset + problem.entry_sets.offset[:, None] + problem.inert
            found = np.repeat(totals[family.member[k]][:, None], flats.shape[1], axis=1)
            assert np.array_equal(found[..., :4], expected[flats][..., :4])
            np.testing.assert_allclose(
                found[..., 4:], expected[flats][..., 4:], rtol=1e-9, atol=1e-12 * scale
            )


@EVERY_WORLD
def test_fingerprints_are_equal_exactly_for_equal_trades(name):
    problem, (_, trades) = built(name).problem, brute(name)
    by_print, by_trades = {}, {}
    for family in problem.families:
        _, prints = walked(problem, family)
        for k, offset in enumerate(family.offset):
            for e, entry in enumerate(problem.entry_sets.offset):
                mark, made = int(prints[family.member[k], e]), trades[offset + entry]
                by_print.setdefault(mark, set()).add(made)
                by_trades.setdefault(made, set()).add(mark)
    assert len(by_trades) == len(set(trades)) > 1
    assert {len(made) for made in by_print.values()} == {1}, "different trades, one fingerprint"
    assert {len(marks) for marks in by_trades.values()} == {1}, "same trades, two fingerprints"


@EVERY_WORLD
def test_inert_values_change_no_trade(name):
    problem, (_, trades) = built(name).problem, brute(name)
    for flat in range(0, problem.grid.size, problem.inert.size):
        assert len({trades[flat + i] for i in problem.inert}) == 1


def test_worlds_are_what_they_are_meant_to_be():
    sizes = {name: built(name).problem for name in WORLDS}
    wide, narrow = sizes["plain"], sizes["narrow"]
    assert len(wide.entry_sets.offset) % 2 == 1
    assert len(narrow.families) == len(narrow.entry_sets.offset) == 1
    assert narrow.families[0].series.many < 8 < wide.families[0].series.many
    # Some exit sets share a series, and some series share an exit table.
    assert wide.families[0].offset.size > wide.families[0].series.many
    tables = [evaluate_tile(wide, tile).table_of for tile in wide.tiles()]
    assert any(np.unique(table_of).size < table_of.size for table_of in tables)
    assert any(np.unique(table_of).size % 8 for table_of in tables)
    # The account is too small for an order at times and large enough at others.
    for name in ("poor", "hundreds"):
        problem, made = sizes[name], brute(name).trades
        account = replace(problem.account, capital=100 * problem.account.capital)
        mixed = 0
        for flat in range(0, problem.grid.size, 31):
            rules = problem.strategy.rules(problem.bars, problem.grid.point(flat), problem.warmup)
            for window, trades in zip(problem.windows, made[flat], strict=True):
                rich = simulate(problem.bars, rules, window, account).trades
                mixed += 0 < len(trades) < len(rich)
        assert mixed > 3


# Ratios that whole prices reach exactly.
REMEMBERED = ((0.0, 0.25, 0.5, 1.0, 2.0), (0.5, 1.0, 2.0), (0.5, 1.0, 2.0, 3.0))


def column(draw, values, count):
    return np.array(draw(st.lists(st.sampled_from(values), min_size=count, max_size=count)))


@st.composite
def many_rules(draw, bars):
    """Entry sets and an exit family of a kind that no indicator gives."""
    count, sets = len(bars), draw(st.integers(1, 4))
    rules = [draw(any_rules(bars)) for _ in range(sets)]
    entries = EntrySets(
        np.array([each.level for each in rules]),
        np.array([each.first for each in rules]),
        np.arange(sets),
    )
    lengths, many = draw(st.integers(1, 3)), draw(st.integers(1, 19))
    widths = np.array([column(draw, [0.9, 0.5, 0.25, 1.5, np.nan], count) for _ in range(lengths)])
    series = Tightenings(
        widths,
        column(draw, range(lengths), many),
        column(draw, [1.0, 0.5, 1 / 3], many),
        column(draw, [0, 1, 2], many),
        column(draw, [0.1, 0.3, 0.9, 1.0], many),
    )
    first = column(draw, [0, 0, 1, 3, count, count + 9], many)
    one = np.arange(many)
    return entries, ExitFamily(rules[0].stop, rules[0].shield, series, first, one, one)


def money_and_bars(simulations):
    """What two lists of trades must share to be the same; reasons may differ at one price."""
    return tuple(tuple((*t[:6], t[7]) for t in made.trades) for made in simulations)


@given(st.data())
@settings(max_examples=300)
def test_any_rules_through_the_lanes(data):
    bars = data.draw(tiny_bars(), label="bars")
    sets, family = data.draw(many_rules(bars), label="rules")
    spans = data.draw(st.lists(windows(len(bars)), min_size=1, max_size=3), label="windows")
    account = data.draw(accounts(8.0), label="account")
    prices, cuts, slippage = prices_of(bars), prepare_windows(bars.close, spans), account.slippage
    tables = prepare_family(family, entry_tables(sets, prices, slippage), prices, slippage)
    many, entries = family.series.many, len(sets.offset)
    levels = tuple(np.array(each) for each in REMEMBERED)
    oos, codes, table_of = search_family(
        tables, family.series, np.arange(entries), prices, cuts, costs_of(account),
        Levels(*levels, account.capital / 50), slippage,
    )  # fmt: skip
    series, entry = np.divmod(np.arange(many * entries), entries)
    totals, prints = walk_family(
        tables, family.series, (series, entry), prices, cuts, costs_of(account), slippage
    )
    behaviours = set()
    for n, (s, e) in enumerate(zip(series, entry, strict=True)):
        rules = rules_of(sets, family, s, e)
        made = [simulate(bars, rules, w, account) for w in spans]
        reports = np.array([run.report for run in made])
        assert np.array_equal(oos[table_of[s], e], reports[:, 1].astype(np.float32))
        assert np.array_equal(totals[n, :, :4], reports[:, :4])
        np.testing.assert_allclose(
            totals[n, :, 4:], reports[:, 4:], rtol=1e-9, atol=1e-12 * account.capital
        )
        codes_tell(codes[table_of[s], e], totals[n], account.capital / 50)
        behaviours.add((int(prints[n]), money_and_bars(made)))
    assert len({mark for mark, _ in behaviours}) == len(behaviours)
    assert len({trades for _, trades in behaviours}) == len(behaviours)


def rules_of(sets, family, s, e):
    """The rules of one series and one entry set."""
    given_ = family.series
    factor = tightening(
        given_.width[given_.length[s]], given_.ratio[s], given_.scaling[s], given_.floor[s]
    )
    first = max(int(sets.first[e]), int(family.first[s]))
    return LongRules(sets.level[e], family.shield, family.stop, factor, first)


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
    bars, count = bars_of(rows), len(rows)
    levels = np.array([[100.0] + [1e6] * (count - 1)])
    zero, never = np.zeros(1, np.int64), np.full(count, -1e6)
    series = Tightenings(np.ones((1, count)), zero, np.ones(1), zero, np.ones(1))
    family = ExitFamily(never, never, series, zero, zero, zero)
    prices, cuts = prices_of(bars), prepare_windows(bars.close, [Window(0, 4, 6)])
    sets = EntrySets(levels, zero, zero)
    tables = prepare_family(family, entry_tables(sets, prices, 0.0), prices, 0.0)
    remembered = Levels(*(np.array(each) for each in REMEMBERED), 0.0)
    oos, codes, _ = search_family(
        tables, series, zero, prices, cuts, costs_of(Account(capital=1000)), remembered, 0.0
    )
    assert oos.tolist() == [[[100.0]]]
    code = int(codes[0, 0, 0])
    assert (code & 255, code >> 8 & 255, code >> 16 & 255, code >> 24) == (3, 1, 1, 1)


def test_trades_are_counted_up_to_255():
    # The count's byte is the code's highest: one more would overflow into nothing.
    assert needs_of(replace(LOOSE, min_trades=255), built("plain").problem.levels).trades == 255
    assert all(a < b for levels in LEVELS.values() for a, b in pairwise(levels))
