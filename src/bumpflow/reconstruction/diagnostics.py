r"""Whether posteriors of two parameters can be trusted, from draws of them and the truths.

Truths follow the prior that posteriors were trained with. Then, if posteriors are right, all of
the following are uniform:

- the rank of a truth among the draws (simulation-based calibration), in each parameter;
- the share of draws whose density is above that of the truth (regions of highest density);
- the share of draws nearer to a random place than the truth (TARP), which, unlike the others, is
  so for right posteriors only, in the limit of many sets and places.

References:
    Talts et al. (2018), https://arxiv.org/abs/1804.06788;
    Lemos et al. (2023), https://arxiv.org/abs/2302.03026
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from bumpflow.compatibility.coverage import (
    EXPECTED,
    Uniformity,
    coverage_curve,
    measure_uniformity,
    pit_histogram,
    share_within,
)
from bumpflow.compatibility.inference import LEVELS
from bumpflow.reconstruction.support import Support
from bumpflow.simulate.alps.sampling import PARAMETERS
from bumpflow.stats.toys import Measured

N_BINS = 20
"""Bins of rank histograms; draws plus one should be a multiple."""

Draw = Callable[[slice], tuple[Tensor, Tensor, Tensor]]
"""Of some sets: draws ``(n, k, 2)``, their log densities ``(n, k)``, those of truths ``(n,)``."""


class Placed(NamedTuple):
    """Where truths lie in their posteriors, shape ``(n_sets,)`` or ``(n_sets, 2)``.

    Attributes:
        rank: Shares of draws below the truth, by parameter.
        level: Share of draws with a higher density.
        tarp: Share of draws nearer to a random place of the prior.
        mean: Means of the draws.
        std: Their standard deviations.
        log_prob: Log density at the truth.
    """

    rank: NDArray[np.float64]
    level: NDArray[np.float64]
    tarp: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    log_prob: NDArray[np.float64]


def ranks(draws: Tensor, truth: Tensor) -> Tensor:
    """Return shares of draws below the truth, between 0 and 1, shape ``(n_sets, 2)``.

    Of ``k`` draws, the rank ``r`` from 0 to ``k`` counts as ``(r + 1/2) / (k + 1)``: histograms
    whose number of bins divides ``k + 1`` are then exactly flat for right posteriors.

    Args:
        draws: Draws, shape ``(n_sets, k, 2)``.
        truth: True parameters, shape ``(n_sets, 2)``.
    """
    return _as_share((draws < truth[:, None]).sum(1), draws.shape[1])


def density_levels(log_prob: Tensor, log_prob_of_truth: Tensor) -> Tensor:
    """Return the shares of draws that have a higher density than the truth, shape ``(n_sets,)``.

    Args:
        log_prob: Log densities of draws, shape ``(n_sets, k)``.
        log_prob_of_truth: Those of the truths, shape ``(n_sets,)``.
    """
    higher = (log_prob > log_prob_of_truth[:, None]).sum(1)
    return _as_share(higher, log_prob.shape[1])


def tarp_levels(draws: Tensor, truth: Tensor, places: Tensor) -> Tensor:
    """Return the shares of draws that are nearer to a place than the truth, shape ``(n_sets,)``.

    Args:
        draws: Draws, shape ``(n_sets, k, 2)``, in units in which distances make sense.
        truth: True parameters, shape ``(n_sets, 2)``.
        places: One place for each set, chosen without knowing its truth, shape ``(n_sets, 2)``.
    """
    distance = (truth - places).square().sum(-1)
    nearer = ((draws - places[:, None]).square().sum(-1) < distance[:, None]).sum(1)
    return _as_share(nearer, draws.shape[1])


def place_truths(
    draw: Draw, theta: Tensor, support: Support, *, generator: Generator, chunk: int = 512
) -> Placed:
    """Return where truths lie in their posteriors.

    Args:
        draw: What draws from posteriors.
        theta: True parameters, shape ``(n_sets, 2)``.
        support: The prior's region; distances are those of its unit square.
        generator: Random numbers for the places of TARP, on the device of ``theta``.
        chunk: Sets in one go.
    """
    parts = []
    for start in range(0, len(theta), chunk):
        chosen = slice(start, min(start + chunk, len(theta)))
        draws, log_prob, log_prob_of_truth = draw(chosen)
        truth = theta[chosen].to(draws.device)
        places = torch.rand(truth.shape, generator=generator, device=theta.device)
        nearer = tarp_levels(
            support.to_unit(draws), support.to_unit(truth), places.to(draws.device)
        )
        level = density_levels(log_prob, log_prob_of_truth)
        moments = draws.mean(1), draws.std(1)
        parts.append((ranks(draws, truth), level, nearer, *moments, log_prob_of_truth))
    joined = (torch.cat(part).double().cpu().numpy() for part in zip(*parts, strict=True))
    return Placed(*joined)


class CoverageTest(NamedTuple):
    """Expected against empirical coverage.

    Attributes:
        curve: Columns ``expected``, ``empirical`` and its ``error``, ``n_held`` and ``n``.
        deviation: Largest absolute difference, with the bootstrap's standard deviation there.
        p: How probable a larger one is, if posteriors are right.
    """

    curve: pd.DataFrame
    deviation: Measured
    p: float


def check_coverage(
    levels: NDArray,
    *,
    rng: np.random.Generator,
    n_bootstrap: int = 2000,
    expected: Sequence[float] = EXPECTED,
) -> CoverageTest:
    """Compare the shares of truths within regions with the probabilities of these.

    To draw sets again and to count them is to draw numbers of sets between neighbouring
    probabilities from a multinomial distribution: no set is touched.

    Args:
        levels: Levels of the truths, of whichever regions, shape ``(n_sets,)``.
        rng: Random numbers.
        n_bootstrap: Bootstrapped, and simulated right, samples.
        expected: Probabilities of regions, rising.
    """
    curve = coverage_curve(levels, expected=expected)
    n, held = len(levels), curve["n_held"].to_numpy()
    found = np.diff(np.concatenate([[0], held, [n]])) / n
    again = rng.multinomial(n, found, size=n_bootstrap)[:, :-1].cumsum(1) / n
    steps = np.diff(np.concatenate([[0.0], expected, [1.0]]))
    right = rng.multinomial(n, steps, size=n_bootstrap)[:, :-1].cumsum(1) / n
    off = (curve["empirical"] - curve["expected"]).abs().to_numpy()
    worst = int(off.argmax())
    larger = np.count_nonzero(np.abs(right - expected).max(1) >= off[worst] - 1e-12)
    curve = curve.assign(error=again.std(0, ddof=1))
    deviation = Measured(float(off[worst]), float(curve["error"].iloc[worst]))
    return CoverageTest(curve, deviation, (larger + 1) / (n_bootstrap + 1))


class Diagnosis(NamedTuple):
    """Posteriors against truths of the prior, in numbers.

    Attributes:
        ranks: Rank histograms: ``parameter`` and the columns of ``pit_histogram``.
        uniformity: Whether ranks are uniform, by parameter.
        density: Coverage of the regions of highest density.
        tarp: Coverage of TARP.
        contraction: One less the ratio of variances of posterior and prior, by parameter: mean.
        sharpness: Mean standard deviation, by parameter.
        information: Mean log ratio of posterior and prior at the truth [nat].
        n: Number of sets.
    """

    ranks: pd.DataFrame
    uniformity: dict[str, Uniformity]
    density: CoverageTest
    tarp: CoverageTest
    contraction: dict[str, Measured]
    sharpness: dict[str, Measured]
    information: Measured
    n: int


def diagnose(placed: Placed, support: Support, *, rng: np.random.Generator) -> Diagnosis:
    """Return what is right and wrong with posteriors.

    Args:
        placed: Where truths, drawn from the prior, lie in them.
        support: The prior's region.
        rng: Random numbers of the bootstrap.

    Raises:
        ValueError: If there are fewer than two sets.
    """
    n = len(placed.level)
    if n < 2:
        msg = f"{n} sets are given: a diagnosis needs 2 or more, with known truths"
        raise ValueError(msg)
    of_prior = prior_variances(support)
    tables, uniformity, contraction, sharpness = [], {}, {}, {}
    for index, name in enumerate(PARAMETERS):
        rank, std = placed.rank[:, index], placed.std[:, index]
        tables.append(pit_histogram(rank, n_bins=N_BINS).assign(parameter=name))
        uniformity[name] = measure_uniformity(rank, n_bins=N_BINS)
        contraction[name] = mean_of(1 - std**2 / of_prior[index])
        sharpness[name] = mean_of(std)
    return Diagnosis(
        ranks=pd.concat(tables, ignore_index=True),
        uniformity=uniformity,
        density=check_coverage(placed.level, rng=rng),
        tarp=check_coverage(placed.tarp, rng=rng),
        contraction=contraction,
        sharpness=sharpness,
        information=mean_of(placed.log_prob + support.log_area),
        n=n,
    )


def prior_variances(support: Support) -> tuple[float, float]:
    """Return the prior's variances of log10 of mass and of lifetime, c tau / m."""
    mass, lifetime = ((high - low) ** 2 / 12 for low, high in support[:2])
    return mass, lifetime + mass if support.decay_length else lifetime


