"""Beam dumps and resolutions: what they mean, and settings that are impossible."""

import numpy as np
import pytest
from scipy.stats import kstest

from bumpflow.simulate.alps.settings import BeamDump, Prior, Resolution
from tests.unit.simulate.alps.setups import DISPLACED, SHIP, SHORT, build

GOOD = {"hit_m": 1e-3, "energy": 0.01, "theta_rad": 5e-3, "phi_rad": 6e-3}


def test_walls_of_the_vessel_are_straight():
    setup = build(SHIP)
    z = 32 + 0.4 * 50
    x, y = 0.6 + 0.4 * 1.35, 1.75 + 0.4 * 1.25
    inside = [[x - 1e-6, 0, z], [-x + 1e-6, 0, z], [0, y - 1e-6, z], [0, 1e-6 - y, z], [0, 0, 82]]
    outside = [[x + 1e-6, 0, z], [-x - 1e-6, 0, z], [0, y + 1e-6, z], [0, -y - 1e-6, z]]
    outside += [[0, 0, 31.99], [0, 0, 82.01], [1.5, 0, 33], [0, 2.5, 33]]
    assert setup.is_in_vessel(np.array(inside)).all()
    assert not setup.is_in_vessel(np.array(outside)).any()


def test_a_window_may_lie_beside_the_beam():
    setup = build(DISPLACED)
    assert setup.is_in_vessel(np.array([3.4, 1.2, 20.0]))
    assert not setup.is_in_vessel(np.array([0.9, 0.0, 20.0]))
    points = np.array([[3.4, 0], [1.1, -1.2], [0.9, 0], [3.6, 0], [2, 1.3], [2, -1.3]])
    assert setup.is_in_calorimeter(points).tolist() == [True, True, False, False, False, False]


def test_steepest_lines_bound_the_cosines():
    setup = build(SHIP)
    slope = np.hypot(1.95 / 82, 1.75 / 32)
    assert setup.least_cosine_of_vessel == pytest.approx(np.cos(np.arctan(slope)))
    assert setup.least_cosine == pytest.approx(np.cos(np.arctan(np.hypot(3.95, 6) / 11)))
    assert build(SHORT).least_cosine == 0
    displaced = build(DISPLACED)
    assert displaced.least_cosine_of_vessel == pytest.approx(
        np.cos(np.arctan(np.hypot(3.5, 1.25) / 10))
    )


def test_no_line_is_steeper_than_the_least_cosines():
    rng = np.random.default_rng(3)
    for settings in (SHIP, DISPLACED | {"calorimeter": SHIP["calorimeter"]}):
        setup = build(settings)
        front, length, _ = setup.distances
        low = [min(settings[end][k][0] for end in ("front", "back")) for k in ("x_m", "y_m")]
        high = [max(settings[end][k][1] for end in ("front", "back")) for k in ("x_m", "y_m")]
        at = rng.uniform([*low, front], [*high, front + length], (200_000, 3))
        at = at[setup.is_in_vessel(at)]
        assert np.all(at[:, 2] / np.linalg.norm(at, axis=1) >= setup.least_cosine_of_vessel)
        end = setup.calorimeter
        hit = np.column_stack(
            [rng.uniform(*end.x_m, len(at)), rng.uniform(*end.y_m, len(at)), len(at) * [end.z_m]]
        )
        line = hit - at
        assert np.all(line[:, 2] / np.linalg.norm(line, axis=1) >= setup.least_cosine)


def test_prior_is_flat_in_both_logarithms():
    theta = build(SHIP).prior.sample(20_000, np.random.default_rng(1))
    for column, (low, high) in zip(theta.T, ((0.1, 4.5), (0.05, 500)), strict=True):
        width = np.log10(high / low)
        assert kstest((column - np.log10(low)) / width, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(theta.T)[0, 1]) < 4 / np.sqrt(20_000)


def test_prior_of_decay_lengths_is_a_parallelogram():
    theta = build(SHORT).prior.sample(20_000, np.random.default_rng(1))
    log_length = theta.sum(axis=1)  # c tau = (c tau / m) m
    assert kstest((log_length + 1) / 3, "uniform").pvalue > 1e-3
    assert kstest((theta[:, 0] + 1) / np.log10(45), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(theta[:, 0], log_length)[0, 1]) < 4 / np.sqrt(20_000)
    # As the published networks have them.
    assert theta.mean(axis=0) == pytest.approx([-0.172, 0.672], abs=0.03)
    assert theta.std(axis=0) == pytest.approx([0.477, 0.990], abs=0.02)


