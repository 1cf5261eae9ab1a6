"""The hedge grid: a ladder of orders on each side of the price of a perpetual future."""

from __future__ import annotations

from meseta.hedge._funding import Funding
from meseta.hedge._market import HedgeMarket
from meseta.hedge._parameters import GridParameters
from meseta.hedge._settings import GridSettings, Policy

__all__ = ["Funding", "GridParameters", "GridSettings", "HedgeMarket", "Policy"]
