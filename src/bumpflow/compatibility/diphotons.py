r"""What two photons say of the decay vertex, and so of the mass, before any network.

A particle from the target, at the origin, decays at a distance :math:`u` in front of the
calorimeter into photons with energies :math:`E_i` and hits :math:`h_i`. Both hits and energies
are measured well. To first order in angles, the particle points to the hits' mean
:math:`\bar h = (E_1 h_1 + E_2 h_2)/(E_1 + E_2)`, the vertex is where its line is at :math:`u`, and

.. math:: m = \sqrt{E_1 E_2}\, |h_1 - h_2| / u.

So all that is unknown is :math:`u`, and the photons' measured angles tell it: each photon must
point from the vertex to its hit. :func:`describe` scans the likelihood of :math:`u`. Networks
correct what the approximation leaves out.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from bumpflow.simulate.alps.settings import BeamDump, Resolution

N_SUMMARY = 20
"""Numbers per event beside the vertex scan."""
LOG_FLOOR = -20.0
"""Least log likelihood of a vertex, relative to the best one."""
MARGIN = 0.18
"""How far the scan goes beyond the vessel, in the logarithm of the distance."""
LEAST_DISTANCE_M = 0.5
"""Where the scan ends if the vessel reaches the calorimeter [m]."""
SMALLEST = 1e-6


class VertexScan(NamedTuple):
    """Distances of the vertex from the calorimeter at which its likelihood is computed.

    Attributes:
        low: Logarithm of the least distance [m].
        high: That of the largest one.
        n_points: Number of points, at equal distances in the logarithm.
    """

    low: float
    high: float
    n_points: int

    @classmethod
    def of(cls, setup: BeamDump, n_points: int) -> "VertexScan":
        """Return the scan of a set-up's vessel."""
        distances = setup.distances
        nearest = max(distances.gap, LEAST_DISTANCE_M)
        farthest = distances.gap + distances.length
        return cls(math.log(nearest) - MARGIN, math.log(farthest) + MARGIN / 3, n_points)

    @property
    def points(self) -> Tensor:
        """Logarithms of the distances, shape ``(n_points,)``."""
        return torch.linspace(self.low, self.high, self.n_points)


class Errors(NamedTuple):
    """Resolutions that differ from event to event, shape ``(n, 1)`` each.

    Attributes:
        hit_m: Of x and y of hits [m].
        energy: Relative one of energies.
        theta: Of polar angles [rad].
        phi: Of azimuths [rad].
    """

    hit_m: Tensor
    energy: Tensor
    theta: Tensor
    phi: Tensor


class Described(NamedTuple):
    """Events as networks take them.

    Attributes:
        summary: Features and combinations of them, shape ``(n, N_SUMMARY)``.
        log_mass_distance: Logarithm of mass times distance of the vertex [GeV m], ``(n,)``.
        scan: Log likelihood of each distance, relative to the best, ``(n, n_points)``.
    """

    summary: Tensor
    log_mass_distance: Tensor
    scan: Tensor


