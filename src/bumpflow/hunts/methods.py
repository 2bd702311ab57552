"""Hunt the same histograms by every method."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from bumpflow.hunts.comparison import compare
from bumpflow.hunts.networks import largest_z, positive_part
from bumpflow.hunts.profiled import z_profiled
from bumpflow.hunts.spectra import SpectraSettings, draw_spectra, gaussian_counts, strength_for
from bumpflow.hunts.store import Hunter, predict
from bumpflow.hunts.targets import z_known


def compare_methods(
    hunter: Hunter,
    settings: SpectraSettings,
    *,
    n: int,
    n_bins: int,
    significance: float,
    seed: int,
) -> pd.DataFrame:
    """Compare a network with other methods on histograms, half of them with a signal.

    Args:
        hunter: The network.
        settings: The histograms to draw.
        n: How many.
        n_bins: Their number of bins.
        significance: Significance of the signals.
        seed: Seed of histograms and of the methods' own randomness.

    Returns:
        One row per histogram and method: ``index``, ``method``, ``z_max`` (of ``evidence`` the
        log odds), ``bin``, ``seconds``, ``status``, ``signal``, ``z_true``, ``bin_true``.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = replace(settings, significance=(significance, significance), signal_share=0.5)
    spectra = draw_spectra(n, drawn, n_bins=n_bins, generator=generator)
    start = time.perf_counter()
    found = predict(hunter, spectra.observed)
    seconds = (time.perf_counter() - start) / n
    bins = positive_part(found.z[:, -1], found.log_sigma[:, -1]).argmax(1).numpy()
    ours = [
        pd.DataFrame(
            {
                "index": np.arange(n),
                "method": method,
                "z_max": values.double().numpy(),
                "bin": bins,
                "seconds": seconds,
                "status": "ok",
            }
        )
        for method, values in (("network", largest_z(found)), ("evidence", found.evidence))
    ]
    others = compare(
        spectra.observed.double().numpy(),
        spectra.background.double().numpy(),
        widths=hunter.widths,
        rng=np.random.default_rng(seed),
        max_histograms=n,
    )
    truth = z_known(spectra.observed, spectra.background, widths=hunter.widths).amax(1)
    z_true, bin_true = truth.clamp_min(0).max(1)
    known = pd.DataFrame(
        {
            "index": np.arange(n),
            "signal": (spectra.width > 0).numpy(),
            "z_true": z_true.double().numpy(),
            "bin_true": bin_true.numpy(),
        }
    )
    columns = [*ours[0].columns]
    return pd.concat([*ours, others[columns]], ignore_index=True).merge(known, on="index")


def show_examples(
    hunter: Hunter,
    settings: SpectraSettings,
    *,
    lengths: Sequence[int],
    degree: int,
    generator: torch.Generator,
    shapes: Tensor | None = None,
) -> pd.DataFrame:
    """Return one histogram of each length with the targets and the prediction.

    Args:
        hunter: The network.
        settings: The histograms to draw; all get a signal of at least 3.
        lengths: Numbers of bins.
        degree: Degree of the polynomial of the profiled background.
        generator: Source of randomness.
        shapes: See :func:`~bumpflow.hunts.spectra.draw_spectra`.

    Returns:
        One row per bin: ``example``, ``title``, ``bin``, ``observed``, ``background``,
        ``signal``, ``z_known``, ``z_profiled``, ``z_predicted``.
    """
    strong = replace(settings, significance=(3.0, 6.0), signal_share=1.0, positions=(0.2, 0.8))
    tables = []
    for example, n_bins in enumerate(lengths):
        spectra = draw_spectra(1, strong, n_bins=n_bins, generator=generator, shapes=shapes)
        n, b = spectra.observed, spectra.background
        signal = gaussian_counts(spectra.position, spectra.width, n_bins=n_bins)
        signal = signal * strength_for(spectra.significance, signal, b)[:, None]
        found = predict(hunter, n)
        columns = {
            "observed": n,
            "background": b,
            "signal": signal,
            "z_known": z_known(n, b, widths=hunter.widths).amax(1).clamp_min(0),
            "z_profiled": z_profiled(n.double(), widths=hunter.widths, degree=degree)
            .z.amax(1)
            .clamp_min(0),
            "z_predicted": positive_part(found.z[:, -1], found.log_sigma[:, -1]),
        }
        table = pd.DataFrame({name: x[0].double().numpy() for name, x in columns.items()})
        width, z = float(spectra.width[0]), float(spectra.significance[0])
        title = f"{n_bins} bins, signal of width {width:.1f} bins, z = {z:.1f}"
        tables.append(table.assign(example=example, title=title, bin=np.arange(n_bins)))
    return pd.concat(tables, ignore_index=True)
