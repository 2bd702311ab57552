import itertools
import math

import numpy as np
import pytest
import torch

from bumpflow import io
from bumpflow.flows.density import (
    DensitySettings,
    EventDensity,
    SamplingFailed,
    draw_blocks,
    fit_density,
    load,
    mirror,
    store,
)
from bumpflow.train import TrainSettings

CPU = torch.device("cpu")
SIZES = {"hidden_features": 16, "blocks": 1, "components": 3}
BOX = {"hidden_features": 16, "blocks": 1, "knots": 6}
SETTINGS = TrainSettings(learning_rate=5e-3, batch_size=128, max_epochs=2, patience=2)


def density(*, members=1, context=(), scaler="gaussrank", seed=0, family="mademog", sizes=SIZES):
    settings = DensitySettings(
        features=("pt", "eta"),
        family=family,
        sizes=sizes,
        scaler=scaler,
        context=context,
        members=members,
    )
    return EventDensity(settings, seed=seed)


def events(n=2000, seed=0):
    """Return a threshold times exponential, and a feature that depends on it and the context."""
    rng = np.random.default_rng(seed)
    pt = 0.3 + rng.exponential(1.0, n)
    mass = rng.uniform(90, 180, n)
    eta = rng.normal(size=n) / pt + mass / 100
    x = torch.tensor(np.stack([pt, eta], axis=1), dtype=torch.float32)
    return x, torch.tensor(mass[:, None], dtype=torch.float32)


def trained(**keywords):
    x, mass = events()
    c = mass if keywords.get("context") else None
    fitted = density(**keywords)
    part = (x[1600:], None if c is None else c[1600:])
    whole = (x[:1600], None if c is None else c[:1600])
    history = fit_density(
        fitted, train=whole, validation=part, settings=SETTINGS, seed=1, device=CPU
    )
    return fitted, history


def test_density_in_physical_units_integrates_to_one():
    fitted, _ = trained()
    pt = torch.linspace(-3, 25, 1401)
    eta = torch.linspace(-15, 15, 751)
    grid = torch.cartesian_prod(pt, eta)
    with torch.no_grad():
        total = fitted.log_prob(grid).exp().sum() * (pt[1] - pt[0]) * (eta[1] - eta[0])
    assert total.item() == pytest.approx(1, abs=0.01)  # a threshold falls inside one cell


def test_density_on_the_unit_box_integrates_to_one_in_physical_units():
    fitted, _ = trained(family="box", scaler="rank", sizes=BOX)
    pt = torch.linspace(-1, 25, 2601)
    eta = torch.linspace(-25, 25, 501)
    with torch.no_grad():
        log_density = fitted.log_prob(torch.cartesian_prod(pt, eta))
    assert log_density.isfinite().all()
    total = log_density.exp().sum() * (pt[1] - pt[0]) * (eta[1] - eta[0])
    assert total.item() == pytest.approx(1, abs=0.02)  # a threshold falls inside one cell


def test_redraws_leave_the_density_on_the_unit_box_nearly_normalised():
    fitted, _ = trained(family="box", scaler="rank", sizes=BOX)
    drawn = fitted.draw(100_000, generator=torch.Generator().manual_seed(8))
    assert drawn.n_redrawn < 50  # beyond the training range lie a few of its outermost events


@pytest.mark.parametrize(
    ("family", "scaler"), [("box", "gaussrank"), ("box", "logit"), ("mademog", "rank")]
)
def test_family_and_scaler_of_different_ranges_are_refused(family, scaler):
    with pytest.raises(ValueError, match=f"family '{family}' cannot have scaler '{scaler}'"):
        density(family=family, scaler=scaler)


def test_ensemble_averages_densities_not_logarithms():
    fitted, history = trained(members=3)
    x, _ = events(50, seed=2)
    z, log_jacobian = fitted.scaler(x)
    with torch.no_grad():
        parts = [m.log_prob(z.float()).double().exp() for m in fitted.members]
        mean = sum(parts) / 3 * log_jacobian.exp()
        torch.testing.assert_close(fitted.log_prob(x).exp(), mean)
    assert sorted(history["member"].unique()) == [0, 1, 2]
    assert not torch.equal(parts[0], parts[1])


def test_context_sets_the_conditional_density():
    fitted, _ = trained(context=("mass",))
    n = 4000
    low, high = (
        fitted.sample(n, torch.full((n, 1), m), generator=torch.Generator().manual_seed(3))
        for m in (90.0, 180.0)
    )
    assert high[:, 1].mean() - low[:, 1].mean() > 0.3  # truth: 0.9


