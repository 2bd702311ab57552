import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from bumpflow.compatibility import inference
from bumpflow.compatibility.grids import Axis, ParameterGrid
from bumpflow.compatibility.likelihood_ratio import known_background, log_parameter_ratio
from bumpflow.compatibility.toys import draw_toys
from tests import compatible_events as made

AXIS = Axis(math.log10(0.1), math.log10(4.5), 200)
WIDE = Axis(-1.0, 1.0, 41)


def normal(mean, std, axis=AXIS):
    """Log ratios of normal posteriors, whose normalisation is anybody's."""
    mean, std = (torch.as_tensor(value, dtype=torch.float64) for value in (mean, std))
    return -((axis.points - mean[..., None]) ** 2) / (2 * std[..., None] ** 2)


def jagged(n, axis=WIDE, seed=1):
    """Log ratios with many peaks."""
    return torch.as_tensor(np.random.default_rng(seed).normal(0, 2, (n, axis.n_points)))


def densely(log_ratio, axis, n=100_000):
    """Return a fine grid, the densities on it and the step, one row per posterior."""
    x = np.linspace(axis.low, axis.high, n + 1)
    x = (x[1:] + x[:-1]) / 2
    logs = np.array([np.interp(x, axis.points.double().numpy(), row) for row in log_ratio])
    density = np.exp(logs - logs.max(1, keepdims=True))
    return x, density / density.sum(1, keepdims=True)


def test_combined_posterior_is_the_product_of_likelihoods():
    generator = torch.Generator().manual_seed(1)
    x = made.draw_signal(60, generator).view(10, 6)
    mask = torch.arange(6) < (1 + torch.arange(10) % 6)[:, None]
    found = inference.combine(made.log_ratio(x), made.WEIGHTS, mask=mask)
    torch.testing.assert_close(found.exp() @ made.WEIGHTS, torch.ones(10, dtype=torch.float64))
    n = mask.sum(1)
    mean, std = inference.moments(found, AXIS)
    torch.testing.assert_close(mean, (x * mask).sum(1) / n, rtol=0, atol=1e-4)
    torch.testing.assert_close(std, made.WIDTH / n.sqrt().double(), rtol=1e-3, atol=0)


def test_without_events_the_prior_is_left():
    found = inference.combine(torch.zeros(2, 0, 200), made.WEIGHTS)
    torch.testing.assert_close(found, torch.zeros_like(found), rtol=0, atol=1e-12)
    logs = made.log_ratio(torch.zeros(1, 2, dtype=torch.float64))
    found = inference.combine(logs, made.WEIGHTS, mask=torch.zeros(1, 2, dtype=torch.bool))
    torch.testing.assert_close(found, torch.zeros_like(found), rtol=0, atol=1e-12)


def test_disjoint_and_impossible_events_have_a_posterior():
    logs = torch.full((3, 2, 200), -torch.inf)
    logs[0, 0, :100] = 0.3
    logs[0, 1, 100:] = 0.7
    logs[1, 0] = made.log_ratio(torch.zeros((), dtype=torch.float64))
    found = inference.combine(logs, made.WEIGHTS)
    assert torch.isfinite(found).all()
    torch.testing.assert_close(found.exp() @ made.WEIGHTS, torch.ones(3, dtype=torch.float64))
    assert found[0, 150] - found[0, 50] == pytest.approx(0.4, abs=1e-5)
    mean, _ = inference.moments(found, AXIS)
    assert mean[1:].tolist() == pytest.approx([0.0, (AXIS.low + AXIS.high) / 2], abs=1e-3)
    for part in inference.summarise(found, AXIS):
        assert torch.isfinite(part.double()).all()
    impossible = inference.moments(logs[2], AXIS)
    assert impossible[0].tolist() == pytest.approx([(AXIS.low + AXIS.high) / 2] * 2)
    logs[1, 1, 3] = torch.nan
    with pytest.raises(ValueError, match="event 1 of toy 1 reach nan"):
        inference.combine(logs, made.WEIGHTS)


