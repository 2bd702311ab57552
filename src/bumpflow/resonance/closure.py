"""Does the background's density hold where it was not trained, and the fit where it was made?

References:
    Amram, Szewc (2025), https://arxiv.org/abs/2506.06438, sections 4.2 and 4.6
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp, norm
from torch import Generator, Tensor

from bumpflow.classifiers import TreeSettings, train_trees
from bumpflow.evaluate.c2st import Auc, area_under_curve
from bumpflow.flows.density import EventDensity
from bumpflow.resonance.pools import Kind, draw_component, draw_features, mass_density
from bumpflow.resonance.scoring import score
from bumpflow.resonance.shapes import Window
from bumpflow.resonance.store import Measurement, tensors_of
from bumpflow.resonance.toys import share_of
from bumpflow.workflow import derive_seed

RARE = 0.01
"""Part of the background that is as signal-like as what is looked at by itself."""


def two_sample_test(
    observed: NDArray, expected: NDArray, *, settings: TreeSettings, seed: int
) -> Auc:
    """Return the AUC of boosted trees that tell two samples apart, on events they have not seen.

    Args:
        observed: Events, shape ``(n, columns)``.
        expected: Events, shape ``(m, columns)``.
        settings: Settings of the trees.
        seed: Seed of the halves and of the trees.
    """
    rng = np.random.default_rng(derive_seed(seed, "halves"))
    parts = [np.array_split(x[rng.permutation(len(x))], 2) for x in (observed, expected)]
    (train0, test0), (train1, test1) = parts
    trees = train_trees(train0, train1, settings=settings, seed=seed)
    return area_under_curve(trees.score(test0), trees.score(test1))


def closure_rows(
    name: str,
    observed: tuple[Tensor, Tensor],
    densities: Sequence[EventDensity],
    *,
    settings: TreeSettings,
    seed: int,
    copies: int = 4,
) -> dict[str, Any]:
    """Compare background in a region with what densities say of it at the same masses.

    Args:
        name: Region.
        observed: Features and masses of background events there.
        densities: Bootstraps of the background's density.
        settings: Settings of the trees.
        seed: Seed of everything random.
        copies: Generated events per observed one.
    """
    x, mass = observed
    generator = Generator(x.device).manual_seed(derive_seed(seed, "draws"))
    repeated = mass.repeat(copies)
    generated = draw_features(densities, repeated, generator)
    with_mass = [
        torch.cat([features, m[:, None]], dim=1).cpu().numpy()
        for features, m in ((x, mass), (generated, repeated))
    ]
    auc = two_sample_test(*with_mass, settings=settings, seed=seed)
    return {"region": name, "n": len(x), **auc._asdict()}


def check_closure(
    events: pd.DataFrame,
    backgrounds: Sequence[EventDensity],
    edges: Sequence[EventDensity],
    *,
    mass: str,
    signal_region: Window,
    edge_gev: float,
    settings: TreeSettings,
    seed: int,
) -> pd.DataFrame:
    """Test the background's density where it is interpolated to.

    Args:
        events: Background events that no density was trained on; regions without any are left out.
        backgrounds: Densities that were trained on both sidebands.
        edges: Densities that were trained without the sidebands' inner edges; with none, only the
            signal region is tested.
        mass: Column of the resonance variable.
        signal_region: Range between the sidebands.
        edge_gev: Width of the edges [GeV].
        settings: Settings of the trees.
        seed: Seed of everything random.

    Returns:
        One row per region, ``signal_region``, ``lower_edge`` and ``upper_edge``: number of events,
        AUC of boosted trees with its error and interval.
    """
    regions = {
        "signal_region": (signal_region, backgrounds),
        "lower_edge": (Window(signal_region.low - edge_gev, signal_region.low), edges),
        "upper_edge": (Window(signal_region.high, signal_region.high + edge_gev), edges),
    }
    features = list(backgrounds[0].settings.features)
    rows = []
    for name, (region, densities) in regions.items():
        inside = events[region.holds(events[mass].to_numpy())]
        if inside.empty or not densities:  # data may hold signal in the signal region
            continue
        device = densities[0].lower.device
        observed = tensors_of(inside, features, mass, device)
        own = derive_seed(seed, name)
        rows.append(closure_rows(name, observed, densities, settings=settings, seed=own))
    return pd.DataFrame(rows)


def model_events(
    measurement: Measurement, values: dict[str, float], *, n: int, seed: int
) -> pd.DataFrame:
    """Draw events from the fitted model in the signal region.

    Args:
        measurement: Densities and shapes.
        values: Fitted parameters by name.
        n: Events of each component.
        seed: Seed of the draws.

    Returns:
        Features, ``mass`` [GeV], ``component`` and ``weight``, such that sums of weights are the
        fitted yields in the signal region.
    """
    device = measurement.densities.signal.density.lower.device
    generator = Generator(device).manual_seed(seed)
    order = measurement.masses.background.order
    theta = [values[f"shape{index + 1}"] for index in range(order)]
    kinds: tuple[Kind, ...] = ("background", "signal")
    tables = []
    for kind in kinds:
        x, mass = draw_component(measurement, kind, n, theta=theta, generator=generator)
        table = pd.DataFrame(x.cpu().numpy(), columns=list(measurement.densities.features))
        share = share_of(mass_density(measurement, kind, theta), measurement.masses.signal_region)
        masses = mass.cpu().numpy()
        tables.append(table.assign(mass=masses, component=kind, weight=values[kind] * share / n))
    return pd.concat(tables, ignore_index=True)


def signal_like(
    events: pd.DataFrame, measurement: Measurement, *, mass: str
) -> NDArray[np.float64]:
    """Return the signal density over the background's of events in the signal region."""
    densities = measurement.densities
    device = densities.signal.density.lower.device
    x, m = tensors_of(events, densities.features, mass, device)
    return score(x, m, densities).signal.cpu().numpy()


