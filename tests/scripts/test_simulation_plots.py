"""Scripts that draw the figures of generated events, on tiny files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bumpflow import io
from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.plotting.names import sample_styles
from bumpflow.report.page import png_size
from scripts import (
    plot_benchmark,
    plot_benchmark_roc,
    plot_bmesons,
    plot_cutflows,
    plot_diphotons,
    plot_double_higgs,
    plot_jet_response,
    plot_masses,
    plot_mixture,
)

STYLE = Path(__file__).parents[2] / "config" / "matplotlibrc"
SPLITS = ["train", "test"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def files(tmp_path):
    """Return the PNG and PDF of a figure, for one name."""
    return lambda name: [tmp_path / f"{name}.png", tmp_path / f"{name}.pdf"]


def assert_drawn(*pages):
    for png, pdf in pages:
        assert min(png_size(png.read_bytes())) > 200
        assert pdf.read_bytes().startswith(b"%PDF")
    assert len({png.read_bytes() for png, _ in pages}) == len(pages)


def higgs_like(rng, n):
    table = pd.DataFrame(
        np.abs(rng.normal(1, 0.4, (n, len(HIGGS_FEATURES)))).astype("f4"), columns=HIGGS_FEATURES
    )
    return table.assign(label=np.repeat(np.array([0, 1], dtype="i1"), n // 2))


@pytest.fixture
def benchmark(tmp_path, rng):
    """Write real and generated events; label and split of the real ones are independent."""
    real = higgs_like(rng, 400).assign(split=SPLITS * 200)
    io.write_table(tmp_path / "real.parquet", real)
    io.write_table(tmp_path / "generated.parquet", higgs_like(rng, 200))
    return {"real": tmp_path / "real.parquet", "generated": tmp_path / "generated.parquet"}


def test_benchmark_is_drawn(benchmark, files):
    pages = {name: files(name) for name in ("background", "signal")}
    plot_benchmark.main(**benchmark, style=STYLE, **pages, splits=SPLITS, n_bins=10)
    assert_drawn(*pages.values())


def test_benchmark_compares_each_class_with_itself(benchmark, files, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        plot_benchmark, "draw_overlay_page", lambda _, **given: drawn.append(given)
    )
    monkeypatch.setattr(io, "save_figure", lambda *_: None)
    pages = {name: files(name) for name in ("background", "signal")}
    plot_benchmark.main(**benchmark, style=STYLE, **pages, splits=["test"], n_bins=10)
    real, generated = (io.read_table(path) for path in benchmark.values())
    for label, given in enumerate(drawn):
        for found, table in (
            (given["reference"], real[real["split"] == "test"]),
            (given["samples"]["generated"], generated),
        ):
            x = table.loc[table["label"] == label, "lepton_pT"]
            inside, _ = np.histogram(x, bins=10, range=(0, 5))
            assert found.values[0] == pytest.approx(inside / len(x) / 0.5)


def test_roc_is_drawn(tmp_path, files, rng):
    table = pd.DataFrame(
        {
            "generated": np.array([0, 1] * 100, dtype="i1"),
            "label": np.repeat(np.array([0, 1], dtype="i1"), 100),
            "log_ratio_resmlp": rng.normal(size=200),
            "log_ratio_trees": rng.normal(size=200),
        }
    )
    said = {"auc": 0.51, "auc_uncertainty": 0.03, "auc_low": 0.46, "auc_high": 0.57}
    record = {name: {"resmlp": said, "trees": said} for name in ("background", "signal")}
    io.write_table(tmp_path / "ratios.parquet", table)
    io.write_json(tmp_path / "c2st.json", record)
    plot_benchmark_roc.main(
        ratios=tmp_path / "ratios.parquet",
        record=tmp_path / "c2st.json",
        style=STYLE,
        roc=files("roc"),
        classifiers=["resmlp", "trees"],
        confidence=0.95,
    )
    assert_drawn(files("roc"))


def write_masses(tmp_path, rng, name, *, mass):
    table = pd.DataFrame(
        {column: rng.normal(mass, 10, 50) for column in HIGGS_FEATURES if column.startswith("m_")}
    )
    io.write_table(tmp_path / f"{name}.parquet", table.assign(weight_fb=0.5))
    return tmp_path / f"{name}.parquet"


def test_masses_are_drawn_by_class(tmp_path, files, rng, monkeypatch):
    """Two samples of background and one of signal, in any order."""
    samples = [
        write_masses(tmp_path, rng, name, mass=mass)
        for name, mass in (("one", 100), ("signal", 200), ("two", 110))
    ]
    settings = {"samples": samples, "style": STYLE, "labels": [0, 1, 0], "n_bins": 8}
    plot_masses.main(**settings, masses=files("masses"))
    assert_drawn(files("masses"))
    drawn = {}
    monkeypatch.setattr(plot_masses, "draw_shape_page", lambda _, **given: drawn.update(given))
    plot_masses.main(**settings, masses=files("again"))
    found, place = drawn["samples"], list(drawn["features"]).index("m_bb")
    means = {}
    for name, densities in found.items():
        edges, values = densities.edges[place], densities.values[place]
        means[name] = np.average((edges[1:] + edges[:-1]) / 2, weights=values)
    # Bins of 44 GeV: the mean of 100 (50) events is off by at most a third of one.
    assert means == pytest.approx({"background": 105, "signal": 200}, abs=15)


def test_responses_are_drawn(tmp_path, files):
    table = pd.DataFrame(
        {
            "group": ["b", "b", "light", "light"],
            "pt_gev": [30.0, 60.0] * 2,
            "pt_low_gev": [20.0, 40.0] * 2,
            "pt_high_gev": [40.0, 80.0] * 2,
            "response": 0.9,
            "response_error": 0.01,
            "corrected": 1.0,
            "corrected_error": 0.01,
            "n": 100,
        }
    )
    io.write_table(tmp_path / "responses.parquet", table)
    plot_jet_response.main(
        responses=[tmp_path / "responses.parquet"] * 2,
        style=STYLE,
        response=files("response"),
        titles=["cms, pp8", "hllhc, pp14"],
    )
    assert_drawn(files("response"))


def test_diphotons_are_drawn(tmp_path, files, rng):
    names = ["hh", "bbaa", "not_in_the_table"]
    for name in names:
        table = pd.DataFrame(rng.uniform(0, 200, (80, 8)), columns=plot_diphotons.FEATURES)
        io.write_table(tmp_path / f"{name}.parquet", table.assign(weight_fb=0.1, n_jets=3))
    plot_diphotons.main(
        events=[tmp_path / f"{name}.parquet" for name in names],
        style=STYLE,
        features=files("features"),
        samples=names,
        n_bins=8,
    )
    assert_drawn(files("features"))


def test_double_higgs_is_drawn(tmp_path, files):
    spectra = pd.DataFrame(
        {
            "kappa_lambda": [0.0, 0.0, 1.0, 1.0],
            "m_hh_gev": [275.0, 325.0] * 2,
            "m_hh_low_gev": [250.0, 300.0] * 2,
            "m_hh_high_gev": [300.0, 350.0] * 2,
            "dsigma_fb_per_gev": [0.2, 0.3, 0.1, 0.2],
            "dsigma_error": 0.01,
        }
    )
    totals = pd.DataFrame(
        {
            "kappa_lambda": [-1.0, 0, 1, 2],
            "crosssection_fb": [60.0, 40, 20, 10],
            "crosssection_error_fb": 0.3,
        }
    )
    io.write_table(tmp_path / "spectra.parquet", spectra)
    io.write_table(tmp_path / "totals.parquet", totals)
    plot_double_higgs.main(
        spectra=tmp_path / "spectra.parquet",
        totals=tmp_path / "totals.parquet",
        style=STYLE,
        crosssections=files("crosssections"),
    )
    assert_drawn(files("crosssections"))


@pytest.mark.parametrize("names", [["bmesons", "bparametrised"], ["bmesons"]])
def test_mesons_are_drawn(tmp_path, files, rng, names):
    for name in names:
        table = pd.DataFrame(rng.uniform(0, 3, (300, 2)), columns=["px", "py"])
        table = table.assign(pz=rng.uniform(0, 300, 300), weight_fb=1.0, pdg=511)
        energy = np.sqrt(table[["px", "py", "pz"]].pow(2).sum(axis=1) + 5.28**2)
        io.write_table(tmp_path / f"{name}.parquet", table.assign(energy=energy))
    plot_bmesons.main(
        events=[tmp_path / f"{name}.parquet" for name in names],
        style=STYLE,
        spectra=files("spectra"),
        samples=names,
        n_bins=8,
    )
    assert_drawn(files("spectra"))


def write_lists(path, rng, samples):
    """Write events of lists with 32-bit floats and 8-bit integers, sample by sample."""
    n, n_events = 3, 40 * len(samples)
    columns = {"met": pa.array(rng.exponential(40, n_events).astype("f4"))}
    for kind in ("electron", "muon", "photon", "jet"):
        length = rng.integers(0, n, n_events)
        offsets = pa.array(np.append(0, np.cumsum(length)).astype("i4"))
        found = {
            "pt": rng.uniform(20, 300, length.sum()).astype("f4"),
            "eta": rng.normal(0, 1, length.sum()).astype("f4"),
            "phi": rng.uniform(-3, 3, length.sum()).astype("f4"),
        }
        if kind == "jet":
            found["mass"] = rng.uniform(1, 9, length.sum()).astype("f4")
            found["btag"] = rng.integers(0, 3, length.sum()).astype("i1")
        elif kind != "photon":
            found["charge"] = rng.choice([-1, 1], length.sum()).astype("i1")
        for name, values in found.items():
            columns[f"{kind}_{name}"] = pa.ListArray.from_arrays(offsets, pa.array(values))
    columns["weight_fb"] = pa.array(np.full(n_events, 2.0))
    columns["sample"] = pa.array(np.repeat(samples, 40).tolist()).dictionary_encode()
    pq.write_table(pa.table(columns), path)


def test_mixture_is_drawn(tmp_path, files, rng, monkeypatch):
    samples = ["qcd13", "ttbar13"]
    write_lists(tmp_path / "events.parquet", rng, samples)
    settings = {
        "events": tmp_path / "events.parquet",
        "style": STYLE,
        "samples": samples,
        "n_bins": 6,
    }
    pages = {name: files(name) for name in ("spectra", "categories")}
    plot_mixture.main(**settings, **pages)
    assert_drawn(*pages.values())
    drawn = {}
    for name in ("draw_spectra_page", "draw_category_page"):
        monkeypatch.setattr(plot_mixture, name, lambda _, **given: drawn.update(given))
    plot_mixture.main(**settings, **pages)
    assert drawn["table"]["n_events"].sum() == 80
    assert drawn["table"]["weight_fb"].sum() == pytest.approx(160)
    met = drawn["spectra"]["met"]["qcd13"]
    assert (met.values * np.diff(met.edges)).sum() == pytest.approx(80, abs=8)  # a few below 1 GeV


def test_cutflows_are_drawn(tmp_path, files, monkeypatch):
    record = {
        "n_generated": 100,
        "cutflow": {"generated": 100, "showered": 80, "two photons": 20},
        "selected_fb": 3.0,
        "selected_error_fb": 0.1,
    }
    for name in ("hh", "bbaa", "qcd13"):
        io.write_json(tmp_path / f"{name}.json", record | {"name": name})
    settings = {
        "records": [tmp_path / f"{name}.json" for name in ("hh", "qcd13", "bbaa")],
        "style": STYLE,
        "samples": ["hh", "qcd13", "bbaa"],
        "kinds": ["diphoton", "objects", "diphoton"],
    }
    plot_cutflows.main(**settings, cutflows=files("cutflows"))
    assert_drawn(files("cutflows"))
    drawn = {}
    monkeypatch.setattr(plot_cutflows, "draw_cutflow_page", lambda _, **given: drawn.update(given))
    plot_cutflows.main(**settings, cutflows=files("again"))
    names = {kind: list(found) for kind, found in drawn["records"].items()}
    assert names == {"diphoton": ["hh", "bbaa"], "objects": ["qcd13"]}
    assert drawn["records"]["diphoton"]["bbaa"]["name"] == "bbaa"
    assert drawn["styles"] == sample_styles(["hh", "bbaa", "qcd13"])
