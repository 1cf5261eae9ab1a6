"""Project files: symbols x bar sizes x strategies, checked before any work is done."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import reduce
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meseta._near import did_you_mean
from meseta._paths import located
from meseta._yaml import read_yaml
from meseta.bars._resample import _parse as parse_size
from meseta.config import parse_options
from meseta.errors import ArgumentError
from meseta.series_config import unused
from meseta.strategies import find_strategy
from meseta.walkforward import find_fitness
from meseta.walkforward_config import WalkForwardConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["AS_IS", "Member", "Project", "is_project", "load_project"]

AS_IS = "as is"
_KEYS = ("name", "symbols", "bar_sizes", "strategies", "options", "risk")
# Any of them tells a project from the options of a single walk-forward.
_MARKS = {"symbols", "bar_sizes", "strategies"}
_RISK = 0.10
_PART = re.compile(r"[^\s./\\:][^/\\:\x00-\x1f]*")
_Options = dict[str, Any]

# Options that have another place, and which.
_ELSEWHERE = {
    "bar_size": "list it under `bar_sizes`",
    "name": "members are called by symbol, bar size and strategy",
}
_ONCE = {"out": "give it under `options`", "threads": "give it under `options`"}
_SYMBOL = "give it to each of the `symbols`"
_STRATEGY = "list it under `strategies`"
_MARKETS = ("bars", "bars2", "symbol", "symbol2")
_BARRED = {
    "options": _ELSEWHERE | {"bars": _SYMBOL, "symbol": _SYMBOL, "strategy": _STRATEGY},
    "strategies": _ELSEWHERE | _ONCE | dict.fromkeys(_MARKETS, _SYMBOL),
    "symbols": _ELSEWHERE | _ONCE | {"strategy": _STRATEGY},
}
_FIXED = (*_MARKETS, "bar_size", "strategy")


@dataclass(frozen=True, slots=True)
class Member:
    """One walk-forward of a project.

    Parameters
    ----------
    symbol, bar_size, strategy
        As the file calls them.
    config
        What is done; `name` is its folder inside the project's.
    """

    symbol: str
    bar_size: str
    strategy: str
    config: WalkForwardConfig

    @property
    def name(self) -> str:
        """Its folder inside the project's."""
        return str(self.config.name)

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"{self.symbol} {self.bar_size} {self.strategy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project, checked as far as it can be without its data.

    Parameters
    ----------
    name
        Name of its folder.
    file
        Where it was read.
    folder
        Where it is written.
    members
        In the order of symbols, then bar sizes, then strategies.
    risk
        Yearly standard deviation that the portfolio shares out, as a fraction of `capital`.
    capital
        Money of the portfolio.
    report
        Whether pages are written.
    """

    name: str
    file: Path
    folder: Path
    members: tuple[Member, ...]
    risk: float
    capital: float
    report: bool

    @property
    def target(self) -> float:
        """Yearly standard deviation that the portfolio shares out; money."""
        return self.risk * self.capital


def is_project(path: str | Path) -> bool:
    """Tell whether a file is a project, not the options of a single walk-forward.

    A project is a YAML mapping with `symbols`; one with `strategies` or `bar_sizes` is meant to
    be. A file that cannot be read is none.
    """
    try:
        found = read_yaml(Path(path).expanduser(), "project")
    except ArgumentError:
        return False
    return isinstance(found, dict) and any(mark in found for mark in _MARKS)


def load_project(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Project:
    """Read a project file.

    Options of a member are those of `options`, over them its strategy's, over them its symbol's,
    over them `overrides`; `criteria` are merged one by one. Those about symbols that are fetched
    do not touch members of data files, and the other way round. Paths count from the file's
    folder, those of `overrides` from the present one.

    Parameters
    ----------
    path
        YAML file with `symbols` and `strategies`; `bar_sizes`, `options`, `risk` and `name` may
        be left out.
    overrides
        Options of `WalkForwardConfig` for all members; `name` and `out` are the project's.

    Raises
    ------
    ArgumentError
        The file cannot be read, or a key, option or value breaks its rule; the message names
        the section or the member.
    """
    file = Path(path).expanduser().absolute()
    return _Reader(file, _mapping(file), dict(overrides or {})).project()


def _mapping(file: Path) -> _Options:
    found = read_yaml(file, "project")
    if not isinstance(found, dict):
        raise ArgumentError(f"the project file {file} must map {', '.join(_KEYS)}, got {found!r}")
    for key in found:
        if key not in _KEYS:
            raise ArgumentError(f"a project has no `{key}`{_hint(key)}")
    return found


def _hint(key: object) -> str:
    """Say where a key belongs that does not stand at the top of a project."""
    if key in WalkForwardConfig.model_fields:
        return f"; {_BARRED['options'].get(str(key), 'give it under `options`')}"
    return did_you_mean(str(key), _KEYS) or f"; there are {', '.join(_KEYS)}"


class _Reader:
    """The sections of a project file, and what they amount to."""

    def __init__(self, file: Path, given: _Options, overrides: _Options) -> None:
        self.file, self.folder = file, file.parent
        self.overrides = _allowed(overrides)
        self.options = self.section("options", "options", given.get("options"))
        self.sizes = _sizes("bar_sizes", given.get("bar_sizes", AS_IS))
        self.symbols = self.symbols_of(given.get("symbols"))
        self.strategies = self.strategies_of(given.get("strategies"))
        self.name = self.name_of(given.get("name", file.stem))
        self.risk = _positive("risk", given.get("risk", _RISK))

    def name_of(self, name: object) -> str:
        return _part("name", self.overrides.pop("name", name))

    def project(self) -> Project:
        common = _laid(self.options, self.overrides)
        out = Path(common.pop("out", "runs")).expanduser()
        for layer in (self.options, self.overrides):
            layer.pop("out", None)
        default = WalkForwardConfig.model_fields["capital"].default
        return Project(
            name=self.name,
            file=self.file,
            folder=out / self.name,
            members=self.members(out / self.name),
            risk=self.risk,
            capital=_positive("capital", common.get("capital", default)),
            report=bool(common.get("report", True)),
        )

    def members(self, folder: Path) -> tuple[Member, ...]:
        made = [
            self.member(folder, symbol, size, strategy)
            for symbol, (_, sizes) in self.symbols.items()
            for size, strategy in product(sizes or self.sizes, self.strategies)
        ]
        _require_different(made)
        return tuple(made)

    def member(self, folder: Path, symbol: str, size: str, strategy: str) -> Member:
        layers = (self.options, self.strategies[strategy], self.symbols[symbol][0], self.overrides)
        options = reduce(_laid, layers) | {
            "bar_size": None if size == AS_IS else size,
            "name": f"{symbol}-{size.replace(' ', '-')}-{strategy}",
            "out": folder,
        }
        try:
            return Member(symbol, size, strategy, _checked(options))
        except ArgumentError as error:
            raise ArgumentError(f"{symbol} {size} {strategy}: {error}") from error

    def section(self, where: str, kind: str, value: object) -> _Options:
        """Return the options of a section, with paths that count from the file's folder."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise ArgumentError(f"`{where}` must map options to values, got {value!r}")
        for option in value:
            _require_option(where, option, _BARRED[kind])
        return {option: located(self.folder, option, each) for option, each in value.items()}

    def symbols_of(self, given: object) -> dict[str, tuple[_Options, list[str]]]:
        rule = (
            "a data file, or to options with `bars` or `symbol`, such as `QQQ: QQQ.csv` or "
            "`SMH: {symbol: SMH, source: yahoo}`"
        )
        symbols = {}
        for name, value in _named("symbols", given, rule).items():
            where = f"symbols.{name}"
            options = dict(value) if isinstance(value, dict) else {"bars": value}
            sizes = options.pop("bar_sizes", None)
            if not any(_is_named(options.get(market)) for market in ("bars", "symbol")):
                raise ArgumentError(f"`{where}` must be {rule}, got {value!r}")
            _require_used(where, options)
            own = [] if sizes is None else _sizes(f"{where}.bar_sizes", sizes)
            symbols[name] = (self.section(where, "symbols", options), own)
        return symbols

    def strategies_of(self, given: object) -> dict[str, _Options]:
        if isinstance(given, str):
            given = [given]
        if isinstance(given, list) and all(isinstance(name, str) for name in given):
            given = _listed("strategies", given)
        rule = "options, such as `xbar: {}` or `slow: {strategy: ma_cross, grid: slow.yaml}`"
        strategies = {}
        for name, value in _named("strategies", given, rule).items():
            options = self.section(f"strategies.{name}", "strategies", value)
            strategies[name] = {"strategy": name} | options
            _require_strategy(name, strategies[name]["strategy"])
        return strategies


