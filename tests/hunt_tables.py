"""Made-up results of hunts, in the form that the scan and its tests write them."""

import numpy as np
import pandas as pd
from scipy.stats import norm

SUMMARY = {
    "histogram": "bump", "variable": "m_gg", "unit": "GeV", "n_bins": 30, "z_max": 4.1,
    "z_low": 3.5, "z_high": 4.7, "bin": 12, "low": 124.0, "high": 126.0, "width": 1.0,
    "p_global": 0.002, "p_global_error": 0.001, "z_global": 2.88, "n_toys": 1000, "covered": True,
    "reasons": "", "rank": 1,
}  # fmt: skip
SPREAD = 0.5
"""Standard deviation of the predicted significance about the true one."""


def make_tests(rng, n, *, z=None, spread=SPREAD, bias=0.0):
    """Return test histograms, half of them without signal, with exact intervals.

    ``z`` is the significance of all signals, between 0 and 10 by default.
    """
    signal = np.arange(n) % 2 == 0
    requested = np.where(signal, rng.uniform(0, 10, n) if z is None else z, 0.0)
    truth = np.maximum(np.abs(rng.normal(requested, 1)), rng.normal(2.3, 0.4, n))
    off = rng.normal(bias, spread, n)
    last = rng.uniform(10, 300, n)
    bin_true = rng.integers(0, 30, n)
    table = pd.DataFrame(
        {
            "n_bins": rng.integers(30, 101, n),
            "width": np.where(signal, rng.uniform(1, 4, n), 0.0),
            "position": 15.0,
            "significance": requested,
            "family": "exponential",
            "counts_first": last * 10 ** rng.uniform(0, 3, n),
            "counts_last": last,
            "z_true": truth,
            "bin_true": bin_true,
            "z_predicted": truth + off,
            "bin_predicted": bin_true + rng.choice([0, 0, 0, 1, -1, 12], n),
            "evidence": 3 * (truth - 3) + rng.normal(0, 1, n),
        }
    )
    levels = {"z_q025": 0.025, "z_q16": 0.158655, "z_q50": 0.5, "z_q84": 0.841345, "z_q975": 0.975}
    for name, level in levels.items():
        table[name] = truth + off - bias + spread * norm.ppf(level)
    return table


def make_bins(rng, edges, *, name="bump", level=3000.0, slope=3.0, bump=None):
    """Return a scanned spectrum: a falling background, with a bump in a bin if one is given."""
    edges = np.asarray(edges, float)
    n = len(edges) - 1
    x = (edges[1:] + edges[:-1]) / 2
    background = level * np.exp(-slope * (x - edges[0]) / (edges[-1] - edges[0]))
    background *= np.diff(edges) / np.diff(edges).mean()
    shape = np.zeros(n) if bump is None else np.exp(-((np.arange(n) - bump) ** 2) / 2)
    observed = rng.poisson(background + 4.5 * np.sqrt(background.clip(1)) * shape)
    z = 5 * shape + np.convolve(rng.normal(0, 1, n), [0.3, 0.5, 0.3], "same")
    return pd.DataFrame(
        {
            "histogram": name,
            "bin": np.arange(n),
            "low": edges[:-1],
            "high": edges[1:],
            "observed": observed.astype(float),
            "background": background,
            "z": z,
            "z_low": z - 0.5,
            "z_high": z + 0.5,
            "width": 1.0,
            "z_profiled": 0.9 * z + rng.normal(0, 0.2, n),
        }
    )


def make_toys(rng, n, *, name="bump"):
    """Return the largest significance of toys."""
    return pd.DataFrame({"histogram": name, "z_max": 2.4 + rng.gumbel(0, 0.35, n)})


