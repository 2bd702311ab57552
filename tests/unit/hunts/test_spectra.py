"""Drawn histograms with a bump of known significance."""

import dataclasses

import numpy as np
import pytest
import torch

from bumpflow.hunts.families import FAMILIES, PAPER
from bumpflow.hunts.spectra import (
    SpectraSettings,
    draw_backgrounds,
    draw_n_bins,
    draw_spectra,
    gaussian_counts,
    strength_for,
)
from bumpflow.hunts.targets import z_known
from tests.unit.hunts.drawn import SETTINGS, seeded, settings

PAPER_2022 = settings(
    n_bins=(100, 100),
    counts=(100.0, 10_000.0),
    log_counts=False,
    families=dict.fromkeys(PAPER, 1.0),
    stretch=0.0,
    widths=(3.0,),
    any_width=False,
    significance=(1.0, 20.0),
    signal_share=1.0,
    positions=(0.25, 0.77),
    on_centers=True,
    fluctuate_signal=False,
)


def without_signal(chosen):
    """Return settings that draw the same histograms, with signals of no strength."""
    return dataclasses.replace(chosen, significance=(0.0, 0.0))


def test_settings_come_from_a_block():
    block = {key: list(v) if isinstance(v, tuple) else v for key, v in vars(SETTINGS).items()}
    assert SpectraSettings.from_config(block) == SETTINGS


def test_same_state_same_histograms():
    once, again, other = (
        draw_spectra(20, SETTINGS, n_bins=40, generator=seeded(s)) for s in (1, 1, 2)
    )
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert not torch.equal(once.observed, other.observed)


@pytest.mark.parametrize("n_bins", [20, 30, 101, 300])
@pytest.mark.parametrize("chosen", [SETTINGS, PAPER_2022], ids=["default", "2022"])
def test_any_number_of_bins(n_bins, chosen):
    drawn = draw_spectra(50, chosen, n_bins=n_bins, generator=seeded(3))
    assert drawn.observed.shape == drawn.background.shape == (50, n_bins)
    assert drawn.observed.isfinite().all()
    assert (drawn.observed >= 0).all()
    assert (drawn.background.diff(dim=1) <= 0).all()


def test_drawn_settings_are_those_asked_for():
    chosen = settings(families={"line": 3.0, "dijet": 1.0}, signal_share=0.25, n_bins=(30, 33))
    n = 4000
    drawn = draw_spectra(n, chosen, n_bins=30, generator=seeded(4))
    share = (drawn.family == FAMILIES.index("line")).double().mean()
    assert float(share) == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / n))
    there = drawn.width > 0
    assert float(there.double().mean()) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / n))
    assert torch.equal(there, drawn.significance > 0)
    assert drawn.width[there].min() >= 1
    assert drawn.width[there].max() <= 4
    assert drawn.background.min() >= 10 * (1 - 1e-5)
    assert drawn.background.max() <= 1e4 * (1 + 2e-3)
    sizes = {draw_n_bins(chosen, generator=seeded(seed)) for seed in range(40)}
    assert sizes == {30, 31, 32, 33}


def test_simulated_shapes_are_exponentials_of_polynomials():
    chosen = settings(families={"simulated": 1.0})
    shapes = torch.tensor([[3.0, -4.0, 1.0]])
    curves, family = draw_backgrounds(5, chosen, n_bins=40, generator=seeded(5), shapes=shapes)
    t = (torch.arange(40) + 0.5) / 40
    shape = torch.exp(-4 * t + t**2)
    expected = curves[:, :1] * shape / shape[0]
    torch.testing.assert_close(curves, expected, rtol=1e-4, atol=0)
    assert (family == FAMILIES.index("simulated")).all()


def test_simulated_family_without_shapes_is_refused():
    with pytest.raises(ValueError, match="'simulated' needs shapes"):
        draw_backgrounds(5, settings(families={"simulated": 1.0}), n_bins=40, generator=seeded(5))


@pytest.mark.parametrize("counts", [(0.05, 5.0), (10.0, 1e5)])
def test_signal_has_the_requested_asimov_significance(counts):
    background, _ = draw_backgrounds(200, settings(counts=counts), n_bins=60, generator=seeded(6))
    u = torch.rand(3, 200, generator=seeded(7))
    z, position, width = 20 * u[0] * (u[0] > 0.1), 60 * u[1], 0.5 + 4 * u[2]
    signal = gaussian_counts(position, width, n_bins=60)
    s = (signal * strength_for(z, signal, background)[:, None]).double().numpy()
    b = background.double().numpy()
    asimov = np.sqrt(np.maximum(2 * np.sum((b + s) * np.log1p(s / b) - s, axis=1), 0))
    assert asimov == pytest.approx(z.numpy(), rel=1e-4, abs=1e-3)


