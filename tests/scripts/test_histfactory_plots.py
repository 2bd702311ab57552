"""Scripts that draw the figures of the search, on tiny files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.plotting.names import ARMS
from bumpflow.report.page import png_size
from scripts import plot_fits, plot_reweighting, plot_scans, plot_selection, plot_toys

STYLE = Path(__file__).parents[2] / "config" / "matplotlibrc"
FEATURES = ["lepton_pT", "m_bb"]
OBSERVABLES = {"score": {"column": "score"}, "mbb": {"column": "m_bb"}}
EDGES = [0.0, 1.0, 2.0, 3.0]
ARMS_OF_FITS = ["mc", "reweightednuisance"]
THREE = ["mc", "surrogate", "reweighted"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def files(tmp_path):
    """Return the PNG and PDF of a figure, for one name."""
    return lambda name: [tmp_path / f"{name}.png", tmp_path / f"{name}.pdf"]


def assert_drawn(pages):
    for png, pdf in pages.values():
        assert min(png_size(png.read_bytes())) > 200
        assert pdf.read_bytes().startswith(b"%PDF")
    assert len({png.read_bytes() for png, _ in pages.values()}) == len(pages)


def scored(rng, n):
    table = pd.DataFrame(np.abs(rng.normal(1, 0.4, (n, 2))).astype("f4"), columns=FEATURES)
    table["score"] = rng.uniform(size=n).astype("f4")
    return table.assign(label=np.int8(0), weight=np.float32(1), split="template")


@pytest.fixture
def surrogate(tmp_path, rng):
    table = scored(rng, 500).assign(weight=rng.uniform(0.5, 1.5, 500).astype("f4"))
    io.write_table(tmp_path / "scored_surrogate.parquet", table)
    return tmp_path / "scored_surrogate.parquet"


def draw_selection(mc, surrogate, files, **settings):
    pages = {name: files(name) for name in ("roc", "score", "selected")}
    plot_selection.main(
        mc=mc,
        surrogate=surrogate,
        style=STYLE,
        **pages,
        features=FEATURES,
        **{"splits": ["test", "holdoutb"], "cut": 0.55, "n_bins": 8} | settings,
    )
    return pages


@pytest.fixture
def mc(tmp_path, rng):
    table = scored(rng, 600).assign(split=["train", "test", "holdoutb"] * 200)
    table.loc[:299, "label"] = np.int8(1)
    io.write_table(tmp_path / "scored_mc.parquet", table)
    return tmp_path / "scored_mc.parquet"


def test_selection_is_drawn(mc, surrogate, files):
    assert_drawn(draw_selection(mc, surrogate, files))


def test_selection_shows_the_data_only(mc, surrogate, files, monkeypatch):
    drawn = {}
    for name in ("draw_roc_page", "draw_score_page"):
        monkeypatch.setattr(plot_selection.selection, name, lambda _, **given: drawn.update(given))
    monkeypatch.setattr(
        plot_selection, "draw_overlay_page", lambda _, **given: drawn.update(given)
    )
    monkeypatch.setattr(io, "save_figure", lambda *_: None)
    draw_selection(mc, surrogate, files)
    table, generated = io.read_table(mc), io.read_table(surrogate)
    data = table[table["split"] != "train"]
    assert np.array_equal(drawn["background"], data.query("label == 0")["score"])
    assert np.array_equal(drawn["signal"], data.query("label == 1")["score"])
    assert np.array_equal(drawn["weights"], generated["weight"])
    kept = data[(data["label"] == 0) & (data["score"] >= np.float32(0.55))]
    inside, _ = np.histogram(kept["lepton_pT"], bins=8, range=(0, 5))
    assert drawn["reference"].values[0] == pytest.approx(inside / len(kept) / 0.625)
    assert list(drawn["samples"]) == ["surrogate", "reweighted"]


def test_selection_without_data_says_so(tmp_path, surrogate, files, rng):
    io.write_table(tmp_path / "scored_mc.parquet", scored(rng, 60).assign(split="train"))
    with pytest.raises(ValueError, match="no events of label 0 in test"):
        draw_selection(tmp_path / "scored_mc.parquet", surrogate, files)


@pytest.fixture
def templates(tmp_path):
    rows = [
        (observable, sample, 100, place, EDGES[place], EDGES[place + 1], 0.1, 1e-4)
        for observable in OBSERVABLES
        for sample in ("signal", "data", *THREE)
        for place in range(3)
    ]
    columns = ["observable", "sample", "n_generated", "bin", "low", "high", "value", "variance"]
    io.write_table(tmp_path / "templates.parquet", pd.DataFrame(rows, columns=columns))
    return tmp_path / "templates.parquet"


def write_fits(folder, *, failed, mu=1.1):
    """Write the two files of one fit; pulls with signal tell ``mu``, too."""
    stage = {"signal": [5.0] * 3, "background": [50.0] * 3, "uncertainty": [5.0] * 3}
    number = None if failed else mu
    record = {
        "mu": number,
        "mu_uncertainty": number,
        "status": "failed: x" if failed else "converged",
        "edges": EDGES,
        "observed": [60.0] * 3,
        "prefit": stage,
        "postfit": None if failed else stage,
    }
    io.write_json(folder / "fit.json", {"background": record, "injected": record})
    number = np.nan if failed else 0.1
    table = pd.DataFrame({"fit": ["background", "injected"], "kind": "shape", "number": 1})
    for name in ("uncertainty", "prefit_uncertainty", "impact_up", "impact_down"):
        table[name] = number
    table["pull"] = np.nan if failed else [-1.0, mu]
    io.write_table(folder / "nuisances.parquet", table)


def draw_fits(folders, templates, files, observables):
    """Draw fits of two arms, which lie in ``folders``, arms running faster."""
    pages = {name: files(name) for name in ("shapes", "fits", "nuisances")}
    plot_fits.main(
        templates=templates,
        records=[folder / "fit.json" for folder in folders],
        tables=[folder / "nuisances.parquet" for folder in folders[1::2]],
        style=STYLE,
        **pages,
        observables=observables,
        arms=ARMS_OF_FITS,
        compared=THREE,
        crosssection_fb=100.0,
        signal_fraction=0.05,
        luminosity_fb=10.0,
        n_nuisances=5,
    )
    return pages


@pytest.mark.parametrize("failed", [False, True])
def test_fits_are_drawn(tmp_path, templates, files, failed):
    folders = [tmp_path / arm for arm in ARMS_OF_FITS]
    for folder in folders:
        write_fits(folder, failed=failed)
    assert_drawn(draw_fits(folders, templates, files, {"score": OBSERVABLES["score"]}))


def test_fits_are_told_apart(tmp_path, templates, files, monkeypatch):
    folders = [tmp_path / name / arm for name in OBSERVABLES for arm in ARMS_OF_FITS]
    for number, folder in enumerate(folders):
        write_fits(folder, failed=False, mu=number)
    drawn = {}
    for name in ("draw_fit_page", "draw_nuisance_page"):
        monkeypatch.setattr(
            plot_fits.page, name, lambda _, name=name, **given: drawn.update({name: given})
        )
    draw_fits(folders, templates, files, OBSERVABLES)
    mu = {
        name: [fit["mu"] for fit in arms.values()]
        for name, arms in drawn["draw_fit_page"]["fits"].items()
    }
    assert mu == {"score": [0, 1], "mbb": [2, 3]}
    tables = drawn["draw_nuisance_page"]["tables"]
    assert {name: table["pull"].tolist() for name, table in tables.items()} == {
        "classifier score": [1],
        "$m_{bb}$": [3],
    }


def write_scans(path):
    numbers = ["mu_hat", "mu_uncertainty", "mu_mc_uncertainty", "spurious"]
    numbers += ["spurious_mc_uncertainty", "stat_uncertainty", "z0", "limit_observed"]
    numbers += [f"limit_{name}" for name in ("m2", "m1", "0", "p1", "p2")]
    rows = [
        {"scan": scan, "arm": arm, "systematic": systematic, "luminosity_fb": x, "n_generated": n}
        for scan, points in {
            "luminosity": [(10.0, 900), (100.0, 900)],
            "generated": [(10.0, 90), (10.0, 900)],
        }.items()
        for arm in ARMS
        for systematic in (0.1, 0.2)
        for x, n in points
    ]
    table = pd.DataFrame(rows).assign(status="converged")
    table[numbers] = 0.1 * np.arange(1, len(numbers) + 1)
    table.loc[::7, numbers] = np.nan
    table.loc[::7, "status"] = "failed: x"
    io.write_table(path, table)


def test_scans_are_drawn(tmp_path, files):
    write_scans(tmp_path / "scans.parquet")
    names = ("strength", "spurious", "significance", "difference")
    pages = {name: files(name) for name in (*names, "limits_luminosity", "limits_generated")}
    plot_scans.main(
        tables=[tmp_path / "scans.parquet"],
        style=STYLE,
        **pages,
        observables={"mbb": OBSERVABLES["mbb"]},
        arms=list(ARMS),
        compared=THREE,
        systematic=0.1,
        systematics=[0.2],
    )
    assert_drawn(pages)


def test_toys_are_drawn(tmp_path, files, rng):
    names = ["pull_mean", "pull_width", "coverage68", "coverage95", "bias_over_sigma"]
    results = pd.DataFrame({"arm": list(ARMS), "n_toys": 20, "n_failed": 1})
    for name in names:
        results[name], results[f"{name}_uncertainty"] = 0.6, 0.1
    pulls = pd.DataFrame({"arm": list(ARMS) * 20, "pull": rng.normal(size=100)})
    io.write_table(tmp_path / "toys.parquet", results)
    io.write_table(tmp_path / "toy_pulls.parquet", pulls)
    plot_toys.main(
        results=[tmp_path / "toys.parquet"] * 2,
        pulls=[tmp_path / "toy_pulls.parquet"] * 2,
        style=STYLE,
        toys=files("toys_drawn"),
        observables=OBSERVABLES,
        arms=list(ARMS),
    )
    assert_drawn({"toys": files("toys_drawn")})


def test_reweighting_is_drawn(tmp_path, surrogate, files):
    area = {"value": 0.52, "uncertainty": 0.01, "n": 90}
    record = {"clip": 5.0, "effective_fraction": 0.9, "auc_before": area, "auc_after": area}
    io.write_json(tmp_path / "reweighting.json", record)
    calibration = pd.DataFrame(
        {"stage": ["raw", "calibrated"], "predicted": 0.5, "observed": 0.5, "uncertainty": 0.1}
    )
    io.write_table(tmp_path / "calibration.parquet", calibration)
    plot_reweighting.main(
        record=tmp_path / "reweighting.json",
        calibration=tmp_path / "calibration.parquet",
        surrogate=surrogate,
        style=STYLE,
        reweighting=files("drawn"),
    )
    assert_drawn({"reweighting": files("drawn")})