def describe(
    x: Tensor, setup: BeamDump, resolution: Resolution | Errors, *, vertices: VertexScan
) -> Described:
    """Return what features say of an event, with the likelihood of its vertex.

    Args:
        x: Features in the order of :data:`bumpflow.simulate.alps.features.FEATURES`, shape
            ``(n, 10)``.
        setup: Where vessel and calorimeter are.
        resolution: How well photons are measured, alike or each event on its own.
        vertices: The distances to scan.
    """
    x = x.float()
    ln_e1, ln_e2, x1, y1, x2, y2, ln_theta1, ln_theta2, phi1, phi2 = x.T
    share = torch.sigmoid(ln_e1 - ln_e2)
    mean = torch.stack([share * x1 + (1 - share) * x2, share * y1 + (1 - share) * y2])
    apart = torch.stack([x1 - x2, y1 - y2])
    distance = torch.hypot(*apart).clamp_min(SMALLEST)
    log_product = (ln_e1 + ln_e2) / 2 + distance.log()
    lever = (distance * share * (1 - share))[:, None]
    uncertain = lever * resolution.energy * math.sqrt(2)
    scan = torch.zeros(len(x), vertices.n_points, device=x.device)
    for hit, ln_theta, phi in (((x1, y1), ln_theta1, phi1), ((x2, y2), ln_theta2, phi2)):
        scan += _log_likelihood(
            torch.stack(hit),
            ln_theta.exp(),
            phi,
            mean=mean,
            along=apart / distance,
            uncertain=uncertain,
            setup=setup,
            resolution=resolution,
            log_distances=vertices.points.to(x.device),
        )
    scan = (scan - scan.amax(1, keepdim=True)).clamp_min(LOG_FLOOR)
    summary = _summarise(x, mean, distance, log_product, scan, vertices)
    return Described(summary, log_product, scan)


def _log_likelihood(
    hit: Tensor,
    theta: Tensor,
    phi: Tensor,
    *,
    mean: Tensor,
    along: Tensor,
    uncertain: Tensor,
    setup: BeamDump,
    resolution: Resolution | Errors,
    log_distances: Tensor,
) -> Tensor:
    """Return the log likelihood of a photon's angles for each vertex, shape ``(n, n_points)``.

    The energies' errors move the vertex along the line through both hits, by ``uncertain`` at
    the calorimeter.
    """
    end = setup.calorimeter.z_m
    u = log_distances.exp()
    reach = (end - u) / end
    from_x = hit[0][:, None] - mean[0][:, None] * reach
    from_y = hit[1][:, None] - mean[1][:, None] * reach
    squared = (from_x**2 + from_y**2).clamp_min(SMALLEST)
    radius = squared.sqrt()
    moved = uncertain * reach
    across = moved * (from_x * along[1][:, None] - from_y * along[0][:, None]) / radius
    inwards = moved * (from_x * along[0][:, None] + from_y * along[1][:, None]) / radius
    phi_variance = resolution.phi**2 + (across**2 + resolution.hit_m**2) / squared
    theta_variance = resolution.theta**2 + (inwards / u) ** 2
    off = torch.remainder(phi[:, None] - torch.atan2(from_y, from_x) + math.pi, 2 * math.pi)
    chi2 = (off - math.pi) ** 2 / phi_variance + phi_variance.log()
    chi2 += (theta[:, None] - torch.atan(radius / u)) ** 2 / theta_variance + theta_variance.log()
    return -chi2 / 2


def _summarise(
    x: Tensor,
    mean: Tensor,
    distance: Tensor,
    log_product: Tensor,
    scan: Tensor,
    vertices: VertexScan,
) -> Tensor:
    """Return the numbers beside the scan, shape ``(n, N_SUMMARY)``."""
    points = vertices.points.to(x.device)
    belief = torch.softmax(scan + points, dim=1)
    expected = belief @ points
    squared = (points - expected[:, None]) ** 2
    spread = (belief * squared).sum(1).clamp_min(SMALLEST).sqrt()
    ln_e1, ln_e2, _, _, _, _, ln_theta1, ln_theta2, phi1, phi2 = x.T
    theta1, theta2 = ln_theta1.exp(), ln_theta2.exp()
    opening = theta1**2 + theta2**2 - 2 * theta1 * theta2 * torch.cos(phi1 - phi2)
    log_mass = (ln_e1 + ln_e2 + opening.clamp_min(SMALLEST**2).log()) / 2
    columns = [
        *x[:, :8].T,
        *(function(phi) for phi in (phi1, phi2) for function in (torch.sin, torch.cos)),
        log_product,
        distance.log(),
        ln_e1 - ln_e2,
        log_mass,
        log_product - expected,
        expected,
        spread.log(),
        torch.hypot(*mean),
    ]
    return torch.stack(columns, dim=1)
