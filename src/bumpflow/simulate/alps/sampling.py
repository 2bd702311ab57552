r"""Events with two seen photons at given masses and lifetimes, drawn from their exact distribution.

Every parameter point gets its events by rejection, so what is accepted is distributed over the
parameters as the points are. A try passes, one after the other,

1. the bound of its B meson: with the energies that the particle can have in the laboratory, no
   decay is more probable than some :math:`w_B \leq w_0`, of which :math:`w_0` is the largest for
   any B meson. It passes with probability :math:`w_B/w_0`, before its decay is drawn;
2. the decay probability :math:`w` of the particle, with probability :math:`w/w_B`;
3. the walls of the vessel, then what photons must do.

Tries are made in rounds for all points that still wait, the more for each the fewer wait. As how
many are made does not depend on what becomes of them, the first success of a round is as good as
any.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.alps.bounds import Points, bound_mesons, least_pz, prepare_points
from bumpflow.simulate.alps.decays import decay_probability, decay_to_photons, place_vertices
from bumpflow.simulate.alps.settings import BeamDump
from bumpflow.simulate.beamdump import B_MASS_GEV, sample_parametrised
from bumpflow.simulate.kinematics import boost, directions
from bumpflow.workflow import derive_seed

BLOCK_SIZE = 4096
"""Points that share random numbers: events depend on it, but not on how blocks are spread."""
ROWS = 1 << 14
"""Tries of a round, all points together: what bounds the memory."""
MAX_TRIES = 100_000_000
PARAMETERS = ("log10_mass", "log10_lifetime")
PHOTONS = tuple(f"true_{name}{i}" for i in (1, 2) for name in ("px", "py", "pz", "x", "y"))
VERTEX = ("vertex_x", "vertex_y", "vertex_z")

Mesons = Callable[[int, np.random.Generator], NDArray]
"""What draws momenta of a number of B mesons."""


class Acceptance(NamedTuple):
    """Probabilities that a decay of a B meson to the particle is seen.

    Attributes:
        value: The probability, shape ``(n,)``.
        error: Its standard error, shape ``(n,)``.
    """

    value: NDArray[np.float64]
    error: NDArray[np.float64]


def sample_events(
    setup: BeamDump,
    blocks: Sequence[int],
    *,
    seed: int,
    n_events: int = BLOCK_SIZE,
    mesons: NDArray | None = None,
    max_tries: int = MAX_TRIES,
) -> pd.DataFrame:
    """Return events at parameters that are drawn from the prior, one at each point.

    Args:
        setup: The set-up.
        blocks: Numbers of blocks; each decides about all random numbers in it.
        seed: Seed of the sample.
        n_events: Events of a block.
        mesons: Momenta (px, py, pz, E) of B mesons [GeV] to draw from, shape ``(k, 4)``; those
            of :func:`bumpflow.simulate.beamdump.sample_parametrised` by default.
        max_tries: After how many tries without success a point is given up.

    Returns:
        One row per event: ``log10_mass`` [GeV] and ``log10_lifetime``, of c tau / m [m/GeV]; of
        both photons, the more energetic one first, momenta ``true_px1`` to ``true_pz2`` [GeV] and
        hits ``true_x1`` to ``true_y2`` [m]; ``vertex_x`` to ``vertex_z`` [m]; ``block``.

    Raises:
        ValueError: If a point is given up, or ``mesons`` are no momenta of B mesons.
    """
    draw = _mesons(setup, mesons)
    tables = []
    for number in blocks:
        rng = np.random.default_rng(derive_seed(seed, "alps", str(number)))
        theta = setup.prior.sample(n_events, rng)
        table = _sample_block(theta, setup, draw, rng, max_tries=max_tries)
        tables.append(table.assign(block=np.full(n_events, number, dtype=np.int32)))
    return pd.concat(tables, ignore_index=True)


def sample_events_at(
    theta: NDArray,
    setup: BeamDump,
    *,
    seed: int,
    mesons: NDArray | None = None,
    max_tries: int = MAX_TRIES,
) -> pd.DataFrame:
    """Return one event at each of given parameter points, as :func:`sample_events` has them.

    Args:
        theta: Decadic logarithms of mass [GeV] and lifetime [m/GeV], shape ``(n, 2)``.
        setup: The set-up.
        seed: Seed of the sample.
        mesons: As in :func:`sample_events`.
        max_tries: As in :func:`sample_events`.

    Raises:
        ValueError: If a point is given up, or ``theta`` or ``mesons`` are no such points.
    """
    draw = _mesons(setup, mesons)
    theta = _check_points(theta)
    tables = []
    for number, start in enumerate(range(0, len(theta), BLOCK_SIZE)):
        rng = np.random.default_rng(derive_seed(seed, "alps", str(number)))
        part = theta[start : start + BLOCK_SIZE]
        tables.append(_sample_block(part, setup, draw, rng, max_tries=max_tries))
    return pd.concat(tables, ignore_index=True)


def sample_sets(
    theta: NDArray,
    n_obs: int,
    setup: BeamDump,
    *,
    seed: int,
    mesons: NDArray | None = None,
    max_tries: int = MAX_TRIES,
) -> pd.DataFrame:
    """Return sets of events, each at one parameter point.

    Args:
        theta: Decadic logarithms of mass [GeV] and lifetime [m/GeV] of each set, shape ``(n, 2)``.
        n_obs: Events of a set.
        setup: The set-up.
        seed: Seed of the sample.
        mesons: As in :func:`sample_events`.
        max_tries: As in :func:`sample_events`.

    Returns:
        ``n * n_obs`` rows as in :func:`sample_events`, with ``set`` and, within it, ``event``.

    Raises:
        ValueError: As in :func:`sample_events_at`, or if sets have no events.
    """
    if n_obs < 1:
        msg = f"sets of {n_obs} events are asked for, but each needs one at least"
        raise ValueError(msg)
    theta = _check_points(theta)
    repeated = np.repeat(theta, n_obs, axis=0)
    table = sample_events_at(repeated, setup, seed=seed, mesons=mesons, max_tries=max_tries)
    number, event = np.divmod(np.arange(len(repeated)), n_obs)
    return table.assign(set=number, event=event)


def acceptance(
    theta: NDArray,
    setup: BeamDump,
    *,
    n_tries: int,
    rng: np.random.Generator,
    mesons: NDArray | None = None,
) -> Acceptance:
    """Return the probabilities to see a particle, by weighted events.

    Every try decays inside the vessel and counts with the probability of that. Multiplied by the
    number of decays of B mesons and both branching fractions, this is the number of events.

    Args:
        theta: Decadic logarithms of mass [GeV] and lifetime [m/GeV], shape ``(n, 2)``.
        setup: The set-up.
        n_tries: Tries at each point.
        rng: Random numbers.
        mesons: As in :func:`sample_events`.

    Raises:
        ValueError: If there are fewer than two tries.
    """
    if n_tries < 2:
        msg = f"n_tries is {n_tries}, but an acceptance with its error needs 2 at least"
        raise ValueError(msg)
    draw, theta = _mesons(setup, mesons), _check_points(theta)
    points = prepare_points(theta, setup)
    total, square = np.zeros(len(theta)), np.zeros(len(theta))
    for start in range(0, len(theta) * n_tries, ROWS):
        place = np.arange(start, min(start + ROWS, len(theta) * n_tries)) // n_tries
        weight = _weigh(place, points, draw, setup, rng)
        total += np.bincount(place, weight, len(theta))
        square += np.bincount(place, weight**2, len(theta))
    value = total / n_tries
    variance = np.maximum(square / n_tries - value**2, 0)
    return Acceptance(value, np.sqrt(variance / (n_tries - 1)))


def _weigh(
    place: NDArray, points: Points, draw: Mesons, setup: BeamDump, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the weights of tries at given points, 0 of those that are not seen."""
    weight = np.zeros(len(place))
    kaon = _pick_kaons(place, points, rng)
    alp = _produce(draw(len(place), rng), place, kaon, points, rng)
    row = np.flatnonzero(alp[:, 2] > 0)
    vertex = place_vertices(alp[row], points.lifetime[place[row]], setup, rng)
    inside = setup.is_in_vessel(vertex)
    row, vertex = row[inside], vertex[inside]
    at = place[row]
    seen = decay_to_photons(alp[row], vertex, points.mass[at], setup, rng).seen
    length = points.lifetime[at] * alp[row, 2]
    weight[row] = decay_probability(length, setup) * seen
    return weight


