"""A detector in formulas: its settings.

References:
    de Favereau et al. (2013), Delphes 3, https://arxiv.org/abs/1307.6346
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bumpflow.suggest import suggest

T = TypeVar("T")

FLOOR_GEV = 1e-3
"""Least energy for which a resolution is calculated; event records hold photons of none."""


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
