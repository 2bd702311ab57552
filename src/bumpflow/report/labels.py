"""One table each of how the report calls analyses, subjects and measures."""

from typing import NamedTuple


class Measure(NamedTuple):
    """Column of a headline table.

    Attributes:
        label: Head of the column.
        better: Whether the ``"low"`` or the ``"high"`` value is the better one, if either.
    """

    label: str
    better: str = ""


class Analysis(NamedTuple):
    """Section of the report.

    Attributes:
        title: Its heading.
        lede: What it is about.
        tables: Measures of each headline table, by the table's title.
    """

    title: str
    lede: str
    tables: dict[str, tuple[str, ...]]


MEASURES = {
    "c2st_auc": Measure("AUC, ResMLP", "low"),
    "c2st_auc_trees": Measure("AUC, boosted trees", "low"),
    "c2st_p": Measure("p, ResMLP"),
    "c2st_p_trees": Measure("p, boosted trees"),
    "c2st_accuracy": Measure("accuracy, ResMLP", "low"),
    "c2st_accuracy_trees": Measure("accuracy, boosted trees", "low"),
    "chi2": Measure("χ²", "low"),
    "kl": Measure("Kullback-Leibler", "low"),
    "hellinger": Measure("Hellinger", "low"),
    "wasserstein": Measure("Wasserstein-1", "low"),
    "test_nll": Measure("test \u2212ln p", "low"),
    "parameters": Measure("parameters"),
    "training_seconds": Measure("training time"),
    "sampling_rate": Measure("sampling rate", "high"),
    "training_ratio": Measure("training, ours / nflows", "high"),
    "sampling_ratio": Measure("sampling, ours / nflows", "high"),
    "simulation_ratio": Measure("sampling, ours / full simulation", "high"),
    "efficiency": Measure("efficiency of the cut"),
    "mu_hat": Measure("signal strength, 1 injected"),
    "spurious_over_sigma": Measure("spurious signal / \u03c3"),
    "limit": Measure("95 % CLs limit"),
    "limit_shift": Measure("observed / expected limit \u2212 1"),
    "z0": Measure("significance without signal"),
    "pull_mean": Measure("pull mean"),
    "pull_width": Measure("pull width"),
    "coverage68": Measure("coverage, 68.3 %"),
    "coverage95": Measure("coverage, 95 %"),
    "toy_bias_over_sigma": Measure("spurious / \u03c3, mean"),
    "toy_bias_rms": Measure("spurious / \u03c3, r.m.s."),
    "effective_fraction": Measure("effective share of events"),
    "crosssection": Measure("cross-section"),
    "selected": Measure("after the selection"),
    "peak_m_jj": Measure("m(jj)"),
    "peak_m_jjj": Measure("m(jjj)"),
    "peak_m_jlv": Measure("m(j\u2113\u03bd)"),
    "peak_m_bb": Measure("m(bb)"),
    "peak_m_wbb": Measure("m(Wbb)"),
    "peak_m_wwbb": Measure("m(WWbb)"),
    "peak_m_gg": Measure("m(\u03b3\u03b3)"),
    "mean_pz": Measure("mean of pz"),
    "std_pz": Measure("s.d. of pz"),
    "median_pz": Measure("median of pz"),
    "mean_pt": Measure("mean of pT"),
    "ks_pz": Measure("distance in pz"),
    "ks_pt": Measure("distance in pT"),
    "rate": Measure("accepted per second", "high"),
    "memory": Measure("peak memory", "low"),
    "reconstruction_share": Measure("share of the reconstruction", "low"),
    "bias": Measure("mean of predicted \u2212 true"),
    "spread": Measure("standard deviation"),
    "spread68": Measure("half the 16 to 84 % range"),
    "worst_cell_bias": Measure("largest mean in a cell"),
    "within_1_at_5": Measure("within 1 \u03c3 of a true 5 \u03c3"),
    "within_2_at_5": Measure("within 2 \u03c3"),
    "exact_bin": Measure("largest bin exact"),
    "auc": Measure("AUC, largest z"),
    "within_1_bin": Measure("within 1 bin"),
    "auc_evidence": Measure("AUC, odds of a bump"),
    "auc_true": Measure("AUC, true background"),
    "tpr_at_published_fpr": Measure("true positive rate at 17 % false"),
    "tpr": Measure("true positive rate"),
    "fpr": Measure("false positive rate"),
    "in_family": Measure("families of the training"),
    "held_out": Measure("families held out"),
    "z_max": Measure("largest local z"),
    "mass": Measure("at the mass"),
    "global_p": Measure("global p-value"),
    "global_z": Measure("global z"),
    "signal": Measure("fitted signal"),
    "expected_limit": Measure("expected limit"),
    "normalisation": Measure("integral over features"),
    "closure_auc": Measure("AUC, density against background", "low"),
    "s0": Measure("without signal"),
    "s100": Measure("100 signal events"),
    "s200": Measure("200"),
    "s400": Measure("400"),
    "good": Measure("good resolution"),
    "poor": Measure("poor resolution"),
    "max_mean_shift": Measure("largest shift of a mean"),
    "max_variance_ratio": Measure("largest ratio of variances"),
    "validation_loss": Measure("validation loss", "low"),
    "sigma_mass": Measure("\u03c3 of log10 of the mass", "low"),
    "sharpness_ratio": Measure("width, over that of single networks", "low"),
    "sbc_p": Measure("p of uniform ranks"),
    "tarp_max_deviation": Measure("largest deviation of coverage", "low"),
    "spread_ratio_to_mgg": Measure("spread, over that of the diphoton mass", "low"),
}

