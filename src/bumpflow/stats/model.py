r"""The HistFactory likelihood of one channel, for many models and many data sets at once.

In bin :math:`i` the model expects

.. math:: \nu_i = \gamma_i \left[\mu s_i + h_i \left(b_i + \sum_k \alpha_k e_{ki}\right)\right]

events, where :math:`\mu` is the signal strength, :math:`\gamma_i` (``staterror``, Gaussian)
stands for the finite size of the simulated samples, :math:`h_i` (``shapesys``, Poisson) for an
uncorrelated uncertainty of the background, and :math:`\alpha_k` (``histosys``, Gaussian) for
background variations that are correlated between bins. This is pyhf's likelihood of the same
workspace, up to a constant (see :mod:`bumpflow.stats.workspace`).

A Gaussian in :math:`\gamma_i` trusts bins most whose simulation happened to fluctuate down, which
pulls the background down by about one simulated event per bin. Where ``poisson`` is set,
:math:`\gamma_i` is the background's alone and has the exact Poisson likelihood of its simulated
events (a second ``shapesys``), which has no such bias; the signal template then is exact.

References:
    Cranmer et al. (2012), https://cds.cern.ch/record/1456844;
    Heinrich, Feickert, Stark (2021), https://doi.org/10.21105/joss.02823
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

BLOCK = 2_000_000
"""Numbers per array at most when many models are worked through piece by piece."""

EDGE = 1e-9
"""Share of its background that a bin expects at least within the physical range."""


@dataclass(frozen=True)
class BinnedModel:
    """One model per row.

    Attributes:
        signal: Events expected at signal strength 1, shape ``(n_models, n_bins)``.
        background: Background events expected, shape ``(n_models, n_bins)``, all positive.
        shape: Relative uncorrelated uncertainty of the background, shape
            ``(n_models, n_bins)``; where it is 0 its nuisance is fixed.
        stat: Relative uncertainty of signal plus background from the sizes of the simulated
            samples, shape ``(n_models, n_bins)``; likewise.
        variations: Change of the background at one standard deviation of each correlated
            nuisance [events], shape ``(n_models, n_variations, n_bins)``.
        poisson: Whether ``stat`` is of the background alone, with a Poisson likelihood instead
            of a Gaussian, shape ``(n_models,)``.
    """

    signal: NDArray
    background: NDArray
    shape: NDArray
    stat: NDArray
    variations: NDArray
    poisson: NDArray

    @classmethod
    def build(
        cls,
        signal: ArrayLike,
        background: ArrayLike,
        *,
        shape: ArrayLike = 0.0,
        stat: ArrayLike = 0.0,
        variations: ArrayLike | None = None,
        poisson: bool = False,
    ) -> Self:
        """Return a batch of models from arrays whose leading axes broadcast.

        Args:
            signal: Events at signal strength 1, shape ``(..., n_bins)``.
            background: Background events, shape ``(..., n_bins)``.
            shape: Relative uncorrelated uncertainty, shape ``(..., n_bins)`` or one number.
            stat: Relative statistical uncertainty, likewise.
            variations: Correlated changes [events], shape ``(..., n_variations, n_bins)``.
            poisson: Whether ``stat`` is of the background alone and Poisson distributed.

        Raises:
            ValueError: If a background bin is empty or negative, or anything is not finite or
                negative where it must not be; the first such bins are named.
        """
        parts = [np.asarray(part, float) for part in (signal, background, shape, stat)]
        bins = [part if part.ndim else part[None] for part in parts]
        signal, background, shape, stat = np.broadcast_arrays(*map(np.atleast_2d, bins))
        none = np.zeros((0, background.shape[-1]))
        changes = none if variations is None else np.asarray(variations, float)
        wanted = (len(background), changes.shape[-2], background.shape[-1])
        if background.ndim != 2 or changes.shape[-1] != wanted[-1]:
            msg = (
                f"templates of shape {background.shape} and variations of shape"
                f" {changes.shape} are no batch of models: give (n_models, n_bins) and"
                " (n_models, n_variations, n_bins)"
            )
            raise ValueError(msg)
        changes = np.broadcast_to(changes, wanted)
        check_template(np.abs(changes), "variation", positive=False)
        check_template(background, "background", positive=True)
        check_template(signal, "signal", positive=False)
        check_template(shape, "shape uncertainty", positive=False)
        check_template(stat, "statistical uncertainty", positive=False)
        flags = np.full(len(background), poisson)
        return cls(signal, background, shape, stat, changes, flags)

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self.background)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return self.background.shape[1]

    @property
    def n_variations(self) -> int:
        """Number of nuisances that are correlated between bins."""
        return self.variations.shape[1]

    def __getitem__(self, rows: Any) -> Self:  # noqa: ANN401
        """Return the models of some rows."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def nominal(self, mu: ArrayLike = 0.0) -> "Parameters":
        """Return signal strengths, shape ``(n_models,)``, with every nuisance at its nominal."""
        one = np.ones(self.background.shape)
        mu = np.broadcast_to(np.asarray(mu, float), len(self)).copy()
        return Parameters(mu, one, one.copy(), np.zeros((len(self), self.n_variations)))

    def expected(self, at: "Parameters") -> NDArray:
        """Return the expected number of events per bin, shape ``(n_models, n_bins)``."""
        background = at.stat * at.shape * self.varied(at.variations)
        return at.mu[:, None] * self.signal_slope(at) + background

    def signal_slope(self, at: "Parameters") -> NDArray:
        """Return the expected events per unit of signal strength, ``(n_models, n_bins)``."""
        return np.where(self.poisson[:, None], 1.0, at.stat) * self.signal

    def varied(self, alpha: NDArray) -> NDArray:
        """Return the background with its correlated variations, shape ``(n_models, n_bins)``."""
        return self.background + np.einsum("mk,mkb->mb", alpha, self.variations)

    def asimov(self, at: "Parameters") -> "Observations":
        """Return the data set in which every observation is what ``at`` expects."""
        return Observations(self.expected(at), at.shape, at.stat, at.variations)

    def draw(self, at: "Parameters", rng: np.random.Generator) -> "Observations":
        """Return one random data set per model: Poisson counts and auxiliary measurements."""
        stat = rng.normal(at.stat, self.stat)
        poisson = _draw_scaled(at.stat, self.stat, rng) if self.poisson.any() else stat
        return Observations(
            rng.poisson(self.expected(at)).astype(float),
            _draw_scaled(at.shape, self.shape, rng),
            np.where(self.poisson[:, None], poisson, stat),
            rng.normal(at.variations, 1.0),
        )


