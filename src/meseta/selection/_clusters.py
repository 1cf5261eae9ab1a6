"""Clusters of cells: DBSCAN on the lattice, and which of its settings to believe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from meseta._types import BoolArray, IntArray

__all__ = ["Clustering", "Setting", "agreement", "choose_clusters", "cluster"]

OUTSIDE = -1
_EPS = (1.0, 1.5, 2.0, 2.24)
_MIN_SAMPLES = (3, 4, 5, 8)
_RESAMPLES = 20
_NOISE_LIMIT = 0.6


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of DBSCAN and how it did.

    Parameters
    ----------
    eps
        Distance in grid steps within which cells are neighbours: 1.0 sides, 1.5 corners too, 2.0
        two steps along an axis too, 2.24 a knight's move too.
    min_samples
        Cells within `eps`, itself included, that make a cell the core of a cluster.
    clusters
        Number of clusters.
    noise_share
        Share of the counting cells that are in none.
    reproducibility
        Mean agreement with the clusterings of the resamples; None without a cluster.
    chosen
        Whether the plateaus come from this setting.
    """

    eps: float
    min_samples: int
    clusters: int
    noise_share: float
    reproducibility: float | None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Clustering:
    """The clusters that were chosen.

    Attributes
    ----------
    labels
        Number of each cell's cluster from 0, or -1 (noise, or a cell that does not count); int64,
        shape (values of x, values of y).
    settings
        Every setting tried, the chosen one marked; empty when no cell counts.
    warning
        What the user must know about the choice, or None.
    """

    labels: IntArray
    settings: tuple[Setting, ...]
    warning: str | None = None


def choose_clusters(candidates: IntArray, min_cell: int, seed: int) -> Clustering:
    """Cluster the counting cells with the most reproducible setting of DBSCAN.

    Asking for many clusters or for little noise finds dozens of clusters in noise, so the setting
    is chosen whose clustering changes least when the candidates are drawn again: the highest mean
    `agreement` over 20 bootstrap resamples, among the settings with a cluster and under 60 %
    noise; ties go to less noise, then to the smaller `eps`, then to the smaller `min_samples`.

    A resample draws as many candidates as there are, with replacement. Only how many fall into
    each cell matters for which cells count and so for the clusters, and those numbers have a
    multinomial distribution whose probabilities are the cells' shares. Drawing them directly is
    the same as drawing millions of candidates, at no cost. All settings see the same resamples.

    Parameters
    ----------
    candidates
        Candidates in each cell, int64, shape (values of x, values of y).
    min_cell
        A cell counts with at least this many.
    seed
        Seed of the resamples.

    Returns
    -------
    Clustering
        When every setting leaves 60 % noise or more, the one with the least noise. When no
        setting finds any cluster, the groups of counting cells that touch at sides or corners,
        however small. Both with a warning. When no cell counts, no cluster.
    """
    counting = candidates >= min_cell
    if not counting.any():
        return Clustering(np.full(candidates.shape, OUTSIDE), (), _too_few(candidates, min_cell))
    resamples = _resample(candidates, seed) >= min_cell
    settings = [_try(counting, resamples, e, m) for e in _EPS for m in _MIN_SAMPLES]
    best, warning = _best(settings)
    if best is None:
        best = _try(counting, resamples, 1.5, 1)
        settings.append(best)
    marked = tuple(replace(s, chosen=True) if s is best else s for s in settings)
    return Clustering(cluster(counting, best.eps, best.min_samples), marked, warning)


def cluster(counting: BoolArray, eps: float, min_samples: int) -> IntArray:
    """Return the cluster of each cell, by DBSCAN on coordinates in grid steps.

    A step of one parameter weighs as much as a step of the other.

    Parameters
    ----------
    counting
        Which cells count, shape (values of x, values of y).
    eps, min_samples
        As in `Setting`.

    Returns
    -------
    IntArray
        Same shape: clusters from 0, -1 for noise and for cells that do not count.
    """
    from sklearn.cluster import DBSCAN  # takes a second to import

    labels = np.full(counting.shape, OUTSIDE, np.int64)
    cells = np.argwhere(counting)
    if len(cells):
        # A tree, for the default starts threads for a handful of cells: 30 ms instead of 0.5.
        scan = DBSCAN(eps=eps, min_samples=min_samples, algorithm="kd_tree")
        labels[counting] = scan.fit_predict(cells.astype(np.float64))
    return labels