def test_other_parameters_are_integrated_out():
    grid = ParameterGrid(Axis(-1.0, 1.0, 9), Axis(0.0, 3.0, 5))
    joint = torch.randn(4, 45, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    found = inference.marginalise(joint, grid.joint_weights, grid.mass)
    lifetimes = grid.lifetime.weights.double().numpy()
    expected = np.log((np.exp(joint.numpy().reshape(4, 9, 5)) * lifetimes).sum(2))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    alone = inference.marginalise(joint[:, :9], grid.mass.weights, grid.mass)
    torch.testing.assert_close(alone, joint[:, :9])


@pytest.mark.parametrize(("mean", "std"), [(-0.2, 0.05), (0.1, 0.012), (-0.15, 0.18)])
def test_summary_of_a_normal_posterior(mean, std):
    found = inference.tabulate(inference.summarise(normal([mean], [std]), AXIS)).iloc[0]
    loose = {"abs": AXIS.step**2 / std + 1e-3 * std}  # chords widen a parabola's exponential
    assert found["mean"] == pytest.approx(mean, **loose)
    assert found["std"] == pytest.approx(std, **loose)
    assert found["mode"] == pytest.approx(mean, abs=AXIS.step / 2)
    for level in (68, 95):
        reach = norm.ppf(0.5 + level / 200) * std
        for kind in ("central", "hpd"):
            ends = [found[f"{kind}{level}_{end}"] for end in ("low", "high")]
            assert ends == pytest.approx([mean - reach, mean + reach], **loose)
        assert found[f"hpd{level}_pieces"] == 1


def test_posterior_at_the_edge_of_the_prior_has_one_sided_regions():
    slope = 40.0
    found = inference.summarise((slope * (AXIS.points - AXIS.high)).double()[None], AXIS)
    for index, level in enumerate(inference.LEVELS):
        assert float(found.hpd_high[0, index]) == pytest.approx(AXIS.high)
        expected = AXIS.high + math.log(1 - level) / slope
        assert float(found.hpd_low[0, index]) == pytest.approx(expected, abs=1e-6)
        ends = [AXIS.high + math.log(p) / slope for p in ((1 - level) / 2, (1 + level) / 2)]
        central = found.central_low[0, index], found.central_high[0, index]
        assert [float(end) for end in central] == pytest.approx(ends, abs=1e-6)


def test_intervals_of_any_posterior_hold_their_probability():
    logs = jagged(20)
    found = inference.summarise(logs, WIDE)
    x, share = densely(logs, WIDE)
    for index, level in enumerate(inference.LEVELS):
        tails = [(1 - level) / 2, (1 + level) / 2]
        for row in range(len(logs)):
            cdf = np.cumsum(share[row])
            ends = float(found.central_low[row, index]), float(found.central_high[row, index])
            assert np.interp(ends, x, cdf) == pytest.approx(tails, abs=5e-4)
            ranked = np.sort(share[row])[::-1]
            threshold = ranked[np.searchsorted(np.cumsum(ranked), level)]
            inside = share[row] > threshold
            starts = np.count_nonzero(inside[1:] & ~inside[:-1]) + inside[0]
            assert int(found.n_pieces[row, index]) == starts
            ends = float(found.hpd_low[row, index]), float(found.hpd_high[row, index])
            assert ends == pytest.approx((x[inside][0], x[inside][-1]), abs=1e-4)


def test_truths_are_located_between_points_of_the_grid():
    logs = jagged(60)
    truth = torch.as_tensor(np.random.default_rng(2).uniform(WIDE.low, WIDE.high, 60))
    found = inference.locate(logs, WIDE, truth)
    x, share = densely(logs, WIDE)
    for row, at in enumerate(truth.tolist()):
        assert float(found.pit[row]) == pytest.approx(share[row][x < at].sum(), abs=1e-3)
        dense = share[row] > np.interp(at, x, share[row])
        assert float(found.level[row]) == pytest.approx(share[row][dense].sum(), abs=1e-3)


def test_levels_agree_with_intervals():
    logs = jagged(400, seed=3)
    truth = torch.as_tensor(np.random.default_rng(4).uniform(WIDE.low, WIDE.high, 400))
    level, pit = inference.locate(logs, WIDE, truth)
    found = inference.summarise(logs, WIDE)
    for index, probability in enumerate(inference.LEVELS):
        held = (truth >= found.central_low[:, index]) & (truth <= found.central_high[:, index])
        assert torch.equal(held, (pit - 0.5).abs() <= probability / 2)
        single = found.n_pieces[:, index] == 1
        held = (truth >= found.hpd_low[:, index]) & (truth <= found.hpd_high[:, index])
        assert torch.equal(held[single], (level <= probability)[single])
        assert torch.all(held[level <= probability])


@pytest.mark.parametrize("steps", [1.0, 2.0, 6.0])
def test_narrow_posteriors_are_covered_wherever_the_grid_lies(steps):
    rng = np.random.default_rng(5)
    truth, std = rng.uniform(-0.5, 0.3, 20_000), steps * AXIS.step
    logs = normal(truth + std * rng.normal(size=len(truth)), np.full(len(truth), std))
    level, pit = (part.numpy() for part in inference.locate(logs, AXIS, torch.as_tensor(truth)))
    # The chord below a parabola costs a posterior as narrow as one step 2 %, others nothing.
    bias = 0.02 / steps**2
    for probability in (0.3, 0.68, 0.95):
        error = 4 * math.sqrt(probability * (1 - probability) / len(truth))
        assert np.mean(level <= probability) == pytest.approx(probability, abs=error + bias)
        assert np.mean(pit <= probability) == pytest.approx(probability, abs=error + bias)
    if steps > 2:
        assert min(kstest(part, "uniform").pvalue for part in (level, pit)) > 1e-3


def test_truths_outside_the_prior_are_refused():
    with pytest.raises(ValueError, match=r"true parameter 1 is 0\.9, but the prior reaches from"):
        inference.locate(normal([0.0, 0.0], [0.1, 0.1]), AXIS, torch.tensor([0.0, 0.9]))


def test_chunks_do_not_matter(monkeypatch):
    logs, truth = jagged(23), torch.linspace(-0.9, 0.9, 23)
    whole = *inference.summarise(logs, WIDE), *inference.locate(logs, WIDE, truth)
    monkeypatch.setattr(inference, "CHUNK", 5)
    parts = *inference.summarise(logs, WIDE), *inference.locate(logs, WIDE, truth)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-14)