class Parameters(NamedTuple):
    """Values of all parameters, one set per model.

    Attributes:
        mu: Signal strength, shape ``(n_models,)``.
        stat: Factors for the sizes of the samples, shape ``(n_models, n_bins)``.
        shape: Factors of the uncorrelated uncertainty, shape ``(n_models, n_bins)``.
        variations: Correlated nuisances [standard deviations], ``(n_models, n_variations)``.
    """

    mu: NDArray
    stat: NDArray
    shape: NDArray
    variations: NDArray


class Observations(NamedTuple):
    """A data set per model: counts, and what the nuisances' own measurements gave.

    Attributes:
        counts: Observed events, shape ``(n_models, n_bins)``; they need not be whole.
        shape: Measured factors of the uncorrelated uncertainty, shape ``(n_models, n_bins)``.
        stat: Measured factors for the sizes of the samples, shape ``(n_models, n_bins)``.
        variations: Measured correlated nuisances, shape ``(n_models, n_variations)``.
    """

    counts: NDArray
    shape: NDArray
    stat: NDArray
    variations: NDArray

    def rows(self, rows: Any) -> "Observations":  # noqa: ANN401
        """Return the data sets of some rows."""
        return Observations(*(part[rows] for part in self))


def observe(model: BinnedModel, counts: ArrayLike) -> Observations:
    """Return data sets with nominal auxiliary measurements.

    Args:
        model: Models.
        counts: Observed events, shape ``(n_bins,)`` or ``(n_models, n_bins)``.

    Raises:
        ValueError: If a count is negative or not finite.
    """
    counts = np.broadcast_to(np.asarray(counts, float), model.background.shape)
    check_template(counts, "data", positive=False)
    nominal = model.nominal()
    return Observations(counts, nominal.shape, nominal.stat, nominal.variations)


