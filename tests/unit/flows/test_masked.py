import pytest
import torch

from bumpflow.flows.masked import MaskedResidualNet, NetSizes, SortedMaskedLinear


def dependencies(net, features, context):
    """Return which inputs each output depends on, by autograd at random points."""
    x = torch.randn(16, features + context)

    def outputs(inputs):
        c = inputs[:, features:] if context else None
        return net(inputs[:, :features], c).sum(0)

    jacobian = torch.autograd.functional.jacobian(outputs, x)  # features, outputs, n, inputs
    return (jacobian != 0).any(dim=2)


@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize(("features", "hidden", "blocks"), [(5, 16, 2), (18, 64, 3), (18, 130, 0)])
def test_parameters_of_a_feature_depend_on_exactly_the_ones_before(
    features, hidden, blocks, context
):
    torch.manual_seed(1)
    net = MaskedResidualNet(
        features, context, outputs=4, sizes=NetSizes(hidden, blocks, activation="silu")
    )
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    depends = dependencies(net, features, context)
    expected = torch.tril(torch.ones(features, features, dtype=torch.bool), diagonal=-1)
    for output in range(4):
        assert torch.equal(depends[:, output, :features], expected)
        assert depends[:, output, features:].all()


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_feature_by_feature_equals_the_whole_pass(blocks, context):
    torch.manual_seed(2)
    net = MaskedResidualNet(7, context, outputs=5, sizes=NetSizes(40, blocks))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    x = torch.randn(11, 7)
    c = torch.randn(11, context) if context else None
    steps = torch.stack(list(net.feature_by_feature(x.T.contiguous(), c)), dim=1)
    torch.testing.assert_close(steps, net(x, c), rtol=1e-4, atol=1e-4)


def test_feature_by_feature_reads_a_feature_only_after_it_is_drawn():
    torch.manual_seed(3)
    net = MaskedResidualNet(6, outputs=2, sizes=NetSizes(20))
    x = torch.full((6, 4), torch.nan)
    for feature, parameters in enumerate(net.feature_by_feature(x)):
        assert parameters.isfinite().all()
        x[feature] = parameters[:, 0]
    torch.testing.assert_close(net(x.T)[..., 0], x.T)


@pytest.mark.parametrize("rows", [96, 256, 513])
def test_layer_in_steps_equals_the_masked_product(rows):
    torch.manual_seed(4)
    degrees = torch.arange(rows) * 17 // rows
    mask = degrees[:, None] >= torch.arange(200) * 17 // 200
    layer = SortedMaskedLinear(mask)
    x = torch.randn(9, 200)
    torch.testing.assert_close(layer(x), x @ (layer.weight * mask).T + layer.bias)


def test_too_few_hidden_units_are_refused():
    with pytest.raises(ValueError, match="8 units cannot serve 18 features"):
        MaskedResidualNet(18, outputs=2, sizes=NetSizes(8))
