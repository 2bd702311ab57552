import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm

from bumpflow.compatibility.coverage import KINDS
from bumpflow.compatibility.experiments import infer_mixtures, scale_signals
from bumpflow.compatibility.grids import Axis
from tests import compatible_events as made

AXIS = Axis(math.log10(0.1), math.log10(4.5), 200)
N_TOYS, N_POOL = 400, 3000
MIXTURES = [(0, 3), (2, 3), (1, 4)]
VALUES = ["mean", "std", "level", "pit"]


@pytest.fixture(scope="module")
def pools():
    generator = torch.Generator().manual_seed(1)
    background = made.draw_background(N_POOL, generator)
    return made.log_ratio(background), made.log_ratio(made.draw_signal(N_POOL, generator))


def scale(pools, seed=2):
    return scale_signals(
        pools[1],
        [1, 2, 4],
        axis=AXIS,
        truth=0.0,
        n_toys=N_TOYS,
        generator=torch.Generator().manual_seed(seed),
    )


def infer(pools, mixtures=MIXTURES, seed=3):
    return infer_mixtures(
        *pools,
        mixtures,
        axis=AXIS,
        truth=0.0,
        threshold=0.68,
        n_toys=N_TOYS,
        generator=torch.Generator().manual_seed(seed),
    )


@pytest.fixture(scope="module")
def inferred(pools):
    return infer(pools)


def test_posteriors_sharpen_with_the_number_of_signals(pools):
    table = scale(pools)
    assert table.columns.tolist() == [*VALUES, "n_events"]
    assert table["n_events"].tolist() == np.repeat([1, 2, 4], N_TOYS).tolist()
    for n, part in table.groupby("n_events"):
        width = made.WIDTH / math.sqrt(n)
        assert part["std"].to_numpy() == pytest.approx(width, rel=2e-3)
        assert part["mean"].mean() == pytest.approx(0, abs=4 * width / math.sqrt(N_TOYS))
        assert part["mean"].std() == pytest.approx(width, rel=4 / math.sqrt(2 * N_TOYS))
        pit = norm.cdf(-part["mean"] / width)
        np.testing.assert_allclose(part["pit"], pit, atol=5e-3)
        assert kstest(part["level"], "uniform").pvalue > 1e-3
    assert scale(pools).equals(table)
    assert not scale(pools, seed=4).equals(table)


def test_every_toy_is_inferred_in_three_ways(inferred):
    table, _ = inferred
    assert set(table) == {"toy", "way", "n_events", *VALUES, "kind", "n_background", "n_signal"}
    assert set(table["kind"]) <= set(KINDS)
    for (n_b, n_s), part in table.groupby(["n_background", "n_signal"]):
        assert (n_b, n_s) in MIXTURES
        by_way = dict(list(part.groupby("way")))
        assert set(by_way) == {"cleaned", "signal", "marginal"}
        for way, n in (("signal", n_s), ("marginal", n_b + n_s)):
            assert by_way[way]["toy"].tolist() == list(range(N_TOYS))
            assert set(by_way[way]["n_events"]) == {n}
        assert by_way["cleaned"]["n_events"].between(1, n_b + n_s).all()


def test_true_signal_is_inferred_as_if_there_were_nothing_else(inferred):
    signal = inferred[0][inferred[0]["way"] == "signal"]
    for n, part in signal.groupby("n_signal"):
        assert part["std"].to_numpy() == pytest.approx(made.WIDTH / math.sqrt(n), rel=2e-3)
        assert kstest(part["pit"], "uniform").pvalue > 1e-3


def test_kinds_say_what_cleaning_got_wrong(inferred):
    table, _ = inferred
    key = ["n_background", "n_signal", "toy"]
    ways = {way: part.set_index(key).sort_index() for way, part in table.groupby("way")}
    cleaned = ways["cleaned"]
    signal = ways["signal"].loc[cleaned.index]
    extra = cleaned["n_events"] - signal["n_events"]
    kind = cleaned["kind"]
    assert kind.value_counts().min() > 20
    assert (kind == signal["kind"]).all()
    np.testing.assert_allclose(
        cleaned.loc[kind == "right", VALUES], signal.loc[kind == "right", VALUES]
    )
    assert (extra[kind == "right"] == 0).all()
    assert (extra[kind == "kept"] > 0).all()
    assert (extra[kind == "dropped"] < 0).all()
    assert not np.isclose(cleaned["mean"], signal["mean"])[kind != "right"].any()


def test_wrong_events_spoil_the_coverage(inferred):
    _, coverage = inferred
    assert set(coverage["kind"]) <= {*KINDS, "all"}

    def at_68(way, kind, n_background, n_signal):
        chosen = coverage[
            (coverage["way"] == way)
            & (coverage["kind"] == kind)
            & (coverage["n_background"] == n_background)
            & (coverage["n_signal"] == n_signal)
        ]
        assert len(chosen) == 19
        return np.interp(0.68, chosen["expected"], chosen["empirical"])

    error = 4 * math.sqrt(0.68 * 0.32 / N_TOYS)
    for n_background, n_signal in MIXTURES:
        covered = at_68("signal", "all", n_background, n_signal)
        assert covered == pytest.approx(0.68, abs=error)
    assert at_68("cleaned", "kept", 2, 3) < 0.68 - 2 * error / 4
    everything = coverage[coverage["kind"] == "all"]
    assert set(everything.loc[everything["way"] != "cleaned", "n"]) == {N_TOYS}


def test_coverage_counts_the_table_s_rows(inferred):
    table, coverage = inferred
    by = ["n_background", "n_signal", "way", "kind"]
    rows = table.groupby(by).size()
    for names, part in coverage[coverage["kind"] != "all"].groupby(by):
        assert set(part["n"]) == {rows[names]}
        levels = table.set_index(by).loc[[names], "level"].to_numpy()
        held = [(levels <= expected).sum() for expected in part["expected"]]
        assert part["n_held"].tolist() == held


def test_same_seed_same_toys(pools):
    first, again, other = (infer(pools, [(1, 2)], seed=seed)[0] for seed in (5, 5, 6))
    assert first.equals(again)
    assert not first.equals(other)
