"""Checks of posteriors and of scores, on events whose posteriors are truncated normal ones."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kstest, norm, truncnorm

from bumpflow.compatibility import checks
from bumpflow.compatibility.coverage import coverage_curve
from bumpflow.compatibility.grids import Axis, ParameterGrid
from bumpflow.compatibility.hunting import Pool
from bumpflow.compatibility.networks import build_pair_network
from bumpflow.compatibility.populations import Population
from bumpflow.compatibility.store import Hunters

GRID = ParameterGrid(Axis(-1.0, 0.6, 200), Axis(-1.3, 2.7, 100))
WIDTHS = {"mass": 0.06, "lifetime": 0.5, "published": 0.09}
N = 5000


def log_ratio(x, axis, width):
    """Return log ratios of a normal measurement."""
    logs = -((x[:, None] - axis.points) ** 2) / (2 * width**2)
    return logs - (logs + axis.weights.log()).logsumexp(1, keepdim=True)


def of_mass(x):
    return log_ratio(x[:, 0], GRID.mass, WIDTHS["mass"])


def of_both(x):
    lifetime = log_ratio(x[:, 1], GRID.lifetime, WIDTHS["lifetime"])
    return (of_mass(x)[:, :, None] + lifetime[:, None]).flatten(1)


POSTERIOR = SimpleNamespace(
    grid=GRID, device=torch.device("cpu"), log_ratio=of_mass, joint_log_ratio=of_both
)
# Its measurement is the same, but its width is overestimated.
PUBLISHED = SimpleNamespace(
    axis=Axis(-1.0, 0.6, 150),
    log_ratio=lambda x: log_ratio(x[:, 0], PUBLISHED.axis, WIDTHS["published"]),
)


@pytest.fixture(scope="module")
def population():
    rng = np.random.default_rng(1)
    theta = rng.uniform([-1.0, -1.3], [0.6, 2.7], (N, 2))
    x = theta + rng.normal(size=(N, 2)) * [WIDTHS["mass"], WIDTHS["lifetime"]]
    return Population(*(torch.from_numpy(part).float() for part in (x, theta)))


@pytest.fixture(scope="module")
def judged(population):
    return checks.judge_posteriors(POSTERIOR, PUBLISHED, population)


@pytest.mark.parametrize(("kind", "column"), [("mass", 0), ("lifetime", 1), ("published", 0)])
def test_truths_are_located_in_truncated_normal_posteriors(judged, population, kind, column):
    found = judged[judged["kind"] == kind]
    truth, x = (part[:, column].double().numpy() for part in (population.theta, population.x))
    low, high = ((-1.0, 0.6), (-1.3, 2.7))[column]
    width = WIDTHS[kind]
    exact = truncnorm((low - x) / width, (high - x) / width, loc=x, scale=width)
    np.testing.assert_allclose(found["truth"], truth)
    np.testing.assert_allclose(found["pit"], exact.cdf(truth), atol=2e-3)
    np.testing.assert_allclose(found["mean"], exact.mean(), atol=0.02 * width)
    np.testing.assert_allclose(found["std"], exact.std(), rtol=0.03)
    inside = np.minimum(x - low, high - x) > 3.5 * width
    off = (found["level"] - 2 * norm.cdf(np.abs(truth - x) / width) + 1)[inside]
    assert np.abs(off).max() < 0.06  # from the grid's steps, at the peak only
    assert np.abs(off).mean() < 2e-3


def test_right_posteriors_are_calibrated(judged):
    for kind in ("mass", "lifetime"):
        for name in ("level", "pit"):
            values = judged.loc[judged["kind"] == kind, name]
            assert kstest(values, "uniform").pvalue > 1e-3


def test_parameters_at_the_end_of_the_prior_are_rounded_into_it(population):
    theta = torch.full((2, 2), 0.6) + 1e-6
    edge = checks.judge_posteriors(POSTERIOR, PUBLISHED, Population(population.x[:2], theta))
    assert edge.loc[edge["kind"] == "mass", "pit"].tolist() == pytest.approx([1, 1])


def test_coverage_has_a_curve_for_each_kind(judged):
    table = checks.coverage_of(judged)
    assert table["kind"].drop_duplicates().tolist() == ["mass", "lifetime", "published"]
    for kind, part in table.groupby("kind"):
        levels = judged.loc[judged["kind"] == kind, "level"].to_numpy()
        expected = coverage_curve(levels)
        pd.testing.assert_frame_equal(part[expected.columns].reset_index(drop=True), expected)


def test_record_of_right_and_wide_posteriors(judged):
    record = checks.posterior_record(judged)
    assert list(record) == ["mass", "lifetime", "published"]
    for kind, row in record.items():
        levels = judged.loc[judged["kind"] == kind, "level"]
        assert row["n"] == N
        for percent in (68, 95):
            value, error = row[f"coverage{percent}"]
            assert value == (levels <= percent / 100).mean()
            too_wide = kind == "published"
            nominal = percent / 100
            if too_wide:  # up to the ends of the prior
                nominal = 2 * norm.cdf(1.5 * norm.ppf((1 + nominal) / 2)) - 1
            assert value == pytest.approx(nominal, abs=4 * error + 0.02 * too_wide)
        assert (row["p_levels"] < 1e-9) == (kind == "published")
        stds = judged.loc[judged["kind"] == kind, "std"]
        assert row["sigma"][0] == pytest.approx(stds.mean())
        assert row["median_sigma"][0] == pytest.approx(stds.median(), rel=1e-3)
        assert abs(row["bias"][0]) < 4 * row["bias"][1]


@pytest.fixture(scope="module")
def pairs():
    """Return scores of pairs, and the pool and hunters they come from."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(21, 10, generator=generator)
    torch.manual_seed(3)
    sizes = {"features": 10, "hidden_features": 8, "layers": 2, "symmetric": True}
    networks = [build_pair_network("features", **sizes).eval() for _ in range(2)]
    pool = Pool(x, of_mass(x / 5), torch.empty(21, 0), x[:, 3].double(), x[:, 4].double())
    hunters = Hunters(POSTERIOR, PUBLISHED, {"eco": ("features", networks)})
    return checks.pair_table(hunters, pool, 10), pool, networks


