"""A detector in formulas: what it measures of each particle that reaches it.

Each particle is measured by the part of the detector that measures it best, as particle-flow
reconstruction does ideally: charged hadrons and muons by the tracker, electrons and photons by the
electromagnetic calorimeter, all else by the hadronic one. There is no pile-up, no magnetic field
and no granularity.

References:
    de Favereau et al. (2013), Delphes 3, https://arxiv.org/abs/1307.6346
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.kinematics import azimuth
from bumpflow.simulate.particles import NEUTRINOS, Particles
from bumpflow.suggest import suggest

T = TypeVar("T")

CHARGED_HADRONS = (211, 321, 2212, 3112, 3222, 3312, 3334)
"""Those that live long enough to be measured."""
LARGEST_CODE = 10_000
FLOOR_GEV = 1e-3
"""Least energy for which a resolution is calculated; event records hold photons of none."""


class Category(IntEnum):
    """What part of the detector a particle is measured by."""

    NEUTRAL = 0
    CHARGED = 1
    ELECTRON = 2
    MUON = 3
    PHOTON = 4
    INVISIBLE = 5


@dataclass(frozen=True)
class Regions:
    """A number by absolute pseudorapidity, 0 beyond the last edge.

    Attributes:
        abs_eta: Upper edges of the regions, ascending.
        values: Value in each of them.
    """

    abs_eta: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_regions(self)

    def __call__(self, abs_eta: NDArray) -> NDArray[np.float64]:
        """Return the values at absolute pseudorapidities."""
        return _look_up(self.abs_eta, (*self.values, 0.0), abs_eta)


@dataclass(frozen=True)
class TrackResolution:
    r"""Relative resolution of transverse momenta, :math:`a \oplus b \, p_T`.

    Attributes:
        abs_eta: Upper edges of regions of the absolute pseudorapidity, ascending.
        constant: :math:`a` in each of them.
        slope_per_gev: :math:`b` in each of them [1/GeV].
    """

    abs_eta: tuple[float, ...]
    constant: tuple[float, ...]
    slope_per_gev: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_regions(self)

    def __call__(self, abs_eta: NDArray, pt: NDArray) -> NDArray[np.float64]:
        """Return relative resolutions at transverse momenta [GeV]; the last region goes on."""
        constant = _look_up(self.abs_eta, self.constant, abs_eta)
        return np.hypot(constant, _look_up(self.abs_eta, self.slope_per_gev, abs_eta) * pt)


@dataclass(frozen=True)
class EnergyResolution:
    r"""Relative resolution of energies, :math:`a \oplus s/\sqrt{E} \oplus n/E`.

    Attributes:
        abs_eta: Upper edges of regions of the absolute pseudorapidity, ascending.
        constant: :math:`a` in each of them.
        stochastic_sqrt_gev: :math:`s` in each of them [GeV^(1/2)].
        noise_gev: :math:`n` in each of them [GeV].
    """

    abs_eta: tuple[float, ...]
    constant: tuple[float, ...]
    stochastic_sqrt_gev: tuple[float, ...]
    noise_gev: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_regions(self)

    def __call__(self, abs_eta: NDArray, energy: NDArray) -> NDArray[np.float64]:
        """Return relative resolutions at energies [GeV]; the last region goes on."""
        squares = [
            _look_up(self.abs_eta, np.square(values), abs_eta)
            for values in (self.constant, self.stochastic_sqrt_gev, self.noise_gev)
        ]
        energy = np.maximum(energy, FLOOR_GEV)
        return np.sqrt(squares[0] + (squares[1] + squares[2] / energy) / energy)


@dataclass(frozen=True)
class Tracker:
    """What measures charged particles.

    Attributes:
        min_pt_gev: Transverse momentum [GeV] below which particles curl up and are lost.
        efficiency: Of charged hadrons; those missed are measured by the hadronic calorimeter.
            Its last edge is that of the tracker, also for electrons and muons.
        resolution: Of charged hadrons and muons.
    """

    min_pt_gev: float
    efficiency: Regions
    resolution: TrackResolution


@dataclass(frozen=True)
class Calorimeter:
    """What measures energies.

    Attributes:
        max_abs_eta: Absolute pseudorapidity where it ends.
        min_energy_gev: Least energy that it reads out [GeV].
        resolution: Of energies.
    """

    max_abs_eta: float
    min_energy_gev: float
    resolution: EnergyResolution


@dataclass(frozen=True)
class Isolation:
    r"""How much may be around a lepton or photon: :math:`\sum p_T < r \, p_T + a`.

    Attributes:
        radius: Of the cone in pseudorapidity and azimuth.
        min_pt_gev: Least transverse momentum [GeV] of what counts.
        relative: :math:`r`.
        absolute_gev: :math:`a` [GeV].
    """

    radius: float
    min_pt_gev: float
    relative: float
    absolute_gev: float


@dataclass(frozen=True)
class Candidates:
    """Which electrons, muons or photons are identified.

    Attributes:
        min_pt_gev: Least transverse momentum [GeV].
        efficiency: Of identification, before isolation; its last edge bounds pseudorapidities.
        isolation: What may be around them.
    """

    min_pt_gev: float
    efficiency: Regions
    isolation: Isolation


@dataclass(frozen=True)
class JetFinder:
    """What counts as a jet.

    Attributes:
        radius: Parameter of the anti-kt algorithm.
        min_pt_gev: Least transverse momentum [GeV] after the correction of the energy scale.
        min_raw_pt_gev: Least transverse momentum [GeV] before it.
        max_abs_eta: Largest absolute pseudorapidity.
        flavour_radius: Distance within which a heavy hadron makes a jet a heavy one.
        flavour_min_pt_gev: Least transverse momentum [GeV] of such hadrons.
    """

    radius: float
    min_pt_gev: float
    min_raw_pt_gev: float
    max_abs_eta: float
    flavour_radius: float
    flavour_min_pt_gev: float


@dataclass(frozen=True)
class WorkingPoint:
    r"""Probabilities of b tags by true flavour and transverse momentum [GeV].

    Attributes:
        b: Of b jets, coefficients of :math:`a \tanh(b \, p_T) \, c/(1 + d \, p_T)`.
        c: Of c jets, the same.
        light: Of all others, coefficients of :math:`a + b \, p_T`.
    """

    b: tuple[float, float, float, float]
    c: tuple[float, float, float, float]
    light: tuple[float, float]


@dataclass(frozen=True)
class Tagger:
    """Two working points: jets that pass the tight one pass the loose one as well.

    Attributes:
        loose: Jets that pass have at least level 1.
        tight: Jets that pass have level 2.
    """

    loose: WorkingPoint
    tight: WorkingPoint


@dataclass(frozen=True)
class Detector:
    """All that is known of a detector.

    Attributes:
        tracker: What measures charged particles.
        ecal: Electromagnetic calorimeter.
        hcal: Hadronic calorimeter.
        electrons: Which ones are identified.
        muons: Which ones are identified.
        photons: Which ones are identified.
        jets: What counts as a jet.
        btags: How jets are tagged.
    """

    tracker: Tracker
    ecal: Calorimeter
    hcal: Calorimeter
    electrons: Candidates
    muons: Candidates
    photons: Candidates
    jets: JetFinder
    btags: Tagger


@dataclass(frozen=True)
class EnergyFlow:
    """What the detector measures of the particles of a batch of events.

    Attributes:
        n_events: Number of events.
        event: Which event each entry belongs to, ascending, shape ``(n,)``.
        pdg: Codes of the particles behind them, shape ``(n,)``.
        momentum: Measured momenta (px, py, pz, E) [GeV], shape ``(n, 4)``.
        pt: Measured transverse momenta [GeV], shape ``(n,)``.
        eta: Pseudorapidities, shape ``(n,)``.
        phi: Azimuths [rad], shape ``(n,)``.
    """

    n_events: int
    event: NDArray[np.int64]
    pdg: NDArray[np.int64]
    momentum: NDArray[np.float64]
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]


def detector_settings(settings: Mapping[str, Any]) -> Detector:
    """Return the detector that a block of the configuration describes.

    Raises:
        ValueError: If a setting is missing, unknown or of a wrong length.
    """
    return _build(Detector, settings, place="detector")


def _build(kind: type[T], settings: Mapping[str, Any], *, place: str) -> T:
    """Return a dataclass with the same, nested, keys as the settings."""
    types = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    for name in settings:
        if name not in types:
            msg = f"{place} has no setting {name!r}{suggest(name, list(types))}"
            raise ValueError(msg)
    values: dict[str, Any] = {}
    for name, inner in types.items():
        if name not in settings:
            msg = f"{place} lacks the setting {name!r}"
            raise ValueError(msg)
        value = settings[name]
        if is_dataclass(inner):
            value = _build(inner, value, place=f"{place}.{name}")  # type: ignore[arg-type]
        elif isinstance(value, (list, tuple)):
            value = tuple(float(entry) for entry in value)
        values[name] = value
    return kind(**values)


def _check_regions(table: Any) -> None:  # noqa: ANN401
    """Raise unless a table by regions has ascending edges and one value for each of them."""
    edges = table.abs_eta
    if list(edges) != sorted(set(edges)):
        msg = f"abs_eta is {list(edges)}, but the edges of regions must ascend"
        raise ValueError(msg)
    for field in fields(table):
        n_values = len(getattr(table, field.name))
        if n_values != len(edges):
            msg = f"{field.name} has {n_values} values for {len(edges)} regions: {list(edges)}"
            raise ValueError(msg)


def _look_up(edges: Any, values: Any, abs_eta: NDArray) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the value of the region that each absolute pseudorapidity lies in."""
    region = np.zeros(abs_eta.shape, np.intp)
    for edge in edges[: len(values) - 1]:
        region += abs_eta > edge  # faster than a binary search among so few
    return np.asarray(values)[region]


