"""Run the classifier two-sample test with two independent witnesses."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from bumpflow.classifiers import (
    NetworkClassifier,
    NetworkSettings,
    TreeClassifier,
    TreeSettings,
    train_classifier,
    train_trees,
)
from bumpflow.evaluate.c2st import Verdict, judge, share_generated
from bumpflow.workflow import derive_seed


class Testimony(NamedTuple):
    """Outcome of a classifier two-sample test.

    Attributes:
        verdicts: What each witness says.
        ratios: Test events: ``label`` (1 generated), ``log_ratio_<witness>``, and the features.
        history: Losses of the network, one row per epoch.
        n_train: Monte Carlo and generated events in training.
        n_test: Monte Carlo and generated events in the test.
    """

    verdicts: dict[str, Verdict]
    ratios: pd.DataFrame
    history: pd.DataFrame
    n_train: tuple[int, int]
    n_test: tuple[int, int]

    def record(self) -> dict[str, Any]:
        """Return the content of ``c2st.json``."""
        counts = {"n_train": self.n_train, "n_test": self.n_test}
        return counts | {name: verdict._asdict() for name, verdict in self.verdicts.items()}


def hear_witnesses(
    train: NDArray,
    test: NDArray,
    generated: NDArray,
    *,
    features: list[str],
    settings: Mapping[str, Any],
    seed: int,
    device: torch.device,
) -> Testimony:
    """Train a network and boosted trees to tell generated events from Monte Carlo, and test them.

    Args:
        train: Monte Carlo events to train with, shape ``(n, n_features)``.
        test: Other Monte Carlo events to test with, shape ``(m, n_features)``.
        generated: Generated events, in any order; training and test get different ones.
        features: Names of the features.
        settings: The configuration block ``surrogates.c2st``.
        seed: Seed of everything random.
        device: Where to train the network.
    """
    rng = np.random.default_rng(derive_seed(seed, "witnesses"))
    shares = share_generated(
        len(generated),
        n_train=len(train),
        n_test=len(test),
        train_ratio=settings["train_ratio"],
        test_ratio=settings["test_ratio"],
    )
    chosen = rng.permutation(generated)[: sum(shares)]
    made, judged = np.split(chosen, [shares.n_train])
    network, history = train_classifier(
        train,
        made,
        settings=NetworkSettings.from_config(settings["resmlp"]),
        seed=derive_seed(seed, "resmlp"),
        device=device,
    )
    boosting = TreeSettings(**settings["trees"])
    trees = train_trees(train, made, settings=boosting, seed=derive_seed(seed, "trees"))
    ratios = pd.DataFrame(
        {"label": np.repeat(np.array([0, 1], dtype=np.int8), [len(test), len(judged)])}
    )
    witnesses: dict[str, NetworkClassifier | TreeClassifier]
    witnesses, verdicts = {"resmlp": network, "trees": trees}, {}
    for name, witness in witnesses.items():
        log_ratios = witness.logit(test), witness.logit(judged)
        verdicts[name] = judge(
            *log_ratios,
            confidence=settings["confidence"],
            n_permutations=settings["n_permutations"],
            rng=rng,
        )
        ratios[f"log_ratio_{name}"] = np.concatenate(log_ratios)
    ratios[features] = np.concatenate([test, judged])
    sizes = (len(train), len(made)), (len(test), len(judged))
    return Testimony(verdicts, ratios, history, *sizes)
