"""Draw events of gg to HH, HH to b bbar gamma gamma."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

from bumpflow.simulate.hard.form_factors import FormFactorGrid
from bumpflow.simulate.hard.hh_amplitude import differential_crosssection
from bumpflow.simulate.hard.partons import INCOMING, INTERMEDIATE, OUTGOING, Partons
from bumpflow.simulate.hard.pdf import GLUON, PartonDensities
from bumpflow.simulate.kinematics import collinear, decay_two_body
from bumpflow.simulate.processes import HIGGS_TO_PHOTONS

PB_PER_GEV2 = 0.3893793721e9
"""Cross-section [pb] of 1 GeV^-2."""
HIGGS, BOTTOM, PHOTON = 25, 5, 22
BOTTOM_MASS_GEV = 4.8
HIGGS_TO_BOTTOM = 0.5824
"""Branching fraction at 125 GeV, https://arxiv.org/abs/1610.07922 ."""
N_BINS = 240
N_RAPIDITIES, N_COSINES = 20, 10
HEADROOM = 1.05
"""Factor on the largest weights that were found on a grid of points."""
BATCH = 50_000


class _Bins(NamedTuple):
    """Bins of the pair's mass, from which masses are drawn, and the cross-section."""

    edges: NDArray[np.float64]
    maxima: NDArray[np.float64]
    crosssection_pb: float


