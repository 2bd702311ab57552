import json
import math
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.stats import norm, poisson

from bumpflow import io
from bumpflow.compatibility import observed as own
from bumpflow.compatibility.cleaning import clean
from bumpflow.compatibility.grids import Axis, ParameterGrid
from bumpflow.compatibility.pairs import pair_scores
from bumpflow.compatibility.significance import Tally
from bumpflow.compatibility.toys import plan_cells
from tests import compatible_events as made

AXIS = Axis(math.log10(0.1), math.log10(4.5), 200)
MASSES = torch.tensor([0.02, -0.03, 0.01, -0.6], dtype=torch.float64)


def observe(x):
    logs = made.log_ratio(torch.as_tensor(x, dtype=torch.float64))
    scores = pair_scores(logs[None], AXIS.weights)[0]
    return own.Observed(logs, scores, 10 ** np.asarray(x))


def counting(mu_b, *, n_min=100):
    """Toys of a hunt that counts events."""
    cells = plan_cells([mu_b], n_min=n_min, neglect=1e-9)
    return Tally.of(cells.n_background[cells.cell], cells)


def analyse(x, *, mu_b=2.0, threshold=0.68, **hunts):
    return own.analyse_events(
        observe(x), weights=AXIS.weights, axis=AXIS, threshold=threshold, mu_b=mu_b, hunts=hunts
    )


def test_compatible_events_are_found_and_measured():
    found = analyse(MASSES)
    assert found.summary["retained"] == [0, 1, 2]
    assert found.summary["n_compatible"] == 3
    assert found.events["retained"].tolist() == [True, True, True, False]
    scores = observe(MASSES).scores
    means = [float(np.mean([scores[i, j] for j in range(4) if j != i])) for i in range(4)]
    assert found.events["mean_compatibility"].tolist() == pytest.approx(means)
    assert (found.events["signal_probability"] > 0.9).tolist() == [True, True, True, False]
    assert found.summary["n_signal"] == pytest.approx(found.events["signal_probability"].sum())
    assert found.events["log10_mass_mean"].tolist() == pytest.approx(MASSES.tolist(), abs=1e-4)
    assert found.events["log10_mass_std"].tolist() == pytest.approx([made.WIDTH] * 4, rel=1e-3)
    cleaned = found.summary["mass"]["cleaned"]
    sigma = made.WIDTH / math.sqrt(3)
    assert cleaned["log10_mass"] == pytest.approx(0, abs=1e-4)
    assert cleaned["log10_mass_std"] == pytest.approx(sigma, rel=1e-3)
    assert cleaned["mass_gev"] == pytest.approx(1, abs=1e-3)
    for level in (68, 95):
        reach = norm.ppf(0.5 + level / 200) * sigma
        ends = cleaned[f"low{level}_gev"], cleaned[f"high{level}_gev"]
        assert ends == pytest.approx((10**-reach, 10**reach), rel=5e-3)
        assert cleaned[f"pieces{level}"] == 1
    # Three agreeing events: whether the fourth is signal hardly matters.
    assert found.summary["mass"]["marginal"]["mass_gev"] == pytest.approx(1, abs=0.01)


def test_retained_events_are_those_that_cleaning_leaves():
    generator = torch.Generator().manual_seed(2)
    for threshold in (0.3, 0.68, 0.9):
        x = made.draw_background(7, generator)
        found = analyse(x, threshold=threshold)
        expected = clean(observe(x).scores[None], thresholds=[threshold])
        assert found.events["retained"].tolist() == expected.survivors[0, 0].tolist()
        assert found.summary["n_compatible"] == int(expected.statistic)


def test_scores_of_events_with_themselves_do_not_count():
    seen = observe(MASSES)
    scores = seen.scores.double().fill_diagonal_(math.nan)
    options = {"weights": AXIS.weights, "axis": AXIS, "threshold": 0.68, "mu_b": 2.0, "hunts": {}}
    found = own.analyse_events(seen._replace(scores=scores), **options)
    assert found.events.equals(own.analyse_events(seen, **options).events)
    assert scores.diagonal().isnan().all()


def test_pairs_and_densities_are_listed():
    found = analyse(MASSES)
    assert list(zip(found.pairs["first"], found.pairs["second"], strict=True)) == list(
        combinations(range(4), 2)
    )
    scores = observe(MASSES).scores
    assert found.pairs["score"].tolist() == [
        float(scores[i, j]) for i, j in combinations(range(4), 2)
    ]
    table = found.posterior
    names = ["prior", *(f"event_{i}" for i in range(4)), "combined", "marginal"]
    assert [*table.columns] == ["log10_mass", *names]
    for name in names:
        assert np.trapezoid(table[name], table["log10_mass"]) == pytest.approx(1, abs=1e-2)
    expected = norm.pdf(table["log10_mass"], -0.6, made.WIDTH)
    np.testing.assert_allclose(table["event_3"], expected, atol=0.01 * expected.max())
    assert table["log10_mass"][table["combined"].argmax()] == pytest.approx(0, abs=AXIS.step)


