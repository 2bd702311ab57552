"""Pseudo-experiments in a world whose truth is known: the surrogate in use is the truth.

Events can be drawn from a surrogate at will. Surrogates that were trained again on events drawn
from it, as many as there are Monte Carlo events (``replicas``), are to it what it is to nature, and
their templates can be compared with the exact one. Templates thus really vary from one
pseudo-experiment to the next, as the likelihood's nuisances claim. All are normalised to the
cross-section, whatever the analysis itself does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.search.arms import (
    ARMS,
    Histogram,
    Ingredients,
    collect,
    pick,
    statistical_uncertainty,
    yields_of,
)
from bumpflow.stats.fit import fit
from bumpflow.stats.model import BinnedModel, Observations, observe, without_nuisances
from bumpflow.stats.toys import Measured, fit_toys, summarise_toys
from bumpflow.stats.workspace import Statistics
from bumpflow.workflow import derive_seed

MU = 1.0
"""Strength of the signal in pseudo-experiments."""
TRUTH = "surrogate"


class ToyStudy(NamedTuple):
    """Outcome of pseudo-experiments.

    Attributes:
        summary: One row per arm, and one for Monte Carlo with the other treatment of its
            statistics (``mcpoisson`` or ``mcstaterror``): ``pull_mean``, ``pull_width``, ``coverage68``, ``coverage95``,
            ``bias_over_sigma`` and ``bias_rms``, each with its ``_uncertainty``; ``n_toys``,
            ``n_failed``.
        pulls: One row per pseudo-experiment: ``arm``, ``group``, ``pull``, ``distance``.
    """

    summary: pd.DataFrame
    pulls: pd.DataFrame


class World(NamedTuple):
    """The truth and how much of it is observed.

    Attributes:
        background: True background, as shares of all events.
        signal: True signal, likewise.
        b: Background events before the cut.
        s: Signal events before the cut at signal strength 1.
        n_signal: Events behind the signal template.
        systematic: Relative uncertainty of each background bin.
        mc_statistics: How the sizes of the samples enter the likelihood.
    """

    background: NDArray
    signal: NDArray
    b: float
    s: float
    n_signal: float
    systematic: float
    mc_statistics: Statistics


def run_toys(
    templates: pd.DataFrame,
    *,
    bootstraps: Sequence[pd.DataFrame],
    replicas: Sequence[pd.DataFrame],
    observable: str,
    settings: Mapping[str, Any],
    seed: int,
) -> ToyStudy:
    """Measure pulls, coverage and bias of every arm.

    Args:
        templates: Content of ``templates.parquet``.
        bootstraps: The same of surrogates trained on bootstraps of the real events; they make
            the nuisances, as in the analysis itself.
        replicas: The same of surrogates trained on events from the truth; each serves equally
            many pseudo-experiments.
        observable: Name of the observable.
        settings: The configuration block ``histfactory``.
        seed: Seed of the pseudo-experiments.
    """
    rows, pulls = [], []
    for arm, treatment in _treatments(settings["mc_statistics"]).items():
        sample = ARMS[arm.removesuffix(treatment)].sample
        parts = collect(
            templates,
            bootstraps,
            arm.removesuffix(treatment),
            observable,
            normalisation="crosssection",
            max_variations=settings["ensemble"]["max_variations"],
        )
        world = _world(templates, parts, observable, settings, treatment)
        rng = np.random.default_rng(derive_seed(seed, arm))
        n_toys = settings["toys"]["n_toys"]
        if sample == "mc":
            groups = np.arange(n_toys)
            background = _finite(world.background, parts.background.n_effective, n_toys, rng)
        else:
            own = [pick(replica, sample, observable) for replica in replicas]
            groups = np.arange(n_toys) % len(own)
            background = Histogram(
                *(np.array([getattr(one, name) for one in own])[groups] for name in own[0]._fields)
            )
        usable = (background.values > 0).all(axis=1)
        background = Histogram(*(part[usable] for part in background))
        row, found = _run_arm(world, background, parts.variations, groups[usable], rng)
        row["n_failed"] += int(np.count_nonzero(~usable))
        rows.append({"arm": arm} | row)
        pulls.append(found.assign(arm=arm))
    return ToyStudy(pd.DataFrame(rows), pd.concat(pulls, ignore_index=True))


def _treatments(chosen: Statistics) -> dict[str, Statistics]:
    """Return all arms with the chosen treatment of statistics, and Monte Carlo with the other."""
    other: Statistics = "poisson" if chosen == "staterror" else "staterror"
    return dict.fromkeys(ARMS, chosen) | {f"mc{other}": other}


def _world(
    templates: pd.DataFrame,
    parts: Ingredients,
    observable: str,
    settings: Mapping[str, Any],
    mc_statistics: Statistics,
) -> World:
    """Return the truth: the surrogate's template, and all Monte Carlo signal."""
    yields = yields_of(settings)
    both = [parts.signal, parts.injected]
    sizes = np.array([one.n_effective for one in both])
    signal = np.average([one.values for one in both], axis=0, weights=sizes)
    luminosity = settings["luminosity_fb"]
    return World(
        background=pick(templates, TRUTH, observable).values,
        signal=signal,
        b=float(yields.background(luminosity)),
        s=float(yields.signal(luminosity)),
        n_signal=parts.signal.n_effective,
        systematic=settings["systematic"],
        mc_statistics=mc_statistics,
    )


