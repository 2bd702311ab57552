"""Sampled and evaluated densities agree, for every family."""

import math

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from bumpflow.flows.families import FAMILIES, build_flow

pytestmark = pytest.mark.physics

FEATURES = 3
N_EVENTS = 20_000
TAIL = 3.0
SMALL = {"hidden_features": 16}


def irregular(family):
    """Return a density far from normal, with its normalisations settled."""
    torch.manual_seed(7)
    flow = build_flow(family, FEATURES, 0, SMALL).train()
    flow.log_prob(torch.randn(2000, FEATURES))
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return flow.eval()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_classifier_cannot_tell_samples_from_the_weighted_reference(family):
    """Draws of the model against a heavy-tailed reference, weighted by the model's density."""
    flow = irregular(family)
    with torch.no_grad():
        drawn = flow.sample(N_EVENTS, generator=torch.Generator().manual_seed(1))
        student = torch.distributions.StudentT(TAIL, drawn.mean(0), 1.3 * drawn.std(0))
        reference = student.sample((N_EVENTS,))  # it covers the model's tails
        weights = (flow.log_prob(reference) - student.log_prob(reference).sum(1)).exp().numpy()
    x = np.concatenate([drawn.numpy(), reference.numpy()])
    y = np.repeat([0, 1], N_EVENTS)
    w = np.concatenate([np.ones(N_EVENTS), weights])
    assert weights.mean() == pytest.approx(1, abs=5 * weights.std() / np.sqrt(N_EVENTS))

    train = np.arange(len(x)) % 2 == 0
    trees = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    trees.fit(x[train], y[train], sample_weight=w[train])
    score = trees.predict_proba(x[~train])[:, 1]
    auc = roc_auc_score(y[~train], score, sample_weight=w[~train])
    effective = weights.sum() ** 2 / (weights**2).sum() / 2
    sigma = math.sqrt((2 / N_EVENTS + 1 / effective) / 12)
    assert auc == pytest.approx(0.5, abs=4 * sigma)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_classifier_tells_a_wrong_density(family):
    """The same test fails for draws that are 25 % too wide: it can fail."""
    flow = irregular(family)
    with torch.no_grad():
        drawn = flow.sample(N_EVENTS, generator=torch.Generator().manual_seed(1)).numpy()
    wrong = (drawn - drawn.mean(0)) * 1.25 + drawn.mean(0)
    x, y = np.concatenate([drawn, wrong]), np.repeat([0, 1], N_EVENTS)
    train = np.arange(len(x)) % 2 == 0
    trees = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(x[train], y[train])
    auc = roc_auc_score(y[~train], trees.predict_proba(x[~train])[:, 1])
    assert auc > 0.5 + 4 * math.sqrt(4 / N_EVENTS / 12)
