"""What hunts reach, as tables: sensitivities, thresholds, and errors of the first kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd

from bumpflow.compatibility.hunting import (
    BUMP,
    FAIR,
    LR,
    LR_MAX,
    LR_SHAPE,
    MOVING,
    cells_of,
    column,
    statistic_of,
)
from bumpflow.compatibility.sensitivity import Comparison, Null, sensitivity_map, smallest_p
from bumpflow.compatibility.significance import (
    Measure,
    Sample,
    Tally,
    expected,
    log_score,
    separation,
    type_one_error,
)

RATIOS = (LR, LR_SHAPE, LR_MAX)
"""Hunts whose statistic is a number of any size, and not a count."""
NULLS: tuple[Null, ...] = get_args(Null)
MEASURES: tuple[Measure, ...] = ("z_two_sided", "z_one_sided", "minus_log_p")
Rates = tuple[float, float]


class Hunt(NamedTuple):
    """A hunt with its setting.

    Attributes:
        name: Name of the hunt.
        setting: Threshold or number of bins, if it has one.
    """

    name: str
    setting: float | None

    @property
    def columns(self) -> dict[str, Any]:
        """What tables say of it: ``hunt`` and ``setting``."""
        return {"hunt": self.name, "setting": self.setting}


@dataclass(frozen=True)
class Trials:
    """Toys of background, and of background with each signal.

    Attributes:
        background: Table of toys, see :mod:`bumpflow.compatibility.hunting`.
        signals: Tables by benchmark.
    """

    background: pd.DataFrame
    signals: Mapping[str, pd.DataFrame]

    def compare(self, benchmark: str, hunt: Hunt, mu_b: float) -> Comparison:
        """Return a hunt's statistic under both hypotheses, if it assumes a background rate."""
        tallies = [
            Tally.of(statistic_of(table, *hunt, mu_b=mu_b), cells_of(table))
            for table in (self.signals[benchmark], self.background)
        ]
        return Comparison.of(*tallies)


def point_table(
    trials: Trials, hunts: Mapping[str, Sequence[Hunt]], points: Sequence[Rates]
) -> pd.DataFrame:
    """Return what each hunt reaches at some rates.

    Args:
        trials: Toys.
        hunts: Hunts by benchmark.
        points: Expected background and signal events.

    Returns:
        One row per benchmark, hunt, rates and hypothesis of background alone (see
        :data:`~bumpflow.compatibility.sensitivity.Null`): measures and ``separation``, the
        Wasserstein distance of the statistic, each with ``_error``; ``log_score`` of whole
        numbers; and ``neglected``, the probability of more events than the toys have.
    """
    rows = []
    for benchmark, some in hunts.items():
        for hunt, (mu_b, mu_s), null in product(some, points, NULLS):
            rate = mu_b if null == "background" else mu_b + mu_s
            if hunt.name == LR_MAX and null != "background":
                continue
            signal, background, order = trials.compare(benchmark, hunt, rate)
            pair = signal.at(mu_b, mu_s), background.at(rate)
            row: dict[str, Any] = {"benchmark": benchmark, **hunt.columns}
            row |= {"mu_b": mu_b, "mu_s": mu_s, "null": null}
            for measure in MEASURES:
                row[measure], row[f"{measure}_error"] = expected(*pair, measure, order=order)
            row["separation"], row["separation_error"] = separation(*pair)
            if hunt.name not in RATIOS:
                row["log_score"], row["log_score_error"] = log_score(*pair)
            row["neglected"] = signal.cells.neglected(mu_b, mu_s)
            rows.append(row)
    return pd.DataFrame(rows)


def map_table(
    trials: Trials,
    hunts: Mapping[str, Sequence[Hunt]],
    *,
    mu_b: Sequence[float],
    mu_s: Sequence[float],
) -> pd.DataFrame:
    """Return mean two-sided significances on a grid of rates, one row for each.

    Args:
        trials: Toys.
        hunts: Hunts by benchmark.
        mu_b: Expected background events.
        mu_s: Expected signal events.
    """
    tables = []
    grid = pd.MultiIndex.from_product([mu_b, mu_s], names=["mu_b", "mu_s"]).to_frame(index=False)
    for benchmark, some in hunts.items():
        for hunt in some:
            if hunt.name == LR:
                compare = partial(trials.compare, benchmark, hunt)
                found = sensitivity_map(compare, mu_b=mu_b, mu_s=mu_s)
            else:
                found = sensitivity_map(trials.compare(benchmark, hunt, 1), mu_b=mu_b, mu_s=mu_s)
            values = {"z": found.value.ravel(), "z_error": found.uncertainty.ravel()}
            tables.append(grid.assign(benchmark=benchmark, **hunt.columns, **values))
    return pd.concat(tables, ignore_index=True)


