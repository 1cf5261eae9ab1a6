"""Reads a page back the way a browser would see it: text per section, tables, links, charts."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

_VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Text of every element with an id, all tables, all attributes, and the charts' document."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.scripts: list[str] = []
        self._open: list[tuple[str, str | None]] = []
        self._texts: dict[str, list[str]] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in _VOID:
            return
        self._open.append((tag, dict(attrs).get("id")))
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1][0] == tag, f"</{tag}> closes <{self._open[-1][0]}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        names = [name for name, _ in self._open]
        if "script" in names:
            self.scripts[-1] += data
            return
        for _, identity in self._open:
            if identity is not None:
                self._texts.setdefault(identity, []).append(data)
        if names[-1:] and {"td", "th"} & set(names):
            self.tables[-1][-1][-1] += data

    def text(self, identity: str) -> str:
        """Text inside the element with this id, white space folded."""
        return _folded("".join(self._texts[identity]))

    def table(self, heading: str) -> list[list[str]]:
        """Rows of the first table that has this text in a heading or first cell."""
        for table in self.tables:
            if any(heading in cell for row in table[:3] for cell in row):
                return [[_folded(cell) for cell in row] for row in table]
        raise AssertionError(f"no table with {heading!r}")

    @property
    def charts(self) -> dict[str, Any]:
        """The document that the charts are drawn from, shared lists put back."""
        document = json.loads(self.scripts[0])
        for figure in document["figures"].values():
            for trace in figure["data"]:
                for key, value in trace.items():
                    if isinstance(value, dict) and "list" in value:
                        trace[key] = document["lists"][value["list"]]
        return document


def check_alone(page: Page) -> None:
    """Assert that a page loads nothing and forbids itself to."""
    loading = {"src", "srcset", "action", "data", "poster"}
    assert [attributes for _, attributes in page.tags if loading & set(attributes)] == []
    tags = [tag for tag, _ in page.tags]
    assert not {"link", "iframe", "img", "object", "base"} & set(tags)
    assert tags.count("script") == 3
    rules = [
        str(attributes["content"]) for _, attributes in page.tags if "http-equiv" in attributes
    ]
    assert len(rules) == 1
    assert rules[0].startswith("default-src 'none';")


def _folded(text: str) -> str:
    """White space as a browser folds it, which leaves no-break spaces alone."""
    return re.sub(r"[ \t\n\r]+", " ", text).strip(" ")
