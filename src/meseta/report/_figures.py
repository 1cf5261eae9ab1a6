"""Collects a page's charts into one JSON document that its script draws from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meseta.report._palette import night

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Figures", "script_json"]

_WORTH_SHARING = 200  # characters; a shorter list is repeated as it is


class Figures:
    """Charts of one page; long lists that several traces share (mostly times) are kept once."""

    def __init__(self) -> None:
        self._figures: dict[str, Any] = {}
        self._lists: dict[str, int] = {}

    def add(self, name: str, figure: go.Figure) -> str:
        """Keep `figure` under `name`, which the page's markup refers to; returns `name`."""
        content = figure.to_dict()
        for trace in content["data"]:
            for key, value in trace.items():
                if isinstance(value, list | tuple):
                    trace[key] = self._shared(value)
        self._figures[name] = content
        return name

    def heights(self) -> dict[str, int]:
        """Height of every chart in pixels, so that the page does not jump when it is drawn."""
        return {name: int(figure["layout"]["height"]) for name, figure in self._figures.items()}

    def json(self) -> str:
        """Return the document: figures, shared lists, and the colours of the dark theme."""
        lists = [json.loads(text) for text in self._lists]
        return script_json({"figures": self._figures, "lists": lists, "night": night()})

    def _shared(self, value: list[Any] | tuple[Any, ...]) -> Any:
        text = json.dumps(value)
        if len(text) < _WORTH_SHARING:
            return value
        return {"list": self._lists.setdefault(text, len(self._lists))}


def script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(
        value, separators=(",", ":"), allow_nan=False, ensure_ascii=False, default=_listed
    )
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _listed(value: Any) -> Any:
    """Turn an empty array into a list; Plotly packs all others itself."""
    return value.tolist()
