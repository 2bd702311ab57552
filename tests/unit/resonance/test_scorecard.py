"""What the scorecard says about resonances."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from bumpflow.resonance.scorecard import (
    closure_quantities,
    coverage_quantities,
    fit_quantities,
    gain_quantities,
    hypothesis_quantities,
    normalisation_quantities,
)

TESTS = {
    "z0": 2.5,
    "limit": 90.0,
    "expected_limits": [30.0, 40.0, 50.0, 60.0, 70.0],
    "scan": {"global_p": 0.1, "global_p_error": 0.02},
}
FITS = pd.DataFrame(
    [
        ("statistical", 0, 100.0, 10.0),
        ("statistical", 1, 140.0, 20.0),
        ("shift", 0, 100.0, 18.0),
        ("shift", 1, 140.0, 24.0),
        ("envelope", 0, 110.0, 30.0),
        ("envelope", 1, 130.0, 30.0),
        ("member0", 0, 110.0, 30.0),
    ],
    columns=["method", "dataset", "signal", "uncertainty"],
)


def named(quantities):
    """Return quantities by their names, which are all different."""
    found = {}
    for quantity in quantities:
        assert quantity.quantity not in found
        found[quantity.quantity] = quantity
    return found


def test_fits_are_averaged_over_data_sets():
    found = named(fit_quantities("box", FITS, n_signal=120))
    methods = ("statistical", "shift", "envelope")
    assert set(found) == {f"hisigma.box.signal.{name}" for name in methods}
    signal = found["hisigma.box.signal.shift"]
    assert (signal.value, signal.uncertainty, signal.n, signal.unit) == (120, 21, 2, "events")
    assert (signal.reference, signal.reference_source) == (120, "injected")


def test_signal_of_data_has_no_reference():
    found = named(fit_quantities("box", FITS, n_signal=None))
    assert found["hisigma.box.signal.shift"].reference is None
    assert found["hisigma.box.signal.shift"].reference_source is None


def test_tests_are_those_of_the_record():
    found = named(hypothesis_quantities("box", FITS, TESTS))
    assert found["hisigma.box.z0"].value == 2.5
    assert found["hisigma.box.limit"].value == 90
    assert found["hisigma.box.expected_limit"].value == 50
    assert found["hisigma.box.global_p"].uncertainty == 0.02


def test_densities_inflate_the_statistical_uncertainty():
    found = named(hypothesis_quantities("box", FITS, TESTS))
    assert found["hisigma.density_inflation"].value == pytest.approx(21 / 15 - 1)
    assert found["hisigma.density_inflation.envelope"].value == pytest.approx(1.0)
    some = FITS[FITS["method"] == "statistical"]
    assert "hisigma.density_inflation" not in named(hypothesis_quantities("box", some, TESTS))


def test_gains_are_averaged_over_data_sets():
    strategies = pd.DataFrame(
        {
            "dataset": [0, 1, 0, 1],
            "strategy": ["cut_and_fit", "cut_and_fit", "mass_only", "mass_only"],
            "uncertainty": [20.0, 25.0, 40.0, 40.0],
        }
    )
    other = FITS.assign(uncertainty=FITS["uncertainty"] * 2)
    fits = {"box": FITS, "published": other}
    found = named(gain_quantities(["box", "published"], fits, strategies))
    gain = found["hisigma.gain_over_cut_and_fit"]
    assert gain.value == pytest.approx((0.5 + 0.2) / 2)
    assert gain.uncertainty == pytest.approx(0.15)
    assert (gain.reference, gain.n) == (0.4, 2)
    assert found["hisigma.gain_over_mass_only"].value == pytest.approx((0.75 + 0.5) / 2)
    assert found["hisigma.gain_over_mass_only"].reference is None
    assert found["hisigma.box.gain"].value == pytest.approx(0.5)
    first = FITS[FITS["dataset"] == 0]
    one = gain_quantities(["box"], {"box": first}, strategies[strategies["dataset"] == 0])
    assert {quantity.uncertainty for quantity in one} == {None}


def test_closure_is_named_by_region():
    table = pd.DataFrame(
        {
            "region": ["signal_region", "lower_edge"],
            "n": [100, 50],
            "value": [0.52, 0.51],
            "uncertainty": [0.02, 0.03],
        }
    )
    first = named(closure_quantities("box", table, first=True))
    assert set(first) == {"hisigma.closure_auc", "hisigma.closure_auc.lower_edge"}
    assert first["hisigma.closure_auc"].value == 0.52
    assert first["hisigma.closure_auc.lower_edge"].n == 50
    other = named(closure_quantities("box", table, first=False))
    assert set(other) == {"hisigma.box.closure_auc", "hisigma.box.closure_auc.lower_edge"}


N_TOYS, N_REPLICAS = 40, 5


@pytest.fixture(scope="module")
def toys():
    """Return toys whose pulls share a shift within each replica."""
    rng = np.random.default_rng(1)
    tables = []
    for replica in range(N_REPLICAS):
        for signal in (0, 200):
            for method in ("shift", "spread", "envelope"):
                pull = rng.normal(size=N_TOYS) + rng.normal()
                part = {"pull": pull, "distance": pull**2, "uncertainty": 10.0}
                part |= {"signal": signal, "method": method, "replica": replica}
                tables.append(pd.DataFrame(part))
    return pd.concat(tables, ignore_index=True)


def test_coverage_is_named_by_signal_and_method(toys):
    found = named(coverage_quantities(toys))
    keys = ("coverage68", "coverage95", "bias", "pull_width")
    expected = {
        f"hisigma.{key}.{stem}"
        for key in keys
        for stem in ("s0", "s200", "s0.spread", "s200.spread")
    }
    assert set(found) == expected | {
        *("hisigma.coverage68.s0.envelope", "hisigma.coverage68.s200.envelope")
    }
    assert found["hisigma.coverage68.s0"].reference == pytest.approx(0.6827, abs=1e-4)
    assert found["hisigma.coverage95.s0"].reference == 0.95
    assert found["hisigma.bias.s0"].n == N_TOYS * N_REPLICAS


def test_errors_of_coverage_are_those_of_the_spread_between_replicas(toys):
    found = named(coverage_quantities(toys))
    part = toys[(toys["signal"] == 200) & (toys["method"] == "shift")]
    for name, values in (
        ("coverage68", part["distance"] < 1),
        ("coverage95", part["distance"] < chi2.ppf(0.95, 1)),
        ("bias", part["pull"]),
    ):
        means = values.groupby(part["replica"]).mean()
        quantity = found[f"hisigma.{name}.s200"]
        assert quantity.value == pytest.approx(values.mean())
        assert quantity.uncertainty == pytest.approx(means.std() / np.sqrt(N_REPLICAS))
    assert found["hisigma.bias.s200"].uncertainty > 3 / np.sqrt(len(part))


def test_failed_fits_are_counted_and_left_out(toys):
    broken = toys.copy()
    rows = broken.index[(broken["signal"] == 0) & (broken["method"] == "shift")][:3]
    broken.loc[rows, ["pull", "distance"]] = np.nan
    found = named(coverage_quantities(broken))
    assert found["hisigma.failed_fits.s0"].value == 3
    assert found["hisigma.bias.s0"].n == N_TOYS * N_REPLICAS - 3
    assert [name for name in found if "failed" in name] == ["hisigma.failed_fits.s0"]


def test_one_replica_has_no_error(toys):
    found = named(coverage_quantities(toys[toys["replica"] == 0]))
    assert found["hisigma.bias.s0"].uncertainty is None


def test_integrals_of_arithmetic_means_are_averaged():
    table = pd.DataFrame(
        {
            "part": ["background", "background", "background", "signal"],
            "density": ["arithmetic", "arithmetic", "geometric", "arithmetic"],
            "integral": [0.99, 1.03, 0.5, 1.02],
            "uncertainty": [0.03, 0.04, 0.1, 0.02],
        }
    )
    found = named(normalisation_quantities(table))
    assert set(found) == {f"hisigma.{name}.normalisation" for name in ("background", "signal")}
    background = found["hisigma.background.normalisation"]
    assert (background.value, background.n) == (pytest.approx(1.01), 2)
    assert background.uncertainty == pytest.approx(0.025)
