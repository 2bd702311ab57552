"""Histograms of selected events, with variances, ready to be scaled to any luminosity."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import hist
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

SCORE = "score"
LARGEST = "n_generated"


class Efficiency(NamedTuple):
    """Share of the events that pass the cut, and of how many events it is."""

    value: float
    uncertainty: float
    n: int


class Counted(NamedTuple):
    """What was counted of a sample.

    Attributes:
        templates: Columns ``observable``, ``n_generated`` (events before the cut), ``bin``,
            ``low``, ``high``, and ``value`` and ``variance`` of the share of all events that
            are selected and lie in the bin.
        efficiency: Share of all events that are selected.
    """

    templates: pd.DataFrame
    efficiency: Efficiency


def count_sample(
    pieces: Iterable[pd.DataFrame],
    *,
    observables: Mapping[str, tuple[str, NDArray]],
    cut: float,
    sizes: Sequence[int] = (),
) -> Counted:
    """Count the selected events of a sample in bins of some observables, piece by piece.

    Args:
        pieces: Events with columns ``score``, ``weight`` and those of the observables; memory
            holds one piece at a time.
        observables: Column and edges of the bins, by the observable's name.
        cut: Lowest score of selected events.
        sizes: Also count only so many first events, each smaller than the sample, for what a
            smaller sample would give; larger ones are left out.

    Raises:
        ValueError: If there are no events, or an observable is not among the columns.
    """
    stages = np.array(sorted(sizes))
    number = hist.axis.Integer(0, len(stages) + 1, name="stage", flow=False)
    filled = {
        name: hist.Hist(number, hist.axis.Variable(edges, name="x"), storage=hist.storage.Weight())
        for name, (_, edges) in observables.items()
    }
    total, passed = (hist.Hist(number, storage=hist.storage.Weight()) for _ in range(2))
    n_seen = 0
    for piece in pieces:
        stage = np.searchsorted(stages, np.arange(n_seen, n_seen + len(piece)), side="right")
        n_seen += len(piece)
        weight, keep = piece["weight"].to_numpy("f8"), piece[SCORE].to_numpy() >= cut
        total.fill(stage, weight=weight)
        passed.fill(stage[keep], weight=weight[keep])
        for name, (column, _) in observables.items():
            x = _column(piece, column)[keep]
            filled[name].fill(stage[keep], x, weight=weight[keep])
    if n_seen == 0:
        msg = "there are no events to fill templates with"
        raise ValueError(msg)
    known = [*(int(size) for size in stages if size < n_seen), n_seen]
    sums = _grow(total)[0]
    rows = [
        _rows(name, filled[name], sums, known, edges) for name, (_, edges) in observables.items()
    ]
    return Counted(pd.concat(rows, ignore_index=True), _efficiency(total, passed, n_seen))


def _column(piece: pd.DataFrame, column: str) -> NDArray:
    if column not in piece:
        msg = f"there is no column {column!r} to fill a template with: choose among {list(piece)}"
        raise ValueError(msg)
    return piece[column].to_numpy("f8")


def _grow(counted: hist.Hist) -> tuple[NDArray, NDArray]:
    """Return sums of weights and of their squares of all events up to each stage."""
    contents = (counted.values(flow=False), counted.variances(flow=False))
    values, variances = (np.cumsum(np.asarray(part), axis=0) for part in contents)
    return values, variances


def _rows(
    name: str, counted: hist.Hist, sums: NDArray, known: Sequence[int], edges: NDArray
) -> pd.DataFrame:
    """Return the templates of one observable, one after the other."""
    values, variances = _grow(counted)
    n_bins, n_known = len(edges) - 1, len(known)
    kept = [*range(n_known - 1), len(sums) - 1]
    return pd.DataFrame(
        {
            "observable": name,
            LARGEST: np.repeat(np.array(known, dtype=np.int64), n_bins),
            "bin": np.tile(np.arange(n_bins), n_known),
            "low": np.tile(edges[:-1], n_known),
            "high": np.tile(edges[1:], n_known),
            "value": (values[kept] / sums[kept, None]).ravel(),
            "variance": (variances[kept] / sums[kept, None] ** 2).ravel(),
        }
    )


def _efficiency(total: hist.Hist, passed: hist.Hist, n: int) -> Efficiency:
    """Return the selected share, with its binomial uncertainty (for weighted events, too)."""
    (all_w, all_w2), (w, w2) = ([grown[-1] for grown in _grow(part)] for part in (total, passed))
    share = w / all_w
    variance = ((1 - share) ** 2 * w2 + share**2 * (all_w2 - w2)) / all_w**2
    return Efficiency(float(share), float(np.sqrt(variance)), n)


def bin_edges(binning: Mapping[str, Any]) -> NDArray:
    """Return the edges of a configuration block: ``edges``, or ``n_bins`` from ``low`` to ``high``.

    Raises:
        ValueError: If they do not rise.
    """
    if binning.get("edges"):
        edges = np.array(binning["edges"], float)
    else:
        edges = np.linspace(binning["low"], binning["high"], binning["n_bins"] + 1)
    if len(edges) < 2 or np.any(np.diff(edges) <= 0):
        msg = f"edges of bins must rise, but they are {edges.tolist()}"
        raise ValueError(msg)
    return edges


def training_variations(
    members: NDArray, central: NDArray, *, noise: NDArray, max_variations: int
) -> NDArray:
    r"""Return orthogonal variations of a template that stand for its training uncertainty.

    Retrained surrogates :math:`t_k`, :math:`k = 1 \ldots M`, scatter about the central one
    :math:`c` with second moment :math:`C = \frac{1}{M} \sum_k (t_k - c)(t_k - c)^T`, bias included.
    Its eigenvectors, scaled by the roots of the eigenvalues, are variations of one standard
    deviation each. Counting noise of the templates is subtracted, as ``staterror`` has it; and
    since few members say little about a variance, Student's quantile at one sigma with
    :math:`M` degrees of freedom widens all of them.

    Args:
        members: Templates of the retrained surrogates, shape ``(n_members, n_bins)``.
        central: Template of the surrogate in use, shape ``(n_bins,)``.
        noise: Variance of ``members - central`` from counting, shape ``(n_bins,)``.
        max_variations: Number of variations at most.

    Returns:
        Changes of the template, shape ``(n_variations, n_bins)``, the largest first.
    """
    away = members - central
    values, vectors = np.linalg.eigh(away.T @ away / len(members))
    order = np.argsort(values)[::-1][: min(max_variations, len(members))]
    vectors = vectors[:, order].T
    true = values[order] - (vectors**2 * noise).sum(axis=1)
    wide = student.ppf(0.8413447, df=len(members))
    vectors *= np.sign(vectors[np.arange(len(order)), np.abs(vectors).argmax(axis=1)])[:, None]
    return (wide * np.sqrt(np.maximum(true, 0.0))[:, None] * vectors)[true > 1e-12 * values[-1]]
