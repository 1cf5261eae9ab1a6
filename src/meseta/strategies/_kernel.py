"""Kernel strategies: one function that is called at every close, for what is not separable.

Orders may depend on the position, on how it came about, on its profit, or on anything that the
strategy remembers. The price is speed: a parameter set is a loop over all bars.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba.core.errors import NumbaError, UnsupportedBytecodeError

from meseta._near import did_you_mean
from meseta.strategies._broker import Broker
from meseta.strategies._own import (
    RuleCompileError,
    StrategyError,
    _Part,
    _plain,
    _require_parameters,
    _with,
    check_name,
    markets_of,
    part_of,
)
from meseta.strategies._separable import BaseStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meseta.bars import Bars
    from meseta.errors import ArgumentError
    from meseta.strategies._own import Market
    from meseta.strategies._parameters import Parameter

__all__ = ["NOT_COMPILED", "KernelStrategy", "Prepared"]

# What the compiler raises.
NOT_COMPILED = (NumbaError, UnsupportedBytecodeError, NotImplementedError)

# What each order takes, as text.
_ORDERS = {
    name: ", ".join(list(inspect.signature(function).parameters)[1:])
    for name, function in vars(Broker).items()
    if inspect.isfunction(function)
}
_KNOWN = [name for name in vars(Broker) if not name.startswith("_")]
_LITERAL = re.compile(r"Literal\[\w+\]\((.*?)\)")
_NO_ATTRIBUTE = re.compile(r"Unknown attribute '(\w+)' of type Broker")
_NO_SUCH_CALL = re.compile(
    r"(?:- Resolution failure for literal arguments: )?No implementation of function "
    r"Function\(<function _(\w+) at \w+>\) found for signature: >{3} _\w+\(Broker(?:, )?(.*)\)"
)


class Prepared(NamedTuple):
    """A kernel strategy with one parameter set on one series.

    Parameters
    ----------
    market
        The series.
    series
        What the strategy's `series` returned: an array or a tuple of arrays; 0.0 without one.
    values
        Parameters in the order in which `decide` names them, whole ones as int.
    """

    market: Market
    series: Any
    values: tuple[float, ...]


class KernelStrategy(BaseStrategy):
    """A strategy that is a function over bars.

    Parameters
    ----------
    name
        Letters, digits, ``_`` and ``-``, beginning with a letter; run folders are named after it.
    summary
        One line on what it does.
    parameters
        What it can be tuned with. Every one must be read by one of the functions.
    decide
        Function decorated with `rule`: ``decide(t, market, broker, ...)``, or
        ``decide(t, market, broker, series, ...)`` where there is a `series` function; then
        parameters by name. It is called at the close of every bar `t` from the warm-up on, reads
        the `Market` and the series up to `t`, and gives the orders of the next bar to the
        `Broker`. It returns nothing.
    series
        Function decorated with `rule`: ``series(market, ...)`` with parameters by name returns
        an array of shape (N,) or a tuple of them, computed once for a parameter set on the whole
        history, each value from bars up to its own, not to be written to. None for none.
    shorts
        Whether it ever sells short; told to the user, not enforced.

    Raises
    ------
    StrategyError
        A function or a parameter breaks one of these conditions; the message says which.
    """

    def __init__(
        self,
        *,
        name: str,
        parameters: Sequence[Parameter],
        decide: Callable[..., None],
        series: Callable[..., Any] | None = None,
        summary: str = "",
        shorts: bool = True,
    ) -> None:
        self.name, self.summary = check_name(name), summary
        self.parameters, self.shorts = tuple(parameters), shorts
        given = "the bar, the market, the broker" + (", the series" if series else "")
        self.decide = part_of(name, "decide", decide, skip=4 if series else 3, given=given)
        self.series = part_of(name, "series", series) if series else None
        parts = [self.decide, self.series] if self.series else [self.decide]
        _require_parameters(name, self.parameters, parts)

    def prepare(
        self, bars: Bars, values: Mapping[str, Any], market: Market | None = None
    ) -> Prepared:
        """Return the strategy with one parameter set, its series computed.

        Parameters
        ----------
        bars
            Whole series.
        values
            A value for each of `parameters`.
        market
            `bars` as kernels see them, where they were made before.

        Raises
        ------
        ArgumentError
            A value is missing, unknown or illegal.
        StrategyError
            The series function cannot be compiled, raises, or returns something else.
        """
        p = self.check(bars, values)
        market = market or markets_of(bars)[0]
        whole = {each.name for each in self.parameters if each.whole}
        given = {name: int(v) if name in whole else float(v) for name, v in p.items()}
        series = self._series(market, given) if self.series else 0.0
        return Prepared(market, series, tuple(given[name] for name in self.decide.reads))

    def _series(self, market: Market, p: dict[str, float]) -> Any:
        part = self.series
        assert part is not None  # the caller asked
        try:
            made = part.run(market, *(p[name] for name in part.reads))
        except NOT_COMPILED as error:
            raise self.not_compiled(part, error) from error
        except Exception as error:
            said = f"raised {type(error).__name__}: {error}{_with(part, p)}"
            raise StrategyError(self._said(part, said)) from error
        for each in made if isinstance(made, tuple) else (made,):
            if not isinstance(each, np.ndarray) or each.shape != market.close.shape:
                raise StrategyError(
                    self._said(
                        part,
                        "must return an array with one value for each of the "
                        f"{market.close.size} bars, or a tuple of such arrays, got "
                        f"{type(each).__name__} {getattr(each, 'shape', each)!r}",
                    )
                )
            # What is written to at one bar would be there when the bars are walked again.
            each.setflags(write=False)
        return made

    def not_compiled(self, part: _Part, error: Exception) -> RuleCompileError:
        """Return what to say of a function that cannot be compiled."""
        why = _of_broker(_plain(error, part))
        return RuleCompileError(self._said(part, f"cannot be compiled: {why}"))

    def raised(self, error: Exception, bar: int) -> ArgumentError:
        """Return what to say of an error that `decide` raised at the close of a bar."""
        said = f"raised {type(error).__name__} at bar {bar}: {error}"
        return StrategyError(self._said(self.decide, said), bar=bar)

    def _said(self, part: _Part, what: str) -> str:
        return f"strategy `{self.name}`: `{part.name}` ({part.place}) {what}"


def _of_broker(text: str) -> str:
    """Return a compiler's message in the broker's own words."""

    def attribute(found: re.Match[str]) -> str:
        hint = did_you_mean(found[1], _KNOWN)
        return f"Unknown attribute {found[1]!r} of the broker{hint}"

    def call(found: re.Match[str]) -> str:
        given = _LITERAL.sub(r"\1", found[2])
        return f"`broker.{found[1]}` takes ({_ORDERS[found[1]]}), got ({given})"

    return _NO_SUCH_CALL.sub(call, _NO_ATTRIBUTE.sub(attribute, text))
