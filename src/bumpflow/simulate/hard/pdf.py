"""Parton densities of the proton, from the grids that come with Pythia.

References:
    Buckley et al. (2015), LHAPDF6, https://arxiv.org/abs/1412.7420
"""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bumpflow import io
from bumpflow.simulate.extras import MissingExtra
from bumpflow.suggest import suggest

if TYPE_CHECKING:
    from scipy.interpolate import RectBivariateSpline

GLUON = 21
GLUON_IN_GRIDS = 0
Z_MASS_GEV = 91.1876
N_FLAVOURS = 5
MIN_X = 1e-6
SEPARATOR = "---"


class PdfSet(NamedTuple):
    """A set of parton densities.

    Attributes:
        pset: Number of the set in Pythia's ``PDF:pSet``.
        file: Its grid, or None if it is in a format that only Pythia reads.
        alpha_s_mz: Strong coupling at the Z mass that belongs to it.
        order: Loops of the running of that coupling.
    """

    pset: int
    file: str | None
    alpha_s_mz: float
    order: int


PDF_SETS: Mapping[str, PdfSet] = MappingProxyType(
    {
        "cteq6l1": PdfSet(8, None, 0.1298, 1),
        "nnpdf23lo": PdfSet(13, "NNPDF23_lo_as_0130_qed_0000.dat", 0.130, 1),
        "nnpdf23loas0119": PdfSet(14, "NNPDF23_lo_as_0119_qed_0000.dat", 0.119, 1),
        "nnpdf23nlo": PdfSet(15, "NNPDF23_nlo_as_0119_qed_0000.dat", 0.119, 2),
        "nnpdf23nnlo": PdfSet(16, "NNPDF23_nnlo_as_0119_qed_0000.dat", 0.119, 2),
        "nnpdf31lo": PdfSet(17, "NNPDF31_lo_as_0130_0000.dat", 0.130, 1),
        "nnpdf31loas0118": PdfSet(18, "NNPDF31_lo_as_0118_0000.dat", 0.118, 1),
        "nnpdf31nlo": PdfSet(19, "NNPDF31_nlo_as_0118_luxqed_0000.dat", 0.118, 2),
        "nnpdf31nnlo": PdfSet(20, "NNPDF31_nnlo_as_0118_luxqed_0000.dat", 0.118, 2),
    }
)
"""Sets by name: number in Pythia, grid, and the strong coupling that was fitted with it."""


def find_set(name: str) -> PdfSet:
    """Return a set of parton densities by its name.

    Raises:
        ValueError: If there is none.
    """
    if name not in PDF_SETS:
        known = f"{suggest(name, PDF_SETS)}: known are {', '.join(PDF_SETS)}"
        msg = f"there are no parton densities {name!r}{known}"
        raise ValueError(msg)
    return PDF_SETS[name]


def find_grid(name: str) -> Path:
    """Return the file of a set's grid, which comes with Pythia.

    Raises:
        MissingExtra: If Pythia is not installed.
        ValueError: If the set has no grid that can be read here, or Pythia came without it.
    """
    file = find_set(name).file
    if file is None:
        readable = [known for known, found in PDF_SETS.items() if found.file]
        msg = f"only Pythia can read {name!r}: our matrix elements read {', '.join(readable)}"
        raise ValueError(msg)
    try:
        files = distribution("pythia8mc").files or []
    except PackageNotFoundError as error:
        msg = "parton densities come with Pythia: `pip install 'bumpflow[generate]'`"
        raise MissingExtra(msg, name="pythia8mc") from error
    for path in files:
        if path.name == file:
            return Path(str(path.locate()))
    msg = f"this installation of Pythia has no {file}, the grid of {name!r}: install it again"
    raise ValueError(msg)


