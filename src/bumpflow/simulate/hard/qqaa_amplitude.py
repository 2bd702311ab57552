r"""Tree-level amplitudes of two partons to a quark pair and two photons, with massless quarks.

Polarisations are real and linear. Then a right-handed line is the complex conjugate of a
left-handed one, so that only the latter are computed. Couplings are left out: squared amplitudes
are in units of :math:`g^4 e^4`, and for gluons of the fourth power of the quark's charge.

References:
    Mangano, Parke (1991), https://arxiv.org/abs/hep-th/0509223
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.hard.weyl import (
    Line,
    Vector,
    act,
    act_left,
    add,
    contract,
    current,
    polarisations,
    product,
    spread,
    subtract,
    vertex,
)

CHUNK = 1024
"""Events at a time: all intermediate results then stay in the processor's cache."""
COLOUR_SAME, COLOUR_CROSSED = 16 / 3, -2 / 3
r"""Traces of :math:`T_1 T_2 T_2 T_1` and :math:`T_1 T_2 T_1 T_2`, summed over colours."""
COLOUR_QUARKS = 2.0
"""Colour factor of a gluon between two lines of quarks."""
AVERAGE_GLUONS, AVERAGE_QUARKS = 4 * 64, 4 * 9
"""Spins and colours of two incoming partons."""
IDENTICAL_PHOTONS = 2
HANDEDNESS = 2
"""Left-handed quarks contribute as much as right-handed ones."""


class ColourOrdered(NamedTuple):
    r"""Amplitudes of two gluons by the order in which a quark line absorbs them.

    Axes are the polarisations of both gluons and both photons, and events.

    Attributes:
        second_last: Of :math:`T_2 T_1`: starting at the antiquark, the line absorbs gluon 1 first.
        first_last: Of :math:`T_1 T_2`.
    """

    second_last: NDArray[np.complex128]
    first_last: NDArray[np.complex128]


class SquaredAmplitudes(NamedTuple):
    """Squared amplitudes of two gluons to a quark pair and two photons, shape ``(n,)`` each.

    Attributes:
        total: Summed over final and averaged over initial states.
        second_last: Square of one colour order, of any normalisation.
        first_last: Square of the other, of the same normalisation.
    """

    total: NDArray[np.float64]
    second_last: NDArray[np.float64]
    first_last: NDArray[np.float64]


def gluons_squared(momenta: NDArray) -> SquaredAmplitudes:
    """Return squared amplitudes of gg to Q Qbar gamma gamma.

    Args:
        momenta: Momenta [GeV] of the incoming gluons, the quark, the antiquark and the photons,
            all with positive energies, shape ``(n_events, 6, 4)``.

    Returns:
        Squared amplitudes [GeV^-4], with the factor for identical photons.
    """
    pieces = []
    for start in range(0, max(len(momenta), 1), CHUNK):
        gluon_1, gluon_2, quark, antiquark, photon_1, photon_2 = _chunk(momenta, start)
        orders = line_amplitudes([gluon_1, gluon_2, quark, antiquark, -photon_1, -photon_2])
        squares = [_sum_squares(amplitude) for amplitude in orders]
        crossed = (orders.second_last * orders.first_last.conj()).real
        total = COLOUR_SAME * (squares[0] + squares[1])
        total += 2 * COLOUR_CROSSED * crossed.sum(axis=(0, 1, 2, 3))
        total *= HANDEDNESS / AVERAGE_GLUONS / IDENTICAL_PHOTONS
        pieces.append((total, *squares))
    return SquaredAmplitudes(*(np.concatenate(part) for part in zip(*pieces, strict=True)))


def quarks_squared(
    momenta: NDArray, *, charge_initial: float, charge_final: float
) -> NDArray[np.float64]:
    """Return squared amplitudes of q qbar to Q Qbar gamma gamma, with two flavours.

    Args:
        momenta: Momenta [GeV] of the incoming quark and antiquark, the outgoing quark, the
            antiquark and the photons, all with positive energies, shape ``(n_events, 6, 4)``.
        charge_initial: Charge of the incoming quark, in units of the proton's.
        charge_final: Charge of the outgoing quark.

    Returns:
        Squared amplitudes [GeV^-4], summed over final and averaged over initial states, with the
        factor for identical photons, shape ``(n_events,)``.
    """
    pieces = []
    for start in range(0, max(len(momenta), 1), CHUNK):
        quark_in, antiquark_in, quark, antiquark, photon_1, photon_2 = _chunk(momenta, start)
        same, opposite = two_line_amplitudes(
            [-antiquark_in, -quark_in, quark, antiquark, -photon_1, -photon_2],
            charge_1=charge_initial,
            charge_2=charge_final,
        )
        pieces.append(_sum_squares(same) + _sum_squares(opposite))
    factor = HANDEDNESS * COLOUR_QUARKS / AVERAGE_QUARKS / IDENTICAL_PHOTONS
    return factor * np.concatenate(pieces)


