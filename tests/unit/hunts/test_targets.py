"""Significance of bumps over a known background."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.special import ndtr, xlogy

from bumpflow.hunts import targets
from bumpflow.hunts.spectra import draw_spectra
from bumpflow.hunts.targets import template, z_known
from tests.unit.hunts.drawn import poisson, seeded, settings

WIDTHS = (1.0, 2.5, 4.0)


def exact(n, b, *, at, width):
    """Return the root of q0 from scipy's minimiser, nothing cut off but the histogram's ends."""
    offsets = np.arange(len(n)) - at
    s = ndtr((offsets + 0.5) / width) - ndtr((offsets - 0.5) / width)

    def nll(mu):
        mean = b + mu * s
        return np.sum(mean - b - xlogy(n, mean / b))

    top = 10 * (n.sum() + 10) / s.sum()
    best = minimize_scalar(nll, bounds=(0, top), method="bounded", options={"xatol": 1e-9 * top})
    return np.sqrt(max(-2 * best.fun, 0.0))


@pytest.mark.parametrize("counts", [(0.5, 10.0), (10.0, 1e5)])
def test_equal_to_a_scalar_minimiser(counts):
    chosen = settings(counts=counts, signal_share=0.7, significance=(1.0, 15.0))
    drawn = draw_spectra(8, chosen, n_bins=30, generator=seeded(1))
    z = z_known(drawn.observed, drawn.background, widths=WIDTHS).double().numpy()
    n, b = drawn.observed.double().numpy(), drawn.background.double().numpy()
    expected = np.array(
        [[[exact(n[r], b[r], at=i, width=w) for i in range(30)] for w in WIDTHS] for r in range(8)]
    )
    assert z.max() > 5
    assert np.maximum(z, 0) == pytest.approx(expected, abs=1e-3)


def test_deficit_has_the_score_tests_significance():
    b = torch.linspace(400, 100, 40, dtype=torch.float64)[None]
    n = b - 15
    s = template(2.0)
    window = slice(20 - len(s) // 2, 21 + len(s) // 2)
    score = float((s * (n / b - 1)[0, window]).sum())
    deviation = float((s**2 / b[0, window]).sum()) ** 0.5
    z = z_known(n, b, widths=(2.0,))
    assert float(z[0, 0, 20]) == pytest.approx(score / deviation)
    assert z[0, 0, 20] < -1


@pytest.mark.physics
@pytest.mark.parametrize("level", [20.0, 1000.0])
def test_standard_normal_without_signal(level):
    n_toys = 4000
    b = (level * torch.exp(-torch.arange(40) / 20)).expand(n_toys, -1)
    z = z_known(poisson(b, seed=2), b, widths=(2.0,))[:, 0].double()
    for at in (0, 12, 39):
        assert float(z[:, at].mean()) == pytest.approx(0, abs=4 / np.sqrt(n_toys))
        # counts of few events have skewed z
        assert float(z[:, at].std()) == pytest.approx(1, abs=4 / np.sqrt(2 * n_toys) + 0.02)


def test_template_is_cut_off_at_the_ends():
    b = torch.full((1, 30), 50.0, dtype=torch.float64)
    n = b.clone()
    n[0, 0] += 30
    z = z_known(n, b, widths=(3.0,))[0, 0]
    assert float(z[0]) == pytest.approx(
        exact(n[0].numpy(), b[0].numpy(), at=0, width=3.0), abs=1e-3
    )
    torch.testing.assert_close(z_known(n.flip(1), b, widths=(3.0,))[0, 0].flip(0), z)


def test_template_holds_the_signal():
    assert float(template(2.0).sum()) == pytest.approx(1, abs=1e-5)
    sampled = template(3.0, sampled=True)
    assert len(sampled) == 2 * 14 + 1
    assert float(sampled[14]) == pytest.approx(1 / (3 * np.sqrt(2 * np.pi)))


def test_single_precision_is_enough():
    chosen = settings(counts=(0.5, 1e5))
    drawn = draw_spectra(100, chosen, n_bins=60, generator=seeded(3))
    single = z_known(drawn.observed, drawn.background, widths=WIDTHS)
    double = z_known(drawn.observed.double(), drawn.background.double(), widths=WIDTHS)
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-3)


def test_series_equals_newtons_method(monkeypatch):
    drawn = draw_spectra(100, settings(), n_bins=60, generator=seeded(4))
    pair = drawn.observed.double(), drawn.background.double()
    fast = z_known(*pair, widths=WIDTHS)
    monkeypatch.setattr(targets, "SMALL", -1.0)
    slow = z_known(*pair, widths=WIDTHS)
    assert not torch.equal(fast, slow)
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-3)


def test_chunks_change_nothing(monkeypatch):
    drawn = draw_spectra(50, settings(), n_bins=40, generator=seeded(5))
    whole = z_known(drawn.observed, drawn.background, widths=WIDTHS)
    monkeypatch.setattr(targets, "CHUNK", 40 * 37 * 7)
    parts = z_known(drawn.observed, drawn.background, widths=WIDTHS)
    torch.testing.assert_close(whole, parts, rtol=1e-5, atol=1e-5)
    assert whole.shape == (50, 3, 40)


def test_empty_histogram_is_a_deficit():
    z = z_known(torch.zeros(1, 30), torch.ones(1, 30), widths=WIDTHS)
    assert z.isfinite().all()
    assert (z < 0).all()
