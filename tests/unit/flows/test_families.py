import pytest
import torch

from bumpflow.flows.families import FAMILIES, ON_UNIT_BOX, build_flow

SIZES = {
    "mademog": {"hidden_features": 24, "blocks": 1, "components": 3},
    "maf": {"hidden_features": 24, "transforms": 2},
    "mafmademog": {"hidden_features": 24, "transforms": 2, "components": 3},
    "rqs": {"hidden_features": 24, "transforms": 2, "bins": 5},
    "glow": {"hidden_features": 24, "transforms": 3},
    "realnvp": {"hidden_features": 24, "transforms": 3},
    "box": {"hidden_features": 24, "blocks": 1, "knots": 5},
}
COUPLINGS = {"glow", "realnvp"}
AUTOREGRESSIVE = sorted(set(SIZES) - COUPLINGS)
TRANSFORMING = sorted(set(SIZES) - {"mademog", "box"})
families = pytest.mark.parametrize("family", sorted(SIZES))


def points(family, n, features):
    """Return events where the family's densities live."""
    return (torch.rand if family in ON_UNIT_BOX else torch.randn)(n, features)


def shaken(family, features, context=0, seed=0, spread=0.2, **sizes):
    """Return a flow whose weights are far from their start and whose norms have seen data."""
    torch.manual_seed(seed)
    flow = build_flow(family, features, context, SIZES[family] | sizes).train()
    c = torch.randn(256, context) if context else None
    flow.log_prob(1.5 * torch.randn(256, features) + 0.3, c)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return flow.eval()


def test_every_family_is_tested():
    assert set(SIZES) == set(FAMILIES)


@pytest.mark.parametrize("features", [1, 2])
@families
def test_density_integrates_to_one(family, features):
    if features == 1 and family in COUPLINGS:
        with pytest.raises(ValueError, match="at least 2 features"):
            build_flow(family, features, 0, SIZES[family])
        return
    flow = shaken(family, features, spread=0.1)
    if family in ON_UNIT_BOX:
        n = 20_000 if features == 1 else 600
        axis = torch.linspace(0, 1, 2 * n + 1)[1::2]
    else:
        n, reach = (20_001, 40.0) if features == 1 else (601, 13.0)
        axis = torch.linspace(-reach, reach, n)
    grid = torch.cartesian_prod(*[axis] * features).reshape(-1, features)
    with torch.no_grad():
        density = torch.cat([flow.log_prob(part).exp() for part in grid.split(100_000)])
    cell = (axis[1] - axis[0]).double() ** features
    assert density.double().sum() * cell == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("family", TRANSFORMING)
def test_inverse_undoes_forward(family, context):
    flow = shaken(family, 6, context, spread=0.05)
    x = torch.randn(200, 6)
    c = torch.randn(200, context) if context else None
    with torch.no_grad():
        latent, _ = flow.transform(c).call_and_ladj(x)
        back = flow.transform(c).inv(latent)
    torch.testing.assert_close(back, x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", TRANSFORMING)
def test_log_determinant_is_that_of_the_jacobian(family):
    flow = shaken(family, 5)
    x = torch.randn(5)
    jacobian = torch.autograd.functional.jacobian(lambda y: flow.transform(None)(y[None])[0], x)
    _, ladj = flow.transform(None).call_and_ladj(x[None])
    expected = torch.linalg.slogdet(jacobian.double()).logabsdet
    assert ladj.item() == pytest.approx(expected.item(), abs=1e-3)


@pytest.mark.parametrize("family", AUTOREGRESSIVE)
def test_every_conditional_sees_exactly_the_features_before(family):
    """Each autoregressive network of the model, its parameters taken apart."""
    flow = shaken(family, 18, hidden_features=96, activation="silu")
    nets = [module for name, module in flow.named_modules() if name.endswith("hyper")]
    assert nets
    for net in nets:
        x = torch.randn(8, 18, requires_grad=True)
        for feature in range(18):
            for output in range(net.outputs):
                (grad,) = torch.autograd.grad(net(x)[:, feature, output].sum(), x)
                seen = (grad != 0).any(0)
                assert seen[:feature].all()
                assert not seen[feature:].any()


@families
def test_gradients_reach_all_parameters(family):
    flow = build_flow(family, 5, 2, SIZES[family]).train()
    flow.log_prob(points(family, 64, 5), torch.randn(64, 2)).mean().backward()
    without = [name for name, p in flow.named_parameters() if p.grad is None]
    assert without == []


@families
def test_networks_in_half_precision_give_nearly_the_same_density(family):
    """Autocast as on CUDA: only the networks lose digits, not the features."""
    flow = shaken(family, 5, spread=0.05)
    x = points(family, 200, 5)
    with torch.no_grad():
        full = flow.log_prob(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = flow.log_prob(x)
    assert half.dtype == torch.float32
    assert (half - full).abs().mean() < 0.05
    with torch.autocast("cpu", dtype=torch.bfloat16):
        flow.train().log_prob(x).mean().backward()
    assert all(p.grad.isfinite().all() for p in flow.parameters())


@families
def test_context_changes_the_density(family):
    flow = shaken(family, 4, context=1)
    x = points(family, 50, 4)
    with torch.no_grad():
        low, high = (flow.log_prob(x, torch.full((50, 1), value)) for value in (-1.0, 1.0))
    assert (low - high).abs().min() > 1e-5


def test_mixture_gradient_is_that_of_autograd():
    from torch.nn import functional as F

    from bumpflow.flows.base import LOG_ROOT_2PI, MIN_STD, _MixtureLogProb

    torch.manual_seed(5)
    z = torch.randn(30, 4, requires_grad=True)
    parameters = torch.randn(30, 4, 9, requires_grad=True)
    logits, means, raw = parameters.chunk(3, dim=-1)
    stds = F.softplus(raw) + MIN_STD
    terms = F.log_softmax(logits, -1) - 0.5 * ((z[..., None] - means) / stds) ** 2 - stds.log()
    plain = terms.logsumexp(-1) - LOG_ROOT_2PI
    ours = _MixtureLogProb.apply(z, parameters)
    torch.testing.assert_close(ours, plain)
    weight = torch.randn(30, 4)
    for mine, theirs in zip(
        torch.autograd.grad((ours * weight).sum(), (z, parameters), retain_graph=True),
        torch.autograd.grad((plain * weight).sum(), (z, parameters)),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_unknown_size_is_named():
    with pytest.raises(ValueError, match="unexpected keyword argument 'bins'"):
        build_flow("mademog", 4, 0, {"bins": 8})
