"""From GeV to the units of the UCI file."""

import numpy as np
import pandas as pd
import pytest

from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.simulate.select.uci import UCI_DIVISORS, derive_divisors, is_nonnegative, to_uci


def made_up_features(n=500, seed=0):
    rng = np.random.default_rng(seed)
    columns = {}
    for name in HIGGS_FEATURES:
        if name.endswith("_btag"):
            columns[name] = rng.integers(0, 3, n)
        elif is_nonnegative(name):
            columns[name] = rng.exponential(50, n) + 20
        else:
            columns[name] = rng.normal(0.3, 1.3, n)
    return pd.DataFrame(columns)


def test_positive_features_get_mean_1_and_signed_ones_deviation_1():
    features = made_up_features()
    scaled = to_uci(features, derive_divisors(features))
    assert tuple(scaled.columns) == HIGGS_FEATURES
    for name in HIGGS_FEATURES:
        measure = scaled[name].mean() if is_nonnegative(name) else scaled[name].std(ddof=0)
        assert measure == pytest.approx(1), name
    # Features are divided, not shifted.
    assert scaled["lepton_eta"].mean() == pytest.approx(0.3 / 1.3, abs=4 / np.sqrt(500))


def test_tags_have_the_levels_of_the_file():
    levels = np.unique(to_uci(made_up_features(), UCI_DIVISORS)["jet_1_btag"])
    assert levels == pytest.approx([0, 1.0865, 2.1731], rel=2e-4)


def test_weights_count():
    features = made_up_features()
    weights = np.repeat([1.0, 0.0], 250)
    weighted = derive_divisors(features, weights=weights)
    assert weighted == pytest.approx(derive_divisors(features[:250]))
    assert weighted["m_bb"] != pytest.approx(derive_divisors(features)["m_bb"])


def test_which_features_are_nonnegative():
    signed = [name for name in HIGGS_FEATURES if not is_nonnegative(name)]
    assert len(signed) == 11
    assert all(name.endswith(("_eta", "_phi")) for name in signed)


def test_every_feature_has_a_fixed_divisor():
    assert tuple(UCI_DIVISORS) == HIGGS_FEATURES
    assert min(UCI_DIVISORS.values()) > 0
    # A uniform azimuth has a standard deviation of pi / sqrt(3).
    assert UCI_DIVISORS["lepton_phi"] == pytest.approx(np.pi / np.sqrt(3), rel=0.01)


def test_faults_are_named():
    features = made_up_features()
    with pytest.raises(ValueError, match=r"\['m_bb'\] are missing"):
        derive_divisors(features.drop(columns="m_bb"))
    with pytest.raises(ValueError, match="jet_4_btag is 0 in all 500 events"):
        derive_divisors(features.assign(jet_4_btag=0))
    with pytest.raises(ValueError, match=r"no divisors of \['m_wwbb'\]"):
        to_uci(features, {name: UCI_DIVISORS[name] for name in HIGGS_FEATURES[:-1]})
