"""What the scorecard says about ALP reconstruction."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from bumpflow.reconstruction.detectors import AMORTISED, DIPHOTON, PUBLISHED, SINGLE
from bumpflow.summary import Quantity

PUBLISHED_LOSS = -1.2716
"""Published validation loss at 1 % and 1 mrad, for sets of three events."""
CODE = "arXiv:2308.01353, authors' training record"
TARGET = "required"
SUFFIXES = {AMORTISED: "", PUBLISHED: ".published", SINGLE: ".single"}
LEAST_P, LARGEST_DEVIATION, LARGEST_RATIO, LONGEST_MS = 0.01, 0.02, 1.05, 20.0


def sharpness_quantities(sharpness: pd.DataFrame, *, slides: str) -> Iterator[Quantity]:
    """Yield loss and width at the published detector, and how the network for all compares.

    Args:
        sharpness: See :func:`bumpflow.reconstruction.detectors.compare_sharpness`.
        slides: Name of the published detector.
    """
    here = sharpness[sharpness["detector"] == slides]
    for _, row in here.iterrows():
        suffix, n = SUFFIXES[row["method"]], int(row["n"])
        loss, error = float(row["loss"]), float(row["loss_error"])
        name = f"cinn.slides.validation_loss{suffix}"
        yield Quantity(name, loss, error, PUBLISHED_LOSS, CODE, n, "nat")
        sigma, error = float(row["sigma"]), float(row["sigma_error"])
        yield Quantity(f"cinn.slides.sigma_mass{suffix}", sigma, error, n=n)
    others = sharpness[sharpness["method"] == SINGLE]
    if len(others):
        worst = others.iloc[int(others["ratio"].argmax())]
        yield Quantity(
            "cinn.amortised.sharpness_ratio",
            float(worst["ratio"]),
            float(worst["ratio_error"]),
            LARGEST_RATIO,
            f"{TARGET}, at most",
            int(worst["n"]),
        )


def diagnosis_quantities(record: Sequence[Mapping[str, Any]]) -> Iterator[Quantity]:
    """Yield calibration: of all sizes of sets the worst.

    Of the p-values of several sizes the least is given, times their number: that is a p-value, too.

    Args:
        record: See :func:`bumpflow.reconstruction.tables.diagnose_sizes`.
    """
    n = min(int(one["n"]) for one in record)
    for parameter in ("mass", "lifetime"):
        p = min(len(record) * min(one[parameter]["p_ranks"] for one in record), 1.0)
        name = f"cinn.amortised.sbc_p.{parameter}"
        yield Quantity(name, p, None, LEAST_P, f"{TARGET}, at least", n)
    worst, error = max((one["tarp"]["deviation"] for one in record), key=lambda pair: pair[0])
    yield Quantity(
        "cinn.amortised.tarp_max_deviation",
        worst,
        error,
        LARGEST_DEVIATION,
        f"{TARGET}, at most",
        n,
    )


def spread_quantities(comparison: pd.DataFrame) -> Iterator[Quantity]:
    """Yield spreads of our estimates over those of diphoton masses, with the worst angles.

    Of detectors that measure angles equally badly, the one with the best energies counts.

    Args:
        comparison: See :func:`bumpflow.reconstruction.detectors.compare_detectors`, by benchmark.
    """
    here = comparison[comparison["angle_rad"] == comparison["angle_rad"].max()]
    here = here[here["energy"] == here["energy"].min()]
    for benchmark, rows in here.groupby("benchmark", sort=False):
        ours, photons = (rows[rows["method"] == name].iloc[0] for name in (AMORTISED, DIPHOTON))
        ratio = ours["spread"] / photons["spread"]
        relative = [one["spread_error"] / one["spread"] for one in (ours, photons)]
        error = ratio * (relative[0] ** 2 + relative[1] ** 2) ** 0.5
        name = f"cinn.{benchmark}.spread_ratio_to_mgg"
        yield Quantity(
            name, float(ratio), float(error), 1, "that of the diphoton mass", int(ours["n"])
        )


def timing_quantity(record: Mapping[str, float]) -> Quantity:
    """Return how long a posterior takes.

    Args:
        record: ``milliseconds`` and ``n_draws``.
    """
    return Quantity(
        "cinn.posterior_milliseconds",
        float(record["milliseconds"]),
        None,
        LONGEST_MS,
        f"{TARGET}, at most",
        int(record["n_draws"]),
        "ms",
    )


def observed_quantities(name: str, record: Mapping[str, Any]) -> Iterator[Quantity]:
    """Yield the masses of observed sets.

    Args:
        name: Name of the table.
        record: See :class:`bumpflow.reconstruction.event_tables.Reconstruction`.
    """
    for index, row in enumerate(record["sets"]):
        yield Quantity(
            f"cinn.observed.{name}.log10_mass.set{index}",
            float(row["log10_mass_mean"]),
            float(row["log10_mass_std"]),
            n=int(row["n_events"]),
        )
