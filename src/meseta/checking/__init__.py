"""Whether a strategy keeps the contract that every engine and search relies on."""

from meseta.checking._check import Failure, Finding, check_strategy

__all__ = ["Failure", "Finding", "check_strategy"]
