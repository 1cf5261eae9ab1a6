"""What can go wrong, one class for each way out.

Every message names the argument, the rule, the value and what to do about it.
"""

from __future__ import annotations

__all__ = ["ArgumentError", "DataError", "MesetaError", "RunError", "SourceError"]


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


class SourceError(MesetaError, RuntimeError):
    """A data source cannot be reached, or will not answer what it was asked.

    Parameters
    ----------
    message
        What happened and the way out.
    temporary
        Whether what is stored may stand in for the answer: the source is unreachable, busy, or
        wants a new sign-in. False where the request itself is at fault.
    """

    def __init__(self, message: str, *, temporary: bool) -> None:
        super().__init__(message)
        self.temporary = temporary
