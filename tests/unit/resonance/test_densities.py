import numpy as np
import pytest
import torch

from bumpflow import io
from bumpflow.flows.density import DensitySettings, EventDensity
from bumpflow.resonance import densities as module
from bumpflow.resonance.densities import (
    load_densities,
    log_densities,
    normalisation,
    smear,
    smearing_widths,
    split_events,
    store_densities,
    train_bootstraps,
)
from bumpflow.train import TrainSettings

CPU = torch.device("cpu")
TRAINING = TrainSettings(learning_rate=1e-2, batch_size=128, max_epochs=2, patience=2)
SETTINGS = DensitySettings(
    features=("pt", "dr"),
    family="box",
    sizes={"hidden_features": 16, "knots": 6, "activation": "silu"},
    scaler="rank",
    context=("m_gg",),
    members=2,
)


def events(n=1500, seed=0):
    """Return a falling feature, one with a hard edge that depends on it, and masses."""
    rng = np.random.default_rng(seed)
    mass = 90 + 90 * rng.random(n)
    pt = rng.gamma(2.0, 0.4 * mass)
    dr = 0.4 + rng.exponential(50 / pt)
    return torch.tensor(np.stack([pt, dr], axis=1)), torch.tensor(mass)


def train(x=None, mass=None, **keywords):
    if x is None:
        x, mass = events()
    settings = {
        "settings": SETTINGS,
        "n_bootstraps": 2,
        "training": TRAINING,
        "validation_fraction": 0.25,
        "seed": 3,
        "device": CPU,
    }
    return train_bootstraps(x, mass, **settings | keywords)


@pytest.fixture(scope="module")
def trained():
    return train()


def test_smearing_adds_the_variance_of_its_widths():
    x, _ = events(50_000)
    widths = smearing_widths(x, 0.2)
    torch.testing.assert_close(widths, 0.2 * x.std(0))
    other = x[:40_000] / 3
    noise = smear(other, widths, generator=torch.Generator().manual_seed(1)) - other
    torch.testing.assert_close(noise.std(0), widths, rtol=0.02, atol=0)
    assert noise.mean(0).abs().le(5 * widths / 200).all()
    assert abs(torch.corrcoef(noise.T)[0, 1]) < 0.03


