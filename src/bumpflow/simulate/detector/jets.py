"""Cluster jets, find their true flavours and tag those with b hadrons."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.detector.pairing import leading_positions, line_up, offsets, pair_up
from bumpflow.simulate.detector.response import LARGEST_CODE
from bumpflow.simulate.detector.settings import WorkingPoint
from bumpflow.simulate.extras import optional
from bumpflow.simulate.kinematics import azimuth, delta_r, pseudorapidity, transverse_momentum
from bumpflow.simulate.particles import Particles

BOTTOM, CHARM, LIGHT = 5, 4, 0


class HeavyHadrons(NamedTuple):
    """Hadrons with a heavy quark, each at the end of its chain of strong decays.

    Attributes:
        event: Which event each belongs to, ascending, shape ``(n,)``.
        flavour: 5 of b hadrons, 4 of c hadrons, shape ``(n,)``.
        eta: Pseudorapidities, shape ``(n,)``.
        phi: Azimuths [rad], shape ``(n,)``.
    """

    event: NDArray[np.int64]
    flavour: NDArray[np.int64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]


class Tags(NamedTuple):
    """Tags of jets.

    Attributes:
        level: 0 untagged, 1 loose, 2 tight, shape ``(n_jets,)``.
        weights: By what to multiply the weights of events, shape ``(n_events,)``.
    """

    level: NDArray[np.int64]
    weights: NDArray[np.float64]


def cluster_jets(
    event: NDArray, momentum: NDArray, *, n_events: int, radius: float, min_pt: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cluster jets with the anti-kt algorithm, momenta added up.

    Args:
        event: Event of each particle, ascending, shape ``(n,)``.
        momentum: Momenta (px, py, pz, E) [GeV], shape ``(n, 4)``.
        n_events: Number of events.
        radius: Parameter of the algorithm.
        min_pt: Least transverse momentum of a jet [GeV].

    Returns:
        Event of each jet, ascending, shape ``(n_jets,)``, and momenta, shape ``(n_jets, 4)``.

    Raises:
        MissingExtra: If FastJet is not installed.

    References:
        Cacciari, Salam and Soyez (2008), https://arxiv.org/abs/0802.1189;
        Cacciari, Salam and Soyez (2012), https://arxiv.org/abs/1111.6097
    """
    import awkward as ak

    with optional():
        import fastjet
    names = ("px", "py", "pz", "E")
    columns = dict(zip(names, np.ascontiguousarray(momentum.T), strict=True))
    counts = np.bincount(event, minlength=n_events)
    particles = ak.unflatten(ak.zip(columns, with_name="Momentum4D"), counts)
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    jets = fastjet.ClusterSequence(particles, definition).inclusive_jets(min_pt=min_pt)
    jet_event = np.repeat(np.arange(n_events), ak.to_numpy(ak.num(jets)))
    flat = ak.flatten(jets)
    return jet_event, np.stack([ak.to_numpy(flat[name]) for name in names], axis=1)


