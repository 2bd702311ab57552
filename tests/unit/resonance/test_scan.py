"""Signals of unknown mass."""

from functools import cache

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from bumpflow.resonance.inference import q_zero
from bumpflow.resonance.likelihood import ResonanceModel
from bumpflow.resonance.scan import MassScan, peak_density, scan_masses
from bumpflow.resonance.scoring import score, score_signals
from bumpflow.resonance.toys import Layout, Pool, draw_toys
from tests.unit.resonance import world

SHIFTS = [-6.0, -3.0, 0.0, 3.0, 6.0]
LAYOUT = Layout.beside(world.WINDOW, world.REGION)
MODEL = ResonanceModel(world.MASSES.background)


@cache
def pools(shift):
    """Return scored signal at a shifted mass, and background, with the scanned signals."""
    chosen = world.densities()
    peak = world.PEAK.shifted(shift)
    generator = world.seeded(3)
    truth = world.TRUTH._replace(masses=world.MASSES._replace(peak=peak))
    found = []
    for kind, shape in (
        ("signal", peak_density(peak, world.WINDOW)),
        ("background", world.p_background),
    ):
        x, mass = truth.draw(kind, 4000, world.REGION, generator)
        events = score(x, mass, chosen)._replace(others=score_signals(x, mass, chosen, SHIFTS))
        inside = 1 - LAYOUT.shares(shape).sum()
        found.append(Pool(events, inside, torch.as_tensor(LAYOUT.shares(shape))))
    return found


def toys(n_toys, *, signal, shift=0.0, seed=1):
    return draw_toys(
        pools(shift),
        [signal, 2000.0],
        n_toys,
        layout=LAYOUT,
        peak=world.p_signal,
        generator=world.seeded(seed),
    )


@pytest.mark.parametrize("shift", [-3.0, 6.0])
def test_a_planted_signal_is_found_at_its_mass(shift):
    z = scan_masses(toys(5, signal=150.0, shift=shift), MODEL, world.MASSES, SHIFTS)
    assert z.shape == (5, 5)
    assert (z.max(1) > 4).all()
    assert [SHIFTS[place] for place in z.argmax(1)] == [shift] * 5


def test_a_signal_at_its_own_mass_is_tested_as_ever():
    data = toys(4, signal=50.0)
    plain = data._replace(events=data.events._replace(others=data.events.others[..., :0]))
    expected = np.sqrt(q_zero(MODEL, plain))
    assert expected.min() > 0
    z = scan_masses(data, MODEL, world.MASSES, SHIFTS)
    assert z[:, SHIFTS.index(0.0)] == pytest.approx(expected, abs=1e-5)


def test_a_peak_at_another_mass_is_another_one_beside_the_signal_region():
    data = toys(3, signal=50.0)
    found = scan_masses(data, MODEL, world.MASSES, SHIFTS)[:, SHIFTS.index(6.0)]
    heavier = peak_density(world.PEAK.shifted(6.0), world.WINDOW)
    plain = data._replace(
        events=data.events._replace(
            signal=data.events.others[..., -1], others=data.events.others[..., :0]
        ),
        sidebands=data.sidebands._replace(
            signal=torch.as_tensor(LAYOUT.shares(heavier) / (LAYOUT.high - LAYOUT.low))
        ),
    )
    assert found == pytest.approx(np.sqrt(q_zero(MODEL, plain)), abs=1e-5)


def test_without_signal_global_p_values_are_uniform():
    z = scan_masses(toys(120, signal=0.0, seed=7), MODEL, world.MASSES, SHIFTS)
    largest = z.max(1)
    scans = [
        MassScan(125 + np.array(SHIFTS), z[index], np.delete(largest, index))
        for index in range(40)
    ]
    p = np.array([one.global_p.value for one in scans])
    assert kstest(p, "uniform").pvalue > 1e-3
    local = norm.sf(largest[:40])
    assert (p >= local).mean() > 0.9  # looking elsewhere costs


def test_global_p_counts_toys_beyond_the_largest_of_the_scan():
    scan = MassScan(np.array([120.0, 125.0]), np.array([1.0, 2.0]), np.linspace(0, 3, 99))
    above = np.sum(np.linspace(0, 3, 99) >= 2)
    assert scan.global_p.value == pytest.approx((above + 1) / 100)
    assert scan.global_z == pytest.approx(norm.isf(scan.global_p.value))


def test_a_peak_is_a_function_of_masses():
    mass = np.array([89.0, 120.0, 125.0])
    density = peak_density(world.PEAK, world.WINDOW)
    assert density(mass) == pytest.approx(world.PEAK.density(mass, world.WINDOW))