def signal_like_cut(model: pd.DataFrame) -> float:
    """Return the ratio of densities that a hundredth of the fitted background exceeds.

    Args:
        model: Events of the fitted model: ``component`` and ``ratio``.
    """
    background = model[model["component"] == "background"]
    return float(background["ratio"].quantile(1 - RARE))


def goodness_table(
    data: pd.DataFrame,
    model: pd.DataFrame,
    features: Sequence[str],
    *,
    settings: TreeSettings,
    seed: int,
) -> pd.DataFrame:
    """Test the fitted model in the signal region, and where signal is most likely.

    Args:
        data: Data in the signal region: features, ``mass`` and ``ratio`` of signal to background.
        model: Events of the fitted model with the same columns and ``weight``.
        features: Names of the features.
        settings: Settings of the trees.
        seed: Seed of everything random.

    Returns:
        Rows by ``region`` (``signal_region``, and ``signal_like``, where the ratio is that of a
        hundredth of the background) and ``test``: a feature or the mass, with the
        Kolmogorov-Smirnov p-value, or ``c2st``, with the AUC of boosted trees, its error, and
        the p-value that it is 1/2; ``n`` data and ``expected`` events.
    """
    rng = np.random.default_rng(derive_seed(seed, "thinning"))
    share = model["weight"] / model["weight"].max()
    drawn = model[rng.random(len(model)) < share]
    threshold = signal_like_cut(model)
    columns = [*features, "mass"]
    rows = []
    for region, low in (("signal_region", -np.inf), ("signal_like", threshold)):
        observed, expected = (part[part["ratio"] >= low] for part in (data, drawn))
        weight = float(model.loc[model["ratio"] >= low, "weight"].sum())
        counts = {"region": region, "n": len(observed), "expected": weight}
        for name in columns:
            p = ks_2samp(observed[name], expected[name]).pvalue
            rows.append({**counts, "test": name, "p": float(p)})
        auc = two_sample_test(
            observed[columns].to_numpy(),
            expected[columns].to_numpy(),
            settings=settings,
            seed=seed,
        )
        p = 2 * norm.sf(abs(auc.value - 0.5) / auc.uncertainty)
        found = {"test": "c2st", "p": float(p), "auc": auc.value, "auc_error": auc.uncertainty}
        rows.append({**counts, **found})
    return pd.DataFrame(rows)
