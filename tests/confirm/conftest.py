"""The engine, where the extra is installed."""

from __future__ import annotations

import pytest

from meseta.confirm import require_engine
from meseta.errors import ArgumentError


@pytest.fixture(scope="session")
def event_driven():
    """The adapter's one function, or a skip that says how to get it."""
    try:
        require_engine()
    except ArgumentError as error:
        pytest.skip(str(error))
    from meseta.confirm._nautilus import run_event_driven

    return run_event_driven
