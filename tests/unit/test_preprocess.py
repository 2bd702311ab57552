import numpy as np
import pytest
import torch
from scipy import stats

from bumpflow.preprocess import SCALERS, GaussRank, LogitStandardise

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


@scalers
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
