"""What the scorecard says about generated events."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bumpflow.simulate.beamdump import QUANTILES, compare_spectra, describe
from bumpflow.simulate.gather import CLASSES
from bumpflow.simulate.peaks import find_peak
from bumpflow.summary import Quantity

MEDIAN = QUANTILES.index(0.5)
WITNESS_SUFFIX = {"resmlp": "", "trees": "_trees"}
MINIMUM = 50
"""Events below which a peak is not looked for."""


class Resonance(NamedTuple):
    """A peak to look for: where it should be, the range to look in, the smoothing [GeV]."""

    mass_gev: float
    low_gev: float
    high_gev: float
    width_gev: float


W_BOSON, TOP = Resonance(80.4, 50, 110, 4), Resonance(172.5, 120, 230, 6)
RESONANCES: Mapping[str, Mapping[str, Resonance]] = {
    "ttbarsemileptonic": {"m_jj": W_BOSON, "m_jjj": TOP, "m_jlv": TOP},
    "heavyhiggs": {
        "m_jj": W_BOSON,
        "m_bb": Resonance(125, 70, 180, 6),
        "m_wbb": Resonance(325, 230, 420, 10),
        "m_wwbb": Resonance(425, 320, 540, 12),
    },
    "hhbbaa": {"m_gg": Resonance(125, 115, 135, 0.5), "m_bb": Resonance(125, 70, 180, 6)},
}
"""Peaks by process and feature."""


def sample_quantities(name: str, record: Mapping[str, Any]) -> list[Quantity]:
    """Return cross-section, efficiency and what is left after the selection.

    Args:
        name: Name of the sample.
        record: Content of its ``sample.json``.
    """
    subject, n = f"simulation.{name}", record["n_generated"]
    measures = {"crosssection": "fb", "efficiency": "", "selected": "fb"}
    quantities = []
    for measure, unit in measures.items():
        suffix = f"_{unit}" if unit else ""
        quantities.append(
            Quantity(
                f"{subject}.{measure}",
                record[f"{measure}{suffix}"],
                record[f"{measure}_error{suffix}"],
                n=n,
                unit=unit,
            )
        )
    return quantities


def peak_quantities(
    name: str, process: str, events: pd.DataFrame, rng: np.random.Generator
) -> list[Quantity]:
    """Return where resonances appear, beside their masses.

    Args:
        name: Name of the sample.
        process: What is generated; processes without an entry in :data:`RESONANCES` have none.
        events: Features [GeV].
        rng: Source of the uncertainties.
    """
    quantities = []
    for feature, known in RESONANCES.get(process, {}).items():
        values = events[feature].to_numpy()
        inside = (values > known.low_gev) & (values < known.high_gev)
        if inside.sum() < MINIMUM:
            continue
        low, high, width = known.low_gev, known.high_gev, known.width_gev
        peak = find_peak(values, low=low, high=high, width=width, rng=rng)
        quantities.append(
            Quantity(
                f"simulation.{name}.peak_{feature}",
                peak.position,
                peak.uncertainty,
                reference=known.mass_gev,
                reference_source="mass of the resonance",
                n=len(values),
                unit="GeV",
            )
        )
    return quantities


def benchmark_quantities(records: Mapping[str, Any]) -> list[Quantity]:
    """Return how well classifiers tell generated from real events.

    Args:
        records: Outcomes of the two-sample tests by class of events, and the same again below
            ``without_m_lv``.
    """
    variants = {"": records, ".without_m_lv": records["without_m_lv"]}
    return [
        Quantity(
            f"simulation.benchmark{name}.c2st_auc{suffix}{variant}",
            found[name][witness]["auc"],
            found[name][witness]["auc_uncertainty"],
            reference_source="0.5 if generator, detector and selection were those of UCI HIGGS",
            n=sum(found[name]["n_test"]),
        )
        for variant, found in variants.items()
        for name in CLASSES
        for witness, suffix in WITNESS_SUFFIX.items()
    ]


def meson_quantities(samples: Mapping[str, pd.DataFrame]) -> list[Quantity]:
    """Return moments of spectra of B mesons, and how far others are from the first one.

    Args:
        samples: Momenta ``px``, ``py``, ``pz``, ``energy`` [GeV] by name of the sample.
    """
    momenta = {
        name: events[["px", "py", "pz", "energy"]].to_numpy() for name, events in samples.items()
    }
    quantities = []
    for name, momentum in momenta.items():
        pz, pt = describe(momentum[:, 2]), describe(np.hypot(momentum[:, 0], momentum[:, 1]))
        found = {
            "mean_pz": (pz["mean"], pz["mean_error"]),
            "std_pz": (pz["std"], pz["std_error"]),
            "median_pz": (pz["quantiles"][MEDIAN], pz["quantile_errors"][MEDIAN]),
            "mean_pt": (pt["mean"], pt["mean_error"]),
        }
        quantities += [
            Quantity(f"simulation.{name}.{measure}", value, error, n=pz["n"], unit="GeV")
            for measure, (value, error) in found.items()
        ]
    first, *others = momenta
    for name in others:
        distances = compare_spectra(momenta[first], momenta[name])
        quantities += [
            Quantity(
                f"simulation.{name}.ks_{key.removesuffix('_gev')}",
                distance["ks"],
                reference_source=f"distance of the distribution functions from {first}",
                n=len(momenta[name]),
            )
            for key, distance in distances.items()
        ]
    return quantities


def response_quantities(place: str, responses: pd.DataFrame) -> list[Quantity]:
    """Return the energy response of jets before and after the correction.

    Args:
        place: Detector and beams, which subjects are named after.
        responses: Closure on independent events, by ``group`` and transverse momentum.
    """
    quantities = []
    for group, part in responses.groupby("group"):
        weights = part["n"] / part["n"].sum()
        for measure, column in (("response", "response"), ("corrected", "corrected")):
            error = np.sqrt(np.square(weights * part[f"{column}_error"]).sum())
            quantities.append(
                Quantity(
                    f"simulation.{place}.{measure}.{group}",
                    float((weights * part[column]).sum()),
                    float(error),
                    reference=1.0,
                    reference_source="energy of the quark",
                    n=int(part["n"].sum()),
                )
            )
    return quantities


def double_higgs_quantities(total: pd.DataFrame) -> list[Quantity]:
    """Return the cross-section of gg to HH, and what other trilinear couplings make of it.

    Args:
        total: ``crosssection_fb`` and ``crosssection_error_fb`` by ``kappa_lambda``.
    """
    values, errors = (
        dict(zip(total["kappa_lambda"], total[name], strict=True))
        for name in ("crosssection_fb", "crosssection_error_fb")
    )
    quantities = [
        Quantity(
            "simulation.doublehiggs.crosssection",
            values[1],
            errors[1],
            reference=19.85,
            reference_source="arXiv:1604.06447, leading order, full top mass, 14 TeV",
            unit="fb",
        )
    ]
    published = {"kappa0": (0.0, 2.12), "kappa2_45": (2.45, 0.42)}
    for variant, (coupling, reference) in published.items():
        if coupling in values:
            quantities.append(
                Quantity(
                    f"simulation.doublehiggs.ratio.{variant}",
                    values[coupling] / values[1],
                    errors[coupling] / values[1],
                    reference=reference,
                    reference_source="leading order, full top mass",
                )
            )
    return quantities


def category_quantity(categories: pd.DataFrame) -> Quantity:
    """Return into how many categories the Standard Model mixture falls.

    Args:
        categories: What :func:`bumpflow.simulate.select.mixture.category_counts` returns.
    """
    return Quantity(
        "simulation.mixture.categories",
        len(categories),
        reference_source="numbers of electrons, muons, photons, jets and tagged jets",
        n=int(categories["n_events"].sum()),
    )
