"""Networks that hunt bumps: shapes, gradients, and what their outputs must fulfil."""

import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from bumpflow.hunts.networks import (
    ARCHITECTURES,
    QUANTILES,
    Prediction,
    build_network,
    largest_z,
    positive_part,
)
from bumpflow.hunts.spectra import draw_spectra
from tests.unit.hunts.drawn import poisson, seeded, settings
from tests.unit.hunts.networks import WIDTHS, small_network


def counts(n, n_bins=100, *, seed=2):
    return draw_spectra(n, settings(), n_bins=n_bins, generator=seeded(seed)).observed


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_prediction_has_the_shapes_that_it_says(architecture):
    found = small_network(architecture)(counts(5))
    n_targets = len(WIDTHS) + 1 if architecture == "library" else 1
    shapes = [(5, 100), (5, n_targets, 100), (5, n_targets, 100), (5,), (5, len(QUANTILES)), (5,)]
    assert [tuple(part.shape) for part in found] == shapes
    assert (found.background > 0).all()
    assert (found.quantiles.diff(dim=1) >= 0).all()
    assert all(part.isfinite().all() for part in found)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_reach_every_parameter(architecture):
    network = small_network(architecture)
    with torch.no_grad():
        for parameter in network.parameters():  # layers that start at 0 stop gradients
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=seeded(3)))
    found = network(counts(20))
    spread = found.log_sigma.sum() if found.log_sigma.requires_grad else 0
    total = found.background.log().sum() + found.z.sum() + spread + found.z_max.sum()
    (total + found.quantiles.sum() + found.evidence.sum()).backward()
    without = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().sum() > 0
    ]
    assert without == []


@pytest.mark.parametrize("architecture", ["library", "znet3"])
@pytest.mark.parametrize("n_bins", [20, 57, 130])
def test_any_number_of_bins_will_do(architecture, n_bins):
    assert small_network(architecture)(counts(2, n_bins)).background.shape == (2, n_bins)


def test_znet_takes_one_number_of_bins():
    with pytest.raises(ValueError, match="takes 100 bins, not 60: use another network"):
        small_network("znet")(counts(2, 60))


def test_unknown_architecture_is_refused():
    with pytest.raises(ValueError, match="'resnet' is unknown: there are library, znet, znet3"):
        build_network("resnet", widths=WIDTHS)


def test_histograms_do_not_depend_on_each_other():
    network, observed = small_network().eval(), counts(6)
    together = network(observed)
    for row in range(6):
        alone = network(observed[row : row + 1])
        torch.testing.assert_close(alone.z[0], together.z[row], rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_untrained_network_starts_from_the_likelihood():
    """Before training z is the score test's over the library's background."""
    t = torch.arange(60) / 60
    background = 2000 * torch.exp(-2 * t).expand(200, -1)
    found = small_network()(poisson(background, seed=4))
    assert float(found.z[:, 1, 30].std()) == pytest.approx(1, abs=0.25)
    bump = torch.exp(-0.5 * ((torch.arange(60) - 30) / 2.0) ** 2)
    high = small_network()(poisson(background + 200 * bump, seed=4))
    assert float((high.z[:, 1, 30] - found.z[:, 1, 30]).mean()) > 3


@torch.no_grad()
def test_wider_bins_hold_more():
    """Twice the counts in bins of twice the exposure are the same spectrum."""
    network, t = small_network(), torch.arange(60) / 60
    density = 3000 * torch.exp(-2 * t)[None]
    exposure = torch.ones(60)
    exposure[20:25] = 2.0
    found = network(density * exposure, exposure)
    plain = network(density)
    torch.testing.assert_close(found.background / exposure, plain.background, rtol=0.02, atol=0)
    assert float(found.z[:, :, 15:30].abs().max()) < 1
    assert float(network(density * exposure).z[:, :, 15:30].max()) > 10


def test_positive_part_is_the_mean_of_a_cut_normal():
    for mean, sigma in ((0.0, 1.0), (-1.5, 0.5), (3.0, 0.7)):
        exact = quad(lambda z, m=mean, s=sigma: z * norm.pdf(z, m, s), 0, 20)[0]
        found = positive_part(torch.tensor(mean), torch.tensor(sigma).log())
        assert float(found) == pytest.approx(exact, abs=1e-5)


def test_largest_z_is_the_median():
    quantiles = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    empty = torch.zeros(1)
    found = Prediction(empty, empty, empty, empty, quantiles, empty)
    assert largest_z(found).tolist() == [3.0]
