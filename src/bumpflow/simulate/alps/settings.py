"""Beam dumps and resolutions: what the configuration says of them.

Lengths are in metres from where the beam hits the target, along the beam (z) and across it (x, y).

References:
    Chathirathas, Ferber, Kahlhoefer, Morandini (2025), https://arxiv.org/abs/2407.20329
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.alps.kaons import KAONS, heaviest_alp
from bumpflow.simulate.beamdump import B_MASS_GEV, fixed_target_settings
from bumpflow.suggest import suggest

Limits = tuple[float, float]


class Distances(NamedTuple):
    """Distances between the planes of a set-up, along the beam [m].

    Attributes:
        front: From the target to the vessel.
        length: Of the vessel.
        gap: From the end of the vessel to the calorimeter.
    """

    front: float
    length: float
    gap: float


@dataclass(frozen=True)
class Window:
    """A rectangle across the beam.

    Attributes:
        z_m: Where it is along the beam [m].
        x_m: Least and largest x [m].
        y_m: Least and largest y [m].
    """

    z_m: float
    x_m: Limits
    y_m: Limits

    def __post_init__(self) -> None:
        _check_limits("x_m", self.x_m)
        _check_limits("y_m", self.y_m)


@dataclass(frozen=True)
class Prior:
    """Where masses and lifetimes are drawn from: flat in their logarithms.

    One of the two ranges of lifetimes is given. That of the decay length makes a parallelogram in
    the parameters.

    Attributes:
        mass_gev: Least and largest mass [GeV].
        lifetime_m_per_gev: Least and largest ratio of the decay length c tau and the mass [m/GeV].
        lifetime_m: Least and largest decay length c tau [m].
    """

    mass_gev: Limits
    lifetime_m_per_gev: Limits | None = None
    lifetime_m: Limits | None = None

    def __post_init__(self) -> None:
        if (self.lifetime_m_per_gev is None) == (self.lifetime_m is None):
            msg = "prior must have one of lifetime_m_per_gev (c tau / m) and lifetime_m (c tau)"
            raise ValueError(msg)
        for field in fields(self):
            limits = getattr(self, field.name)
            if limits is not None:
                _check_limits(f"prior.{field.name}", limits)
                if not limits[0] > 0:
                    msg = f"prior.{field.name} begins at {limits[0]}, but must begin above 0"
                    raise ValueError(msg)

    def sample(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Return parameters, shape ``(n, 2)``.

        Args:
            n: Number of points.
            rng: Random numbers.

        Returns:
            Decadic logarithms of the mass [GeV] and of the lifetime, c tau / m [m/GeV].
        """
        log_mass = _draw_logarithms(self.mass_gev, n, rng)
        if self.lifetime_m is not None:
            log_lifetime = _draw_logarithms(self.lifetime_m, n, rng) - log_mass
        elif self.lifetime_m_per_gev is not None:
            log_lifetime = _draw_logarithms(self.lifetime_m_per_gev, n, rng)
        return np.stack([log_mass, log_lifetime], axis=1)


