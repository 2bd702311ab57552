"""Generated events: repeatable, the same however they are cut, and with the right W bosons."""

import numpy as np
import pytest

from bumpflow.simulate.particles import Particles
from bumpflow.simulate.processes import PROCESSES
from bumpflow.simulate.pythia import Generator

pytestmark = pytest.mark.physics

BEAMS = ["Beams:eCM = 8000", "PDF:pSet = 13", "PartonLevel:MPI = off"]
NO_SHOWER = ["PartonLevel:ISR = off", "PartonLevel:FSR = off", "HadronLevel:all = off"]
N = 60


def heavy_higgs(parity=0, extra=(), **keywords):
    process = PROCESSES["heavyhiggs"]
    lines = [*BEAMS, *process.settings(parity=parity), *extra]
    return Generator(lines, seed=5, **({"hook": process.hook} | keywords))


@pytest.fixture(scope="module")
def blocks():
    generator = heavy_higgs()
    return {number: generator.generate(number, n_events=N) for number in (0, 2, 4)}


def same(first: Particles, second: Particles) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("event", "pdg", "status", "mother", "momentum", "weights")
    )


def test_a_block_is_the_same_whoever_makes_it(blocks):
    """Order, earlier blocks and the process that runs them do not matter."""
    other = heavy_higgs()
    for number in (4, 0):
        again = other.generate(number, n_events=N)
        assert same(again.particles, blocks[number].particles)
        assert again.n_generated == blocks[number].n_generated
        assert again.rng.bit_generator.state == blocks[number].rng.bit_generator.state
    assert not same(blocks[0].particles, blocks[2].particles)


def test_preselection_is_counted(blocks):
    for block in blocks.values():
        assert block.particles.n_events == N
        assert N < block.n_generated < 2 * N
        assert block.weight_generated == pytest.approx(block.n_generated)


def test_preselection_leaves_the_crosssection_alone():
    plain = heavy_higgs(hook=None, extra=NO_SHOWER)
    chosen = heavy_higgs(extra=NO_SHOWER)
    for generator in (plain, chosen):
        generator.generate(0, n_events=2000)
    (one, one_error), (other, other_error) = plain.crosssection_pb(), chosen.crosssection_pb()
    # The hook's own counting adds a binomial error: 2000 of about 5000 events are kept.
    error = np.hypot(np.hypot(one_error, other_error), other * np.sqrt(0.6 / 2000))
    assert other == pytest.approx(one, abs=4 * error)


def w_cosines(generator, n):
    """Return cos theta* of one fermion of each W boson, without shower."""
    particles = generator.generate(0, n_events=n).particles
    start = particles.starts[particles.event]
    boson = start + particles.mother
    scalar = start + particles.mother[boson]
    chosen = (np.abs(particles.pdg[boson]) == 24) & (particles.pdg > 0) & (particles.pdg < 20)
    chosen &= np.isin(np.abs(particles.pdg[scalar]), (35, 37))
    momentum = particles.momentum
    return helicity_cosine(momentum[chosen], momentum[boson[chosen]], momentum[scalar[chosen]])


def helicity_cosine(fermion, w, scalar):
    def dot(a, b):
        return a[:, 3] * b[:, 3] - (a[:, :3] * b[:, :3]).sum(axis=1)

    mass = np.sqrt(dot(w, w))
    energy_f, energy_s = dot(w, fermion) / mass, dot(w, scalar) / mass
    size = np.sqrt((energy_f**2 - dot(fermion, fermion)) * (energy_s**2 - dot(scalar, scalar)))
    return (energy_f * energy_s - dot(fermion, scalar)) / size


@pytest.mark.parametrize(("hook", "expected"), [(None, 1 / 3), ({"polarise": True}, 1 / 5)])
def test_w_bosons_from_scalars_are_longitudinal(hook, expected):
    """Density 3/4 sin^2: the mean of cos^2 is 1/5, of an isotropic decay 1/3."""
    generator = heavy_higgs(hook=hook, extra=NO_SHOWER)
    square = w_cosines(generator, 3000) ** 2
    assert len(square) == 2 * 3000
    assert square.mean() == pytest.approx(expected, abs=4 * square.std() / np.sqrt(len(square)))


def test_w_bosons_from_top_quarks_have_the_helicities_of_the_standard_model():
    """F0, FL, FR = 0.687, 0.311, 0.002 (https://arxiv.org/abs/1005.2625).

    With the angle of the charged lepton to the W boson in the frame of the top quark, these make
    a mean cosine of (FR - FL)/2 and a mean square of F0/5 + 2 (FL + FR)/5.
    """
    lines = [*BEAMS, *PROCESSES["ttbarsemileptonic"].settings(), *NO_SHOWER]
    particles = Generator(lines, seed=6).generate(0, n_events=3000).particles
    start, momentum = particles.starts[particles.event], particles.momentum
    boson = start + particles.mother
    top = start + particles.mother[boson]
    chosen = np.isin(particles.pdg, (-11, -13)) & (particles.pdg[boson] == 24)
    chosen &= particles.pdg[top] == 6
    cosine = -helicity_cosine(momentum[chosen], momentum[boson[chosen]], momentum[top[chosen]])
    assert len(cosine) == 3000
    for power, expected in ((1, -0.1545), (2, 0.2626)):
        values = cosine**power
        assert values.mean() == pytest.approx(
            expected, abs=4 * values.std() / np.sqrt(len(values))
        )
