"""Read features of two photons and two b jets from HDF5 files in the layout of HI-SIGMA's authors.

References:
    Amram, Szewc (2025), https://arxiv.org/abs/2506.06438
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bumpflow.ingest.layout import InvalidEvents
from bumpflow.simulate.kinematics import (
    delta_r,
    from_pt_eta_phi_mass,
    invariant_mass,
    transverse_momentum,
)

ROWS = 1 << 17
"""Events read at a time."""
FEATURES = (
    *("m_bbgg", "m_bb", "m_gg", "pt_bb", "pt_gg"),
    *("dr_b1g1", "dr_b1g2", "dr_b2g1", "dr_b2g2", "dr_bb", "dr_gg"),
)
"""Our names of the columns of ``feats``, in their order."""
PARTS = {"bjets": ("pt", "eta", "phi", "mass"), "photons": ("pt", "eta", "phi")}
"""What the columns of ``bjets`` and ``photons`` are of the leading object, then of the other."""
TOLERANCE = 0.01
"""Largest deviation of features from those of the objects, relative or in GeV."""


def read_feature_blocks(
    path: Path, *, use_objects: bool = True
) -> Iterator[dict[str, NDArray[np.float64]]]:
    """Yield features of events in blocks, by name.

    Args:
        path: An HDF5 file with ``feats`` of shape ``(N, 11)``, ``bjets`` of ``(N, 8)`` and
            ``photons`` of ``(N, 6)``.
        use_objects: Whether to read ``bjets`` and ``photons``. Their columns are not documented:
            they are taken as :data:`PARTS` says, and features are calculated from them to see
            whether that is true.

    Yields:
        Masses and transverse momenta [GeV] and distances :data:`FEATURES`, ``pt_gg_over_m``, and
        with ``use_objects`` ``b1_pt`` [GeV], ``b1_eta``, ``b1_phi`` [rad], ``b1_mass`` [GeV] and
        so on of ``b2``, ``g1``, ``g2``; photons have no mass.

    Raises:
        InvalidEvents: If the file is damaged, a key is missing or has another shape, a value is
            impossible, or objects do not fit features.
    """
    import h5py

    shapes = {"feats": len(FEATURES)}
    if use_objects:
        shapes |= {key: 2 * len(parts) for key, parts in PARTS.items()}
    try:
        with h5py.File(path, "r") as file:
            n_events = _check_shapes(file, shapes, file=path.name)
            for start in range(0, n_events, ROWS):
                rows = {key: file[key][start : start + ROWS].astype(float) for key in shapes}
                yield _name_columns(rows, first=start, file=path.name)
    except OSError as error:
        msg = f"{path.name}: not a whole HDF5 file ({error}): fetch or write it again"
        raise InvalidEvents(msg) from error


def _check_shapes(file: Any, shapes: Mapping[str, int], *, file_name: str = "", **kw: Any) -> int:
    raise NotImplementedError
