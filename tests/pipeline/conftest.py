"""A finished run, and a ledger for the vault apart from the user's own."""

from __future__ import annotations

import pytest
from tiny_run import options

from meseta.pipeline import run


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The vault's ledger, apart from the user's own."""
    monkeypatch.setenv("MESETA_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def done(tmp_path_factory):
    """A finished run and its configuration; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESETA_HOME", str(folder / "home"))
        config = options(folder, report=True, csv=True)
        return run(config, command="meseta run it"), config
