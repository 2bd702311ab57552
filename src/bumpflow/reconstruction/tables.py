"""Trained posteriors as tables: their diagnosis, examples, widths, and how long one takes."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bumpflow.reconstruction.amortised import SetPosterior
from bumpflow.reconstruction.detectors import measure_sets
from bumpflow.reconstruction.diagnostics import Diagnosis, Draw, Placed, diagnose, place_truths
from bumpflow.reconstruction.sets import EventSets, TrueSets
from bumpflow.reconstruction.support import Support
from bumpflow.reconstruction.weights import AcceptanceTable, log_rate, reweight
from bumpflow.simulate.alps.sampling import PARAMETERS
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.workflow import derive_seed

SHORT = dict(zip(("mass", "lifetime"), PARAMETERS, strict=True))
"""What tables call the parameters."""
REPEATS = 20


class SizesDiagnosis(NamedTuple):
    """Posteriors against truths, by size of sets.

    Attributes:
        truths: One row per set, size and parameter: ``n_events``, ``parameter``, ``truth``,
            ``mean``, ``std``, ``pit`` and ``level``, the probability of the smallest region of both
            parameters that holds the truth.
        ranks: Histograms of ranks: ``n_events``, ``parameter``, ``low``, ``high``, ``observed``,
            ``band_low``, ``band_high``.
        tarp: ``n_events``, ``expected``, ``empirical`` and its ``uncertainty``.
        record: Numbers by size, see :func:`as_record`.
    """

    truths: pd.DataFrame
    ranks: pd.DataFrame
    tarp: pd.DataFrame
    record: list[dict[str, Any]]


def diagnose_sizes(
    posterior: SetPosterior, true: TrueSets, sizes: Sequence[int], *, n_draws: int, seed: int
) -> SizesDiagnosis:
    """Return what is right and wrong with posteriors of sets that all their detectors measure.

    Args:
        posterior: Trained posteriors.
        true: Decays at parameters from the prior.
        sizes: Sizes of the sets.
        n_draws: Draws from each posterior.
        seed: Seed.
    """
    truths, ranks, tarp, record = [], [], [], []
    support = posterior.support
    for size in sizes:
        own = derive_seed(seed, "size", str(size))
        drawing = posterior.drawing._replace(n_events=(size, size))
        sets = drawing.draw(true, torch.Generator().manual_seed(own))
        places = torch.Generator().manual_seed(derive_seed(own, "places"))
        draw = draw_from(posterior, sets, true.theta, n_draws, seed=own)
        placed = place_truths(draw, true.theta, support, generator=places)
        found = diagnose(placed, support, rng=np.random.default_rng(own))
        truths.append(_list_truths(placed, true.theta).assign(n_events=size))
        ranks.append(found.ranks.assign(n_events=size))
        curve = found.tarp.curve[["expected", "empirical", "error"]]
        tarp.append(curve.rename(columns={"error": "uncertainty"}).assign(n_events=size))
        record.append({"n_events": size} | as_record(found))
    names = {long: short for short, long in SHORT.items()}
    histograms = pd.concat(ranks, ignore_index=True).replace({"parameter": names})
    rows, curves = (pd.concat(parts, ignore_index=True) for parts in (truths, tarp))
    return SizesDiagnosis(rows, histograms, curves, record)


def draw_from(
    posterior: SetPosterior, sets: EventSets, theta: Tensor, n_draws: int, *, seed: int
) -> Draw:
    """Return what draws from posteriors of some of the sets.

    Args:
        posterior: Trained posteriors.
        sets: Measured sets.
        theta: True parameters, shape ``(n_sets, 2)``.
        n_draws: Draws of each.
        seed: Seed.
    """
    beliefs = posterior.look(sets)
    generator = torch.Generator(posterior.device).manual_seed(seed)

    def draw(chosen: slice) -> tuple[Tensor, Tensor, Tensor]:
        some = beliefs.rows(chosen)
        draws = posterior.sample(some, n_draws, generator=generator)
        logs = posterior.log_prob(some, draws)
        return draws, logs, posterior.log_prob(some, theta[chosen])

    return draw


def as_record(found: Diagnosis) -> dict[str, Any]:
    """Return a diagnosis as plain numbers; of parameters by their short names."""
    by_parameter = {
        short: {
            "p_ranks": found.uniformity[name].p_chi2,
            "p_distance": found.uniformity[name].p_distance,
            "contraction": list(found.contraction[name]),
            "sigma": list(found.sharpness[name]),
        }
        for short, name in SHORT.items()
    }
    tests = {
        name: {"deviation": list(test.deviation), "p": test.p}
        for name, test in (("tarp", found.tarp), ("density", found.density))
    }
    return by_parameter | tests | {"information": list(found.information), "n": found.n}


def _list_truths(placed: Placed, theta: Tensor) -> pd.DataFrame:
    """Return a row per set and parameter."""
    tables = []
    for index, name in enumerate(SHORT):
        columns = {
            "truth": theta[:, index].double().numpy(),
            "mean": placed.mean[:, index],
            "std": placed.std[:, index],
            "pit": placed.rank[:, index],
            "level": placed.level,
        }
        tables.append(pd.DataFrame(columns).assign(parameter=name))
    return pd.concat(tables, ignore_index=True)


def draw_examples(
    posterior: SetPosterior,
    signals: Mapping[str, TrueSets],
    resolution: Resolution,
    *,
    sizes: Sequence[int],
    n_masses: int,
    n_lifetimes: int,
    seed: int,
) -> pd.DataFrame:
    """Return posteriors of the first set of each signal on a grid.

    Args:
        posterior: Trained posteriors.
        signals: Decays at each benchmark.
        resolution: The detector's.
        sizes: Sizes of the sets.
        n_masses: Points in log mass.
        n_lifetimes: Points in log lifetime.
        seed: Seed.

    Returns:
        ``benchmark``, ``n_events``, ``log10_mass``, ``log10_lifetime``, ``density`` in both, and
        ``true_log10_mass`` and ``true_log10_lifetime``.
    """
    grid = {"n_masses": n_masses, "n_lifetimes": n_lifetimes}
    at = posterior.grid_theta(**grid).flatten(0, 1).double().cpu().numpy()
    tables = []
    for name, true in signals.items():
        for size in sizes:
            own = derive_seed(seed, name)
            setup = posterior.drawing.setup
            sets = measure_sets(true.head(1), resolution, setup, n_events=size, seed=own)
            logs = posterior.on_grid(posterior.look(sets), **grid).flatten().double()
            table = pd.DataFrame(at, columns=list(PARAMETERS))
            table["density"] = (logs - posterior.support.log_area).exp().cpu().numpy()
            for index, parameter in enumerate(PARAMETERS):
                table[f"true_{parameter}"] = float(true.theta[0, index])
            tables.append(table.assign(benchmark=name, n_events=size))
    return pd.concat(tables, ignore_index=True)


def measure_roles(
    posterior: SetPosterior,
    true: TrueSets,
    resolution: Resolution,
    acceptance: AcceptanceTable,
    *,
    sizes: Sequence[int],
    n_decays: tuple[float, float],
    n_draws: int,
    seed: int,
) -> pd.DataFrame:
    """Return how wide posteriors of sets from the prior are, without and with the rate of events.

    Args:
        posterior: Trained posteriors.
        true: Decays at parameters from the prior.
        resolution: The detector's.
        acceptance: Acceptances over the prior.
        sizes: Sizes of the sets.
        n_decays: Least and largest number of decays of B mesons to the particle.
        n_draws: Draws from each posterior.
        seed: Seed.

    Returns:
        One row per set and size: ``n_events``, the true ``log10_mass`` and ``log10_lifetime``,
        ``sigma_mass``, ``sigma_lifetime`` and ``sigma_lifetime_rate``.
    """
    tables = []
    generator = torch.Generator(posterior.device).manual_seed(derive_seed(seed, "draws"))
    for size in sizes:
        setup = posterior.drawing.setup
        sets = measure_sets(true, resolution, setup, n_events=size, seed=seed)
        draws = posterior.sample(posterior.look(sets), n_draws, generator=generator)
        weighted = reweight(draws, log_rate(acceptance(draws), size, n_decays=n_decays))
        lifetime = draws[..., 1].double()
        mean = (weighted.weights * lifetime).sum(1, keepdim=True)
        known = (weighted.weights * (lifetime - mean) ** 2).sum(1).sqrt()
        numbers = {
            **dict(zip(PARAMETERS, true.theta.double().unbind(1), strict=True)),
            "sigma_mass": draws[..., 0].double().std(1),
            "sigma_lifetime": lifetime.std(1),
            "sigma_lifetime_rate": known,
        }
        columns = {name: part.cpu().numpy() for name, part in numbers.items()}
        tables.append(pd.DataFrame(columns).assign(n_events=size))
    return pd.concat(tables, ignore_index=True)


def tabulate(acceptance: AcceptanceTable) -> pd.DataFrame:
    """Return acceptances as a table, :func:`as_acceptance` back: places, logarithm, its error."""
    shape = acceptance.log_value.shape
    axes = [torch.linspace(0, 1, n, dtype=torch.float64) for n in shape]
    unit = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    theta = acceptance.support.to_theta(unit).flatten(0, 1).numpy()
    columns = {"ln_acceptance": acceptance.log_value, "ln_acceptance_error": acceptance.error}
    flat = {name: part.flatten().numpy() for name, part in columns.items()}
    return pd.DataFrame(theta, columns=list(PARAMETERS)).assign(**flat)


def as_acceptance(table: pd.DataFrame, setup: BeamDump, *, n_masses: int) -> AcceptanceTable:
    """Return acceptances from their table.

    Args:
        table: See :func:`tabulate`.
        setup: The set-up.
        n_masses: Points in log mass.
    """
    columns = table[["ln_acceptance", "ln_acceptance_error"]].to_numpy().T
    value, error = torch.tensor(columns).unflatten(1, (n_masses, -1))
    return AcceptanceTable(value, error, Support.of(setup.prior))


def time_posterior(posterior: SetPosterior, sets: EventSets, *, n_draws: int, seed: int) -> float:
    """Return how long draws from the posterior of one set take once the network is ready [ms].

    It is the median of some sets, each looked at and drawn from for the first time.

    Args:
        posterior: Trained posteriors.
        sets: Measured sets.
        n_draws: Draws.
        seed: Seed.
    """
    generator = torch.Generator(posterior.device).manual_seed(seed)
    seconds = []
    for index in range(min(REPEATS, len(sets.x))):
        start = time.perf_counter()
        beliefs = posterior.look(sets.rows(slice(index, index + 1)))
        posterior.sample(beliefs, n_draws, generator=generator).cpu()
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))
