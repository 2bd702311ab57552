r"""Two photons and two b jets: selection and features of Higgs pairs, :math:`bb\gamma\gamma`.

References:
    Amram et al. (2025), HI-SIGMA, section 4, https://arxiv.org/abs/2506.06438
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.simulate.detector.objects import Events, Objects, Selection, leading_momenta, take
from bumpflow.simulate.kinematics import (
    azimuth,
    delta_r,
    invariant_mass,
    pseudorapidity,
    transverse_momentum,
)

BJETS, PHOTONS = ("b1", "b2"), ("g1", "g2")


def select_diphoton(events: Events, *, settings: Mapping[str, Any]) -> Selection:
    """Select events with two b-tagged jets and two photons, and compute their features.

    The two hardest tagged jets (level 1 or 2) and photons within the largest pseudorapidity are
    the candidates.

    Args:
        events: Reconstructed events, from whatever source.
        settings: ``bjet_pt_gev`` and ``photon_pt_gev``, least transverse momenta [GeV] of the
            harder and the softer one; ``max_abs_eta`` of all four; ``min_dr_photon_bjet``, the
            least distance of each photon from each b jet; ``mass_window_gev``, lower (included)
            and upper end of the photons' mass [GeV].

    Returns:
        Events with ``m_gg``, ``m_bb`` and ``m_bbgg``, ``pt_bb`` and ``pt_gg`` [GeV],
        ``pt_gg_over_m``, ``dr_bb``, ``dr_gg``, ``dr_b1g1`` to ``dr_b2g2``, and ``pt``, ``eta``,
        ``phi``, ``mass`` and ``energy`` [GeV, rad] of ``b1``, ``b2``, ``g1`` and ``g2``.
    """
    n_events, max_eta = events.n_events, settings["max_abs_eta"]
    tagged = take(events.jets, events.jets.tag > 0)
    photons, two_photons = _leading_pair(
        events.photons, n_events, min_pt=settings["photon_pt_gev"], max_eta=max_eta
    )
    bjets, two_bjets = _leading_pair(
        tagged, n_events, min_pt=settings["bjet_pt_gev"], max_eta=max_eta
    )
    steps = {"two_photons": two_photons, "two_bjets": two_photons & two_bjets}
    event = np.flatnonzero(steps["two_bjets"])
    features = pair_features(bjets[event], photons[event])
    distances = [f"dr_{b}{g}" for b in BJETS for g in PHOTONS]
    apart = (features[distances] > settings["min_dr_photon_bjet"]).all(axis=1).to_numpy()
    low, high = settings["mass_window_gev"]
    m_gg = features["m_gg"].to_numpy()
    inside = apart & (m_gg >= low) & (m_gg < high)
    cutflow = {step: int(mask.sum()) for step, mask in steps.items()}
    return Selection(
        features=features[inside].reset_index(drop=True),
        event=event[inside],
        weights=events.weights[event[inside]],
        cutflow=cutflow | {"distance": int(apart.sum()), "mass_window": int(inside.sum())},
    )


def _leading_pair(
    objects: Objects, n_events: int, *, min_pt: Sequence[float], max_eta: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the two hardest central objects of each event, and where they are hard enough."""
    pair = leading_momenta(take(objects, np.abs(objects.eta) < max_eta), n_events, 2)
    return pair, np.all(transverse_momentum(pair) > np.asarray(min_pt), axis=1)


def pair_features(bjets: NDArray, photons: NDArray) -> pd.DataFrame:
    """Return the features of pairs of b jets and photons.

    Args:
        bjets: Momenta of both b jets [GeV], shape ``(n, 2, 4)``.
        photons: Momenta of both photons [GeV], shape ``(n, 2, 4)``.

    Returns:
        Columns as in :func:`select_diphoton`.
    """
    bb, gg = bjets.sum(axis=1), photons.sum(axis=1)
    m_gg, pt_gg = invariant_mass(gg), transverse_momentum(gg)
    columns = {
        "m_gg": m_gg,
        "m_bb": invariant_mass(bb),
        "m_bbgg": invariant_mass(bb + gg),
        "pt_bb": transverse_momentum(bb),
        "pt_gg": pt_gg,
        "pt_gg_over_m": pt_gg / m_gg,
        "dr_bb": _distance(bjets[:, 0], bjets[:, 1]),
        "dr_gg": _distance(photons[:, 0], photons[:, 1]),
    }
    for b, name in enumerate(BJETS):
        for g, photon in enumerate(PHOTONS):
            columns[f"dr_{name}{photon}"] = _distance(bjets[:, b], photons[:, g])
    momenta = np.concatenate([bjets, photons], axis=1)
    for place, name in enumerate((*BJETS, *PHOTONS)):
        p = momenta[:, place]
        columns[f"{name}_pt"] = transverse_momentum(p)
        columns[f"{name}_eta"] = pseudorapidity(p)
        columns[f"{name}_phi"] = azimuth(p)
        columns[f"{name}_mass"] = invariant_mass(p)
        columns[f"{name}_energy"] = p[:, 3]
    return pd.DataFrame(columns)


def _distance(p: NDArray, q: NDArray) -> NDArray[np.float64]:
    """Return distances in pseudorapidity and azimuth of momenta, shape ``(n,)``."""
    return delta_r(pseudorapidity(p), azimuth(p), pseudorapidity(q), azimuth(q))
