"""Values, slopes and normalisation of the unbinned likelihood."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from bumpflow.resonance.fitting import fit
from bumpflow.resonance.likelihood import (
    Constraints,
    DataSets,
    Events,
    ResonanceModel,
    Sidebands,
)
from bumpflow.resonance.scoring import data_set
from bumpflow.resonance.toys import Layout, sideband_bins
from tests.unit.resonance import world

FULL = {"members": world.MEMBERS, "systematics": [world.SCALE], "others": True}
MODEL = ResonanceModel(
    world.MASSES.background,
    n_spread=3,
    n_systematics=1,
    constraints=Constraints(0.7, ((30.0, 5.0),)),
)
VALUES = torch.tensor(
    [
        [80.0, 2000.0, 1.2, 0.0, 0.0, 0.0, 0.0, 30.0],
        [10.0, 1900.0, 0.9, 0.5, -1.0, 0.3, 0.8, 22.0],
        [150.0, 2100.0, 1.5, -0.3, 0.2, 1.1, -0.9, 41.0],
    ],
    dtype=torch.float64,
)


@pytest.fixture(scope="module")
def data():
    drawn = world.toys(3, 80.0, 2000.0, **FULL)
    return drawn._replace(measured=torch.tensor([[0.4], [-0.7], [0.0]], dtype=torch.float64))


def test_parameters_have_names():
    assert MODEL.names == [
        *("signal", "background", "shape1", "spread1", "spread2", "spread3"),
        *("systematic1", "other1"),
    ]


def densities_written_out(x, mass, values):
    """Return expected events per GeV and unit of the feature, over the background's density."""
    s, b, theta, *alpha, nu, y = values
    members = [norm.pdf(x, mean) for mean in world.MEMBERS]
    mean = np.mean(members, axis=0)
    u = (mass - 90) / 90
    p_b = theta * np.exp(-theta * u) / (1 - np.exp(-theta)) / 90

    def change(nominal, up, down):
        return ((up - down) / 2 * nu + ((up + down) / 2 - nominal) * nu**2) / nominal

    scaled = [
        np.mean([norm.pdf(x, f * k, f) for k in world.MEMBERS], axis=0) for f in (1.03, 0.97)
    ]
    q_s = norm.pdf(x, 1.5)
    spread = sum(a * (q - mean) for a, q in zip(alpha, members, strict=True)) / np.sqrt(2)
    whole = s * world.p_signal(mass) * q_s
    whole *= 1 + change(q_s, norm.pdf(x, 1.545, 1.03), norm.pdf(x, 1.455, 0.97))
    whole += b * p_b * (mean * (1 + change(mean, *scaled)) + spread)
    other = world.PEAK.shifted(-6).density(mass, world.WINDOW)
    whole += y * other * norm.pdf(x, -1)
    return whole / mean, s * world.p_signal(mass) + b * p_b + y * other


@pytest.mark.parametrize("values", VALUES.tolist())
def test_deviance_is_that_of_the_density_written_out(values):
    x, mass = world.draw(1000, 50, seed=3)
    single = data_set(x, mass, world.densities(**FULL), world.REGION)
    single = single._replace(measured=torch.tensor([[0.4]], dtype=torch.float64))
    inside = world.REGION.holds(mass.numpy())
    featured, plain = densities_written_out(x[:, 0].numpy(), mass.numpy(), values)
    expected = 2 * (values[0] + values[1] + values[7])
    expected -= 2 * np.log(np.where(inside, featured, plain)).sum()
    expected += np.square(values[3:6]).sum() / 0.7**2
    expected += (values[6] - 0.4) ** 2 + ((values[7] - 30) / 5) ** 2
    found = MODEL.deviance(torch.tensor([values], dtype=torch.float64), single)
    assert found.item() == pytest.approx(expected, rel=1e-11)


def finite_difference(function, values, index, step):
    shift = torch.zeros_like(values)
    shift[:, index] = step
    return (function(values + shift) - function(values - shift)) / (2 * step)


@pytest.mark.parametrize("name", MODEL.names)
def test_gradient_is_the_slope_of_the_deviance(data, name):
    index = MODEL.names.index(name)
    step = 1e-2 if name in ("signal", "background", "other1") else 1e-5
    slope = finite_difference(lambda v: MODEL.deviance(v, data), VALUES, index, step)
    gradient = MODEL.expand(VALUES, data).gradient[:, index]
    torch.testing.assert_close(gradient, slope, rtol=2e-5, atol=2e-5)


def test_curvature_is_the_whole_one_where_data_are_as_expected():
    single = world.exact_data(80.0, 2000.0, **FULL)
    model = replace(MODEL, constraints=Constraints(0.7, ((0.0, 5.0),)))
    truth = torch.tensor([[80.0, 2000.0, 1.2, 0, 0, 0, 0, 0]], dtype=torch.float64)
    expansion = model.expand(truth, single)
    assert expansion.gradient.abs().max() < 1e-5
    scale = expansion.curvature[0].diagonal().sqrt()
    for index in range(model.n_parameters):
        step = 1e-3 / scale[index].item()
        bend = finite_difference(lambda v: model.expand(v, single).gradient, truth, index, step)
        relative = (bend[0] - expansion.curvature[0, index]) / (scale * scale[index])
        assert relative.abs().max() < 1e-5


