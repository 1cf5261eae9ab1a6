from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import adjusted_rand_score

from meseta.selection._clusters import _resample, agreement, choose_clusters, cluster


def lattice(text):
    """Rows of digits (tens of candidates) as counts."""
    return np.array([[10 * int(digit) for digit in row] for row in text.split()])


def chosen(clustering):
    (setting,) = (s for s in clustering.settings if s.chosen)
    return setting


def everybody_a_group(labels):
    """Labels on the lattice and one ring around it, each cell outside a group of its own."""
    padded = np.pad(labels, 1, constant_values=-1).ravel()
    alone = padded < 0
    padded[alone] = 1000 + np.arange(alone.sum())
    return padded


labels = hnp.arrays(np.int64, (4, 5), elements=st.integers(-1, 3))


@given(labels, labels)
def test_agreement_is_the_adjusted_rand_index_of_scikit_learn(first, second):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it thinks so many groups a mistake
        expected = adjusted_rand_score(everybody_a_group(first), everybody_a_group(second))
    assert agreement(first, second) == pytest.approx(expected, abs=1e-12)


def test_agreement_forgives_a_cell_lost_by_a_plateau_that_fills_the_lattice():
    full = np.zeros((5, 5), np.int64)
    less = full.copy()
    less[0, 0] = -1
    assert agreement(full, full) == 1.0
    assert 0.9 < agreement(full, less) < 1.0


def test_agreement_is_low_when_a_plateau_breaks():
    whole = np.zeros((4, 6), np.int64)
    broken = np.repeat([[0, 0, 0, 1, 1, 1]], 4, axis=0)
    assert agreement(whole, broken) < 0.7


def test_agreement_of_two_empty_clusterings():
    assert agreement(np.full((2, 2), -1), np.full((2, 2), -1)) == 1.0


@pytest.mark.parametrize(("eps", "clusters"), [(1.0, 2), (1.5, 1), (2.24, 1)])
def test_eps_is_the_connectivity(eps, clusters):
    counting = lattice("110000 110000 001100 001100") > 0
    assert cluster(counting, eps, 3).max() + 1 == clusters


def test_a_step_of_either_axis_weighs_the_same():
    counting = lattice("1110110 1110110 0000000 1100111 1100000") > 0
    for eps, clusters in ((1.0, 4), (1.5, 4), (2.0, 1)):
        upright, lying = cluster(counting, eps, 3), cluster(counting.T, eps, 3).T
        assert agreement(upright, lying) == 1.0
        assert upright.max() + 1 == clusters


def test_cells_that_do_not_count_are_outside():
    found = cluster(lattice("111 010 000") > 0, 1.0, 4)
    assert found.tolist() == [[0, 0, 0], [-1, 0, -1], [-1, -1, -1]]


def test_two_plateaus_apart_are_found():
    clustering = choose_clusters(
        lattice("9990000 9990000 9990000 0000000 0000999 0000999 0000999"), 50, seed=0
    )
    assert clustering.warning is None
    assert clustering.labels.max() == 1
    assert np.all(clustering.labels[:3, :3] == 0)
    assert np.all(clustering.labels[4:, 4:] == 1)
    assert chosen(clustering).noise_share == 0
    assert chosen(clustering).reproducibility == 1.0
    assert len(clustering.settings) == 16


def test_the_bridge_that_comes_and_goes_is_not_trusted():
    # 50 candidates count, so a resample keeps each cell of the bridge only half the time.
    counts = np.zeros((11, 7), np.int64)
    counts[:4] = counts[7:] = 500
    counts[4:7, 3] = 50
    clustering = choose_clusters(counts, 50, seed=3)
    above, below = np.unique(clustering.labels[:4]), np.unique(clustering.labels[7:])
    assert (above.tolist(), below.tolist()) == ([0], [1])
    assert chosen(clustering).min_samples > 3


def test_choice_is_the_most_reproducible_quiet_setting():
    rng = np.random.default_rng(5)
    clustering = choose_clusters(rng.poisson(52, (12, 7)), 50, seed=1)
    quiet = [s for s in clustering.settings if s.clusters and s.noise_share < 0.6]
    assert chosen(clustering).reproducibility == max(s.reproducibility for s in quiet)
    assert all(s.reproducibility < 0.9 for s in clustering.settings if s.clusters > 1)


def test_ties_go_to_less_noise_then_the_smaller_eps():
    clustering = choose_clusters(np.full((6, 6), 10_000), 50, seed=0)
    setting = chosen(clustering)
    assert (setting.eps, setting.min_samples, setting.noise_share) == (1.0, 3, 0.0)


def test_nothing_but_noise_falls_back_to_touching_cells_and_says_so():
    clustering = choose_clusters(lattice("9000 0000 0009 0090"), 50, seed=0)
    assert "single cell, which is a peak" in clustering.warning
    assert clustering.labels[clustering.labels >= 0].tolist() == [0, 1, 1]
    assert (chosen(clustering).eps, chosen(clustering).min_samples) == (1.5, 1)
    assert all(s.reproducibility is None for s in clustering.settings if not s.clusters)


def test_too_much_noise_takes_the_least_and_says_so():
    counts = np.zeros((20, 20), np.int64)
    counts[0, :3] = 500
    counts[4::4, ::4] = 500
    clustering = choose_clusters(counts, 50, seed=0)
    assert "leaves at least 60%" in clustering.warning
    assert chosen(clustering).noise_share == min(
        s.noise_share for s in clustering.settings if s.clusters
    )


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        (np.zeros((3, 4), np.int64), "there are no candidates"),
        (np.full((3, 4), 49), "no cell has 50 candidates (the fullest has 49)"),
    ],
)
def test_no_counting_cell_gives_no_cluster(counts, why):
    clustering = choose_clusters(counts, 50, seed=0)
    assert clustering.settings == ()
    assert clustering.labels.max() == -1
    assert why in clustering.warning


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_choice(seed):
    counts = np.random.default_rng(1).poisson(50, (8, 5))
    first, second = (choose_clusters(counts, 50, seed) for _ in range(2))
    assert first.settings == second.settings
    assert np.array_equal(first.labels, second.labels)


def test_resamples_count_like_candidates_drawn_one_by_one():
    counts = np.array([[400, 100], [0, 500]])
    drawn = _resample(counts, seed=0)
    assert np.all(drawn.sum(axis=(1, 2)) == 1000)
    assert np.all(drawn[:, 1, 0] == 0)
    rng = np.random.default_rng(1)
    owner = np.repeat(np.arange(4), counts.ravel())
    by_hand = np.array([np.bincount(rng.choice(owner, 1000), minlength=4) for _ in range(2000)])
    many = np.concatenate([_resample(counts, seed) for seed in range(100)]).reshape(2000, 4)
    np.testing.assert_allclose(many.mean(axis=0), by_hand.mean(axis=0), atol=2)
    np.testing.assert_allclose(many.std(axis=0), by_hand.std(axis=0), atol=1)