def agreement(first: IntArray, second: IntArray) -> float:
    """Return the adjusted Rand index of two clusterings of the same lattice.

    The index compares pairs of cells, together or apart; 1 means the same clusters and 0 no more
    in common than by chance. Two decisions make it fit here, where the two clusterings need not
    have the same counting cells:

    * Every cell outside the clusters, noise or not counting, is a group of its own. Such cells
      have nothing in common, so two clusterings are not praised for agreeing on emptiness, and a
      cell that drops out of a cluster costs as much either way.
    * The compared cells are the whole lattice and one ring of cells around it, which hold no
      candidates. On the union of the counting cells alone, one plateau that fills the union would
      be a trivial partition, whose index is 0 at the loss of a single cell.

    Parameters
    ----------
    first, second
        Clusters from 0, -1 outside; same shape (values of x, values of y).
    """
    a, b = first.ravel(), second.ravel()
    cells = (first.shape[0] + 2) * (first.shape[1] + 2)
    both = (a >= 0) & (b >= 0)
    joint = _pairs(a[both] * (b.max(initial=0) + 1) + b[both])
    in_first, in_second = _pairs(a[a >= 0]), _pairs(b[b >= 0])
    expected = in_first * in_second / (cells * (cells - 1) // 2)
    highest = (in_first + in_second) / 2
    return 1.0 if highest == expected else (joint - expected) / (highest - expected)


def _pairs(labels: IntArray) -> int:
    """Return how many pairs share a label."""
    sizes = np.bincount(labels)
    return int((sizes * (sizes - 1) // 2).sum())


def _resample(candidates: IntArray, seed: int) -> IntArray:
    """Return cell counts of bootstrap resamples, shape (resamples, values of x, values of y)."""
    total = int(candidates.sum())
    shares = candidates.ravel() / total
    drawn = np.random.default_rng(seed).multinomial(total, shares, size=_RESAMPLES)
    return drawn.reshape(_RESAMPLES, *candidates.shape)


def _try(counting: BoolArray, resamples: BoolArray, eps: float, min_samples: int) -> Setting:
    labels = cluster(counting, eps, min_samples)
    clusters = int(labels.max()) + 1
    agreements = [agreement(labels, cluster(again, eps, min_samples)) for again in resamples]
    return Setting(
        eps=eps,
        min_samples=min_samples,
        clusters=clusters,
        noise_share=float(np.mean(labels[counting] == OUTSIDE)),
        reproducibility=float(np.mean(agreements)) if clusters else None,
    )


def _best(settings: list[Setting]) -> tuple[Setting | None, str | None]:
    """Return the setting to believe, or None when none has a cluster, and a warning."""
    clustered = [s for s in settings if s.clusters]
    if not clustered:
        return None, (
            "no clustering setting finds a plateau; the counting cells are grouped by touching "
            "sides and corners instead, so a plateau may be a single cell, which is a peak"
        )
    quiet = [s for s in clustered if s.noise_share < _NOISE_LIMIT]
    if quiet:
        return min(quiet, key=_preference), None
    best = min(clustered, key=lambda s: (s.noise_share, _preference(s)))
    return best, (
        f"every clustering setting leaves at least {_NOISE_LIMIT:.0%} of the counting cells "
        f"outside the plateaus; the one with the least ({best.noise_share:.0%}) is used, and "
        "these plateaus are weak"
    )


def _preference(setting: Setting) -> tuple[float, float, float, int]:
    # Rounded, so that settings whose clusters are the same tie in spite of a last bit.
    reproducibility = round(setting.reproducibility or 0.0, 9)
    return -reproducibility, setting.noise_share, setting.eps, setting.min_samples


def _too_few(candidates: IntArray, min_cell: int) -> str:
    if not candidates.any():
        return "there are no candidates, so there are no plateaus"
    return (
        f"no cell has {min_cell} candidates (the fullest has {candidates.max()}), so there are "
        "no plateaus; search a finer grid, choose other axes or lower the least number per cell"
    )
