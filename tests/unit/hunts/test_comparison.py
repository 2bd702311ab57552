"""Methods side by side on the same histograms."""

import numpy as np
import pytest
import torch

from bumpflow.hunts.comparison import METHODS, compare, windows_of
from bumpflow.hunts.parametric import hunt, templates
from bumpflow.hunts.targets import z_known

N_BINS, AT, WIDTHS = 50, 20, (1.0, 2.0)
BACKGROUND = np.tile(800 * np.exp(-np.arange(N_BINS) / 20), (6, 1))
OPTIONS = {"widths": WIDTHS, "degrees": (1,)}


@pytest.fixture(scope="module")
def observed():
    signal = 220 * templates(N_BINS, 2.0)[AT]
    counts = np.random.default_rng(1).poisson(BACKGROUND + signal)
    counts[5] = 0
    return counts


@pytest.fixture(scope="module")
def table(observed):
    return compare(observed, BACKGROUND, rng=np.random.default_rng(2), **OPTIONS)


def test_one_row_per_histogram_and_method(table):
    assert list(table) == ["index", "method", "z_max", "bin", "seconds", "status"]
    assert table["index"].tolist() == np.repeat(range(6), len(METHODS)).tolist()
    assert table["method"].tolist() == list(METHODS) * 6


def test_every_method_finds_a_clear_bump(table):
    good = table[table["index"] < 5]
    assert set(good["status"]) == {"converged"}
    distance = (good["bin"] - AT).abs()
    assert distance[good["method"] != "dijet"].max() <= 3  # no dijet function is exponential
    assert good["z_max"].min() > 2
    assert (good["seconds"] > 0).all()


def test_rows_hold_what_the_methods_say(table, observed):
    found = table[table["index"] == 2].set_index("method")
    z = z_known(
        torch.as_tensor(observed[2:3], dtype=torch.float64),
        torch.as_tensor(BACKGROUND[2:3]),
        widths=WIDTHS,
    ).amax(dim=1)[0]
    assert found.loc["true_plrt", "z_max"] == pytest.approx(float(z.max()))
    assert found.loc["true_plrt", "bin"] == int(z.argmax())
    fitted = hunt(observed[2], name="exppoly", **OPTIONS)
    assert found.loc["exppoly", "z_max"] == pytest.approx(fitted.z_max)
    assert found.loc["pybumphunter", "seconds"] > found.loc["exppoly", "seconds"]
    assert found.loc["pybumphunter", "z_max"] != found.loc["pybumphunter_true", "z_max"]


def test_failures_are_recorded(table):
    empty = table[table["index"] == 5].set_index("method")
    for method in ("dijet", "exppoly", "pybumphunter"):
        assert empty.loc[method, "status"].startswith("failed: ")
        assert np.isnan(empty.loc[method, "z_max"])
        assert empty.loc[method, "bin"] == -1
    assert empty.loc["pybumphunter_true", "z_max"] == 0


def test_number_of_histograms_is_bounded(observed):
    chosen = [
        compare(
            observed, BACKGROUND, rng=np.random.default_rng(seed), max_histograms=2, **OPTIONS
        )["index"].unique()
        for seed in (3, 3)
    ]
    assert len(chosen[0]) == 2
    assert chosen[0].tolist() == chosen[1].tolist()


def test_windows_suit_the_widths():
    assert windows_of((1.0, 3.0), 100) == range(2, 13)
    assert windows_of((0.2,), 100) == range(1, 2)
    assert windows_of((4.0,), 10) == range(8, 11)


def test_shapes_must_agree(observed):
    with pytest.raises(ValueError, match="give equal shapes"):
        compare(observed, BACKGROUND[:2], rng=np.random.default_rng(1), **OPTIONS)
