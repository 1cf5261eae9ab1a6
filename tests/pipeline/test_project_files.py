"""What a project file may say, and what it amounts to."""

from __future__ import annotations

from pathlib import Path

import pytest

from meseta.errors import ArgumentError
from meseta.pipeline import is_project, load_project

SMALL = """
symbols: {A: a.csv, B: {bars: data/b.csv, cost_per_share: 0.5}}
strategies: {xbar: {}}
"""


@pytest.fixture
def write(tmp_path):
    """Write a project file and return its path."""

    def written(text, name="energy.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def read(write):
    return lambda text, overrides=None: load_project(write(text), overrides)


def only(project):
    (member,) = project.members
    return member.config


class TestDefaults:
    def test_symbols_and_strategies_are_enough(self, read, tmp_path):
        project = read(SMALL)
        assert project.name == "energy"
        assert project.folder == Path("runs/energy")
        assert [each.label for each in project.members] == ["A as is xbar", "B as is xbar"]
        assert [each.name for each in project.members] == ["A-as-is-xbar", "B-as-is-xbar"]
        assert project.members[0].config.bar_size is None
        assert project.members[0].config.strategy == "xbar"
        assert project.members[0].config.bars == str(tmp_path / "a.csv")
        assert project.members[0].config.out == project.folder
        assert (project.risk, project.capital, project.target) == (0.1, 10_000, 1_000)

    def test_members_are_symbols_by_sizes_by_strategies(self, read):
        project = read(
            "symbols: {A: a.csv, B: b.csv}\nbar_sizes: [60m, 1d]\nstrategies: [xbar, ma_cross]"
        )
        labels = [each.label for each in project.members]
        assert labels[:4] == ["A 60m xbar", "A 60m ma_cross", "A 1d xbar", "A 1d ma_cross"]
        assert len(labels) == 8
        assert [each.config.bar_size for each in project.members[:4]] == ["60m", "60m", "1d", "1d"]

    def test_a_symbol_may_have_sizes_of_its_own(self, read):
        project = read(
            "symbols: {A: a.csv, B: {bars: b.csv, bar_sizes: 1w}}\nbar_sizes: [60m, as is]\n"
            "strategies: xbar"
        )
        labels = [each.label for each in project.members]
        assert labels == ["A 60m xbar", "A as is xbar", "B 1w xbar"]

    def test_a_strategy_may_stand_there_twice(self, read):
        project = read(
            "symbols: {A: a.csv}\nstrategies: {fast: {strategy: xbar, grid: {xbar: [2, 3]}}, "
            "slow: {strategy: xbar, grid: slow.yaml}}"
        )
        assert [each.name for each in project.members] == ["A-as-is-fast", "A-as-is-slow"]
        assert {each.config.strategy for each in project.members} == {"xbar"}
        assert project.members[0].config.grid == {"xbar": [2, 3]}

    def test_a_second_symbol_is_for_those_that_read_one(self, read, tmp_path):
        project = read(
            "symbols: {A: {bars: a.csv, bars2: b.csv}}\nstrategies: [xbar, atr_d_duals_l]"
        )
        assert [each.config.bars2 for each in project.members] == [None, str(tmp_path / "b.csv")]


class TestSymbols:
    FETCHED = """
    symbols:
      SMH: {symbol: SMH}
      BTC: {symbol: BTCUSDT, source: binance, interval: 5m, start: 2023-01-01, symbol2: ETHUSDT}
      OWN: {symbol: a, source: "mine.py:SOURCE", store: kept}
      A: a.csv
    strategies: [xbar, atr_d_duals_l]
    options: {source: yahoo, start: 2010-01-01, timezone: America/New_York, fetch: false}
    """

    def configs(self, project, strategy="xbar"):
        return {e.symbol: e.config for e in project.members if e.strategy == strategy}

    def test_options_of_sources_are_for_symbols_and_those_of_files_for_files(self, read):
        found = self.configs(read(self.FETCHED.replace(", atr_d_duals_l", "")))
        asked = {name: (c.symbol, c.source, c.interval, c.start) for name, c in found.items()}
        assert asked["SMH"] == ("SMH", "yahoo", "1d", "2010-01-01")
        assert asked["BTC"] == ("BTCUSDT", "binance", "5m", "2023-01-01")
        assert asked["A"] == (None, "store", "1d", None)
        assert [c.fetch for c in found.values()] == [False, False, False, True]
        assert [c.timezone for c in found.values()] == [None, None, None, "America/New_York"]

    def test_a_second_symbol_is_for_those_that_read_one(self, read):
        project = read(self.FETCHED)
        assert self.configs(project)["BTC"].symbol2 is None
        assert self.configs(project, "atr_d_duals_l")["BTC"].symbol2 == "ETHUSDT"

    def test_paths_count_from_the_files_folder(self, read, tmp_path):
        config = self.configs(read(self.FETCHED))["OWN"]
        assert config.store == tmp_path / "kept"
        assert config.source == f"{tmp_path / 'mine.py'}:SOURCE"

    def test_what_is_given_beside_the_file_is_for_symbols(self, read):
        found = self.configs(read(self.FETCHED, {"source": "store", "fetch": True}))
        assert {name: c.source for name, c in found.items()} == dict.fromkeys(found, "store")
        assert found["SMH"].fetch is True


class TestPrecedence:
    LAYERS = """
    symbols: {A: {bars: a.csv, warmup: 3, min_trades: 3}}
    strategies: {xbar: {warmup: 2, min_trades: 2, keep: 2}}
    options: {warmup: 1, min_trades: 1, keep: 1, purge: 1}
    """

    def test_the_symbol_wins_over_the_strategy_over_the_options(self, read):
        config = only(read(self.LAYERS))
        assert (config.warmup, config.min_trades, config.keep, config.purge) == (3, 3, 2, 1)

    def test_what_is_given_beside_the_file_wins_over_all(self, read):
        config = only(read(self.LAYERS, {"warmup": 9, "keep": 8}))
        assert (config.warmup, config.min_trades, config.keep, config.purge) == (9, 3, 8, 1)

    def test_criteria_are_merged_one_by_one(self, read):
        text = """
        symbols: {A: {bars: a.csv, criteria: {min_profit: 3}}}
        strategies: {xbar: {criteria: {min_profit: 2, min_trades: 2}}}
        options: {criteria: {min_profit: 1, min_winning: 0.6}}
        """
        criteria = only(read(text, {"criteria": {"min_efficiency": 0.1}})).criteria
        assert (criteria.min_profit, criteria.min_trades) == (3, 2)
        assert (criteria.min_winning, criteria.min_efficiency) == (0.6, 0.1)

    def test_name_and_folder_are_the_projects(self, read):
        project = read(SMALL + "name: one\n", {"name": "two", "out": Path("elsewhere")})
        assert (project.name, project.folder) == ("two", Path("elsewhere/two"))
        assert project.members[0].config.out == project.folder

    def test_the_capital_of_the_portfolio_is_that_of_the_options(self, read):
        text = "symbols: {A: {bars: a.csv, capital: 7}}\nstrategies: xbar\noptions: {capital: 500}"
        project = read(text + "\nrisk: 0.2")
        assert (project.capital, project.target, only(project).capital) == (500, 100, 7)
        assert read(text, {"capital": 50.0}).capital == 50

    @pytest.mark.parametrize(("said", "given"), [(None, True), (False, False)])
    def test_whether_pages_are_written(self, read, said, given):
        over = {} if said is None else {"report": said}
        assert read(SMALL, over).report is given
        assert read(SMALL + "options: {report: false}", over).report is False


class TestPaths:
    TEXT = """
    symbols: {A: {bars: data/a.csv, bars2: b.csv}, S: "sample:nasdaq"}
    strategies: {mine: {strategy: "own.py:Mine", grid: g.yaml, fitness: "mine.py:score"}}
    options: {out: made}
    """

    def test_they_count_from_the_files_folder(self, tmp_path, monkeypatch, write):
        own = 'from meseta.strategies import find_strategy\nMine = find_strategy("xbar")\n'
        (tmp_path / "own.py").write_text(own, encoding="utf-8")
        score = (
            "from meseta.walkforward import fitness\n\n\n"
            "@fitness\ndef score(stats):\n    return stats.net_profit\n"
        )
        (tmp_path / "mine.py").write_text(score, encoding="utf-8")
        write(self.TEXT)
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        project = load_project("../energy.yaml")
        here = {Path(p).resolve() for p in (project.members[0].config.bars, project.folder)}
        assert here == {(tmp_path / "data/a.csv").resolve(), (tmp_path / "made/energy").resolve()}
        config = project.members[0].config
        assert Path(str(config.grid)).resolve() == (tmp_path / "g.yaml").resolve()
        assert (
            Path(config.strategy.rpartition(":")[0]).resolve() == (tmp_path / "own.py").resolve()
        )
        assert (
            Path(config.fitness.rpartition(":")[0]).resolve() == (tmp_path / "mine.py").resolve()
        )
        assert project.members[1].config.bars == "sample:nasdaq"
        assert config.bars2 is None  # which xbar does not read


class TestIsProject:
    @pytest.mark.parametrize("text", [SMALL, "symbols: 3", "strategies: {}", "bar_sizes: [1d]"])
    def test_what_is_one_or_is_meant_to_be(self, write, text):
        assert is_project(write(text))

    @pytest.mark.parametrize("text", ["bars: a.csv", "- symbols", "symbols", "{symbols: ", ""])
    def test_what_is_none(self, write, text):
        assert not is_project(write(text))

    def test_a_file_that_is_not_there_is_none(self, tmp_path):
        assert not is_project(tmp_path / "none.yaml")


REST = "\nstrategies: xbar"
FAULTS = {
    "- a": r"project file .* must map name, symbols",
    "symbols: {A: a.csv}\nstrategys: xbar": r"no `strategys`; did you mean strategies",
    "symbols: {A: a.csv}\nstrategies: xbar\nbars: b": r"no `bars`; give it to each",
    "symbols: {A: a.csv}\nstrategies: xbar\ncapital: 5": r"no `capital`; give it under `options`",
    "symbols: {A: a.csv}\nstrategies: xbar\nzzz: 5": r"no `zzz`; there are name, symbols",
    "strategies: xbar": r"`symbols` must map names to a data file.*got None",
    "symbols: {}" + REST: r"`symbols` must map names.*got \{\}",
    "symbols: [a.csv]" + REST: r"`symbols` must map names.*got \['a.csv'\]",
    "symbols: {A: {timezone: UTC}}" + REST: r"`symbols.A` must be a data file.*timezone",
    "symbols: {A: 3}" + REST: r"`symbols.A` must be a data file.*got 3",
    "symbols: {A: {bars: }}" + REST: r"`symbols.A` must be a data file",
    "symbols: {ON: a.csv}" + REST: r"`symbols`: a name must be text.*got True; put it in quotes",
    "symbols: {A: {symbol: 600519}}" + REST: r"`symbols.A` must be a data file, or to options",
    "symbols: {A: {symbol: S, bars: a.csv}}" + REST: r"^A as is xbar: `bars` and `symbol` must",
    "symbols: {A: {symbol: S, timezone: UTC}}" + REST: r"`timezone`, which is for one with `bars`",
    "symbols: {A: {bars: a.csv, source: x}}" + REST: r"`source`, which is for one with `symbol`",
    "symbols: {A: {symbol: S, interval: 5}}" + REST: r"^A as is xbar: `interval` must be a valid",
    "symbols: {A: {symbol: S, sorce: x}}" + REST: r"`symbols.A` has no option `sorce`; .* source",
    "symbols: {A: {symbol: S}}\noptions: {symbol: S}"
    + REST: r"must not have `symbol`; give it to",
    "symbols: {A: {symbol: S}}\nstrategies: {xbar: {symbol2: T}}": r"must not have `symbol2`",
    "symbols: {600519: a.csv}" + REST: r"got 600519; put it in quotes",
    "symbols: {A/B: a.csv}" + REST: r"`symbols`: a name must be text without / .* got 'A/B'$",
    "symbols: {.A: a.csv}" + REST: r"does not begin with a dot.*got '\.A'",
    "symbols: {A: {bars: a.csv, tik: 3}}" + REST: r"`symbols.A` has no option `tik`; did .* tick",
    "symbols: {A: {bars: a.csv, bar_size: 1d}}" + REST: r"`symbols.A`.*list it under `bar_sizes`",
    "symbols: {A: {bars: a.csv, out: x}}" + REST: r"`symbols.A`.*`out`; give it under `options`",
    "symbols: {A: {bars: a.csv, strategy: x}}" + REST: r"list it under `strategies`",
    "symbols: {A: {bars: a.csv, bar_sizes: 1x}}" + REST: r"`symbols.A.bar_sizes`: `size` must",
    "symbols: {A: {bars: a.csv, warmup: -1}}" + REST: r"^A as is xbar: `warmup` must be greater",
    "symbols: {A: {bars: a.csv, lot: 0}}" + REST: r"^A as is xbar: .*lot",
    "symbols: {A: {bars: a.csv, unit: weeks}}" + REST: r"^A as is xbar: `unit` must be",
    "symbols: {A: a.csv}": r"`strategies` must map names to options.*got None",
    "symbols: {A: a.csv}\nstrategies: []": r"`strategies` must map names to options",
    "symbols: {A: a.csv}\nstrategies: [3]": r"`strategies` must map names to options.*\[3\]",
    "symbols: {A: a.csv}\nstrategies: [xbar, xbar]": r"each name once, got 'xbar' twice; for the",
    "symbols: {A: a.csv}\nstrategies: xbr": r"`strategies.xbr`: .*got 'xbr'; did you mean xbar",
    "symbols: {A: a.csv}\nstrategies: {a: {strategy: 3}}": r"`strategies.a`: .*:Name, got 3",
    "symbols: {A: a.csv}\nstrategies: {a: 3}": r"`strategies.a` must map options to values, got 3",
    "symbols: {A: a.csv}\nstrategies: {xbar: {gird: a}}": r"`strategies.xbar` has no.*mean grid",
    "symbols: {A: a.csv}\nstrategies: {xbar: {bars: b}}": r"give it to each of the `symbols`",
    "symbols: {A: a.csv}\nstrategies: {xbar: {fitness: luck}}": r"^A as is xbar: .*luck",
    "symbols: {A: a.csv}\nbar_sizes: []" + REST: r"`bar_sizes` must list at least one size",
    "symbols: {A: a.csv}\nbar_sizes: 360" + REST: r"`bar_sizes`: .*'30m'.*got 360; or 'as is'",
    "symbols: {A: a.csv}\nbar_sizes: [60m, 1h]" + REST: r"each size once, got '60m' and '1h'",
    "symbols: {A: a.csv}\noptions: [1]" + REST: r"`options` must map options to values",
    "symbols: {A: a.csv}\noptions: {in_smple: 3}" + REST: r"`options` has no.*mean in_sample",
    "symbols: {A: a.csv}\noptions: {name: x}" + REST: r"`options` must not have `name`",
    "symbols: {A: a.csv}\noptions: {bars: x}" + REST: r"`options` must not have `bars`; give it",
    "symbols: {A: a.csv}\noptions: {capital: much}" + REST: r"`capital` must be",
    "symbols: {A: a.csv}\nrisk: 0" + REST: r"`risk` must be a positive number, got 0",
    "symbols: {A: a.csv}\nrisk: .inf" + REST: r"`risk` must be a positive number, got inf",
    "symbols: {A: a.csv}\nrisk: yes" + REST: r"`risk` must be a positive number, got True",
    "symbols: {A: a.csv}\nname: a/b" + REST: r"`name`: a name must be text without",
    "symbols: {A: a.csv, a: b.csv}" + REST: r"A as is xbar and a as is xbar are both a-as-is-xbar",
    "symbols: {A: a.csv, A: b.csv}"
    + REST: r"cannot read the project file(.|\n)*'A' is given twice",
}


@pytest.mark.parametrize("text", FAULTS)
def test_every_fault_is_named_with_its_place(read, text):
    with pytest.raises(ArgumentError, match=FAULTS[text]):
        read(text)


@pytest.mark.parametrize("option", ["bars", "bars2", "symbol", "symbol2", "bar_size", "strategy"])
def test_what_each_member_has_cannot_be_given_beside_the_file(read, option):
    with pytest.raises(ArgumentError, match=f"`{option}` must not be given beside a project"):
        read(SMALL, {option: "x"})


def test_a_wrong_override_is_told_of_the_first_member(read):
    with pytest.raises(ArgumentError, match=r"^A as is xbar: `keep` must be"):
        read(SMALL, {"keep": 0})
