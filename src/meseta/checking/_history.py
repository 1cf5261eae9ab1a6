"""Whether a decision depends on no more bars than the strategy says."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from meseta.account import Account
from meseta.checking._compare import Difference, decisions, first_difference
from meseta.checking._examples import Example, draw_values, smooth_market
from meseta.engine import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meseta.strategies import SeparableStrategy as Strategy

__all__ = ["forgets", "history_examples"]

# Decisions that are compared, and the longest look-back that a check waits for.
_COMPARED, _LONGEST = 60, 5_000


def history_examples(strategy: Strategy, count: int, seed: int) -> Iterator[Example]:
    """Yield examples long enough for what the strategy says; none where it says nothing.

    Markets without ties: where two prices are equal, the last bit of an average decides, and
    only that bit depends on older bars.
    """
    for number in range(count):
        rng = np.random.default_rng([seed, number, 1])
        values = draw_values(strategy.parameters, rng)
        needed = strategy.look_back(values)
        if needed is None or needed > _LONGEST:
            continue
        drop = int(rng.integers(1, 2 * _COMPARED))
        bars = smooth_market(strategy, max(needed, 1) + drop + _COMPARED, rng)
        window = Window(0, len(bars) // 2, len(bars))
        yield Example(bars, values, window, Account(), 0, drop)


def forgets(strategy: Strategy, example: Example) -> Difference | None:
    """Find a value that depends on bars older than the look-back; `cut` bars are dropped."""
    needed, many, drop = strategy.look_back(example.values), len(example.bars), example.cut
    if needed is None or drop + needed > many:
        return None
    whole = decisions(strategy, example)
    late = decisions(strategy, replace(example, bars=example.bars.slice(drop, many)))
    skip = max(needed, 1) - 1
    found = first_difference(
        {name: each[drop + skip :] for name, each in whole.items()},
        {name: each[skip:] for name, each in late.items()},
        near=example.bars.close[drop + skip :],
    )
    if found is None:
        return None
    bar = found.bar + drop + skip
    return Difference(
        f"{found._replace(bar=bar).what} changes when the bars before {drop} are left out, "
        f"although `look_back` is {needed}",
        bar,
        found.pair("with all bars", "without the first"),
    )
