import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow.reconstruction.observed import draw_table, gather_sets, reconstruct, summarise_draws
from bumpflow.simulate.alps.features import FEATURES
from bumpflow.simulate.alps.settings import Resolution
from tests.unit.reconstruction.small import measured, new_generator, random_posterior

RESOLUTION = Resolution(1e-3, 0.05, 0.005, 0.005)
EVENTS = pd.DataFrame(measured().x[:5, 0].numpy(), columns=list(FEATURES))
NAMES = ["b", "a", "b", "b", "a"]


def test_events_are_gathered_by_set():
    sets, names = gather_sets(EVENTS, NAMES, RESOLUTION)
    assert names == ["b", "a"]
    assert sets.mask.tolist() == [[True, True, True], [True, True, False]]
    rows = torch.from_numpy(EVENTS.to_numpy(np.float32, copy=True))
    assert torch.equal(sets.x[0], rows[[0, 2, 3]])
    assert torch.equal(sets.x[1, :2], rows[[1, 4]])
    assert sets.sigmas[1].tolist() == pytest.approx([1e-3, 0.05, 0.005, 0.005])


def test_all_events_are_one_set_by_default():
    sets, names = gather_sets(EVENTS, None, RESOLUTION)
    assert names == [0]
    assert sets.x.shape == (1, 5, 10)
    assert bool(sets.mask.all())


def test_names_fit_the_events():
    with pytest.raises(ValueError, match="there are 5 events and 2 names"):
        gather_sets(EVENTS, ["a", "b"], RESOLUTION)
    with pytest.raises(ValueError, match="there are 0 events"):
        gather_sets(EVENTS.head(0), None, RESOLUTION)


def test_draws_have_the_name_of_their_set():
    draws = torch.arange(12.0).view(2, 3, 2)
    table = draw_table(draws, ["b", "a"])
    assert table["set"].tolist() == 3 * ["b"] + 3 * ["a"]
    assert table["log10_lifetime"].tolist() == [1, 3, 5, 7, 9, 11]


def test_summaries_of_draws():
    rng = np.random.default_rng(1)
    both = rng.multivariate_normal([0.2, 1.0], [[0.01, -0.03], [-0.03, 0.25]], 100_000)
    sets, names = gather_sets(EVENTS, None, RESOLUTION)
    row = summarise_draws(torch.from_numpy(both)[None], sets, names, [["one", "two"]]).iloc[0]
    assert row["n_events"] == 5
    assert row["log10_mass_mean"] == pytest.approx(0.2, abs=0.002)
    assert row["log10_lifetime_std"] == pytest.approx(0.5, rel=0.01)
    assert row["log10_mass_low95"] == pytest.approx(0.2 - 1.95996 * 0.1, abs=0.004)
    assert row["log10_lifetime_high68"] == pytest.approx(1 + 0.99446 * 0.5, abs=0.01)
    assert row["correlation"] == pytest.approx(-0.6, abs=0.01)
    assert row["outside"] == "one; two"


def test_own_events_are_reconstructed():
    posterior = random_posterior()
    sets, names = gather_sets(EVENTS, NAMES, RESOLUTION)
    given = {"n_draws": 100, "generator": new_generator()}
    draws, summary = reconstruct(posterior, sets, names, wrap=True, **given)
    assert len(draws) == 200
    assert summary["set"].tolist() == ["b", "a"]
    assert summary["outside"].tolist() == ["", ""]
    theta = torch.tensor(draws[["log10_mass", "log10_lifetime"]].to_numpy())
    assert bool(posterior.support.contains(theta).all())
    exact = posterior.sample(posterior.look(sets), 100, generator=new_generator())
    np.testing.assert_allclose(theta.view(2, 100, 2), exact, atol=1e-6)


def test_foreign_events_are_flagged():
    posterior = random_posterior()
    coarse = Resolution(1e-3, 0.5, 0.005, 0.005)
    sets, names = gather_sets(EVENTS, None, coarse)
    _, summary = reconstruct(posterior, sets, names, n_draws=5, generator=new_generator())
    text = summary["outside"][0]
    assert "5 events, but training had 1 to 4" in text
    assert "resolution energy is 0.5, but training had 0.01 to 0.1" in text
