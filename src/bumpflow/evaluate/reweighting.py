r"""Weights that bring generated events closer to Monte Carlo, from a classifier between the two.

The optimal classifier's odds are the ratio of the densities, so a generated event weighs
:math:`w(x) = p_\mathrm{MC}(x) / p_\mathrm{generated}(x) = e^{-f(x)}`, with :math:`f` the log odds
of "generated". Networks are over-confident when events are few; :math:`f` is therefore calibrated
on events that its networks have not seen, which shrinks it towards 0, and weights are clipped.

References:
    Cranmer, Pavez, Louppe (2015), https://arxiv.org/abs/1506.02169;
    Diefenbacher et al. (2020), https://arxiv.org/abs/2009.03796
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from bumpflow.classifiers import (
    NetworkClassifier,
    NetworkSettings,
    TreeSettings,
    first_alike,
    restore_networks,
    store_networks,
    train_classifier,
    train_trees,
)
from bumpflow.evaluate.c2st import area_under_curve
from bumpflow.workflow import derive_seed

CALIBRATION_BINS = 10


@dataclass(frozen=True)
class ReweightingSettings:
    """Settings of the weights.

    Attributes:
        folds: Networks; each learns without one part of the events, which calibrates it.
        clip: Largest weight; the smallest is its inverse.
        network: Settings of each network.
    """

    folds: int
    clip: float
    network: NetworkSettings

    @classmethod
    def from_config(cls, block: Mapping[str, Any]) -> "ReweightingSettings":
        """Return the settings of a configuration block of the same keys."""
        network = NetworkSettings.from_config(block["resmlp"])
        return cls(folds=block["folds"], clip=block["clip"], network=network)


class Reweighter(NamedTuple):
    """Calibrated density ratio.

    Attributes:
        networks: Classifiers whose log odds of "generated" are averaged.
        slope: What the average is multiplied with, between 0 (no weights) and about 1.
        offset: What is added.
        clip: Largest weight; the smallest is its inverse.
    """

    networks: list[NetworkClassifier]
    slope: float
    offset: float
    clip: float

    def weight(self, x: NDArray) -> NDArray:
        """Return the weights of generated events ``(n, features)``, shape ``(n,)``."""
        raw = np.mean([network.logit(x) for network in self.networks], axis=0)
        limit = np.log(self.clip)
        return np.exp(-np.clip(self.slope * raw + self.offset, -limit, limit))


def train_reweighter(
    mc: NDArray,
    generated: NDArray,
    *,
    settings: ReweightingSettings,
    seed: int,
    device: torch.device,
) -> tuple[Reweighter, pd.DataFrame]:
    """Learn weights of generated events from Monte Carlo events of the same process.

    Args:
        mc: Monte Carlo events, shape ``(n, features)``.
        generated: Generated events, shape ``(m, features)``.
        settings: Settings of the weights.
        seed: Seed of everything random.
        device: Where to train.

    Returns:
        The weights, and how well their calibration went: columns ``stage`` (raw or calibrated),
        ``predicted`` and ``observed`` share of generated events in a bin, the ``uncertainty``
        of the latter, and ``count``.
    """
    rng = np.random.default_rng(derive_seed(seed, "folds"))
    samples = (mc, generated)
    folds = [
        rng.permutation(np.arange(len(x)) % settings.folds)[first_alike(x)] for x in samples
    ]  # copies of an event share a fold, or their networks would know it
    networks, raw = [], [np.empty(len(x)) for x in samples]
    for fold in range(settings.folds):
        network, _ = train_classifier(
            *(x[part != fold] for x, part in zip(samples, folds, strict=True)),
            settings=settings.network,
            seed=derive_seed(seed, "network", str(fold)),
            device=device,
        )
        networks.append(network)
        for x, part, logits in zip(samples, folds, raw, strict=True):
            logits[part == fold] = network.logit(x[part == fold])
    slope, offset = calibrate(*raw)
    stages = {
        "raw": [expit(logits) for logits in raw],
        "calibrated": [expit(slope * logits + offset) for logits in raw],
    }
    table = pd.concat([reliability(*scores).assign(stage=name) for name, scores in stages.items()])
    return Reweighter(networks, slope, offset, settings.clip), table.reset_index(drop=True)


def calibrate(mc: NDArray, generated: NDArray) -> tuple[float, float]:
    """Return slope and offset that turn log odds into those of unseen events (Platt scaling).

    Both samples get the same total weight. Log odds that do not help, or mislead, get slope 0.

    Args:
        mc: Log odds of "generated" of unseen Monte Carlo events, shape ``(n,)``.
        generated: The same of generated events, shape ``(m,)``.

    References:
        Platt (1999), https://doi.org/10.7551/mitpress/1113.003.0008
    """
    labels = np.repeat([0, 1], [len(mc), len(generated)])
    fit = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-8)
    fit.fit(np.concatenate([mc, generated])[:, None], labels)
    slope = float(fit.coef_[0, 0])
    return (slope, float(fit.intercept_[0])) if slope > 0 else (0.0, 0.0)


def reliability(mc: NDArray, generated: NDArray) -> pd.DataFrame:
    """Compare predicted with observed shares of generated events, in bins of equal population.

    Args:
        mc: Predicted probability of "generated" of Monte Carlo events, shape ``(n,)``.
        generated: The same of generated events, shape ``(m,)``.

    Returns:
        Columns ``predicted``, ``observed``, ``uncertainty`` and ``count``; both samples count
        as if they were equally large.
    """
    p = np.concatenate([mc, generated])
    share = np.repeat([0.5 / len(mc), 0.5 / len(generated)], [len(mc), len(generated)])
    labels = np.repeat([0.0, 1.0], [len(mc), len(generated)])
    edges = np.unique(np.quantile(p, np.linspace(0, 1, CALIBRATION_BINS + 1)))
    bins = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, max(len(edges) - 2, 0))
    total = np.bincount(bins, share)
    observed = np.bincount(bins, share * labels) / total
    variance = np.bincount(bins, (share * (labels - observed[bins])) ** 2) / total**2
    return pd.DataFrame(
        {
            "predicted": np.bincount(bins, share * p) / total,
            "observed": observed,
            "uncertainty": np.sqrt(variance),
            "count": np.bincount(bins),
        }
    )


def effective_fraction(weights: NDArray) -> float:
    """Return Kish's effective number of events over the number of events."""
    return float(weights.sum() ** 2 / np.sum(weights**2) / len(weights))