def line_amplitudes(
    momenta: Sequence[Vector], vectors: list[Vector] | None = None
) -> ColourOrdered:
    r"""Return amplitudes of a left-handed quark line that absorbs two gluons and two photons.

    Diagrams are cut in the middle: two bosons on either side of a propagator, or the gluons'
    common vertex between one photon on either side.

    Args:
        momenta: Momenta of both gluons, absorbed, of the quark and the antiquark, outgoing, and of
            both photons, absorbed, shape ``(4, n_events)`` each.
        vectors: Polarisations of gluons and photons, shape ``(4, 2, n_events)`` each; by default
            two transverse ones.
    """
    gluon_1, gluon_2, quark, antiquark, photon_1, photon_2 = momenta
    bosons = [gluon_1, gluon_2, photon_1, photon_2]
    vectors = spread(vectors or [polarisations(boson) for boson in bosons])
    line = Line(quark, antiquark, bosons, vectors)
    pair = vertex(_join_gluons(gluon_1, gluon_2, vectors[0], vectors[1]))
    pair_ket, pair_bra = act(pair, line.start), act_left(line.end, pair)
    photons_ket, photons_bra = line.both_ket(2, 3), line.both_bra(2, 3)
    amplitudes = []
    for first, last, combine in ((0, 1, subtract), (1, 0, add)):
        gluons_ket = combine(line.ket(first, last), pair_ket)
        gluons_bra = combine(line.bra(first, last), pair_bra)
        halves = (
            (photons_bra, line.propagate(0, 1, gluons_ket)),
            (line.both_bra(last, 3), line.both_ket(first, 2)),
            (line.both_bra(last, 2), line.both_ket(first, 3)),
            (gluons_bra, photons_ket),
        )
        parts = [contract(bra, ket) for bra, ket in halves]
        amplitudes.append(parts[0] + parts[1] + parts[2] + parts[3])
    between = contract(line.single_bra[3], act(pair, line.single_ket[2]))
    between = between + contract(line.single_bra[2], act(pair, line.single_ket[3]))
    return ColourOrdered(amplitudes[0] - between, amplitudes[1] + between)


def two_line_amplitudes(
    momenta: Sequence[Vector],
    *,
    charge_1: float,
    charge_2: float,
    vectors: list[Vector] | None = None,
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return amplitudes of two quark lines that exchange a gluon and absorb two photons.

    Args:
        momenta: Momenta of quark and antiquark of the first line and of the second line, outgoing,
            and of both photons, absorbed, shape ``(4, n_events)`` each.
        charge_1: Charge of the first line's quark, in units of the proton's.
        charge_2: Charge of the second line's quark.
        vectors: Polarisations of the photons, shape ``(4, 2, n_events)`` each; by default two
            transverse ones.

    Returns:
        Amplitudes of lines of equal and of opposite handedness, shape ``(2, 2, n_events)`` each.
    """
    *quarks, photon_1, photon_2 = momenta
    photons = [photon_1, photon_2]
    vectors = spread(vectors or [polarisations(photon) for photon in photons])
    first = _currents(Line(quarks[0], quarks[1], photons, vectors))
    second = _currents(Line(quarks[2], quarks[3], photons, vectors))
    absorbed = (np.zeros_like(photon_1), photon_1, photon_2, photon_1 + photon_2)
    shape = (2, 2, photon_1.shape[-1])
    same, opposite = np.zeros(shape, complex), np.zeros(shape, complex)
    for number, photons_second in enumerate(absorbed):
        n_second = number.bit_count()
        gluon = quarks[2] + quarks[3] - photons_second
        scale = charge_1 ** (2 - n_second) * charge_2**n_second / product(gluon, gluon)
        right = second[number] * scale
        left = first[3 - number]
        same = same + product(left, right)
        opposite = opposite + product(left.conj(), right)
    return same, opposite


def _currents(line: Line) -> list[Vector]:
    """Return the currents of a line by the photons it absorbs: none, first, second, both."""
    both = current(line.propagate_back(0, 1, line.both_bra(0, 1)), line.start)
    both = both + current(line.end, line.both_ket(0, 1))
    both = both + current(line.single_bra[0], line.single_ket[1])
    both = both + current(line.single_bra[1], line.single_ket[0])
    single = [
        current(bra, line.start) + current(line.end, ket)
        for bra, ket in zip(line.single_bra, line.single_ket, strict=True)
    ]
    return [current(line.end, line.start), *single, both]


def _join_gluons(k_1: Vector, k_2: Vector, e_1: Vector, e_2: Vector) -> Vector:
    """Return the polarisation of the gluon that two gluons merge into, with its propagator."""
    expand = (slice(None), *(None,) * (e_1.ndim - 2))
    k_1, k_2 = k_1[expand], k_2[expand]
    merged = (k_1 - k_2) * product(e_1, e_2)
    merged = merged + 2 * product(k_2, e_1) * e_2 - 2 * product(k_1, e_2) * e_1
    return merged / (2 * product(k_1, k_2))


def _chunk(momenta: NDArray, start: int) -> list[Vector]:
    """Return momenta of some events by particle, components first."""
    part = momenta[start : start + CHUNK].transpose(1, 2, 0)
    return list(np.ascontiguousarray(part))


def _sum_squares(amplitude: NDArray) -> NDArray[np.float64]:
    """Return squares, summed over polarisations."""
    squares = np.square(amplitude.real) + np.square(amplitude.imag)
    return squares.sum(axis=tuple(range(amplitude.ndim - 1)))
