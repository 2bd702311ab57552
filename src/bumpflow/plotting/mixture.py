"""Spectra and categories of events that are lists of electrons, muons, photons and jets."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from bumpflow.plotting.histograms import Densities
from bumpflow.simulate.kinematics import from_pt_eta_phi_mass, invariant_mass
from bumpflow.simulate.select.mixture import MULTIPLICITIES, category_counts

COUNTS = (*MULTIPLICITIES, "n_b")
"""What tells categories of events apart."""


def unpack_objects(table: pa.Table) -> Any:  # noqa: ANN401
    """Return events as an Awkward array of the columns that are numbers or lists of them.

    Args:
        table: Events: lists ``<kind>_pt`` [GeV], ``<kind>_eta``, ``<kind>_phi`` [rad] for
            ``electron``, ``muon``, ``photon`` and ``jet``, besides ``electron_charge``,
            ``muon_charge``, ``jet_mass`` [GeV] and ``jet_btag``, and the number ``met`` [GeV].
    """
    import awkward as ak

    columns = {}
    for name in table.column_names:
        kind, column = table.schema.field(name).type, table[name]
        # Not by ak.from_arrow: it takes columns that may hold nulls for columns that do.
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            values = pc.list_flatten(column).to_numpy()
            columns[name] = ak.unflatten(values, pc.list_value_length(column).to_numpy())
        elif not pa.types.is_dictionary(kind):
            columns[name] = column.to_numpy()
    return ak.zip(columns, depth_limit=1)


def leading_two(events: Any, kind: str) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the four-momenta of the two objects of highest transverse momentum.

    Args:
        events: Events, see :func:`unpack_objects`.
        kind: ``photon`` or ``jet``.

    Returns:
        Momenta [GeV], shape ``(n_events, 2, 4)``; NaN for objects that an event lacks.
    """
    import awkward as ak

    order = ak.argsort(events[f"{kind}_pt"], axis=1, ascending=False)
    names = ["pt", "eta", "phi", *(["mass"] if kind == "jet" else [])]
    parts = [_pad(events[f"{kind}_{name}"][order], 2) for name in names]
    return from_pt_eta_phi_mass(*parts)


def _pad(lists: Any, n: int) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the first ``n`` numbers of each list, NaN where it is shorter."""
    import awkward as ak

    padded = ak.fill_none(ak.pad_none(lists, n, axis=1, clip=True), np.nan)
    return np.asarray(ak.to_numpy(padded), dtype=np.float64)


def dilepton_mass(events: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the mass [GeV] of two leptons of the same flavour and opposite charge.

    Of several pairs, that of the largest sum of transverse momenta counts; NaN without any.

    Args:
        events: Events, see :func:`unpack_objects`.
    """
    import awkward as ak

    flavours = []
    for kind in ("electron", "muon"):
        names = ("pt", "eta", "phi", "charge")
        leptons = ak.zip({name: events[f"{kind}_{name}"] for name in names})
        pairs = ak.combinations(leptons, 2, axis=1, fields=["a", "b"])
        flavours.append(pairs[pairs.a.charge * pairs.b.charge < 0])
    pairs = ak.concatenate(flavours, axis=1)
    best = pairs[ak.argsort(pairs.a.pt + pairs.b.pt, axis=1, ascending=False)][:, :1]
    momenta = [
        from_pt_eta_phi_mass(*(_pad(lepton[name], 1)[:, 0] for name in ("pt", "eta", "phi")))
        for lepton in (best.a, best.b)
    ]
    return invariant_mass(momenta[0] + momenta[1])


def measure_observables(events: Any) -> dict[str, NDArray[np.float64]]:  # noqa: ANN401
    """Return what the spectra show, by name: shape ``(n_events,)`` each.

    Args:
        events: Events, see :func:`unpack_objects`.

    Returns:
        ``ht``, the sum of the jets' transverse momenta, ``jet_pt`` of the leading jet, masses
        ``m_jj`` of the two leading jets, ``m_ll`` of two leptons (:func:`dilepton_mass`) and
        ``m_gg`` of the two leading photons, and ``met``, all in GeV; NaN where an event has none.
    """
    import awkward as ak

    jets, photons = leading_two(events, "jet"), leading_two(events, "photon")
    return {
        "ht": np.asarray(ak.sum(events["jet_pt"], axis=1), dtype=np.float64),
        "jet_pt": np.hypot(jets[:, 0, 0], jets[:, 0, 1]),
        "m_jj": invariant_mass(jets.sum(axis=1)),
        "m_ll": dilepton_mass(events),
        "m_gg": invariant_mass(photons.sum(axis=1)),
        "met": np.asarray(events["met"], dtype=np.float64),
    }


def sample_names(table: pa.Table) -> NDArray[np.str_]:
    """Return the sample of each event, shape ``(n_events,)``."""
    return np.asarray(table["sample"].cast(pa.string()).to_pylist(), dtype=np.str_)


def sum_spectra(
    pieces: Iterable[pa.Table], *, samples: list[str], edges: Mapping[str, NDArray]
) -> dict[str, dict[str, Densities]]:
    r"""Return differential cross-sections [fb / GeV], :math:`\sum w / \Delta`, by component.

    Args:
        pieces: Events, see :func:`unpack_objects`, with ``weight_fb`` and ``sample``; memory
            holds one piece at a time.
        samples: Components.
        edges: Edges of the bins [GeV] of each observable of :func:`measure_observables`.

    Returns:
        By observable, then component; variances are :math:`\sum w^2 / \Delta^2`.
    """
    sums = {
        name: {sample: np.zeros((2, len(bins) - 1)) for sample in samples}
        for name, bins in edges.items()
    }
    for table in pieces:
        found, names = measure_observables(unpack_objects(table)), sample_names(table)
        weights = table["weight_fb"].to_numpy().astype(np.float64)
        for name, bins in edges.items():
            for sample in samples:
                rows = (names == sample) & np.isfinite(found[name])
                x, w = found[name][rows], weights[rows]
                sums[name][sample] += [
                    np.histogram(x, bins, weights=each)[0] for each in (w, w**2)
                ]
    return {
        name: {
            sample: Densities(
                total[0] / np.diff(edges[name]), total[1] / np.diff(edges[name]) ** 2, edges[name]
            )
            for sample, total in components.items()
        }
        for name, components in sums.items()
    }


def sum_categories(pieces: Iterable[pa.Table]) -> pd.DataFrame:
    """Return how many events each category has in each component.

    Args:
        pieces: Events, see :func:`sum_spectra`.

    Returns:
        Columns :data:`COUNTS`, ``sample``, ``n_events``, ``weight_fb`` and ``weight_squared``,
        sums over the category's events.
    """
    tables = []
    for table in pieces:
        names = sample_names(table)
        for sample in np.unique(names):
            one = category_counts(table.filter(pa.array(names == sample)), weight="weight_fb")
            squares = one.pop("weight_error") ** 2
            one = one.rename(columns={"weight": "weight_fb"})
            tables.append(one.assign(sample=str(sample), weight_squared=squares))
    return pd.concat(tables).groupby([*COUNTS, "sample"], as_index=False).sum()


def log_edges(low: float, high: float, n_bins: int) -> NDArray[np.float64]:
    """Return edges of bins of equal width on a logarithmic axis, shape ``(n_bins + 1,)``."""
    return np.geomspace(low, high, n_bins + 1)
