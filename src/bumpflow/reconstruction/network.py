r"""The network from a set of decays to the posterior of mass and lifetime, at any resolution.

Likelihoods of decays multiply, so their logarithms add up. What the scan of its vertex
(:mod:`bumpflow.compatibility.diphotons`) says of the mass is smeared by the errors of both
energies, moved and weakened as a network has learnt, and added for all decays of a set. The same
network adds what else it sees in a decay, and a second one what the set as a whole tells. That
makes the density of the mass.

Of the lifetime, given the mass, decays tell by how far they flew: the density of seen decays falls
with :math:`\exp(-z_i m / (c\tau\, p_i))`, so :math:`s = \sum_i z_i / p_i` is all that they say.
Given the mass, a scan's vertex is at :math:`z_i = z_c - a_i / m`, with
:math:`a_i = \sqrt{E_1 E_2} |h_1 - h_2|`: :math:`s(m)` is linear in :math:`1/m`. Networks take it
from there. Both densities are polygons on the unit interval, see :mod:`.polygons`.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len
from scipy.interpolate import CubicHermiteSpline
from torch import Tensor, nn

from bumpflow.compatibility.diphotons import N_SUMMARY, Described, Errors, VertexScan, describe
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.layers import Standardiser
from bumpflow.compatibility.posteriors import CLIFF, Block
from bumpflow.reconstruction import polygons
from bumpflow.reconstruction.sets import EventSets
from bumpflow.reconstruction.support import Support
from bumpflow.simulate.alps.features import FEATURES
from bumpflow.simulate.alps.settings import BeamDump

N_SIGMAS = 3
N_SEEN = 48
"""Distances of the vertex that the network sees the likelihood of, each the mean of several."""
FINER = 4
"""Points of a vertex's likelihood for each that is computed: those between are interpolated."""
LEAST_FLIGHT = 1e-3
"""Least mean of z / p [m/GeV] that counts."""
SMALLEST = 1e-6
"""Least likelihood of a vertex after energies' errors, relative to the largest."""
NARROW = 1e-3
"""Least width of what smears it, in steps of the scan."""
NEAREST_M = 1e-3
"""Least distance of hits that counts [m]."""
MOVE = 0.2
"""Farthest that the network moves a decay's mass, in its natural logarithm."""


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes of the network.

    Attributes:
        n_masses: Knots of the density in log mass.
        n_lifetimes: Knots of the density in log lifetime.
        n_conditions: Masses between which the logits of that density are interpolated.
        n_vertices: Distances of the decay vertex to scan.
        hidden_features: Width of the networks of decays and of sets.
        blocks: Residual blocks of either.
        embedding: Numbers that describe a decay, and a set.
        lifetime_features: Width of the networks of the lifetime.
    """

    n_masses: int
    n_lifetimes: int
    n_conditions: int
    n_vertices: int
    hidden_features: int
    blocks: int
    embedding: int
    lifetime_features: int


class Beliefs(NamedTuple):
    """Posteriors of sets, as the network has them.

    Attributes:
        mass: Logits of the polygon in log mass, shape ``(n_sets, n_masses)``.
        context: What describes a set, shape ``(n_sets, embedding)``.
        flight: Means over the events of z_c / p [m/GeV] and of a / p [m], shape ``(n_sets, 2)``.
        n_events: Sizes of the sets, shape ``(n_sets,)``.
    """

    mass: Tensor
    context: Tensor
    flight: Tensor
    n_events: Tensor

    def rows(self, chosen: Tensor | slice) -> "Beliefs":
        """Return those of some of the sets."""
        return Beliefs(*(part[chosen] for part in self))


class SetNet(nn.Module):
    """Network from sets of decays to posteriors on the unit square of a prior.

    Args:
        settings: Sizes.
        setup: Where events were simulated.
    """

    masses: Tensor
    cliff: Tensor
    finer: Tensor
    limits: Tensor

    def __init__(self, settings: NetworkSettings, setup: BeamDump) -> None:
        super().__init__()
        self.settings, self.setup = settings, setup
        self.support = Support.of(setup.prior)
        self.vertices = VertexScan.of(setup, settings.n_vertices)
        self.conditions = Axis(0.0, 1.0, settings.n_conditions)
        width, embedding = settings.hidden_features, settings.embedding
        low, high = self.support.log_mass
        masses = torch.linspace(low, high, settings.n_masses) * math.log(10)
        self.register_buffer("masses", masses, persistent=False)
        beyond = torch.arange(1, 1 + FINER * math.ceil(math.sqrt(CLIFF))) / FINER
        self.register_buffer("cliff", (beyond**2).clamp(max=CLIFF), persistent=False)
        self.register_buffer("finer", refinement(settings.n_vertices, FINER), persistent=False)
        self.register_buffer("limits", torch.zeros(2, len(FEATURES)))
        inputs = N_SUMMARY + N_SEEN + N_SIGMAS
        self.standardiser = Standardiser(inputs)
        self.event = _residual(inputs, width, settings.blocks)
        self.correction = nn.Linear(width, 2)
        self.embed = nn.Linear(width, embedding)
        self.each = nn.Linear(embedding, settings.n_masses, bias=False)
        self.set = _residual(2 * embedding + 2 + N_SIGMAS, width, settings.blocks)
        self.context = nn.Linear(width, embedding)
        self.sharpness = nn.Linear(width, 1)
        self.mass = nn.Linear(width, settings.n_masses)
        self.flights = _perceptron(2, settings.lifetime_features, settings.n_lifetimes)
        self.lifetime = _perceptron(
            embedding + 3, settings.lifetime_features, settings.n_lifetimes
        )
        for parameter in (
            *self.correction.parameters(),
            *self.each.parameters(),
            *self.sharpness.parameters(),
            *self.mass.parameters(),
        ):
            nn.init.zeros_(parameter)

    @torch.no_grad()
    def standardise_by(self, sets: EventSets) -> None:
        """Take shift and scale of inputs, and limits of features, from sets like the training's."""
        described, log_sigmas = self._describe(sets)
        self.standardiser.standardise_by(_inputs(described, log_sigmas))
        self.limits.copy_(torch.stack(torch.aminmax(sets.x[sets.mask], dim=0)))

    def forward(self, x: Tensor, mask: Tensor, sigmas: Tensor) -> Beliefs:
        """Return what sets tell, see :class:`bumpflow.reconstruction.sets.EventSets`."""
        sets = EventSets(x, mask, sigmas)
        described, log_sigmas = self._describe(sets)
        hidden = self.event(self.standardiser(_inputs(described, log_sigmas)))
        place = mask.nonzero()[:, 0]
        n_events = sets.n_events.to(hidden)
        pooled = _total(self.embed(hidden), place, len(x))
        mean = pooled / n_events[:, None]
        numbers = torch.stack([n_events.log(), 1 / n_events], dim=1)
        shown = torch.cat([pooled / 4, mean, numbers, _log_sigmas(sigmas)], dim=1)
        whole = self.set(shown)
        errors = mass_errors(x[mask], sigmas[place])
        vertices = _total(self._from_vertices(described, hidden, errors), place, len(x))
        logits = self.sharpness(whole).exp() * vertices + self.each(pooled) + self.mass(whole)
        flight = _total(_flights(x[mask], described, self.setup), place, len(x))
        flight = flight / n_events[:, None]
        return Beliefs(logits, self.context(whole), flight, n_events)

    def lifetimes(self, beliefs: Beliefs, unit_mass: Tensor) -> Tensor:
        """Return logits of the polygon in log lifetime at a mass for each set.

        Args:
            beliefs: Of some sets.
            unit_mass: Log masses on the unit interval, shape ``(n_sets,)``.

        Returns:
            Shape ``(n_sets, n_lifetimes)``.
        """
        below, fraction = self.conditions.place(unit_mass)
        step = self.conditions.step
        first, second = (self._lifetimes(beliefs, (below + add) * step) for add in (0, 1))
        return torch.lerp(first, second, fraction[:, None])

    def lifetime_table(self, beliefs: Beliefs) -> Tensor:
        """Return the same at all masses, shape ``(n_sets, n_conditions, n_lifetimes)``."""
        n, points = len(beliefs.mass), self.conditions.points.to(beliefs.mass)
        rows = torch.arange(n, device=points.device).repeat_interleave(len(points))
        logits = self._lifetimes(beliefs.rows(rows), points.repeat(n))
        return logits.unflatten(0, (n, -1))

    def _lifetimes(self, beliefs: Beliefs, unit_mass: Tensor) -> Tensor:
        """Return logits at one of the masses between which they are interpolated."""
        low, high = self.support.log_mass
        mass = 10 ** (low + (high - low) * unit_mass)
        flight = beliefs.flight[:, 0] - beliefs.flight[:, 1] / mass
        known = torch.stack([flight.clamp_min(LEAST_FLIGHT).log(), 2 * unit_mass - 1], dim=1)
        n_events = beliefs.n_events[:, None]
        rest = torch.cat([beliefs.context, known, n_events.log()], dim=1)
        logits: Tensor = n_events * self.flights(known) + self.lifetime(rest)
        return logits

    def log_density(self, beliefs: Beliefs, unit: Tensor) -> Tensor:
        """Return log densities at places in the unit square, one for each set.

        Args:
            beliefs: Of some sets.
            unit: Places, shape ``(n_sets, 2)``.
        """
        inside = ((unit >= 0) & (unit <= 1)).all(1)
        mass = polygons.log_density(beliefs.mass, unit[:, 0])
        lifetime = polygons.log_density(self.lifetimes(beliefs, unit[:, 0]), unit[:, 1])
        return (mass + lifetime).masked_fill(~inside, -torch.inf)

    def _describe(self, sets: EventSets) -> tuple[Described, Tensor]:
        """Return all decays of all sets, and the logarithms of their resolutions."""
        sigmas = sets.sigmas[:, None].expand(-1, sets.x.shape[1], -1)[sets.mask]
        errors = Errors(*sigmas[:, :, None].unbind(1))
        x = turn_to_first(sets.x[sets.mask], self.setup)
        described = describe(x, self.setup, errors, vertices=self.vertices)
        return described, _log_sigmas(sigmas)

    def _from_vertices(self, described: Described, hidden: Tensor, errors: Tensor) -> Tensor:
        """Return what decays' vertices say of the mass, shape ``(n, n_masses)``."""
        move, weight = self.correction(hidden).T
        axis = Axis(self.vertices.low, self.vertices.high, self.finer.shape[1])
        scan = smear(described.scan @ self.finer, errors / axis.step)
        scan = torch.cat(
            [scan[:, :1] - self.cliff.flip(0), scan, scan[:, -1:] - self.cliff], dim=1
        )
        centre = described.log_mass_distance + MOVE * torch.tanh(move / MOVE)
        steps = (centre[:, None] - self.masses - axis.low) / axis.step
        logs = interpolate(scan, steps + len(self.cliff))
        return weight.exp()[:, None] * logs