def _finite(truth: NDArray, n: float, n_toys: int, rng: np.random.Generator) -> Histogram:
    """Return templates, shape ``(n_toys, n_bins)``, as ``n`` unweighted events give them."""
    counts = rng.poisson(n * truth, size=(n_toys, len(truth)))
    return Histogram(counts / n, counts / n**2)


def _run_arm(
    world: World,
    background: Histogram,
    variations: NDArray,
    groups: NDArray,
    rng: np.random.Generator,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the summary and the pulls of pseudo-experiments with given background templates."""
    n_toys = len(groups)
    signal = _finite(world.signal, world.n_signal, n_toys, rng)
    model = _models(world, background, signal, variations)
    expected = world.b * world.background + MU * world.s * world.signal
    counts = rng.poisson(expected, size=(n_toys, len(expected))).astype(float)
    tau = world.systematic**-2
    shape = rng.poisson(tau, size=counts.shape) / tau  # its own measurement varies in each toy
    nominal = observe(model, counts)
    toys = fit_toys(model, Observations(counts, shape, *nominal[2:]), mu=MU)
    summary = summarise_toys(toys, groups=groups)
    row: dict[str, Any] = {"n_toys": summary.n_toys, "n_failed": summary.n_failed}
    measured = {name: getattr(summary, name) for name in summary._fields[:4]}
    measured |= _bias(world, background, signal, variations, groups)
    for name, number in measured.items():
        row |= {name: number.value, f"{name}_uncertainty": number.uncertainty}
    pulls = pd.DataFrame({"group": groups, "pull": toys.pull, "distance": toys.distance})
    return row, pulls


def _models(
    world: World, background: Histogram, signal: Histogram, variations: NDArray
) -> BinnedModel:
    """Return one model per pair of templates."""
    b, s = background.scaled(world.b), signal.scaled(world.s)
    return BinnedModel.build(
        s.values,
        b.values,
        shape=np.full_like(b.values, world.systematic),
        stat=statistical_uncertainty(s, b, world.mc_statistics),
        variations=world.b * variations,
        poisson=world.mc_statistics == "poisson",
    )


def _bias(
    world: World,
    background: Histogram,
    signal: Histogram,
    variations: NDArray,
    groups: NDArray,
) -> dict[str, Measured]:
    """Return mean and spread of the spurious signal over its statistical uncertainty.

    Data are exactly what the truth expects without signal, so all that is fitted comes from the
    background template.
    """
    first = np.unique(groups, return_index=True)[1]
    model = _models(
        world,
        Histogram(*(part[first] for part in background)),
        Histogram(*(part[first] for part in signal)),
        variations,
    )
    data = observe(model, world.b * world.background)
    bare = without_nuisances(model)
    sigma = fit(bare, observe(bare, world.b * world.background)).uncertainty
    ratio = fit(model, data).mu / sigma
    ratio = ratio[np.isfinite(ratio)]
    n, mean_square = len(ratio), float(np.mean(ratio**2))
    rms = float(np.sqrt(mean_square))
    error = float(np.std(ratio**2, ddof=1) / np.sqrt(n) / (2 * rms))
    return {
        "bias_over_sigma": Measured(float(ratio.mean()), float(ratio.std(ddof=1) / np.sqrt(n))),
        "bias_rms": Measured(rms, error),
    }
