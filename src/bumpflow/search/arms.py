"""Background templates to compare, and the likelihoods that they make.

Templates are stored as shares of all events before the cut; this module turns them into expected
yields and into likelihoods, the same way for every background template ("arm") that is compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.stats.model import BinnedModel, check_template
from bumpflow.stats.templates import LARGEST, bin_edges, count_sample, training_variations
from bumpflow.stats.workspace import Statistics, build_workspace

Normalisation = Literal["crosssection", "selected"]


class Arm(NamedTuple):
    """A background template and what its likelihood allows for.

    Attributes:
        sample: Sample that the template comes from.
        nuisance: Whether the surrogate's training uncertainty is a nuisance.
    """

    sample: str
    nuisance: bool


ARMS = {
    "mc": Arm("mc", nuisance=False),
    "surrogate": Arm("surrogate", nuisance=False),
    "reweighted": Arm("reweighted", nuisance=False),
    "surrogatenuisance": Arm("surrogate", nuisance=True),
    "reweightednuisance": Arm("reweighted", nuisance=True),
}


WEIGHTED = "reweighted"
"""The one sample whose events count with their weights."""


class Counted(NamedTuple):
    """Templates of several samples in one table, and the cut's efficiency on each."""

    templates: pd.DataFrame
    efficiencies: dict[str, dict[str, Any]]


class Histogram(NamedTuple):
    """Values and variances per bin, shape ``(n_bins,)`` each."""

    values: NDArray
    variances: NDArray

    def scaled(self, factor: float) -> "Histogram":
        """Return the histogram of ``factor`` times as many events, known no better."""
        return Histogram(self.values * factor, self.variances * factor**2)

    @property
    def n_effective(self) -> float:
        """Number of unweighted events with the same relative uncertainty."""
        return float(self.values.sum() / self.variances.sum())


class Ingredients(NamedTuple):
    """What the likelihood of one arm and observable is made of, as shares of all events.

    Attributes:
        signal: Signal template.
        background: Background template.
        variations: Changes of the background at one standard deviation of each nuisance of the
            surrogate's training, shape ``(n_variations, n_bins)``.
        data: Independent Monte Carlo background that plays the data.
        injected: Independent Monte Carlo signal that plays signal in the data.
    """

    signal: Histogram
    background: Histogram
    variations: NDArray
    data: Histogram
    injected: Histogram


class Yields(NamedTuple):
    """How shares become expected numbers of events.

    Attributes:
        crosssection_fb: Cross-section of the background before the cut [fb].
        signal_fraction: Signal at signal strength 1, per background event before the cut.
    """

    crosssection_fb: float
    signal_fraction: float

    def background(self, luminosity_fb: NDArray | float) -> Any:  # noqa: ANN401
        """Return background events before the cut; luminosity in [1/fb], any shape."""
        return self.crosssection_fb * np.asarray(luminosity_fb)

    def signal(self, luminosity_fb: NDArray | float) -> Any:  # noqa: ANN401
        """Return signal events before the cut at signal strength 1, likewise."""
        return self.signal_fraction * self.background(luminosity_fb)


def count_samples(
    samples: Mapping[str, Iterable[pd.DataFrame]],
    *,
    observables: Mapping[str, Mapping[str, Any]],
    cut: float,
    sizes: Sequence[int] = (),
) -> Counted:
    """Count the selected events of some samples in bins of the observables.

    Args:
        samples: Scored events of each sample, piece by piece.
        observables: The configuration block of the same name.
        cut: Lowest score of selected events.
        sizes: Sizes at which generated samples are counted, too; others are counted whole.
    """
    columns = {name: (block["column"], bin_edges(block)) for name, block in observables.items()}
    tables, efficiencies = [], {}
    for name, pieces in samples.items():
        weighted = pieces if name == WEIGHTED else (piece.assign(weight=1.0) for piece in pieces)
        generated = name in {arm.sample for arm in ARMS.values()} - {"mc"}
        found = count_sample(
            weighted, observables=columns, cut=cut, sizes=sizes if generated else ()
        )
        tables.append(found.templates.assign(sample=name))
        efficiencies[name] = found.efficiency._asdict()
    return Counted(pd.concat(tables, ignore_index=True), efficiencies)


def pick(
    templates: pd.DataFrame, sample: str, observable: str, *, n_generated: int | None = None
) -> Histogram:
    """Return one template of a table.

    Args:
        templates: Content of ``templates.parquet``.
        sample: Name of the sample.
        observable: Name of the observable.
        n_generated: Events behind it; by default the most there are.

    Raises:
        ValueError: If there is none.
    """
    rows = templates[(templates["sample"] == sample) & (templates["observable"] == observable)]
    n = rows[LARGEST].max() if n_generated is None else n_generated
    rows = rows[rows[LARGEST] == n].sort_values("bin")
    if rows.empty:
        msg = f"there is no template of {sample!r} in {observable!r} from {n_generated} events"
        raise ValueError(msg)
    return Histogram(rows["value"].to_numpy(), rows["variance"].to_numpy())


