"""One lepton and four jets: selection and features of the HIGGS benchmark.

References:
    Baldi, Sadowski and Whiteson (2014), https://arxiv.org/abs/1402.4735
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.simulate.kinematics import (
    azimuth,
    invariant_mass,
    pseudorapidity,
    transverse_momentum,
)
from bumpflow.simulate.objects import (
    Events,
    Objects,
    Selection,
    leading_momenta,
    sort_objects,
)
from bumpflow.simulate.pairing import leading_positions, line_up

W_MASS_GEV, TOP_MASS_GEV, CHARGED_HIGGS_MASS_GEV = 80.4, 172.5, 325.0
N_JETS = 4


class Semileptonic(NamedTuple):
    """What is needed of events with one lepton and four jets.

    Attributes:
        lepton: Momenta of the lepton [GeV], shape ``(n, 4)``.
        missing: Missing transverse momenta (px, py) [GeV], shape ``(n, 2)``.
        jets: Momenta of the four hardest jets [GeV], shape ``(n, 4, 4)``.
        tags: Their levels of b tagging, shape ``(n, 4)``.
    """

    lepton: NDArray[np.float64]
    missing: NDArray[np.float64]
    jets: NDArray[np.float64]
    tags: NDArray[np.int64]


def select_semileptonic(events: Events, *, min_btags: int = 1) -> Selection:
    """Select events as the HIGGS benchmark does, and compute its 28 features.

    Exactly one isolated electron or muon, at least four jets, and ``min_btags`` tagged ones (level
    1 or 2) among the four hardest.

    Args:
        events: Reconstructed events.
        min_btags: Tagged jets that are needed, 0 to 4.

    Returns:
        Events with columns :data:`bumpflow.ingest.layout.HIGGS_FEATURES`: momenta and masses in
        GeV, azimuths in radians, ``*_btag`` the level 0, 1 or 2.
    """
    n_events = events.n_events
    leptons = _merge(events.electrons, events.muons)
    places = leading_positions(events.jets.event, n_events, N_JETS)
    tags = line_up(events.jets.tag, places)
    one_lepton = leptons.counts(n_events) == 1
    four_jets = one_lepton & (events.jets.counts(n_events) >= N_JETS)
    passed = four_jets & (np.count_nonzero(tags, axis=1) >= min_btags)
    event = np.flatnonzero(passed)
    found = Semileptonic(
        lepton=leading_momenta(leptons, n_events, 1)[event, 0],
        missing=events.missing[event],
        jets=leading_momenta(events.jets, n_events, N_JETS)[event],
        tags=tags[event],
    )
    columns = low_level_features(found) | high_level_features(found)
    return Selection(
        features=pd.DataFrame(columns, columns=list(HIGGS_FEATURES), dtype=float),
        event=event,
        weights=events.weights[event],
        cutflow={
            "one_lepton": int(one_lepton.sum()),
            "four_jets": int(four_jets.sum()),
            "btags": len(event),
        },
    )


def _merge(electrons: Objects, muons: Objects) -> Objects:
    """Return electrons and muons in one list."""
    return sort_objects(
        Objects(
            event=np.concatenate([electrons.event, muons.event]),
            momentum=np.concatenate([electrons.momentum, muons.momentum]),
            charge=np.concatenate([electrons.charge, muons.charge]),
        )
    )


def low_level_features(found: Semileptonic) -> dict[str, NDArray]:
    """Return the 21 measured features by name [GeV, rad], shape ``(n,)`` each."""
    features: dict[str, NDArray] = {
        "lepton_pT": transverse_momentum(found.lepton),
        "lepton_eta": pseudorapidity(found.lepton),
        "lepton_phi": azimuth(found.lepton),
        "missing_energy_magnitude": transverse_momentum(found.missing),
        "missing_energy_phi": azimuth(found.missing),
    }
    for number in range(N_JETS):
        jet, name = found.jets[:, number], f"jet_{number + 1}"
        features[f"{name}_pt"] = transverse_momentum(jet)
        features[f"{name}_eta"] = pseudorapidity(jet)
        features[f"{name}_phi"] = azimuth(jet)
        features[f"{name}_btag"] = found.tags[:, number]
    return features


def high_level_features(found: Semileptonic) -> dict[str, NDArray]:
    r"""Return the seven masses [GeV] by name, shape ``(n,)`` each.

    The candidates for b quarks are the two tagged jets, the hardest ones if there are more, and
    the hardest others if there are less; the other two jets are the decay of a W boson (``m_jj``).
    Of the two ways to make top quarks of both W bosons and b quarks, ``m_jjj`` and ``m_jlv`` take
    the one with the least :math:`|m_{jjj} - m_t| + |m_{j\ell\nu} - m_t|`, and ``m_wbb`` takes the
    W boson for which it is nearer to the charged Higgs boson of 325 GeV.
    """
    jets = np.take_along_axis(found.jets, _order_by_tag(found.tags)[..., None], axis=1)
    b_1, b_2 = jets[:, 0], jets[:, 1]
    hadronic = jets[:, 2] + jets[:, 3]
    leptonic = found.lepton + neutrino_momentum(found.lepton, found.missing)
    straight = invariant_mass(hadronic + b_1), invariant_mass(leptonic + b_2)
    crossed = invariant_mass(hadronic + b_2), invariant_mass(leptonic + b_1)
    is_straight = _top_distance(*straight) < _top_distance(*crossed)
    m_wbb = [invariant_mass(boson + b_1 + b_2) for boson in (hadronic, leptonic)]
    is_hadronic = np.abs(m_wbb[0] - CHARGED_HIGGS_MASS_GEV) < np.abs(
        m_wbb[1] - CHARGED_HIGGS_MASS_GEV
    )
    return {
        "m_jj": invariant_mass(hadronic),
        "m_jjj": np.where(is_straight, straight[0], crossed[0]),
        "m_lv": invariant_mass(leptonic),
        "m_jlv": np.where(is_straight, straight[1], crossed[1]),
        "m_bb": invariant_mass(b_1 + b_2),
        "m_wbb": np.where(is_hadronic, *m_wbb),
        "m_wwbb": invariant_mass(hadronic + leptonic + b_1 + b_2),
    }


def neutrino_momentum(lepton: NDArray, missing: NDArray) -> NDArray[np.float64]:
    r"""Return the momenta of neutrinos [GeV] that make a W boson of each lepton.

    With :math:`\mu = m_W^2/2 + \vec p_{T\ell} \cdot \vec p_{T\nu}` and a massless lepton,

    .. math:: p_{z\nu} = \frac{\mu p_{z\ell} \pm \sqrt{\mu^2 p_{z\ell}^2 - p_{T\ell}^2
              (E_\ell^2 p_{T\nu}^2 - \mu^2)}}{p_{T\ell}^2} .

    Of two solutions, the one of smaller magnitude is taken. Where they are complex, no longitudinal
    momentum gives the mass of the W boson; the one that comes nearest points along the lepton,
    :math:`p_{z\nu} = p_{z\ell} p_{T\nu} / p_{T\ell}`, and gives the transverse mass. So do the
    masses in the UCI file.

    Args:
        lepton: Momenta [GeV], shape ``(n, 4)``.
        missing: Transverse momenta (px, py) of the neutrinos [GeV], shape ``(n, 2)``.

    Returns:
        Momenta, shape ``(n, 4)``.
    """
    lepton_pt2 = np.square(lepton[:, :2]).sum(axis=1)
    missing_pt2 = np.square(missing).sum(axis=1)
    mu = W_MASS_GEV**2 / 2 + (lepton[:, :2] * missing).sum(axis=1)
    centre = mu * lepton[:, 2] / lepton_pt2
    energy2 = np.square(lepton[:, :3]).sum(axis=1)
    square = centre**2 - (energy2 * missing_pt2 - mu**2) / lepton_pt2
    nearest = lepton[:, 2] * np.sqrt(missing_pt2 / lepton_pt2)
    solved = centre - np.copysign(np.sqrt(np.maximum(square, 0)), centre)
    pz = np.where(square >= 0, solved, nearest)
    energy = np.sqrt(missing_pt2 + pz**2)
    return np.column_stack([missing, pz, energy])


def _order_by_tag(tags: NDArray) -> NDArray[np.int64]:
    """Return the order of jets, tagged ones first, without a change among either."""
    return np.argsort(tags == 0, axis=1, kind="stable")


def _top_distance(m_jjj: NDArray, m_jlv: NDArray) -> NDArray[np.float64]:
    """Return how far two masses are from that of the top quark [GeV]."""
    return np.abs(m_jjj - TOP_MASS_GEV) + np.abs(m_jlv - TOP_MASS_GEV)
