import numpy as np
import pytest
import torch
from scipy import stats

from bumpflow.preprocess import (
    SCALERS,
    TAIL_EVENTS,
    UNIT_SCALER,
    GaussRank,
    LogitStandardise,
    Rank,
)

scalers = pytest.mark.parametrize("name", sorted(SCALERS))


def events(n=5000, seed=0):
    """Return features of the kinds that occur: a threshold, a peak, a symmetric one, a grid."""
    rng = np.random.default_rng(seed)
    columns = [
        0.27 + rng.exponential(0.6, n),
        0.985 + 0.005 * rng.standard_t(2, n),
        rng.uniform(-2.5, 2.5, n),
        np.round(rng.normal(size=n), 2),
    ]
    return torch.tensor(np.stack(columns, axis=1), dtype=torch.float32)


@scalers
def test_inverse_undoes_forward_inside_the_training_range(name):
    x = events()
    scaler = SCALERS[name](4).fit(x)
    z, _ = scaler(x)
    torch.testing.assert_close(scaler.inverse(z), x.double(), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("name", sorted(set(SCALERS) - {UNIT_SCALER}))
def test_monotone_and_finite_far_outside(name):
    scaler = SCALERS[name](4).fit(events())
    x = torch.linspace(-1000, 1000, 20_001, dtype=torch.float64)[:, None].expand(-1, 4)
    z, log_jacobian = scaler(x)
    assert z.isfinite().all()
    assert log_jacobian.isfinite().all()
    assert (z.diff(dim=0) > 0).all()
    torch.testing.assert_close(scaler.inverse(z), x, rtol=1e-5, atol=1e-5)


@scalers
def test_jacobian_is_the_derivative(name):
    x = events().double()
    scaler = SCALERS[name](4).fit(x)
    some = (x[:300] + 1.7e-4).requires_grad_()  # off the knots, which are events
    z, log_jacobian = scaler(some)
    (slopes,) = torch.autograd.grad(z.sum(), some)
    torch.testing.assert_close(log_jacobian, slopes.log().sum(-1))


def test_gauss_rank_makes_a_standard_normal():
    x = events(20_000)
    z, _ = GaussRank(4).fit(x)(events(20_000, seed=1))
    for feature in range(3):  # unseen events; the fourth lies on a grid
        assert stats.kstest(z[:, feature].numpy(), "norm").pvalue > 1e-4
    np.testing.assert_allclose(z.std(0), 1, atol=0.03)  # 1/sqrt(2) without the quantile's root


def test_gauss_rank_of_a_normal_is_the_identity():
    x = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(3))
    z, _ = GaussRank(1).fit(x)(torch.tensor([[-2.0], [0.0], [1.0], [2.5]]))
    np.testing.assert_allclose(z[:, 0], [-2.0, 0.0, 1.0, 2.5], atol=0.05)


def test_logit_is_standardised():
    x = events()
    z, _ = LogitStandardise(4).fit(x)(x)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(z.std(0), 1, atol=1e-6)


@scalers
def test_state_holds_the_fit(name):
    x = events()
    fitted, empty = SCALERS[name](4).fit(x), SCALERS[name](4)
    empty.load_state_dict(fitted.state_dict())
    torch.testing.assert_close(empty(x)[0], fitted(x)[0], rtol=0, atol=0)


@scalers
def test_constant_feature_is_named(name):
    x = events()
    x[:, 2] = 1.0
    with pytest.raises(ValueError, match="2"):
        SCALERS[name](4).fit(x)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@scalers
def test_feature_that_is_not_finite_is_named(name, value):
    x = events()
    x[17, 1] = value
    with pytest.raises(ValueError, match=r"features \[1\] hold values that are not finite"):
        SCALERS[name](4).fit(x)


def exponential(n=20_000, seed=4, threshold=0.4):
    """Return events above a hard edge, and the density that they come from."""
    x = threshold + np.random.default_rng(seed).exponential(2.0, (n, 1))
    return torch.tensor(x), lambda y: stats.expon(threshold, 2.0).logpdf(y)


