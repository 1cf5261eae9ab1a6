"""What every source of market data must do, to be inherited by the tests of each.

A source's test module has a class ``Test...(SourceContract)`` with one fixture, `case`, that
starts a server which speaks the vendor's protocol (a `data.site.Site`) and yields a `Case`: the
source, a series, a span of it, the rows that the server has of it, and how to make the server
fail. Time is that of the fixture `clock`, which `case` should ask for::

    class TestMyVendor(SourceContract):
        @pytest.fixture
        def case(self, clock, monkeypatch):
            with MySite() as site:
                monkeypatch.setenv("MY_VENDOR_URL", site.url)
                yield Case(source=SOURCE, key=..., ...)

The span should have at least four rows and end after an unfinished bar that the server sends as
well. A vendor of several kinds of series has a class for each.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, get_args
from zoneinfo import ZoneInfo

import pytest
from polars.testing import assert_frame_equal

from meseta.bars._bars import Stamp
from meseta.data import SeriesKey, Step, schema_of, silent
from meseta.data import _clock as time_of_day
from meseta.data._calendars import check_calendar, finished
from meseta.errors import ArgumentError, DataError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from meseta.data.sources import Source

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A source and the server behind it.

    Parameters
    ----------
    source, key
        The source, and a series that it has.
    start, end
        A span of it, half-open, that one call of `fetch` may ask for and that ends after now.
    rows
        The finished rows of the span, with the columns of the schema.
    asked
        Returns how many requests the server has had.
    unreachable
        Stops the server.
    garbled
        Makes it answer what cannot be read.
    unknown
        A series of a symbol that is well formed, but that the vendor has not.
    refused
        Series that the source cannot have, by what is wrong with them: a malformed symbol, a
        size, basis, session or kind that is not offered.
    secrets
        Texts that nobody must be shown.
    unknown_stands_in
        Whether what is stored of a symbol that the vendor has not may stand in, as where it says
        so of a span without rows as well.
    """

    source: Source
    key: SeriesKey
    start: datetime
    end: datetime
    rows: pl.DataFrame
    asked: Callable[[], int]
    unreachable: Callable[[], None]
    garbled: Callable[[], None]
    unknown: SeriesKey
    refused: Sequence[SeriesKey]
    secrets: Sequence[str] = field(default=())
    unknown_stands_in: bool = False

    def fetch(self, start: datetime | None = None, end: datetime | None = None) -> pl.DataFrame:
        answer = self.source.fetch(self.key, start or self.start, end or self.end, silent)
        return answer.frame

    @property
    def moments(self) -> list[datetime]:
        """Moments of the rows that there are."""
        return schema_of(self.key).moments(self.rows).to_list()


