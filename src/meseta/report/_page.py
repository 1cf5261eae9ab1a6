"""Puts a page together: template, style, script and charts in one file that needs no network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from meseta._files import write_text
from meseta.report import _format
from meseta.report._palette import css_variables

if TYPE_CHECKING:
    from meseta.report._figures import Figures

__all__ = ["write_page"]

_ASSETS = Path(__file__).parent / "assets"


def write_page(path: Path, template: str, figures: Figures, **content: Any) -> Path:
    """Render `template` with `content` and write it to `path`, atomically.

    Every text in `content` is escaped. The style, the script and Plotly's own script are read
    from installed packages and go in as they are.
    """
    page = _environment().get_template(template)
    html = page.render(
        themes=Markup(
            f":root{{{css_variables(dark=False)}}}\n@media screen and "
            f"(prefers-color-scheme: dark){{:root{{{css_variables(dark=True)}}}}}"
        ),
        style=Markup(_asset("page.css")),
        script=Markup(_asset("charts.js")),
        plotly=Markup(get_plotlyjs()),
        charts=Markup(figures.json()),
        heights=figures.heights(),
        **content,
    )
    write_text(path, html)
    return path


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(_format, name) for name in _format.__all__ if name.islower()
    }
    return environment


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