def threshold_table(
    trials: Trials, names: Sequence[str], thresholds: Sequence[float], points: Sequence[Rates]
) -> pd.DataFrame:
    """Return mean two-sided significances by threshold, and with the threshold left to the data.

    The latter, with no ``setting``, takes the smallest p-value over thresholds as its statistic:
    half of the toys of background calibrate p-values, and the other half the statistic, which
    makes up for the number of trials.

    Args:
        trials: Toys.
        names: Hunts that have thresholds.
        thresholds: Their thresholds.
        points: Expected background and signal events.
    """
    rows: list[tuple[Any, ...]] = []
    (half, cells), (other, others) = cells_of(trials.background).halves()
    for (benchmark, signal), name in product(trials.signals.items(), names):
        columns = [column(name, threshold) for threshold in thresholds]
        inside = trials.background[columns].to_numpy()
        for threshold, (mu_b, mu_s) in product(thresholds, points):
            compared = trials.compare(benchmark, Hunt(name, threshold), mu_b)
            z = expected(
                compared.signal.at(mu_b, mu_s), compared.background.at(mu_b), order=compared.order
            )
            rows.append((benchmark, name, threshold, mu_b, mu_s, *z))
        for mu_b, mu_s in points:
            best = [
                smallest_p(values, inside[half], cells, mu_b=mu_b)
                for values in (signal[columns].to_numpy(), inside[other])
            ]
            z = expected(
                Tally.of(best[0], cells_of(signal)).at(mu_b, mu_s),
                Tally.of(best[1], others).at(mu_b),
            )
            rows.append((benchmark, name, None, mu_b, mu_s, *z))
    names_of = ["benchmark", "hunt", "setting", "mu_b", "mu_s", "z", "z_error"]
    return pd.DataFrame(rows, columns=names_of).astype({"setting": "float64"})


def purity_table(
    trials: Trials, names: Sequence[str], thresholds: Sequence[float], *, n_events: int
) -> pd.DataFrame:
    """Return how well hunts tell that some of a fixed number of events are signal.

    Minus the mean log p-value of equation 10 of https://arxiv.org/abs/2407.20329, in which as
    many events are all background.

    Args:
        trials: Toys.
        names: Hunts that have thresholds.
        thresholds: Their thresholds.
        n_events: Number of events.
    """
    rows = []
    null = trials.background[trials.background["n_background"] == n_events]
    for benchmark, table in trials.signals.items():
        total = table["n_background"] + table["n_signal"]
        for n_signal, part in table[total == n_events].groupby("n_signal"):
            for name, threshold in product(names, thresholds):
                key = column(name, threshold)
                pair = Sample.alike(part[key]), Sample.alike(null[key])
                found = expected(*pair, "minus_log_p")
                rows.append((benchmark, name, threshold, n_signal, *found))
    names_of = ["benchmark", "hunt", "setting", "n_signal", "minus_log_p", "minus_log_p_error"]
    return pd.DataFrame(rows, columns=names_of)


def error_table(
    trials: Trials, hunts: Sequence[Hunt], *, mu_b: Sequence[float], levels: Sequence[float]
) -> pd.DataFrame:
    """Return how often hunts reject background alone, by independent halves of its toys.

    Args:
        trials: Toys.
        hunts: The hunts.
        mu_b: Expected background events.
        levels: Nominal probabilities.

    Returns:
        One row per hunt, rate and level: ``type_one`` and its ``error``, which is the level for
        continuous statistics and at most that for whole numbers.
    """
    (half, cells), (other, others) = cells_of(trials.background).halves()
    rows = []
    for hunt, rate in product(hunts, mu_b):
        values = statistic_of(trials.background, *hunt, mu_b=rate)
        pair = Tally.of(values[half], cells).at(rate), Tally.of(values[other], others).at(rate)
        for level in levels:
            found = type_one_error(*pair, alpha=level)
            rows.append((*hunt, rate, level, *found))
    return pd.DataFrame(rows, columns=["hunt", "setting", "mu_b", "level", "type_one", "error"])


def distribution_table(
    trials: Trials, hunts: Mapping[str, Sequence[Hunt]], points: Sequence[Rates]
) -> pd.DataFrame:
    """Return the probabilities of counts with and without signal, at the same total rate.

    Args:
        trials: Toys.
        hunts: Hunts by benchmark; likelihood ratios are left out.
        points: Expected background and signal events.

    Returns:
        One row per benchmark, hunt, rates and value of the statistic: ``background`` at the sum
        of both rates, ``signal``.
    """
    tables = []
    for benchmark, some in hunts.items():
        for hunt, (mu_b, mu_s) in product(some, points):
            if hunt.name in RATIOS:
                continue
            compared = trials.compare(benchmark, hunt, mu_b)
            samples = compared.background.at(mu_b + mu_s), compared.signal.at(mu_b, mu_s)
            whole = [sample.values.astype(int) for sample in samples]
            n = max(part.max() for part in whole) + 1
            found = [
                np.bincount(part, sample.weights, minlength=n)
                for part, sample in zip(whole, samples, strict=True)
            ]
            table = pd.DataFrame(
                {"statistic": range(n), "background": found[0], "signal": found[1]}
            )
            tables.append(table.assign(benchmark=benchmark, **hunt.columns, mu_b=mu_b, mu_s=mu_s))
    return pd.concat(tables, ignore_index=True)


def compared_hunts(
    networks: Sequence[str], threshold: float, bins: Mapping[str, int]
) -> dict[str, list[Hunt]]:
    """Return the hunts to compare, by benchmark.

    Args:
        networks: Hunts that clean by scores of pairs.
        threshold: Their threshold.
        bins: Number of bins of the hunts in windows, by benchmark.
    """
    return {
        benchmark: [
            *(Hunt(name, threshold) for name in networks),
            *(Hunt(name, float(n)) for name in (BUMP, FAIR)),
            *(Hunt(name, None) for name in (MOVING, *RATIOS)),
        ]
        for benchmark, n in bins.items()
    }


def without_maximum(hunts: Mapping[str, Sequence[Hunt]]) -> dict[str, list[Hunt]]:
    """Return hunts without the one that is tried at a few rates only."""
    return {key: [hunt for hunt in some if hunt.name != LR_MAX] for key, some in hunts.items()}
