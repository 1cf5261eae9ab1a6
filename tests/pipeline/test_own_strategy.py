"""Runs of a strategy in a user's own file."""

from __future__ import annotations

import pytest
from tiny_run import SMALL, frame, options

from meseta.errors import RunError
from meseta.pipeline import rescore, run
from meseta.runs import RunFolder

FILE = """
import dataclasses

from meseta.strategies import find_strategy

mine = dataclasses.replace(
    find_strategy("atr_d_l"), name="mine", tradestation_name="", expands={expands!r}
)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write the file, and begin in its folder."""
    monkeypatch.chdir(tmp_path)

    def write(expands=()):
        (tmp_path / "own.py").write_text(FILE.format(expands=expands))
        return {"strategy": "own.py:mine", "grid": SMALL, "name": None}

    return write


def test_it_is_known_by_its_name_and_has_no_range_files(own, tmp_path, monkeypatch):
    result = run(options(tmp_path / "out", **own()))
    assert result.folder.name == "mine-nasdaq-grid"
    assert result.manifest["strategy"] == "mine"
    assert "no files for TradeStation: mine has no name there" in result.manifest["warnings"]
    assert result.plateaus["plateaus"]
    assert [p["export"] for p in result.plateaus["plateaus"]] == [None] * len(
        result.plateaus["plateaus"]
    )
    assert not (result.folder / "exports").exists()
    # From any other folder it is still found.
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert frame(rescore(result.folder)).equals(frame(result))


def test_its_variants_have_theirs(own, tmp_path):
    result = run(options(tmp_path / "out", **own(("atr_d_l",))))
    (variant,) = result.variants
    assert frame(variant).equals(frame(result))
    names = {path.name for path in (result.folder / "exports").iterdir()}
    assert "phase5_refine_config.csv" in names
    assert {name.split("_rank")[0] for name in names} == {
        "phase5_refine_config.csv",
        "phase5_refine_ATR-D-v1.5-L",
    }
    assert RunFolder(result.folder).finished()


def test_a_file_that_was_edited_is_another_search(own, tmp_path):
    result = run(options(tmp_path / "out", **own()))
    with (tmp_path / "own.py").open("a") as file:
        file.write("\n# another thought\n")
    with pytest.raises(RunError, match=r"other contents of the strategy's file; .*--force"):
        rescore(result.folder)
