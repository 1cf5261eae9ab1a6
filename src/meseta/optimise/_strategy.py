"""Any strategy of the registry on a series, as a study sees it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from meseta._mirror import mirrored
from meseta.account import Account, Contract
from meseta.bars import session_open
from meseta.engine import Simulation, Window, backtest
from meseta.errors import ArgumentError
from meseta.optimise._figures import figures
from meseta.strategies import Strategy, find_strategy

if TYPE_CHECKING:
    from meseta._types import FloatArray, TimeArray
    from meseta.bars import Bars
    from meseta.bayes import Metrics, Params

__all__ = ["StrategyEvaluator", "StrategyProblem"]

_LEAST = 2  # bars: one to decide at, one to trade


@dataclass(frozen=True, eq=False, kw_only=True)
class StrategyProblem:
    """A strategy on a series; a `meseta.bayes.Problem`.

    Parameters
    ----------
    bars
        The series, with what comes before and after the span.
    strategy
        A strategy, or its name as `find_strategy` takes it. Give the name of a strategy in a
        file of your own: worker processes find it by that.
    account, contract
        Capital and costs; what is traded, by default shares.
    warmup
        Bars from the start of the data on which nothing is decided.
    span
        First traded row and the row after the last; None for all bars from `warmup` on. The
        first decision is taken at the close of the first.

    Raises
    ------
    ArgumentError
        The strategy is unknown or cannot be run on the series, or the span does not fit it.
    """

    bars: Bars
    strategy: Strategy | str
    account: Account = field(default_factory=Account)
    contract: Contract | None = None
    warmup: int = 100
    span: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.span == (0, 0):
            object.__setattr__(self, "span", (min(self.warmup, len(self.bars)), len(self.bars)))
        start, stop = self.span
        if self.warmup < 0:
            raise ArgumentError(f"`warmup` must be zero or more bars, got {self.warmup!r}")
        if not 0 <= start <= stop - _LEAST or stop > len(self.bars):
            raise ArgumentError(
                f"`span` must hold at least {_LEAST} rows from 0 to {len(self.bars)}, the number "
                f"of bars ({self.bars.name}), got {start} to {stop} (warm-up {self.warmup})"
            )
        self.found.require(self.bars)

    def __getstate__(self) -> dict[str, Any]:
        # Strategies hold compiled functions: another process looks them up.
        state = {name: getattr(self, name) for name in self.__dataclass_fields__}
        named = isinstance(self.strategy, str)
        return state | {"strategy": self.strategy if named else _registered(self.found)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @cached_property
    def found(self) -> Strategy:
        """The strategy itself."""
        given = self.strategy
        return find_strategy(given) if isinstance(given, str) else given

    @property
    def name(self) -> str:
        """Strategy and market."""
        return f"{self.found.name} on {self.bars.name}"

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the bars up to the span's end, strategy, account, contract and warm-up."""
        used = self.bars.slice(0, self.span[1])
        said = {
            "bars": used.fingerprint,
            "bars_per_year": used.bars_per_year,
            "session_open": session_open(used),
            "strategy": [self.found.name, self.found.source],
            "account": asdict(self.account),
            "contract": None if self.contract is None else asdict(self.contract),
            "warmup": self.warmup,
            "span": list(self.span),
        }
        return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()

    @property
    def time(self) -> TimeArray:
        """Times of all bars."""
        return self.bars.time

    def over(self, start: int, stop: int, capital: float | None = None) -> Self:
        """Return the same problem over other rows, with other money.

        Raises
        ------
        ArgumentError
            The rows are not in the series, or the capital is not positive.
        """
        account = self.account if capital is None else replace(self.account, capital=capital)
        return replace(self, span=(start, stop), account=account)

    def shuffled(self, seed: int) -> Self:
        """Return the same problem on `meseta.optimise.mirrored` bars."""
        return replace(self, bars=mirrored(self.bars, seed))

    def evaluator(self) -> StrategyEvaluator:
        """Return what back-tests parameter sets."""
        return StrategyEvaluator(self)


def _registered(strategy: Strategy) -> Strategy | str:
    """Return the name under which another process finds a strategy, or the strategy itself."""
    try:
        return strategy.name if find_strategy(strategy.name) is strategy else strategy
    except ArgumentError:
        return strategy


class StrategyEvaluator:
    """Back-tests parameter sets of a `StrategyProblem` with the fast engine."""

    def __init__(self, problem: StrategyProblem) -> None:
        self._problem = problem
        # Nothing that a strategy of one's own looks at can lie beyond the span.
        self._bars = problem.bars.slice(0, problem.span[1])

    def metrics(self, params: Params, stop: int | None = None) -> Metrics:
        """Return the figures of a run from the span's first row to `stop`.

        What is open at the last close is closed there and counts as a trade, as in every other
        table of this package.

        Raises
        ------
        ArgumentError
            A parameter breaks its rule, or `stop` leaves too few bars.
        """
        start = self._problem.span[0]
        made = self._run(params, stop)
        capital = self._problem.account.capital
        return figures(self._bars, made.equity, made.trades, capital, start)

    def curve(self, params: Params) -> FloatArray:
        """Return the equity at each bar's close of the span."""
        return self._run(params).equity

    def result(self, params: Params) -> Simulation:
        """Return trades and equity."""
        return self._run(params)

    def _run(self, params: Params, stop: int | None = None) -> Simulation:
        given, start = self._problem, self._problem.span[0]
        bars = self._bars if stop is None else self._cut(stop)
        return backtest(
            bars, given.found, params, Window(start, start + 1, len(bars)), given.account,
            warmup=given.warmup, contract=given.contract,
        )  # fmt: skip

    def _cut(self, stop: int) -> Bars:
        start, last = self._problem.span
        if not start + _LEAST <= stop <= last:
            raise ArgumentError(f"`stop` must be from {start + _LEAST} to {last}, got {stop}")
        return self._bars.slice(0, stop)