def judge_reweighting(
    train: NDArray,
    test: NDArray,
    generated: NDArray,
    weights: NDArray,
    *,
    settings: Mapping[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Ask boosted trees what weights have gained.

    The trees know nothing of the networks behind the weights. They learn anew from weighted
    events and are tested with weights, so the second AUC is 0.5 only if weighting leaves no
    difference that they could find.

    Args:
        train: Monte Carlo events to train with, shape ``(n, features)``.
        test: Other Monte Carlo events to test with, shape ``(m, features)``.
        generated: Generated events; as many as ``train`` train, all others test.
        weights: Their weights, shape ``(n_generated,)``.
        settings: Settings of the trees.
        seed: Seed of the trees.

    Returns:
        ``auc_before`` and ``auc_after``, each with ``value``, ``uncertainty`` and number ``n`` of
        Monte Carlo test events, and ``effective_fraction`` (Kish) of the weights.

    Raises:
        ValueError: If there are too few generated events.
    """
    n = len(train)
    if len(generated) < n + 2:
        msg = (
            f"{len(generated)} generated events are too few to train with {n} and to test with"
            " others: enlarge histfactory.n_events.template"
        )
        raise ValueError(msg)
    found: dict[str, Any] = {}
    for name, w in (("auc_before", np.ones(len(weights))), ("auc_after", weights)):
        trees = train_trees(
            train, generated[:n], settings=TreeSettings(**settings), seed=seed, weights1=w[:n]
        )
        auc = area_under_curve(trees.logit(test), trees.logit(generated[n:]), weights=w[n:])
        found[name] = {"value": auc.value, "uncertainty": auc.uncertainty, "n": len(test)}
    return found | {"effective_fraction": effective_fraction(weights)}


def store(reweighter: Reweighter) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return the tensors and settings that :func:`restore` rebuilds the weights from."""
    tensors, settings = store_networks(reweighter.networks)
    numbers = {name: getattr(reweighter, name) for name in ("slope", "offset", "clip")}
    return tensors, settings | numbers


def restore(
    tensors: Mapping[str, torch.Tensor], settings: Mapping[str, Any], *, device: torch.device
) -> Reweighter:
    """Rebuild stored weights, ready to use on ``device``."""
    numbers = (settings[name] for name in ("slope", "offset", "clip"))
    return Reweighter(restore_networks(tensors, settings, device=device), *numbers)
