r"""One table each of how models, features and measures are drawn and called.

UCI HIGGS stores every feature without a unit: transverse momenta, missing energy and masses
are divided by their mean, pseudorapidities by their standard deviation (Baldi, Sadowski and
Whiteson 2014, https://arxiv.org/abs/1402.4735). Labels of axes say so.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame


class ModelStyle(NamedTuple):
    """How a model or sample appears in every figure."""

    label: str
    color: str
    marker: str


class FeatureStyle(NamedTuple):
    """How a feature appears: symbol, unit or normalisation, and the range that is drawn."""

    symbol: str
    unit: str
    low: float
    high: float

    @property
    def label(self) -> str:
        """Label of an axis."""
        return f"{self.symbol} [{self.unit}]" if self.unit else self.symbol


class ParameterStyle(NamedTuple):
    """How an inferred parameter appears: label of its axis, and of that of its uncertainty."""

    label: str
    width: str


MODELS = {
    "mc": ModelStyle("Monte Carlo", "#1f2430", "o"),
    "mademog": ModelStyle("MADEMOG", "#bd1f01", "o"),
    "maf": ModelStyle("MAF", "#3f90da", "s"),
    "mafmademog": ModelStyle("MAFMADEMOG", "#832db6", "D"),
    "rqs": ModelStyle("RQS", "#f09000", "^"),
    "glow": ModelStyle("Glow", "#2a8a6c", "v"),
    "realnvp": ModelStyle("RealNVP", "#a96b59", "P"),
    "control": ModelStyle("control (MC vs MC)", "#717581", "X"),
}
ARMS = {
    "mc": ModelStyle("Monte Carlo", "#1f2430", "o"),
    "surrogate": ModelStyle("surrogate", "#bd1f01", "s"),
    "reweighted": ModelStyle("reweighted", "#3f90da", "^"),
    "surrogatenuisance": ModelStyle("surrogate + nuisances", "#f09000", "D"),
    "reweightednuisance": ModelStyle("reweighted + nuisances", "#832db6", "v"),
}
"""Background templates of the analysis ``histfactory``, as they appear in all of its figures."""
SIGNAL = ModelStyle("signal", "#2a8a6c", "")
SPARE_COLORS = ("#3f90da", "#bd1f01", "#832db6", "#f09000", "#2a8a6c", "#a96b59", "#b9ac70")

SOURCES = {
    "mc": ModelStyle("UCI HIGGS", "#1f2430", "o"),
    "generated": ModelStyle("generated here", "#bd1f01", "o"),
}
"""The benchmark's real events, as reference, and our own."""
EVENT_CLASSES = {
    "background": ModelStyle(r"background ($t\bar{t}$)", "#3f90da", "o"),
    "signal": ModelStyle(r"signal ($H \to W H^\pm \to WWh$)", "#bd1f01", "s"),
}
SAMPLES = {
    "ttbar8": ModelStyle(r"$t\bar{t}$, 8 TeV", "#3f90da", "o"),
    "heavyhiggs": ModelStyle(r"heavy Higgs bosons, 8 TeV", "#bd1f01", "s"),
    "hh": ModelStyle(r"$HH$", "#bd1f01", "s"),
    "bbaa": ModelStyle(r"$b\bar{b}\gamma\gamma$", "#3f90da", "o"),
    "ccaa": ModelStyle(r"$c\bar{c}\gamma\gamma$", "#717581", "P"),
    "jjaa": ModelStyle(r"jets and $\gamma\gamma$", "#b9ac70", "X"),
    "zh": ModelStyle(r"$ZH$", "#f09000", "^"),
    "tth": ModelStyle(r"$t\bar{t}H$", "#832db6", "D"),
    "ggh": ModelStyle(r"$gg \to H$", "#2a8a6c", "v"),
    "bmesons": ModelStyle("Pythia", "#1f2430", "o"),
    "bparametrised": ModelStyle("parametrisation", "#bd1f01", "s"),
    "qcd13": ModelStyle("multijets", "#b9ac70", "o"),
    "ttbar13": ModelStyle(r"$t\bar{t}$", "#bd1f01", "s"),
    "wjets13": ModelStyle(r"$W$ + jets", "#2a8a6c", "^"),
    "zjets13": ModelStyle(r"$Z/\gamma^*$ + jets", "#3f90da", "v"),
    "dibosons13": ModelStyle("dibosons", "#832db6", "D"),
    "photonjets13": ModelStyle(r"$\gamma$ + jets", "#f09000", "P"),
    "diphotons13": ModelStyle(r"$\gamma\gamma$", "#717581", "X"),
}
"""Samples of generated events; those that one figure shows together have different colours."""
SELECTIONS = {
    "semileptonic": "one lepton and four jets (HIGGS benchmark)",
    "diphoton": "two photons and two b jets",
    "objects": "Standard Model mixture",
    "bmesons": "B mesons in a beam dump",
}
"""Kinds of selections."""
JETS = {
    "b": ModelStyle(r"$b$ jets", "#bd1f01", "s"),
    "light": ModelStyle("light jets", "#3f90da", "o"),
}

