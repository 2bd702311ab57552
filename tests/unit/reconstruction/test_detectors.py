import math

import numpy as np
import pytest
import torch

from bumpflow.reconstruction import detectors
from bumpflow.reconstruction.detectors import Networks
from bumpflow.reconstruction.published import PublishedNet, PublishedSettings
from bumpflow.simulate.alps.settings import Resolution
from tests.unit.reconstruction.small import SETUP, new_generator, random_posterior, true_sets

POSTERIOR = random_posterior()
GOOD, BAD = (Resolution(0.001, e, a, a) for e, a in ((0.01, 0.001), (0.1, 0.01)))
DETECTORS = {"good": GOOD, "bad": BAD}


def published():
    """Return a published network with random weights that is standardised by the sets."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = PublishedNet(PublishedSettings(hidden_features=8, layers=1))
    sets = detectors.measure_sets(true_sets(), GOOD, SETUP, n_events=3, seed=1)
    network.features.standardise_by(network.concatenate(sets))
    network.scaled.standardise_by(true_sets().theta)
    return network.eval()


NETWORKS = Networks(POSTERIOR, {"bad": POSTERIOR}, {"good": published()})


def test_detectors_measure_the_same_events():
    good, bad = (
        detectors.measure_sets(true_sets(), one, SETUP, n_events=3, seed=1) for one in (GOOD, BAD)
    )
    assert good.x.shape == (300, 3, 10)
    assert good.mask.all()
    hits = slice(2, 6)
    torch.testing.assert_close(good.x[..., hits], bad.x[..., hits])  # as well measured by both
    off = bad.x[..., 0] - good.x[..., 0]
    assert float(off.std()) == pytest.approx(0.09, rel=0.2)
    assert torch.unique(bad.sigmas, dim=0).tolist() == [pytest.approx([0.001, 0.1, 0.01, 0.01])]


def test_methods_are_those_that_exist():
    table = detectors.compare_detectors(
        NETWORKS,
        true_sets().head(40),
        DETECTORS,
        n_events=3,
        n_product=10,
        n_lifetimes=4,
        n_draws=50,
        seed=1,
    )
    methods = table.groupby("energy")["method"].apply(list).to_dict()
    assert methods == {
        0.01: ["diphoton", "product", "published", "amortised"],
        0.1: ["diphoton", "product", "amortised", "single"],
    }
    assert table.loc[table["method"] == "product", "n"].tolist() == [10, 10]
    bad = table[table["energy"] == 0.1].set_index("method")
    assert bad.loc["single", "bias"] == bad.loc["amortised", "bias"]
    alone = detectors.compare_detectors(
        Networks(POSTERIOR, {}, {}), true_sets().head(40), DETECTORS, n_events=3, seed=1
    )
    assert set(alone["method"]) == {"diphoton", "amortised"}


def test_losses_are_in_published_units():
    table = detectors.compare_sharpness(
        NETWORKS, true_sets(), DETECTORS, n_events=3, n_draws=50, seed=1
    ).set_index(["detector", "method"])
    sets = detectors.measure_sets(true_sets(), GOOD, SETUP, n_events=3, seed=1)
    theta = true_sets().theta
    network = NETWORKS.published["good"]
    with torch.no_grad():
        loss = -network.standardised_log_prob(network(network.concatenate(sets)), theta)
    # The network's units are those of the sets that it was standardised by: these.
    assert table.loc[("good", "published"), "loss"] == pytest.approx(float(loss.mean()), rel=1e-4)
    logs = POSTERIOR.log_prob(POSTERIOR.look(sets), theta).double()
    scale = math.log(float(theta[:, 0].std()) * float(theta[:, 1].std()))
    expected = -float(logs.mean()) - scale
    assert table.loc[("good", "amortised"), "loss"] == pytest.approx(expected, rel=1e-4)


def test_ratios_are_relative_to_the_network_for_all_detectors():
    table = detectors.compare_sharpness(
        NETWORKS, true_sets(), DETECTORS, n_events=3, n_draws=50, seed=1
    ).set_index(["detector", "method"])
    assert sorted(table.index) == [
        ("bad", "amortised"),
        ("bad", "single"),
        ("good", "amortised"),
        ("good", "published"),
    ]
    assert table.loc[("bad", "single"), "ratio"] == 1  # the same network
    assert table.loc[("bad", "single"), "ratio_error"] == 0
    ours, other = (table.loc[("good", name)] for name in ("amortised", "published"))
    assert (ours["sigma"] < other["sigma"]) == (other["ratio"] < 1)


def test_widths_of_draws_are_those_of_the_posteriors():
    sets = detectors.measure_sets(true_sets().head(20), BAD, SETUP, n_events=3, seed=1)
    found = detectors.draw_widths(POSTERIOR, sets, 4000, generator=new_generator())
    exact = POSTERIOR.summarise(POSTERIOR.look(sets)).std
    np.testing.assert_allclose(found[:, 0], exact, rtol=0.1)


def test_maps_have_widths_of_both_parameters():
    grid = {"energy": [0.01, 0.1], "angle_rad": [0.001, 0.01], "hit_m": 0.001}
    table = detectors.map_detectors(
        POSTERIOR, true_sets().head(40), n_events=3, n_draws=200, seed=1, **grid
    )
    assert len(table) == 4
    for row in table.itertuples():
        resolution = Resolution(0.001, row.energy, row.angle_rad, row.angle_rad)
        sets = detectors.measure_sets(true_sets().head(40), resolution, SETUP, n_events=3, seed=2)
        widths = detectors.draw_widths(POSTERIOR, sets, 200, generator=new_generator())
        expected = widths.mean(0)
        assert [row.sigma_mass, row.sigma_lifetime] == pytest.approx(expected.tolist(), rel=0.25)