@pytest.mark.parametrize("context", [None, torch.zeros(5, 2)])
def test_wrong_context_is_named(context):
    with pytest.raises(ValueError, match="the density takes: mass"):
        density(context=("mass",)).log_prob(torch.zeros(5, 2), context)


@pytest.mark.parametrize(
    ("family", "scaler"),
    [*itertools.product(["mademog", "glow"], ["gaussrank", "logit"]), ("box", "rank")],
)
def test_stored_density_is_the_same(tmp_path, scaler, family):
    own = {"mademog": {"components": 3}, "glow": {"transforms": 2}, "box": {"knots": 5}}
    sizes = {"hidden_features": 16, **own[family]}
    fitted, _ = trained(scaler=scaler, family=family, sizes=sizes, members=2)
    tensors, settings = store(fitted)
    io.write_tensors(tmp_path / "model.safetensors", tensors, settings=settings)
    again = load(tmp_path / "model.safetensors")
    x, _ = events(20, seed=4)
    with torch.no_grad():
        assert torch.equal(again.log_prob(x), fitted.log_prob(x))
    draws = [d.sample(30, generator=torch.Generator().manual_seed(5)) for d in (again, fitted)]
    assert torch.equal(*draws)
    assert again.settings == fitted.settings


def test_samples_stay_in_range_and_redraws_are_counted():
    fitted, _ = trained()
    n = 3000
    free = fitted.draw(n, generator=torch.Generator().manual_seed(6))
    beyond = (free.x[:, 0] > 2.0).double().mean().item()
    fitted.upper[0] = 2.0  # cut at a point that many draws pass
    drawn = fitted.draw(n, generator=torch.Generator().manual_seed(7))
    assert len(drawn.x) == n
    assert (drawn.x[:, 0] <= 2.0).all()
    share = drawn.n_redrawn / (n + drawn.n_redrawn)
    assert share == pytest.approx(beyond, abs=4 * math.sqrt(2 * beyond * (1 - beyond) / n))


def test_positive_features_stay_positive():
    fitted, _ = trained()
    assert fitted.lower[0] == 0
    assert fitted.lower[1] < 0


def test_non_finite_draws_are_redrawn_and_hopeless_ones_reported():
    fitted, _ = trained()
    with torch.no_grad():
        for member in fitted.members:
            member.hyper.final.bias.fill_(torch.nan)
    with pytest.raises(SamplingFailed, match="10 of 10 events are still outside"):
        fitted.draw(10)


def test_chunks_add_up():
    fitted, _ = trained(context=("mass",))
    _, mass = events(100)
    chunks = list(draw_blocks(fitted, 250, block_size=100, seed=7, context=mass))
    assert [len(chunk.x) for chunk in chunks] == [100, 100, 50]
    table = chunks[0].table(["pt", "eta"], ["mass"])
    assert list(table.columns) == ["pt", "eta", "mass"]
    assert set(table["mass"]) <= set(mass[:, 0].tolist())


def test_mirror_flips_columns_together():
    x = torch.tensor([[1.0, 2.0, 3.0]])
    assert mirror(x, [0, 2]).tolist() == [[1, 2, 3], [-1, 2, -3]]
    assert mirror(x, []).tolist() == [[1, 2, 3]]


def test_seed_sets_the_first_weights():
    first, same, other = (density(seed=s) for s in (1, 1, 2))
    weights = [d.members[0].hyper.final.weight for d in (first, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_interrupted_ensemble_resumes(tmp_path, monkeypatch):
    whole, _ = trained(members=2)
    x, _ = events()
    parts = {"train": (x[:1600], None), "validation": (x[1600:], None)}
    settings = {"settings": SETTINGS, "seed": 1, "device": CPU, "checkpoints": tmp_path}
    calls = []

    def stop_in_second_member(*arguments, **keywords):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(*arguments, **keywords)

    from bumpflow.flows import density as module

    fit = module.fit
    monkeypatch.setattr(module, "fit", stop_in_second_member)
    with pytest.raises(KeyboardInterrupt):
        fit_density(density(members=2), **parts, **settings)
    monkeypatch.setattr(module, "fit", fit)
    again = density(members=2)
    fit_density(again, **parts, **settings)
    with torch.no_grad():
        assert torch.equal(again.log_prob(x[:9]), whole.log_prob(x[:9]))
