import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from bumpflow.compatibility.diphotons import (
    LOG_FLOOR,
    N_SUMMARY,
    Errors,
    VertexScan,
    describe,
)
from bumpflow.simulate.alps.features import diphoton_mass
from bumpflow.simulate.alps.settings import Resolution
from tests.unit.simulate.alps.setups import SHIP, SHORT, build

SETUP = build(SHIP)
END = SHIP["calorimeter"]["z_m"]
SHARP = Resolution(1e-5, 1e-4, 1e-5, 1e-5)
POOR = Resolution(1e-3, 0.05, 0.01, 0.01)
VERTICES = VertexScan.of(SETUP, 400)
FROM_ANGLES, FROM_VERTEX, LN_DISTANCE = 15, 16, 17  # columns of the summary
N = 200


class Decays:
    """Decays at known vertices into photons at small angles, measured without errors."""

    def __init__(self, seed=1, n=N):
        rng = np.random.default_rng(seed)
        self.u = rng.uniform(15, 60, n)
        energy = rng.uniform(10, 100, (2, n))
        share = energy[0] / energy.sum(0)
        mean, apart = rng.uniform(-0.3, 0.3, (2, 2, n))
        apart += 0.2 * np.sign(apart)
        self.mass = np.sqrt(energy.prod(0)) * np.hypot(*apart) / self.u
        vertex = mean * (END - self.u) / END
        hits = mean + (1 - share) * apart, mean - share * apart
        angles = [hit - vertex for hit in hits]
        theta = [np.arctan(np.hypot(*angle) / self.u) for angle in angles]
        phi = [np.arctan2(angle[1], angle[0]) for angle in angles]
        columns = [*np.log(energy), *hits[0], *hits[1], *np.log(theta), *phi]
        self.x = torch.from_numpy(np.stack(columns, 1))


DECAYS = Decays()


def scan(x, resolution=POOR):
    return describe(x, SETUP, resolution, vertices=VERTICES)


def swap(x):
    """Return the same events with photons in the other order."""
    return x[:, [1, 0, 4, 5, 2, 3, 7, 6, 9, 8]]


def turn(x):
    """Return events turned by half a circle about the beam."""
    turned = x.clone()
    turned[:, 2:6] *= -1
    turned[:, 8:] = torch.where(x[:, 8:] > 0, x[:, 8:] - math.pi, x[:, 8:] + math.pi)
    return turned


def expected_angles(row):
    """Return polar angles and azimuths of both photons at each vertex, shape ``(4, n_points)``."""
    energy, hits = np.exp(row[:2]), row[2:6].reshape(2, 2)
    mean = energy @ hits / energy.sum()
    u = np.exp(VERTICES.points.double().numpy())
    vertex = mean[:, None] * (1 - u / END)
    towards = hits[:, :, None] - vertex
    theta = np.arctan(np.hypot(towards[:, 0], towards[:, 1]) / u)
    return np.concatenate([theta, np.arctan2(towards[:, 1], towards[:, 0])])


def expected_scan(row, resolution):
    """Return log likelihoods, with what errors of energies do by numerical derivatives."""
    angles = expected_angles(row)
    measured = np.concatenate([np.exp(row[6:8]), row[8:]])[:, None]
    variance = np.repeat([resolution.theta**2, resolution.phi**2], 2)[:, None] + 0 * angles
    for column in (0, 1):
        ends = []
        for sign in (-1, 1):
            moved = row.copy()
            moved[column] += sign * 1e-4
            ends.append(expected_angles(moved))
        slope = np.angle(np.exp(1j * (ends[1] - ends[0]))) / 2e-4
        variance += (slope * resolution.energy) ** 2
    off = np.angle(np.exp(1j * (measured - angles)))
    logs = -(off**2 / variance + np.log(variance)).sum(0) / 2
    return np.maximum(logs - logs.max(), LOG_FLOOR)


def test_scan_covers_the_vessel():
    u = VERTICES.points.exp()
    assert float(u[0]) == pytest.approx(11 * math.exp(-0.18), rel=1e-5)
    assert float(u[-1]) == pytest.approx(61 * math.exp(0.06), rel=1e-5)
    assert float(VertexScan.of(build(SHORT), 9).points[0]) == pytest.approx(math.log(0.5) - 0.18)