@pytest.mark.parametrize("values", VALUES.tolist())
def test_density_integrates_to_the_yields_at_any_nuisance(values):
    x, mass, area = world.plane()
    q = np.mean([norm.pdf(x, mean) for mean in world.MEMBERS], axis=0)
    beside, dm = (
        np.concatenate(part)
        for part in zip(*(world.nodes(*side, 60) for side in world.SIDES), strict=True)
    )
    whole = data_set(
        torch.as_tensor(np.concatenate([x, 0 * beside]))[:, None],
        torch.as_tensor(np.concatenate([mass, beside])),
        world.densities(**FULL),
        world.REGION,
    )
    # Each event becomes a data set of its own, and its likelihood the density there.
    events = [part[0][:, None] for part in whole.events]
    sides = [part[0][:, None] for part in whole.sidebands]
    total = 0.0
    for shares, weight in ((area * q, 1.0), (dm, 0.0)):
        n = len(shares)
        kept = [part if weight else part[:1].expand(n, *part.shape[1:]) for part in events]
        beside_kept = [part[:1].expand(n, *part.shape[1:]) if weight else part for part in sides]
        single = DataSets.of(
            Events(*kept), torch.full((n, 1), weight).double(), Sidebands(*beside_kept)
        )
        single = single._replace(
            sidebands=single.sidebands._replace(weight=torch.full((n, 1), 1 - weight).double())
        )
        at = torch.tensor([values], dtype=torch.float64).expand(n, -1)
        nothing = single._replace(
            weight=0 * single.weight,
            sidebands=single.sidebands._replace(weight=0 * single.weight),
        )
        log_density = (MODEL.deviance(at, nothing) - MODEL.deviance(at, single)) / 2
        total += np.sum(shares * log_density.exp().numpy())
    assert total == pytest.approx(values[0] + values[1] + values[7], rel=1e-6)


def test_deviance_is_infinite_where_a_density_is_not_positive(data):
    values = VALUES.clone()
    values[1, 0] = -1e6
    found = MODEL.deviance(values, data)
    assert torch.isinf(found).tolist() == [False, True, False]
    assert found[1] > 0


def test_events_without_weight_have_no_effect(data):
    weight = data.weight.clone()
    weight[:, -1] = 0
    signal = data.events.signal.clone()
    signal[:, -1] = -1e9  # a density that is not positive
    changed = data._replace(weight=weight, events=data.events._replace(signal=signal))
    shorter = DataSets(
        type(data.events)(*(part[:, :-1] for part in data.events)),
        weight[:, :-1],
        data.sidebands,
        data.measured,
    )
    for found, expected in zip(
        MODEL.expand(VALUES, changed), MODEL.expand(VALUES, shorter), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_rows_and_repeated_data_sets_are_the_same_data(data):
    whole = MODEL.expand(VALUES, data)
    for rows in (torch.tensor([2, 0]), torch.tensor([1])):
        for found, expected in zip(
            MODEL.expand(VALUES[rows], data.rows(rows)), whole, strict=True
        ):
            torch.testing.assert_close(found, expected[rows])
    one = data.rows(torch.tensor([1]))
    many = one.repeated(3)
    assert many.n_sets == 3
    assert torch.equal(many.totals, one.totals.expand(3))
    expected = torch.cat([MODEL.deviance(values[None], one) for values in VALUES])
    torch.testing.assert_close(MODEL.deviance(VALUES, many), expected)


def test_narrow_bins_say_what_unbinned_sidebands_say():
    x, mass = world.draw(4000, 150, seed=8)
    unbinned = data_set(x, mass, world.densities(), world.REGION)
    layout = Layout.beside(world.WINDOW, world.REGION)
    counts = torch.as_tensor(layout.counts(mass.numpy()))[None]
    assert counts.sum() + unbinned.weight.sum() == 4150
    binned = unbinned._replace(sidebands=sideband_bins(layout, counts, peak=world.p_signal))
    fits = [fit(ResonanceModel(world.MASSES.background), one) for one in (unbinned, binned)]
    assert fits[1].signal == pytest.approx(fits[0].signal, abs=1e-3 * fits[0].uncertainty[0])
    assert fits[1].uncertainty == pytest.approx(fits[0].uncertainty, rel=1e-3)


def test_constraints_say_what_is_held_and_known():
    shape = world.MASSES.background
    assert MODEL.held() == []
    fixed = ResonanceModel(shape, n_spread=2, constraints=Constraints(0, ((3.0, 0), (4.0, 2.0))))
    assert fixed.held() == ["spread1", "spread2", "other1"]
    free = ResonanceModel(shape, n_spread=1, n_systematics=1, constraints=Constraints(np.inf))
    centre, precision = free.prior(torch.zeros(1, dtype=torch.float64))
    assert precision.tolist() == [0, 0, 0, 0, 1]
    assert centre.tolist() == [0] * 5
    centre, precision = fixed.prior(torch.zeros(1, dtype=torch.float64))
    assert centre.tolist() == [0, 0, 0, 0, 0, 3, 4]
    assert precision.tolist() == [0, 0, 0, 0, 0, 0, 0.25]


def test_fits_start_from_background_alone(data):
    start = MODEL.start(data)
    assert start[:, 0].tolist() == [0, 0, 0]
    torch.testing.assert_close(start[:, 1] + 30, data.totals)
    assert (start[:, 7] == 30).all()
