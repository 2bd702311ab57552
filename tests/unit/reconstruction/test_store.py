import torch

from bumpflow import io
from bumpflow.reconstruction.published import PublishedNet, PublishedSettings
from bumpflow.reconstruction.store import load_published, load_sets, store_published, store_sets
from tests.unit.reconstruction.small import CPU, measured, new_generator, random_posterior
from tests.unit.simulate.alps.setups import SHORT


def test_posteriors_come_back(tmp_path):
    posterior, sets = random_posterior(), measured().rows(slice(0, 4))
    tensors, settings = store_sets(posterior, SHORT)
    io.write_tensors(tmp_path / "sets.safetensors", tensors, settings=settings)
    again = load_sets(tmp_path / "sets.safetensors", device=CPU)
    assert again.drawing == posterior.drawing
    assert torch.equal(again.network.limits, posterior.network.limits)
    draws = [
        one.sample(one.look(sets), 20, generator=new_generator()) for one in (posterior, again)
    ]
    assert torch.equal(*draws)


def test_published_network_comes_back(tmp_path):
    torch.manual_seed(1)
    network = PublishedNet(PublishedSettings(hidden_features=8, layers=1))
    network.scaled.scale.fill_(0.5)
    tensors, settings = store_published(network)
    io.write_tensors(tmp_path / "cinn.safetensors", tensors, settings=settings)
    again = load_published(tmp_path / "cinn.safetensors", device=CPU)
    x, theta = torch.randn(2, 5, 30), torch.randn(5, 2)
    with torch.no_grad():
        densities = [one.log_prob(one(x[0]), theta) for one in (network, again)]
    assert torch.equal(*densities)
