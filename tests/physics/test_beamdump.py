"""B mesons from 400 GeV protons: Pythia and the parametrisation have the spectrum they should."""

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import gamma

from bumpflow.simulate.beamdump import (
    B_MASS_GEV,
    compare_spectra,
    describe,
    fixed_target_settings,
    pick_mesons,
    sample_parametrised,
)
from bumpflow.simulate.kinematics import transverse_momentum
from bumpflow.simulate.particles import unpack_batch
from bumpflow.simulate.processes import PROCESSES

pytestmark = pytest.mark.physics

PROTON, BEAM = 0.93827, 400.0
ENERGY = np.hypot(BEAM, PROTON)
ROOT = np.sqrt(2 * PROTON**2 + 2 * ENERGY * PROTON)


def generate(n_events, *settings):
    """Return momenta of B mesons from Pythia."""
    pythia8 = pytest.importorskip("pythia8mc")
    pythia = pythia8.Pythia("", False)
    beams = fixed_target_settings(momentum_gev=BEAM)
    shared = ["Print:quiet = on", "Random:setSeed = on", "Random:seed = 11"]
    for line in [*shared, *beams, *PROCESSES["bmesons"].settings(), *settings]:
        assert pythia.readString(line), line
    assert pythia.init()
    batches = (unpack_batch(pythia.nextBatch(500)) for _ in range(n_events // 500))
    return np.concatenate([pick_mesons(batch).momentum for batch in batches])


@pytest.fixture(scope="module")
def generated():
    """Return B mesons as our samples have them."""
    return generate(4000)


# Mesons come in pairs whose transverse momenta are correlated by half: 1.5 times the variance.
PAIRED = np.sqrt(1.5)


def check_moments(momenta, *, pz, std, median, pt):
    """Compare moments with expectations, each a number and its own uncertainty."""
    found = describe(momenta[:, 2], quantiles=[0.5])
    transverse = describe(transverse_momentum(momenta))
    for value, error, (expected, uncertainty) in (
        (found["mean"], found["mean_error"], pz),
        (found["std"], found["std_error"], std),
        (found["quantiles"][0], found["quantile_errors"][0], median),
        (transverse["mean"], PAIRED * transverse["mean_error"], pt),
    ):
        assert value == pytest.approx(expected, abs=4 * np.hypot(error, uncertainty))


def test_pythia_makes_the_expected_spectrum(generated):
    # From 40 000 events with two other seeds.
    check_moments(
        generated, pz=(90.6, 0.15), std=(37.28, 0.13), median=(84.2, 0.2), pt=(2.050, 0.005)
    )
    assert len(generated) / 4000 == pytest.approx(1.607, abs=4 * np.sqrt(0.35 / 4000))


def test_other_parton_densities_make_the_spectrum_that_others_found():
    # Measured with Pythia's default densities by a separate program.
    momenta = generate(4000, "PDF:pSet = 13")
    check_moments(momenta, pz=(91.0, 0.3), std=(38.5, 0.3), median=(84.0, 0.3), pt=(2.07, 0.01))


def test_underlying_event_is_part_of_the_spectrum(generated):
    """Without it, mesons have three GeV more spread: the test above would notice."""
    bare = generate(4000, "PartonLevel:MPI = off")
    assert bare[:, 2].std() - generated[:, 2].std() > 2


def test_parametrisation_is_close_to_pythia(generated):
    mesons = sample_parametrised(200_000, np.random.default_rng(1))
    for found in compare_spectra(generated, mesons).values():
        assert found["ks"] < 0.05
        assert found["second"]["mean"] == pytest.approx(found["first"]["mean"], rel=0.05)


def expectation(function):
    """Return the mean of a function of (xF, squared pT) over the density, by integration."""

    def density(square, xf):
        return (1 - abs(xf)) ** 4.2 * np.exp(-square / 5.0)

    def integrate(values):
        # Symmetric in xF; the tail beyond 100 GeV^2 is e^-20.
        return sum(
            dblquad(lambda s, x, sign=sign: values(sign * x, s), 0, 1, 0, 100, epsrel=1e-7)[0]
            for sign in (-1, 1)
        )

    norm = integrate(lambda x, s: density(s, x))
    return integrate(lambda x, s: density(s, x) * function(x, s)) / norm


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
def test_sampled_moments_equal_integrals_of_the_density():
    n = 400_000
    momenta = sample_parametrised(n, np.random.default_rng(6))
    threshold = 2 * B_MASS_GEV + 2 * PROTON
    largest = np.sqrt((ROOT**2 - threshold**2) * (ROOT**2 - (2 * PROTON) ** 2)) / (2 * ROOT)

    def pz(xf, square):
        energy = np.sqrt(B_MASS_GEV**2 + (xf * largest) ** 2 + square)
        return (ENERGY + PROTON) / ROOT * xf * largest + BEAM / ROOT * energy

    mean, square = expectation(pz), expectation(lambda x, s: pz(x, s) ** 2)
    found = describe(momenta[:, 2])
    assert found["mean"] == pytest.approx(mean, abs=4 * found["mean_error"])
    std = np.sqrt(square - mean**2)
    assert found["std"] == pytest.approx(std, abs=4 * found["std_error"])
    transverse = describe(transverse_momentum(momenta))
    exact = np.sqrt(5.0) * gamma(1.5)
    assert transverse["mean"] == pytest.approx(exact, abs=4 * transverse["mean_error"])


def test_sampled_quantiles_of_both_variables_are_exact():
    n = 400_000
    momenta = sample_parametrised(n, np.random.default_rng(6))
    square = transverse_momentum(momenta) ** 2
    probabilities = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    error = np.sqrt(probabilities * (1 - probabilities) / n)
    below = (square[:, None] < -5.0 * np.log1p(-probabilities)).mean(axis=0)
    assert np.all(np.abs(below - probabilities) < 4 * error)
    # Undo the boost to find xF again.
    longitudinal = (ENERGY + PROTON) / ROOT * momenta[:, 2] - BEAM / ROOT * momenta[:, 3]
    xf = longitudinal / 12.19568
    size = 1 - (1 - probabilities) ** (1 / 5.2)
    below = (np.abs(xf)[:, None] < size).mean(axis=0)
    assert np.all(np.abs(below - probabilities) < 4 * error)
    assert np.mean(xf > 0) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(n))
