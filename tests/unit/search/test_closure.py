"""Pseudo-experiments with a known truth: what they must find when it is put in by hand."""

import numpy as np
import pandas as pd
import pytest

from bumpflow.search.arms import ARMS
from bumpflow.search.closure import run_toys

BACKGROUND = np.array([0.08, 0.05, 0.03, 0.02])
SIGNAL = np.array([0.05, 0.1, 0.2, 0.3])
SETTINGS = {
    "crosssection_fb": 1000.0,
    "luminosity_fb": 10.0,
    "signal_fraction": 0.05,
    "systematic": 0.05,
    "mc_statistics": "staterror",
    "ensemble": {"max_variations": 4},
    "toys": {"n_toys": 2000},
}


def rows(sample, values, n):
    table = {"observable": "mass", "sample": sample, "n_generated": n, "bin": np.arange(4)}
    return pd.DataFrame(table | {"value": values, "variance": values / n})


def templates(n_mc):
    parts = [rows(name, SIGNAL, 10**6) for name in ("signal", "injected")]
    parts += [rows(name, BACKGROUND, n_mc) for name in ("mc", "data")]
    parts += [rows(name, BACKGROUND, 10**8) for name in ("surrogate", "reweighted")]
    return pd.concat(parts)


def trained_again(n, spread, seed):
    """Surrogates whose background is off by a random factor each, the same in all bins."""
    factors = 1 + spread * np.random.default_rng(seed).normal(size=n)
    names = ("surrogate", "reweighted")
    return [pd.concat([rows(name, one * BACKGROUND, 10**8) for name in names]) for one in factors]


def study(*, spread, n_mc=10**7, n=40, settings=SETTINGS):
    found = run_toys(
        templates(n_mc),
        bootstraps=trained_again(n, spread, 1),
        replicas=trained_again(n, spread, 2),
        observable="mass",
        settings=settings,
        seed=3,
    )
    return found.summary.set_index("arm"), found.pulls


def test_perfect_templates_cover():
    found, pulls = study(spread=1e-6)
    assert list(found.index) == [*ARMS, "mcpoisson"]
    assert (found["n_failed"] == 0).all()
    assert len(pulls) == 2000 * (len(ARMS) + 1)
    for arm in ("mc", "surrogate", "reweighted"):
        for name, truth in (("coverage68", 0.6827), ("coverage95", 0.95), ("pull_width", 1.0)):
            # toys of different replicas are independent here, so both errors are right
            assert found.loc[arm, name] == pytest.approx(truth, abs=4 * 0.016 + 0.01), (arm, name)
        assert abs(found.loc[arm, "pull_mean"]) < 4 / np.sqrt(2000) + 0.03
        assert abs(found.loc[arm, "bias_over_sigma"]) < 0.05


def test_training_uncertainty_spoils_coverage_and_its_nuisance_restores_it():
    found, _ = study(spread=0.05)
    without, with_it = found.loc["surrogate"], found.loc["surrogatenuisance"]
    assert without["coverage68"] < 0.6
    assert without["pull_width"] > 1.2
    assert without["bias_rms"] > 0.5
    for name, truth in (("coverage68", 0.6827), ("coverage95", 0.95), ("pull_width", 1.0)):
        assert with_it[name] == pytest.approx(truth, abs=4 * with_it[f"{name}_uncertainty"]), name
    # 40 replicas, not 2000 independent toys, decide how well the coverage is known
    assert without["coverage68_uncertainty"] > 2 * np.sqrt(0.25 / 2000)


def test_sparse_monte_carlo_widens_intervals_and_empty_bins_count_as_failures():
    few, _ = study(spread=1e-6, n_mc=300)
    many, _ = study(spread=1e-6)
    assert few.loc["mc", "n_failed"] > 0  # 6 events expected in the last bin
    assert few.loc["mc", "n_failed"] + few.loc["mc", "n_toys"] == 2000
    assert few.loc["mc", "bias_rms"] > 3 * many.loc["mc", "bias_rms"]
    assert few.loc["surrogate", "bias_rms"] < 0.1


def test_biased_replicas_show_as_bias_with_its_sign():
    found = run_toys(
        templates(10**7),
        bootstraps=trained_again(5, 0.01, 1),
        replicas=trained_again(5, 1e-6, 2),
        observable="mass",
        settings=SETTINGS,
        seed=1,
    ).summary.set_index("arm")
    shifted = [one.assign(value=one["value"] * 0.97) for one in trained_again(5, 1e-6, 2)]
    low = run_toys(
        templates(10**7),
        bootstraps=trained_again(5, 0.01, 1),
        replicas=shifted,
        observable="mass",
        settings=SETTINGS,
        seed=1,
    ).summary.set_index("arm")
    assert abs(found.loc["surrogate", "bias_over_sigma"]) < 0.05
    assert low.loc["surrogate", "bias_over_sigma"] > 0.3  # too little background
    assert low.loc["surrogate", "pull_mean"] > 0.2


def test_scarce_monte_carlo_biases_gaussian_statistics_and_not_poisson_ones():
    settings = SETTINGS | {"toys": {"n_toys": 6000}}
    found, _ = study(spread=1e-6, n_mc=2000, n=5, settings=settings)
    gauss, poisson = found.loc["mc"], found.loc["mcpoisson"]
    assert gauss["pull_mean"] > 0.1  # 40 events in the last bin
    assert abs(poisson["pull_mean"]) < 4 / np.sqrt(6000) + 0.01
    assert poisson["coverage68"] == pytest.approx(0.6827, abs=4 * np.sqrt(0.22 / 6000))
    swapped, _ = study(
        spread=1e-6, n_mc=2000, n=5, settings=settings | {"mc_statistics": "poisson"}
    )
    assert swapped.loc["mc", "pull_mean"] == pytest.approx(poisson["pull_mean"], abs=0.06)
    assert swapped.loc["mcstaterror", "pull_mean"] > 0.1
