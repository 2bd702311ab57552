"""From templates to likelihoods: yields, arms, and the scan."""

import numpy as np
import pandas as pd
import pytest

from bumpflow.search.arms import (
    ARMS,
    Yields,
    asimov_counts,
    build_model,
    build_workspaces,
    collect,
    count_samples,
    pick,
)
from bumpflow.search.scan import scan
from bumpflow.stats.fit import CONVERGED
from bumpflow.stats.workspace import read_workspace

SETTINGS = {
    "crosssection_fb": 1000.0,
    "luminosity_fb": 10.0,
    "signal_fraction": 0.05,
    "systematic": 0.1,
    "systematics": [0.05, 0.1],
    "normalisation": "crosssection",
    "mc_statistics": "staterror",
    "confidence": 0.95,
    "scans": {"luminosity_fb": {"low": 10, "high": 100, "n_points": 3}},
    "ensemble": {"max_variations": 3},
}
BACKGROUND = np.array([0.1, 0.06, 0.03])
SIGNAL = np.array([0.1, 0.2, 0.3])
N = {"mc": 10_000, "data": 4000, "signal": 3000, "injected": 3000, "surrogate": 100_000}
N["reweighted"] = N["surrogate"]
YIELDS = Yields(1000.0, 0.05)
OPTIONS = {"normalisation": "crosssection", "max_variations": 3}


def rows(sample, values, n):
    return pd.DataFrame(
        {
            "observable": "mass",
            "sample": sample,
            "n_generated": n,
            "bin": np.arange(3),
            "low": [0.0, 1, 2],
            "high": [1.0, 2, 3],
            "value": values,
            "variance": values / n,
        }
    )


def tables(factor=1.0):
    """Templates in which generated background is off by ``factor`` in the last bin."""
    off = BACKGROUND * [1, 1, factor]
    values = dict.fromkeys(("signal", "injected"), SIGNAL)
    values |= dict.fromkeys(("mc", "data"), BACKGROUND)
    values |= dict.fromkeys(("surrogate", "reweighted"), off)
    parts = [rows(name, values[name], n) for name, n in N.items()]
    parts += [rows(name, off, 1000) for name in ("surrogate", "reweighted")]
    return pd.concat(parts)


def members():
    rng = np.random.default_rng(0)
    shapes = [BACKGROUND * (1 + 0.05 * rng.normal(size=3)) for _ in range(4)]
    names = ("surrogate", "reweighted")
    return [pd.concat([rows(name, one, 10**6) for name in names]) for one in shapes]


def test_luminosity_and_cross_section_make_events():
    parts = collect(tables(), members(), "mc", "mass", **OPTIONS)
    model = build_model(
        parts, YIELDS, luminosity_fb=np.array([1.0, 10.0]), systematic=np.array([0.1, 0.1])
    )
    assert np.allclose(model.background, np.outer([1000, 10_000], BACKGROUND))
    assert np.allclose(model.signal, np.outer([50, 500], SIGNAL))
    total = model.background[1] + model.signal[1]
    variance = model.background[1] ** 2 / (1e4 * BACKGROUND) + model.signal[1] ** 2 / (
        3e3 * SIGNAL
    )
    assert np.allclose(model.stat, np.sqrt(variance) / total)
    counts, variances = asimov_counts(parts, YIELDS, luminosity_fb=np.array([10.0]), mu=2.0)
    assert np.allclose(counts, 10_000 * BACKGROUND + 2 * 500 * SIGNAL)
    assert np.allclose(variances, (1e4) ** 2 * BACKGROUND / 4000 + (2 * 500) ** 2 * SIGNAL / 3000)


def test_data_never_come_from_the_template():
    table = tables()
    moved = table.assign(value=table["value"].where(table["sample"] != "data", 0.5))
    parts = [collect(one, members(), "mc", "mass", **OPTIONS) for one in (table, moved)]
    assert np.array_equal(parts[0].background.values, parts[1].background.values)
    assert not np.array_equal(parts[0].data.values, parts[1].data.values)


@pytest.mark.parametrize("arm", ARMS)
def test_only_arms_with_a_nuisance_have_variations(arm):
    parts = collect(tables(), members(), arm, "mass", **OPTIONS)
    assert (len(parts.variations) > 0) == arm.endswith("nuisance")