@cache
def _categories() -> NDArray[np.int8]:
    """Return the category of each absolute particle code; larger ones are neutral."""
    table = np.full(LARGEST_CODE + 1, Category.NEUTRAL, np.int8)
    table[list(CHARGED_HADRONS)] = Category.CHARGED
    table[list(NEUTRINOS)] = Category.INVISIBLE
    table[11], table[13], table[22] = Category.ELECTRON, Category.MUON, Category.PHOTON
    return table


def respond(particles: Particles, detector: Detector, rng: np.random.Generator) -> EnergyFlow:
    r"""Return what a detector measures of generated particles.

    A particle of energy :math:`E` is measured with a factor that is log-normal, with mean 1 and
    the relative resolution as its standard deviation, so that nothing becomes negative. Directions
    are exact. Charged hadrons that the tracker misses are measured by the hadronic calorimeter.

    Args:
        particles: Generated events.
        detector: The detector.
        rng: Random numbers.
    """
    final = np.flatnonzero(particles.status > 0)
    codes = np.minimum(np.abs(particles.pdg[final]), LARGEST_CODE)
    category = _categories()[codes]
    seen = category != Category.INVISIBLE
    final, category = final[seen], category[seen]
    px, py, pz, energy = particles.momentum[final].T
    pt = np.hypot(px, py)
    eta = np.arcsinh(pz / np.maximum(pt, 1e-9))
    part, lost = _assign(category, np.abs(eta), pt, detector, rng)
    scale = _draw_scale(part, np.abs(eta), pt, energy, detector, rng)
    for calorimeter, kind in ((detector.ecal, Category.PHOTON), (detector.hcal, Category.NEUTRAL)):
        lost |= (part == kind) & (energy * scale < calorimeter.min_energy_gev)
    kept = np.flatnonzero(~lost)
    momentum = particles.momentum[final[kept]] * scale[kept, None]
    return EnergyFlow(
        n_events=particles.n_events,
        event=particles.event[final[kept]],
        pdg=particles.pdg[final[kept]],
        momentum=momentum,
        pt=pt[kept] * scale[kept],
        eta=eta[kept],
        phi=azimuth(momentum),
    )


