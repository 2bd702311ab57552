"""Our own matrix elements against published numbers and earlier, independent computations."""

import numpy as np
import pytest

from bumpflow.simulate.hard.form_factors import grid_points, tabulate_form_factors
from bumpflow.simulate.hard.hh_process import DoubleHiggs
from bumpflow.simulate.hard.qqaa_channels import DiphotonSettings
from bumpflow.simulate.hard.qqaa_process import DiphotonBackground, adapt_phase_space
from bumpflow.simulate.kinematics import invariant_mass

pytestmark = pytest.mark.physics


@pytest.fixture(scope="module")
def form_factors():
    return tabulate_form_factors(*grid_points(80, 16))


def pair_crosssection_fb(form_factors, **settings):
    process = DoubleHiggs(form_factors, energy_gev=14000.0, **settings)
    return 1000 * process.pair_crosssection_pb


def test_pairs_of_higgs_bosons_have_the_known_crosssection(form_factors):
    """19.85 fb is known with parton densities and masses that differ by per cents from these."""
    found = pair_crosssection_fb(form_factors, pdf="nnpdf31nlo")
    assert found == pytest.approx(19.6, rel=0.01)  # by Monte Carlo with another box integral
    assert found == pytest.approx(19.85, rel=0.03)


@pytest.mark.parametrize(("kappa_lambda", "ratio"), [(0, 2.12), (2.45, 0.42)])
def test_trilinear_coupling_changes_the_crosssection_as_known(form_factors, kappa_lambda, ratio):
    changed = pair_crosssection_fb(form_factors, pdf="nnpdf31nlo", kappa_lambda=kappa_lambda)
    found = changed / pair_crosssection_fb(form_factors, pdf="nnpdf31nlo")
    assert found == pytest.approx(ratio, rel=0.03)


def test_trilinear_coupling_moves_masses(form_factors):
    medians = [
        np.median(
            DoubleHiggs(form_factors, energy_gev=14000.0, pdf="nnpdf31nlo", kappa_lambda=k)
            .draw(20_000, np.random.default_rng(1))
            .scale
            * 2
        )
        for k in (0, 1)
    ]
    assert medians[0] < medians[1] == pytest.approx(439, abs=4)  # 20000 events: 1.2


def test_crosssection_is_a_square_in_the_trilinear_coupling(form_factors):
    values = [
        pair_crosssection_fb(form_factors, pdf="nnpdf31nlo", kappa_lambda=k) for k in (-1, 0, 1, 2)
    ]
    assert np.diff(values, n=3) == pytest.approx([0], abs=1e-3 * max(values))


def test_photons_and_b_quarks_have_the_crosssection_of_an_earlier_computation():
    settings = DiphotonSettings(14000.0, "nnpdf31lo")
    table = adapt_phase_space(
        settings, n_iterations=8, n_evaluations=20_000, rng=np.random.default_rng(1)
    )
    background = DiphotonBackground(table, settings)
    earlier = {"gluons": (23.7, 0.2), "up": (21.4, 0.2), "down": (2.0, 0.05)}
    for channel in background.channels:
        value, error = earlier[channel.name]
        error = np.hypot(error, 1000 * channel.crosssection_error_pb)
        assert 1000 * channel.crosssection_pb == pytest.approx(value, abs=4 * error)
    error = np.hypot(0.3, 1000 * background.crosssection_error_pb)
    assert 1000 * background.crosssection_pb == pytest.approx(47.0, abs=4 * error)
    assert background.crosssection_error_pb < 0.01 * background.crosssection_pb
    falls_smoothly(background)


def falls_smoothly(background):
    """The photons' mass has no peak: fewer events in each bin than in the one before."""
    momenta = background.draw(5000, np.random.default_rng(2)).momenta
    mass = invariant_mass(momenta[:, 4] + momenta[:, 5])
    counts = np.histogram(mass, bins=[90, 110, 130, 150, 170])[0]
    assert np.all(np.diff(counts) < 0)
