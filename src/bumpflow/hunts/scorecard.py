"""What the scorecard says about bump hunts."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.stats import kstest

from bumpflow.hunts.calibration import coverage
from bumpflow.hunts.judging import QUANTILE_NAMES, paper_measures, thesis_measures
from bumpflow.hunts.settings import FUNCTIONS_TEST, PAPER_TEST
from bumpflow.summary import Quantity

N_DRAWS = 100
"""Bootstrap samples behind the errors of tests."""
N_RANKED = 30
"""Histograms of a scan, at most, that the scorecard lists."""
NO_ERROR = ("n", "worst_cell_bias")


def test_quantities(tests: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> list[Quantity]:
    """Return what tests with a known truth found, with bootstrap errors.

    Args:
        tests: Tables of :func:`~bumpflow.hunts.judging.judge_hunter` by the test's name.
        rng: Source of randomness.
    """
    found = []
    for name, table in tests.items():
        measure = paper_measures if name == PAPER_TEST else thesis_measures
        values = measure(table)
        rows = rng.integers(len(table), size=(N_DRAWS, len(table)))
        draws = pd.DataFrame([measure(table.iloc[chosen]) for chosen in rows])
        for key, value in values.items():
            if key != "n":
                error = None if key in NO_ERROR else float(draws[key].std())
                found.append(Quantity(f"ddp.{name}.{key}", value, error, n=int(values["n"])))
        if name == FUNCTIONS_TEST:
            found += _coverage(table)
    return found


def _coverage(table: pd.DataFrame) -> Iterator[Quantity]:
    """Yield how often the intervals contain the truth, on the test of functions."""
    n = len(table)
    shares = coverage(table["z_true"].to_numpy(), table[list(QUANTILE_NAMES)].to_numpy())
    for level, share in zip((68, 95), shares, strict=True):
        error = float(np.sqrt(share * (1 - share) / n))
        yield Quantity(f"ddp.interval.coverage{level}", share, error, n=n)


def global_p_quantities(table: pd.DataFrame) -> list[Quantity]:
    """Return the Kolmogorov-Smirnov p-values of global p-values that should be uniform."""
    return [
        Quantity(
            f"ddp.global_p.{group}.ks_p",
            float(kstest(part["p_global"], "uniform").pvalue),
            None,
            n=len(part),
        )
        for group, part in table.groupby("group", sort=True)
    ]


def scan_quantities(summary: pd.DataFrame) -> list[Quantity]:
    """Return where the most significant bump of each histogram is, and how surprising it is.

    Args:
        summary: A row per histogram; of many, the most surprising ones are taken.
    """
    found = []
    for row in summary.nsmallest(N_RANKED, "rank").to_dict("records"):
        subject, unit = f"ddp.{row['histogram'].replace('.', '_')}", row["unit"]
        error = (row["z_high"] - row["z_low"]) / 2
        half_bin = (row["high"] - row["low"]) / 2
        found += [
            Quantity(f"{subject}.z_max", row["z_max"], error, unit="sigma"),
            Quantity(f"{subject}.mass", row["low"] + half_bin, half_bin, unit=unit),
            Quantity(
                f"{subject}.global_p", row["p_global"], row["p_global_error"], n=row["n_toys"]
            ),
            Quantity(f"{subject}.global_z", row["z_global"], None, unit="sigma"),
        ]
    return found


def shape_quantity(shapes: pd.DataFrame) -> Quantity:
    """Return how many categories of simulated events gave a smoothly falling spectrum."""
    spread = f"of {shapes['category'].nunique()} categories" if len(shapes) else "of none"
    return Quantity("ddp.categories.spectra", float(len(shapes)), None, reference_source=spread)
