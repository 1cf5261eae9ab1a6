"""What a study asks of a space, whoever makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from meseta.bayes._problem import Params

__all__ = ["SearchDimension", "SearchSpace"]


class SearchDimension(Protocol):
    """One number that a sampler draws."""

    @property
    def name(self) -> str:
        """Name within the space."""
        ...

    @property
    def low(self) -> float:
        """Least value."""
        ...

    @property
    def high(self) -> float:
        """Largest value."""
        ...

    @property
    def step(self) -> float | None:
        """Distance of neighbouring values; None for any number, or for whole numbers 1."""
        ...

    @property
    def log(self) -> bool:
        """Whether ratios are drawn alike, not differences."""
        ...

    @property
    def integer(self) -> bool:
        """Whether only whole numbers are drawn."""
        ...

    @property
    def choices(self) -> tuple[float, ...] | None:
        """The only values, in order, where they are listed."""
        ...


class SearchSpace(Protocol):
    """Makes what is run of what a sampler draws, and back."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def dimensions(self) -> Sequence[SearchDimension]:
        """What a sampler draws."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of everything that decides what is drawn and run."""
        ...

    def params(self, drawn: Mapping[str, float]) -> Params:
        """Return what is run for a draw."""
        ...

    def drawn(self, params: Params) -> Mapping[str, float]:
        """Return a draw that gives these parameters, or the nearest inside the space."""
        ...
