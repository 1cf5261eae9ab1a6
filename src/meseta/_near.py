"""What somebody may have meant who wrote a name that there is not."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return ``"; did you mean X?"`` for the option nearest to `name`, or an empty text."""
    near = difflib.get_close_matches(name, list(options), n=1)
    return f"; did you mean {near[0]}?" if near else ""
