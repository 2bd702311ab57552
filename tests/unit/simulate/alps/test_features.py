"""What is measured: exact without errors, normal with them, within limits; diphoton masses."""

import numpy as np
import pytest

from bumpflow.simulate.alps.features import FEATURES, diphoton_mass, observe
from bumpflow.simulate.alps.sampling import sample_events
from bumpflow.simulate.alps.settings import Resolution
from tests.unit.simulate.alps.setups import SHIP, build

SETUP = build(SHIP, prior={"mass_gev": [0.1, 4.5], "lifetime_m_per_gev": [0.5, 5]})
PERFECT = Resolution(0.0, 0.0, 1e-9, 0.0)
COARSE = Resolution(0.01, 0.05, 0.002, 0.02)


@pytest.fixture(scope="module")
def events():
    return sample_events(SETUP, [0], seed=8)


def measure(events, resolution, seed=1):
    return observe(events, SETUP, resolution, rng=np.random.default_rng(seed))


def test_perfect_features_are_the_truth(events):
    table = measure(events, PERFECT)
    assert tuple(table) == FEATURES
    features = {name: table[name].to_numpy() for name in FEATURES}
    for i in (1, 2):
        px, py, pz = (events[f"true_{axis}{i}"] for axis in ("px", "py", "pz"))
        px, py, pz = px.to_numpy(), py.to_numpy(), pz.to_numpy()
        size = np.sqrt(px**2 + py**2 + pz**2)
        assert np.exp(features[f"ln_e{i}"]) == pytest.approx(size, rel=1e-9)
        assert np.cos(np.exp(features[f"ln_theta{i}"])) == pytest.approx(pz / size, rel=1e-9)
        transverse = size * np.sin(np.exp(features[f"ln_theta{i}"]))
        assert transverse * np.cos(features[f"phi{i}"]) == pytest.approx(px, rel=1e-6, abs=1e-6)
        assert transverse * np.sin(features[f"phi{i}"]) == pytest.approx(py, rel=1e-6, abs=1e-6)
        for axis in "xy":
            assert features[f"{axis}{i}"].tolist() == events[f"true_{axis}{i}"].tolist()


def test_errors_have_the_stated_sizes_and_are_independent(events):
    perfect, coarse = measure(events, PERFECT), measure(events, COARSE)
    errors = {}
    for i in (1, 2):
        ratio = np.exp(coarse[f"ln_e{i}"] - perfect[f"ln_e{i}"])
        clipped = coarse[f"ln_e{i}"] == 0
        errors[f"e{i}"] = (np.where(clipped, np.nan, ratio) - 1) / 0.05
        theta = np.exp(coarse[f"ln_theta{i}"])
        far = np.exp(perfect[f"ln_theta{i}"]) > 0.012  # from the lower limit
        shift = theta - np.exp(perfect[f"ln_theta{i}"])
        errors[f"theta{i}"] = np.where(far, shift / 0.002, np.nan)
        turn = np.mod(coarse[f"phi{i}"] - perfect[f"phi{i}"] + np.pi, 2 * np.pi) - np.pi
        errors[f"phi{i}"] = turn / 0.02
        for axis, end in (("x", 1.9), ("y", 2.9)):
            inside = np.abs(perfect[f"{axis}{i}"]) < end
            shift = coarse[f"{axis}{i}"] - perfect[f"{axis}{i}"]
            errors[f"{axis}{i}"] = np.where(inside, shift / 0.01, np.nan)
    for name, values in errors.items():
        known = np.asarray(values)[~np.isnan(values)]
        assert len(known) > 300, name
        assert known.mean() == pytest.approx(0, abs=4 / np.sqrt(len(known))), name
        assert known.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(known))), name
    table = np.ma.masked_invalid(np.array(list(errors.values())))
    pairs = np.ma.corrcoef(table)[np.triu_indices(len(table), 1)]
    assert np.abs(pairs).max() < 0.2


def test_order_of_photons_is_that_of_the_truth(events):
    coarse = measure(events, Resolution(1e-3, 0.5, 0.01, 0.01))
    assert (coarse["ln_e1"] < coarse["ln_e2"]).any()


def test_measured_values_stay_within_limits(events):
    coarse = measure(events, Resolution(1.0, 0.5, 0.05, 1.0))
    for i in (1, 2):
        assert coarse[f"ln_e{i}"].min() == 0
        assert coarse[f"x{i}"].agg(["min", "max"]).tolist() == [-2, 2]
        assert coarse[f"y{i}"].agg(["min", "max"]).tolist() == [-3, 3]
        assert np.exp(coarse[f"ln_theta{i}"]).min() == pytest.approx(0.05)
        assert np.exp(coarse[f"ln_theta{i}"]).max() <= np.pi / 2
        assert coarse[f"phi{i}"].abs().max() <= np.pi
        assert (coarse[f"phi{i}"].abs() == np.pi).sum() == 0


def test_azimuths_wrap_or_stop_at_pi(events):
    behind = events.copy()
    behind[["true_px1", "true_py1"]] = [-1.0, 1e-9]
    wrapped = measure(behind, Resolution(0.0, 0.0, 1e-3, 0.1))["phi1"]
    stopped = measure(behind, Resolution(0.0, 0.0, 1e-3, 0.1, wrap=False))["phi1"]
    assert np.mean(wrapped > 0) == pytest.approx(0.5, abs=0.04)
    assert np.abs(wrapped).min() > np.pi - 0.6
    assert np.mean(stopped == np.pi) == pytest.approx(0.5, abs=0.04)
    assert stopped.min() > np.pi - 0.6
    kept = stopped < np.pi
    assert wrapped[kept].to_numpy() == pytest.approx(stopped[kept].to_numpy())


def test_perfect_measurements_have_the_true_mass(events):
    mass = diphoton_mass(measure(events, PERFECT).to_numpy())
    assert mass == pytest.approx(10 ** events["log10_mass"].to_numpy(), rel=1e-5)


def test_mass_of_a_simple_pair_is_known():
    # 3 and 12 GeV at a right angle: m^2 = 2 E1 E2.
    x = np.array(
        [np.log(3), np.log(12), 0, 0, 0, 0, np.log(np.pi / 4), np.log(np.pi / 4), 0, np.pi]
    )
    assert diphoton_mass(x) == pytest.approx(np.sqrt(72))


def test_photons_in_one_direction_have_no_mass():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1000, 10))
    x[:, 6:8], x[:, 8:] = np.log(rng.uniform(0, 1.5, (1000, 1))), rng.uniform(-3, 3, (1000, 1))
    mass = diphoton_mass(x)
    assert np.all(mass < 1e-7)
    x[:, 8] += 2 * np.pi
    assert np.isfinite(diphoton_mass(x)).all()
