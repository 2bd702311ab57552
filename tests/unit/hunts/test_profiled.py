"""Significance of bumps with the background's coefficients profiled."""

import numpy as np
import pytest
import torch
from iminuit import Minuit
from scipy.special import xlogy

from bumpflow.hunts import profiled
from bumpflow.hunts.background_fit import BackgroundFunction, fit_function
from bumpflow.hunts.parametric import profiled_significance, templates
from bumpflow.hunts.profiled import fit_exppoly, z_profiled
from bumpflow.hunts.spectra import draw_spectra
from bumpflow.hunts.targets import z_known
from tests.unit.hunts.drawn import poisson, seeded, settings

WIDTHS = (1.0, 2.5, 4.0)
LOW, HIGH = (0.5, 10.0), (10.0, 1e5)


def drawn(n, *, counts, n_bins=50, seed=1, **changes):
    chosen = settings(**{"counts": counts, "signal_share": 0.7, **changes})
    return draw_spectra(n, chosen, n_bins=n_bins, generator=seeded(seed))


def at_centers(n_bins, degree=4):
    """Return a polynomial's exponential that is not integrated over the bins."""
    t = (2 * np.arange(n_bins) + 1) / n_bins - 1
    powers = t[:, None, None] ** np.arange(degree + 1)
    return BackgroundFunction(f"exppoly{degree}", powers, np.ones((n_bins, 1)))


@pytest.mark.parametrize("counts", [LOW, HIGH])
def test_deficits_and_fits_are_those_of_one_histogram_at_a_time(counts):
    """Excesses there follow the coefficients to first order, so they are never larger."""
    observed = drawn(6, counts=counts).observed
    found = z_profiled(observed, widths=WIDTHS)
    function = at_centers(50)
    for row, values in enumerate(observed.double().numpy()):
        fit = fit_function(values, function)
        z = np.array([profiled_significance(values, fit, width=width) for width in WIDTHS])
        ours, down = found.z[row].double().numpy(), z < 0
        assert ours[down] == pytest.approx(z[down], abs=0.02)
        assert np.all(ours[~down] > z[~down] - 0.02)
        assert float(found.chi2[row]) == pytest.approx(fit.chi2, abs=1e-2)
        pulls = (found.background[row].numpy() - fit.background) / np.sqrt(fit.background)
        assert np.abs(pulls).max() < 0.02


def profile_ratio(values, *, at, width):
    """Return the signed root of the profile likelihood ratio, from two fits by minuit."""
    function, signal = at_centers(len(values)), templates(len(values), width)[at]
    fit = fit_function(values, function)
    basis = function.basis[:, 0]
    scale = np.linalg.inv(np.linalg.qr(np.sqrt(fit.background)[:, None] * basis).R)

    def deviance(phi):
        logs = basis @ (fit.parameters + scale @ phi[:-1])
        mean = np.maximum(np.exp(np.clip(logs, -50, 50)) + phi[-1] * signal, 1e-90)
        return 2 * np.sum(mean - values + xlogy(values, values / mean))

    minuit = Minuit(deviance, np.append(np.zeros(5), 1.0))
    minuit.errordef, minuit.strategy, minuit.tol = 1, 2, 1e-3
    minuit.migrad(ncall=20_000)
    assert minuit.valid
    return np.sign(minuit.values[-1]) * np.sqrt(max(fit.chi2 - minuit.fval, 0.0))


# where a few events decide, the coefficients do not follow linearly
@pytest.mark.parametrize(("counts", "accuracy"), [(LOW, 0.1), (HIGH, 0.03)])
def test_close_to_the_exact_profile_likelihood_ratio(counts, accuracy):
    observed = drawn(3, counts=counts, seed=2, significance=(3.0, 8.0)).observed
    z = z_profiled(observed, widths=WIDTHS).z
    for row, values in enumerate(observed.double().numpy()):
        width, at = divmod(int(z[row].argmax()), 50)
        exact = profile_ratio(values, at=at, width=WIDTHS[width])
        found = float(z[row, width, at])
        assert found == pytest.approx(exact, abs=accuracy)
        assert found < exact + 5e-3  # no path in the coefficients beats the whole space


@pytest.mark.parametrize("counts", [LOW, HIGH])
def test_ends_are_close_to_the_exact_profile_likelihood_ratio(counts):
    """There the coefficients give way to the signal most, and least linearly."""
    observed = drawn(4, counts=counts, seed=3).observed
    z = z_profiled(observed, widths=WIDTHS).z
    for row, values in enumerate(observed.double().numpy()):
        for at in (0, 1, 48, 49):
            found = float(z[row, 0, at])
            if found > 0:
                exact = profile_ratio(values, at=at, width=WIDTHS[0])
                assert found == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("counts", [LOW, HIGH])
def test_series_equals_the_search(monkeypatch, counts):
    observed = drawn(100, counts=counts, seed=4).observed
    fast = z_profiled(observed, widths=WIDTHS).z
    monkeypatch.setattr(profiled, "SMALL", -1.0)
    slow = z_profiled(observed, widths=WIDTHS).z
    assert not torch.equal(fast, slow)
    near = slow < 6
    torch.testing.assert_close(fast[near], slow[near], rtol=0, atol=0.01)
    torch.testing.assert_close(fast, slow, rtol=2e-3, atol=0.01)