COMPONENTS = {
    "signal": SIGNAL,
    "signal_region": ModelStyle("background, signal region", "#f09000", "s"),
    "sidebands": ModelStyle("background, sidebands", "#3f90da", "o"),
}
"""What a resonance's events are."""
METHODS = {
    "statistical": ModelStyle("statistical only", "#1f2430", "o"),
    "shift": ModelStyle("shift of the bootstraps (ours)", "#bd1f01", "s"),
    "systematics": ModelStyle("shift and systematics", "#f09000", "v"),
    "spread": ModelStyle("nuisance per bootstrap", "#3f90da", "^"),
    "mixture": ModelStyle("free mixture of bootstraps", "#832db6", "D"),
    "families": ModelStyle("shapes in mass profiled", "#a96b59", "P"),
    "envelope": ModelStyle("envelope (published)", "#2a8a6c", "X"),
}
"""Ways to account for what is not known of a resonance's densities, in the order of the figures."""
STRATEGIES = {
    "mass_only": "fit of the mass only",
    "cut_and_fit": "cut on a score, then fit of the mass",
    "binned_dnn": "fit of a binned score",
    "binned_dnn_quantiles": "the same, bins of equal signal",
    "classifier_ratio": "classifier's ratio, unbinned",
}
"""What else is done with the same data as densities are fitted to."""
SERIES = {
    "exponential": ModelStyle("exponential", "#3f90da", "o"),
    "power": ModelStyle("power law", "#bd1f01", "s"),
    "inverse": ModelStyle("inverse mass", "#832db6", "^"),
}
"""Families of smooth backgrounds."""

HUNTS = {
    "eco": ModelStyle("ECO", "#3f90da", "s"),
    "epo": ModelStyle("EPO (closed form)", "#bd1f01", "o"),
    "epoconv": ModelStyle("EPO (network)", "#f09000", "^"),
    "bump": ModelStyle("bump hunt", "#717581", "P"),
    "fair": ModelStyle("bump hunt, fair windows", "#b9ac70", "X"),
    "moving": ModelStyle("bump hunt, windows of resolution", "#92a9b5", "p"),
    "lr": ModelStyle("likelihood ratio", "#1f2430", "D"),
    "lrshape": ModelStyle("likelihood ratio, rate unknown", "#832db6", "v"),
    "lrmax": ModelStyle("maximum likelihood ratio", "#2a8a6c", "<"),
}
"""Hunts for events that agree in mass and lifetime."""
POSTERIORS = {
    "mass": ModelStyle("mass (ours)", "#bd1f01", "o"),
    "lifetime": ModelStyle("lifetime (ours)", "#832db6", "s"),
    "published": ModelStyle("mass (as published)", "#3f90da", "^"),
}
"""Posteriors of single events."""
RECONSTRUCTIONS = {
    "diphoton": ModelStyle("diphoton mass", "#717581", "P"),
    "product": ModelStyle("product of single events", "#f09000", "^"),
    "published": ModelStyle("network as published", "#3f90da", "s"),
    "amortised": ModelStyle("network for all detectors (ours)", "#bd1f01", "o"),
    "single": ModelStyle("network for one detector (ours)", "#832db6", "D"),
}
"""Ways to infer the mass from a set of events."""
PARAMETERS = {
    "mass": ParameterStyle(r"mass $m_a$ [GeV]", r"standard deviation of $\log_{10} m_a$"),
    "lifetime": ParameterStyle(
        r"lifetime $c\tau_a / m_a$ [m / GeV]",
        r"standard deviation of $\log_{10}(c\tau_a / m_a)$",
    ),
}
"""What is inferred of axion-like particles."""
SIZE_COLORS = ("#b9ac70", "#f09000", "#a96b59", "#832db6", "#1f2430")
SIZE_MARKERS = "^sDov"
BENCHMARK_COLORS = ("#3f90da", "#bd1f01", "#2a8a6c", "#832db6", "#f09000")
BENCHMARK_MARKERS = "osD^v"

