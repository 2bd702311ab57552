"""What the scorecard says about measurements of a resonance."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bumpflow.stats.toys import ONE_SIGMA, Toys, summarise_toys
from bumpflow.summary import Quantity

PAPER = "arXiv:2506.06438"
INTERPRETED = "shift"
"""Method whose coverage is the headline; that of the others has the method's name behind."""
MIN_TOYS = 2
"""Toys below which nothing is said."""


def fit_quantities(name: str, fits: pd.DataFrame, *, n_signal: int | None) -> Iterator[Quantity]:
    """Yield what each method says of the signal, averaged over the data sets.

    Args:
        name: Set-up of densities.
        fits: Table of :func:`~bumpflow.resonance.tables.fit_table`, with column ``dataset``.
        n_signal: True signal, if known.
    """
    reference = None if n_signal is None else float(n_signal)
    source = None if n_signal is None else "injected"
    for method, part in fits.groupby("method", sort=False):
        if not str(method).startswith("member") and part["signal"].notna().all():
            yield Quantity(
                f"hisigma.{name}.signal.{method}",
                float(part["signal"].mean()),
                float(part["uncertainty"].mean()),
                reference,
                source,
                part["dataset"].nunique(),
                "events",
            )


def hypothesis_quantities(
    name: str, fits: pd.DataFrame, tests: Mapping[str, Any]
) -> Iterator[Quantity]:
    """Yield tests of the first data set, and what the densities' uncertainty costs.

    Args:
        name: Set-up of densities.
        fits: Table of fits.
        tests: Record of :class:`~bumpflow.resonance.hypotheses.Hypotheses`.
    """
    scan = tests["scan"]
    yield Quantity(f"hisigma.{name}.z0", tests["z0"], unit="sigma")
    yield Quantity(f"hisigma.{name}.limit", tests["limit"], unit="events")
    yield Quantity(f"hisigma.{name}.expected_limit", tests["expected_limits"][2], unit="events")
    yield Quantity(f"hisigma.{name}.global_p", scan["global_p"], scan["global_p_error"])
    widths = fits.groupby("method")["uncertainty"].mean().dropna()
    for method in (INTERPRETED, "spread", "mixture", "envelope"):
        if {method, "statistical"} <= set(widths.index):
            variant = "" if method == INTERPRETED else f".{method}"
            yield Quantity(
                f"hisigma.density_inflation{variant}",
                float(widths[method] / widths["statistical"] - 1),
                None,
                0.4,
                f"{PAPER}, envelope",
                fits["dataset"].nunique(),
            )


def gain_quantities(
    names: Sequence[str], fits: Mapping[str, pd.DataFrame], strategies: pd.DataFrame
) -> list[Quantity]:
    """Return by how much fits are more precise than other strategies on the same data sets.

    A gain is 1 less the ratio of uncertainties, statistical only, averaged over the data sets.

    Args:
        names: Set-ups of densities, the interpreted one first.
        fits: Tables of fits by set-up.
        strategies: What other strategies say of the same data sets, see
            :func:`~bumpflow.resonance.strategies.compare_strategies`.
    """
    first = names[0]
    own = _statistical(fits[first])
    found = []
    references = {"cut_and_fit": 0.4, "binned_dnn": 0.1}
    others = strategies.set_index(["dataset", "strategy"])["uncertainty"].unstack()
    for strategy in others:
        gains = 1 - own / others[strategy]
        reference = references.get(str(strategy))
        source = None if reference is None else PAPER
        found.append(_mean(f"hisigma.gain_over_{strategy}", gains, reference, source))
    for name in names[1:]:
        gains = 1 - own / _statistical(fits[name])
        variant = "" if name == names[1] else f".{name}"
        found.append(_mean(f"hisigma.{first}.gain{variant}", gains, 0.0, f"set-up {name}"))
    return found


def _statistical(fits: pd.DataFrame) -> pd.Series:
    return fits[fits["method"] == "statistical"].set_index("dataset")["uncertainty"]


def _mean(name: str, values: pd.Series, reference: float | None, source: str | None) -> Quantity:
    error = float(values.std() / np.sqrt(len(values))) if len(values) > 1 else None
    return Quantity(name, float(values.mean()), error, reference, source, len(values))


def closure_quantities(name: str, closure: pd.DataFrame, *, first: bool) -> Iterator[Quantity]:
    """Yield AUCs of background against its density, in the signal region and at the edges."""
    for row in closure.to_dict("records"):
        whole = row["region"] == "signal_region"
        stem = "hisigma.closure_auc" if first else f"hisigma.{name}.closure_auc"
        yield Quantity(
            stem if whole else f"{stem}.{row['region']}",
            row["value"],
            row["uncertainty"],
            0.5,
            "the density is right",
            row["n"],
        )


def normalisation_quantities(integrals: pd.DataFrame) -> Iterator[Quantity]:
    """Yield the mean integral of each component's density over all features, which should be 1.

    Args:
        integrals: Tables of :func:`~bumpflow.resonance.densities.normalisation`, with the
            component as ``part``.
    """
    means = integrals[integrals["density"] == "arithmetic"]
    for part, rows in means.groupby("part", sort=True):
        n = len(rows)
        error = float(np.sqrt((rows["uncertainty"] ** 2).sum()) / n)
        name = f"hisigma.{part}.normalisation"
        yield Quantity(name, float(rows["integral"].mean()), error, 1.0, "a density", n)


def coverage_quantities(toys: pd.DataFrame) -> Iterator[Quantity]:
    """Yield coverage, bias and pulls by true signal and method.

    Toys of one training share its densities, so errors come from the spread between trainings.

    Args:
        toys: Tables of :func:`~bumpflow.resonance.experiments.run_experiment` with ``replica``.
    """
    for (signal, method), part in toys.groupby(["signal", "method"], sort=True):
        groups = part["replica"].to_numpy()
        stem = f"s{signal}" if method == INTERPRETED else f"s{signal}.{method}"
        if n_failed := int(part["pull"].isna().sum()):
            yield Quantity(f"hisigma.failed_fits.{stem}", float(n_failed), n=len(part))
        if len(part) - n_failed < MIN_TOYS:
            continue
        columns = (part[key].to_numpy() for key in ("pull", "distance", "uncertainty"))
        found = summarise_toys(Toys(*columns), groups=groups)
        pairs = {"coverage68": (found.coverage68, ONE_SIGMA)}
        if method != "envelope":
            pairs |= {
                "coverage95": (found.coverage95, 0.95),
                "bias": (found.pull_mean, 0.0),
                "pull_width": (found.pull_width, 1.0),
            }
        for key, (measured, nominal) in pairs.items():
            error = measured.uncertainty if np.isfinite(measured.uncertainty) else None
            yield Quantity(
                f"hisigma.{key}.{stem}", measured.value, error, nominal, "nominal", found.n_toys
            )
