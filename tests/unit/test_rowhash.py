import numpy as np
import pytest

from bumpflow.rowhash import hash_rows


def test_hash_is_what_it_was_in_every_version():
    """These numbers decide every split: another value here breaks all results in existence."""
    columns = np.array([[0.0, 1.0, -2.5], [3.0, 0.1, 1e-30], [7.0, 7.0, 1e30]], dtype="float32")
    assert hash_rows(columns).tolist() == [
        11678480602039633202,
        12533733338298449372,
        10393482782044035710,
    ]
    assert hash_rows(columns[:2], salt=1).tolist() == [
        4935405858329688259,
        13438087707619336929,
        12657198792166256003,
    ]


def test_hash_follows_the_formula_of_splitmix64():
    def mixed(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        return z ^ (z >> 31)

    a, b, c = (int(np.float32(value).view("uint32")) for value in (1.5, -2.0, 0.3))
    start = mixed(4 * 0x9E3779B97F4A7C15 % 2**64)
    expected = mixed(mixed(start ^ (b << 32 | a)) ^ c)
    rows = np.array([[1.5, -2.0, 0.3]])
    assert hash_rows(rows.T, salt=3).tolist() == [expected]


@pytest.mark.parametrize("dtype", [">f4", "<f4", "float64"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_storage_does_not_matter(dtype, order):
    x = np.random.default_rng(0).normal(size=(50, 5)).astype("float32")
    stored = np.asarray(x, dtype=dtype, order=order)
    np.testing.assert_array_equal(hash_rows(stored.T), hash_rows([*x.T]))


def test_every_column_salt_and_order_matters():
    a, b = np.random.default_rng(1).normal(size=(2, 1000)).astype("float32")
    variants = [hash_rows([a]), hash_rows([a, b]), hash_rows([b, a]), hash_rows([a, b], salt=1)]
    assert len(np.unique(np.concatenate(variants))) == 4000


def test_smallest_change_flips_half_of_the_bits():
    x = np.random.default_rng(2).normal(size=(4, 1000)).astype("float32")
    other = [*x[:3], np.nextafter(x[3], np.float32(9))]
    flipped = np.bitwise_count(hash_rows(x) ^ hash_rows(other))
    assert flipped.mean() == pytest.approx(32, abs=4 * np.sqrt(64 / 4 / 1000))


def test_minus_zero_is_zero():
    assert hash_rows(np.float32([[0.0]])) == hash_rows(np.float32([[-0.0]]))


def test_no_columns():
    with pytest.raises(ValueError, match="cannot hash rows without columns"):
        hash_rows([])