def test_shares_of_kaons_are_numbers_or_form_factors():
    assert build(SHIP).fractions == (("k", None),)
    setup = build(SHIP, kaons={"k": 0.25, "kstar": 0.75}, prior=SHIP["prior"])
    assert setup.fractions == (("k", 0.25), ("kstar", 0.75))


WRONG = [
    ({"back": SHIP["back"] | {"z_m": 20}}, r"z = 32 m to 20 m and the calorimeter is at 93 m"),
    ({"calorimeter": SHIP["calorimeter"] | {"z_m": 81}}, "calorimeter is at 81 m"),
    ({"front": SHIP["front"] | {"z_m": 0}}, r"from z = 0 m"),
    ({"front": SHIP["front"] | {"x_m": [0.6, -0.6]}}, r"front: x_m is \[0\.6, -0\.6\]"),
    ({"front": SHIP["front"] | {"y_m": 3}}, r"front: 3 is given where two numbers are needed"),
    ({"front": {"z_m": 32, "x_m": [-1, 1]}}, r"front lacks the setting 'y_m'"),
    ({"min_energy_gev": 0}, r"min_energy_gev is 0, but must be positive"),
    ({"min_energy_gev": 300}, r"need less than the 400 GeV of the beam"),
    ({"min_separation_m": -0.1}, r"min_separation_m is -0\.1"),
    ({"min_separation_m": 7.3}, r"min_separation_m is 7\.3, but two hits .* 7\.21 m apart"),
    ({"beam_momentum_gev": 50}, r"a beam of 50 GeV"),
    ({"kaons": ["kk"]}, r"kaons: 'kk' is not known; did you mean 'k'"),
    ({"kaons": []}, r"needs at least one"),
    ({"kaons": {"k": 0.5, "kstar": 0.6}}, r"\[0\.5, 0\.6\], must be positive and add up to 1"),
    ({"kaons": {"k": 1.5, "kstar": -0.5}}, "must be positive"),
    ({"kaons": {"k": 0.5, "kstar": None}}, "shares of all or of none"),
    ({"kaons": ["kstar"]}, r"reaches 4\.5, but a B meson of 5\.2795 GeV that decays to kstar"),
    ({"prior": {"mass_gev": [0.1, 4.8], "lifetime_m": [1, 2]}}, r"none above 4\.784 GeV"),
    ({"prior": {"mass_gev": [0.1, 4]}}, "one of lifetime_m_per_gev"),
    ({"prior": SHIP["prior"] | {"lifetime_m": [1, 2]}}, "one of lifetime_m_per_gev"),
    ({"prior": {"mass_gev": [0, 4], "lifetime_m": [1, 2]}}, r"prior\.mass_gev begins at 0"),
    ({"prior": {"mass_gev": [1, 1], "lifetime_m": [1, 2]}}, r"prior\.mass_gev is \[1\.0, 1\.0\]"),
    ({"priors": {}}, r"beam dump has no setting 'priors'; did you mean 'prior'"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_impossible_beam_dumps_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        build(SHIP, **changes)


def test_missing_settings_are_named():
    settings = {key: value for key, value in SHIP.items() if key != "kaons"}
    with pytest.raises(ValueError, match="beam dump lacks the setting 'kaons'"):
        BeamDump.from_settings(settings)


def test_resolution_has_one_number_per_measurement():
    assert Resolution.from_settings(GOOD) == Resolution(1e-3, 0.01, 5e-3, 6e-3, wrap=True)
    assert not Resolution.from_settings(GOOD | {"wrap": False}).wrap


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energy": -0.1}, r"resolution\.energy is -0\.1, but cannot be negative"),
        ({"theta_rad": 0}, r"resolution\.theta is 0\.0, but must be between 0 and pi/2"),
        ({"theta": 1}, "resolution has no setting 'theta'; did you mean 'theta_rad'"),
    ],
)
def test_impossible_resolutions_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Resolution.from_settings(GOOD | changes)


def test_prior_needs_one_kind_of_lifetime():
    with pytest.raises(ValueError, match="one of lifetime_m_per_gev"):
        Prior((0.1, 1.0))
