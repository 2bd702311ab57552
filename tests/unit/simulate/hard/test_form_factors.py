import numpy as np
import pytest

from bumpflow.simulate.hard.form_factors import FormFactorGrid, grid_points, tabulate_form_factors
from bumpflow.simulate.hard.hh_amplitude import differential_crosssection, form_factors


@pytest.fixture(scope="module")
def table():
    return tabulate_form_factors(*grid_points(40, 10), n_nodes=128)


def test_grid_has_the_threshold_and_stays_in_range():
    masses, cosines = grid_points(40, 10, max_mass_gev=2000.0)
    assert len(masses) == 40
    assert np.all(np.diff(masses) > 0)
    assert 345.0 in masses
    assert (masses[0], masses[-1]) == pytest.approx((250.05, 2000))
    assert len(cosines) == 10
    assert cosines[0] == pytest.approx(0, abs=1e-12)
    assert 0.999 < cosines[-1] < 1


def test_grid_that_cannot_be_interpolated_is_refused():
    with pytest.raises(ValueError, match="10 masses and 8 angles are too few"):
        grid_points(10, 8)
    with pytest.raises(ValueError, match="20 masses and 3 angles"):
        grid_points(20, 3)
    masses, cosines = grid_points(14, 4)  # the fewest
    FormFactorGrid(tabulate_form_factors(masses, cosines, n_nodes=48))


def test_points_of_the_table_are_reproduced(table):
    factors = FormFactorGrid(table)(table["m_hh_gev"].to_numpy(), table["cos_theta"].to_numpy())
    expected = table["box_opposite_re"] + 1j * table["box_opposite_im"]
    np.testing.assert_allclose(factors.box_opposite, expected, atol=1e-9)


@pytest.mark.parametrize("kappa_lambda", [0, 1, 5])
def test_interpolation_is_good_to_a_few_per_mille(table, kappa_lambda):
    rng = np.random.default_rng(3)
    mass, cosine = rng.uniform(252, 1500, 400), rng.uniform(-0.99, 0.99, 400)
    interpolated, exact = (
        differential_crosssection(factors(mass, cosine), mass, kappa_lambda=kappa_lambda)
        for factors in (FormFactorGrid(table), form_factors)
    )
    relative = np.abs(interpolated / exact - 1)
    assert np.quantile(relative, 0.9) < 4e-4
    assert relative.max() < 2e-2


def test_rows_may_come_in_any_order(table):
    shuffled = table.sample(frac=1, random_state=1)
    mass, cosine = np.array([300.0, 700.0]), np.array([0.3, -0.8])
    there, here = FormFactorGrid(table)(mass, cosine), FormFactorGrid(shuffled)(mass, cosine)
    np.testing.assert_array_equal(there.box, here.box)


def test_table_without_columns_or_threshold_is_refused(table):
    with pytest.raises(ValueError, match=r"lacks \['box_im'\]"):
        FormFactorGrid(table.drop(columns="box_im"))
    with pytest.raises(ValueError, match=r"no mass is 345\.0 GeV"):
        FormFactorGrid(table[table["m_hh_gev"] != 345.0])