def _allowed(overrides: _Options) -> _Options:
    for option in _FIXED:
        if option in overrides:
            raise ArgumentError(
                f"`{option}` must not be given beside a project file, which says it for each "
                f"member; got {overrides[option]!r}"
            )
    return overrides


def _is_named(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _require_used(where: str, options: _Options) -> None:
    """Refuse in a symbol's own options what means nothing for it."""
    for option in unused(options):
        if option in options:
            other = "`symbol`" if "bars" in options else "`bars`"
            raise ArgumentError(
                f"`{where}` must not have `{option}`, which is for one with {other}; "
                f"got {options[option]!r}"
            )


def _checked(options: _Options) -> WalkForwardConfig:
    """Return a member's configuration; a second symbol is for those that read one."""
    if not find_strategy(options["strategy"]).second:
        options = {k: v for k, v in options.items() if k not in {"bars2", "symbol2"}}
    idle = unused(options)
    options = {name: value for name, value in options.items() if name not in idle}
    config = parse_options(WalkForwardConfig, options)
    find_fitness(config.fitness)
    return config


def _laid(base: _Options, over: _Options) -> _Options:
    """Lay options over others, criteria one by one."""
    both = base | over
    criteria = [layer.get("criteria") for layer in (base, over)]
    if all(isinstance(each, dict) for each in criteria):
        both["criteria"] = {**criteria[0], **criteria[1]}  # type: ignore[dict-item]
    return both


def _require_option(where: str, option: object, barred: Mapping[str, str]) -> None:
    known = WalkForwardConfig.model_fields
    if option in barred:
        raise ArgumentError(f"`{where}` must not have `{option}`; {barred[str(option)]}")
    if option not in known:
        hint = did_you_mean(str(option), known)
        raise ArgumentError(f"`{where}` has no option `{option}`{hint}")


def _require_strategy(name: str, strategy: object) -> None:
    try:
        if not isinstance(strategy, str):
            raise ArgumentError(f"`strategy` must be a name or FILE.py:Name, got {strategy!r}")  # noqa: TRY301
        find_strategy(strategy)
    except ArgumentError as error:
        raise ArgumentError(f"`strategies.{name}`: {error}") from error


def _require_different(members: Iterable[Member]) -> None:
    """Refuse two members of one folder, also where folders do not tell a from A."""
    seen: dict[str, Member] = {}
    for each in members:
        other = seen.setdefault(each.name.casefold(), each)
        if other is not each:
            raise ArgumentError(
                f"`symbols` and `strategies` must not make two members of one name, but "
                f"{other.label} and {each.label} are both {each.name}; call one of them otherwise"
            )


def _named(where: str, given: object, rule: str) -> dict[str, Any]:
    if not isinstance(given, dict) or not given:
        raise ArgumentError(f"`{where}` must map names to {rule}, got {given!r}")
    return {_part(where, name): value for name, value in given.items()}


def _part(where: str, name: object) -> str:
    """Return a name that can be a part of a folder's."""
    if isinstance(name, str) and _PART.fullmatch(name):
        return name
    hint = (
        "; put it in quotes, YAML reads it as something else" if not isinstance(name, str) else ""
    )
    raise ArgumentError(
        f"`{where}`: a name must be text without / \\ : that does not begin with a dot or a "
        f"blank, since folders are called by it; got {name!r}{hint}"
    )


def _sizes(where: str, given: object) -> list[str]:
    """Return bar sizes, each once."""
    sizes = given if isinstance(given, list) else [given]
    if not sizes:
        raise ArgumentError(f"`{where}` must list at least one size such as 60m, 1d, or {AS_IS}")
    known: dict[str, Any] = {}
    for size in sizes:
        name = _size_name(where, size)
        if name in known:
            twice = f"{known[name]!r} and {size!r}"
            raise ArgumentError(f"`{where}` must list each size once, got {twice}")
        known[name] = size
    return list(known.values())


def _size_name(where: str, size: object) -> str:
    if size == AS_IS:
        return AS_IS
    try:
        return parse_size(size).name  # type: ignore[arg-type] # it refuses other types
    except ArgumentError as error:
        raise ArgumentError(
            f"`{where}`: {error}; or {AS_IS!r} for the bars of the data"
        ) from error


def _listed(where: str, names: list[str]) -> dict[str, None]:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ArgumentError(
            f"`{where}` must list each name once, got {twice[0]!r} twice; for the same strategy "
            "with other options, map names of your own to options"
        )
    return dict.fromkeys(names)


def _positive(where: str, value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:  # type: ignore[operator]
        raise ArgumentError(f"`{where}` must be a positive number, got {value!r}")
    return float(value)  # type: ignore[arg-type]
