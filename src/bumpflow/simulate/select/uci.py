"""Units of the UCI HIGGS file: every feature divided by a number, so that none has a unit.

Nonnegative features are divided by their mean, the others, which scatter about zero, by their
standard deviation.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.ingest.layout import HIGGS_FEATURES, HIGGS_NONNEGATIVE

UCI_DIVISORS: Mapping[str, float] = MappingProxyType(
    {
        "lepton_pT": 54.6,
        "lepton_eta": 1.027,
        "lepton_phi": 1.802,
        "missing_energy_magnitude": 58.2,
        "missing_energy_phi": 1.802,
        "jet_1_pt": 109.1,
        "jet_1_eta": 1.010,
        "jet_1_phi": 1.802,
        "jet_1_btag": 0.9203543085324528,
        "jet_2_pt": 79.4,
        "jet_2_eta": 1.030,
        "jet_2_phi": 1.802,
        "jet_2_btag": 0.902986669209945,
        "jet_3_pt": 56.9,
        "jet_3_eta": 1.099,
        "jet_3_phi": 1.802,
        "jet_3_btag": 0.7848602193033177,
        "jet_4_pt": 41.1,
        "jet_4_eta": 1.201,
        "jet_4_phi": 1.802,
        "jet_4_btag": 0.6447533539847489,
        "m_jj": 87.7,
        "m_jjj": 179.6,
        "m_lv": 81.4,
        "m_jlv": 195.2,
        "m_bb": 126.5,
        "m_wbb": 336.1,
        "m_wwbb": 511.3,
    }
)
r"""Divisors of the real file [GeV, rad], estimated from its rows; UCI does not publish them.

Relative sizes are those with which its masses follow from its momenta: :math:`m_{bb}` of two
tagged jets (to 0.02 %), then the others in turn. Azimuths end at :math:`\pi`, the levels of tags
are whole numbers, and with the absolute scale the W boson of :math:`m_{\ell\nu}` has 80.4 GeV.
Leptons and jets then start at 15 GeV, and jets end at a pseudorapidity of 3.
"""


def derive_divisors(features: pd.DataFrame, *, weights: NDArray | None = None) -> dict[str, float]:
    """Return by what to divide the features of a sample.

    Args:
        features: Columns :data:`bumpflow.ingest.layout.HIGGS_FEATURES` [GeV, rad].
        weights: Weight of each event; None for equal ones.

    Returns:
        Mean of each feature that cannot be negative, standard deviation of each other one.

    Raises:
        ValueError: If a feature is missing, or all its values are 0.
    """
    _check_columns(features)
    divisors = {}
    for name in HIGGS_FEATURES:
        values = features[name].to_numpy(dtype=float)
        mean = float(np.average(values, weights=weights))
        if is_nonnegative(name):
            divisors[name] = mean
        else:
            variance = np.average(np.square(values - mean), weights=weights)
            divisors[name] = float(np.sqrt(variance))
        if not divisors[name] > 0:
            msg = f"{name} is 0 in all {len(values)} events and cannot be scaled: select others"
            raise ValueError(msg)
    return divisors


def to_uci(features: pd.DataFrame, divisors: Mapping[str, float]) -> pd.DataFrame:
    """Return features without units.

    Args:
        features: Columns :data:`bumpflow.ingest.layout.HIGGS_FEATURES` [GeV, rad].
        divisors: By what to divide each of them: from :func:`derive_divisors`, or
            :data:`UCI_DIVISORS`.

    Raises:
        ValueError: If a feature or its divisor is missing.
    """
    _check_columns(features)
    if missing := [name for name in HIGGS_FEATURES if name not in divisors]:
        msg = f"there are no divisors of {missing}: every feature needs one"
        raise ValueError(msg)
    return pd.DataFrame({name: features[name] / divisors[name] for name in HIGGS_FEATURES})


def is_nonnegative(feature: str) -> bool:
    """Return whether a feature, a mass, magnitude or tag, is never negative."""
    return feature in HIGGS_NONNEGATIVE or feature.endswith("_btag")


def _check_columns(features: pd.DataFrame) -> None:
    """Raise if a feature is missing."""
    if missing := [name for name in HIGGS_FEATURES if name not in features.columns]:
        msg = f"features {missing} are missing: all 28 of the HIGGS benchmark are needed"
        raise ValueError(msg)
