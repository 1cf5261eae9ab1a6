"""Strategies by name: built in, of a file, of an installed package."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from meseta.errors import ArgumentError
from meseta.strategies import StrategyError, broken_strategies, find_strategy, strategies

ROOT = Path(__file__).resolve().parents[2]
HEAD = """
from meseta.strategies import Parameter, RuleStrategy, rule

@rule
def above(market, a):
    return market.close + a

@rule
def below(market, a):
    return market.close - a

def named(name):
    return RuleStrategy(
        name=name, parameters=[Parameter("a", 0, 9)], enter=above, stop=below, summary="one"
    )
"""


def file_of(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_the_product_s_own_are_found_by_name():
    assert all(find_strategy(name) is strategy for name, strategy in strategies().items())
    assert {strategy.source for strategy in strategies().values()} == {""}
    with pytest.raises(ArgumentError, match=r"path/to/file\.py:Name, got 'atr_d_x'; did you mean"):
        find_strategy("atr_d_x")


def test_a_file_s_strategy_is_found_by_variable_by_name_and_alone(tmp_path):
    path = file_of(tmp_path, "first = named('one')\nagain = first\n")
    found = find_strategy(f"{path}:first")
    assert found.name == "one"
    assert found.source == hashlib.sha256(path.read_bytes()).hexdigest()
    for name in (f"{path}:again", f"{path}:one", str(path)):
        assert find_strategy(name) is found


def test_one_of_several_is_named(tmp_path):
    path = file_of(tmp_path, "first = named('one')\nsecond = named('two')\n")
    assert find_strategy(f"{path}:two").name == find_strategy(f"{path}:second").name == "two"
    with pytest.raises(ArgumentError, match=rf"has 2 strategies \(one, two\).* {path}:one"):
        find_strategy(str(path))


def test_strategies_that_were_imported_are_not_the_file_s_own(tmp_path):
    text = "from meseta.strategies import find_strategy\nbase = find_strategy('atr_d_l')\n"
    path = file_of(tmp_path, text + "mine = named('mine')\n")
    assert find_strategy(str(path)).name == "mine"
    assert find_strategy(f"{path}:base") is find_strategy("atr_d_l")
    assert find_strategy("atr_d_l").source == ""


def test_an_edited_file_is_read_again(tmp_path):
    path = file_of(tmp_path, "mine = named('one')\n")
    before, modules = find_strategy(str(path)), set(sys.modules)
    assert find_strategy(str(path)) is before
    file_of(tmp_path, "mine = named('two')\n")
    after = find_strategy(str(path))
    assert (before.name, after.name) == ("one", "two")
    assert before.source != after.source
    assert set(sys.modules) == modules
    assert not list(tmp_path.glob("__pycache__"))


def test_a_relative_path_is_one(tmp_path, monkeypatch):
    file_of(tmp_path, "mine = named('one')\n")
    monkeypatch.chdir(tmp_path)
    assert find_strategy("mine.py:mine").name == "one"


@pytest.mark.parametrize(
    ("text", "wanted", "why"),
    [
        ("x = 1\n", "", r"has no strategies \(none\)"),
        (
            "mine = named('one')\n",
            ":mina",
            r"has no 'mina'; did you mean mine\? .*strategies: one",
        ),
        ("mine = named('one')\n", ":named", "named in .* is function, no strategy"),
        ("mine = named('one')\n", ":Parameter", r"the class Parameter, no strategy; make one: "),
        ("a = named('one')\nb = named('one')\n", ":one", "has 2 strategies called 'one'"),
        ("mine = named('atr_d_l')\n", "", "`atr_d_l` is the name of one of the product's"),
        ("def f(:\n", "", r"mine\.py:16: .*"),
        ("1 / 0\n", "", r"mine\.py:16: ZeroDivisionError"),
        ("import helper_beside\n", "", r"mine\.py:16: ModuleNotFoundError: .* stands alone or"),
        ("raise SystemExit(3)\n", "", r"mine\.py:16: SystemExit: 3"),
        ("mine = named('no good')\n", "", r"mine\.py:\d+: a strategy's `name` must be letters"),
        ("Parameter('a', 3, 1)\n", "", r"mine\.py:16: `a`: low and high"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path, text, wanted, why):
    path = file_of(tmp_path, text)
    with pytest.raises(ArgumentError, match=why):
        find_strategy(f"{path}{wanted}")
    assert not [name for name in sys.modules if name.startswith("meseta_strategy_file")]


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ArgumentError, match=rf"there is no file {tmp_path / 'no.py'}"):
        find_strategy(f"{tmp_path / 'no.py'}:mine")


def test_a_file_may_have_classes_of_its_own(tmp_path):
    text = """
from __future__ import annotations
from dataclasses import dataclass
from meseta.strategies import AtrD, Touch, find_strategy

@dataclass(frozen=True, kw_only=True)
class Mine(AtrD):
    extra: int = 3

base = find_strategy("atr_d_l")
mine = Mine(name="own", summary="", parameters=base.parameters, opens=Touch())
"""
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    found = find_strategy(str(path))
    assert (found.name, found.extra, found.entry) == ("own", 3, find_strategy("atr_d_l").entry)
    assert found.source == hashlib.sha256(path.read_bytes()).hexdigest()


# Installed packages ---------------------------------------------------------------------------


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a module with entry points, as pip leaves it on disk."""

    def installed(module, text, **points):
        file_of(tmp_path, text, f"{module}.py")
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[meseta.strategies]", *lines, ""]))

    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield installed
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_packages_offer_strategies(install):
    install("pack_one", "mine = named('pack_mine')\n", pack_mine="pack_one:mine")
    assert "pack_mine" in strategies()
    found = find_strategy("pack_mine")
    assert found is strategies()["pack_mine"]
    assert len(found.source) == 64


def test_a_broken_package_is_named_and_stops_nothing_else(install):
    install("pack_good", "mine = named('pack_good')\n", pack_good="pack_good:mine")
    install("pack_bad", "import nowhere_to_be_found\n", pack_bad="pack_bad:mine")
    assert "pack_good" in strategies()
    assert "pack_bad" not in strategies()
    assert list(broken_strategies()) == ["pack_bad"]
    with pytest.raises(StrategyError, match=r"of package pack_bad cannot be used \(pack_bad:mine"):
        find_strategy("pack_bad")
    with pytest.raises(ArgumentError, match="did you mean pack_bad"):
        find_strategy("pack_bat")


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("mine = 3\n", "p", "it is int, no strategy"),
        ("mine = named('other')\n", "p", "it calls itself `other`"),
        ("mine = named('atr_d_l')\n", "atr_d_l", "another strategy is called `atr_d_l`"),
    ],
)
def test_a_package_s_strategy_must_be_one_of_its_own_name(install, text, name, why):
    install("pack_odd", text, **{name: "pack_odd:mine"})
    assert why in broken_strategies()[name]
    assert find_strategy("atr_d_l") is strategies()["atr_d_l"]