ANALYSES = {
    "surrogates": Analysis(
        "Surrogates",
        "Density models learn the distribution of simulated background events, generate new"
        " ones, and are judged on events that they have never seen.",
        {
            "Classifier two-sample test": (
                "c2st_auc",
                "c2st_auc_trees",
                "c2st_p",
                "c2st_p_trees",
                "c2st_accuracy",
                "c2st_accuracy_trees",
            ),
            "One-dimensional divergences": ("chi2", "kl", "hellinger", "wasserstein"),
            "Likelihood and cost": (
                "test_nll",
                "parameters",
                "training_seconds",
                "sampling_rate",
                "training_ratio",
                "sampling_ratio",
            ),
        },
    ),
    "histfactory": Analysis(
        "Search",
        "Generated events stand in for Monte Carlo background in a search for signal: selection,"
        " template fits, significance and limits, and what the surrogate's bias and training"
        " uncertainty do to them.",
        {
            "Fits to independent Monte Carlo": (
                "mu_hat",
                "spurious_over_sigma",
                "z0",
                "limit",
                "limit_shift",
            ),
            "Pseudo-experiments with a known truth": (
                "pull_mean",
                "pull_width",
                "coverage68",
                "coverage95",
                "toy_bias_over_sigma",
                "toy_bias_rms",
            ),
            "Selection and weights": ("efficiency", "c2st_auc_trees", "effective_fraction"),
        },
    ),
    "simulation": Analysis(
        "Simulation",
        "Events from hard processes, showers and a parametrised detector, made by this study, and"
        " what they are checked with: the masses of resonances, published cross-sections, and real"
        " events of the HIGGS benchmark.",
        {
            "Samples": ("crosssection", "efficiency", "selected"),
            "Masses of resonances": (
                "peak_m_jj",
                "peak_m_jjj",
                "peak_m_jlv",
                "peak_m_bb",
                "peak_m_wbb",
                "peak_m_wwbb",
                "peak_m_gg",
            ),
            "Generated against real events": ("c2st_auc", "c2st_auc_trees"),
            "Spectra of B mesons": (
                "mean_pz",
                "std_pz",
                "median_pz",
                "mean_pt",
                "ks_pz",
                "ks_pt",
            ),
            "Speed on one core": ("rate", "memory", "reconstruction_share"),
        },
    ),
    "ddp": Analysis(
        "Hunt for bumps",
        "A network maps any falling histogram of counts to the significance of a bump in each of"
        " its bins, without a background model: real spectra with local and global significances,"
        " and what tests with a known truth say about them.",
        {
            "Real spectra": ("z_max", "mass", "global_p", "global_z"),
            "Largest significance, predicted and true": (
                "bias",
                "spread",
                "spread68",
                "worst_cell_bias",
                "within_1_at_5",
                "within_2_at_5",
            ),
            "Signal against background": (
                "exact_bin",
                "within_1_bin",
                "auc",
                "auc_evidence",
                "auc_true",
                "tpr",
                "fpr",
                "tpr_at_published_fpr",
            ),
            "Coverage of predicted intervals": ("coverage68", "coverage95"),
            "Uniformity of global p-values": ("in_family", "held_out"),
        },
    ),
    "hisigma": Analysis(
        "Resonance in many dimensions",
        "Densities of events, learnt from the sidebands and from simulated signal, are fitted to"
        " unbinned data in all features at once: the signal with its intervals, what other strategies"
        " make of the same data, and how often the intervals hold the truth.",
        {
            "Fitted signal": ("signal",),
            "Tests": ("z0", "limit", "expected_limit", "global_p", "closure_auc"),
            "Densities": ("normalisation",),
            "Measurements with a known truth": ("s0", "s100", "s200", "s400"),
        },
    ),
    "alp": Analysis(
        "Hunt for compatible events",
        "Decays of axion-like particles to two photons in a beam dump: events that agree in mass"
        " and lifetime are found among others that do not, without a background model, and their"
        " mass is inferred; beside the published networks, posteriors of both parameters, scores in"
        " closed form, and likelihood ratios.",
        {
            "Hunts and posteriors": ("good", "poor"),
            "Simulated against published features": ("max_mean_shift", "max_variance_ratio"),
        },
    ),
    "cinn": Analysis(
        "Reconstruction from sets of events",
        "Mass and lifetime of an axion-like particle from any number of its decays, measured by any"
        " detector: one network gives the posterior of both for all of them, beside the published"
        " network, the product of posteriors of single events and the diphoton mass. What it says"
        " is checked against the truth, and shows what a detector has to measure.",
        {
            "Published set-up": ("validation_loss", "sigma_mass"),
            "One network for all detectors": ("sharpness_ratio", "tarp_max_deviation", "sbc_p"),
            "Against the diphoton mass": ("spread_ratio_to_mgg",),
        },
    ),
}

