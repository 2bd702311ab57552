"""Posteriors of single events against true parameters, and scores of pairs against each other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bumpflow.compatibility.coverage import calibrate, coverage_curve
from bumpflow.compatibility.ensembles import member_scores
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.hunting import BUMP, EPO, Pool
from bumpflow.compatibility.inference import LEVELS, locate, moments
from bumpflow.compatibility.populations import Population
from bumpflow.compatibility.posteriors import JOINT_CHUNK, Posterior
from bumpflow.compatibility.roc import efficiency, rejection
from bumpflow.compatibility.store import FIELDS, Hunters, PublishedPosterior
from bumpflow.evaluate.c2st import area_under_curve
from bumpflow.memory import map_chunks

MASS, LIFETIME, PUBLISHED = "mass", "lifetime", "published"
"""Posteriors of single events: ours of mass and lifetime, and that of the mass as published."""
EFFICIENCIES = (0.8, 0.9)
CURVE_POINTS = 200


def judge_posteriors(
    posterior: Posterior, published: PublishedPosterior, population: Population
) -> pd.DataFrame:
    """Return where the truth lies in each event's posteriors.

    Args:
        posterior: Our posteriors.
        published: Published ones.
        population: Events.

    Returns:
        One row per event and kind of posterior: ``kind``, ``truth``, ``mean``, ``std``, ``level``
        and ``pit`` (see :class:`~bumpflow.compatibility.inference.Truths`).
    """
    mass, lifetime = posterior.grid.mass, posterior.grid.lifetime
    shape = (-1, mass.n_points, lifetime.n_points)
    log_weights = mass.weights.log().to(posterior.device)

    def of_lifetime(x: Tensor) -> Tensor:
        """Return log ratios of posterior and prior of the lifetime alone."""
        joint = posterior.joint_log_ratio(x).view(shape)
        return torch.logsumexp(joint + log_weights[:, None], 1)

    x, theta = population.x.to(posterior.device), population.theta
    tables = [
        _judge(MASS, posterior.log_ratio(x), mass, theta[:, 0]),
        _judge(LIFETIME, map_chunks(of_lifetime, x, JOINT_CHUNK), lifetime, theta[:, 1]),
        _judge(PUBLISHED, published.log_ratio(x), published.axis, theta[:, 0]),
    ]
    return pd.concat(tables, ignore_index=True)


def _judge(kind: str, log_ratio: Tensor, axis: Axis, truth: Tensor) -> pd.DataFrame:
    """Return the rows of one kind of posterior."""
    mean, std = moments(log_ratio, axis)
    found = locate(log_ratio, axis, truth.clamp(axis.low, axis.high))
    columns = {"truth": truth, "mean": mean, "std": std, **found._asdict()}
    table = pd.DataFrame({name: part.double().cpu().numpy() for name, part in columns.items()})
    return table.assign(kind=kind)


def coverage_of(events: pd.DataFrame) -> pd.DataFrame:
    """Return coverage curves by ``kind`` of posterior, see :func:`judge_posteriors`."""
    curves = [
        coverage_curve(part["level"].to_numpy()).assign(kind=kind)
        for kind, part in events.groupby("kind", sort=False)
    ]
    return pd.concat(curves, ignore_index=True)


def posterior_record(events: pd.DataFrame) -> dict[str, Any]:
    """Return calibration in numbers by ``kind`` of posterior, see :func:`judge_posteriors`."""
    record = {}
    for kind, part in events.groupby("kind", sort=False):
        found = calibrate(*(part[name].to_numpy() for name in ("level", "pit", "std")))
        record[kind] = {
            "n": found.n,
            "sigma": found.mean_std,
            "median_sigma": found.median_std,
            "bias": found.bias,
            "p_levels": found.levels.p_distance,
            "p_pit": found.pit.p_distance,
        }
        for level, held in zip(LEVELS, found.coverage, strict=True):
            record[kind][f"coverage{100 * level:.0f}"] = held
    return {str(kind): row for kind, row in record.items()}


def pair_table(hunters: Hunters, pool: Pool, n_pairs: int) -> pd.DataFrame:
    """Return the scores of pairs of neighbouring events by each hunt.

    Args:
        hunters: Trained networks.
        pool: Events, the first ``2 n_pairs`` of which are used.
        n_pairs: Number of pairs.

    Returns:
        One row per pair: hunts with networks, with their ``_member0``, ...; the closed form; and
        that of the bump hunt, minus the distance of both masses in log10.
    """
    fields = {name: getattr(pool, name)[: 2 * n_pairs] for name in Pool._fields}
    pairs = {name: part.unflatten(0, (-1, 2)) for name, part in fields.items()}
    columns: dict[str, Tensor] = {}
    for hunt, (architecture, networks) in hunters.networks.items():
        scores = member_scores(networks, pairs[FIELDS[architecture]])[:, :, 0, 1]
        columns |= {f"{hunt}_member{i}": each for i, each in enumerate(scores)}
        columns[hunt] = scores.mean(0)
    closed = hunters.closed_form()
    both = torch.ones(n_pairs, 2, dtype=torch.bool, device=pool.x.device)
    columns[EPO] = closed.scores(pairs[closed.field], both)[:, 0, 1]
    columns[BUMP] = -pairs["log10_mass"].diff(dim=1)[:, 0].abs()
    return pd.DataFrame({name: part.double().cpu().numpy() for name, part in columns.items()})


def rejection_table(
    background: pd.DataFrame, signals: Mapping[str, pd.DataFrame], *, threshold: float
) -> pd.DataFrame:
    """Return how well hunts tell compatible pairs from others: tables 1 and 2 of the paper.

    Args:
        background: Scores of pairs of background, see :func:`pair_table`.
        signals: Scores of pairs of signal, by benchmark.
        threshold: Threshold on scores.

    Returns:
        One row per benchmark and hunt: ``auc``, ``rejection80``, ``rejection90``,
        ``efficiency`` and ``mistakes`` (the efficiency for background) at the threshold, with
        ``_error``; ``member`` is -1 for ensembles.
    """
    rows = []
    for benchmark, signal in signals.items():
        for name in background:
            hunt, _, member = str(name).partition("_member")
            pair = background[name].to_numpy(), signal[name].to_numpy()
            area = area_under_curve(*pair)
            row = {"benchmark": benchmark, "hunt": hunt, "member": int(member or -1)}
            row |= {"auc": area.value, "auc_error": area.uncertainty}
            for share in EFFICIENCIES:
                key = f"rejection{100 * share:.0f}"
                row[key], row[f"{key}_error"] = rejection(*pair, efficiency=share)
            for key, scores in (("mistakes", pair[0]), ("efficiency", pair[1])):
                row[key], row[f"{key}_error"] = efficiency(scores, threshold=threshold)
            rows.append(row)
    return pd.DataFrame(rows)


def curve_table(
    background: pd.DataFrame, signals: Mapping[str, pd.DataFrame], hunts: Sequence[str]
) -> pd.DataFrame:
    """Return receiver operating characteristics, a row for each signal efficiency.

    Args:
        background: Scores of pairs of background, see :func:`pair_table`.
        signals: Scores of pairs of signal, by benchmark.
        hunts: Hunts to show.
    """
    kept = np.linspace(0.02, 1, CURVE_POINTS)
    tables = []
    for benchmark, signal in signals.items():
        for hunt in hunts:
            cuts = np.quantile(signal[hunt], 1 - kept, method="lower")
            passed = (background[hunt].to_numpy() >= cuts[:, None]).mean(1)
            table = pd.DataFrame({"efficiency": kept, "background": passed})
            tables.append(table.assign(benchmark=benchmark, hunt=hunt))
    return pd.concat(tables, ignore_index=True)