def _sample_block(
    theta: NDArray, setup: BeamDump, draw: Mesons, rng: np.random.Generator, *, max_tries: int
) -> pd.DataFrame:
    """Return one event at each of some points."""
    points = prepare_points(theta, setup)
    found = np.empty((len(theta), len(PHOTONS) + len(VERTEX)))
    pending, n_tries = np.arange(len(theta)), 0
    while len(pending):
        if n_tries >= max_tries:
            _give_up(theta[pending], n_tries)
        each = max(ROWS // len(pending), 1)
        success, events = _attempt(np.repeat(pending, each), points, draw, setup, rng)
        place, first = np.unique(success, return_index=True)
        found[place] = events[first]
        pending = np.setdiff1d(pending, place, assume_unique=True)
        n_tries += each
    table = pd.DataFrame(found, columns=[*PHOTONS, *VERTEX])
    return pd.concat([pd.DataFrame(theta, columns=list(PARAMETERS)), table], axis=1)


def _attempt(
    place: NDArray, points: Points, draw: Mesons, setup: BeamDump, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the points of tries that succeed, and what happened in them."""
    meson, kaon = draw(len(place), rng), _pick_kaons(place, points, rng)
    limit = bound_mesons(meson, place, kaon, points, setup)
    kept = np.flatnonzero(rng.random(len(place)) * points.bound[place] < limit)
    place, limit = place[kept], limit[kept]

    alp = _produce(meson[kept], place, kaon[kept], points, rng)
    # Slower ones are not covered by the bound, and their photons are not seen.
    allowed = alp[:, 2] >= least_pz(alp[:, 3], points.mass[place], setup)
    allowed &= alp[:, 3] >= points.least[place]
    length = points.lifetime[place] * np.where(allowed, alp[:, 2], 1)
    passed = rng.random(len(place)) * limit < decay_probability(length, setup)
    kept = np.flatnonzero(allowed & passed)
    place, alp = place[kept], alp[kept]

    vertex = place_vertices(alp, points.lifetime[place], setup, rng)
    kept = np.flatnonzero(setup.is_in_vessel(vertex))
    place, alp, vertex = place[kept], alp[kept], vertex[kept]

    photons = decay_to_photons(alp, vertex, points.mass[place], setup, rng)
    seen = photons.seen
    columns = [photons.momentum[0, seen, :3], photons.hit[0, seen]]
    columns += [photons.momentum[1, seen, :3], photons.hit[1, seen], vertex[seen]]
    return place[seen], np.concatenate(columns, axis=1)


def _pick_kaons(place: NDArray, points: Points, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return which kaon comes with the particle of every try."""
    kaon = np.zeros(len(place), dtype=np.int64)
    if points.shares.shape[1] > 1:
        below = points.shares[place, :-1] <= rng.random(len(place))[:, None]
        kaon += below.sum(axis=1)
    return kaon


def _produce(
    meson: NDArray, place: NDArray, kaon: NDArray, points: Points, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return momenta (px, py, pz, E) [GeV] of particles that B mesons decay to."""
    n = len(place)
    unit = directions(rng.uniform(-1, 1, n), rng.uniform(-np.pi, np.pi, n))
    vector = unit * points.momentum[place, kaon][:, None]
    at_rest = np.concatenate([vector, points.energy[place, kaon][:, None]], axis=1)
    return boost(at_rest, meson)


def _mesons(setup: BeamDump, mesons: NDArray | None) -> Mesons:
    """Return what draws momenta of B mesons."""
    if mesons is None:
        return lambda n, rng: sample_parametrised(
            n, rng, beam_momentum_gev=setup.beam_momentum_gev
        )
    table = np.asarray(mesons, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 4 or not len(table):
        msg = f"mesons have shape {table.shape}, but must be rows of (px, py, pz, E)"
        raise ValueError(msg)
    square = table[:, 3] ** 2 - np.square(table[:, :3]).sum(axis=1)
    wrong = ~(np.abs(np.sqrt(np.maximum(square, 0)) - B_MASS_GEV) < 0.2)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        msg = (
            f"row {row} of mesons, {table[row].tolist()}, is no (px, py, pz, E) of a B meson [GeV]"
        )
        raise ValueError(msg)
    return lambda n, rng: table[rng.integers(len(table), size=n)]


def _check_points(theta: NDArray) -> NDArray[np.float64]:
    """Return parameter points, or raise if they are none."""
    theta = np.asarray(theta, dtype=np.float64)
    if theta.ndim != 2 or theta.shape[1] != 2 or not len(theta) or not np.isfinite(theta).all():
        msg = (
            f"theta has shape {theta.shape}, but must be finite rows of log10 mass [GeV] and log10"
            " lifetime [m/GeV]"
        )
        raise ValueError(msg)
    return theta


def _give_up(theta: NDArray, n_tries: int) -> None:
    """Raise because nothing is seen at some points."""
    mass, lifetime = 10 ** theta[0]
    msg = (
        f"no event is seen at a mass of {mass:.4g} GeV and c tau / m = {lifetime:.4g} m/GeV, nor at"
        f" {len(theta) - 1} other points, in {n_tries} tries each: narrow the prior or raise"
        " max_tries"
    )
    raise ValueError(msg)
