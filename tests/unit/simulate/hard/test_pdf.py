import numpy as np
import pytest

from bumpflow.simulate.hard.pdf import PDF_SETS, PartonDensities, find_grid, find_set

READABLE = [name for name, found in PDF_SETS.items() if found.file]
PARTONS = (21, 1, 2, 3, 4, 5, -1, -2, -3, -4, -5)


@pytest.mark.parametrize("name", ["nnpdf23lo", "nnpdf31lo", "nnpdf31nlo"])
def test_densities_are_those_of_pythia(name):
    pythia8 = pytest.importorskip("pythia8mc")
    pythia = pythia8.Pythia("", False)
    for line in ("Print:quiet = on", "HardQCD:hardbbbar = on", "Beams:eCM = 13000"):
        assert pythia.readString(line)
    assert pythia.readString(f"PDF:pSet = {find_set(name).pset}")
    assert pythia.init()
    theirs = pythia.getPDFPtr(2212)
    rng = np.random.default_rng(1)
    x, q = 10 ** rng.uniform(-4, -0.3, 20), 10 ** rng.uniform(1.2, 3, 20)
    densities = PartonDensities(name)
    for parton in PARTONS:
        expected = [
            theirs.xf(parton, *pair)
            for pair in zip(x.tolist(), np.square(q).tolist(), strict=True)
        ]
        np.testing.assert_allclose(densities.xf(parton, x, q), expected, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("name", READABLE)
def test_partons_carry_all_the_momentum(name):
    nodes, weights = np.polynomial.legendre.leggauss(200)
    low = np.log(1e-6)
    log_x = low * (1 - nodes) / 2
    x = np.exp(log_x)
    densities = PartonDensities(name)
    total = sum(densities.xf(parton, x, np.full(200, 100.0)) for parton in PARTONS)
    # Photons carry up to half a per cent; fractions below 1e-6 a few per mille.
    assert (total * x * weights).sum() * -low / 2 == pytest.approx(1, abs=0.02)


def test_coupling_is_as_given_at_the_z_mass_and_runs_as_it_should():
    for name, n_loops in (("nnpdf31lo", 1), ("nnpdf31nlo", 2)):
        densities = PartonDensities(name)
        at_z = densities.alpha_s(np.array([91.1876]))
        assert at_z == pytest.approx([densities.alpha_s_mz])
        q = np.array([150.0, 150.0 * np.exp(1e-4)])
        low, high = densities.alpha_s(q)
        slope = (high - low) / 2e-4  # by the logarithm of the square of the scale
        b0, b1 = (33 - 10) / (12 * np.pi), (153 - 95) / (24 * np.pi**2)
        expected = -b0 * low**2 - (b1 * low**3 if n_loops == 2 else 0)
        assert slope == pytest.approx(expected, rel=5e-3)


def test_scales_beyond_the_grid_count_as_its_edges():
    densities = PartonDensities("nnpdf31lo")
    x = np.array([0.1])
    assert densities.xf(21, x, np.array([1e9])) == pytest.approx(
        densities.xf(21, x, np.array([1e5])), rel=0.05
    )
    assert np.isfinite(densities.xf(21, x, np.array([0.01]))).all()


def test_unknown_sets_are_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'nnpdf31l0'.*known are cteq6l1, nnpdf23lo"):
        PartonDensities("nnpdf31l0")


def test_sets_in_other_formats_are_refused():
    with pytest.raises(ValueError, match=r"only Pythia can read 'cteq6l1'.*nnpdf23lo"):
        find_grid("cteq6l1")