def loss(network: SetNet, x: Tensor, mask: Tensor, sigmas: Tensor, theta: Tensor) -> Tensor:
    """Return minus the log density at the truth in the unit square [nat], shape ``(n_sets,)``.

    Args:
        network: The network.
        x: Features, see :class:`bumpflow.reconstruction.sets.EventSets`.
        mask: Which events there are.
        sigmas: Resolutions.
        theta: True parameters, shape ``(n_sets, 2)``.
    """
    unit = network.support.to_unit(theta).clamp(0, 1)
    return -network.log_density(network(x, mask, sigmas), unit)


def refinement(n_points: int, factor: int) -> Tensor:
    """Return the matrix that interpolates values at equally spaced points by cubic polynomials.

    Parabolas, such as the logarithms of normal densities, stay what they are.

    Args:
        n_points: Number of points.
        factor: New intervals for each old one.

    Returns:
        Shape ``(n_points, (n_points - 1) * factor + 1)``, to multiply values with from the right.
    """
    each = np.eye(n_points)
    slopes = np.gradient(each, axis=0, edge_order=2)
    fine = np.linspace(0, n_points - 1, (n_points - 1) * factor + 1)
    found = CubicHermiteSpline(np.arange(n_points), each, slopes)(fine)
    return torch.from_numpy(found.T.astype(np.float32))