def test_rank_makes_a_uniform_feature():
    u, _ = Rank(4).fit(events(20_000))(events(20_000, seed=1))
    for feature in range(3):  # unseen events; the fourth lies on a grid
        assert stats.kstest(u[:, feature].numpy(), "uniform").pvalue > 1e-4
    assert ((u > 0) & (u < 1)).all()


def test_rank_follows_a_hard_edge():
    x, log_density = exponential()
    other, _ = exponential(seed=5)
    scaler = Rank(1).fit(x)
    _, ladj = scaler(other)
    excess = log_density(other[:, 0].numpy()).mean() - ladj.mean().item()
    assert excess == pytest.approx(0, abs=0.005)  # Kullback-Leibler divergence [nats]
    u, below = scaler(torch.tensor([[0.4 - 0.02]]))  # 1 % of the standard deviation
    assert u.item() < 1e-5
    assert below.item() < -6


def test_rank_has_exponential_tails_of_the_mean_excess():
    x, _ = exponential()
    scaler = Rank(1).fit(x)
    ordered = x[:, 0].sort().values
    outside = [ordered[:TAIL_EVENTS], ordered[-TAIL_EVENTS:]]
    ends = scaler.x_knots[0, [0, -1]]
    for tail, end, side in zip(outside, ends, (-1.0, 1.0), strict=True):
        assert (side * (tail - end) > 0).all()
        tau = (tail - end).abs().mean()
        steps = end + side * tau * torch.arange(4, dtype=torch.float64)[:, None]
        u, ladj = scaler(steps)
        share = u if side < 0 else 1 - u
        expected = TAIL_EVENTS / len(x) * torch.exp(-torch.arange(4.0, dtype=torch.float64))
        torch.testing.assert_close(share[:, 0], expected, rtol=1e-9, atol=0)
        torch.testing.assert_close(ladj.exp() * tau, expected, rtol=1e-9, atol=0)


def test_rank_is_smooth_where_its_tails_begin():
    scaler = Rank(4).fit(events())
    for end in (0, -1):
        knot = scaler.x_knots[:, end]
        step = 1e-9 * knot.abs()
        (below, low), (above, high) = (scaler((knot + s)[None]) for s in (-step, step))
        torch.testing.assert_close(below, above, rtol=1e-5, atol=1e-9)
        torch.testing.assert_close(low, high, rtol=0, atol=1e-4)


def test_rank_is_a_normalised_density_of_the_whole_line():
    scaler = Rank(1).fit(exponential()[0])
    x = torch.linspace(-2, 60, 2_000_001, dtype=torch.float64)
    total = torch.trapezoid(scaler(x[:, None])[1].exp(), x)
    assert total.item() == pytest.approx(1, abs=1e-6)


def test_rank_is_finite_far_outside_and_exact_inside():
    x = events().double()
    scaler = Rank(4).fit(x)
    torch.testing.assert_close(scaler.inverse(scaler(x)[0]), x, rtol=1e-9, atol=1e-9)
    far = torch.linspace(-1e4, 1e4, 2001, dtype=torch.float64)[:, None].expand(-1, 4)
    u, ladj = scaler(far)
    assert ladj.isfinite().all()
    assert ((u >= 0) & (u <= 1)).all()
    assert (u.diff(dim=0) >= 0).all()


def test_rank_refuses_an_atom_at_an_end():
    x = events()
    x[:, 2].clamp_(min=-2.0)
    with pytest.raises(ValueError, match="feature 2 has many equal values at one end"):
        Rank(4).fit(x)


def test_rank_of_few_events_is_still_a_density():
    scaler = Rank(1).fit(torch.tensor([[0.1], [0.5], [0.7], [0.9], [1.6]]))
    x = torch.linspace(-40, 40, 400_001, dtype=torch.float64)
    total = torch.trapezoid(scaler(x[:, None])[1].exp(), x)
    assert total.item() == pytest.approx(1, abs=1e-6)
