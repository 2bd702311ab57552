"""Which figures a study's report shows, and where they are."""

from collections.abc import Callable, Mapping
from typing import Any

from bumpflow.compatibility.settings import shown_observed
from bumpflow.config import shown_dataset
from bumpflow.hunts.settings import shown_histograms
from bumpflow.reconstruction.settings import shown_reconstruction
from bumpflow.resonance import settings as resonance
from bumpflow.simulate.settings import samples_of_kind

FIGURES = {
    "surrogates": [
        "overlays",
        "overlays_log",
        "overlay",
        "overlay_log",
        "divergences",
        "divergences_by_feature",
        "roc",
        "density_ratio",
        "tails",
        "corner",
        "corner_all",
        "training",
        "classifier_training",
        "sampling_rates",
    ],
    "histfactory": [
        "selection_roc",
        "selection_score",
        "selection_features",
        "reweighting",
        "templates",
        "fits",
        "nuisances",
        "signal_strength",
        "spurious_signal",
        "significance",
        "limits_luminosity",
        "limits_generated",
        "limit_difference",
        "toys",
    ],
    "simulation": [
        "benchmark_background",
        "benchmark_signal",
        "benchmark_roc",
        "benchmark_masses",
        "jet_response",
        "diphoton_features",
        "double_higgs",
        "b_mesons",
        "mixture_spectra",
        "mixture_categories",
        "cutflows",
    ],
    "ddp": [
        "scan_{histogram}",
        "hunt_ranking",
        "hunt_top",
        "hunt_paper",
        "hunt_response",
        "hunt_cells",
        "hunt_coverage",
        "hunt_global_p",
        "hunt_comparison",
        "hunt_examples",
        "hunt_training",
    ],
    "hisigma": [
        "resonance_features",
        "resonance_smearing",
        "resonance_variation",
        "resonance_mass_shapes",
        "resonance_strategies",
        "resonance_post_fit",
        "resonance_signal_like",
        "resonance_uncertainties",
        "resonance_envelope",
        "resonance_systematics",
        "resonance_scan",
        "resonance_belt",
        "resonance_coverage",
    ],
    "alp": [
        "alp_features",
        "alp_posteriors",
        "alp_widths",
        "alp_roc",
        "alp_statistic",
        "alp_sensitivity",
        "alp_gain",
        "alp_hunts",
        "alp_thresholds",
        "alp_purity",
        "alp_scaling",
        "alp_coverage",
        "alp_observed",
        "alp_training",
    ],
    "cinn": [
        "cinn_posteriors",
        "cinn_roles",
        "cinn_calibration",
        "cinn_resolution",
        "cinn_coverage",
        "cinn_displaced",
        "cinn_map",
        "cinn_observed",
        "cinn_training",
    ],
}
"""Figures by analysis, in the order in which they appear; one in braces is made of each."""


SCAN = "scan_{histogram}"
"""Figure of each spectrum that is scanned."""


def smearing_pair(config: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return set-ups of densities without and with smeared features, if a study has both."""
    block = config["hisigma"]
    smeared = {name: block["densities"][name]["smearing"] > 0 for name in block["select"]}
    found = [[name for name in smeared if smeared[name] is kind] for kind in (False, True)]
    return (found[0][0], found[1][0]) if all(found) else None


def varied_features(config: Mapping[str, Any]) -> bool:
    """Return whether systematics vary features of the shown measurement."""
    return bool(config["measurements"][resonance.shown_measurement(config)]["systematics"])


def fitted_by(config: Mapping[str, Any], method: str) -> bool:
    """Return whether a study fits resonances by a method."""
    return method in config["hisigma"]["methods"]


Condition = Callable[[Mapping[str, Any]], Any]
NEEDS: dict[str, Condition] = {
    "diphoton_features": lambda config: samples_of_kind(config, "diphoton"),
    "b_mesons": lambda config: samples_of_kind(config, "bmesons"),
    "resonance_smearing": smearing_pair,
    "resonance_variation": varied_features,
    "resonance_strategies": resonance.has_truth,
    "resonance_envelope": lambda config: fitted_by(config, "envelope"),
    "resonance_systematics": lambda config: (
        varied_features(config) and fitted_by(config, "systematics")
    ),
    "resonance_coverage": resonance.replicas,
    "alp_observed": shown_observed,
    "cinn_observed": shown_reconstruction,
}
"""What figures need that not every study has."""


def figures_of(config: Mapping[str, Any], analysis: str) -> list[str]:
    """Return the names of an analysis's figures that a study can make."""
    names = []
    for name in FIGURES[analysis]:
        if name == SCAN:
            names += [name.format(histogram=one) for one in shown_histograms(config)]
        elif name not in NEEDS or NEEDS[name](config):
            names.append(name)
    return names


def caption_of(analysis: str, name: str) -> str:
    """Return the name of a figure's caption: its own, but all scanned spectra share one."""
    scanned = name not in FIGURES[analysis] and SCAN in FIGURES[analysis]
    return SCAN.replace("{", "").replace("}", "") if scanned else name


def each_figure(config: Mapping[str, Any], pattern: str) -> list[str]:
    """Return ``pattern`` filled in with analysis, dataset and name of each figure.

    Args:
        config: The merged configuration.
        pattern: A path with any of ``{analysis}``, ``{dataset}``, ``{name}`` and ``{caption}``.
    """
    return [
        pattern.format(
            analysis=analysis,
            dataset=shown_dataset(config, analysis),
            name=name,
            caption=caption_of(analysis, name),
        )
        for analysis in config["analyses"]
        for name in figures_of(config, analysis)
    ]
