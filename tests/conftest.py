"""Fixtures and settings that every part of the suite uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

# Kernels compile on first use, so no example has a deadline. Every run draws the same examples,
# so that a failure elsewhere can be repeated here; HYPOTHESIS_PROFILE=search draws new ones.
_QUIET = [HealthCheck.too_slow, HealthCheck.differing_executors]
settings.register_profile(
    "repeat", deadline=None, derandomize=True, print_blob=True, suppress_health_check=_QUIET
)
settings.register_profile(
    "search", deadline=None, derandomize=False, print_blob=True, suppress_health_check=_QUIET
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeat"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of specifications and real data beside the checkout, or a skip."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(
            "the shared folder with specifications and real data is not beside the checkout"
        )
    return folder


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the ledger of vaults that tests open out of the user's folder."""
    monkeypatch.setenv("MESETA_HOME", str(tmp_path_factory.mktemp("home")))
