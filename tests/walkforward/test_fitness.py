"""Finding a fitness, and what is said of one that cannot be used."""

from __future__ import annotations

import math
import re

import numba
import numpy as np
import pytest

from meseta.errors import ArgumentError
from meseta.walkforward import (
    FITNESSES,
    Fitness,
    FitnessError,
    WindowStats,
    find_fitness,
    fitness,
)

STATS = WindowStats(100.0, 5.0, 300.0, 200.0, 50.0, 1.5, 2.0, 0.7, 0.9, 1.1, 252.0, 1.0)
FILE = '''
"""Own fitnesses."""
from meseta.walkforward import fitness
import numpy as np

@fitness
def half(x):
    return x / 2

@fitness
def steady(stats):
    return half(stats.net_profit) - stats.drawdown

@fitness
def whole(stats):
    return int(stats.trades)

def plain(stats):
    return stats.net_profit

@fitness
def misspelt(stats):
    return stats.profit

@fitness
def text(stats):
    return "good"

@fitness
def nothing(stats):
    if stats.trades > 1000:
        return None
    return 1.0

@fitness
def pair(stats):
    return stats.net_profit, stats.trades

@fitness
def truth(stats):
    return stats.trades > 3

@fitness
def two(stats, other):
    return 1.0

@fitness
def raising(stats):
    raise ValueError("never good enough")

@fitness
def outside(stats):
    return np.arange(3)[int(stats.trades)]

@fitness
def divided(stats):
    return stats.net_profit / (stats.trades - 5)

number = 3
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", FITNESSES)
def test_built_in_ones_are_statistics(name):
    found = find_fitness(name)
    assert found.name == name
    assert found.of(STATS) == getattr(STATS, name)
    many = np.array([STATS, [*STATS[::-1]]])
    assert found.of_all(many).tolist() == many[:, WindowStats._fields.index(name)].tolist()


def test_a_file_s_function_is_called_with_the_statistics(file):
    found = find_fitness(f"{file}:steady")
    assert found.of(STATS) == 0.0
    assert find_fitness(f"{file}:whole").of(STATS) == 5.0
    # Nothing is raised by a division by zero.
    assert find_fitness(f"{file}:divided").of(STATS) == math.inf
    many = np.array([[STATS, STATS._replace(net_profit=200.0)]])
    assert found.of_all(many).tolist() == [[0.0, 50.0]]


def test_one_function_needs_no_name_and_the_text_decides_what_it_is(file, tmp_path):
    only = tmp_path / "only.py"
    only.write_text(
        "from meseta.walkforward import fitness\n@fitness\ndef f(s):\n    return s.bars\n"
    )
    found = find_fitness(str(only))
    assert found.name == f"{only}:f"
    assert found.of(STATS) == 252.0
    only.write_text(only.read_text().replace("bars", "years"))
    again = find_fitness(str(only))
    assert again.of(STATS) == 1.0
    assert again.source != found.source


def test_a_function_is_taken_as_it_is():
    @fitness
    def own(stats):
        return stats.net_profit

    @numba.njit
    def other(stats):
        return stats.net_profit + 1

    assert find_fitness(own).of(STATS) == 100.0
    assert find_fitness(other).of(STATS) == 101.0
    assert find_fitness(own).source != find_fitness(other).source
    assert find_fitness(own).kind == -1
    assert isinstance(find_fitness(own), Fitness)
    with pytest.raises(FitnessError, match=r"is a function that is not decorated; write `@fitn"):
        find_fitness(lambda stats: stats.net_profit)


def test_names_that_are_none_are_told_the_ones_there_are(tmp_path):
    wanted = r"one of net_profit, .*mar, or path/to/file.py:name, got 'sharp'; did you mean sharpe"
    with pytest.raises(ArgumentError, match=wanted):
        find_fitness("sharp")
    missing = tmp_path / "no.py"
    with pytest.raises(ArgumentError, match=re.escape(f"there is no file {missing}")):
        find_fitness(f"{missing}:f")
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1\nx = missing\n")
    with pytest.raises(ArgumentError, match=r"broken\.py:2: NameError: name 'missing'"):
        find_fitness(f"{broken}:f")
    empty = tmp_path / "empty.py"
    empty.write_text("")
    with pytest.raises(ArgumentError, match=r"has no decorated functions \(none\); name one"):
        find_fitness(str(empty))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("steedy", r"has no 'steedy'; did you mean steady\? \(the file's decorated functions: ha"),
        ("", r"has 12 decorated functions \(half, .*divided\); name one, such as .*own\.py:half"),
        ("plain", r"own\.py:plain` is a function that is not decorated; write `@fitness`"),
        ("number", r"own\.py:number` is int 3, no function"),
        ("misspelt", r"cannot be compiled: .*own\.py:2\d: Unknown attribute 'profit' of type sta"),
        ("misspelt", r"stats, which has net_profit, trades, .*years"),
        ("text", r"own\.py:\d+\) must return a number for every window, returns a text"),
        ("nothing", r"must return a number for every window, returns nothing \(None\) for some"),
        ("pair", r"must return a number for every window, returns several values"),
        ("truth", r"must return a number for every window, returns true or false"),
        ("two", r"must take the window's statistics alone, takes 2"),
        ("raising", r"must return a number for every window, returns nothing \(None\)"),
        ("outside", r"raised IndexError: .*; with WindowStats\(net_profit=1000\.0"),
    ],
)
def test_functions_that_cannot_be_used_say_why(name, why, file):
    with pytest.raises(ArgumentError, match=why):
        find_fitness(f"{file}:{name}" if name else str(file))
