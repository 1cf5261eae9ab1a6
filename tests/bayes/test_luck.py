"""What the best of many trials is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kurtosis, norm, skew

from meseta.bayes._luck import daily_returns, deflated_sharpe, expected_best_sharpe, luck_of

HALF_DAY = np.timedelta64(12, "h")


def test_the_expected_best_is_that_of_drawn_noise():
    drawn = np.random.default_rng(1).normal(0, 1.5, (4000, 100)).max(axis=1)
    assert expected_best_sharpe(1.5**2, 100) == pytest.approx(drawn.mean(), rel=0.02)


def test_the_expected_best_grows_with_the_number_of_trials():
    many = [expected_best_sharpe(1.0, n) for n in (1, 2, 10, 100, 1000)]
    assert many[0] == 0
    assert many == sorted(many)
    assert math.isnan(expected_best_sharpe(1.0, 0))
    assert math.isnan(expected_best_sharpe(math.nan, 5))


def test_the_paper_s_own_example():
    # "A numerical example": 100 trials with a variance of 1/2 a year of 250 days.
    assert expected_best_sharpe(0.5 / 250, 100) == pytest.approx(0.1132, abs=2e-4)


def test_deflated_sharpe_follows_its_formula():
    returns = np.random.default_rng(2).standard_t(4, 300) * 0.01 + 0.002
    ratio, noise = returns.mean() / returns.std(ddof=1), 0.1
    shape = 1 - skew(returns) * ratio + (kurtosis(returns, fisher=False) - 1) / 4 * ratio**2
    wanted = norm.cdf((ratio - noise) * math.sqrt(299) / math.sqrt(shape))
    assert deflated_sharpe(returns, noise) == pytest.approx(wanted)
    assert deflated_sharpe(returns, ratio) == pytest.approx(0.5)


def test_noise_passes_as_often_as_it_should():
    draw = np.random.default_rng(3).normal(0, 0.01, (400, 120))
    passed = np.mean([deflated_sharpe(returns, 0.0) > 0.9 for returns in draw])
    assert 0.06 < passed < 0.14


def test_what_cannot_be_judged_is_nan():
    assert math.isnan(deflated_sharpe(np.ones(5) * 0.1, 0.0))
    assert math.isnan(deflated_sharpe(np.zeros(50), 0.0))
    assert math.isnan(deflated_sharpe(np.random.default_rng(1).normal(0, 1, 50), math.nan))


def test_daily_returns_take_the_last_bar_of_each_day():
    time = np.datetime64("2024-01-01T00:00", "us") + np.arange(5) * HALF_DAY
    made, year = daily_returns(time, np.array([100.0, 110.0, 50.0, 121.0, 242.0]))
    assert made == pytest.approx([0.1, 1.0])
    assert year == 365.25
    assert daily_returns(time[:2], np.array([1.0, 2.0]))[0].size == 0
    assert daily_returns(time, np.array([100.0, 0.0, 1.0, 1.0, 1.0]))[0].size == 0


def test_a_year_of_shares_has_their_sessions():
    days = np.arange("2023-01-02", "2024-01-02", dtype="datetime64[D]")
    sessions = days[np.is_busday(days)].astype("datetime64[us]") + np.timedelta64(15, "h")
    returns, year = daily_returns(sessions, np.linspace(100.0, 120.0, sessions.size))
    assert returns.size == sessions.size - 1
    assert year == pytest.approx(260.9, abs=0.3)  # without holidays


def test_the_year_is_the_one_that_the_trials_use():
    returns = np.random.default_rng(4).normal(0.002, 0.01, 200)
    ratio = returns.mean() / returns.std(ddof=1)
    sharpes = [*np.random.default_rng(5).normal(0, 0.05, 50), math.nan]
    one, other = (
        luck_of([s * root for s in sharpes], ratio * root, returns, year=root**2)
        for root in (math.sqrt(365), math.sqrt(252))
    )
    assert one.trials == 50
    assert one.deflated_sharpe == pytest.approx(other.deflated_sharpe)
    assert one.sharpe_expected_of_noise > other.sharpe_expected_of_noise
    noise = expected_best_sharpe(float(np.var(sharpes[:50], ddof=1)), 50)
    assert one.deflated_sharpe == pytest.approx(deflated_sharpe(returns, noise))


def test_the_ratio_is_the_one_that_was_chosen_by():
    """Two instruments that move apart make a curve with a better ratio than either has."""
    draw = np.random.default_rng(4).normal(0.001, 0.01, (2, 400))
    draw += 0.001 - draw.mean(axis=1, keepdims=True)
    each = 0.001 / draw.std(axis=1, ddof=1) * math.sqrt(365)
    sharpes = np.random.default_rng(5).normal(0, 0.5, 50).tolist()
    both = luck_of(sharpes, each.mean(), draw.mean(axis=0), year=365)
    one = luck_of(sharpes, each[0], draw[0], year=365)
    assert both.deflated_sharpe == pytest.approx(one.deflated_sharpe, abs=0.02)
    assert luck_of(sharpes, 0.0, draw[0]).deflated_sharpe < 0.5
    assert math.isnan(luck_of(sharpes, math.nan, draw[0]).deflated_sharpe)


def test_what_was_pruned_was_tried():
    returns = np.random.default_rng(4).normal(0.002, 0.01, 200)
    sharpes = np.random.default_rng(5).normal(0, 1, 50).tolist()
    plain, more = (luck_of(sharpes, 2.0, returns, others=many) for many in (0, 50))
    assert (plain.trials, more.trials) == (50, 100)
    assert more.sharpe_variance == plain.sharpe_variance
    assert more.deflated_sharpe < plain.deflated_sharpe
    assert luck_of([], math.nan, np.empty(0), others=9).trials == 0


def test_a_single_trial_has_no_luck():
    luck = luck_of([1.0], 1.0, np.random.default_rng(6).normal(0.001, 0.01, 100))
    assert luck.sharpe_expected_of_noise == 0
    assert luck.sharpe_variance == 0
    assert 0.5 < luck.deflated_sharpe < 1