NOTES = {
    "Classifier two-sample test": "AUC: area under the ROC curve of a classifier that tells"
    " generated from Monte Carlo events, 0.5 if it cannot, with one standard deviation; p:"
    " permutation p-value of that AUC. The best of each column is bold, the control apart.",
    "One-dimensional divergences": "Means over features, in units of the same divergence between"
    " two Monte Carlo samples: 1 is as good as Monte Carlo itself.",
    "Fits to independent Monte Carlo": "Data are expectations of Monte Carlo that nothing was"
    " trained on, with one unit of signal for the fitted signal strength and without for the rest."
    " Uncertainties include that these Monte Carlo events are few. \u03c3: statistical uncertainty of"
    " the signal strength, from the counts of real data of this luminosity alone. The spurious signal"
    " of generated events is the one after reweighting, and has a row of its own for before.",
    "Pseudo-experiments with a known truth": "The surrogate in use is the truth, from which Monte"
    " Carlo, data and training events of retrained surrogates are drawn. Uncertainties come from"
    " the spread between retrained surrogates. Gaussian factors for the Monte Carlo statistics"
    " (staterror) bias the signal strength where events are few, Poisson ones do not.",
    "Samples": "Cross-sections are of leading order, before any selection, with the branching"
    " fractions of forced decays; that of the parametrised spectrum is 1 pb by convention. Of B mesons,"
    " the efficiency is their number per event.",
    "Masses of resonances": "Where the smoothed distribution is highest, after the correction of"
    " the jets' energies.",
    "Generated against real events": "AUC of classifiers that tell generated from UCI's events, by"
    " class: 0.5 if they cannot. Generators, detectors and corrections of jets differ: equivalence is"
    " not claimed. The mass m(\u2113\u03bd) alone tells most, as it is exactly that of the W boson here.",
    "Real spectra": "The global p-value is the share of toys, drawn from the predicted background,"
    " whose largest significance is at least that of the data; it accounts for all places and"
    " widths that were tried, and is never below 1 / (toys + 1).",
    "Largest significance, predicted and true": "The true significance is the profile likelihood"
    " ratio with the true background. Predictions estimate their background, so that some spread"
    " is unavoidable.",
    "Signal against background": "Signals of 3 \u03c3 in half of the histograms, none in the others."
    " AUC: area under the ROC curve of the largest predicted significance, or of the predicted"
    " odds of a bump. Rates are those of a largest predicted significance above 3 \u03c3 where the"
    " true one is above or below it.",
    "Uniformity of global p-values": "p-values of a Kolmogorov-Smirnov test of whether global"
    " p-values of histograms without signal are uniform, as they should be.",
    "Fitted signal": "Statistical: the densities are taken for the truth. Shift: the signal is uncertain"
    " by the spread that densities from bootstraps of the sidebands give it. Systematics: that, and"
    " the systematics of features. Spread and mixture: nuisances along the bootstraps' differences."
    " Families: the background's shape in mass is profiled. Envelope: as published.",
    "Measurements with a known truth": "Everything is drawn from known densities, again and again:"
    " sidebands, with signal in them, simulation, and data; densities are trained anew. Pulls and bias"
    " are in units of the uncertainty. Errors come from the spread between trainings.",
    "Hunts and posteriors": "Rejection: one over the share of pairs of background that are kept"
    " with 80 or 90 % of pairs of signal. Z: mean two-sided significance for known background."
    " Errors of the first kind: how often background alone is rejected at a nominal level."
    " Sigma: mean standard deviation of posteriors of log10 of the mass.",
    "Simulated against published features": "The largest difference of all features' means and"
    " variances from those of the authors' training events.",
    "Published set-up": "Sets of three events, 1 % in energy and 1 mrad in angles: the published"
    " loss in its own units, and the mean standard deviation of the mass. The published \u03c3 is that of"
    " one example.",
    "One network for all detectors": "Widths are mean standard deviations of log10 of the mass,"
    " relative to networks trained for one detector. Ranks of truths and the coverage of regions"
    " around random points (TARP) come from test sets of all sizes.",
    "Against the diphoton mass": "Spread of estimates of log10 of the mass, ours over that of the"
    " diphoton mass of the same events.",
    "Likelihood and cost": "Likelihoods are those of test events that played no part in training.",
}