@dataclass(frozen=True)
class BeamDump:
    """A proton beam on a target, a vessel where particles decay, and a calorimeter behind it.

    Attributes:
        beam_momentum_gev: Momentum of the protons [GeV].
        fractions: Kaons that B mesons decay to beside the particle searched for, and the share
            of each, None for those that form factors give at every mass.
        front: Where the vessel begins.
        back: Where it ends; between both, its walls are straight.
        calorimeter: Where photons are measured.
        min_energy_gev: Least energy of a photon [GeV].
        min_separation_m: Least distance of both photons in the calorimeter [m].
        prior: Of masses and lifetimes.
    """

    beam_momentum_gev: float
    fractions: tuple[tuple[str, float | None], ...]
    front: Window
    back: Window
    calorimeter: Window
    min_energy_gev: float
    min_separation_m: float
    prior: Prior

    def __post_init__(self) -> None:
        places = [self.front.z_m, self.back.z_m, self.calorimeter.z_m]
        if not 0 < places[0] < places[1] <= places[2] < np.inf:
            msg = (
                f"the vessel reaches from z = {places[0]:g} m to {places[1]:g} m and the"
                f" calorimeter is at {places[2]:g} m, but they must follow one another behind the"
                " target, at 0"
            )
            raise ValueError(msg)
        fixed_target_settings(momentum_gev=self.beam_momentum_gev)  # raises if it is too little
        if not 0 < self.min_energy_gev < self.beam_momentum_gev / 2:
            msg = (
                f"min_energy_gev is {self.min_energy_gev:g}, but must be positive, and two photons"
                f" that have it need less than the {self.beam_momentum_gev:g} GeV of the beam"
            )
            raise ValueError(msg)
        widest = np.hypot(np.ptp(self.calorimeter.x_m), np.ptp(self.calorimeter.y_m))
        if not 0 <= self.min_separation_m < widest:
            msg = (
                f"min_separation_m is {self.min_separation_m:g}, but two hits of the calorimeter"
                f" are between 0 and {widest:.3g} m apart"
            )
            raise ValueError(msg)
        _check_fractions(self.fractions)
        _check_mass(self.prior.mass_gev[1], [name for name, _ in self.fractions])

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the set-up that a block of the configuration describes.

        Args:
            settings: The attributes as keys; ``kaons`` instead of ``fractions``: a map from names
                to shares, or a list of names for the shares of form factors.

        Raises:
            ValueError: If a setting is missing, unknown or impossible.
        """
        names = [field.name if field.name != "fractions" else "kaons" for field in fields(cls)]
        _check_keys("beam dump", settings, required=names)
        kaons = settings["kaons"]
        shares = kaons.items() if isinstance(kaons, Mapping) else [(name, None) for name in kaons]
        return cls(
            beam_momentum_gev=float(settings["beam_momentum_gev"]),
            fractions=tuple((name, None if s is None else float(s)) for name, s in shares),
            min_energy_gev=float(settings["min_energy_gev"]),
            min_separation_m=float(settings["min_separation_m"]),
            prior=_build_prior(settings["prior"]),
            **{name: _build_window(name, settings[name]) for name in WINDOWS},
        )

    @property
    def distances(self) -> Distances:
        """Distances between the planes [m]."""
        front, back, end = self.front.z_m, self.back.z_m, self.calorimeter.z_m
        return Distances(front, back - front, end - back)

    def is_in_vessel(self, position: NDArray) -> NDArray[np.bool_]:
        """Return whether points (x, y, z) [m] of shape ``(..., 3)`` are inside the vessel."""
        x, y, z = np.moveaxis(position, -1, 0)
        step = (z - self.front.z_m) / self.distances.length
        inside = (step >= 0) & (step <= 1)
        for value, first, last in (
            (x, self.front.x_m, self.back.x_m),
            (y, self.front.y_m, self.back.y_m),
        ):
            inside &= value > first[0] + step * (last[0] - first[0])
            inside &= value < first[1] + step * (last[1] - first[1])
        return inside

    def is_in_calorimeter(self, hit: NDArray) -> NDArray[np.bool_]:
        """Return whether points (x, y) [m] of shape ``(..., 2)`` are on the calorimeter."""
        x, y = hit[..., 0], hit[..., 1]
        low, high = np.transpose([self.calorimeter.x_m, self.calorimeter.y_m])
        return (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])

    @property
    def least_cosine_of_vessel(self) -> float:
        """Least cosine of the angle between the beam and a line from the target to the vessel."""
        ends = (self.front, self.back)
        slope_x = max(abs(x) / end.z_m for end in ends for x in end.x_m)
        slope_y = max(abs(y) / end.z_m for end in ends for y in end.y_m)
        return 1 / math.hypot(1, slope_x, slope_y)

    @property
    def least_cosine(self) -> float:
        """Least cosine of the angle between the beam and a photon from vessel to calorimeter."""
        gap = self.distances.gap
        if gap == 0:
            return 0.0
        begin, end = (self.front, self.back), self.calorimeter
        across_x = max(abs(x - x_end) for x_end in end.x_m for b in begin for x in b.x_m)
        across_y = max(abs(y - y_end) for y_end in end.y_m for b in begin for y in b.y_m)
        return gap / math.hypot(gap, across_x, across_y)


@dataclass(frozen=True)
class Resolution:
    """How well photons are measured.

    Attributes:
        hit_m: Of x and y of hits [m].
        energy: Relative one of energies.
        theta: Of polar angles [rad].
        phi: Of azimuths [rad].
        wrap: Whether azimuths beyond pi go on at -pi; else they are set to the nearest limit.
    """

    hit_m: float
    energy: float
    theta: float
    phi: float
    wrap: bool = True

    def __post_init__(self) -> None:
        for name in ("hit_m", "energy", "phi"):
            if not 0 <= getattr(self, name) < np.inf:
                msg = f"resolution.{name} is {getattr(self, name)}, but cannot be negative"
                raise ValueError(msg)
        if not 0 < self.theta < np.pi / 2:
            msg = (
                f"resolution.theta is {self.theta}, but must be between 0 and pi/2: it is also the"
                " least angle that is measured"
            )
            raise ValueError(msg)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Return the resolution that a block of the configuration describes.

        Args:
            settings: ``hit_m``, ``energy``, ``theta_rad``, ``phi_rad`` and ``wrap``, which may
                be left out.

        Raises:
            ValueError: If a setting is missing, unknown or impossible.
        """
        numbers = {"hit_m": "hit_m", "energy": "energy", "theta": "theta_rad", "phi": "phi_rad"}
        _check_keys("resolution", settings, required=numbers.values(), optional=["wrap"])
        values = {name: float(settings[key]) for name, key in numbers.items()}
        return cls(**values, wrap=bool(settings.get("wrap", True)))


