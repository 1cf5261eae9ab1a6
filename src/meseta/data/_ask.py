"""Asking a source about a series, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meseta.data._answers import checked
from meseta.data._listen import Step
from meseta.data._spans import cut
from meseta.errors import MesetaError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import polars as pl

    from meseta.data._key import SeriesKey
    from meseta.data._listen import Listener
    from meseta.data._spans import Span
    from meseta.data.sources import Answer, Facts, Source

__all__ = ["Asker", "Page"]


@dataclass(frozen=True, eq=False, slots=True)
class Page:
    """What a source answered for a part of a span.

    Parameters
    ----------
    span
        What was asked for.
    rows
        Those of the answer, found possible and inside the span.
    answer
        The whole of it.
    """

    span: Span
    rows: pl.DataFrame
    answer: Answer


@dataclass(frozen=True, eq=False, slots=True)
class Asker:
    """Whoever asks a source about one series.

    Parameters
    ----------
    source, key, facts
        The source, the series, and what the source knows of it.
    tell
        Told how far it is.
    """

    source: Source
    key: SeriesKey
    facts: Facts
    tell: Listener

    def pages(self, span: Span, *, newest_first: bool = False) -> Iterator[Page]:
        """Ask for the pages of a span, each when the one before has been dealt with.

        Raises
        ------
        SourceError
            The source does not answer, or is broken.
        DataError
            An answer cannot be used.
        """
        pages = cut(span, self.facts.page)
        for at, page in enumerate(reversed(pages) if newest_first else pages):
            self.tell(Step(f"{page[0]:%Y-%m-%d} to {page[1]:%Y-%m-%d}", at, len(pages)))
            answer = self._answer(page)
            yield Page(page, checked(self.source, self.key, answer, page), answer)

    def replaced(self, objects: Mapping[str, str]) -> str:
        """Say which of the files of a stored series were replaced; empty where none was."""
        found = sorted(self.source.revised(self.key, objects, self.tell))
        if not found:
            return ""
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return f"{found[0]}{more} was replaced"

    def _answer(self, page: Span) -> Answer:
        try:
            return self.source.fetch(self.key, *page, self.tell)
        except MesetaError:
            raise
        except Exception as error:
            if type(self.source).__module__.startswith("meseta."):
                raise
            raise SourceError(
                f"the source {self.source.title} failed with {type(error).__name__}: {error}; "
                "mend its file, or ask who wrote it",
                temporary=False,
            ) from error