def test_normalisation_to_the_selected_events_keeps_the_shape():
    options = OPTIONS | {"normalisation": "selected"}
    parts = collect(tables(2.0), members(), "surrogatenuisance", "mass", **options)
    plain = collect(tables(2.0), members(), "surrogatenuisance", "mass", **OPTIONS)
    assert parts.background.values.sum() == pytest.approx(BACKGROUND.sum())
    factor = BACKGROUND.sum() / plain.background.values.sum()
    assert np.allclose(parts.background.values, factor * plain.background.values)
    assert np.allclose(parts.variations, factor * plain.variations)


def test_largest_sample_is_the_default_and_a_missing_one_is_named():
    assert pick(tables(), "surrogate", "mass").n_effective == pytest.approx(100_000)
    assert pick(tables(), "surrogate", "mass", n_generated=1000).n_effective == pytest.approx(1000)
    with pytest.raises(ValueError, match="'mjj'"):
        pick(tables(), "surrogate", "mjj")


def test_empty_bin_is_refused_with_its_number():
    table = tables()
    empty = (table["sample"] == "mc") & (table["bin"] == 1)
    table.loc[empty, "value"] = 0.0
    with pytest.raises(ValueError, match=r"background \(mc, mass\) template: bins \[1\]"):
        collect(table, members(), "mc", "mass", **OPTIONS)


@pytest.mark.parametrize("statistics", ["staterror", "poisson"])
def test_workspace_is_the_same_likelihood(statistics):
    parts = collect(tables(), members(), "surrogatenuisance", "mass", **OPTIONS)
    settings = SETTINGS | {"mc_statistics": statistics}
    model, data = read_workspace(build_workspaces(parts, settings, mu=1.0))
    direct = build_model(
        parts,
        YIELDS,
        luminosity_fb=np.array([10.0]),
        systematic=np.array([0.1]),
        mc_statistics=statistics,
    )
    assert model.poisson[0] == (statistics == "poisson")
    for name in ("signal", "background", "shape", "stat", "variations", "poisson"):
        assert np.allclose(getattr(model, name), getattr(direct, name)), name
    assert np.allclose(data.counts, 10_000 * BACKGROUND + 500 * SIGNAL)


def test_scan_has_every_arm_and_finds_the_bias_of_the_surrogate():
    table, seconds = scan(tables(1.1), members(), "mass", settings=SETTINGS)
    assert (table["status"] == CONVERGED).all()
    assert len(table) == len(ARMS) * (3 * 2 + 2 * 2)
    assert set(seconds) == {"luminosity_scan", "limit"}
    at = table[(table["scan"] == "luminosity") & (table["systematic"] == 0.05)]
    first = at[np.isclose(at["luminosity_fb"], 10)].set_index("arm")
    assert first.loc["mc", "spurious"] == pytest.approx(0, abs=1e-4)
    assert first.loc["mc", "mu_hat"] == pytest.approx(1, abs=1e-3)
    assert first.loc["surrogate", "spurious"] < -0.05  # too much background, too little signal
    assert first.loc["surrogate", "limit_observed"] < first.loc["surrogate", "limit_0"]
    sizes = table[table["scan"] == "generated"]
    assert sorted(sizes["n_generated"].unique()) == [1000, 100_000]
    few = sizes[sizes["arm"] == "surrogate"].set_index(["n_generated", "systematic"])
    name = "mu_uncertainty"
    assert few.loc[(1000, 0.1), name] > few.loc[(100_000, 0.1), name]


def test_a_template_that_is_refused_leaves_its_reason_in_the_scan():
    table = tables()
    table.loc[(table["n_generated"] == 1000) & (table["bin"] == 2), "value"] = 0.0
    found, _ = scan(table, members(), "mass", settings=SETTINGS)
    bad = found[found["status"] != CONVERGED]
    assert set(bad["n_generated"]) == {1000}
    assert set(bad["arm"]) == set(ARMS) - {"mc"}
    assert bad["status"].str.contains(r"bins \[2\]").all()
    assert bad[["mu_hat", "limit_observed"]].isna().all(axis=None)


def test_only_the_reweighted_sample_counts_with_weights():
    x = pd.DataFrame({"m": [0.5, 1.5], "score": 0.9, "weight": [1.0, 3.0]})
    block = {"mass": {"column": "m", "edges": [0, 1, 2]}}
    found = count_samples(
        {"surrogate": [x], "reweighted": [x]}, observables=block, cut=0.5, sizes=[1]
    )
    assert pick(found.templates, "surrogate", "mass").values.tolist() == [0.5, 0.5]
    assert pick(found.templates, "reweighted", "mass").values.tolist() == [0.25, 0.75]
    assert found.efficiencies["reweighted"]["value"] == 1
    assert set(found.templates["n_generated"]) == {1, 2}
