import numpy as np
import pytest
import torch

from bumpflow.reconstruction import polygons
from bumpflow.reconstruction.network import (
    SetNet,
    interpolate,
    loss,
    mass_errors,
    refinement,
    smear,
    turn_to_first,
)
from bumpflow.reconstruction.sets import Detectors, Drawing, EventSets, as_true_sets, measure
from bumpflow.simulate.alps.sampling import sample_sets
from tests.unit.reconstruction.small import (
    SETTINGS,
    SETUP,
    measured,
    new_generator,
    random_posterior,
    true_sets,
)
from tests.unit.simulate.alps.setups import DISPLACED, build

NET = random_posterior().network
SETS = measured()
UNIT = torch.rand(len(SETS.x), 2, generator=new_generator(9))


def beliefs(sets):
    with torch.no_grad():
        return NET(*sets)


def assert_same(one, other):
    heights = (polygons.to_heights(some.mass) for some in (one, other))
    torch.testing.assert_close(*heights, atol=0.05, rtol=0.02)
    for first, second in zip(one[1:], other[1:], strict=True):
        torch.testing.assert_close(first, second, atol=2e-3, rtol=1e-3)


def test_order_of_events_does_not_matter():
    order = torch.rand(SETS.mask.shape, generator=new_generator()).argsort(1)
    x = SETS.x.gather(1, order[..., None].expand_as(SETS.x))
    turned = EventSets(x, SETS.mask.gather(1, order), SETS.sigmas)
    assert_same(beliefs(turned), beliefs(SETS))


def test_absent_events_do_not_matter():
    x = SETS.x.masked_fill(~SETS.mask[..., None], torch.nan)
    wide = torch.nn.functional.pad(x, (0, 0, 0, 3), value=1e9)
    padded = EventSets(wide, torch.nn.functional.pad(SETS.mask, (0, 3)), SETS.sigmas)
    assert_same(beliefs(padded), beliefs(SETS))


def test_sets_do_not_matter_to_each_other():
    whole = beliefs(SETS)
    part = beliefs(SETS.rows(slice(50, 90)))
    assert_same(part, whole.rows(slice(50, 90)))


def test_present_events_and_resolutions_matter():
    fewer = SETS.mask.clone()
    fewer[:, 1:] = False
    more = SETS.n_events > 1
    assert float((beliefs(SETS._replace(mask=fewer)).mass - beliefs(SETS).mass)[more].std()) > 0.1
    worse = beliefs(SETS._replace(sigmas=2 * SETS.sigmas))
    assert float((worse.mass - beliefs(SETS).mass).std()) > 0.1


def flip(x, axis):
    """Return the mirror images of decays in x or in y, by the directions of their photons."""
    flipped = x.clone()
    flipped[..., [2, 4] if axis == "x" else [3, 5]] *= -1
    cosine, sine = torch.cos(x[..., 8:]), torch.sin(x[..., 8:])
    cosine, sine = (-cosine, sine) if axis == "x" else (cosine, -sine)
    flipped[..., 8:] = torch.atan2(sine, cosine)
    return flipped


@pytest.mark.parametrize("axis", ["x", "y"])
def test_mirror_images_are_the_same(axis):
    assert_same(beliefs(SETS._replace(x=flip(SETS.x, axis))), beliefs(SETS))


def test_mirror_images_aside_are_not_the_same():
    aside, x = build(DISPLACED), SETS.x[:, 0]
    torch.testing.assert_close(turn_to_first(flip(x, "y"), aside), turn_to_first(x, aside))
    assert torch.equal(turn_to_first(flip(x, "x"), aside)[:, 2], -turn_to_first(x, aside)[:, 2])


def test_density_is_normalised_and_ends_with_the_prior():
    one = SETS.rows(slice(0, 1))
    first = beliefs(one)
    edges = torch.linspace(0, 1, 8 * 64 + 1)  # the knots in mass and between them are among them
    middle = (edges[1:] + edges[:-1]) / 2
    unit = torch.cartesian_prod(middle, middle)
    with torch.no_grad():
        logs = NET.log_density(first.rows(torch.zeros(len(unit), dtype=torch.long)), unit)
        outside = NET.log_density(first, torch.tensor([[0.5, 1.001]]))
    assert float(logs.exp().mean()) == pytest.approx(1, abs=2e-3)
    assert float(outside) == -torch.inf


def test_lifetimes_are_interpolated_between_masses():
    found = beliefs(SETS)
    with torch.no_grad():
        table, at = NET.lifetime_table(found), NET.lifetimes(found, UNIT[:, 0])
    knots = np.linspace(0, 1, SETTINGS.n_conditions)
    for row in (0, 5):
        exact = [np.interp(float(UNIT[row, 0]), knots, column) for column in table[row].T.numpy()]
        np.testing.assert_allclose(at[row], exact, atol=1e-5)


def test_loss_is_minus_the_density_at_the_truth():
    theta = true_sets().theta
    unit = NET.support.to_unit(theta)
    with torch.no_grad():
        found, exact = loss(NET, *SETS, theta), -NET.log_density(NET(*SETS), unit.clamp(0, 1))
    torch.testing.assert_close(found, exact)


