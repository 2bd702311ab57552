"""pyBumpHunter behind the adaptor."""

import numpy as np
import pytest
from scipy.stats import binom, norm, poisson

from bumpflow.hunts.bumphunter import hunt, scan, z_of_statistic

BACKGROUND = 200 * np.exp(-np.arange(30) / 10)
EDGES = np.linspace(100, 400, 31)
WIDTHS = (2, 3, 4)


def best_window(values):
    """Return -ln p, first bin and width of the window with the least p-value, by definition."""
    found = [(0.0, 0, WIDTHS[0])]
    for width in WIDTHS:
        for low in range(30 - width + 1):
            n, b = values[low : low + width].sum(), BACKGROUND[low : low + width].sum()
            if n > b:
                found.append((-poisson.logsf(n - 1, b), low, width))
    return max(found)


def draw(n_toys, seed):
    return np.random.default_rng(seed).poisson(BACKGROUND, (n_toys, 30))


def test_scan_finds_the_least_likely_window():
    toys = draw(20, seed=1)
    found = scan(toys, BACKGROUND, widths=WIDTHS)
    exact = [best_window(toy) for toy in toys]
    assert found.statistic == pytest.approx([one[0] for one in exact])
    assert found.bin.tolist() == [low + (width - 1) // 2 for _, low, width in exact]


def test_global_p_value_is_the_share_of_toys_beyond():
    (values,) = draw(1, seed=2)
    found = hunt(values, BACKGROUND, EDGES, widths=WIDTHS, n_toys=400, seed=3)
    statistic, low, width = best_window(values)
    assert found.statistic == pytest.approx(statistic)
    assert (found.low, found.high) == (EDGES[low], EDGES[low + width])
    beyond = np.mean(scan(draw(400, seed=4), BACKGROUND, widths=WIDTHS).statistic >= statistic)
    assert 0.02 < found.p_global < 0.98
    error = found.p_global_uncertainty
    assert error == pytest.approx(binom.std(400, found.p_global) / 400, rel=0.05)
    assert found.p_global == pytest.approx(beyond, abs=4 * np.sqrt(2) * error)
    assert found.z_global == pytest.approx(norm.isf(found.p_global))


def test_strong_signal_has_a_lower_limit_and_finite_numbers():
    values = BACKGROUND.copy()
    values[10:13] += 1e5
    found = hunt(values, BACKGROUND, EDGES, widths=WIDTHS, n_toys=50, seed=3)
    assert found.p_global == 0
    assert found.p_global_uncertainty > 0
    assert found.z_global == pytest.approx(norm.isf(1 / 50))
    assert 8 <= found.bin <= 13  # p-values too small for a float tie
    assert np.isfinite([found.statistic, found.z_local]).all()


def test_no_excess_has_no_significance():
    found = hunt(0.5 * BACKGROUND, BACKGROUND, EDGES, widths=WIDTHS, n_toys=20, seed=3)
    assert found.p_global == 1
    assert (found.statistic, found.z_local) == (0, 0)
    assert found.z_global == pytest.approx(norm.isf(19 / 20))
    assert z_of_statistic(-norm.logsf(np.array([3.0]))) == pytest.approx([3.0])


def test_nothing_is_printed_and_no_global_state_is_left(capsys):
    np.random.seed(8)  # noqa: NPY002
    expected = np.random.random(3)  # noqa: NPY002
    np.random.seed(8)  # noqa: NPY002
    (values,) = draw(1, seed=5)
    first = hunt(values, BACKGROUND, EDGES, widths=WIDTHS, n_toys=30, seed=3)
    again = hunt(values, BACKGROUND, EDGES, widths=WIDTHS, n_toys=30, seed=3)
    assert np.random.random(3) == pytest.approx(expected)  # noqa: NPY002
    assert first._replace(seconds=0) == again._replace(seconds=0)
    assert capsys.readouterr().out == ""


@pytest.mark.physics
def test_global_p_values_are_uniform_without_signal():
    n_hunts, options = 60, {"widths": WIDTHS, "n_toys": 40}
    p = [hunt(n, BACKGROUND, EDGES, seed=i, **options).p_global for i, n in enumerate(draw(60, 6))]
    assert np.mean(p) == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / n_hunts))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (2, 3, 5)}, r"window widths \[2, 3, 5\]: give ascending, evenly spaced"),
        ({"widths": (0, 1)}, "from 1 to 30"),
        ({"n_toys": 1}, "n_toys is 1"),
        ({"values": np.ones(29)}, r"counts of shape \(29,\)"),
        ({"values": np.append(np.ones(29), -1)}, "counts in bin 29 are negative"),
        ({"background": np.zeros(30)}, "background is 0 in all bins"),
    ],
)
def test_messages(change, message):
    given = {"values": BACKGROUND, "background": BACKGROUND, "edges": EDGES}
    with pytest.raises(ValueError, match=message):
        hunt(**(given | {"widths": WIDTHS, "n_toys": 10, "seed": 1} | change))