_MEAN, _SPREAD = "mean = 1", "s.d. = 1"
FEATURES = {
    "lepton_pT": FeatureStyle(r"$p_T(\ell)$", _MEAN, 0, 5),
    "lepton_eta": FeatureStyle(r"$\eta(\ell)$", _SPREAD, -4, 4),
    "missing_energy_magnitude": FeatureStyle(r"$E_T^{miss}$", _MEAN, 0, 5),
    "jet_1_pt": FeatureStyle(r"$p_T(j_1)$", _MEAN, 0, 5),
    "jet_1_eta": FeatureStyle(r"$\eta(j_1)$", _SPREAD, -4, 4),
    "jet_2_pt": FeatureStyle(r"$p_T(j_2)$", _MEAN, 0, 5),
    "jet_2_eta": FeatureStyle(r"$\eta(j_2)$", _SPREAD, -4, 4),
    "jet_3_pt": FeatureStyle(r"$p_T(j_3)$", _MEAN, 0, 5),
    "jet_3_eta": FeatureStyle(r"$\eta(j_3)$", _SPREAD, -4, 4),
    "jet_4_pt": FeatureStyle(r"$p_T(j_4)$", _MEAN, 0, 4),
    "jet_4_eta": FeatureStyle(r"$\eta(j_4)$", _SPREAD, -4, 4),
    "m_jj": FeatureStyle(r"$m_{jj}$", _MEAN, 0, 3),
    "m_jjj": FeatureStyle(r"$m_{jjj}$", _MEAN, 0, 3),
    "m_lv": FeatureStyle(r"$m_{\ell\nu}$", _MEAN, 0.9, 1.2),
    "m_jlv": FeatureStyle(r"$m_{j\ell\nu}$", _MEAN, 0, 3),
    "m_bb": FeatureStyle(r"$m_{bb}$", _MEAN, 0, 5),
    "m_wbb": FeatureStyle(r"$m_{Wbb}$", _MEAN, 0, 4),
    "m_wwbb": FeatureStyle(r"$m_{WWbb}$", _MEAN, 0, 3),
    "score": FeatureStyle("classifier score", "", 0, 1),
    "lepton_phi": FeatureStyle(r"$\phi(\ell)$", _SPREAD, -1.75, 1.75),
    "missing_energy_phi": FeatureStyle(r"$\phi^{miss}$", _SPREAD, -1.75, 1.75),
    **{
        f"jet_{n}_phi": FeatureStyle(rf"$\phi(j_{n})$", _SPREAD, -1.75, 1.75) for n in (1, 2, 3, 4)
    },
    **{  # three values each, well inside bins
        f"jet_{n}_btag": FeatureStyle(rf"$b$ tag of $j_{n}$", _MEAN, -0.25, 3.5)
        for n in (1, 2, 3, 4)
    },
}
GEV_FEATURES = {
    "m_jj": FeatureStyle(r"$m_{jj}$", "GeV", 0, 250),
    "m_jjj": FeatureStyle(r"$m_{jjj}$", "GeV", 50, 450),
    "m_lv": FeatureStyle(r"$m_{\ell\nu}$", "GeV", 70, 130),
    "m_jlv": FeatureStyle(r"$m_{j\ell\nu}$", "GeV", 50, 450),
    "m_bb": FeatureStyle(r"$m_{bb}$", "GeV", 0, 350),
    "m_wbb": FeatureStyle(r"$m_{Wbb}$", "GeV", 100, 700),
    "m_wwbb": FeatureStyle(r"$m_{WWbb}$", "GeV", 200, 900),
    "m_gg": FeatureStyle(r"$m_{\gamma\gamma}$", "GeV", 90, 180),
    "m_bbgg": FeatureStyle(r"$m_{bb\gamma\gamma}$", "GeV", 150, 1000),
    "pt_bb": FeatureStyle(r"$p_T(bb)$", "GeV", 0, 400),
    "pt_gg": FeatureStyle(r"$p_T(\gamma\gamma)$", "GeV", 0, 400),
    "pt_gg_over_m": FeatureStyle(r"$p_T(\gamma\gamma) \, / \, m_{\gamma\gamma}$", "", 0, 3),
    "dr_bb": FeatureStyle(r"$\Delta R(b, b)$", "", 0, 5),
    "dr_gg": FeatureStyle(r"$\Delta R(\gamma, \gamma)$", "", 0, 5),
    "pz": FeatureStyle(r"$p_z(B)$", "GeV", 0, 300),
    "pt": FeatureStyle(r"$p_T(B)$", "GeV", 0, 8),
    "energy": FeatureStyle(r"$E(B)$", "GeV", 0, 300),
    "theta_mrad": FeatureStyle(r"$\theta(B)$", "mrad", 0, 150),
}
"""Features of generated events, whose units are physical."""
DIPHOTON = ("m_gg", "m_bb", "m_bbgg", "pt_bb", "pt_gg", "pt_gg_over_m", "dr_bb", "dr_gg")
"""Those of events with two photons and two b jets."""
PHOTONS = {
    "e1": FeatureStyle(r"$E_1$", "GeV", 0, 200),
    "e2": FeatureStyle(r"$E_2$", "GeV", 0, 100),
    "x1": FeatureStyle(r"$x_1$", "m", -2, 2),
    "y1": FeatureStyle(r"$y_1$", "m", -3, 3),
    "x2": FeatureStyle(r"$x_2$", "m", -2, 2),
    "y2": FeatureStyle(r"$y_2$", "m", -3, 3),
    "theta1": FeatureStyle(r"$\theta_1$", "mrad", 0, 80),
    "theta2": FeatureStyle(r"$\theta_2$", "mrad", 0, 120),
    "phi1": FeatureStyle(r"$\phi_1$", "rad", -np.pi, np.pi),
    "phi2": FeatureStyle(r"$\phi_2$", "rad", -np.pi, np.pi),
    "distance": FeatureStyle("distance of hits", "m", 0, 5),
    "log10_m_gg": FeatureStyle(r"$\log_{10}(m_{\gamma\gamma} \, / \, \mathrm{GeV})$", "", -1.6, 1),
}
"""What is measured of two photons in a calorimeter."""
SPECTRA = {
    "ht": FeatureStyle(r"$H_T$", "GeV", 20, 4000),
    "jet_pt": FeatureStyle(r"$p_T(j_1)$", "GeV", 20, 2000),
    "m_jj": FeatureStyle(r"$m_{jj}$", "GeV", 20, 4000),
    "m_ll": FeatureStyle(r"$m_{\ell\ell}$", "GeV", 10, 1000),
    "m_gg": FeatureStyle(r"$m_{\gamma\gamma}$", "GeV", 10, 1000),
    "met": FeatureStyle(r"$E_T^{miss}$", "GeV", 1, 1000),
}
"""Spectra of Standard Model events; their axes are logarithmic."""

