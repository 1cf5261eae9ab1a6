"""Which data a run is given: files or symbols, and what does not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meseta.config import RunConfig, load_config
from meseta.errors import ArgumentError
from meseta.series_config import SeriesConfig, unused

if TYPE_CHECKING:
    from pathlib import Path


def test_a_symbol_takes_the_place_of_a_file() -> None:
    config = load_config(None, {"symbol": "SMH"})
    assert (config.bars, config.symbol, config.source) == (None, "SMH", "store")
    assert (config.interval, config.basis, config.fetch) == ("1d", None, True)
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


def test_everything_of_a_file_reads_back_from_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(
        "symbol: ^GSPC\nsymbol2: BRK.B\nsource: mine/vendor.py:SOURCE\ninterval: 240m\n"
        "basis: total-return\nsession: Pre\nstart: 2010-01-04\nend: 2020-06-30 09:30:00\n"
        "fetch: false\ncalendar: XNYS\nstore: kept\n",
        encoding="utf-8",
    )
    config = load_config(tmp_path / "run.yaml")
    assert (config.start, config.end) == ("2010-01-04", "2020-06-30T09:30:00")
    assert config.interval == "4h"
    assert config.store == tmp_path / "kept"
    assert config.source == f"{tmp_path / 'mine' / 'vendor.py'}:SOURCE"
    dumped = config.model_dump(mode="json")
    assert dumped["store"] == str(tmp_path / "kept")
    assert load_config(None, dumped) == config


@pytest.mark.parametrize(
    ("options", "fleeting"),
    [
        ({"bars": "a.csv"}, False),
        ({"bars": "a.csv", "bars2": "b.csv"}, False),
        ({"bars": "-"}, True),
        ({"bars": "a.csv", "bars2": "-"}, True),
        ({"symbol": "SMH"}, True),
        ({"bars": "a.csv", "symbol2": "SMH"}, True),
    ],
)
def test_what_may_be_other_bars_the_next_time(options: dict[str, Any], fleeting: bool) -> None:
    assert SeriesConfig.model_validate(options).fleeting is fleeting


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "`bars` is missing; give --bars a data file.* or --symbol a market and --source"),
        ({"symbol2": "SMH"}, "`bars` is missing"),
        ({"bars": "a", "symbol": "b"}, "`bars` and `symbol` must not both be given, got 'a' and"),
        ({"bars": "a", "bars2": "b", "symbol2": "c"}, "`bars2` and `symbol2` must not both"),
        ({"symbol": "a", "timezone": "UTC"}, "`timezone` is for data files.* got 'UTC'"),
        ({"symbol": "a", "date_order": "mdy"}, "`date_order` is for data files"),
        ({"bars": "a", "source": "yahoo"}, "`source` is for a symbol, and no --symbol is given"),
        ({"bars": "a", "fetch": False}, "`fetch` is for a symbol"),
        ({"bars": "a", "start": "2010-01-04"}, "`start` is for a symbol"),
        ({"bars": "a", "store": "b"}, "`store` is for a symbol"),
        ({"symbol": ""}, "`symbol` must be the name of a market, got ''"),
        ({"symbol": "a", "symbol2": True}, "`symbol2` must be .* got True; put it in quotes"),
        ({"symbol": "a", "start": 2010}, "`start` must be a date such as 2010-01-04.* got 2010"),
        ({"symbol": "a", "end": True}, "`end` must be a date"),
        ({"symbol": "a", "interval": "7x"}, "`interval` must be minutes or hours .* got '7x'"),
        ({"symbol": "a", "interval": 60}, "`interval` must be a valid string, got 60"),
        ({"symbol": "a", "basis": "raw"}, "`basis` must be 'unadjusted', 'split', 'total-return'"),
        ({"symbol": "a", "fetch": "no"}, "`fetch` must be a valid boolean, got 'no'"),
        ({"symbol": "a", "sourc": "b"}, "no option `sourc`; did you mean source"),
    ],
)
def test_what_does_not_go_together_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        load_config(None, options)


def test_a_file_beside_a_symbol_has_options_of_both() -> None:
    options = {"symbol": "a", "bars2": "b", "source": "yahoo", "timezone": "UTC"}
    assert SeriesConfig.model_validate(options).timezone == "UTC"
    assert unused(options) == ()


def test_what_stands_as_its_default_is_not_held_against_a_file() -> None:
    """A manifest has every option."""
    dumped = load_config(None, {"bars": "a"}).model_dump(mode="json")
    assert load_config(None, dumped).source == "store"
