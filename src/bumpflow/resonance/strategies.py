"""What else one could do with the same data: fits of the mass, of a classifier's score or ratio.

References:
    Amram, Szewc (2025), https://arxiv.org/abs/2506.06438, section 4.5
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from bumpflow.classifiers import NetworkClassifier, NetworkSettings, train_classifier
from bumpflow.resonance.background_fits import mass_data
from bumpflow.resonance.events import LABEL
from bumpflow.resonance.likelihood import DataSets, Events, ResonanceModel, Sidebands
from bumpflow.resonance.methods import Result, measure
from bumpflow.resonance.shapes import BackgroundShape, MassModel, Window
from bumpflow.resonance.store import COMPONENT, FIT, ROLE
from bumpflow.workflow import derive_seed

N_BINS = 50
"""Bins of the fitted score, as in the paper."""
Binning = Literal["uniform", "quantiles"]


class Sample(NamedTuple):
    """Events of one kind: features ``(n, features)`` and masses [GeV], ``(n,)``."""

    x: NDArray
    mass: NDArray

    def inside(self, region: Window) -> "Sample":
        """Return the events of a region."""
        return self.rows(region.holds(self.mass))

    def rows(self, rows: NDArray) -> "Sample":
        """Return some events."""
        return Sample(self.x[rows], self.mass[rows])

    @property
    def with_mass(self) -> NDArray:
        """Features and mass, shape ``(n, features + 1)``."""
        return np.column_stack([self.x, self.mass])

    def halves(self, rng: np.random.Generator) -> tuple["Sample", "Sample"]:
        """Return two random halves."""
        order = rng.permutation(len(self.mass))
        middle = len(order) // 2
        return self.rows(order[:middle]), self.rows(order[middle:])


def sample_of(table: pd.DataFrame, *, features: Sequence[str], mass: str) -> Sample:
    """Return the events of a table."""
    return Sample(table[list(features)].to_numpy(float), table[mass].to_numpy(float))


def simulated_samples(
    events: pd.DataFrame, *, features: Sequence[str], mass: str
) -> tuple[Sample, Sample]:
    """Return background and signal that no data set holds, whose labels are known.

    Raises:
        ValueError: If the background has no labels, as data have none.
    """
    data = events[(events[COMPONENT] == "data") & (events[ROLE] != FIT)]
    background = data[data[LABEL] == 0]
    if background.empty:
        msg = (
            "classifiers need simulated background, but the measurement has data only: leave"
            " out hisigma.strategies"
        )
        raise ValueError(msg)
    signal = events[events[COMPONENT] == "signal"]
    samples = [sample_of(part, features=features, mass=mass) for part in (background, signal)]
    return samples[0], samples[1]


class Classifiers(NamedTuple):
    """Networks that tell signal from background, and events that neither was trained on.

    Attributes:
        features: Sees features only, so that a cut on it does not shape the mass.
        full: Sees features and mass, in the signal region.
        background: Background events that measure what a score selects.
        signal: Signal events likewise.
    """

    features: NetworkClassifier
    full: NetworkClassifier
    background: Sample
    signal: Sample


def train_classifiers(
    background: Sample,
    signal: Sample,
    *,
    signal_region: Window,
    settings: NetworkSettings,
    seed: int,
    device: torch.device,
) -> Classifiers:
    """Train both classifiers on one half of the events; the other is for templates.

    Args:
        background: Simulated background in the whole window.
        signal: Simulated signal.
        signal_region: Where networks are trained.
        settings: Settings of the networks.
        seed: Seed of the halves and the trainings.
        device: Where to train.
    """
    rng = np.random.default_rng(derive_seed(seed, "halves"))
    (b_train, b_rest), (s_train, s_rest) = background.halves(rng), signal.halves(rng)
    b, s = (part.inside(signal_region) for part in (b_train, s_train))
    networks = [
        train_classifier(x0, x1, settings=settings, seed=derive_seed(seed, name), device=device)[0]
        for name, x0, x1 in (("features", b.x, s.x), ("full", b.with_mass, s.with_mass))
    ]
    return Classifiers(networks[0], networks[1], b_rest, s_rest)


def best_cut(classifiers: Classifiers, signal_region: Window) -> float:
    r"""Return the lowest logit of events to keep, where :math:`S/\sqrt B` is largest.

    Cuts that keep less than a twentieth of the signal are not tried, nor are those that keep fewer
    than 20 background events.
    """
    scores = [
        np.sort(classifiers.features.logit(part.inside(signal_region).x))
        for part in (classifiers.background, classifiers.signal)
    ]
    cuts = np.quantile(scores[1], np.linspace(0, 0.95, 200))
    b, s = (len(values) - np.searchsorted(values, cuts) for values in scores)
    worth = np.where(b >= 20, s / np.sqrt(np.maximum(b, 1)), 0.0)
    return float(cuts[np.argmax(worth)])


def fit_mass(data: Sample, masses: MassModel) -> Result:
    """Fit the mass alone.

    Args:
        data: Data in the whole window.
        masses: Shapes of signal and background.
    """
    sets = mass_data(data.mass[None], masses.peak, masses.window)
    return measure(ResonanceModel(masses.background), sets)[0]


def fit_after_cut(data: Sample, classifiers: Classifiers, masses: MassModel) -> Result:
    """Keep what looks like signal, fit its mass, and divide by the efficiency of the cut."""
    cut = best_cut(classifiers, masses.signal_region)
    kept = data.rows(classifiers.features.logit(data.x) >= cut)
    efficiency = float(np.mean(classifiers.features.logit(classifiers.signal.x) >= cut))
    found = fit_mass(kept, masses)
    return _scaled(found, 1 / efficiency)


def fit_score(
    data: Sample, classifiers: Classifiers, signal_region: Window, *, binning: Binning
) -> Result:
    """Fit the binned score of the signal region with two templates, whose shapes are known.

    Args:
        data: Data in the whole window.
        classifiers: Networks and events for templates.
        signal_region: Where the score is fitted.
        binning: ``uniform`` in the score, from 0 to 1, as published; or ``quantiles``, bins with
            equal parts of the signal, which lose less where signal is rarest.
    """
    parts = (data, classifiers.background, classifiers.signal)
    scores = [classifiers.full.score(part.inside(signal_region).with_mass) for part in parts]
    shares = np.linspace(0, 1, N_BINS + 1)
    edges = shares if binning == "uniform" else np.quantile(scores[2], shares)
    edges[[0, -1]] = -np.inf, np.inf
    counts, background, signal = (np.histogram(score, edges)[0] for score in scores)
    background = np.maximum(background, 0.5)  # a template's empty bin is no impossible one
    ratio = (signal / signal.sum()) / (background / background.sum())
    found = _fit_ratio(ratio, counts.astype(float))
    return _scaled(found, 1 / _share(classifiers.signal, signal_region))


def score_table(data: Sample, classifiers: Classifiers, masses: MassModel) -> pd.DataFrame:
    """Return scores and masses of data, simulated background and signal, column ``kind``.

    ``score`` is that of features and mass, in the signal region, NaN elsewhere; ``kept`` whether
    an event passes the cut on features.
    """
    cut = best_cut(classifiers, masses.signal_region)
    tables = []
    for kind, sample in (
        ("data", data),
        ("background", classifiers.background),
        ("signal", classifiers.signal),
    ):
        inside = masses.signal_region.holds(sample.mass)
        score = np.where(inside, classifiers.full.score(sample.with_mass), np.nan)
        kept = classifiers.features.logit(sample.x) >= cut
        columns = {"kind": kind, "mass": sample.mass, "score": score, "kept": kept}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def fit_classifier_ratio(data: Sample, classifiers: Classifiers, signal_region: Window) -> Result:
    """Fit the signal region unbinned, with the classifier's odds as ratio of densities."""
    logit = classifiers.full.logit(data.inside(signal_region).with_mass)
    found = _fit_ratio(np.exp(np.clip(logit, -30, 30)), np.ones(len(logit)))
    return _scaled(found, 1 / _share(classifiers.signal, signal_region))