def _assign(
    category: NDArray,
    abs_eta: NDArray,
    pt: NDArray,
    detector: Detector,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Return what measures each particle (charged, photon or neutral), and which are lost.

    Particles along the beam, without transverse momentum, are lost by their pseudorapidity.
    """
    tracker = detector.tracker
    inside = abs_eta < tracker.efficiency.abs_eta[-1]
    charged = (category >= Category.CHARGED) & (category <= Category.MUON)
    lost = charged & inside & (pt < tracker.min_pt_gev)
    lost |= (category == Category.MUON) & ~inside
    part = np.where(category == Category.MUON, Category.CHARGED, category).astype(np.int8)
    hadron = np.flatnonzero(category == Category.CHARGED)
    missed = rng.random(len(hadron)) >= tracker.efficiency(abs_eta[hadron])
    part[hadron[missed]] = Category.NEUTRAL
    part[category == Category.ELECTRON] = Category.PHOTON
    lost |= (part == Category.PHOTON) & (abs_eta > detector.ecal.max_abs_eta)
    lost |= (part == Category.NEUTRAL) & (abs_eta > detector.hcal.max_abs_eta)
    return part, lost


def _draw_scale(
    part: NDArray,
    abs_eta: NDArray,
    pt: NDArray,
    energy: NDArray,
    detector: Detector,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return measured energies in units of the true ones."""
    sigma = np.empty(len(part))
    for kind, resolution, size in (
        (Category.CHARGED, detector.tracker.resolution, pt),
        (Category.PHOTON, detector.ecal.resolution, energy),
        (Category.NEUTRAL, detector.hcal.resolution, energy),
    ):
        place = np.flatnonzero(part == kind)
        sigma[place] = resolution(abs_eta[place], size[place])
    variance = np.log1p(np.square(sigma))
    normal = rng.standard_normal(len(part))
    return np.exp(np.sqrt(variance) * normal - variance / 2)