def test_rows_without_signal_do_not_delay_the_others(monkeypatch):
    signal = gaussian_counts(torch.tensor([10.0, 10.0]), torch.ones(2), n_bins=20)
    calls, log1p = [], torch.log1p
    monkeypatch.setattr(torch, "log1p", lambda x: calls.append(1) or log1p(x))
    strength = strength_for(torch.tensor([0.0, 5.0]), signal, torch.full((2, 20), 100.0))
    assert strength[0] == 0
    assert len(calls) < 8


def test_2022_signal_has_exactly_the_requested_significance():
    drawn = draw_spectra(100, PAPER_2022, n_bins=100, generator=seeded(8))
    fluctuated = draw_spectra(100, without_signal(PAPER_2022), n_bins=100, generator=seeded(8))
    against = fluctuated.observed.double()
    z = z_known(drawn.observed.double(), against, widths=(3.0,), sampled=True)
    bins = drawn.position.floor().long()
    assert bins.min() >= 25
    assert bins.max() <= 76
    found = z[torch.arange(100), 0, bins]
    # the template ends at 4.5 standard deviations
    torch.testing.assert_close(found, drawn.significance.double(), rtol=2e-4, atol=0)


@pytest.mark.parametrize("fluctuates", [False, True])
def test_only_the_signal_of_2022_does_not_fluctuate(fluctuates):
    chosen = dataclasses.replace(
        PAPER_2022, significance=(10.0, 10.0), positions=(0.5, 0.5), fluctuate_signal=fluctuates
    )
    drawn = draw_spectra(300, chosen, n_bins=100, generator=seeded(9))
    empty = draw_spectra(300, without_signal(chosen), n_bins=100, generator=seeded(9))
    added = drawn.observed - empty.observed
    shape = gaussian_counts(drawn.position, drawn.width, n_bins=100, sampled=not fluctuates)
    if fluctuates:
        strength = strength_for(drawn.significance, shape, drawn.background)[:, None]
        window = shape > 0.01
        pulls = ((added - strength * shape) / torch.sqrt(strength * shape))[window]
        n = len(pulls)
        assert torch.equal(added, added.round())
        assert float(pulls.mean()) == pytest.approx(0, abs=4 / np.sqrt(n))
        assert float(pulls.std()) == pytest.approx(1, abs=4 / np.sqrt(2 * n) + 0.02)
    else:
        share = added / added.sum(1, keepdim=True)
        torch.testing.assert_close(share, shape, rtol=0, atol=1e-4)


@pytest.mark.physics
def test_significance_scatters_around_the_request():
    n = 2000
    chosen = settings(
        counts=(1e3, 1e4),
        significance=(5.0, 5.0),
        signal_share=1.0,
        on_centers=True,
        widths=(2.0,),
    )
    drawn = draw_spectra(n, chosen, n_bins=60, generator=seeded(10))
    z = z_known(drawn.observed, drawn.background, widths=(2.0,))
    pulls = z[torch.arange(n), 0, drawn.position.long()] - 5
    assert float(pulls.mean()) == pytest.approx(0, abs=4 / np.sqrt(n))
    assert float(pulls.std()) == pytest.approx(1, abs=4 / np.sqrt(2 * n) + 0.02)


def test_empty_bins_are_redrawn_once_in_2022_mode_only():
    low = {"counts": (0.5, 0.5), "signal_share": 0.0}
    for fluctuate, expected in ((True, np.exp(-0.5)), (False, np.exp(-1.0))):
        chosen = settings(**low, fluctuate_signal=fluctuate)
        drawn = draw_spectra(200, chosen, n_bins=100, generator=seeded(11))
        empty = (drawn.observed == 0).double().mean()
        assert float(empty) == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(20_000) + 1e-3)


def test_signal_counts_sum_to_what_lies_on_the_axis():
    position, width = torch.tensor([20.0, 0.0, 20.5]), torch.tensor([2.0, 2.0, 2.0])
    counts = gaussian_counts(position, width, n_bins=40)
    assert counts.sum(1).tolist() == pytest.approx([1, 0.5, 1], abs=1e-5)
    sampled = gaussian_counts(position, width, n_bins=40, sampled=True)
    assert float(sampled[2, 20]) == pytest.approx(1 / (2 * np.sqrt(2 * np.pi)))