def test_pairs_are_neighbours(pairs):
    table, pool, networks = pairs
    assert table.columns.tolist() == ["eco_member0", "eco_member1", "eco", "epo", "bump"]
    together = pool.x[:20].view(10, 2, 10)
    members = [torch.sigmoid(network(together)).detach().numpy() for network in networks]
    for i, scores in enumerate(members):
        np.testing.assert_allclose(table[f"eco_member{i}"], scores, rtol=1e-5)
    np.testing.assert_allclose(table["eco"], np.mean(members, 0), rtol=1e-5)
    ratio = pool.log_ratio[:20].double().exp().numpy().reshape(10, 2, -1)
    factor = ratio.prod(1) @ GRID.mass.weights.double().numpy()
    np.testing.assert_allclose(table["epo"], factor / (1 + factor), rtol=1e-4)
    masses = pool.log10_mass[:20].numpy().reshape(10, 2)
    np.testing.assert_allclose(table["bump"], -np.abs(masses[:, 0] - masses[:, 1]))


SCORES = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.25, 0.35, 0.45, 0.5])


@pytest.fixture
def tables():
    background, signal = (
        pd.DataFrame({"eco": s, "eco_member0": s, "eco_member1": 1 - s}) for s in SCORES
    )
    return background, {"m1": signal}


def test_rejections_of_a_handful_of_pairs(tables):
    table = checks.rejection_table(*tables, threshold=0.3)
    assert table["member"].tolist() == [-1, 0, 1]
    assert set(table["hunt"]) == {"eco"}
    assert set(table["benchmark"]) == {"m1"}
    row = table.iloc[0]
    assert row["auc"] == pytest.approx(13 / 16)
    assert row["rejection80"] == row["rejection90"] == pytest.approx(2)
    assert (row["mistakes"], row["efficiency"]) == (0.25, 0.75)
    assert row["mistakes_error"] == pytest.approx(np.sqrt(0.25 * 0.75 / 4))
    assert table["auc"].tolist() == pytest.approx([13 / 16, 13 / 16, 3 / 16])


def test_curves_of_a_handful_of_pairs(tables):
    table = checks.curve_table(*tables, ["eco"])
    assert table["efficiency"].iloc[[0, -1]].tolist() == pytest.approx([0.02, 1])
    assert table["background"].is_monotonic_increasing
    at = np.interp([0.3, 0.6, 0.95], table["efficiency"], table["background"])
    assert at.tolist() == pytest.approx([0, 0.25, 0.5], abs=0.01)
    assert set(table["hunt"]) == {"eco"}


def test_curves_agree_with_areas():
    rng = np.random.default_rng(4)
    background, signal = (pd.DataFrame({"eco": rng.normal(m, 1, 4000)}) for m in (0, 1))
    table = checks.curve_table(background, {"m1": signal}, ["eco"])
    for _, row in table.iterrows():
        exact = norm.sf(norm.isf(row["efficiency"]) + 1) if row["efficiency"] < 1 else 1
        assert row["background"] == pytest.approx(exact, abs=0.03)
