import gzip
from dataclasses import dataclass

import numpy as np
import pylhe
import pytest

from bumpflow.simulate.hard.lhe import build_feed, format_lhe
from bumpflow.simulate.hard.partons import INCOMING, OUTGOING, Partons
from bumpflow.simulate.kinematics import boost, from_pt_eta_phi_mass
from bumpflow.simulate.particles import unpack_batch
from bumpflow.simulate.pythia import Generator, make_pythia

HIGGS_GEV = 125.0


@dataclass
class Pairs:
    """Pairs of Higgs bosons at rest, back to back."""

    energy_gev: float = 14000.0
    crosssection_pb: float = 0.02
    crosssection_error_pb: float = 0.001

    def draw(self, n_events: int, rng: np.random.Generator) -> Partons:
        energy = 300.0
        pt = np.full(n_events, np.sqrt(energy**2 - HIGGS_GEV**2))
        phi = rng.uniform(-np.pi, np.pi, n_events)
        higgs = [from_pt_eta_phi_mass(pt, 0 * pt, phi + shift, HIGGS_GEV) for shift in (0, np.pi)]
        gluons = [np.tile([0, 0, sign * energy, energy], (n_events, 1)) for sign in (1, -1)]
        return Partons(
            pdg=np.tile([21, 21, 25, 25], (n_events, 1)),
            status=np.array([INCOMING, INCOMING, OUTGOING, OUTGOING]),
            mothers=np.array([[0, 0], [0, 0], [1, 2], [1, 2]]),
            colours=np.tile([[501, 502], [502, 501], [0, 0], [0, 0]], (n_events, 1, 1)),
            momenta=np.stack([*gluons, *higgs], axis=1),
            masses=np.array([0, 0, HIGGS_GEV, HIGGS_GEV]),
            scale=np.full(n_events, energy),
            alpha_s=np.full(n_events, 0.11),
            weights=np.where(np.arange(n_events) % 5 == 0, 1.5, 1.0),
        )


PLAIN = ["PartonLevel:MPI = off", "25:onMode = off", "25:onIfMatch = 22 22"]


def test_pythia_showers_what_it_is_fed_with_its_weights():
    generator = Generator(PLAIN, seed=1, hard_process=Pairs())
    block = generator.generate(0, n_events=40)
    particles = block.particles
    assert particles.n_events == 40
    np.testing.assert_allclose(particles.weights, np.tile([1.5, 1, 1, 1, 1], 8), rtol=1e-9)
    assert block.weight_generated == pytest.approx(44)
    photons = (particles.pdg == 22) & (particles.status > 0)
    hard = photons & (particles.momentum[:, 3] > 20)
    assert np.bincount(particles.event[hard], minlength=40).min() >= 2
    assert generator.crosssection_pb() == (0.02, 0.001)


def test_a_feed_ends_and_can_be_filled_again():
    feed = build_feed(Pairs())
    pythia = make_pythia([*PLAIN, "Random:seed = 3"], feed=feed)
    rng = np.random.default_rng(2)
    feed.fill(Pairs().draw(3, rng))
    assert len(pythia.nextBatch(5)) == 3
    feed.fill(Pairs().draw(4, rng))
    assert unpack_batch(pythia.nextBatch(4)).n_events == 4


def test_pylhe_reads_what_is_written(tmp_path):
    partons = Pairs().draw(10, np.random.default_rng(4))
    path = tmp_path / "events.lhe.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(f"{line}\n" for line in format_lhe(partons, Pairs()))
    events = list(pylhe.LHEFile.fromfile(str(path)).events)
    assert len(events) == 10
    weights = [event.eventinfo.weight for event in events]
    assert np.mean(weights) == pytest.approx(0.02)
    read = [[[p.px, p.py, p.pz, p.e] for p in event.particles] for event in events]
    np.testing.assert_allclose(read, partons.momenta, rtol=1e-9, atol=1e-9)
    assert [p.id for p in events[0].particles] == [21, 21, 25, 25]
    total = np.sum(read, axis=1)  # incoming counted as outgoing: twice the pair
    np.testing.assert_allclose(boost(total, total)[:, 3], 1200**2 / 1200, rtol=1e-9)