def test_all_weights_learn():
    NET.zero_grad()
    loss(NET, *SETS, true_sets().theta).mean().backward()
    still = [name for name, p in NET.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []
    assert all(torch.isfinite(p.grad).all() for p in NET.parameters())
    assert bool(NET.correction.weight.grad.any(1).all())
    assert bool(NET.set[0].weight.grad.any(0).all())


def test_smearing_is_a_convolution():
    scan = -((torch.arange(96.0) - torch.tensor([[30.0], [50.0]])) ** 2) / (2 * 2.0**2)
    found = smear(scan, torch.tensor([1.5, 6.0])).exp().double().numpy()
    points = np.arange(96)
    for row, (centre, width) in enumerate(((30, 1.5), (50, 6.0))):
        kernel = np.exp(-((points[:, None] - points) ** 2) / (2 * width**2))
        exact = kernel @ np.exp(-((points - centre) ** 2) / 8)
        np.testing.assert_allclose(found[row], exact / exact.max(), atol=2e-6)


def test_narrow_smearing_does_not_ring():
    scan = torch.full((2, 96), -20.0)
    scan[:, 40] = 0
    found = smear(scan, torch.tensor([0.15, 0.4]))
    exact = torch.tensor([-13.8155, -13.8155, -(2.5**2) / 2])  # the floor, or the neighbours'
    torch.testing.assert_close(found[[0, 0, 1], [39, 41, 41]], exact, atol=1e-2, rtol=0)


def test_smearing_by_nothing_changes_nothing():
    scan = torch.randn(3, 96, generator=new_generator())
    scan = scan - scan.amax(1, keepdim=True)
    torch.testing.assert_close(smear(scan, torch.zeros(3)), scan, atol=1e-5, rtol=1e-5)


def test_refinement_keeps_parabolas():
    matrix = refinement(9, 4).double()
    coarse, fine = torch.arange(9.0).double(), torch.linspace(0, 8, 33).double()
    torch.testing.assert_close(
        -((coarse - 3.3) ** 2) @ matrix, -((fine - 3.3) ** 2), atol=1e-4, rtol=0
    )
    torch.testing.assert_close((coarse @ matrix), fine, atol=1e-5, rtol=0)


def test_interpolation_is_linear_and_ends_at_the_ends():
    values = torch.tensor([[0.0, 2.0, 1.0], [5.0, 5.0, 7.0]])
    at = torch.tensor([[-3.0, 0.5, 1.25, 9.0], [0.0, 1.5, 2.0, 2.5]])
    exact = [np.interp(row, np.arange(3), known) for row, known in zip(at, values, strict=True)]
    torch.testing.assert_close(interpolate(values, at).double(), torch.from_numpy(np.array(exact)))


def test_mass_errors_are_those_of_simulated_measurements():
    photons = torch.zeros(1, 40_000, 2, 5)
    photons[..., 0] = torch.tensor([30.0, 60.0])
    photons[..., 1] = torch.tensor([0.1, -0.05])
    photons[..., 3] = 0.02
    sigmas = torch.tensor([[2e-3, 0.03, 1e-3, 1e-3]])
    x = measure(photons, sigmas, SETUP, wrap=True, generator=new_generator())[0]
    log_mass = (x[:, 0] + x[:, 1]) / 2 + torch.hypot(x[:, 2] - x[:, 4], x[:, 3] - x[:, 5]).log()
    claimed = mass_errors(x[:1], sigmas)
    assert float(claimed) == pytest.approx(float(log_mass.std()), rel=0.03)


@pytest.fixture(scope="module")
def sharp():
    """Sets of a nearly perfect detector, at one mass, with what is true of their decays."""
    theta = np.tile(np.log10([0.4, 5.0]), (100, 1))
    table = sample_sets(theta, 3, SETUP, seed=3)
    detectors = Detectors((1e-4, 1e-4), (1e-4, 1e-4), (1e-5, 1e-5))
    sets = Drawing(SETUP, detectors, (3, 3)).draw(as_true_sets(table), new_generator())
    return table, sets


def test_untrained_network_has_the_mass_of_the_vertices(sharp):
    network = SetNet(SETTINGS, SETUP)
    network.standardise_by(sharp[1])
    with torch.no_grad():
        found = network(*sharp[1])
    mean, std = polygons.moments(polygons.to_heights(found.mass))
    low, high = network.support.log_mass
    off = low + (high - low) * mean - np.log10(0.4)
    assert float(off.abs().median()) < (high - low) / 64
    assert float(std.median()) * (high - low) < 0.03


def test_flights_are_those_of_the_true_vertices(sharp):
    table, sets = sharp
    px, py, pz = (table[f"true_p{axis}1"] + table[f"true_p{axis}2"] for axis in "xyz")
    exact = (table["vertex_z"] / np.sqrt(px**2 + py**2 + pz**2)).to_numpy().reshape(-1, 3).mean(1)
    with torch.no_grad():
        flight = NET(*sets).flight.double().numpy()
    np.testing.assert_allclose(flight[:, 0] - flight[:, 1] / 0.4, exact, rtol=0.02)


def test_limits_are_those_of_the_features():
    x = SETS.x[SETS.mask]
    torch.testing.assert_close(NET.limits, torch.stack([x.min(0).values, x.max(0).values]))