def test_p_values_of_counting_are_poisson_tails():
    found = analyse(MASSES, mu_b=1.5, number=own.Hunt(4, counting(1.5)))
    hunt = found.summary["hunts"]["number"]
    p = poisson.sf(3, 1.5)
    assert hunt["p"] == pytest.approx(p, rel=1e-6)
    assert hunt["z_one_sided"] == pytest.approx(norm.isf(p))
    assert hunt["z_two_sided"] == pytest.approx(norm.isf(p / 2))
    assert not hunt["is_bound"]
    assert own.judge_hunt(own.Hunt(99, counting(1.5)), mu_b=1.5, n_events=99)["is_bound"]


def test_unknown_background_compares_with_as_many_events():
    cells = plan_cells([3.0], n_min=200)
    rng = np.random.default_rng(1)
    values = cells.n_background[cells.cell] + rng.integers(0, 3, cells.n_toys.sum())
    tally = Tally.of(values, cells)
    hunt = own.judge_hunt(own.Hunt(5, tally), mu_b=None, n_events=4)
    here = values[cells.n_background[cells.cell] == 4]
    share = np.mean(here >= 5)
    assert hunt["p"] == pytest.approx(share)
    error = math.sqrt(share * (1 - share) / (len(here) - 1))
    assert hunt["p_error"] == pytest.approx(error)
    bound = own.judge_hunt(own.Hunt(7, tally), mu_b=None, n_events=4)
    assert (bound["p"], bound["is_bound"]) == (1 / 200, True)
    largest = own.judge_hunt(own.Hunt(6, tally), mu_b=None, n_events=4)
    assert largest["p"] == pytest.approx(np.mean(here == 6))
    assert not largest["is_bound"]
    many = cells.n_background.max() + 5
    with pytest.raises(ValueError, match=f"{many} events are observed, but toys of background"):
        own.judge_hunt(own.Hunt(7, tally), mu_b=None, n_events=many)


def test_unknown_background_takes_no_evidence_from_the_number():
    known, unknown = (analyse(MASSES, mu_b=mu_b).summary for mu_b in (0.01, None))
    assert known["n_signal"] > unknown["n_signal"]
    assert unknown["mu_b"] is None


@pytest.mark.parametrize("mu_b", [0.5, None])
def test_a_single_event_is_compatible_with_itself(mu_b):
    found = analyse([0.1], mu_b=mu_b, number=own.Hunt(1, counting(0.5)))
    assert found.summary["n_compatible"] == 1
    assert found.summary["retained"] == [0]
    assert found.events["mean_compatibility"].isna().all()
    assert len(found.pairs) == 0
    expected = 1 if mu_b is None else -math.expm1(-0.5)
    assert found.summary["hunts"]["number"]["p"] == pytest.approx(expected, rel=1e-6)
    assert found.summary["mass"]["cleaned"]["log10_mass"] == pytest.approx(0.1, abs=1e-3)


def test_events_that_do_not_agree_leave_no_cleaned_mass():
    found = analyse([-0.8, -0.2, 0.5])
    assert found.summary["retained"] == []
    assert found.summary["n_compatible"] == 1
    assert found.summary["mass"]["cleaned"] is None
    np.testing.assert_allclose(found.posterior["combined"], found.posterior["prior"], rtol=1e-6)


def test_results_can_be_written(tmp_path):
    for x in (MASSES, [0.1]):
        found = analyse(x, number=own.Hunt(len(x), counting(2.0)))
        io.write_json(tmp_path / "summary.json", found.summary)
        assert json.loads((tmp_path / "summary.json").read_text())["n_events"] == len(x)
        for name in ("events", "pairs", "posterior"):
            io.write_table(tmp_path / f"{name}.parquet", getattr(found, name))
            back = io.read_table(tmp_path / f"{name}.parquet")
            assert [*back.columns] == [*getattr(found, name).columns]
            assert len(back) == len(getattr(found, name))


def test_joint_grids_are_combined_before_the_lifetime_is_averaged():
    # Of one mass but different lifetimes: together they are impossible at that mass.
    grid = ParameterGrid(Axis(-1.0, 0.5, 31), Axis(0.0, 2.0, 9))
    logs = torch.full((2, 31, 9), -30.0)
    logs[0, 10, 0] = logs[1, 10, 8] = 3.0
    logs[:, 20, 4] = 2.0
    logs = logs.flatten(1)
    weights = grid.joint_weights
    seen = own.Observed(logs, torch.ones(2, 2), np.ones(2))
    found = own.analyse_events(
        seen, weights=weights, axis=grid.mass, threshold=0.68, mu_b=1.0, hunts={}
    )
    at = found.posterior["log10_mass"]
    assert at[found.posterior["event_0"].argmax()] == pytest.approx(float(grid.mass.points[10]))
    assert at[found.posterior["combined"].argmax()] == pytest.approx(float(grid.mass.points[20]))


def test_inputs_that_do_not_fit():
    seen = observe(MASSES)
    options = {"weights": AXIS.weights, "axis": AXIS, "threshold": 0.68, "mu_b": 1.0, "hunts": {}}
    empty = own.Observed(seen.log_ratio[:0], seen.scores[:0, :0], np.zeros(0))
    with pytest.raises(ValueError, match="no observed events"):
        own.analyse_events(empty, **options)
    with pytest.raises(ValueError, match=r"scores of shape \(3, 4\)"):
        own.analyse_events(seen._replace(scores=seen.scores[:3]), **options)
