"""One lepton and four jets: selection and features of the HIGGS benchmark.

References:
    Baldi, Sadowski and Whiteson (2014), https://arxiv.org/abs/1402.4735
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.simulate.detector.objects import (
    Events,
    Objects,
    Selection,
    leading_momenta,
    sort_objects,
)
from bumpflow.simulate.detector.pairing import leading_positions, line_up
from bumpflow.simulate.kinematics import (
    azimuth,
    invariant_mass,
    pseudorapidity,
    transverse_momentum,
)

W_MASS_GEV, TOP_MASS_GEV = 80.4, 172.5
N_JETS, N_MOST_JETS = 4, 8
"""Jets that are features, and those in which the decay of a W boson is looked for."""


class Semileptonic(NamedTuple):
    """What is needed of events with one lepton and four jets.

    Attributes:
        lepton: Momenta of the lepton [GeV], shape ``(n, 4)``.
        missing: Missing transverse momenta (px, py) [GeV], shape ``(n, 2)``.
        jets: Momenta of the eight hardest jets [GeV], 0 where there are less, ``(n, 8, 4)``.
        tags: Levels of b tagging of the four hardest, shape ``(n, 4)``.
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
        jets=leading_momenta(events.jets, n_events, N_MOST_JETS)[event],
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

    The candidates for b quarks are, of the four hardest jets, the tagged ones, and the hardest
    others if there are less than two. Of all other jets, those two whose mass is nearest to that
    of the W boson are its decay (``m_jj``). With the b candidate for which it is nearer to the
    mass of the top quark they make ``m_jjj``, and the other one makes ``m_jlv``; ``m_wbb`` is
    the larger mass of both b candidates with either W boson. The masses in the UCI file are made
    this way.
    """
    jets = np.concatenate(
        [
            np.take_along_axis(found.jets, _order_by_tag(found.tags)[..., None], axis=1),
            found.jets[:, N_JETS:],
        ],
        axis=1,
    )
    b_1, b_2 = jets[:, 0], jets[:, 1]
    hadronic = find_w_boson(jets[:, 2:])
    leptonic = found.lepton + neutrino_momentum(found.lepton, found.missing)
    m_jjj = [invariant_mass(hadronic + b) for b in (b_1, b_2)]
    m_jlv = [invariant_mass(leptonic + b) for b in (b_1, b_2)]
    is_first = np.abs(m_jjj[0] - TOP_MASS_GEV) < np.abs(m_jjj[1] - TOP_MASS_GEV)
    m_wbb = [invariant_mass(boson + b_1 + b_2) for boson in (hadronic, leptonic)]
    return {
        "m_jj": invariant_mass(hadronic),
        "m_jjj": np.where(is_first, m_jjj[0], m_jjj[1]),
        "m_lv": invariant_mass(leptonic),
        "m_jlv": np.where(is_first, m_jlv[1], m_jlv[0]),
        "m_bb": invariant_mass(b_1 + b_2),
        "m_wbb": np.maximum(*m_wbb),
        "m_wwbb": invariant_mass(hadronic + leptonic + b_1 + b_2),
    }


def find_w_boson(jets: NDArray) -> NDArray[np.float64]:
    """Return the sum of the two jets whose mass is nearest to that of the W boson.

    Args:
        jets: Momenta [GeV], 0 where there are less, at least two per event, ``(n, n_jets, 4)``.

    Returns:
        Momenta, shape ``(n, 4)``.
    """
    first, second = np.triu_indices(jets.shape[1], k=1)
    pairs = jets[:, first] + jets[:, second]
    distance = np.abs(invariant_mass(pairs) - W_MASS_GEV)
    absent = jets[..., 3] <= 0
    distance[absent[:, first] | absent[:, second]] = np.inf
    return np.take_along_axis(pairs, distance.argmin(axis=1)[:, None, None], axis=1)[:, 0]


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
    """Return the order of the four hardest jets, tagged ones first, else as they are."""
    return np.argsort(tags == 0, axis=1, kind="stable")
