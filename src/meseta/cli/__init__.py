"""The command `meseta`."""

from __future__ import annotations

from meseta.cli._main import app, main

__all__ = ["app", "main"]
