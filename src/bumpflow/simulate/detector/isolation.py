"""Whether leptons and photons stand alone."""

import numpy as np
from numpy.typing import NDArray

from bumpflow.simulate.detector.pairing import pair_up
from bumpflow.simulate.detector.response import EnergyFlow
from bumpflow.simulate.detector.settings import Isolation
from bumpflow.simulate.kinematics import delta_phi


def is_isolated(flow: EnergyFlow, candidates: NDArray, isolation: Isolation) -> NDArray[np.bool_]:
    r"""Return which candidates have little around them.

    The scalar sum of transverse momenta in a cone around the candidate, itself left out, must be
    less than :math:`r \, p_T + a`.

    Args:
        flow: All that the detector measured.
        candidates: Positions of the candidates in it, shape ``(n,)``.
        isolation: Cone and limits.

    Returns:
        Whether each candidate is isolated, shape ``(n,)``.
    """
    counted = np.flatnonzero(flow.pt >= isolation.min_pt_gev)
    first, second = pair_up(flow.event[candidates], flow.event[counted], flow.n_events)
    first_entry, second_entry = candidates[first], counted[second]
    d_eta = flow.eta[first_entry] - flow.eta[second_entry]
    near = np.abs(d_eta) < isolation.radius
    near &= first_entry != second_entry
    first, first_entry, second_entry = first[near], first_entry[near], second_entry[near]
    d_phi = delta_phi(flow.phi[first_entry], flow.phi[second_entry])
    inside = np.hypot(d_eta[near], d_phi) < isolation.radius
    around = np.bincount(first[inside], flow.pt[second_entry[inside]], minlength=len(candidates))
    return around < isolation.relative * flow.pt[candidates] + isolation.absolute_gev