WINDOWS = ("front", "back", "calorimeter")


def _draw_logarithms(limits: Limits, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return decadic logarithms of numbers between limits, flat."""
    return rng.uniform(math.log10(limits[0]), math.log10(limits[1]), n)


def _build_window(name: str, settings: Mapping[str, Any]) -> Window:
    """Return one of the rectangles."""
    _check_keys(name, settings, required=["z_m", "x_m", "y_m"])
    try:
        return Window(float(settings["z_m"]), _pair(settings["x_m"]), _pair(settings["y_m"]))
    except ValueError as error:
        msg = f"{name}: {error}"
        raise ValueError(msg) from error


def _build_prior(settings: Mapping[str, Any]) -> Prior:
    """Return the ranges of masses and lifetimes."""
    optional = ("lifetime_m_per_gev", "lifetime_m")
    _check_keys("prior", settings, required=["mass_gev"], optional=optional)
    ranges = {name: _pair(settings[name]) for name in optional if name in settings}
    return Prior(_pair(settings["mass_gev"]), **ranges)


def _pair(values: Any) -> Limits:  # noqa: ANN401
    """Return two numbers."""
    if not isinstance(values, Sequence) or len(values) != 2:
        msg = f"{values!r} is given where two numbers are needed, the lower one first"
        raise ValueError(msg)
    return float(values[0]), float(values[1])


def _check_keys(
    place: str,
    settings: Mapping[str, Any],
    *,
    required: Iterable[str],
    optional: Iterable[str] = (),
) -> None:
    """Raise if a setting is unknown or missing."""
    required = list(required)
    known = [*required, *optional]
    for name in settings:
        if name not in known:
            msg = f"{place} has no setting {name!r}{suggest(name, known)}"
            raise ValueError(msg)
    for name in required:
        if name not in settings:
            msg = f"{place} lacks the setting {name!r}"
            raise ValueError(msg)


def _check_limits(name: str, limits: Limits) -> None:
    """Raise unless the first limit is below the second."""
    if not -np.inf < limits[0] < limits[1] < np.inf:
        msg = f"{name} is {list(limits)}, but must be two numbers, the lower one first"
        raise ValueError(msg)


def _check_fractions(fractions: tuple[tuple[str, float | None], ...]) -> None:
    """Raise unless every kaon is known and their shares are numbers that add up to 1, or none."""
    for name, _ in fractions:
        if name not in KAONS:
            msg = f"kaons: {name!r} is not known{suggest(name, KAONS)}"
            raise ValueError(msg)
    shares = [share for _, share in fractions if share is not None]
    if not fractions or len(shares) not in (0, len(fractions)):
        msg = f"kaons is {list(fractions)}, but needs at least one, and shares of all or of none"
        raise ValueError(msg)
    if shares and (min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6):
        msg = f"the shares of kaons, {shares}, must be positive and add up to 1"
        raise ValueError(msg)


def _check_mass(mass: float, kaons: list[str]) -> None:
    """Raise if no decay is open at a mass [GeV]."""
    limit = heaviest_alp(kaons)
    if not mass < limit:
        msg = (
            f"prior.mass_gev reaches {mass:g}, but a B meson of {B_MASS_GEV:g} GeV that decays to"
            f" {' or '.join(kaons)} makes none above {limit:.4g} GeV"
        )
        raise ValueError(msg)