def half_deviance(model: BinnedModel, data: Observations, at: Parameters) -> NDArray:
    r"""Return :math:`-\ln L` less its value for a model that fits every observation exactly.

    It is 0 for Asimov data at their own parameters, and infinite outside the physical range.

    Args:
        model: Models.
        data: Data sets.
        at: Parameters.

    Returns:
        Shape ``(n_models,)``.
    """
    nu = model.expected(at)
    good = np.all(nu > EDGE * model.background, axis=1)
    good &= np.all(at.stat > 0, axis=1) & np.all(at.shape > 0, axis=1)
    nu, h = np.where(good[:, None], nu, 1.0), np.where(good[:, None], at.shape, 1.0)
    value = poisson_term(data.counts, nu).sum(axis=1)
    value += (poisson_term(data.shape, h) * precision(model.shape)).sum(axis=1)
    g = np.where(good[:, None], at.stat, 1.0)
    gauss, poisson = (g - data.stat) ** 2 / 2, poisson_term(data.stat.clip(min=0), g)
    constraint = np.where(model.poisson[:, None], poisson, gauss)
    value += (constraint * precision(model.stat)).sum(axis=1)
    value += ((at.variations - data.variations) ** 2).sum(axis=1) / 2
    return np.where(good, value, np.inf)


def precision(uncertainty: NDArray) -> NDArray:
    """Return 1 / uncertainty squared, and 0 where the uncertainty is 0: a fixed nuisance."""
    return np.where(uncertainty > 0, 1 / np.where(uncertainty > 0, uncertainty, 1.0) ** 2, 0.0)


def poisson_term(n: NDArray, nu: NDArray) -> NDArray:
    r"""Return :math:`\nu - n - n \ln(\nu / n)`, which is at least 0, element by element."""
    return nu - n - xlogy(n, nu / np.where(n > 0, n, 1.0))


def _draw_scaled(mean: NDArray, relative: NDArray, rng: np.random.Generator) -> NDArray:
    """Return Poisson counts of a relative uncertainty, in units of their nominal mean."""
    count = 1 / np.where(relative > 0, relative, 1.0) ** 2
    return np.where(relative > 0, rng.poisson(count * mean) / count, mean)


def check_template(values: NDArray, name: str, *, positive: bool) -> None:
    """Check that every bin holds a usable number.

    Args:
        values: Bin contents, shape ``(..., n_bins)``.
        name: What they are, for the message.
        positive: Whether 0 is refused too.

    Raises:
        ValueError: If a bin is not; bins are counted from 0.
    """
    bad = ~np.isfinite(values) | ((values <= 0) if positive else (values < 0))
    if not bad.any():
        return
    bins = np.flatnonzero(bad.reshape(-1, bad.shape[-1]).any(axis=0))
    found = float(values.reshape(-1, bad.shape[-1])[:, bins[0]].min())
    least = "positive" if positive else "0 or more"
    msg = (
        f"{name} template: bins {bins.tolist()} (counted from 0) must be {least}, but bin"
        f" {bins[0]} holds {found:g}: choose wider bins, or more events"
    )
    raise ValueError(msg)


def in_blocks(n_rows: int, n_bins: int, work: Callable[[slice], Any]) -> list[Any]:
    """Call ``work`` with slices of rows that are few enough for bounded memory."""
    step = max(1, BLOCK // max(1, n_bins))
    return [work(slice(start, start + step)) for start in range(0, n_rows, step)]


def without_nuisances(model: BinnedModel) -> BinnedModel:
    """Return models whose only uncertainty is that of the observed counts."""
    none = np.zeros_like(model.background)
    return replace(model, shape=none, stat=none, variations=model.variations[:, :0])


def stack(models: Sequence[BinnedModel]) -> BinnedModel:
    """Return several batches as one; those with fewer variations get some that change nothing."""
    most = max(model.n_variations for model in models)
    padded = [
        np.pad(model.variations, ((0, 0), (0, most - model.n_variations), (0, 0)))
        for model in models
    ]
    names = ("signal", "background", "shape", "stat")
    rows = [np.concatenate([getattr(model, name) for model in models]) for name in names]
    flags = np.concatenate([model.poisson for model in models])
    return BinnedModel(rows[0], rows[1], rows[2], rows[3], np.concatenate(padded), flags)
