"""Which figures a study's report shows, and where they are."""

from collections.abc import Mapping
from typing import Any

from bumpflow.config import shown_dataset
from bumpflow.hunts.settings import shown_histograms
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
    "hisigma": [],
}
"""Figures by analysis, in the order in which they appear; one in braces is made of each."""


SCAN = "scan_{histogram}"
"""Figure of each spectrum that is scanned."""
NEEDS = {"diphoton_features": "diphoton", "b_mesons": "bmesons"}
"""Figures that need samples of a kind."""


def figures_of(config: Mapping[str, Any], analysis: str) -> list[str]:
    """Return the names of an analysis's figures that a study can make."""
    names = []
    for name in FIGURES[analysis]:
        if name == SCAN:
            names += [name.format(histogram=one) for one in shown_histograms(config)]
        elif name not in NEEDS or samples_of_kind(config, NEEDS[name]):
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