@pytest.fixture(scope="module")
def pools():
    generator = torch.Generator().manual_seed(7)
    return [made.log_ratio(draw(5000, generator)) for draw in (made.draw_background, signal_at)]


def signal_at(n, generator):
    return made.draw_signal(n, generator, at=0.0)


def test_toys_are_inferred_from_the_events_that_each_way_uses(pools):
    background, signal = pools
    generator = torch.Generator().manual_seed(8)
    n_background, n_signal = [2, 0, 3, 1], [3, 2, 0, 0]
    toys = draw_toys(
        n_background, n_signal, background_pool=5000, signal_pool=5000, generator=generator
    )
    survivors = toys.mask & (toys.rows % 2 == 0)
    survivors[3] = False
    strength = known_background(2.0)
    found = inference.infer_toys(
        toys, survivors, background, signal,
        weights=AXIS.weights, axis=AXIS, truth=0.05, strength=strength,
    )  # fmt: skip
    pool = torch.cat([background, signal])
    for toy in range(4):
        events = pool[toys.rows[toy]]
        rows = found[found["toy"] == toy].set_index("way")
        chosen = {
            "cleaned": survivors[toy],
            "signal": toys.signal[toy],
            "marginal": toys.mask[toy],
        }
        assert set(rows.index) == {way for way, some in chosen.items() if some.any()}
        for way, row in rows.iterrows():
            some = events[chosen[way]][None]
            assert row["n_events"] == some.shape[1]
            logs = (
                log_parameter_ratio(some, AXIS.weights, strength)
                if way == "marginal"
                else inference.combine(some, AXIS.weights)
            )
            mean, std = inference.moments(logs, AXIS)
            level, pit = inference.locate(logs, AXIS, torch.tensor([0.05]))
            expected = [float(part) for part in (mean, std, level, pit)]
            assert row[["mean", "std", "level", "pit"]].tolist() == pytest.approx(
                expected, abs=1e-6
            )
