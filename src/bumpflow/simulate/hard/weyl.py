r"""Two-component spinors of massless quarks, along lines that absorb vector bosons.

A line starts at an outgoing antiquark of momentum :math:`\bar p` and ends at an outgoing quark of
momentum :math:`p`, both left-handed; in between flows :math:`q = -\bar p + \sum k` with the
momenta :math:`k` of the bosons that it has absorbed so far. Incoming quarks are outgoing
antiquarks of negative energy, outgoing bosons are absorbed with negative energy. The last axis of
all arrays counts events; those before count polarisations. Couplings, charges and factors of
:math:`i` are left out.

References:
    Berends, Giele (1988), https://doi.org/10.1016/0550-3213(88)90442-7
"""

import numpy as np
from numpy.typing import NDArray

Spinor = tuple[NDArray, NDArray]
"""Both components."""
Matrix = tuple[NDArray, NDArray, NDArray, NDArray]
"""Four entries, row by row."""
Vector = NDArray
"""Components (x, y, z, t), shape ``(4, ..., n_events)``."""
ALONG_BEAM = 1e-10
"""Relative transverse size below which a momentum counts as along the z axis."""


def spinor(momentum: Vector) -> Spinor:
    """Return left-handed spinors of massless momenta; of negative energies, of their opposites.

    Args:
        momentum: Momenta, shape ``(4, n_events)``.
    """
    x, y, z, energy = momentum * np.sign(momentum[3])
    plus = energy + z
    backward = plus < ALONG_BEAM * energy
    root = np.where(backward, 0, np.sqrt(np.maximum(plus, 0)))
    slope = (x - 1j * y) / np.where(backward, 1, root)
    lower = np.where(backward, np.sqrt(2 * energy), slope)
    return -lower, root.astype(complex)


def polarisations(momentum: Vector) -> Vector:
    """Return the two real transverse polarisations of massless momenta.

    Args:
        momentum: Momenta, shape ``(4, n_events)``.

    Returns:
        Polarisations, shape ``(4, 2, n_events)``.
    """
    x, y, z, energy = momentum * np.sign(momentum[3])
    transverse = np.hypot(x, y)
    aligned = transverse < ALONG_BEAM * energy
    safe = np.where(aligned, 1, transverse)
    cos_phi, sin_phi = np.where(aligned, 1, x / safe), np.where(aligned, 0, y / safe)
    cos_theta, sin_theta, zero = z / energy, transverse / energy, np.zeros_like(x)
    in_plane = [cos_theta * cos_phi, cos_theta * sin_phi, -sin_theta, zero]
    return np.stack([np.stack(in_plane), np.stack([-sin_phi, cos_phi, zero, zero])], axis=1)


def product(a: Vector, b: Vector) -> NDArray:
    """Return Minkowski products."""
    return a[3] * b[3] - a[0] * b[0] - a[1] * b[1] - a[2] * b[2]


def vertex(boson: Vector) -> Matrix:
    r"""Return :math:`a_\mu \bar\sigma^\mu`, which absorbs a boson."""
    x, y, z, t = boson
    flip = 1j * y
    return t + z, x - flip, x + flip, t - z


def propagator(momentum: Vector) -> Matrix:
    r"""Return :math:`q_\mu \sigma^\mu / q^2` of a line."""
    x, y, z, t = momentum / product(momentum, momentum)
    flip = 1j * y
    return t - z, flip - x, -flip - x, t + z


def act(matrix: Matrix, ket: Spinor) -> Spinor:
    """Return a matrix times a column."""
    a, b, c, d = matrix
    return a * ket[0] + b * ket[1], c * ket[0] + d * ket[1]


def act_left(bra: Spinor, matrix: Matrix) -> Spinor:
    """Return a row times a matrix."""
    a, b, c, d = matrix
    return bra[0] * a + bra[1] * c, bra[0] * b + bra[1] * d