def compare_strategies(
    data: Sample, classifiers: Classifiers, masses: MassModel
) -> dict[str, Result]:
    """Return what each strategy says of the signal in one data set, by its name."""
    region = masses.signal_region
    return {
        "mass_only": fit_mass(data, masses),
        "cut_and_fit": fit_after_cut(data, classifiers, masses),
        "binned_dnn": fit_score(data, classifiers, region, binning="uniform"),
        "binned_dnn_quantiles": fit_score(data, classifiers, region, binning="quantiles"),
        "classifier_ratio": fit_classifier_ratio(data, classifiers, region),
    }


def _share(signal: Sample, region: Window) -> float:
    return float(np.mean(region.holds(signal.mass)))


def _scaled(result: Result, factor: float) -> Result:
    return Result(*(float(factor * value) for value in result))


def _fit_ratio(ratio: NDArray, weight: NDArray) -> Result:
    """Fit the yields of two components whose ratio of densities is known for each event or bin."""
    unit = Window(0.0, 1.0)
    events = _plain(np.full(len(ratio), 0.5), ratio)
    none = torch.zeros(1, 0, dtype=torch.float64)
    sets = DataSets.of(
        events,
        torch.as_tensor(weight)[None],
        Sidebands(none, none, none, none[..., None][..., :0]),
    )
    return measure(ResonanceModel(BackgroundShape("exponential", 0, unit)), sets)[0]


def _plain(mass: NDArray, signal: NDArray) -> Events:
    """Return one data set's events without nuisances."""
    m = torch.as_tensor(mass, dtype=torch.float64)[None]
    empty = m.new_zeros(*m.shape, 0)
    varied = m.new_zeros(*m.shape, 2, 0)
    return Events(m, torch.as_tensor(signal)[None], empty, varied, varied, empty)