def collect(
    templates: pd.DataFrame,
    members: Sequence[pd.DataFrame],
    arm: str,
    observable: str,
    *,
    normalisation: Normalisation,
    max_variations: int,
    n_generated: int | None = None,
) -> Ingredients:
    """Return what the likelihood of one arm is made of.

    Args:
        templates: Content of ``templates.parquet``.
        members: The same of surrogates that were trained again on bootstraps of the events.
        arm: Name of the arm.
        observable: Name of the observable.
        normalisation: ``crosssection`` leaves the efficiency of the cut to each sample;
            ``selected`` gives surrogates as many events in the fitted range as Monte Carlo has.
        max_variations: Nuisances of the training at most.
        n_generated: Generated events behind the background template; by default all.

    Raises:
        ValueError: If a background bin is empty; it is named.
    """
    sample, nuisance = ARMS[arm]
    mc = pick(templates, "mc", observable)
    size = None if sample == "mc" else n_generated
    background = pick(templates, sample, observable, n_generated=size)
    check_template(background.values, f"background ({arm}, {observable})", positive=True)
    variations = np.zeros((0, len(background.values)))
    if nuisance:
        central = pick(templates, sample, observable)
        others = [pick(member, sample, observable) for member in members]
        noise = central.variances + np.mean([other.variances for other in others], axis=0)
        variations = training_variations(
            np.array([other.values for other in others]),
            central.values,
            noise=noise,
            max_variations=max_variations,
        )
    if normalisation == "selected" and sample != "mc":
        factor = mc.values.sum() / background.values.sum()
        background, variations = background.scaled(factor), variations * factor
    return Ingredients(
        pick(templates, "signal", observable),
        background,
        variations,
        pick(templates, "data", observable),
        pick(templates, "injected", observable),
    )


def build_model(
    parts: Ingredients,
    yields: Yields,
    *,
    luminosity_fb: NDArray,
    systematic: NDArray,
    mc_statistics: Statistics = "staterror",
) -> BinnedModel:
    """Return the likelihoods of one arm at some luminosities.

    Args:
        parts: What they are made of.
        yields: How shares become events.
        luminosity_fb: Integrated luminosities [1/fb], shape ``(n_models,)``.
        systematic: Relative uncertainty of each background bin, shape ``(n_models,)``.
        mc_statistics: How the sizes of the samples enter, see :func:`build_workspace`.
    """
    luminosity = np.asarray(luminosity_fb, float)[:, None]
    b, s = yields.background(luminosity), yields.signal(luminosity)
    background = Histogram(b * parts.background.values, b**2 * parts.background.variances)
    signal = Histogram(s * parts.signal.values, s**2 * parts.signal.variances)
    return BinnedModel.build(
        signal.values,
        background.values,
        shape=np.asarray(systematic, float)[:, None] * np.ones_like(background.values),
        stat=statistical_uncertainty(signal, background, mc_statistics),
        variations=b[:, :, None] * parts.variations,
        poisson=mc_statistics == "poisson",
    )


def statistical_uncertainty(
    signal: Histogram, background: Histogram, mc_statistics: Statistics
) -> NDArray:
    """Return the relative uncertainty of each bin from the sizes of the samples.

    Args:
        signal: Signal at signal strength 1 [events], shape ``(..., n_bins)``.
        background: Background [events], likewise.
        mc_statistics: ``staterror`` for the sum of both, ``poisson`` for the background alone.
    """
    if mc_statistics == "poisson":
        return np.sqrt(background.variances) / background.values
    variances = signal.variances + background.variances
    return np.sqrt(variances) / (signal.values + background.values)


def asimov_counts(
    parts: Ingredients, yields: Yields, *, luminosity_fb: NDArray, mu: float
) -> tuple[NDArray, NDArray]:
    """Return data as independent Monte Carlo expects them, and their variances.

    Args:
        parts: What the likelihood is made of; its templates play no part.
        yields: How shares become events.
        luminosity_fb: Integrated luminosities [1/fb], shape ``(n_models,)``.
        mu: Strength of the signal in the data.

    Returns:
        Counts, and their variances from the finite Monte Carlo alone [events, events squared],
        shape ``(n_models, n_bins)`` each.
    """
    luminosity = np.asarray(luminosity_fb, float)[:, None]
    b, s = yields.background(luminosity), mu * yields.signal(luminosity)
    counts = b * parts.data.values + s * parts.injected.values
    return counts, b**2 * parts.data.variances + s**2 * parts.injected.variances


def yields_of(settings: Mapping[str, Any]) -> Yields:
    """Return how the configuration block ``histfactory`` turns shares into events."""
    return Yields(settings["crosssection_fb"], settings["signal_fraction"])


def build_workspaces(
    parts: Ingredients, settings: Mapping[str, Any], *, mu: float
) -> dict[str, Any]:
    """Return the workspace of one arm at the reference luminosity and systematic.

    Args:
        parts: What its likelihood is made of.
        settings: The configuration block ``histfactory``.
        mu: Strength of the signal in the Asimov data.
    """
    yields, luminosity = yields_of(settings), settings["luminosity_fb"]
    counts, _ = asimov_counts(parts, yields, luminosity_fb=np.array([luminosity]), mu=mu)
    b, s = yields.background(luminosity), yields.signal(luminosity)
    signal, background = parts.signal.scaled(s), parts.background.scaled(b)
    return build_workspace(
        signal.values,
        background.values,
        counts[0],
        shape=settings["systematic"],
        signal_variances=signal.variances,
        background_variances=background.variances,
        variations=list(b * parts.variations),
        mc_statistics=settings["mc_statistics"],
    )