def interpolate(values: Tensor, at: Tensor) -> Tensor:
    """Return values between equally spaced points, linearly.

    Args:
        values: At the points, shape ``(n, n_points)``.
        at: Places in steps from the first point, shape ``(n, k)``; those outside count as the
            nearest end.

    Returns:
        Shape ``(n, k)``.
    """
    place = 2 * at / (values.shape[1] - 1) - 1
    grid = torch.stack([place, torch.zeros_like(place)], dim=-1)[:, None]
    found: Tensor = F.grid_sample(
        values[:, None, None], grid, padding_mode="border", align_corners=True
    )
    return found[:, 0, 0]


def mass_errors(x: Tensor, sigmas: Tensor) -> Tensor:
    """Return what energies and hits add to the errors of ln m, the vertex given, shape ``(n,)``.

    Args:
        x: Features of decays, shape ``(n, 10)``.
        sigmas: Resolutions, shape ``(n, 4)``.
    """
    apart = torch.hypot(x[:, 2] - x[:, 4], x[:, 3] - x[:, 5]).clamp_min(NEAREST_M)
    return (sigmas[:, 1] ** 2 / 2 + 2 * (sigmas[:, 0] / apart) ** 2).sqrt()


def smear(scan: Tensor, width: Tensor) -> Tensor:
    """Return log likelihoods at equally spaced points, convolved with normal densities.

    Args:
        scan: Log likelihoods, relative to the best, shape ``(n, n_points)``.
        width: Standard deviations in units of the spacing, shape ``(n,)``.

    Returns:
        The same, of the convolutions: relative to the best, and not below :data:`SMALLEST`.
    """
    n_points = scan.shape[1]
    length = next_fast_len(2 * n_points, real=True)
    steps = torch.arange(length, device=scan.device)
    steps = torch.minimum(steps, length - steps)
    kernel = torch.exp(-((steps / width.clamp_min(NARROW)[:, None]) ** 2) / 2)
    relative = (scan - scan.amax(1, keepdim=True)).exp()
    waves = torch.fft.rfft(relative, n=length) * torch.fft.rfft(kernel)
    found = torch.fft.irfft(waves, n=length)[:, :n_points]
    return (found / found.amax(1, keepdim=True)).clamp_min(SMALLEST).log()