def test_sharp_angles_find_the_vertex():
    found = scan(DECAYS.x, SHARP).scan.argmax(1)
    off = VERTICES.points[found] - torch.from_numpy(DECAYS.u).log()
    step = float(VERTICES.points.diff()[0])
    assert float(off.abs().max()) < 0.6 * step


def test_mass_follows_from_the_vertex():
    product = scan(DECAYS.x).log_mass_distance.numpy()
    np.testing.assert_allclose(product - np.log(DECAYS.u), np.log(DECAYS.mass), atol=1e-5)


def test_likelihood_is_that_of_normal_errors():
    rows, resolution = DECAYS.x[:20], Resolution(1e-9, 0.05, 0.01, 0.01)
    exact = np.stack([expected_scan(row, resolution) for row in rows.numpy()])
    np.testing.assert_allclose(scan(rows, resolution).scan, exact, atol=0.02)


def test_events_may_have_resolutions_of_their_own():
    both = (Resolution(1e-4, 0.01, 2e-3, 3e-3), POOR)
    rows = torch.arange(N) % 2
    names = ("hit_m", "energy", "theta", "phi")
    values = torch.tensor([[getattr(one, name) for name in names] for one in both])[rows]
    found = scan(DECAYS.x, Errors(*values[:, :, None].unbind(1)))
    for index, resolution in enumerate(both):
        exact = scan(DECAYS.x, resolution)
        for part, same in zip(found, exact, strict=True):
            chosen = rows == index
            torch.testing.assert_close(part[chosen], same[chosen], atol=1e-4, rtol=1e-4)


def test_scans_lie_between_floor_and_zero():
    found = scan(DECAYS.x, SHARP).scan
    assert torch.all(found.amax(1) == 0)
    assert torch.all(found.amin(1) == LOG_FLOOR)


@pytest.mark.parametrize("same", [swap, turn])
def test_symmetries_change_nothing(same):
    one, other = scan(DECAYS.x), scan(same(DECAYS.x))
    torch.testing.assert_close(other.scan, one.scan, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(other.log_mass_distance, one.log_mass_distance)


def test_azimuths_may_go_on_beyond_pi():
    beyond = DECAYS.x.clone()
    beyond[:, 8:] += 2 * math.pi
    torch.testing.assert_close(scan(beyond).scan, scan(DECAYS.x).scan, atol=2e-3, rtol=1e-3)


def test_summary_has_masses_and_vertices():
    summary = scan(DECAYS.x, SHARP).summary
    assert summary.shape == (N, N_SUMMARY)
    torch.testing.assert_close(summary[:, :8], DECAYS.x[:, :8].float())
    step = float(VERTICES.points.diff()[0])
    logs = {
        name: torch.from_numpy(np.log(getattr(DECAYS, name))).float() for name in ("u", "mass")
    }
    torch.testing.assert_close(summary[:, LN_DISTANCE], logs["u"], atol=step, rtol=0)
    torch.testing.assert_close(summary[:, FROM_VERTEX], logs["mass"], atol=step, rtol=0)
    by_angles = torch.from_numpy(np.log(diphoton_mass(DECAYS.x.numpy()))).float()
    torch.testing.assert_close(summary[:, FROM_ANGLES], by_angles, atol=2e-3, rtol=0)


@pytest.mark.parametrize("blurred", [{"hit_m": 0.01}, {"energy": 0.1}])
def test_errors_widen_the_likelihood(blurred):
    tight, loose = (scan(DECAYS.x, replace(SHARP, **change)).scan for change in ({}, blurred))
    assert torch.all((loose > -2).sum(1) >= (tight > -2).sum(1))
    assert (loose > -2).sum() > 1.1 * (tight > -2).sum()


def test_impossible_events_have_finite_numbers():
    x = DECAYS.x[:3].clone()
    x[0, 4:6] = x[0, 2:4]  # both hits in one place
    x[1, 6:8] = -20.0
    x[2, 2:6] = 0.0
    found = scan(x)
    assert all(torch.isfinite(part).all() for part in found)