def test_smearing_repeats_with_its_seed():
    x, _ = events(10)
    same, again, other = (
        smear(x, torch.ones(2), generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    )
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


def test_bootstrap_draws_with_replacement_within_each_side():
    x, mass = events(20_000)
    (train_x, train_mass), (held_x, held_mass) = split_events(
        x, mass, validation_fraction=0.2, seed=4, with_replacement=True
    )
    assert len(train_x) + len(held_x) == 20_000
    assert len(held_x) / 20_000 == pytest.approx(0.2, abs=0.02)
    assert not set(train_x[:, 0].tolist()) & set(held_x[:, 0].tolist())
    n_distinct = len(set(train_x[:, 0].tolist()) | set(held_x[:, 0].tolist()))
    assert n_distinct / 20_000 == pytest.approx(1 - np.exp(-1), abs=0.01)
    order = x[:, 0].argsort()
    for part, context in ((train_x, train_mass), (held_x, held_mass)):
        rows = order[torch.searchsorted(x[order, 0], part[:, 0].contiguous())]
        assert torch.equal(x[rows], part)
        assert torch.equal(mass[rows, None], context)


def test_events_as_they_are_fall_on_one_side_once():
    x, mass = events(1000)
    parts = split_events(x, mass, validation_fraction=0.2, seed=4, with_replacement=False)
    together = torch.cat([part[0] for part in parts])
    assert torch.equal(together.sort(0).values, x.sort(0).values)
    other = split_events(x, mass, validation_fraction=0.2, seed=5, with_replacement=False)
    assert not torch.equal(parts[1][0][:50], other[1][0][:50])


def test_bootstraps_are_different_densities(trained):
    assert len(trained.densities) == 2
    assert list(trained.history.groupby(["bootstrap", "member"]).size()) == [2, 2, 2, 2]
    x, mass = events(50, seed=6)
    first, second = log_densities(trained.densities, x, mass)
    assert (first - second).abs().min() > 0
    knots = [density.scaler.x_knots for density in trained.densities]
    assert not torch.equal(*knots)


@pytest.mark.parametrize("n_bootstraps", [0, 1])
def test_only_bootstraps_draw_the_events_that_a_density_learns_from(n_bootstraps):
    x, mass = events()
    densities, history = train(x, mass, n_bootstraps=n_bootstraps)
    assert len(densities) == 1
    assert (history["bootstrap"] == 0).all()
    (learnt, _), _ = split_events(
        x,
        mass,
        validation_fraction=0.25,
        seed=module.derive_seed(3, "bootstrap", "0"),
        with_replacement=n_bootstraps > 0,
    )
    expected = EventDensity(SETTINGS).scaler.fit(learnt).x_knots
    torch.testing.assert_close(densities[0].scaler.x_knots, expected)


def test_log_densities_are_those_of_the_arithmetic_mean(trained):
    x, mass = events(50, seed=7)
    found = log_densities(trained.densities, x, mass)
    assert found.shape == (2, 50)
    assert found.dtype == torch.float64
    for density, row in zip(trained.densities, found, strict=True):
        with torch.no_grad():
            members = density.member_log_probs(x, mass[:, None]).exp()
        torch.testing.assert_close(row.exp(), members.mean(0))


def test_a_killed_training_resumes(trained, tmp_path, monkeypatch):
    calls = []

    def stop_in_second_bootstrap(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(*arguments, **keywords)

    fit = module.fit_density
    monkeypatch.setattr(module, "fit_density", stop_in_second_bootstrap)
    with pytest.raises(KeyboardInterrupt):
        train(checkpoints=tmp_path)
    monkeypatch.setattr(module, "fit_density", fit)
    again = train(checkpoints=tmp_path)
    x, mass = events(20, seed=8)
    assert torch.equal(
        log_densities(again.densities, x, mass), log_densities(trained.densities, x, mass)
    )
    first = again.history["bootstrap"] == 0
    assert (tmp_path / "bootstrap0" / "member1.safetensors").exists()
    assert len(again.history[first]) == 4


def test_stored_densities_are_the_same(trained, tmp_path):
    tensors, settings = store_densities(trained.densities)
    io.write_tensors(tmp_path / "densities.safetensors", tensors, settings=settings)
    again = load_densities(tmp_path / "densities.safetensors")
    x, mass = events(20, seed=9)
    assert torch.equal(log_densities(again, x, mass), log_densities(trained.densities, x, mass))
    assert [density.settings for density in again] == [SETTINGS, SETTINGS]


@pytest.fixture(scope="module")
def disagreeing():
    """Return a density whose members, on their scaler's box, have weights drawn at random."""
    x, mass = events()
    density = EventDensity(SETTINGS, seed=1)
    density.fit_scalers(x, mass[:, None])
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in density.members.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return density.eval()


def test_only_the_geometric_mean_is_not_normalised(disagreeing):
    table = normalisation(disagreeing, [100.0, 125.0], seed=5, n_points=2048)
    assert list(table["mass"].unique()) == [100.0, 125.0]
    names = ["member 0", "member 1", "arithmetic", "geometric", "ratio"]
    assert list(table["density"]) == 2 * names
    pull = (table["integral"] - 1) / table["uncertainty"]
    geometric = table["density"].isin(["geometric", "ratio"])
    assert pull[~geometric].abs().max() < 6  # of a t distribution with 7 degrees of freedom
    assert table["uncertainty"].max() < 0.01
    assert pull[geometric].max() < -10


def test_integral_of_correlated_features_is_one():
    a, b = torch.randn(2, 1500, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    x, (_, mass) = torch.stack([a, a + 0.5 * b], dim=1), events()
    longer = TrainSettings(learning_rate=2e-2, batch_size=128, max_epochs=12, patience=12)
    (density,), _ = train(x, mass, n_bootstraps=0, training=longer)
    drawn = density.sample(2000, mass[:1, None].expand(2000, 1))
    assert torch.corrcoef(drawn.T)[0, 1] > 0.7
    table = normalisation(density, [125.0], seed=5, n_points=2048)
    members = table.iloc[:3]
    assert members["integral"].tolist() == pytest.approx([1] * 3, abs=0.03)
    assert members["uncertainty"].max() < 0.01


@pytest.mark.parametrize(("family", "scaler"), [("box", "rank"), ("mademog", "gaussrank")])
def test_integral_finds_a_density_that_is_too_large(family, scaler, monkeypatch):
    sizes = {"hidden_features": 16}
    chosen = DensitySettings(
        **{**vars(SETTINGS), "family": family, "scaler": scaler, "sizes": sizes}
    )
    x, mass = events()
    density = EventDensity(chosen, seed=1)
    density.fit_scalers(x, mass[:, None])
    ours = density.member_log_probs
    monkeypatch.setattr(density, "member_log_probs", lambda *events: ours(*events) + np.log(1.1))
    table = normalisation(density.eval(), [110.0], seed=5, n_points=2048)
    assert table["integral"].tolist() == pytest.approx([1.1] * 4 + [1], abs=0.02)