class SourceContract:
    """Tests that each source inherits."""

    @pytest.fixture
    def case(self) -> Case:
        raise NotImplementedError

    def test_the_case_shows_something(self, case: Case) -> None:
        assert case.rows.height >= 4
        assert case.end > time_of_day.now()
        assert case.rows.columns == list(schema_of(case.key).columns)

    def test_it_says_who_it_is(self, case: Case) -> None:
        assert case.key.source == case.source.name
        assert case.source.title
        assert case.key.kind in case.source.kinds
        assert case.key.basis in case.source.bases

    def test_facts_are_known_without_a_request(self, case: Case) -> None:
        facts = case.source.facts(case.key)
        assert case.asked() == 0
        ZoneInfo(facts.timezone)
        assert facts.stamp in get_args(Stamp)
        if facts.calendar is not None:
            check_calendar(facts.calendar)
        assert facts.earliest is None or facts.earliest.utcoffset() == timedelta(0)
        assert facts.page is None or facts.page >= case.end - case.start
        assert facts.tick is None or facts.tick > 0

    def test_what_it_has_not_is_refused_without_a_request(self, case: Case) -> None:
        assert case.refused
        for key in case.refused:
            with pytest.raises(ArgumentError, match="`"):
                case.source.facts(key)
        assert case.asked() == 0

    def test_the_rows_are_those_of_the_vendor(self, case: Case) -> None:
        frame = case.fetch()
        assert_frame_equal(frame.select(case.rows.columns), case.rows)

    def test_the_frame_has_the_columns_of_its_kind_in_order(self, case: Case) -> None:
        frame = case.fetch()
        assert_frame_equal(schema_of(case.key).conform(frame), frame)

    def test_nothing_unfinished_comes(self, case: Case) -> None:
        moments = schema_of(case.key).moments(case.fetch())
        calendar = case.source.facts(case.key).calendar
        assert moments[-1] < finished(case.key, calendar, time_of_day.now())

    def test_rows_lie_in_the_span_start_included_end_excluded(self, case: Case) -> None:
        _, second, third, *_ = case.moments
        for start, end, count in [
            (second, third, 1),
            (second, third + TICK, 2),
            (second + TICK, third + TICK, 1),
            (second - TICK, third, 1),
        ]:
            moments = schema_of(case.key).moments(case.fetch(start, end)).to_list()
            assert len(moments) == count
            assert all(start <= moment < end for moment in moments)

    def test_a_span_without_rows_is_an_empty_frame_of_the_same_columns(self, case: Case) -> None:
        whole = case.fetch()
        first, second, *_ = case.moments
        for start, end in [(first + TICK, second), (first, first)]:
            empty = case.fetch(start, end)
            assert empty.height == 0
            assert empty.schema == whole.schema

    def test_two_halves_are_the_whole(self, case: Case) -> None:
        whole = case.fetch()
        third = case.moments[2]
        for cut in (case.moments[1], third - TICK, third, third + TICK):
            halves = case.fetch(case.start, cut), case.fetch(cut, case.end)
            assert_frame_equal(halves[0].vstack(halves[1]), whole)

    def test_what_the_vendor_said_can_be_written_down(self, case: Case) -> None:
        answer = case.source.fetch(case.key, case.start, case.end, silent)
        text = json.dumps(dict(answer.vendor), allow_nan=False)
        assert json.loads(text) == dict(answer.vendor)
        assert all(len(digest) == 64 for digest in answer.objects.values())
        assert all(isinstance(note, str) for note in answer.notes)
        shown = text + repr(answer.notes) + repr(answer.frame.columns)
        assert not [secret for secret in case.secrets if secret in shown]

    def test_progress_is_told_from_this_thread(self, case: Case) -> None:
        told: list[Step] = []
        threads: set[int] = set()

        def listen(step: Step) -> None:
            told.append(step)
            threads.add(threading.get_ident())

        case.source.fetch(case.key, case.start, case.end, listen)
        assert threads <= {threading.get_ident()}
        assert all(step.what and step.done >= 0 for step in told)
        assert not [step for step in told for secret in case.secrets if secret in step.what]

    def test_nothing_is_revised_of_no_files(self, case: Case) -> None:
        assert case.source.revised(case.key, {}, silent) == set()

    def test_a_symbol_that_the_vendor_has_not_is_told(self, case: Case) -> None:
        case.source.facts(case.unknown)
        with pytest.raises(SourceError, match=case.unknown.symbol) as found:
            case.source.fetch(case.unknown, case.start, case.end, silent)
        assert found.value.temporary is case.unknown_stands_in

    def test_a_source_that_is_not_reached_may_be_later(self, case: Case) -> None:
        case.unreachable()
        with pytest.raises(SourceError) as found:
            case.fetch()
        assert found.value.temporary
        assert not [secret for secret in case.secrets if secret in str(found.value)]

    def test_an_answer_that_cannot_be_read_is_an_error(self, case: Case) -> None:
        case.garbled()
        with pytest.raises((DataError, SourceError)) as found:
            case.fetch()
        assert not [secret for secret in case.secrets if secret in str(found.value)]


def utc(text: str) -> datetime:
    """Read an ISO time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