class PartonDensities:
    """Parton densities of the proton at momentum fractions and scales.

    Attributes:
        name: Name of the set.
        alpha_s_mz: Strong coupling at the Z mass.
    """

    def __init__(self, name: str) -> None:
        """Read the grid of a set, as :func:`find_grid` finds it."""
        found = find_set(name)
        self.name, self.alpha_s_mz, self._order = name, found.alpha_s_mz, found.order
        self._subgrids = _read_grid(io.read_text(find_grid(name)))

    def xf(self, pdg: int, x: NDArray, q_gev: NDArray) -> NDArray[np.float64]:
        """Return momentum densities of a parton, not below 0.

        Cubic splines in the logarithms of both, as LHAPDF has them; below the grid's smallest
        scale and above its largest one, those of its edges.

        Args:
            pdg: Code of the parton: 21, or 1 to 5 and -1 to -5.
            x: Momentum fractions, shape ``(n,)``.
            q_gev: Factorisation scales [GeV], shape ``(n,)``.
        """
        x, q_gev = np.broadcast_arrays(np.asarray(x, float), np.asarray(q_gev, float))
        density = np.empty(x.shape)
        lowest = [grid.q_gev[0] for grid in self._subgrids]
        which = np.clip(np.searchsorted(lowest, q_gev, side="right") - 1, 0, None)
        for number, grid in enumerate(self._subgrids):
            here = which == number
            if here.any():
                q = np.clip(q_gev[here], *grid.q_gev)
                density[here] = grid.splines[pdg].ev(np.log(x[here]), np.log(q))
        return np.maximum(density, 0)

    def alpha_s(self, q_gev: NDArray) -> NDArray[np.float64]:
        r"""Return the strong coupling, running with five flavours from the Z mass.

        To one loop :math:`\alpha_s = \alpha_Z / (1 + b_0 \alpha_Z L)` with
        :math:`L = \ln (Q^2/m_Z^2)` and :math:`b_0 = (33 - 2 n_f)/12\pi`; to two loops the
        implicit solution's first iteration.

        Args:
            q_gev: Renormalisation scales [GeV].
        """
        log_ratio = 2 * np.log(np.asarray(q_gev) / Z_MASS_GEV)
        b0 = (33 - 2 * N_FLAVOURS) / (12 * np.pi)
        denominator = 1 + b0 * self.alpha_s_mz * log_ratio
        if self._order == 1:
            return self.alpha_s_mz / denominator
        b1 = (153 - 19 * N_FLAVOURS) / (24 * np.pi**2)
        return self.alpha_s_mz / (
            denominator + b1 / b0 * self.alpha_s_mz * np.log(np.abs(denominator))
        )


class _Subgrid(NamedTuple):
    """One range of scales: its ends [GeV], and a spline of each parton by its code."""

    q_gev: tuple[float, float]
    splines: "dict[int, RectBivariateSpline]"


def _read_grid(text: str) -> list[_Subgrid]:
    """Return the subgrids of a file in LHAPDF's format ``lhagrid1``."""
    blocks = [block.split("\n") for block in text.split(SEPARATOR)[1:]]
    found = []
    for block in blocks:
        lines = [line for line in block if line.strip()]
        if len(lines) > 3:
            x, q = np.array(lines[0].split(), float), np.array(lines[1].split(), float)
            codes = [int(code) for code in lines[2].split()]
            values = np.array(" ".join(lines[3:]).split(), float)
            found.append(_build_subgrid(x, q, codes, values.reshape(len(x), len(q), -1)))
    return found


def _build_subgrid(x: NDArray, q: NDArray, codes: list[int], values: NDArray) -> _Subgrid:
    """Return a subgrid's splines; what lies below the smallest useful fraction is left out."""
    from scipy.interpolate import RectBivariateSpline

    used = x >= MIN_X
    splines = {
        GLUON if code in (GLUON, GLUON_IN_GRIDS) else code: RectBivariateSpline(
            np.log(x[used]), np.log(q), values[used, :, place], kx=3, ky=min(3, len(q) - 1)
        )
        for place, code in enumerate(codes)
    }
    return _Subgrid((float(q[0]), float(q[-1])), splines)