@pytest.mark.physics
@pytest.mark.parametrize("level", [100.0, 4000.0])
def test_standard_normal_without_signal(level):
    n_toys = 1500
    t = torch.arange(40) / 40
    observed = poisson((level * torch.exp(-2 * t - t**2)).expand(n_toys, -1), seed=5)
    z = z_profiled(observed, widths=(2.0,)).z[:, 0].double()
    for at in (0, 12, 39):  # an end, where the background's fit takes most of it, and the middle
        assert float(z[:, at].mean()) == pytest.approx(0, abs=4 / np.sqrt(n_toys))
        assert float(z[:, at].std()) == pytest.approx(1, abs=4 / np.sqrt(2 * n_toys))


def test_known_background_is_more_significant():
    t = torch.arange(50, dtype=torch.float64) / 50
    background = 3000 * torch.exp(-3 * t)[None]
    observed = background + 500 * torch.from_numpy(templates(50, 4.0)[20])
    unknown = z_profiled(observed, widths=(4.0,)).z[0, 0, 20]
    known = z_known(observed, background, widths=(4.0,))[0, 0, 20]
    assert 0.3 * known < unknown < 0.9 * known


def test_fit_finds_the_maximum():
    observed = drawn(30, counts=LOW, seed=6).observed
    fit = fit_exppoly(observed, degree=3)
    t = (torch.arange(50, dtype=torch.float64) + 0.5) / 25 - 1
    basis = t[:, None] ** torch.arange(4)
    slope = (observed - fit.background) @ basis
    deviation = torch.sqrt(fit.background @ basis**2)
    assert float((slope / deviation).abs().max()) < 1e-3
    logs = torch.log(fit.background)
    projection = basis @ torch.linalg.lstsq(basis, logs.T).solution
    torch.testing.assert_close(projection.T, logs, rtol=0, atol=1e-6)


def test_degree_of_least_aic_is_taken():
    t = (torch.arange(60, dtype=torch.float64) + 0.5) / 30 - 1
    stiff = torch.exp(8 - t - 0.5 * t**2)
    curved = torch.exp(8 - t + 0.5 * t**5 - 0.4 * t**3)
    observed = torch.cat(
        [poisson(stiff.expand(40, -1), seed=7), poisson(curved.expand(40, -1), seed=8)]
    )
    fit = fit_exppoly(observed, degree=(2, 3, 4, 5))
    assert (fit.degree[:40] == 2).double().mean() > 0.6
    assert (fit.degree[40:] == 5).double().mean() > 0.6
    found = z_profiled(observed, widths=WIDTHS, degree=(2, 3, 4, 5))
    for degree in (2, 5):
        rows = fit.degree == degree
        alone = z_profiled(observed[rows], widths=WIDTHS, degree=degree)
        torch.testing.assert_close(found.z[rows], alone.z)
        torch.testing.assert_close(found.background[rows], alone.background)


def test_precision_and_chunks_change_nothing(monkeypatch):
    observed = drawn(40, counts=(0.5, 1e5), seed=9).observed
    whole = z_profiled(observed, widths=WIDTHS)
    double = z_profiled(observed.double(), widths=WIDTHS)
    assert (whole.z.dtype, double.z.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(whole.z.double(), double.z, rtol=1e-6, atol=1e-6)
    monkeypatch.setattr(profiled, "CHUNK", 50 * 17 * 3)
    parts = z_profiled(observed, widths=WIDTHS)
    torch.testing.assert_close(whole.z, parts.z, rtol=1e-4, atol=1e-4)


def test_sampled_signal_is_another_one():
    observed = drawn(5, counts=HIGH, seed=10).observed
    a, b = (z_profiled(observed, widths=(1.0,), sampled=s).z for s in (False, True))
    assert 1e-3 < float((a - b).abs().max()) < 1


def test_signal_that_the_background_can_imitate_has_no_significance():
    """Over a flat fit a signal as flat is one of its directions; counts are none of them."""
    beside = torch.tensor([1.0, -5.0, 10.0, -10.0, 5.0, -1.0])  # orthogonal to degrees 0 to 4
    z = z_profiled((100 + 4 * beside)[None], widths=(300.0, 0.3)).z
    assert (z[:, 0] == 0).all()
    assert (z[:, 1].abs() > 1e-3).any()


def test_sparse_histograms_stay_finite():
    observed = torch.zeros(4, 30)
    observed[1, 3] = 1
    observed[2, -1] = 1e6
    observed[3, ::9] = 1
    found = z_profiled(observed, widths=WIDTHS, degree=(2, 5))
    assert all(part.isfinite().all() for part in found)
    assert found.z[0].abs().max() < 0.01
    assert found.z.abs().max() < 5


def test_too_few_bins_are_refused():
    with pytest.raises(ValueError, match=r"degree 5 needs more than 6 bins, .* have 6"):
        z_profiled(torch.ones(2, 6), widths=(1.0,), degree=(2, 5))
