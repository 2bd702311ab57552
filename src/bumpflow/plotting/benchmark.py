"""Generated events beside the real ones of UCI HIGGS: what classifiers say, class by class."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from pandas import DataFrame

from bumpflow.plotting.c2st import Scores, draw_roc, draw_roc_excess, roc_curve
from bumpflow.plotting.names import CLASSIFIERS, ModelStyle

MASS_MARKS = {
    "m_jj": (80.4, r"$m_W$ 80.4"),
    "m_jjj": (172.5, r"$m_t$ 172.5"),
    "m_lv": (80.4, r"$m_W$ 80.4"),
    "m_jlv": (172.5, r"$m_t$ 172.5"),
    "m_bb": (125.0, r"$m_h$ 125"),
    "m_wbb": (325.0, r"$m_{H^\pm}$ 325"),
    "m_wwbb": (425.0, r"$m_H$ 425"),
}
"""Masses [GeV] of the particles whose decay products a feature combines."""


def class_scores(
    ratios: DataFrame, record: Mapping, *, classifier: str, labels: Mapping[str, int]
) -> dict[str, tuple[Scores, tuple[float, float]]]:
    """Return what a classifier says about each class, and the interval of its AUC.

    Args:
        ratios: Columns ``label`` (the class), ``generated`` (1 if so) and
            ``log_ratio_<classifier>``.
        record: By class and classifier, ``auc``, ``auc_uncertainty``, ``auc_low``, ``auc_high``.
        classifier: Name of the classifier.
        labels: Label of each class.
    """
    found = {}
    for name, label in labels.items():
        rows = ratios[ratios["label"] == label]
        table = rows.drop(columns="label").rename(columns={"generated": "label"})
        said = record[name][classifier]
        scores = Scores.from_table(table, record[name], classifier)
        found[name] = scores, (said["auc_low"], said["auc_high"])
    return found


def draw_class_roc_page(
    figure: Figure,
    *,
    scores: Mapping[str, Mapping[str, tuple[Scores, tuple[float, float]]]],
    styles: Mapping[str, ModelStyle],
    confidence: float,
) -> None:
    """Draw ROC curves of all classes, a column per classifier, and their excess over chance.

    Args:
        figure: An empty figure.
        scores: By classifier, then by class, see :func:`class_scores`.
        styles: How each class is drawn.
        confidence: Confidence level of the intervals.
    """
    axes = figure.subplots(2, len(scores), height_ratios=(2.4, 1), squeeze=False, sharey="row")
    rates = np.linspace(0, 1, 201)
    for (upper, lower), (classifier, classes) in zip(axes.T, scores.items(), strict=True):
        upper.plot([0, 1], [0, 1], color="#1f2430", linewidth=0.8, linestyle="--")
        # Chance is drawn for the class of fewest events, where it reaches furthest.
        scarce = min(classes, key=lambda name: len(classes[name][0].real))
        for name, (one, (low, high)) in classes.items():
            curve = roc_curve(one.real, one.generated, rates)
            label = f"{styles[name].label}: {one.auc:.3f} [{low:.3f}, {high:.3f}]"
            draw_roc(upper, rates=rates, efficiencies=curve, style=styles[name], label=label)
            draw_roc_excess(
                lower,
                rates=rates,
                efficiencies=curve,
                n_negative=len(one.real),
                n_positive=len(one.generated),
                style=styles[name],
                band=name == scarce,
            )
        upper.set_title(CLASSIFIERS.get(classifier, classifier))
        title = f"AUC [{100 * confidence:g} % interval]"
        upper.legend(title=title, alignment="left", loc="lower right")
        lower.set_xlabel("share of UCI HIGGS events accepted")
    axes[0, 0].set_ylabel("share of generated events accepted")
    axes[1, 0].set_ylabel("excess over chance")