def make_summary(rng, n):
    """Return a ranking of spectra, the first of which no toy reaches."""
    p = np.sort(np.maximum(rng.integers(0, 1000, n), 1) / 1000)
    rows = pd.DataFrame([SUMMARY] * n).assign(
        histogram=[f"spectrum{k}" for k in range(n)],
        p_global=p,
        p_global_error=np.sqrt(p * (1 - p) / 1000),
        z_max=2 + norm.isf(p) / 2,
        z_global=norm.isf(np.minimum(p, 1 - 1e-9)),
        covered=np.arange(n) % 3 > 0,
        rank=np.arange(1, n + 1),
    )
    rows.loc[0, ["p_global", "p_global_error"]] = 1 / 1001, 1 / 1001
    return rows


def make_global_p(rng, n, *, power=1.0):
    """Return global p-values, uniform in the family of the training."""
    p = [rng.uniform(0, 1, n), rng.uniform(0, 1, n) ** power]
    parts = [
        pd.DataFrame({"group": group, "n_bins": 50, "z_max": 2.5, "p_global": one, "n_toys": 1000})
        for group, one in zip(("in_family", "held_out"), p, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def make_comparison(rng, n, methods, *, n_failed=2):
    """Return what several methods find in the same histograms."""
    signal = np.arange(n) % 2 == 0
    truth = np.where(signal, rng.normal(3.3, 0.9, n), rng.normal(2.3, 0.5, n))
    parts = []
    for k, method in enumerate(methods):
        z = truth + rng.normal(0, 0.15 * k, n)
        if method in ("dijet", "pybumphunter"):
            z[:n_failed] = np.nan
        parts.append(
            pd.DataFrame(
                {
                    "index": np.arange(n),
                    "signal": signal,
                    "method": method,
                    "z_max": z,
                    "bin": 10,
                    "bin_true": 10,
                    "z_true": truth,
                    "seconds": 1e-4 * 6.0**k,
                    "status": np.where(np.isnan(z), "failed: no minimum", "converged"),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def make_examples(rng, n=3):
    """Return spectra with a known bump."""
    parts = []
    for k in range(n):
        rows = make_bins(rng, np.arange(41 + 20 * k), bump=15 + 8 * k, slope=2.0 + 2 * k)
        shape = np.exp(-((rows["bin"] - 15 - 8 * k) ** 2) / 2)
        parts.append(
            pd.DataFrame(
                {
                    "example": k,
                    "title": f"family {k}, $z$ = {k + 3}",
                    "bin": rows["bin"],
                    "observed": rows["observed"],
                    "background": rows["background"],
                    "signal": 4.5 * np.sqrt(rows["background"]) * shape,
                    "z_known": rows["z"],
                    "z_profiled": rows["z_profiled"],
                    "z_predicted": rows["z"] + rng.normal(0, 0.2, len(rows)),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def make_history(rng, n, *, start=1.0):
    """Return the losses of a training."""
    seen = np.arange(1, n + 1) * 20_000
    loss = 0.2 + start * np.exp(-np.arange(n) / (n / 6)) + rng.normal(0, 0.004, n)
    return pd.DataFrame(
        {
            "histograms": seen,
            "train_loss": loss,
            "validation_loss": loss + 0.01,
            "seconds": np.arange(n) * 3.0,
            "learning_rate": 1e-3,
        }
    )


def make_learning(hunters, n=4):
    """Return a learning curve of each network."""
    sizes = 1e5 * 4.0 ** np.arange(n)
    parts = [
        pd.DataFrame(
            {
                "hunter": hunter,
                "histograms": sizes.astype(int),
                "spread": 0.42 + 0.2 / (1 + np.arange(n)) + 0.02 * k,
                "exact_bin": 0.65 - 0.15 / (1 + np.arange(n)) - 0.02 * k,
                "auc": 0.87 - 0.05 / (1 + np.arange(n)) - 0.005 * k,
                "seconds": sizes / 1000,
            }
        )
        for k, hunter in enumerate(hunters)
    ]
    return pd.concat(parts, ignore_index=True)
