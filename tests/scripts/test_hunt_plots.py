"""Scripts that draw the figures of bump hunts, on tiny files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.plotting.hunt_methods import METHODS
from bumpflow.report.page import png_size
from scripts import (
    plot_histogram_scan,
    plot_hunt_comparison,
    plot_hunt_examples,
    plot_hunt_global_p,
    plot_hunt_paper,
    plot_hunt_ranking,
    plot_hunt_tests,
    plot_hunt_training,
)
from tests import hunt_tables as made

STYLE = Path(__file__).parents[2] / "config" / "matplotlibrc"


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def store(tmp_path):
    """Return a function that writes a table and returns its path."""

    def write(name, table):
        io.write_table(tmp_path / f"{name}.parquet", table)
        return tmp_path / f"{name}.parquet"

    return write


@pytest.fixture
def saved(monkeypatch):
    """Collect figures by path instead of writing them: to arrange their panels takes long."""
    found = {}
    monkeypatch.setattr(
        io, "save_figure", lambda figure, *paths: found.update(dict.fromkeys(paths, figure))
    )
    return found


@pytest.fixture
def scan(store, rng):
    """Two spectra that were scanned, the second unlike those of the training."""
    edges = np.linspace(100, 160, 31), np.geomspace(1500, 8000, 36)
    pieces = [
        made.make_bins(rng, one, name=name, bump=12)
        for one, name in zip(edges, ("one", "two"), strict=True)
    ]
    toys = [made.make_toys(rng, 100 * (k + 1), name=n) for k, n in enumerate(("one", "two"))]
    summary = pd.DataFrame([made.SUMMARY] * 2).assign(
        histogram=["one", "two"], covered=[True, False], reasons=["", "more bins"]
    )
    return {
        "bins": store("bins", pd.concat(pieces)),
        "toys": store("toys", pd.concat(toys)),
        "summary": store("summary", summary),
    }


def test_scan_is_drawn(scan, tmp_path):
    png = tmp_path / "scan.png"
    plot_histogram_scan.main(**scan, style=STYLE, scan=[png], histogram="two", source="CMS")
    assert min(png_size(png.read_bytes())) > 200


def test_scans_are_drawn_one_by_one(scan, saved, monkeypatch):
    drawn = {}
    monkeypatch.setattr(plot_histogram_scan, "draw_scan_page", lambda _, **x: drawn.update(x))
    plot_histogram_scan.main(**scan, style=STYLE, scan=[], histogram="one", source="ATLAS")
    assert len(drawn["bins"]) == 30
    assert len(drawn["toys"]) == 100
    assert drawn["summary"]["histogram"] == "one"
    assert not saved
    with pytest.raises(ValueError, match="no row for the histogram 'three'"):
        plot_histogram_scan.main(**scan, style=STYLE, scan=[], histogram="three", source="")


def test_ranking_is_drawn(scan, saved):
    given = {name: scan[name] for name in ("bins", "summary")}
    pages = {name: [name] for name in ("ranking", "top")}
    plot_hunt_ranking.main(**given, **pages, style=STYLE, n_ranked=1, n_drawn=1)
    names = [tick.get_text() for tick in saved["ranking"].axes[0].get_yticklabels()]
    assert names == ["one"]
    counts, z = saved["top"].axes
    assert counts.get_title(loc="left").startswith("1. one: ")
    assert z.get_xlabel() == "$m_{\\gamma\\gamma}$ [GeV]"


def test_tests_are_drawn(store, saved, rng):
    test = store("test", made.make_tests(rng, 300))
    pages = {name: [name] for name in ("response", "cells", "coverage")}
    plot_hunt_tests.main(test=test, style=STYLE, **pages, n_cells=3)
    labels = {name: saved[name].axes[0].get_ylabel() for name in pages}
    assert labels["response"].startswith("$z_{predicted}")
    assert labels["cells"].startswith("mean of")
    assert labels["coverage"] == "coverage of 68 % intervals"


def test_other_pages_are_drawn(store, saved, rng):
    for script, given, page, table, n_panels in (
        (plot_hunt_paper, "test", "paper", made.make_tests(rng, 100, z=3.0), 3),
        (plot_hunt_global_p, "p_values", "global_p", made.make_global_p(rng, 40), 3),
        (plot_hunt_comparison, "table", "comparison", made.make_comparison(rng, 20, METHODS), 3),
        (plot_hunt_examples, "table", "examples", made.make_examples(rng, 4), 8),
    ):
        script.main(**{given: store(page, table), page: [page]}, style=STYLE)
        assert len(saved[page].axes) == n_panels


def test_training_is_drawn(store, saved, tmp_path, rng, monkeypatch):
    made.make_learning(["small"]).to_csv(tmp_path / "learning.csv", index=False)
    given = {
        "histories": [store("history", made.make_history(rng, 9))],
        "learning": tmp_path / "learning.csv",
        "style": STYLE,
        "hunters": ["small"],
    }
    plot_hunt_training.main(**given, training=["page"])
    assert len(saved["page"].axes) == 4
    drawn = {}
    monkeypatch.setattr(plot_hunt_training, "draw_training_page", lambda _, **x: drawn.update(x))
    plot_hunt_training.main(**given, training=[])
    assert drawn["learning"]["auc"].tolist() == made.make_learning(["small"])["auc"].tolist()
    assert list(drawn["histories"]) == ["small"]
