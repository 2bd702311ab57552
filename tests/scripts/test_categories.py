"""Script that fills and fits mass spectra of simulated events."""

import gzip

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.hunts.shapes import shape_counts, split_shapes
from scripts import fit_categories
from tests.unit.hunts.handmade import make_table

RESOLUTION = {"constant": 0.05, "stochastic_sqrt_gev": 0.3, "slope_per_gev": 0}
SETTINGS = {
    "luminosity_fb": 10,
    "weighted": True,
    "min_events": 300,
    "mass_range_gev": [20, 13000],
    "n_bins": [30, 100],
    "combinations": {"sizes": [2, 0], "leading": {"j": 2, "m": 1}},
    "resolutions": dict.fromkeys("emgzvthj", RESOLUTION),
}


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """Pairs of jets above a threshold, one in ten with a muon, in a file."""
    rng, n = np.random.default_rng(6), 4000
    pt = 30 * (1 - rng.random(n)) ** -0.7
    table = make_table(
        *(
            {
                "jet": [(p, 0, 0.0, 5), (p, 0, 3.0, 5)],
                "muon": [(25.0, 0, 1.0, 1)] * (i % 10 == 0),
            }
            for i, p in enumerate(pt)
        ),
        weight_fb=np.full(n, 0.2),
    )
    path = tmp_path_factory.mktemp("categories") / "events.parquet"
    io.write_table(path, table.to_pandas())
    return path


def run(events, folder, **changes):
    histograms, shapes = folder / "histograms.parquet", folder / "shapes.parquet"
    settings = SETTINGS | changes
    fit_categories.main(
        events=[events],
        histograms=histograms,
        shapes=shapes,
        settings=settings,
        darkmachines=None,
    )
    return io.read_table(histograms), io.read_table(shapes)


def test_spectra_and_shapes_are_written(events, tmp_path, monkeypatch):
    monkeypatch.setattr(fit_categories, "N_ROWS", 700)
    histograms, shapes = run(events, tmp_path)
    columns = ["category", "combination", "bin", "low_gev", "high_gev", "value", "variance"]
    assert list(histograms) == columns
    plain = histograms[histograms.category == "0e0m0g0z0v0t0h"]
    assert set(plain.combination) == {"j1_j2"}
    assert plain.value.sum() == pytest.approx(3600 * 0.2 * 10)
    assert plain.variance.sum() == pytest.approx(3600 * (0.2 * 10) ** 2)
    np.testing.assert_allclose(plain.low_gev.iloc[1:], plain.high_gev.iloc[:-1])
    shape = shapes[(shapes.category == "0e0m0g0z0v0t0h")].iloc[0]
    part = plain[
        (plain.low_gev >= shape.low_gev - 1e-9) & (plain.high_gev <= shape.high_gev + 1e-9)
    ]
    assert len(part) == shape.n_bins
    # The sum of a fit's expectations is that of the counts, as for all likelihood fits with c0.
    fitted = shape_counts(shape[["c0", "c1", "c2", "c3"]].to_numpy(float)[None], int(shape.n_bins))
    assert fitted.sum() == pytest.approx(part.value.sum(), rel=1e-6)
    assert shape.n_events == pytest.approx(part.value.sum() / 2)


def test_events_without_weights_count_one_each(events, tmp_path):
    histograms, _ = run(events, tmp_path, weighted=False)
    np.testing.assert_array_equal(histograms.value, histograms.variance)
    assert histograms.value[histograms.category == "0e0m0g0z0v0t0h"].sum() == 3600


def test_too_few_events_give_empty_tables(events, tmp_path):
    histograms, shapes = run(events, tmp_path, min_events=10**6)
    assert len(histograms) == len(shapes) == 0
    assert "c3" in shapes


def test_files_of_dark_machines_give_the_same_spectra(events, tmp_path):
    expected, shapes = run(events, tmp_path)
    lines = [
        ";".join([str(event), "njets", str(10 * weight), "0", "0", *objects])
        for event, (weight, objects) in enumerate(as_darkmachines(io.read_arrow(events)))
    ]
    files = [tmp_path / "one.csv", tmp_path / "two.csv.gz"]
    files[0].write_text("\n".join(lines[:1500]) + "\n")
    files[1].write_bytes(gzip.compress("\n".join(lines[1500:]).encode()))
    fit_categories.main(
        events=files,
        histograms=tmp_path / "own.parquet",
        shapes=tmp_path / "fitted.parquet",
        settings=SETTINGS,
        darkmachines={"unit": "MeV", "luminosity_fb": 10},
    )
    found = io.read_table(tmp_path / "own.parquet")
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6)
    assert len(io.read_table(tmp_path / "fitted.parquet")) == len(shapes) > 0


def as_darkmachines(table):
    """Yield each event's weight and objects as text, in MeV."""
    for row in table.to_pylist():
        objects = []
        for kind, symbol in (("jet", "j"), ("muon", "m+")):
            names = ("pt", "eta", "phi", "mass" if kind == "jet" else "charge")
            for pt, eta, phi, last in zip(*(row[f"{kind}_{n}"] for n in names), strict=True):
                mass = last if kind == "jet" else 0.0
                energy = np.sqrt(mass**2 + (pt * np.cosh(eta)) ** 2)
                numbers = (1e3 * energy, 1e3 * pt, eta, phi)
                objects.append(",".join([symbol, *map(repr, map(float, numbers))]))
        yield row["weight_fb"], objects


def test_shapes_are_split_as_the_shipped_ones_are(events, tmp_path):
    shipped = io.read_table("resources/spectra/simulated_shapes.parquet")
    mixed = shipped.sample(frac=1, random_state=1).drop(columns="split")
    pd.testing.assert_frame_equal(split_shapes(mixed), shipped)
    _, shapes = run(events, tmp_path)
    assert shapes["split"].tolist() == (["train", "test"] * len(shapes))[: len(shapes)]
