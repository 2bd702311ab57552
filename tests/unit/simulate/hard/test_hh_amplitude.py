import numpy as np
import pytest

from bumpflow.simulate.hard.hh_amplitude import (
    FormFactors,
    _adjacent_box,
    _opposite_box,
    differential_crosssection,
    form_factors,
)


def test_heavy_top_quarks_leave_the_known_constants():
    factors = form_factors([300.0], [0.3], top_mass_gev=20_000.0)
    assert factors.triangle == pytest.approx([2 / 3], abs=1e-4)
    assert factors.box == pytest.approx([-2 / 3], abs=1e-4)
    assert factors.box_opposite == pytest.approx([0], abs=1e-4)


def feynman_box(squares):
    """Box of unit masses by its three Feynman parameters, where nothing is on its mass shell."""
    node, weight = np.polynomial.legendre.leggauss(24)
    a, b, c = (part.ravel() for part in np.meshgrid(*[(node + 1) / 2] * 3, indexing="ij"))
    weights = np.einsum("i,j,k->ijk", *[weight / 2] * 3).ravel()
    x = np.stack([1 - a, a * (1 - b), a * b * (1 - c), a * b * c])
    quadratic = sum(q * x[i] * x[j] for (i, j), q in squares.items())
    return (weights * a**2 * b / (1 - quadratic) ** 2).sum()


def test_boxes_equal_their_feynman_integrals_below_threshold():
    s, t, h = np.array([3.3]), np.array([-0.9]), 0.5
    u = 2 * h - s - t
    legs = {(2, 3): h, (3, 0): h, (0, 2): s[0], (1, 3): u[0]}
    assert _adjacent_box(s, u, h, 192)[1] == pytest.approx(feynman_box(legs), rel=1e-6)
    legs = {(1, 2): h, (3, 0): h, (0, 2): t[0], (1, 3): u[0]}
    assert _opposite_box(s, t, u, h, 192) == pytest.approx(feynman_box(legs), rel=1e-9)


@pytest.mark.parametrize(
    ("mass", "cosine", "box", "opposite"),
    [
        # by three-dimensional integration on another path
        (400.0, 0.5, -1.149376706 - 0.583928934j, -0.10438653 - 0.06138044j),
        (600.0, 0.2, -0.142773032 - 0.641443181j, -0.07185878 - 0.16676807j),
    ],
)
def test_form_factors_above_threshold(mass, cosine, box, opposite):
    factors = form_factors([mass], [cosine])
    assert factors.box == pytest.approx([box], rel=2e-6)
    assert factors.box_opposite == pytest.approx([opposite], rel=3e-5)


def test_form_factors_do_not_depend_on_which_boson_is_first():
    mass, cosine = np.array([300.0, 500, 900]), np.array([0.2, 0.6, 0.95])
    for there, back in zip(form_factors(mass, cosine), form_factors(mass, -cosine), strict=True):
        np.testing.assert_allclose(there, back, rtol=1e-9)


def test_integration_has_converged_everywhere():
    rng = np.random.default_rng(0)
    mass = np.concatenate([rng.uniform(251, 1000, 200), 345 + rng.uniform(-1, 1, 50)])
    cosine = rng.uniform(-0.999, 0.999, 250)
    usual, finer = (
        differential_crosssection(form_factors(mass, cosine, n_nodes=n), mass) for n in (192, 500)
    )
    np.testing.assert_allclose(usual, finer, rtol=1e-6)


def test_opposite_gluons_cannot_make_a_pair_along_the_beam():
    factors = form_factors([500.0, 500.0], [0.999, 0.99999])
    vanishing = np.abs(factors.box_opposite)
    assert vanishing[1] == pytest.approx(vanishing[0] / 100, rel=0.05)


def test_diagrams_interfere_destructively():
    factors = FormFactors(np.array([2 / 3 + 0j]), np.array([-2 / 3 + 0j]), np.array([0j]))
    mass = np.sqrt(4 * 125.0**2)  # where the triangle's factor is 1
    zero, one, two = (
        differential_crosssection(factors, np.array([mass]), kappa_lambda=k)[0] for k in (0, 1, 2)
    )
    assert one == pytest.approx(0, abs=1e-12 * zero)
    assert zero == pytest.approx(two, rel=1e-6, abs=0)
    expected = 1.1663787e-5**2 / (512 * (2 * np.pi) ** 3) * 4 / 9
    assert zero == pytest.approx(expected, rel=1e-6, abs=0)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (([249.0], [0.0]), {}, "249.0 GeV of a pair is not above 250.0 GeV"),
        (([300.0], [1.0]), {}, "cos_theta.* reaches 1.0"),
        (([800.0], [0.0]), {"higgs_mass_gev": 350.0}, "350.0 GeV decays to top quarks"),
        (([300.0], [0.0]), {"n_nodes": 10}, "10 nodes are too few"),
    ],
)
def test_points_outside_the_formulae_are_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        form_factors(*arguments, **settings)
