"""Measurements as files hold them, and the events that densities are trained on."""

import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow import io
from bumpflow.flows.density import DensitySettings, EventDensity
from bumpflow.resonance.densities import store_densities
from bumpflow.resonance.shapes import Window
from bumpflow.resonance.store import (
    data_tables,
    load_measurement,
    masses_of,
    tensors_of,
    training_table,
    unseen_background,
)
from tests.unit.resonance import world

CPU = torch.device("cpu")
SETTINGS = DensitySettings(
    ("x",), "mademog", {"hidden_features": 4, "blocks": 1, "components": 1}, "gaussrank", ("m",)
)
BLOCK = {
    "window_gev": [90, 180],
    "signal_region_gev": [115, 135],
    "others": {"zh": {"path": "zh.parquet", "expected": 12, "uncertainty": 3}},
    "systematics": {
        "scale": {"scale": {"x": 0.1}, "components": ["signal", "background"], "trained": True},
        "tilt": {"scale": {"x": 0.2}, "components": ["signal"], "trained": False},
    },
}
SHAPES = {
    "background": {"series": "power", "order": 2, "theta": [1.0, -0.5]},
    "peaks": {
        "signal": world.PEAK._asdict(),
        "zh": world.PEAK.shifted(-6.0)._asdict(),
    },
}


def network(seed):
    """Return an untrained density; the seed also sets where its events are."""
    density = EventDensity(SETTINGS, seed=seed)
    x = seed + torch.randn(200, 1, generator=world.seeded(seed)).double()
    density.fit_scalers(x, torch.linspace(90, 180, 200)[:, None].double())
    return density.eval()


PARTS = {
    "background": [1, 2],
    "signal": [3],
    "zh": [4],
    "signalscaleup": [5],
    "signalscaledown": [6],
    "backgroundscaleup": [7],
    "backgroundscaledown": [8],
}