MEASURES = {
    "chi2": r"$\chi^2$ distance",
    "kl": "Kullback-Leibler divergence",
    "hellinger": "Hellinger distance",
    "wasserstein": "Wasserstein-1 distance",
}

CLASSIFIERS = {"resmlp": "ResMLP", "trees": "boosted trees"}


def model_style(name: str) -> ModelStyle:
    """Return how a model is drawn; one that the table lacks gets its name and a spare colour."""
    spare = SPARE_COLORS[sum(name.encode()) % len(SPARE_COLORS)]
    return MODELS.get(name, ModelStyle(name, spare, "o"))


def sample_styles(names: Sequence[str]) -> dict[str, ModelStyle]:
    """Return how samples of one figure are drawn, with a colour of its own for each.

    Args:
        names: Samples; those that the table lacks get their name and a colour that is left.
    """
    taken = {SAMPLES[name].color for name in names if name in SAMPLES}
    free = cycle([color for color in SPARE_COLORS if color not in taken] or SPARE_COLORS)
    return {
        name: SAMPLES[name] if name in SAMPLES else ModelStyle(name, next(free), "o")
        for name in names
    }


def benchmark_styles(benchmarks: Mapping[str, Mapping[str, float]]) -> dict[str, ModelStyle]:
    """Return how signals of a known mass are drawn.

    Args:
        benchmarks: ``mass_gev`` by name, among others.
    """
    looks = cycle(zip(BENCHMARK_COLORS, BENCHMARK_MARKERS, strict=True))
    return {
        name: ModelStyle(f"$m_a$ = {point['mass_gev']:g} GeV", *look)
        for (name, point), look in zip(benchmarks.items(), looks, strict=False)
    }