PHOTON_HUNTS = {
    "eco": "ECO",
    "epo": "EPO, closed form",
    "epoconv": "EPO, network",
    "bump": "bump hunt",
    "lr": "likelihood ratio",
}
PHOTON_BENCHMARKS = {"m0p2": "0.2 GeV", "m1": "1 GeV", "m4": "4 GeV"}
SUBJECTS = {
    "mademog": "MADEMOG",
    "maf": "MAF",
    "mafmademog": "MAFMADEMOG",
    "rqs": "RQS",
    "glow": "Glow",
    "realnvp": "RealNVP",
    "control": "control (MC against MC)",
    "mc": "Monte Carlo template",
    "mc.poisson": "Monte Carlo template, Poisson statistics",
    "mc.staterror": "Monte Carlo template, Gaussian statistics",
    "surrogate": "generated",
    "unweighted": "generated, before reweighting",
    "reweighted": "reweighted",
    "surrogate.nuisance": "generated, with nuisance",
    "unweighted.nuisance": "generated, before reweighting, with nuisance",
    "reweighted.nuisance": "reweighted, with nuisance",
    "signal": "signal, template",
    "benchmarkbackground": "background",
    "benchmarksignal": "signal",
    "benchmarkbackground.without_m_lv": "background, without m(\u2113\u03bd)",
    "benchmarksignal.without_m_lv": "signal, without m(\u2113\u03bd)",
    "doublehiggs": "gg → HH, no decay",
    "hh": "HH → bb\u03b3\u03b3",
    "bbaa": "bb\u03b3\u03b3 continuum",
    "ccaa": "cc\u03b3\u03b3 continuum",
    "jjaa": "jets and \u03b3\u03b3",
    "heavyhiggs": "H⁰ → WWbb",
    "ttbar8": "tt, one lepton, 8 TeV",
    "qcd13": "multijets, 13 TeV",
    "ttbar13": "tt, 13 TeV",
    "wjets13": "W and jets, 13 TeV",
    "zjets13": "Z/\u03b3* and jets, 13 TeV",
    "dibosons13": "WW, WZ, ZZ, 13 TeV",
    "photonjets13": "photon and jets, 13 TeV",
    "diphotons13": "two photons, 13 TeV",
    "bmesons": "B mesons, Pythia",
    "bparametrised": "B mesons, parametrised",
    "injected": "signal, as data",
    "data": "Monte Carlo background, as data",
    "task2022": "3 \u03c3 in 100 bins, task of 2022",
    "thesis": "0 to 10 \u03c3 in 30 to 100 bins",
    "narrow": "0 to 10 \u03c3, 10 to 1000 entries",
    "dilepton": "dilepton spectra",
    "general": "network for everything",
    "heldout": "network for everything, dijets held out",
    "simulated": "network for everything, simulated spectra",
    "small": "network trained by this study",
    "interval": "largest significance",
    "global_p.ks_p": "p of the test",
    "hyy": "H \u2192 \u03b3\u03b3, ATLAS 2012",
    "dijet": "dijets, CMS",
    "paireddijet": "pairs of dijets, CMS",
    "unsmeared": "without smearing",
    "box": "on the unit box",
    "published": "as published",
    **{
        f"{name}.{method}": f"{label}, {method}"
        for name, label in (
            ("unsmeared", "without smearing"),
            ("box", "on the unit box"),
            ("published", "as published"),
        )
        for method in (
            "statistical",
            "shift",
            "spread",
            "mixture",
            "systematics",
            "families",
            "envelope",
        )
    },
    "coverage68": "coverage, 68.3 %",
    "coverage95": "coverage, 95 %",
    "pull_width": "pull width",
    "moments": "moments of features",
    **{
        f"{hunt}.{measure}.{benchmark}": f"{label}, {text}, {mass}"
        for hunt, label in PHOTON_HUNTS.items()
        for measure, text in (
            ("rejection80", "rejection at 80 %"),
            ("rejection90", "rejection at 90 %"),
            ("auc", "AUC"),
        )
        for benchmark, mass in PHOTON_BENCHMARKS.items()
    },
    **{
        f"{hunt}.z.{benchmark}.{point}": f"{label}, Z, {mass}, {text}"
        for hunt, label in PHOTON_HUNTS.items()
        for benchmark, mass in PHOTON_BENCHMARKS.items()
        for point, text in (("b2s4", "2 background, 4 signal"), ("b6s4", "6 background, 4 signal"))
    },
    **{
        f"posterior.{measure}{suffix}": f"{label}, {text}"
        for measure, text in (
            ("coverage68", "coverage, 68 %"),
            ("coverage95", "coverage, 95 %"),
            ("sigma", "sigma"),
        )
        for suffix, label in (("", "posterior"), (".published", "published posterior"))
    },
    **{
        f"lr.type_one{level}.b{mu_b}": f"likelihood ratio, errors of the first kind, {level} %,"
        f" {mu_b} background"
        for level in (32, 5, 1)
        for mu_b in (2, 6)
    },
    "slides": "all detectors",
    "slides.single": "this detector only",
    "slides.published": "as published",
    "amortised": "all detectors",
    "amortised.mass": "all detectors, mass",
    "amortised.lifetime": "all detectors, lifetime",
    **PHOTON_BENCHMARKS,
    "upsilon": "\u03d2 \u2192 \u03bc\u03bc, CMS",
    "z": "Z \u2192 \u03bc\u03bc, CMS",
}


def analysis_of(name: str) -> Analysis:
    """Return how an analysis is presented; one that the table lacks shows all its measures."""
    return ANALYSES.get(name, Analysis(name.replace("_", " ").capitalize(), "", {}))


def measure_of(name: str) -> Measure:
    """Return how a measure is presented."""
    return MEASURES.get(name, Measure(name.replace("_", " ")))


def subject_of(name: str) -> str:
    """Return what a subject of measurements is called."""
    return SUBJECTS.get(name, name.replace("_", " "))
