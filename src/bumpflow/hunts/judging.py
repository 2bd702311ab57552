"""Judge networks on histograms with a known truth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from bumpflow.evaluate.c2st import area_under_curve
from bumpflow.hunts.calibration import PENALTIES, Calibration, calibrate, correct, coverage
from bumpflow.hunts.families import FAMILIES
from bumpflow.hunts.networks import Prediction, positive_part
from bumpflow.hunts.scanning import cell_of, estimate_z, global_p, toy_maxima
from bumpflow.hunts.spectra import Spectra, SpectraSettings, draw_backgrounds, draw_spectra
from bumpflow.hunts.store import Hunter, predict
from bumpflow.hunts.targets import z_known

QUANTILE_NAMES = ("z_q025", "z_q16", "z_q50", "z_q84", "z_q975")
DRAWN = 5000
"""Histograms of one length that are judged at a time."""
NEAR = 0.5
"""Half of the range of true significances that counts as 5."""


def judge_hunter(
    hunter: Hunter,
    settings: SpectraSettings,
    *,
    lengths: Mapping[int, int],
    calibration: Calibration,
    generator: torch.Generator,
    shapes: Tensor | None = None,
) -> pd.DataFrame:
    """Compare predictions with the truth.

    Args:
        hunter: The network.
        settings: The histograms to draw.
        lengths: How many histograms to draw with each number of bins.
        calibration: Corrections of estimates and intervals.
        generator: Source of randomness.
        shapes: See :func:`~bumpflow.hunts.spectra.draw_spectra`.

    Returns:
        One row per histogram: ``n_bins``, ``width``, ``position`` and ``significance`` of the
        signal, ``family``, ``counts_first`` and ``counts_last``, ``z_true`` and ``bin_true``
        with the true background, ``z_predicted`` and ``bin_predicted``, predicted quantiles,
        ``evidence``, ``pull``, the root mean square over bins of z's error over its predicted
        standard deviation, and ``cell`` of the calibration.
    """
    tables = []
    for n_bins, total in lengths.items():
        for n in [DRAWN] * (total // DRAWN) + [total % DRAWN] * (total % DRAWN > 0):
            spectra = draw_spectra(n, settings, n_bins=n_bins, generator=generator, shapes=shapes)
            tables.append(_compare(hunter, spectra, settings, calibration))
    return pd.concat(tables, ignore_index=True)


def calibrate_hunter(
    hunter: Hunter,
    settings: SpectraSettings,
    *,
    lengths: Mapping[int, int],
    correction: str,
    generator: torch.Generator,
    shapes: Tensor | None = None,
) -> Calibration:
    """Return what estimates and intervals need on histograms of the training's kind.

    Args:
        hunter: The network.
        settings: The histograms to draw, see :func:`judge_hunter` for the others.
        lengths: How many histograms to draw with each number of bins.
        correction: What estimates of z_max are to be, one of
            :data:`~bumpflow.hunts.calibration.PENALTIES`.
        generator: Source of randomness.
        shapes: See :func:`~bumpflow.hunts.spectra.draw_spectra`.
    """
    table = judge_hunter(
        hunter,
        settings,
        lengths=lengths,
        calibration=Calibration.none(),
        generator=generator,
        shapes=shapes,
    )
    truth, quantiles = table["z_true"].to_numpy(), table[list(QUANTILE_NAMES)].to_numpy()
    found = calibrate(truth, quantiles, table["pull"].to_numpy(), table["cell"].to_numpy())
    penalty = PENALTIES[correction]
    if penalty is None:
        return found
    return correct(
        found,
        truth=truth,
        median=table["z_q50"].to_numpy(),
        evidence=table["evidence"].to_numpy(float),
        strength=table["significance"].to_numpy(float),
        penalty=penalty,
    )


def background_p_values(
    hunter: Hunter,
    settings: SpectraSettings,
    *,
    lengths: Mapping[int, int],
    calibration: Calibration,
    n_toys: int,
    generator: torch.Generator,
    shapes: Tensor | None = None,
) -> pd.DataFrame:
    """Return global p-values of background-only histograms, which should be uniform.

    Args:
        hunter: The network.
        settings: The histograms to draw; signals are left out.
        lengths: How many histograms to draw with each number of bins.
        calibration: Corrections of the estimates, of data and toys alike.
        n_toys: Toys of each one's predicted background behind its p-value.
        generator: Source of randomness.
        shapes: See :func:`~bumpflow.hunts.spectra.draw_spectra`.

    Returns:
        One row per histogram: ``n_bins``, ``z_max``, ``p_global``, ``n_toys``.
    """
    tables = []
    for n_bins, n in lengths.items():
        background, _ = draw_backgrounds(
            n, settings, n_bins=n_bins, generator=generator, shapes=shapes
        )
        found = predict(hunter, torch.poisson(background, generator=generator))
        toys = toy_maxima(
            hunter,
            found.background,
            n_toys,
            calibration=calibration,
            generators=[generator] * n,
        )
        z_max = estimate_z(found, calibration)
        p = global_p(z_max, toys).p
        tables.append(pd.DataFrame({"n_bins": n_bins, "z_max": z_max, "p_global": p}))
    return pd.concat(tables, ignore_index=True).assign(n_toys=n_toys)


def paper_measures(table: pd.DataFrame) -> dict[str, float]:
    """Return what the 2022 paper quotes of its test.

    Args:
        table: Histograms with signals of z = 3 and as many without, see :func:`judge_hunter`.
    """
    signal = (table["significance"] > 0).to_numpy()
    true, predicted, evidence = (
        table[column].to_numpy() for column in ("z_true", "z_predicted", "evidence")
    )
    with_signal = table[signal]
    distance = (with_signal["bin_predicted"] - with_signal["bin_true"]).abs().to_numpy()
    error = (predicted - true)[signal]
    above = true > 3
    return {
        "bias": float(error.mean()),
        "spread": float(error.std()),
        "spread68": half_width(error),
        "exact_bin": float((distance == 0).mean()),
        "within_1_bin": float((distance <= 1).mean()),
        "auc": area_under_curve(predicted[~signal], predicted[signal]).value,
        "auc_evidence": area_under_curve(evidence[~signal], evidence[signal]).value,
        "auc_true": area_under_curve(true[~signal], true[signal]).value,
        "tpr": float((predicted > 3)[above].mean()),
        "fpr": float((predicted > 3)[~above].mean()),
        "tpr_at_published_fpr": _tpr_at(predicted, above, fpr=0.1715),
        "n": len(error),
    }


def thesis_measures(table: pd.DataFrame) -> dict[str, float]:
    """Return what the thesis quotes of its tests, and the worst of the cells.

    Args:
        table: Histograms with signals, see :func:`judge_hunter`.
    """
    error = (table["z_predicted"] - table["z_true"]).to_numpy()
    five = np.abs(table["z_true"].to_numpy() - 5) < NEAR
    cells = by_cell(table)
    covered = coverage(table["z_true"].to_numpy(), table[list(QUANTILE_NAMES)].to_numpy())
    return {
        "bias": float(error.mean()),
        "spread": float(error.std()),
        "spread68": half_width(error),
        "within_1_at_5": float((np.abs(error[five]) < 1).mean()),
        "within_2_at_5": float((np.abs(error[five]) < 2).mean()),
        "worst_cell_bias": float(cells["bias"].abs().max()),
        "coverage68": covered[0],
        "coverage95": covered[1],
        "n": len(error),
    }


def by_cell(table: pd.DataFrame) -> pd.DataFrame:
    """Return bias, spread and coverage by number of bins, width and dynamic range.

    The dynamic range is in decades between the expected entries of the first and last bin.
    """
    quantiles = table[list(QUANTILE_NAMES)].to_numpy()
    true = table["z_true"].to_numpy()
    rows = pd.DataFrame(
        {
            "n_bins": table["n_bins"],
            "width": table["width"].round().astype(int),
            "decades": np.log10(table["counts_first"] / table["counts_last"]).astype(int),
            "bias": table["z_predicted"] - true,
            "coverage68": (true >= quantiles[:, 1]) & (true <= quantiles[:, 3]),
            "coverage95": (true >= quantiles[:, 0]) & (true <= quantiles[:, 4]),
        }
    )
    groups = rows.groupby(["n_bins", "width", "decades"])
    cells = groups.mean()
    return cells.assign(spread=groups["bias"].std(), n=groups.size()).reset_index()


def half_width(errors: NDArray) -> float:
    """Return half the distance between the 16 and 84 % quantiles."""
    low, high = np.quantile(errors, [0.16, 0.84])
    return float(high - low) / 2


def _tpr_at(predicted: NDArray, above: NDArray, *, fpr: float) -> float:
    """Return the true-positive rate where the false-positive rate is the given one."""
    threshold = np.quantile(predicted[~above], 1 - fpr)
    return float((predicted > threshold)[above].mean())


def _compare(
    hunter: Hunter, spectra: Spectra, settings: SpectraSettings, calibration: Calibration
) -> pd.DataFrame:
    """Return one row per histogram, see :func:`judge_hunter`."""
    found = predict(hunter, spectra.observed)
    sampled = not settings.fluctuate_signal
    each = z_known(
        spectra.observed, spectra.background, widths=hunter.widths, sampled=sampled
    ).cpu()
    truth = each.amax(1)
    z_true, bin_true = truth.clamp_min(0).max(1)
    bins = positive_part(found.z[:, -1], found.log_sigma[:, -1]).argmax(1)
    cells = cell_of(found, hunter)
    quantiles = calibration.intervals(found.quantiles.double().numpy(), cells)
    columns: dict[str, Any] = {
        "n_bins": spectra.observed.shape[1],
        "width": spectra.width,
        "position": spectra.position,
        "significance": spectra.significance,
        "family": np.asarray(FAMILIES)[spectra.family.cpu().numpy()],
        "counts_first": spectra.background[:, 0],
        "counts_last": spectra.background[:, -1],
        "z_true": z_true,
        "bin_true": bin_true,
        "z_predicted": estimate_z(found, calibration),
        "bin_predicted": bins,
        **dict(zip(QUANTILE_NAMES, quantiles.T, strict=True)),
        "evidence": found.evidence,
        "pull": _pull(found, truth),
        "cell": cells,
    }
    return pd.DataFrame(
        {name: x.cpu().numpy() if isinstance(x, Tensor) else x for name, x in columns.items()}
    )


def _pull(found: Prediction, truth: Tensor) -> Tensor:
    """Return the root mean square over bins of z's error in units of its prediction."""
    pulls = (truth - found.z[:, -1]) / torch.exp(found.log_sigma[:, -1])
    return torch.sqrt((pulls**2).mean(1))


def lengths_of(n: int, n_bins: Sequence[int]) -> dict[int, int]:
    """Return how many histograms to draw with each number of bins: ``n`` in all."""
    share, rest = divmod(n, len(n_bins))
    return {length: share + (index < rest) for index, length in enumerate(n_bins)}