def turn_to_first(x: Tensor, setup: BeamDump) -> Tensor:
    """Return decays, mirrored such that they are seen at positive x and y, where that is as good.

    Set-ups that are symmetric in x, or in y, make a decay as probable as its mirror image.

    Args:
        x: Features, shape ``(n, 10)``.
        setup: The set-up.
    """
    ln_e1, ln_e2, x1, y1, x2, y2, ln_theta1, ln_theta2, phi1, phi2 = x.unbind(-1)
    share = torch.sigmoid(ln_e1 - ln_e2)
    phi = torch.stack([phi1, phi2])
    if _is_symmetric(setup, "x_m"):
        sign = torch.where(share * x1 + (1 - share) * x2 < 0, -1.0, 1.0)
        x1, x2 = sign * x1, sign * x2
        phi = torch.where(sign < 0, torch.copysign(phi.new_tensor(math.pi), phi) - phi, phi)
    if _is_symmetric(setup, "y_m"):
        sign = torch.where(share * y1 + (1 - share) * y2 < 0, -1.0, 1.0)
        y1, y2, phi = sign * y1, sign * y2, sign * phi
    return torch.stack([ln_e1, ln_e2, x1, y1, x2, y2, ln_theta1, ln_theta2, *phi], dim=-1)


def _is_symmetric(setup: BeamDump, side: Literal["x_m", "y_m"]) -> bool:
    """Return whether a mirror image of a set-up is the same."""
    windows = (setup.front, setup.back, setup.calorimeter)
    return all(sum(getattr(window, side)) == 0 for window in windows)


def _flights(x: Tensor, described: Described, setup: BeamDump) -> Tensor:
    """Return z_c / p [m/GeV] and a / p [m] of decays, shape ``(n, 2)``."""
    energy = x[:, :2].exp().sum(1)
    product = described.log_mass_distance.exp()
    return torch.stack([setup.calorimeter.z_m / energy, product / energy], dim=1)


def _inputs(described: Described, log_sigmas: Tensor) -> Tensor:
    """Return what the network of decays sees, shape ``(n, inputs)``."""
    scan = F.adaptive_avg_pool1d(described.scan, N_SEEN)
    return torch.cat([described.summary, scan, log_sigmas], dim=1)


def _log_sigmas(sigmas: Tensor) -> Tensor:
    """Return logarithms of resolutions of hits, energies and angles, about 0, ``(n, 3)``."""
    hit, energy, theta, phi = sigmas.log().T
    return torch.stack([hit + 6, energy + 3.5, (theta + phi) / 2 + 5.8], dim=1)


def _total(values: Tensor, place: Tensor, n: int) -> Tensor:
    """Return sums over the events of each set, shape ``(n, ...)``."""
    return values.new_zeros(n, *values.shape[1:]).index_add(0, place, values)


def _residual(inputs: int, width: int, blocks: int) -> nn.Sequential:
    """Return a residual network with a normalised output."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        *(Block(width) for _ in range(blocks)),
        nn.LayerNorm(width),
        nn.SiLU(),
    )


def _perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Return a network of two hidden layers whose output starts at 0."""
    last = nn.Linear(width, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(
        nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), last
    )
