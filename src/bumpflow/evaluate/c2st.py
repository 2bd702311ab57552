r"""Classifier two-sample test: can a trained classifier tell generated events from real ones?

A classifier learns on one part of the Monte Carlo events (label 0) and of the generated events
(label 1), and is tested on another part of both. There is one split into training and test
events and no cross-fitting: folds share events, so under the null hypothesis their AUCs are
correlated and their mean has a larger variance than any formula for one AUC says.

References:
    Lopez-Paz, Oquab (2016), https://arxiv.org/abs/1610.06545;
    Gavranovic, Kersevan (2023), https://arxiv.org/abs/2310.08994, section 4.3 and appendix H
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import norm, rankdata

CHUNK_ELEMENTS = 4_000_000


class Auc(NamedTuple):
    """Area under a ROC curve, with its standard deviation and confidence interval."""

    value: float
    uncertainty: float
    low: float
    high: float


class Verdict(NamedTuple):
    """What one classifier says about two samples of test events.

    Attributes:
        auc: Area under the ROC curve; 0.5 if it cannot tell the samples apart.
        auc_uncertainty: Its standard deviation.
        auc_low: Lower end of its confidence interval.
        auc_high: Upper end of its confidence interval.
        p_value: Permutation p-value of the AUC, one-sided.
        accuracy: Mean of the shares of each sample that are recognised.
        accuracy_uncertainty: Its binomial standard deviation.
        mean_ratio: Mean density ratio of Monte Carlo events; 1 if the ratio is normalised.
        mean_ratio_uncertainty: Its standard deviation.
    """

    auc: float
    auc_uncertainty: float
    auc_low: float
    auc_high: float
    p_value: float
    accuracy: float
    accuracy_uncertainty: float
    mean_ratio: float
    mean_ratio_uncertainty: float


class Tails(NamedTuple):
    """Masks of the events in the tails of the density ratio, shape ``(n_events,)`` each.

    Attributes:
        low: Events that the generator makes too rarely.
        high: Events that it makes too often.
    """

    low: NDArray
    high: NDArray


class Shares(NamedTuple):
    """Numbers of generated events that a classifier learns from and is tested on."""

    n_train: int
    n_test: int


def share_generated(
    n_generated: int, *, n_train: int, n_test: int, train_ratio: float, test_ratio: float
) -> Shares:
    """Return how many generated events go to training and test; the two never overlap.

    Where events are short, training takes at most half of them.

    Args:
        n_generated: Events at hand.
        n_train: Monte Carlo events in training.
        n_test: Monte Carlo events in the test.
        train_ratio: Generated per Monte Carlo event wanted in training.
        test_ratio: The same for the test; more than 1 makes the AUC more precise.

    Raises:
        ValueError: If training or test would be left with fewer than 2 events.
    """
    for_train = min(round(train_ratio * n_train), n_generated // 2)
    for_test = min(round(test_ratio * n_test), n_generated - for_train)
    if min(n_train, n_test, for_train, for_test) < 2:
        msg = (
            f"a classifier test needs at least 2 events on each side, but it has {n_train} and"
            f" {n_test} Monte Carlo, {for_train} and {for_test} generated events in training and"
            " test: enlarge splits.holdouta, splits.holdoutb or surrogates.n_events"
        )
        raise ValueError(msg)
    return Shares(for_train, for_test)


def area_under_curve(
    negative: NDArray,
    positive: NDArray,
    *,
    confidence: float = 0.95,
    weights: NDArray | None = None,
) -> Auc:
    r"""Return the area under the ROC curve with the uncertainty of DeLong et al.

    The AUC is the share of pairs in which the positive event scores higher, ties counting one
    half. With :math:`V_i` that share for positive event :math:`i` against all :math:`n` negative
    ones, and :math:`W_j` for negative event :math:`j` against all :math:`m` positive ones, its
    variance is :math:`\mathrm{var}(V)/m + \mathrm{var}(W)/n`, where weights :math:`w_i` of the
    positive events turn the first term into
    :math:`\frac{m}{m - 1} \sum_i w_i^2 (V_i - \mathrm{AUC})^2 / (\sum_i w_i)^2`. All comes from
    sorted scores in :math:`O((m + n) \log(m + n))`. The interval is the normal one, cut at 0 and 1.

    Args:
        negative: Scores of events of class 0, shape ``(n,)``, at least 2.
        positive: Scores of events of class 1, shape ``(m,)``, at least 2.
        confidence: Probability content of the interval.
        weights: Weights of the events of class 1, shape ``(m,)``; equal by default.

    References:
        DeLong, DeLong, Clarke-Pearson (1988), https://doi.org/10.2307/2531595;
        Sun, Xu (2014), https://doi.org/10.1109/LSP.2014.2337313 (sorting)
    """
    n, m = len(negative), len(positive)
    share = np.full(m, 1 / m) if weights is None else weights / np.sum(weights)
    above = _share_below(positive, negative, np.full(n, 1 / n))
    below = 1 - _share_below(negative, positive, share)
    value = float(np.sum(share * above))
    variance = m / (m - 1) * np.sum((share * (above - value)) ** 2) + below.var(ddof=1) / n
    sigma = float(np.sqrt(variance))
    reach = float(norm.ppf((1 + confidence) / 2)) * sigma
    return Auc(value, sigma, max(0.0, value - reach), min(1.0, value + reach))


def _share_below(scores: NDArray, others: NDArray, share: NDArray) -> NDArray:
    """Return the share of ``others`` that score lower than each score, ties counting one half."""
    order = np.argsort(others)
    total = np.concatenate([[0.0], np.cumsum(share[order])])
    edges = [np.searchsorted(others[order], scores, side=side) for side in ("left", "right")]
    return (total[edges[0]] + total[edges[1]]) / 2


def permutation_p_value(
    negative: NDArray, positive: NDArray, *, n_permutations: int, rng: np.random.Generator
) -> float:
    r"""Return the probability of an AUC at least as high when labels mean nothing.

    The classifier stays as it is and the labels of the test events are permuted:
    :math:`p = (1 + \#\{\mathrm{AUC}_\mathrm{permuted} \geq \mathrm{AUC}\}) / (1 + N)`. An AUC is
    a sum of midranks up to constants, so each permutation is one random subset of the ranks.

    Args:
        negative: Scores of events of class 0, shape ``(n,)``.
        positive: Scores of events of class 1, shape ``(m,)``.
        n_permutations: Number of permutations :math:`N`.
        rng: Source of the permutations.

    References:
        Phipson, Smyth (2010), https://arxiv.org/abs/1603.05766
    """
    doubled = np.rint(2 * rankdata(np.concatenate([negative, positive]))).astype(np.int64)
    n, m = len(negative), len(positive)
    if n < m:  # permute the smaller side: a low sum there is a high one on the other
        subset, observed, sign = n, doubled[:n].sum(), -1
    else:
        subset, observed, sign = m, doubled[n:].sum(), 1
    chunk = max(1, CHUNK_ELEMENTS // len(doubled))
    exceeding = 0
    for start in range(0, n_permutations, chunk):
        size = min(chunk, n_permutations - start)
        sums = _subset_sums(doubled, subset, size, rng)
        exceeding += int(np.count_nonzero(sign * sums >= sign * observed))
    return (1 + exceeding) / (1 + n_permutations)


def log_density_ratio(score: NDArray, *, prior: float = 0.5) -> NDArray:
    r"""Return :math:`\ln r = \ln(p_\mathrm{generated}/p_\mathrm{MC})` from a classifier's scores.

    Bayes' rule gives :math:`r = \frac{s}{1 - s} \frac{1 - \pi}{\pi}`.

    Args:
        score: Probability :math:`s` of class 1, shape ``(n_events,)``.
        prior: Share :math:`\pi` of class 1 in training; 0.5 if classes had equal weights.

    References:
        Gavranovic, Kersevan (2023), https://arxiv.org/abs/2310.08994, equations 23 and 24
    """
    return logit(np.asarray(score, dtype=float)) - logit(prior)


def density_ratio_tails(log_ratio: NDArray, *, fraction: float) -> Tails:
    """Return which events have the lowest and the highest density ratios.

    Args:
        log_ratio: Log density ratio, shape ``(n_events,)``.
        fraction: Share of the events in each tail, below 0.5.

    Raises:
        ValueError: If the tails would overlap.
    """
    if not 0 < fraction < 0.5:
        msg = f"tails hold {fraction} of the events each: choose a share between 0 and 0.5"
        raise ValueError(msg)
    low, high = np.quantile(log_ratio, [fraction, 1 - fraction])
    return Tails(low=log_ratio <= low, high=log_ratio >= high)


def judge(
    negative: NDArray,
    positive: NDArray,
    *,
    confidence: float,
    n_permutations: int,
    rng: np.random.Generator,
) -> Verdict:
    """Summarise a classifier's log density ratios of test events.

    Args:
        negative: Log ratios of Monte Carlo events, shape ``(n,)``; above 0 the classifier takes
            an event for a generated one.
        positive: Log ratios of generated events, shape ``(m,)``.
        confidence: Probability content of the AUC's interval.
        n_permutations: Permutations behind the p-value.
        rng: Source of the permutations.
    """
    auc = area_under_curve(negative, positive, confidence=confidence)
    p_value = permutation_p_value(negative, positive, n_permutations=n_permutations, rng=rng)
    right = np.mean(negative <= 0), np.mean(positive > 0)
    variances = [
        share * (1 - share) / len(x) for share, x in zip(right, (negative, positive), strict=True)
    ]
    ratio = np.exp(negative.astype(float))
    return Verdict(
        auc=auc.value,
        auc_uncertainty=auc.uncertainty,
        auc_low=auc.low,
        auc_high=auc.high,
        p_value=p_value,
        accuracy=float(np.mean(right)),
        accuracy_uncertainty=float(np.sqrt(sum(variances)) / 2),
        mean_ratio=float(ratio.mean()),
        mean_ratio_uncertainty=float(ratio.std(ddof=1) / np.sqrt(len(ratio))),
    )


def _subset_sums(
    values: NDArray, subset: int, n_samples: int, rng: np.random.Generator
) -> NDArray:
    """Return sums over random subsets of ``values``, shape ``(n_samples,)``."""
    rows = np.broadcast_to(values, (n_samples, len(values)))
    return rng.permuted(rows, axis=1)[:, :subset].sum(axis=1)