@cache
def _flavours() -> NDArray[np.int8]:
    """Return the heaviest quark, b, c or else 0, in the hadron of each absolute code.

    Hadrons have three digits for their quarks and one for their spin; in diquarks, the last digit
    for a quark is 0. Excited states with more digits decay to the others.
    """
    code = np.arange(LARGEST_CODE + 1)
    digits = [code // 10**place % 10 for place in (1, 2, 3)]
    hadron = (digits[0] > 0) & (digits[1] > 0) & (code < LARGEST_CODE)
    heaviest = np.where(hadron, np.maximum(digits[1], digits[2]), 0)
    return np.where((heaviest == CHARM) | (heaviest == BOTTOM), heaviest, LIGHT).astype(np.int8)


def heavy_hadrons(particles: Particles, *, min_pt: float) -> HeavyHadrons:
    """Return the last b and c hadrons of decay chains.

    Args:
        particles: Generated events.
        min_pt: Least transverse momentum [GeV].
    """
    flavours = _flavours()[np.minimum(np.abs(particles.pdg), LARGEST_CODE)]
    heavy = np.flatnonzero(flavours)
    mothers = particles.starts[particles.event[heavy]] + particles.mother[heavy]
    same = flavours[mothers] == flavours[heavy]
    last = np.ones(len(flavours), dtype=bool)
    last[mothers[same]] = False
    heavy = heavy[last[heavy]]
    momentum = particles.momentum[heavy]
    hard = transverse_momentum(momentum) > min_pt
    heavy, momentum = heavy[hard], momentum[hard]
    return HeavyHadrons(
        event=particles.event[heavy],
        flavour=flavours[heavy].astype(np.int64),
        eta=pseudorapidity(momentum),
        phi=azimuth(momentum),
    )


def label_flavours(
    event: NDArray, momentum: NDArray, hadrons: HeavyHadrons, *, n_events: int, radius: float
) -> NDArray[np.int64]:
    """Return the true flavours of jets: the heaviest of the hadrons around their axes.

    Args:
        event: Event of each jet, shape ``(n_jets,)``.
        momentum: Momenta of jets [GeV], shape ``(n_jets, 4)``.
        hadrons: Heavy hadrons of the same events.
        n_events: Number of events.
        radius: Distance within which a hadron counts.

    Returns:
        5, 4 or 0, shape ``(n_jets,)``.
    """
    jet, hadron = pair_up(event, hadrons.event, n_events)
    eta, phi = pseudorapidity(momentum), azimuth(momentum)
    near = delta_r(eta[jet], phi[jet], hadrons.eta[hadron], hadrons.phi[hadron]) < radius
    flavour = np.zeros(len(event), np.int64)
    np.maximum.at(flavour, jet[near], hadrons.flavour[hadron[near]])
    return flavour


def tag_probability(pt: NDArray, flavour: NDArray, point: WorkingPoint) -> NDArray[np.float64]:
    """Return the probabilities that jets pass a working point.

    Args:
        pt: Transverse momenta [GeV], shape ``(n,)``.
        flavour: True flavours 5, 4 or 0, shape ``(n,)``.
        point: Coefficients of the probabilities.

    Returns:
        Probabilities, within 0 and 1, shape ``(n,)``.
    """
    bottom, charm = (a * np.tanh(b * pt) * c / (1 + d * pt) for a, b, c, d in (point.b, point.c))
    light = point.light[0] + point.light[1] * pt
    probability = np.select([flavour == BOTTOM, flavour == CHARM], [bottom, charm], light)
    return np.clip(probability, 0, 1)


def draw_tags(loose: NDArray, tight: NDArray, *, n_events: int, rng: np.random.Generator) -> Tags:
    """Tag jets at random.

    Args:
        loose: Probability that each jet passes the loose working point, shape ``(n_jets,)``.
        tight: The same of the tight one; jets that pass it pass the loose one, too.
        n_events: Number of events, all of which keep their weights.
        rng: Random numbers.
    """
    chance = rng.random(len(loose))
    passes_loose = chance < loose
    level = passes_loose.astype(np.int64) + (passes_loose & (chance < tight))
    return Tags(level, np.ones(n_events))


def draw_enough_tags(
    event: NDArray,
    loose: NDArray,
    tight: NDArray,
    *,
    n_events: int,
    min_tags: int,
    rng: np.random.Generator,
) -> Tags:
    r"""Tag jets at random so that events have enough tags, and weigh events accordingly.

    With :math:`T_{jk}` the probability of at least :math:`k` tags among jet :math:`j` and those
    after it, jets are tagged one after the other: if :math:`k` tags are still needed, jet
    :math:`j` is tagged with probability :math:`p_j T_{j+1,k-1} / T_{jk}`. The event's weight is
    :math:`T_{0k}`, so that weighted means are those of :func:`draw_tags` among events with enough
    tags; events that cannot have enough get weight 0.

    Args:
        event: Event of each jet, ascending, shape ``(n_jets,)``.
        loose: Probability that each jet passes the loose working point, shape ``(n_jets,)``.
        tight: The same of the tight one.
        n_events: Number of events.
        min_tags: Jets that must pass the loose one.
        rng: Random numbers.
    """
    n_most = int(np.diff(offsets(event, n_events)).max(initial=0))
    positions = leading_positions(event, n_events, n_most)
    chance = line_up(np.asarray(loose, dtype=float), positions)
    tails = _tail_probabilities(chance, min_tags)
    needed = np.full(n_events, min_tags)
    rows = np.arange(n_events)
    tagged = np.zeros(chance.shape, dtype=bool)
    for jet in range(n_most):
        with_tag = chance[:, jet] * tails[jet + 1][rows, np.maximum(needed - 1, 0)]
        total = tails[jet][rows, needed]
        tagged[:, jet] = rng.random(n_events) * total < with_tag
        needed = np.maximum(needed - tagged[:, jet], 0)
    level = np.zeros(len(loose), dtype=np.int64)
    passes = np.zeros(len(loose), dtype=bool)
    passes[positions[positions >= 0]] = tagged[positions >= 0]
    level[passes] = 1 + (rng.random(int(passes.sum())) * loose[passes] < tight[passes])
    return Tags(level, tails[0][:, min_tags])


def _tail_probabilities(chance: NDArray, min_tags: int) -> list[NDArray[np.float64]]:
    """Return probabilities of at least 0, 1, ... tags among the jets from each one on.

    Args:
        chance: Probability to tag each jet, 0 where there is none, shape ``(n_events, n_jets)``.
        min_tags: Largest number of tags to look at.

    Returns:
        One array per jet, and one for no jets left, of shape ``(n_events, min_tags + 1)``.
    """
    none_left = np.zeros((len(chance), min_tags + 1))
    none_left[:, 0] = 1.0
    tails = [none_left]
    for column in chance.T[::-1]:
        after, p = tails[-1], column[:, None]
        with_tag = np.concatenate([after[:, :1], after[:, :-1]], axis=1)
        tails.append(p * with_tag + (1 - p) * after)
    return tails[::-1]
