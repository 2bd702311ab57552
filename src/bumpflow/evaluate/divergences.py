r"""Compare two samples feature by feature, by four one-dimensional divergences.

With :math:`p_i` and :math:`q_i` the probabilities of the reference and of the candidate in bin
:math:`i`, and :math:`F`, :math:`G` their empirical distribution functions:

=============  =====================================================
``chi2``       :math:`\sum_i (q_i - p_i)^2 / p_i`
``kl``         :math:`\sum_i p_i \ln(p_i / q_i)` [nat]
``hellinger``  :math:`\sqrt{1 - \sum_i \sqrt{p_i q_i}}`
``wasserstein``  :math:`\int |F(t) - G(t)|\,\mathrm{d}t`, of the samples themselves
=============  =====================================================

Binning: bins of equal Monte Carlo probability, the outermost open to infinity, so that every
event counts. They depend on Monte Carlo alone: all candidates of a study share them, and the
baseline too. Empty bins: :math:`p_i` and :math:`q_i` are Jeffreys estimates,
:math:`(n_i + 1/2) / (n + k/2)` for :math:`k` bins, which keeps every sum finite.

All four are positive even for two samples of one distribution, the more so the smaller the
samples (chi2 by about :math:`(k - 1)(1/n + 1/m)`). They mean something only beside
:func:`baseline`, Monte Carlo against Monte Carlo with the same numbers of events.

References:
    Gibbs, Su (2002), https://arxiv.org/abs/math/0209021 (definitions and their bounds);
    Gavranovic, Kersevan (2023), https://arxiv.org/abs/2310.08994, section 4.2 and figure 11
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

MEASURES = ("chi2", "kl", "hellinger", "wasserstein")
CHUNK_ELEMENTS = 4_000_000


class Binning(NamedTuple):
    """How features are binned and scaled; the same for all comparisons of a study.

    Attributes:
        edges: Inner edges of the bins of each feature; the outermost bins are open.
        scale: Unit of the Wasserstein distance for each feature, shape ``(n_features,)``.
    """

    edges: list[NDArray]
    scale: NDArray


class Baseline(NamedTuple):
    """Monte Carlo against Monte Carlo.

    Attributes:
        mean: Mean over repetitions, shape ``(n_measures, n_features)``.
        spread: Standard deviation of one repetition, same shape.
        relative_spread: Spread of the mean over features over its own mean, shape
            ``(n_measures,)``.
        n_repeats: Number of repetitions.
    """

    mean: NDArray
    spread: NDArray
    relative_spread: NDArray
    n_repeats: int


class Comparison(NamedTuple):
    """Divergences of a candidate from a reference.

    Attributes:
        values: Divergences in the order of :data:`MEASURES`, shape ``(n_measures, n_features)``;
            Wasserstein in units of the reference's standard deviation.
        replicas: The same for bootstrap samples, shape ``(n_bootstrap, n_measures, n_features)``.
    """

    values: NDArray
    replicas: NDArray


class Relative(NamedTuple):
    """A divergence averaged over features, over the same for Monte Carlo against itself.

    Attributes:
        value: The ratio; 1 for events that are as good as Monte Carlo.
        uncertainty: Its standard deviation.
        baseline_spread: Standard deviation of the ratio when Monte Carlo plays the candidate.
    """

    value: float
    uncertainty: float
    baseline_spread: float


def equal_size(n_reference: int, n_candidate: int, *, n_monte_carlo: int, limit: int) -> int:
    """Return the number of events to take from the reference and from the candidate.

    Both sides get equally many, and so do both sides of the baseline.

    Args:
        n_reference: Events of the reference.
        n_candidate: Events of the candidate.
        n_monte_carlo: Events that the baseline draws its two samples from.
        limit: Most events to take.
    """
    return min(n_reference, n_candidate, n_monte_carlo // 2, limit)


def bin_by(events: NDArray, *, n_bins: int) -> Binning:
    """Return bins that hold equal numbers of events, and standard deviations as scales.

    Args:
        events: Monte Carlo events, shape ``(n_events, n_features)``.
        n_bins: Number of bins, the two open ones at the ends included. A feature with repeated
            values gets fewer.
    """
    levels = np.arange(1, n_bins) / n_bins
    edges = [np.unique(column) for column in np.quantile(events, levels, axis=0).T]
    return Binning(edges, events.std(axis=0, dtype=float))


def bin_events(x: NDArray, edges: list[NDArray]) -> NDArray:
    """Return the bin of each event and feature, shape ``(n_events, n_features)``.

    Bins are numbered through: those of a feature follow those of the one before.
    """
    starts = np.cumsum([0, *(len(inner) + 1 for inner in edges)])
    columns = [
        start + np.searchsorted(inner, x[:, feature], side="right")
        for feature, (start, inner) in enumerate(zip(starts[:-1], edges, strict=True))
    ]
    return np.stack(columns, axis=1)


def probabilities(counts: NDArray) -> NDArray:
    """Return Jeffreys estimates of bin probabilities from counts, shape ``(..., n_bins)``."""
    counts = np.asarray(counts, dtype=float) + 0.5
    return counts / counts.sum(axis=-1, keepdims=True)


def chi2_divergence(p: NDArray, q: NDArray) -> NDArray:
    r"""Return :math:`\sum_i (q_i - p_i)^2 / p_i` over the last axis.

    Args:
        p: Bin probabilities of the reference, all positive, shape ``(..., n_bins)``.
        q: Bin probabilities of the candidate, same shape.
    """
    return np.sum((q - p) ** 2 / p, axis=-1)


def kl_divergence(p: NDArray, q: NDArray) -> NDArray:
    r"""Return :math:`\sum_i p_i \ln(p_i / q_i)` [nat] over the last axis.

    From the reference to the candidate, as in the loss of a density model: the mean log
    likelihood that the candidate loses on reference events.

    Args:
        p: Bin probabilities of the reference, all positive, shape ``(..., n_bins)``.
        q: Bin probabilities of the candidate, all positive, same shape.
    """
    return np.sum(p * np.log(p / q), axis=-1)


def hellinger_distance(p: NDArray, q: NDArray) -> NDArray:
    r"""Return :math:`\sqrt{1 - \sum_i \sqrt{p_i q_i}}` over the last axis, between 0 and 1.

    Computed as :math:`\sqrt{\sum_i (\sqrt{p_i} - \sqrt{q_i})^2 / 2}`, which is equal for
    probabilities that add up to 1 and does not cancel when they are close.

    Args:
        p: Bin probabilities, shape ``(..., n_bins)``.
        q: Bin probabilities of the other sample, same shape.
    """
    return np.sqrt(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2, axis=-1) / 2)


def wasserstein_distance(
    x: NDArray,
    y: NDArray,
    *,
    x_weights: NDArray | None = None,
    y_weights: NDArray | None = None,
) -> NDArray:
    r"""Return the Wasserstein-1 distance :math:`\int |F(t) - G(t)|\,\mathrm{d}t` of two samples.

    Many weightings of the same values, such as bootstrap samples, cost one sort.

    Args:
        x: Values of one feature, shape ``(n,)``.
        y: Values in the other sample, shape ``(m,)``.
        x_weights: Non-negative weights of ``x``, shape ``(..., n)``; equal by default.
        y_weights: Non-negative weights of ``y``, shape ``(..., m)``; equal by default.

    Returns:
        Distances in units of the feature, shape ``(...)``.
    """
    x_weights = np.ones(len(x)) if x_weights is None else x_weights
    y_weights = np.ones(len(y)) if y_weights is None else y_weights
    order = np.argsort(np.concatenate([x, y]), kind="stable")
    steps = np.diff(np.concatenate([x, y])[order].astype(float))
    shares = [w / w.sum(axis=-1, keepdims=True) for w in (x_weights, y_weights)]
    difference = np.concatenate([shares[0], -shares[1]], axis=-1)[..., order]
    np.cumsum(difference, axis=-1, out=difference)
    return np.abs(difference[..., :-1], out=difference[..., :-1]) @ steps


def compare(
    reference: NDArray,
    candidate: NDArray,
    *,
    binning: Binning,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> Comparison:
    """Measure all divergences of a candidate from a reference, with bootstrap replicas.

    A replica redraws whole events of both samples, so that features keep their correlations.
    Redrawing adds noise to what is noise already: near equality the spread of replicas
    overestimates that of the sum-of-squares measures, by up to a factor of sqrt(3).

    Args:
        reference: Monte Carlo events, shape ``(n, n_features)``.
        candidate: Events to compare with them, shape ``(m, n_features)``.
        binning: Bins and scales, from :func:`bin_by`.
        n_bootstrap: Number of replicas.
        rng: Source of the replicas.
    """
    bins = [_one_hot(x, binning.edges) for x in (reference, candidate)]
    ones = [np.ones((1, len(x))) for x in (reference, candidate)]
    values = _measure(reference, candidate, bins, ones, binning)
    chunk = max(1, CHUNK_ELEMENTS // (len(reference) + len(candidate)))
    parts = [np.empty((0, *values.shape[1:]))]
    for start in range(0, n_bootstrap, chunk):
        size = min(chunk, n_bootstrap - start)
        weights = [_redraw(len(x), size, rng) for x in (reference, candidate)]
        parts.append(_measure(reference, candidate, bins, weights, binning))
    return Comparison(values[0], np.concatenate(parts))


def baseline(
    events: NDArray,
    *,
    n_reference: int,
    n_candidate: int,
    binning: Binning,
    n_repeats: int,
    rng: np.random.Generator,
) -> Baseline:
    """Measure Monte Carlo against Monte Carlo, over random pairs of disjoint samples.

    Args:
        events: Monte Carlo events to draw from, shape ``(n_events, n_features)``.
        n_reference: Events on the side of the reference.
        n_candidate: Events on the side of the candidate.
        binning: Bins and scales, the same as of the comparison.
        n_repeats: Number of random pairs, at least 2.
        rng: Source of the pairs.

    Raises:
        ValueError: If there are too few events for two disjoint samples of these sizes.
    """
    total = n_reference + n_candidate
    if total > len(events):
        msg = (
            f"a baseline of {n_reference} against {n_candidate} events needs {total} Monte Carlo"
            f" events, but there are {len(events)}: lower surrogates.divergences.max_events"
        )
        raise ValueError(msg)
    draws = []
    for _ in range(n_repeats):
        rows = rng.permutation(len(events))[:total]
        pair = events[rows[:n_reference]], events[rows[n_reference:]]
        draws.append(compare(*pair, binning=binning, n_bootstrap=0, rng=rng).values)
    repeats = np.array(draws)
    averages = repeats.mean(axis=-1)
    return Baseline(
        mean=repeats.mean(axis=0),
        spread=repeats.std(axis=0, ddof=1),
        relative_spread=averages.std(axis=0, ddof=1) / averages.mean(axis=0),
        n_repeats=n_repeats,
    )


def relative(comparison: Comparison, monte_carlo: Baseline) -> dict[str, Relative]:
    """Return each measure's mean over features, over that of the baseline.

    The uncertainty is the bootstrap's, with correlations between features, and that of the
    baseline's mean, in quadrature.
    """
    unit = monte_carlo.mean.mean(axis=-1)
    values = comparison.values.mean(axis=-1) / unit
    spread = comparison.replicas.mean(axis=-1).std(axis=0, ddof=1) / unit
    of_unit = values * monte_carlo.relative_spread / np.sqrt(monte_carlo.n_repeats)
    return {
        name: Relative(float(value), float(uncertainty), float(of_monte_carlo))
        for name, value, uncertainty, of_monte_carlo in zip(
            MEASURES,
            values,
            np.hypot(spread, of_unit),
            monte_carlo.relative_spread,
            strict=True,
        )
    }


def as_table(comparison: Comparison, monte_carlo: Baseline, features: list[str]) -> pd.DataFrame:
    """Return one row per measure and feature, with the columns of ``divergences.parquet``."""
    spread = comparison.replicas.std(axis=0, ddof=1)
    return pd.DataFrame(
        {
            "feature": np.tile(features, len(MEASURES)),
            "measure": np.repeat(MEASURES, len(features)),
            "value": comparison.values.ravel(),
            "uncertainty": spread.ravel(),
            "baseline": monte_carlo.mean.ravel(),
            "baseline_uncertainty": monte_carlo.spread.ravel(),
        }
    )


def _one_hot(x: NDArray, edges: list[NDArray]) -> csr_matrix:
    """Return which bins each event fills, shape ``(n_events, n_bins of all features)``."""
    columns = bin_events(x, edges)
    n_events, n_features = columns.shape
    n_bins = sum(len(inner) + 1 for inner in edges)
    ones = np.ones(columns.size)
    rows = np.arange(0, columns.size + 1, n_features)
    return csr_matrix((ones, columns.ravel(), rows), shape=(n_events, n_bins))


def _redraw(n_events: int, n_samples: int, rng: np.random.Generator) -> NDArray:
    """Return how often each event occurs in bootstrap samples ``(n_samples, n_events)``."""
    rows = rng.integers(n_events, size=(n_samples, n_events))
    rows += n_events * np.arange(n_samples)[:, None]
    counts = np.bincount(rows.ravel(), minlength=n_samples * n_events)
    return counts.reshape(n_samples, n_events).astype(float)


def _measure(
    reference: NDArray,
    candidate: NDArray,
    bins: list[csr_matrix],
    weights: list[NDArray],
    binning: Binning,
) -> NDArray:
    """Return all divergences of weighted samples ``(n_samples, n_measures, n_features)``."""
    counts = [(one_hot.T @ w.T).T for one_hot, w in zip(bins, weights, strict=True)]
    sizes = [len(inner) + 1 for inner in binning.edges]
    result = np.empty((len(weights[0]), len(MEASURES), len(sizes)))
    for feature, stop in enumerate(np.cumsum(sizes)):
        start = stop - sizes[feature]
        p, q = (probabilities(count[:, start:stop]) for count in counts)
        result[:, 0, feature] = chi2_divergence(p, q)
        result[:, 1, feature] = kl_divergence(p, q)
        result[:, 2, feature] = hellinger_distance(p, q)
        distance = wasserstein_distance(
            reference[:, feature],
            candidate[:, feature],
            x_weights=weights[0],
            y_weights=weights[1],
        )
        result[:, 3, feature] = distance / binning.scale[feature]
    return result
