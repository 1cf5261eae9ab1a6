"""Members held together with equal risk."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.pipeline._portfolio import (
    Holding,
    known_before,
    portfolio_of,
    summary_of,
    yearly_deviation,
)

NAN = float("nan")


def holding(name, days, made, starts=(0,), deviation=(1.0,)):
    return Holding(
        name,
        np.array(days, np.int64),
        np.array(made, float),
        np.array(starts, np.int64),
        np.array(deviation, float),
    )


A = holding("a", [0, 1, 2], [10, -5, 20], deviation=[100])
B = holding("b", [1, 2, 3], [1, 2, 3], starts=[0, 2], deviation=[50, 25])


@st.composite
def holdings(draw, least=1, most=4):
    made = []
    for k in range(draw(st.integers(least, most))):
        first = draw(st.integers(0, 12))
        steps = draw(st.lists(st.integers(0, 3), min_size=1, max_size=25))
        days = first + np.cumsum(steps)
        count = len(days)
        starts = sorted({0, *draw(st.lists(st.integers(0, count - 1), max_size=3))})
        money = draw(st.lists(st.floats(-50, 50), min_size=count, max_size=count))
        sizes = st.one_of(st.just(NAN), st.floats(0.5, 20))
        deviation = draw(st.lists(sizes, min_size=len(starts), max_size=len(starts)))
        deviation[0] = draw(st.floats(0.5, 20))
        made.append(holding(f"m{k}", days, money, starts, deviation))
    return made


class TestByHand:
    """Two members, of which one begins and ends a day later, share 100 a year."""

    FRAME = portfolio_of([A, B], 100.0)

    def test_the_days_are_those_of_any_member(self):
        assert self.FRAME["date"].to_list() == [date(1970, 1, day) for day in (1, 2, 3, 4)]
        assert self.FRAME["active"].to_list() == [1, 2, 2, 1]

    def test_each_member_gets_an_equal_share_of_the_day(self):
        # Alone, a is sized 100 / 100 and b 100 / 25 in its second window; together half of it.
        assert self.FRAME["a"].to_list() == pytest.approx([10, 10 - 2.5, 17.5, 17.5])
        assert self.FRAME["b"].to_list() == pytest.approx([0, 1, 3, 3 + 12])

    def test_the_portfolio_adds_them_up(self):
        assert self.FRAME["portfolio"].to_list() == pytest.approx([10, 8.5, 20.5, 32.5])
        assert self.FRAME["drawdown"].to_list() == pytest.approx([0, 1.5, 0, 0])

    def test_a_fall_below_the_beginning_is_a_drawdown(self):
        frame = portfolio_of([holding("a", [0, 1], [-4, 1])], 1.0)
        assert frame["drawdown"].to_list() == [4, 3]


class TestShares:
    @given(holdings())
    def test_members_add_up_to_the_portfolio(self, members):
        frame = portfolio_of(members, 1000.0)
        parts = frame.select(each.name for each in members).to_numpy().sum(axis=1)
        assert frame["portfolio"].to_numpy() == pytest.approx(parts)
        assert frame["date"].is_unique().all()
        assert frame["date"].is_sorted()

    @given(holdings(), st.floats(0.1, 50))
    def test_the_size_that_a_member_was_simulated_in_plays_no_part(self, members, factor):
        first = members[0]
        other = Holding(
            first.name, first.days, first.made * factor, first.starts, first.deviation * factor
        )
        one, two = (portfolio_of([each, *members[1:]], 10.0) for each in (first, other))
        assert one["portfolio"].to_numpy() == pytest.approx(two["portfolio"].to_numpy())

    @given(holdings(least=2), st.floats(2, 50))
    def test_what_a_window_did_does_not_size_it(self, members, factor):
        wilder = [
            Holding(e.name, e.days, e.made * (factor if not k else 1), e.starts, e.deviation)
            for k, e in enumerate(members)
        ]
        one, two = portfolio_of(members, 10.0), portfolio_of(wilder, 10.0)
        assert two["m0"].to_numpy() == pytest.approx(factor * one["m0"].to_numpy())
        assert two["m1"].to_numpy() == pytest.approx(one["m1"].to_numpy())

    @given(st.integers(1, 6), st.floats(1, 1e6), st.integers(2, 30))
    def test_as_many_members_of_one_day_share_the_risk(self, number, target, count):
        """Members that make their deviation every day make the target together, however many."""
        members = [
            holding(f"m{k}", range(count), [k + 1.0] * count, deviation=[k + 1.0])
            for k in range(number)
        ]
        frame = portfolio_of(members, target)
        assert frame["portfolio"].to_list() == pytest.approx(
            [target * (day + 1) for day in range(count)]
        )
        for each in members:
            assert frame[each.name][-1] == pytest.approx(target * count / number)

    @given(holdings(least=2))
    def test_a_member_counts_from_its_first_day_to_its_last(self, members):
        frame = portfolio_of(members, 10.0)
        days = frame["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
        for each in members:
            part = frame[each.name].to_numpy()
            assert not part[days < each.days[0]].any()
            assert len(set(part[days >= each.days[-1]].tolist())) == 1
        active = [sum(e.days[0] <= day <= e.days[-1] for e in members) for day in days]
        assert frame["active"].to_list() == active

    def test_bars_of_one_session_are_added_up(self):
        frame = portfolio_of([holding("a", [4, 4, 4, 5], [1, 2, -4, 7])], 1.0)
        assert frame["portfolio"].to_list() == [-1, 6]

    def test_a_boundary_inside_a_session_resizes_inside_it(self):
        frame = portfolio_of([holding("a", [4, 4], [6, 6], [0, 1], [1, 3])], 1.0)
        assert frame["portfolio"].to_list() == [6 + 2]


class TestUnknownDeviation:
    @pytest.mark.parametrize(
        ("given_", "filled"),
        [
            ([NAN, 2, NAN, NAN, 5, NAN], [2, 2, 2, 2, 5, 5]),
            ([1, 2], [1, 2]),
            ([NAN, NAN, 3], [3, 3, 3]),
        ],
    )
    def test_the_window_before_stands_in_else_the_next(self, given_, filled):
        assert known_before(np.array(given_, float)).tolist() == filled

    def test_nothing_is_made_up_where_none_is_known(self):
        assert np.isnan(known_before(np.array([NAN, NAN]))).all()

    def test_a_flat_window_keeps_its_share_and_makes_nothing(self):
        flat = holding("a", [0, 1, 2], [2, 0, 4], [0, 1, 2], [2, NAN, 4])
        frame = portfolio_of([flat, holding("b", [0, 1, 2], [1, 1, 1])], 2.0)
        assert frame["a"].to_list() == [1, 1, 2]
        assert frame["active"].to_list() == [2, 2, 2]
        assert frame["b"].to_list() == [1, 2, 3]

    def test_a_member_that_cannot_be_sized_is_told_from_one_that_never_traded(self):
        assert not holding("a", [0, 1], [1, 2], deviation=[NAN]).scalable
        silent = holding("a", [0, 1], [0, 0], deviation=[NAN])
        assert silent.scalable
        assert portfolio_of([silent], 5.0)["portfolio"].to_list() == [0, 0]

    @given(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=60), st.floats(50, 400))
    def test_profit_and_sharpe_give_the_deviation_back(self, changes, rate):
        changes = np.array(changes)
        spread = changes.std(ddof=1)
        if spread < 1e-3 or abs(changes.mean()) < 1e-6 * spread:
            return
        sharpe = changes.mean() / spread * np.sqrt(rate)
        found = yearly_deviation(
            np.array([changes.sum()]), np.array([len(changes) / rate]), np.array([sharpe])
        )
        assert found[0] == pytest.approx(spread * np.sqrt(rate), rel=1e-6)

    @pytest.mark.parametrize(
        ("net", "years", "sharpe"),
        [(0, 2, 0), (5, 2, NAN), (NAN, 2, 1), (5, NAN, 1), (5, 0, 1), (5, 2, 0), (0, 2, 1)],
    )
    def test_what_is_no_positive_number_is_not_known(self, net, years, sharpe):
        found = yearly_deviation(*(np.array([float(x)]) for x in (net, years, sharpe)))
        assert np.isnan(found[0])


class TestSummary:
    def test_by_hand(self):
        days = np.arange("2021-01-29", "2021-02-03", dtype="datetime64[D]").astype(np.int64)
        made = [3.0, -1.0, -4.0, 2.0, 5.0]
        found = summary_of(portfolio_of([holding("a", days, made)], 1.0), 1.0)
        years = 5 / 365.25
        assert (found["first"], found["last"]) == ("2021-01-29", "2021-02-02")
        assert found["sessions"] == 5
        assert found["net_profit"] == pytest.approx(5)
        assert found["per_year"] == pytest.approx(5 / years)
        assert found["deviation"] == pytest.approx(np.std(made, ddof=1) * np.sqrt(5 / years))
        assert found["sharpe"] == pytest.approx(found["per_year"] / found["deviation"])
        assert found["drawdown"] == pytest.approx(5)
        assert found["worst_month"] == {"month": "2021-01", "net_profit": pytest.approx(-2)}

    def test_a_single_day_has_no_deviation(self):
        found = summary_of(portfolio_of([holding("a", [3], [2])], 1.0), 1.0)
        assert found["deviation"] == 0
        assert found["sharpe"] is None

    def test_the_months_add_up(self):
        rng = np.random.default_rng(3)
        frame = portfolio_of([holding("a", range(900), rng.normal(size=900))], 1.0)
        months = (
            frame.with_columns(made=pl.col("portfolio").diff().fill_null(frame["portfolio"][0]))
            .group_by(pl.col("date").dt.truncate("1mo"))
            .agg(pl.col("made").sum())
        )
        found = summary_of(frame, 1.0)
        assert months["made"].sum() == pytest.approx(found["net_profit"])
        assert months["made"].min() == pytest.approx(found["worst_month"]["net_profit"])
