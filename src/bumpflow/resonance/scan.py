"""Where could a resonance of unknown mass be, and how often does chance look like one?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from bumpflow.resonance.inference import q_zero, toy_p_value
from bumpflow.resonance.likelihood import DataSets, ResonanceModel
from bumpflow.resonance.shapes import DoubleCrystalBall, MassModel, Window
from bumpflow.resonance.toys import Density, Layout, sideband_bins
from bumpflow.stats.toys import Measured


class MassScan(NamedTuple):
    """Significances of a signal at each of several masses.

    Attributes:
        mass: Tested positions of the peak [GeV], shape ``(n_masses,)``.
        z: Local significances of the data, same shape.
        toys: Largest local significance of each background-only toy, shape ``(n_toys,)``.
    """

    mass: NDArray[np.float64]
    z: NDArray[np.float64]
    toys: NDArray[np.float64]

    @property
    def global_p(self) -> Measured:
        """Share of toys with a larger significance anywhere than the data have."""
        return toy_p_value(float(self.z.max()), self.toys)

    @property
    def global_z(self) -> float:
        """The same in standard deviations."""
        return float(norm.isf(self.global_p.value))


def scan_masses(
    data: DataSets, model: ResonanceModel, masses: MassModel, shifts: Sequence[float]
) -> NDArray[np.float64]:
    """Return local significances at each mass, shape ``(n_sets, n_shifts)``.

    Args:
        data: Data sets that have the signals of
            :func:`~bumpflow.resonance.scoring.score_signals` for ``others``, and bins beside the
            signal region.
        model: Likelihood of a shape and nothing else.
        masses: Shapes in mass.
        shifts: By how much each signal is heavier than the simulated one [GeV].
    """
    layout = Layout.beside(masses.window, masses.signal_region)
    columns = []
    for index, shift in enumerate(shifts):
        beside = sideband_bins(
            layout,
            data.sidebands.weight,
            peak=peak_density(masses.peak.shifted(shift), masses.window),
        )
        signal = data.events.others[..., index]
        events = data.events._replace(signal=signal, others=data.events.others[..., :0])
        columns.append(np.sqrt(q_zero(model, data._replace(events=events, sidebands=beside))))
    return np.stack(columns, axis=-1)


def peak_density(peak: DoubleCrystalBall, window: Window) -> Density:
    """Return a peak's density as a function of masses [GeV]."""

    def density(mass: NDArray) -> NDArray[np.float64]:
        return peak.density(mass, window)

    return density