class DoubleHiggs:
    """Pairs of Higgs bosons from gluons at leading order, one to b quarks, one to photons.

    Scales are half the mass of the pair.

    Attributes:
        energy_gev: Centre-of-mass energy of two protons [GeV].
        kappa_lambda: Trilinear coupling in units of the Standard Model's.
        crosssection_pb: Cross-section of the pairs times the branching fraction [pb].
        crosssection_error_pb: Its numerical uncertainty [pb].
        pair_crosssection_pb: Cross-section of the pairs [pb].
    """

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        energy_gev: float,
        pdf: str,
        kappa_lambda: float = 1.0,
    ) -> None:
        """Integrate the cross-section.

        Args:
            table: Form factors, of :func:`~bumpflow.simulate.hard.form_factors.tabulate_form_factors`.
            energy_gev: Centre-of-mass energy of two protons [GeV].
            pdf: Name of parton densities.
            kappa_lambda: Trilinear coupling in units of the Standard Model's.

        Raises:
            ValueError: If the beams cannot make a pair.
        """
        self.energy_gev, self.kappa_lambda = energy_gev, kappa_lambda
        self._factors, self._densities = FormFactorGrid(table), PartonDensities(pdf)
        low, high = self._factors.range_gev
        if energy_gev <= low:
            msg = f"beams of {energy_gev} GeV cannot make a pair of {low} GeV: raise energy_gev"
            raise ValueError(msg)
        fraction = np.linspace(0, 1, N_BINS + 1) ** 2
        edges = low + (min(high, energy_gev) - low) * fraction
        self._bins = self._integrate(edges, N_RAPIDITIES, N_COSINES)
        coarse = self._integrate(edges[::2], N_RAPIDITIES - 4, N_COSINES - 2).crosssection_pb
        self.pair_crosssection_pb = self._bins.crosssection_pb
        branching = 2 * HIGGS_TO_BOTTOM * HIGGS_TO_PHOTONS
        self.crosssection_pb = self.pair_crosssection_pb * branching
        self.crosssection_error_pb = abs(self.pair_crosssection_pb - coarse) * branching

    def _weights(self, mass: NDArray, position: NDArray, cosine: NDArray) -> NDArray[np.float64]:
        """Return cross-sections [pb/GeV] by mass, relative rapidity and cosine, all in -1 to 1."""
        tau = np.square(mass / self.energy_gev)
        range_y = -np.log(tau) / 2
        x_1, x_2 = (np.sqrt(tau) * np.exp(sign * position * range_y) for sign in (1, -1))
        densities = self._densities.xf(GLUON, x_1, mass / 2) * self._densities.xf(
            GLUON, x_2, mass / 2
        )
        higgs = self._factors.higgs_mass_gev
        partonic = differential_crosssection(
            self._factors(mass, cosine),
            mass,
            kappa_lambda=self.kappa_lambda,
            higgs_mass_gev=higgs,
        )
        partonic *= np.square(self._densities.alpha_s(mass / 2)) * PB_PER_GEV2
        transfer = np.square(mass) / 2 * np.sqrt(1 - np.square(2 * higgs / mass))
        return 2 / mass * densities * partonic * transfer * range_y

    def _integrate(self, edges: NDArray, n_rapidities: int, n_cosines: int) -> _Bins:
        """Integrate the cross-section, and find the largest weight in each bin of the mass."""
        y, weight_y = leggauss(n_rapidities)
        c, weight_c = leggauss(n_cosines)
        node, weight_m = leggauss(2)
        width = np.diff(edges)[:, None]
        mass = (edges[:-1, None] + width * (1 + node) / 2).ravel()
        grid = [part.ravel() for part in np.meshgrid(mass, y, (1 + c) / 2, indexing="ij")]
        values = self._weights(*grid).reshape(len(width), 2, n_rapidities, n_cosines)
        integral = np.einsum("bmyc,m,y,c->b", values, weight_m / 2, weight_y, weight_c)
        maxima = values.max(axis=(1, 2, 3)) * HEADROOM
        return _Bins(edges, maxima, float((integral * width[:, 0]).sum()))

    def draw(self, n_events: int, rng: np.random.Generator) -> Partons:
        """Return ``n_events`` events; the same ``rng`` state gives the same events.

        Args:
            n_events: Number of events.
            rng: Source of random numbers.
        """
        found: list[NDArray] = []
        while sum(map(len, found)) < n_events:
            found.append(self._draw_batch(min(BATCH, 5 * n_events + 100), rng))
        mass, position, cosine, weight = np.concatenate(found)[:n_events].T
        tau = np.square(mass / self.energy_gev)
        rapidity = -position * np.log(tau) / 2
        momenta = self._momenta(mass, rapidity, cosine, rng)
        return self._partons(momenta, mass, weight)

    def _draw_batch(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return masses, relative rapidities, cosines and weights that pass unweighting."""
        edges, maxima, _ = self._bins
        contents = np.cumsum(maxima * np.diff(edges))
        which = np.searchsorted(contents, rng.random(n) * contents[-1], side="right")
        mass = rng.uniform(edges[which], edges[which + 1])
        position, cosine = rng.uniform(-1, 1, (2, n))
        ratio = self._weights(mass, position, cosine) / maxima[which]
        kept = ratio > rng.random(n)
        columns = (mass, position, cosine, np.maximum(ratio, 1))
        return np.stack([column[kept] for column in columns], axis=1)

    def _momenta(
        self, mass: NDArray, rapidity: NDArray, cosine: NDArray, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Return momenta of gluons, Higgs bosons and their products, shape ``(n, 8, 4)``."""
        higgs, n = self._factors.higgs_mass_gev, len(mass)
        gluons = [
            collinear(mass / 2 * np.exp(sign * rapidity), direction=sign) for sign in (1, -1)
        ]
        phi = rng.uniform(-np.pi, np.pi, (3, n))
        decay_cosine = rng.uniform(-1, 1, (2, n))
        bosons = decay_two_body(gluons[0] + gluons[1], higgs, higgs, cos_theta=cosine, phi=phi[0])
        masses = (BOTTOM_MASS_GEV, 0.0)
        products = [
            product
            for boson, mass, c, f in zip(bosons, masses, decay_cosine, phi[1:], strict=True)
            for product in decay_two_body(boson, mass, mass, cos_theta=c, phi=f)
        ]
        return np.stack([*gluons, *bosons, *products], axis=1)

    def _partons(self, momenta: NDArray, mass: NDArray, weight: NDArray) -> Partons:
        """Return events with codes and colours."""
        n, higgs = len(mass), self._factors.higgs_mass_gev
        colours = [[501, 502], [502, 501], [0, 0], [0, 0], [503, 0], [0, 503], [0, 0], [0, 0]]
        codes = [GLUON, GLUON, HIGGS, HIGGS, BOTTOM, -BOTTOM, PHOTON, PHOTON]
        status = [INCOMING] * 2 + [INTERMEDIATE] * 2 + [OUTGOING] * 4
        mothers = [[0, 0]] * 2 + [[1, 2]] * 2 + [[3, 0]] * 2 + [[4, 0]] * 2
        return Partons(
            pdg=np.tile(codes, (n, 1)),
            status=np.array(status),
            mothers=np.array(mothers),
            colours=np.tile(colours, (n, 1, 1)),
            momenta=momenta,
            masses=np.array([0, 0, higgs, higgs, BOTTOM_MASS_GEV, BOTTOM_MASS_GEV, 0, 0]),
            scale=mass / 2,
            alpha_s=self._densities.alpha_s(mass / 2),
            weights=weight,
        )
