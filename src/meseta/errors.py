"""What can go wrong, one class for each way out.

Every message names the argument, the rule, the value and what to do about it.
"""

from __future__ import annotations

__all__ = ["ArgumentError", "DataError", "MesetaError", "RunError"]


class MesetaError(Exception):
    """Base of every error that the user can mend; the command line shows its text alone."""

    exit_code = 1


class ArgumentError(MesetaError, ValueError):
    """An option, parameter or configuration value breaks a rule (exit code 2)."""

    exit_code = 2


class DataError(MesetaError, ValueError):
    """The market data cannot be used: missing, unreadable, or prices that cannot be."""


class RunError(MesetaError, RuntimeError):
    """A run folder is in the way, unfinished, unwritable or damaged."""