def add(a: Spinor, b: Spinor) -> Spinor:
    """Return the sum of two spinors."""
    return a[0] + b[0], a[1] + b[1]


def subtract(a: Spinor, b: Spinor) -> Spinor:
    """Return the difference of two spinors."""
    return a[0] - b[0], a[1] - b[1]


def contract(bra: Spinor, ket: Spinor) -> NDArray:
    """Return a row times a column."""
    return bra[0] * ket[0] + bra[1] * ket[1]


def current(bra: Spinor, ket: Spinor) -> Vector:
    r"""Return :math:`\mathrm{bra}\, \bar\sigma^\mu\, \mathrm{ket}`."""
    a, b, c, d = bra[0] * ket[0], bra[0] * ket[1], bra[1] * ket[0], bra[1] * ket[1]
    return np.stack([-(b + c), 1j * (b - c), d - a, a + d])


class Line:
    """A quark line and its parts that have absorbed some of its bosons.

    Bosons are named by their place in what the line was made of. Kets start at the antiquark, bras
    end at the quark. Those of one boson include the propagator next to it.

    Attributes:
        start: Spinor of the antiquark.
        end: Conjugate spinor of the quark.
        single_ket: Kets by the boson that is absorbed first.
        single_bra: Bras by the boson that is absorbed last.
    """

    def __init__(
        self, quark: Vector, antiquark: Vector, bosons: list[Vector], vectors: list[Vector]
    ) -> None:
        """Absorb single bosons.

        Args:
            quark: Momenta of the outgoing quark, shape ``(4, n_events)``.
            antiquark: Momenta of the outgoing antiquark.
            bosons: Momenta of the bosons, absorbed.
            vectors: Their polarisations, on axes of their own, as :func:`spread` returns them.
        """
        self._quark, self._antiquark, self._bosons = quark, antiquark, bosons
        self._vertices = [vertex(vector) for vector in vectors]
        self.start = spinor(antiquark)
        conjugate = spinor(quark)
        self.end = conjugate[0].conj(), conjugate[1].conj()
        self.single_ket = [
            act(propagator(boson - antiquark), act(absorb, self.start))
            for boson, absorb in zip(bosons, self._vertices, strict=True)
        ]
        self.single_bra = [
            act_left(act_left(self.end, absorb), propagator(quark - boson))
            for boson, absorb in zip(bosons, self._vertices, strict=True)
        ]

    def ket(self, a: int, b: int) -> Spinor:
        """Return the ket that absorbs ``a``, then ``b``, without the next propagator."""
        return act(self._vertices[b], self.single_ket[a])

    def bra(self, a: int, b: int) -> Spinor:
        """Return the bra that absorbs ``a``, then ``b``, without the propagator before."""
        return act_left(self.single_bra[b], self._vertices[a])

    def both_ket(self, a: int, b: int) -> Spinor:
        """Return the ket that absorbs two bosons in both orders, with the next propagator."""
        return self.propagate(a, b, add(self.ket(a, b), self.ket(b, a)))

    def both_bra(self, a: int, b: int) -> Spinor:
        """Return the bra that absorbs two bosons in both orders, without the propagator before."""
        return add(self.bra(a, b), self.bra(b, a))

    def propagate(self, a: int, b: int, ket: Spinor) -> Spinor:
        """Return a ket with the propagator that follows two bosons."""
        return act(propagator(self._bosons[a] + self._bosons[b] - self._antiquark), ket)

    def propagate_back(self, a: int, b: int, bra: Spinor) -> Spinor:
        """Return a bra with the propagator before two bosons."""
        return act_left(bra, propagator(self._quark - self._bosons[a] - self._bosons[b]))


def spread(vectors: list[Vector]) -> list[Vector]:
    """Return polarisations on one axis for each boson.

    Args:
        vectors: Polarisations, shape ``(4, n, n_events)`` each.
    """
    return [
        np.expand_dims(vector, [axis + 1 for axis in range(len(vectors)) if axis != place])
        for place, vector in enumerate(vectors)
    ]