def local_coverage(placed: Placed, truth: Sequence[float]) -> pd.DataFrame:
    """Return how posteriors do at one true parameter point.

    Averaged over the prior they cover as they should; at a point they need not.

    Args:
        placed: Where the truth lies in the posteriors of many sets at this point.
        truth: log10 of mass [GeV] and lifetime, c tau / m [m/GeV].

    Returns:
        One row per parameter: ``parameter``, and ``bias`` and ``spread`` of the means, mean
        ``sigma``, ``pull_mean`` and ``pull_width``, ``central68`` and ``central95``, the shares of
        truths within central intervals, and those within the regions of highest density of both,
        ``density68`` and ``density95``; each with ``_error``.
    """
    rows = []
    for index, name in enumerate(PARAMETERS):
        mean, std = placed.mean[:, index], placed.std[:, index]
        outside = 2 * np.abs(placed.rank[:, index] - 0.5)
        pull = (mean - truth[index]) / std
        numbers = {
            "bias": mean_of(mean - truth[index]),
            "spread": spread_of(mean),
            "sigma": mean_of(std),
            "pull_mean": mean_of(pull),
            "pull_width": spread_of(pull),
        }
        for level in LEVELS:
            percent = f"{100 * level:.0f}"
            numbers[f"central{percent}"] = share_within(outside, level)
            numbers[f"density{percent}"] = share_within(placed.level, level)
        rows.append({"parameter": name} | flatten(numbers))
    return pd.DataFrame(rows)


def mean_of(values: NDArray) -> Measured:
    """Return a mean and its standard error."""
    return Measured(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def spread_of(values: NDArray) -> Measured:
    """Return a standard deviation and its standard error, for any distribution."""
    spread = float(values.std(ddof=1))
    squares = (values - values.mean()) ** 2 / (2 * max(spread, 1e-300))
    return Measured(spread, mean_of(squares).uncertainty)


def flatten(numbers: dict[str, Measured]) -> dict[str, float]:
    """Return numbers and their errors by name, as a row of a table."""
    row = {}
    for name, number in numbers.items():
        row[name], row[f"{name}_error"] = number
    return row


def _as_share(rank: Tensor, n_draws: int) -> Tensor:
    return (rank.double() + 0.5) / (n_draws + 1)
