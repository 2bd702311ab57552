"""What the scorecard says about a search with surrogate background."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bumpflow.search.arms import ARMS
from bumpflow.stats.fit import CONVERGED
from bumpflow.summary import Quantity

PAPER = "arXiv:2310.08994"
NOMINAL = {
    "pull_mean": (0.0, "unbiased"),
    "pull_width": (1.0, "correct uncertainties"),
    "coverage68": (0.6827, "one standard deviation"),
    "coverage95": (0.95, "95 % interval"),
}
NUISANCE = "nuisance"
SPURIOUS_NAMES = {
    "mc": ("mc",),
    "surrogate": ("unweighted",),
    "reweighted": ("surrogate", "reweighted"),
}
"""Subjects of the spurious signal: that of a surrogate is the one after reweighting."""


def search_quantities(
    *,
    efficiencies: Mapping[str, Any],
    reweighting: Mapping[str, Any],
    scans: pd.DataFrame,
    toys: pd.DataFrame,
    timing: Mapping[str, float],
    settings: Mapping[str, Any],
) -> list[Quantity]:
    """Return the search's numbers at the reference luminosity and systematic.

    Args:
        efficiencies: Content of ``efficiencies.json``.
        reweighting: Content of ``reweighting.json``.
        scans: Content of ``scans.parquet`` of one observable.
        toys: Content of ``toys.parquet`` of the same observable.
        timing: Content of ``timing.json`` of the same observable.
        settings: The configuration block ``histfactory``.
    """
    return [
        *_efficiencies(efficiencies),
        *_reweighting(reweighting),
        *_fits(scans, efficiencies, settings),
        *_toys(toys),
        *_timing(timing, len(scans[scans["scan"] == "luminosity"])),
    ]


def subject_of_arm(arm: str) -> tuple[str, str]:
    """Return an arm's subject on the scorecard, and the suffix of its measures.

    Args:
        arm: Name of the arm, or ``mc`` and another treatment of its statistics.
    """
    if arm not in ARMS:
        return "histfactory.mc", f".{arm.removeprefix('mc')}"
    return f"histfactory.{ARMS[arm].sample}", f".{NUISANCE}" if ARMS[arm].nuisance else ""


def _efficiencies(efficiencies: Mapping[str, Any]) -> Iterator[Quantity]:
    mc = efficiencies["data"]["value"]
    for sample, found in efficiencies.items():
        compared = (
            {}
            if sample in {"data", "signal", "injected"}
            else {
                "reference": mc,
                "reference_source": "independent Monte Carlo background of this study",
            }
        )
        yield Quantity(
            f"histfactory.{sample}.efficiency",
            found["value"],
            found["uncertainty"],
            n=found["n"],
            **compared,
        )


def _reweighting(record: Mapping[str, Any]) -> Iterator[Quantity]:
    source = f"{PAPER}, section 4.3: just above 0.5, no number"
    for sample, name in (("surrogate", "auc_before"), ("reweighted", "auc_after")):
        yield Quantity(
            f"histfactory.{sample}.c2st_auc_trees",
            record[name]["value"],
            record[name]["uncertainty"],
            reference_source=source,
            n=record[name]["n"],
        )
    yield Quantity("histfactory.reweighted.effective_fraction", record["effective_fraction"])


def _fits(
    scans: pd.DataFrame, efficiencies: Mapping[str, Any], settings: Mapping[str, Any]
) -> Iterator[Quantity]:
    """Yield what the fits to Asimov data from independent Monte Carlo say."""
    rows = scans[
        (scans["scan"] == "generated")
        & (scans["n_generated"] == scans["n_generated"].max())
        & np.isclose(scans["systematic"], settings["systematic"])
        & (scans["status"] == CONVERGED)
    ]
    for row in rows.to_dict("records"):
        subject, suffix = subject_of_arm(row["arm"])
        sample = ARMS[row["arm"]].sample
        sigma, n = row["stat_uncertainty"], efficiencies[sample]["n"]
        spurious = row["spurious"] / sigma, row["spurious_mc_uncertainty"] / sigma
        for name in SPURIOUS_NAMES[sample]:
            yield Quantity(
                f"histfactory.{name}.spurious_over_sigma{suffix}",
                *spurious,
                reference_source="target of this study: below 0.2 after reweighting",
                n=n,
            )
        yield Quantity(
            f"{subject}.limit_shift{suffix}",
            row["limit_observed"] / row["limit_0"] - 1,
            row["spurious_mc_uncertainty"] / row["limit_0"],  # limits move with the fitted signal
            reference=0.0,
            reference_source="observed over median expected limit, less 1",
            n=n,
        )
        yield Quantity(
            f"{subject}.mu_hat{suffix}",
            row["mu_hat"],
            float(np.hypot(row["mu_uncertainty"], row["mu_mc_uncertainty"])),
            1.0,
            "injected",
            n,
        )
        yield Quantity(f"{subject}.limit{suffix}", row["limit_observed"], n=n)
        yield Quantity(f"{subject}.z0{suffix}", row["z0"], n=n, unit="sigma")


def _toys(toys: pd.DataFrame) -> Iterator[Quantity]:
    """Yield what pseudo-experiments with a known truth say."""
    for row in toys.to_dict("records"):
        subject, suffix = subject_of_arm(row["arm"])
        for name, (reference, why) in NOMINAL.items():
            yield Quantity(
                f"{subject}.{name}{suffix}",
                row[name],
                row[f"{name}_uncertainty"],
                reference,
                f"{why}; toys in which the surrogate in use is the truth",
                int(row["n_toys"]),
            )
        for name in ("bias_over_sigma", "bias_rms"):
            yield Quantity(
                f"{subject}.toy_{name}{suffix}",
                row[name],
                row[f"{name}_uncertainty"],
                reference_source="spurious signal where the truth is known exactly",
                n=int(row["n_toys"]),
            )
        yield Quantity(f"{subject}.toys_failed{suffix}", row["n_failed"], n=int(row["n_toys"]))


def _timing(timing: Mapping[str, float], n_fits: int) -> Iterator[Quantity]:
    yield Quantity(
        "histfactory.limit_seconds",
        timing["limit_seconds"],
        reference=1.0,
        reference_source="target of this study: observed and five expected limits",
        unit="s",
    )
    yield Quantity(
        "histfactory.luminosity_scan_seconds",
        timing["luminosity_scan_seconds"],
        reference=180.0,
        reference_source="target of this study: 30 luminosities and 3 systematics of one template",
        n=n_fits,
        unit="s",
    )
