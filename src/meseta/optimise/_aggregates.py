"""One set of figures from those of several instruments."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from types import FunctionType
from typing import Any, TypeAlias, cast

from meseta._near import did_you_mean
from meseta._own_file import kind_of, read_file, run_file, said, split
from meseta.bayes import Metrics
from meseta.errors import ArgumentError

__all__ = ["AGGREGATES", "Aggregate", "find_aggregate"]

Aggregate: TypeAlias = Callable[[Sequence[Metrics]], Metrics]

# What an aggregate is tried on before a study begins.
_TRIAL = Metrics(
    sharpe=1.0, total_return=0.1, profit_factor=1.5, calmar=1.0, max_drawdown=0.1, trades=60,
    win_rate=0.5, final_equity=11_000.0,
)  # fmt: skip
_LARGER_IS_WORSE = {"max_drawdown", "fees", "funding"}


def mean(figures: Sequence[Metrics]) -> Metrics:
    """Return the figures of an average instrument.

    Arithmetic means; of trades, whole ones. Profit factors are averaged as winnings' shares of
    all that was won and lost, since one instrument without a loss would make any mean infinite.
    A figure that one instrument has not, the average has not. Liquidated is one where any is.
    """
    values = {
        field.name: math.fsum(getattr(each, field.name) for each in figures) / len(figures)
        for field in fields(Metrics)
    }
    share = math.fsum(_won(each.profit_factor) for each in figures) / len(figures)
    values["profit_factor"] = math.inf if share == 1 else share / (1 - share)
    return Metrics(
        **values
        | {
            "trades": sum(each.trades for each in figures) // len(figures),
            "liquidated": any(each.liquidated for each in figures),
        }  # type: ignore[arg-type]
    )


def worst(figures: Sequence[Metrics]) -> Metrics:
    """Return each figure's worst among the instruments: what every one of them reaches.

    A figure that one instrument has not, none has.
    """
    values: dict[str, Any] = {}
    for field in fields(Metrics):
        every = [getattr(each, field.name) for each in figures]
        pick = max if field.name in _LARGER_IS_WORSE else min
        values[field.name] = math.nan if any(map(math.isnan, every)) else pick(every)
    return Metrics(**values | {"liquidated": any(each.liquidated for each in figures)})


AGGREGATES: dict[str, Aggregate] = {"mean": mean, "worst": worst}


@dataclass(frozen=True, slots=True)
class OwnAggregate:
    """A function of a user's file.

    Parameters
    ----------
    name
        As it was asked for.
    function
        Takes the figures of each instrument, returns those that count.
    source
        SHA-256 of its file.
    """

    name: str
    function: Aggregate
    source: str

    def __call__(self, figures: Sequence[Metrics]) -> Metrics:
        """Return what it makes of the figures.

        Raises
        ------
        ArgumentError
            It raises, or returns something else.
        """
        try:
            made = self.function(figures)
        except Exception as error:
            raise ArgumentError(f"`aggregate` {self.name!r} raised {said(error)}") from error
        if not isinstance(made, Metrics):
            raise ArgumentError(
                f"`aggregate` {self.name!r} must return meseta.bayes.Metrics, for instance one of "
                f"those that it is given, changed with dataclasses.replace; got {kind_of(made)}"
            )
        return made


def find_aggregate(wanted: str) -> Aggregate:
    """Return an aggregate.

    Parameters
    ----------
    wanted
        One of `AGGREGATES`, or ``path/to/file.py:name`` for a function of a user's file, where
        ``path/to/file.py`` is enough if it defines one.

    Raises
    ------
    ArgumentError
        There is none of that name or no such file, or the file cannot be run.
    """
    if wanted in AGGREGATES:
        return AGGREGATES[wanted]
    path, name = split(wanted)
    if not path:
        raise ArgumentError(
            f"`aggregate` must be one of {', '.join(AGGREGATES)}, or path/to/file.py:name, got "
            f"{wanted!r}{did_you_mean(wanted, AGGREGATES)}"
        )
    full, content = read_file("aggregate", wanted, path)
    function = _chosen(path, name, run_file(full, content, "aggregate"), full)
    own = OwnAggregate(wanted, function, hashlib.sha256(content).hexdigest())
    own((_TRIAL, _TRIAL))
    return own


def _chosen(path: str, wanted: str, held: dict[str, Any], full: str) -> Aggregate:
    """Return the function of a file that is meant: by name, or alone."""
    own = [
        name
        for name, thing in held.items()
        if isinstance(thing, FunctionType) and thing.__code__.co_filename == full
    ]
    if wanted and callable(held.get(wanted)):
        return cast("Aggregate", held[wanted])
    if not wanted and len(own) == 1:
        return cast("Aggregate", held[own[0]])
    what = f"no function {wanted!r}" if wanted else f"{len(own) or 'no'} functions"
    raise ArgumentError(
        f"`aggregate`: {path} has {what}{did_you_mean(wanted, own)}; name one, such as "
        f"{path}:{own[0] if own else 'name'} (its functions: {', '.join(own) or 'none'})"
    )


def _won(profit_factor: float) -> float:
    """Return the share of winnings in all that was won and lost."""
    return 1.0 if profit_factor == math.inf else profit_factor / (1 + profit_factor)