def size_styles(sizes: Sequence[int]) -> dict[int, ModelStyle]:
    """Return how sets of events are drawn.

    Args:
        sizes: Numbers of events; larger ones get further colours.
    """
    looks = cycle(zip(SIZE_COLORS, SIZE_MARKERS, strict=True))
    return {
        n: ModelStyle(f"{n} event" if n == 1 else f"{n} events", *look)
        for n, look in zip(sorted(sizes), looks, strict=False)
    }


def hunt_label(name: str) -> str:
    """Return what a hunt is called; a number behind its name is that of its bins."""
    hunt = name.rstrip("0123456789")
    label = HUNTS[hunt].label if hunt in HUNTS else hunt
    return label if hunt == name else f"{label}, {name.removeprefix(hunt)} bins"


def tail_styles(model: ModelStyle, fraction: float) -> list[ModelStyle]:
    """Return how all events of a model, and its events of low and high density ratio, appear.

    Args:
        model: The model that made the events.
        fraction: Share of the events in each tail.
    """
    return [
        ModelStyle(f"all events of {model.label}", "#e4e7ee", ""),
        ModelStyle(f"made too rarely: lowest {fraction:.0%} of the density ratio", "#3f90da", ""),
        ModelStyle(f"made too often: highest {fraction:.0%}", "#bd1f01", ""),
    ]


def feature_style(name: str, x: NDArray | None = None) -> FeatureStyle:
    """Return how a feature is drawn.

    Args:
        name: Column of the events.
        x: Values of the feature, shape ``(n_events,)``, which give the range of a feature that
            the table lacks: its central 99.8 %.
    """
    if name in FEATURES:
        return FEATURES[name]
    low, high = (0.0, 1.0) if x is None else np.quantile(x, [0.001, 0.999])
    if low == high:
        low, high = low - 0.5, high + 0.5
    return FeatureStyle(name.replace("_", " "), "", float(low), float(high))


def event_styles(
    table: DataFrame, features: Sequence[str], *, mass: str, window: Sequence[float]
) -> dict[str, FeatureStyle]:
    """Return how a resonance's mass and features are drawn, the mass first.

    Args:
        table: Events that give the range of a feature that has no style of ours: its central
            99.8 %.
        features: Columns of features.
        mass: Column of the resonance variable.
        window: Range of the mass that is drawn [GeV].
    """
    symbol = GEV_FEATURES[mass].symbol if mass in DIPHOTON else _words(mass)
    styles = {mass: FeatureStyle(symbol, "GeV", float(window[0]), float(window[1]))}
    for name in features:
        if name in DIPHOTON:
            styles[name] = GEV_FEATURES[name]
            continue
        low, high = np.quantile(table[name].to_numpy(float), [0.001, 0.999])
        styles[name] = FeatureStyle(_words(name), "", float(low), float(max(high, low + 1e-6)))
    return styles


def _words(name: str) -> str:
    """Return a column's name as text that Matplotlib can draw."""
    return name.replace("_", " ").replace("$", r"\$")


def feature_ranges(names: Sequence[str], x: NDArray | None = None) -> NDArray:
    """Return the drawn range of each feature, shape ``(n_features, 2)``.

    Args:
        names: Columns of the events.
        x: Events, shape ``(n_events, n_features)``, for features that the table lacks.
    """
    columns = [None] * len(names) if x is None else list(np.asarray(x).T)
    styles = [feature_style(name, column) for name, column in zip(names, columns, strict=True)]
    return np.array([[style.low, style.high] for style in styles])
