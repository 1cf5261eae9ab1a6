"""Which market data a run is given: data files, or symbols that a source has."""

from __future__ import annotations

from datetime import date
from pathlib import Path  # noqa: TC003 - pydantic reads annotations
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationInfo,
    model_validator,
)

from meseta._paths import as_code, as_path
from meseta.data._key import Basis, parse_bar_size
from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SeriesConfig", "unused"]

_OF_FILES = ("timezone", "date_order")
_OF_SYMBOLS = (
    "source", "interval", "basis", "session", "start", "end", "fetch", "calendar", "store",
)  # fmt: skip


_NOT_USED = dict.fromkeys(
    _OF_FILES,
    "is for data files, and no --bars is given: a source knows it of its symbols; leave it out",
) | dict.fromkeys(
    _OF_SYMBOLS, "is for a symbol, and no --symbol is given; give one, or leave it out"
)


def unused(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the options that mean nothing beside what is given.

    Parameters
    ----------
    given
        Options by name; of them only `bars`, `bars2`, `symbol` and `symbol2` count.
    """
    files = any(given.get(name) is not None for name in ("bars", "bars2"))
    symbols = any(given.get(name) is not None for name in ("symbol", "symbol2"))
    return (() if files else _OF_FILES) + (() if symbols else _OF_SYMBOLS)


def _as_symbol(value: object, info: ValidationInfo) -> object:
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    raise ArgumentError(
        f"`{info.field_name}` must be the name of a market, got {value!r}; put it in quotes where "
        "YAML reads it as something else"
    )


def _as_day(value: object, info: ValidationInfo) -> object:
    """Return a date as text; YAML reads 2010-01-04 as a date."""
    text = value.isoformat() if isinstance(value, date) else value
    if text is None or isinstance(text, str):
        return text
    raise ArgumentError(
        f"`{info.field_name}` must be a date such as 2010-01-04, or a time such as "
        f"2010-01-04T09:30, got {value!r}"
    )


def _as_interval(value: str) -> str:
    return parse_bar_size(value).name


_Symbol = Annotated[str | None, BeforeValidator(_as_symbol)]
_Day = Annotated[str | None, BeforeValidator(_as_day)]


class SeriesConfig(BaseModel):
    """The market data: of files, or of symbols that are fetched and kept.

    Parameters
    ----------
    bars
        Path of a data file, ``"sample:nasdaq"``, or ``"-"`` for standard input; None for a
        symbol.
    bars2
        The second symbol's data, as `bars`, for strategies that need one; None for none.
    symbol, symbol2
        The same as a source calls them, instead of `bars` and `bars2`.
    source
        Who has the symbols: the name of a source, ``path/to/file.py:NAME`` for one of your own,
        ``"store"`` for what is stored of them, or ``"files"`` for what was imported.
    interval
        Length of the source's bars, such as ``"5m"`` or ``"1d"``.
    basis
        What their prices are adjusted for, see `meseta.data.SeriesKey`; None for the usual.
    session
        The source's name for trading hours other than its usual ones.
    start, end
        First and last day, or times; None for the earliest and the latest.
    fetch
        Whether the source is asked for what is not stored; if not, the network is left alone.
    calendar
        Name of the exchange calendar; None for the source's.
    store
        Folder in which fetched data are kept; None for the usual one.
    allow_dropped
        Accept that the two symbols share few bars; see `meseta.bars.pair`.
    timezone, date_order
        Of data files, see `meseta.bars.load`.
    allow_nonpositive
        Let prices of zero and less pass.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    # Options that mean something of whatever data.
    _of_any_data: ClassVar[frozenset[str]] = frozenset()

    bars: str | None = None
    bars2: str | None = None
    symbol: _Symbol = None
    symbol2: _Symbol = None
    source: Annotated[str, BeforeValidator(as_code)] = "store"
    interval: Annotated[str, AfterValidator(_as_interval)] = "1d"
    basis: Basis | None = None
    session: str = ""
    start: _Day = None
    end: _Day = None
    fetch: bool = True
    calendar: str | None = None
    store: Annotated[Path, BeforeValidator(as_path), PlainSerializer(str)] | None = None
    allow_dropped: bool = False
    timezone: str | None = None
    date_order: Literal["mdy", "dmy", "ymd"] | None = None
    allow_nonpositive: bool = False

    @property
    def fleeting(self) -> bool:
        """Whether other bars may come the next time: more of them, or none from a pipe."""
        return "-" in {self.bars, self.bars2} or bool(self.symbol or self.symbol2)

    @model_validator(mode="after")
    def _check_series(self) -> Self:
        for file, symbol in (("bars", "symbol"), ("bars2", "symbol2")):
            given = getattr(self, file), getattr(self, symbol)
            if None not in given:
                raise ArgumentError(
                    f"`{file}` and `{symbol}` must not both be given, got {given[0]!r} and "
                    f"{given[1]!r}: one names a data file, the other a market of a source"
                )
        if self.bars is None and self.symbol is None:
            raise ArgumentError(
                "`bars` is missing; give --bars a data file, '-' or sample:nasdaq, or --symbol a "
                "market and --source who has it"
            )
        self._require_used()
        return self

    def _require_used(self) -> None:
        for name in (each for each in unused(dict(self)) if each not in self._of_any_data):
            value = getattr(self, name)
            if value != SeriesConfig.model_fields[name].default:
                raise ArgumentError(f"`{name}` {_NOT_USED[name]}, got {value!r}")
