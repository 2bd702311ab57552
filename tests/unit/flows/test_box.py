import math

import pytest
import torch
from scipy import stats

from bumpflow.flows.box import FLOOR, AutoregressiveBox, _PolygonLogProb, polygon_quantile
from bumpflow.flows.masked import NetSizes


def box(features=2, context=1, *, knots=6, spread=0.5, seed=0):
    """Return a density whose weights are far from their start."""
    torch.manual_seed(seed)
    flow = AutoregressiveBox(features, context, knots=knots, sizes=NetSizes(16))
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return flow


def test_starts_near_the_uniform_density():
    torch.manual_seed(1)
    flow = AutoregressiveBox(4, 1)
    with torch.no_grad():
        log_prob = flow.log_prob(torch.rand(500, 4), torch.randn(500, 1))
    assert log_prob.abs().mean() < 0.1
    assert log_prob.abs().max() < 0.6


def test_density_is_finite_on_the_closed_box_and_zero_off_it():
    flow = box(context=0)
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1e-9, 0.5, 1.0])] * 2)
    outside = torch.tensor([[-1e-6, 0.5], [0.5, 1.0001], [7.0, 0.5]])
    with torch.no_grad():
        assert flow.log_prob(corners).isfinite().all()
        assert (flow.log_prob(outside) == -torch.inf).all()


def test_gradient_of_a_polygon_is_that_of_autograd():
    torch.manual_seed(2)
    u = torch.rand(40, 3, requires_grad=True)
    parameters = (2 * torch.randn(40, 3, 9)).requires_grad_()
    heights = parameters.softmax(-1) + FLOOR
    cell = (u * 8).long()[..., None]
    left, right = (heights.gather(-1, cell + k)[..., 0] for k in (0, 1))
    plain = torch.lerp(left, right, u * 8 - cell[..., 0]) / torch.trapezoid(heights, dx=1 / 8)
    ours = _PolygonLogProb.apply(u, parameters)
    torch.testing.assert_close(ours, plain.log())
    weight = torch.randn(40, 3)
    for mine, theirs in zip(
        torch.autograd.grad((ours * weight).sum(), (u, parameters), retain_graph=True),
        torch.autograd.grad((plain.log() * weight).sum(), (u, parameters)),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def triangular(p):
    return torch.where(p < 0.5, (p / 2).sqrt(), 1 - ((1 - p) / 2).sqrt())


@pytest.mark.parametrize(
    ("heights", "quantile"),
    [
        ([1.0, 1.0, 1.0], lambda p: p),
        ([0.0, 1.0, 2.0], lambda p: p**0.5),
        ([4.0, 2.0, 0.0], lambda p: 1 - (1 - p) ** 0.5),
        ([0.0, 3.0, 0.0], triangular),
    ],
)
def test_quantiles_of_known_polygons(heights, quantile):
    p = torch.linspace(0, 1, 101, dtype=torch.float64)
    rows = torch.tensor(heights, dtype=torch.float64).expand(101, -1)
    torch.testing.assert_close(polygon_quantile(rows, p), quantile(p))


def test_samples_follow_the_density_under_their_context():
    flow, n, n_cells, n_fine = box(spread=0.3), 40_000, 12, 40
    context = torch.tensor([[0.7]])
    axis = torch.linspace(0, 1, 2 * n_cells * n_fine + 1)[1::2]
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        density = flow.log_prob(grid, context.expand(len(grid), 1)).double().exp()
        drawn = flow.sample(n, context.expand(n, 1), generator=torch.Generator().manual_seed(3))
    cells = density.view(n_cells, n_fine, n_cells, n_fine).mean((1, 3)).flatten() / n_cells**2
    assert cells.sum().item() == pytest.approx(1, abs=1e-3)
    place = (drawn * n_cells).long().clamp_max(n_cells - 1)
    counts = torch.bincount(place[:, 0] * n_cells + place[:, 1], minlength=n_cells**2)
    expected = cells / cells.sum() * n
    many = expected > 10
    chi2 = ((counts - expected)[many].square() / expected[many]).sum().item()
    assert stats.chi2(int(many.sum()) - 1).sf(chi2) > 1e-4
    assert many.sum() > 60
    assert (cells * n_cells**2).log()[many].std() > 0.3  # far from uniform


def test_narrow_conditional_does_not_fall_between_knots():
    """The shift reaches a peak much narrower than the distance of two knots."""
    torch.manual_seed(4)
    u = torch.rand(4000, 1)
    other = (u + 0.01 * torch.randn_like(u)).clamp(0.001, 0.999)
    x = torch.cat([u, other], dim=1)
    flow = AutoregressiveBox(2, knots=5, sizes=NetSizes(32, activation="silu"))
    adam = torch.optim.Adam(flow.parameters(), lr=0.02)
    for _ in range(250):
        adam.zero_grad()
        loss = -flow.log_prob(x[torch.randint(4000, (512,))]).mean()
        loss.backward()
        adam.step()
    with torch.no_grad():
        nll = -flow.log_prob(x).mean().item()
    assert nll < -2.2  # five knots alone would reach -log(4) at best
    assert nll > math.log(0.01 * math.sqrt(2 * math.pi * math.e))  # the entropy


def test_too_few_knots_are_refused():
    with pytest.raises(ValueError, match="knots: 1 do not span the unit interval"):
        AutoregressiveBox(2, knots=1)