@pytest.fixture(scope="module")
def measurement(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    paths = []
    for name, seeds in PARTS.items():
        paths.append(folder / f"{name}.safetensors")
        tensors, settings = store_densities([network(seed) for seed in seeds])
        io.write_tensors(paths[-1], tensors, settings=settings)
    shapes = folder / "shapes.json"
    io.write_json(shapes, SHAPES)
    return load_measurement(shapes, paths, BLOCK, device=CPU)


def same(density, seed):
    x, mass = torch.linspace(0, 9, 20)[:, None].double(), torch.full((20, 1), 120.0).double()
    with torch.no_grad():
        return torch.equal(density.log_prob(x, mass), network(seed).log_prob(x, mass))


def test_every_density_is_in_its_place(measurement):
    densities = measurement.densities
    assert [same(*pair) for pair in zip(densities.backgrounds, (1, 2), strict=True)] == [True] * 2
    assert same(densities.signal.density, 3)
    assert same(densities.others[0].density, 4)
    for found, seeds in (
        (densities.signal.varied["scale"], (5, 6)),
        (densities.background_varied["scale"], (7, 8)),
    ):
        assert all(same(*pair) for pair in zip(found, seeds, strict=True))
    assert not same(densities.signal.density, 5)
    assert set(densities.signal.varied) == set(densities.background_varied) == {"scale"}
    assert densities.features == ("x",)


def test_shapes_and_what_is_known_come_with_them(measurement):
    assert measurement.masses == masses_of(SHAPES, BLOCK)
    assert measurement.masses.background.name == "power2"
    assert measurement.masses.window == (90, 180)
    assert measurement.masses.signal_region == (115, 135)
    assert measurement.densities.peaks == [world.PEAK, world.PEAK.shifted(-6.0)]
    assert measurement.theta.tolist() == [1.0, -0.5]
    assert measurement.others == ((12, 3),)
    scale, tilt = measurement.densities.systematics
    assert (scale.signal, scale.background) == (True, True)
    assert (tilt.name, tilt.scales, tilt.background) == ("tilt", {"x": 0.2}, False)


def events(labelled=True):
    """Return one row of every kind and region; ``x`` counts them."""
    rows = []
    kinds = [("data", "train", 0), ("data", "train", 1), ("data", "fit", 0), ("data", "fit", 1)]
    kinds += [("data", "test", 0), ("signal", "train", -1), ("signal", "test", -1)]
    for component, role, label in kinds:
        for mass in (100.0, 113.0, 120.0, 137.0, 170.0):
            rows.append((component, role, label, mass))
    table = pd.DataFrame(rows, columns=["component", "role", "label", "m"])
    table["dataset"] = np.where(table["role"] == "fit", np.arange(len(table)) % 2, -1)
    table["x"] = np.arange(float(len(table)))
    if labelled:
        return table
    data = table["component"] == "data"
    table.loc[data, ["role", "label", "dataset"]] = ["fit", -1, 0]
    return table


def chosen(component, table=None, *, contaminated=True, everywhere=False, gap=(115, 135)):
    part = {"component": component, "everywhere": everywhere, "gap_gev": list(gap), "scale": {}}
    table = events() if table is None else table
    return training_table(table, part, mass="m", contaminated=contaminated)


def kinds(table):
    return set(table[["component", "role", "label"]].itertuples(index=False, name=None))


def test_background_is_learnt_beside_the_signal_region():
    found = chosen("background")
    assert kinds(found) == {("data", "train", 0), ("data", "train", 1)}
    assert sorted(set(found["m"])) == [100, 113, 137, 170]
    clean = chosen("background", contaminated=False)
    assert kinds(clean) == {("data", "train", 0)}
    assert len(found) == 2 * len(clean) == 8
    assert sorted(chosen("background", gap=(110, 140), contaminated=False)["m"]) == [100, 170]


@pytest.mark.parametrize("contaminated", [True, False])
def test_data_without_labels_are_learnt_from_as_they_are(contaminated):
    found = chosen("background", events(labelled=False), contaminated=contaminated)
    assert kinds(found) == {("data", "fit", -1)}
    assert len(found) == 5 * 4


def test_simulation_is_learnt_from_everywhere():
    found = chosen("signal")
    assert kinds(found) == {("signal", "train", -1)}
    assert len(found) == 5
    assert len(chosen("signal", everywhere=True)) == 10


def test_the_truth_is_all_that_is_simulated():
    found = chosen("background", everywhere=True)
    assert kinds(found) == {("data", role, 0) for role in ("train", "fit", "test")}
    assert 120 in set(found["m"])


def test_data_have_no_truth():
    with pytest.raises(ValueError, match=r"set hisigma\.experiments\.replicas to 0"):
        chosen("background", events(labelled=False), everywhere=True)


def test_unseen_background_is_known_or_beside_the_signal_region():
    found = unseen_background(events(), mass="m", signal_region=Window(115, 135))
    assert kinds(found) == {("data", "fit", 0), ("data", "test", 0)}
    assert 120 in set(found["m"])
    beside = unseen_background(events(labelled=False), mass="m", signal_region=Window(115, 135))
    assert set(beside["m"]) == {100, 113, 137, 170}
    assert (beside["component"] == "data").all()


def test_data_sets_to_fit_are_told_apart():
    first, second = data_tables(events())
    assert (first["dataset"] == 0).all()
    assert (second["dataset"] == 1).all()
    assert kinds(pd.concat([first, second])) == {("data", "fit", 0), ("data", "fit", 1)}


def test_tables_become_tensors_in_double_precision():
    table = pd.DataFrame({"m": [100.0, 120.0], "b": [1, 2], "a": np.float32([3, 4])})
    x, mass = tensors_of(table, ["a", "b"], "m", CPU)
    assert x.tolist() == [[3, 1], [4, 2]]
    assert mass.tolist() == [100, 120]
    assert x.dtype == mass.dtype == torch.float64
