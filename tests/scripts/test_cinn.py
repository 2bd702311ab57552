"""Scripts of ALP reconstruction, one after the other, on few sets and small networks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.compatibility.photon_pairs import COLUMNS
from bumpflow.reconstruction import settings as cinn
from bumpflow.reconstruction.detectors import measure_sets
from bumpflow.reconstruction.simulation import read_sets
from bumpflow.reconstruction.support import Support
from bumpflow.simulate.alps.features import FEATURES
from bumpflow.simulate.alps.sampling import PARAMETERS
from bumpflow.simulate.alps.settings import BeamDump, Prior, Resolution
from bumpflow.summary import from_records
from scripts import (
    compare_detectors,
    compare_geometries,
    diagnose_sets,
    draw_sets,
    map_detectors,
    reconstruct_events,
    simulate_sets,
    summarise_cinn,
    tabulate_acceptance,
    time_posterior,
    train_published,
    train_sets,
    train_single,
)

CONFIG = io.read_yaml("config/config.yaml")
CINN = CONFIG["cinn"]
DATASETS = cinn.geometries(CONFIG)
SETUPS = {name: CONFIG["beamdumps"][name] for name in DATASETS}
BENCHMARKS = {name: CINN["benchmarks"][name] for name in ("m0p2", "m1")}
DETECTORS = {name: cinn.detectors(CONFIG)[name] for name in ("e1a1", "e10a10")}
N_SETS = {"train": 200, "validation": 100, "test": 120, "m0p2": 30, "m1": 30}
SIZES, N_EVENTS, N_RANKS = [1, 3], 3, 19
TRAINING = {"learning_rate": 3e-3, "batch_size": 50, "max_epochs": 2, "patience": 2}
NETWORK = {
    "n_masses": 65,
    "n_lifetimes": 9,
    "n_conditions": 17,
    "n_vertices": 24,
    "hidden_features": 12,
    "blocks": 1,
    "embedding": 6,
    "lifetime_features": 8,
}
PUBLISHED = cinn.published_settings(CONFIG) | {"hidden_features": 8, "layers": 1}
RATE = {"n_decays": [100, 1000], "n_masses": 5, "n_lifetimes": 4, "n_tries": 2000}
GRID = {"energy": [0.01, 0.1], "angle_rad": [0.001, 0.01], "hit_m": 0.001}
ON_CPU = {"device": "cpu"}


def simulate(folder, seed=1):
    for dataset, setup in SETUPS.items():
        for name, n_sets in N_SETS.items():
            simulate_sets.main(
                mesons=[],
                sets=folder / dataset / "sets" / f"{name}.parquet",
                n_sets=n_sets,
                n_events=4,
                benchmark=BENCHMARKS.get(name),
                setup=setup,
                seed=seed,
            )
    tabulate_acceptance.main(
        mesons=[],
        acceptance=folder / "short" / "acceptance.parquet",
        setup=SETUPS["short"],
        settings=RATE,
        seed=seed,
    )


def sets_of(folder, name, dataset="short"):
    return folder / dataset / "sets" / f"{name}.parquet"


def signals(folder, dataset="short"):
    return [sets_of(folder, name, dataset) for name in BENCHMARKS]


def train(folder, seed=1):
    def outputs(dataset, name, history):
        return {
            "train": sets_of(folder, "train", dataset),
            "model": folder / dataset / f"{name}.safetensors",
            "history": folder / dataset / f"{history}.parquet",
            "setup": SETUPS[dataset],
            "training": TRAINING,
            "checkpoints": str(folder / "checkpoints" / dataset / name / "code"),
            "seed": seed,
            **ON_CPU,
        }

    for dataset in DATASETS:
        train_sets.main(
            **outputs(dataset, "amortised", "history"),
            validation=sets_of(folder, "validation", dataset),
            settings=NETWORK,
            detectors=CINN["detectors"],
            n_events=[1, 4],
        )
    train_single.main(
        **outputs("short", "single/e1a1", "single/e1a1_history"),
        validation=sets_of(folder, "validation"),
        settings=NETWORK,
        resolution=DETECTORS["e1a1"],
        n_events=N_EVENTS,
    )
    train_published.main(
        **outputs("short", "published", "published_history"),
        settings=PUBLISHED,
        resolution=DETECTORS["e1a1"],
        max_sets=150,
    )


def check(folder, seed=1):
    here = folder / "short"
    common = ON_CPU | {"seed": seed}
    amortised = {"amortised": here / "amortised.safetensors"}
    test = sets_of(folder, "test")
    diagnose_sets.main(
        **amortised,
        test=test,
        diagnosis=here / "diagnosis.parquet",
        ranks=here / "sbc.parquet",
        tarp=here / "tarp.parquet",
        record=here / "diagnosis.json",
        sizes=SIZES,
        n_draws=N_RANKS,
        **common,
    )
    compare_detectors.main(
        **amortised,
        published=here / "published.safetensors",
        singles=[here / "single" / "e1a1.safetensors"],
        test=test,
        signals=signals(folder),
        comparison=here / "comparison.parquet",
        sharpness=here / "sharpness.parquet",
        benchmarks=BENCHMARKS,
        detectors=DETECTORS,
        trained="e1a1",
        n_events=N_EVENTS,
        product={"n_sets": 10, "n_lifetimes": 4},
        n_draws=N_RANKS,
        **common,
    )
    compare_geometries.main(
        networks=[folder / dataset / "amortised.safetensors" for dataset in DATASETS],
        signals=[path for dataset in DATASETS for path in signals(folder, dataset)],
        displaced=here / "displaced.parquet",
        datasets=DATASETS,
        benchmarks=BENCHMARKS,
        detectors=DETECTORS,
        n_events=N_EVENTS,
        **common,
    )
    map_detectors.main(
        **amortised,
        signals=signals(folder),
        maps=here / "map.parquet",
        benchmarks=BENCHMARKS,
        settings=GRID | {"n_sets": 20, "n_draws": 40},
        n_events=N_EVENTS,
        **common,
    )
    draw_sets.main(
        **amortised,
        test=test,
        signals=signals(folder),
        acceptance=here / "acceptance.parquet",
        examples=here / "examples.parquet",
        roles=here / "roles.parquet",
        benchmarks=BENCHMARKS,
        resolution=DETECTORS["e1a1"],
        sizes=SIZES,
        grid={"n_masses": 65, "n_lifetimes": 9},
        widths={"n_sets": 60, "n_draws": 40},
        rate=RATE,
        **common,
    )
    time_posterior.main(
        **amortised,
        test=test,
        timing=here / "timing.json",
        resolution=DETECTORS["e1a1"],
        n_events=N_EVENTS,
        n_draws=1000,
        **common,
    )


def photon_table(folder):
    """Return two of the simulated sets as users list them, the second with two events."""
    true = read_sets(sets_of(folder, "m1")).head(2)
    setup = BeamDump.from_settings(SETUPS["short"])
    measured = Resolution.from_settings(DETECTORS["e10a10"])
    x = measure_sets(true, measured, setup, n_events=N_EVENTS, seed=3).x.flatten(0, 1)
    features = dict(zip(FEATURES, x.double().numpy().T, strict=True))
    columns = {}
    for name in COLUMNS:
        kind = name.partition("_")[0]
        logarithm = f"ln_{kind}" in features
        values = features[f"ln_{kind}" if logarithm else kind]
        columns[name] = np.exp(values) if logarithm else values
    table = pd.DataFrame(columns).assign(set=["first", "second", "first"] + 3 * ["second"])
    return table.drop(index=4).sample(frac=1, random_state=1)


def reconstruct(folder, name="own", *, table=None, with_rate=False, seed=1, **changes):
    path = folder / "own" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    (photon_table(folder) if table is None else table).to_csv(path, index=False)
    here = folder / "short"
    settings = {"resolution": DETECTORS["e10a10"], "rate": RATE, "n_draws": 500}
    reconstruct_events.main(
        table=path,
        amortised=here / "amortised.safetensors",
        acceptance=here / "acceptance.parquet",
        draws=here / "observed" / f"{name}.parquet",
        summary=here / "observed" / f"{name}.json",
        with_rate=with_rate,
        n_predicted=20,
        seed=seed,
        **(settings | changes),
        **ON_CPU,
    )
    summary = io.read_json(here / "observed" / f"{name}.json")
    return io.read_table(here / "observed" / f"{name}.parquet"), summary


def run_all(folder):
    simulate(folder)
    train(folder)
    check(folder)
    reconstruct(folder)
    here = folder / "short"
    summarise_cinn.main(
        sharpness=here / "sharpness.parquet",
        comparison=here / "comparison.parquet",
        diagnosis=here / "diagnosis.json",
        timing=here / "timing.json",
        observed=[here / "observed" / "own.json"],
        summary=folder / "summary.json",
        slides="e1a1",
    )
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with everything in it."""
    return run_all(tmp_path_factory.mktemp("cinn"))


def read(folder, name):
    return io.read_table(folder / "short" / f"{name}.parquet")


def test_sets_share_mass_and_lifetime(folder):
    table = read(folder, "sets/test")
    assert table.groupby("set").size().tolist() == 120 * [4]
    assert (table.groupby("set")[list(PARAMETERS)].nunique() == 1).to_numpy().all()
    signal = read(folder, "sets/m0p2")
    lifetime = np.log10(1 / 0.2)
    np.testing.assert_allclose(signal[list(PARAMETERS)], [[np.log10(0.2), lifetime]] * 120, 1e-6)


def test_networks_are_for_what_they_were_trained_with(folder):
    _, settings = io.read_tensors(folder / "short" / "amortised.safetensors")
    assert settings["n_events"] == [1, 4]
    assert settings["detectors"]["energy"] == CINN["detectors"]["energy"]
    _, settings = io.read_tensors(folder / "short" / "single" / "e1a1.safetensors")
    assert settings["n_events"] == [3, 3]
    assert settings["detectors"]["angle_rad"] == [0.001, 0.001]
    assert read(folder, "published_history")["n_train"].tolist() == [150, 150]
    for name in ("history", "single/e1a1_history"):
        assert set(read(folder, name)) >= {"epoch", "train_loss", "validation_loss"}
    assert not (folder / "checkpoints" / "short" / "amortised").exists()


def test_posteriors_are_diagnosed_by_size(folder):
    truths = read(folder, "diagnosis")
    sizes = truths.groupby(["n_events", "parameter"]).size()
    expected = {(n, name): 120 for n in SIZES for name in ("mass", "lifetime")}
    assert sizes.to_dict() == expected
    assert truths[["pit", "level"]].to_numpy().min() >= 0
    assert truths[["pit", "level"]].to_numpy().max() <= 1
    sums = read(folder, "sbc").groupby(["n_events", "parameter"])["observed"].sum()
    assert sums.to_dict() == expected
    record = io.read_json(folder / "short" / "diagnosis.json")
    sigma = truths[truths["parameter"] == "mass"].groupby("n_events")["std"].mean()
    assert [one["mass"]["sigma"][0] for one in record] == pytest.approx(sigma.tolist())
    tarp = read(folder, "tarp")
    off = (tarp["empirical"] - tarp["expected"]).abs().groupby(tarp["n_events"]).max()
    assert [one["tarp"]["deviation"][0] for one in record] == pytest.approx(off.tolist())


def test_methods_are_compared_where_they_exist(folder):
    table = read(folder, "comparison")
    methods = table.groupby(["benchmark", "energy"])["method"].apply(set).to_dict()
    everywhere = {"diphoton", "product", "amortised"}
    assert methods == {
        (name, energy): everywhere | ({"published", "single"} if energy == 0.01 else set())
        for name in BENCHMARKS
        for energy in (0.01, 0.1)
    }
    counts = table.groupby("method")["n"].unique().map(list).to_dict()
    assert counts["product"] == [10]
    assert counts["amortised"] == [30]
    sharpness = read(folder, "sharpness").set_index("method")
    assert sorted(sharpness.index) == ["amortised", "published", "single"]
    assert sharpness.loc["amortised", "ratio"] == 1
    assert set(sharpness["n"]) == {120}


def test_geometries_are_compared_with_their_own_networks(folder):
    table = read(folder, "displaced")
    assert table.groupby(["dataset", "benchmark", "method"]).size().to_dict() == {
        (dataset, name, method): 2
        for dataset in DATASETS
        for name in BENCHMARKS
        for method in ("diphoton", "amortised")
    }
    short = table[table["dataset"] == "short"]
    merged = short.merge(
        read(folder, "comparison"), on=["benchmark", "energy", "method"], suffixes=("", "_too")
    )
    np.testing.assert_allclose(merged["sigma"], merged["sigma_too"], rtol=0.5)


def test_detectors_are_mapped(folder):
    table = read(folder, "map")
    assert len(table) == 2 * 4
    assert (table[["sigma_mass", "sigma_lifetime"]] > 0).to_numpy().all()


def test_examples_are_densities(folder):
    table = read(folder, "examples")
    support = Support.of(Prior(**SETUPS["short"]["prior"]))
    for _, one in table.groupby(["benchmark", "n_events"]):
        grid = one["density"].to_numpy().reshape(65, 9)
        integral = np.trapezoid(np.trapezoid(grid, dx=1 / 8), dx=1 / 64)
        assert integral * np.exp(support.log_area) == pytest.approx(1, rel=0.02)
    assert set(table["true_log10_mass"].round(4)) == {-0.699, 0}


def test_rates_narrow_the_lifetime(folder):
    roles = read(folder, "roles")
    assert roles.groupby("n_events").size().to_dict() == {1: 60, 3: 60}
    assert (roles["sigma_lifetime_rate"] < roles["sigma_lifetime"]).mean() > 0.5
    assert not np.allclose(roles["sigma_lifetime_rate"], roles["sigma_lifetime"])


def test_observed_sets_have_posteriors(folder):
    draws, summary = reconstruct(folder)
    assert (summary["n_events"], summary["n_sets"], summary["rate"]) == (5, 2, False)
    rows = {row["set"]: row for row in summary["sets"]}
    assert {name: row["n_events"] for name, row in rows.items()} == {"first": 2, "second": 3}
    groups = draws.groupby("set")
    assert groups.size().to_dict() == {"first": 500, "second": 500}
    for name, row in rows.items():
        mean = groups["log10_mass"].mean()[name]
        assert row["log10_mass_mean"] == pytest.approx(mean, abs=1e-5)
        assert row["outside"] == ""
        assert 0 < row["predictive_p"] <= 1


def test_without_names_all_events_are_one_set(folder):
    table = photon_table(folder).drop(columns="set").head(4)
    _, summary = reconstruct(folder, "one", table=table)
    assert [row["n_events"] for row in summary["sets"]] == [4]


def test_rates_count_if_they_are_asked_for(folder):
    draws, summary = reconstruct(folder, "rate", with_rate=True)
    assert summary["rate"]
    assert all(row["effective_draws"] < 2000 for row in summary["sets"])
    assert len(draws) == 1000
    plain, _ = reconstruct(folder)
    columns = list(PARAMETERS)
    assert not np.allclose(draws[columns].mean(), plain[columns].mean(), atol=1e-4)


def test_sets_outside_of_the_training_are_flagged(folder):
    worse = DETECTORS["e10a10"] | {"energy": 0.3}
    _, summary = reconstruct(folder, "worse", resolution=worse)
    assert all("resolution energy is 0.3" in row["outside"] for row in summary["sets"])
    table = photon_table(folder).assign(set=7)
    _, summary = reconstruct(folder, "large", table=table)
    assert summary["sets"][0]["set"] == 7
    assert "5 events, but training had 1 to 4" in summary["sets"][0]["outside"]


def test_events_without_a_set_are_refused(folder):
    table = photon_table(folder).reset_index(drop=True)
    table.loc[2, "set"] = None
    with pytest.raises(ValueError, match="event 2 has no 'set'"):
        reconstruct(folder, "missing", table=table)


def test_summary_has_names_numbers_and_references(folder):
    found = {one.quantity: one for one in from_records(io.read_json(folder / "summary.json"))}
    names = {
        "cinn.slides.validation_loss",
        "cinn.slides.validation_loss.published",
        "cinn.slides.sigma_mass",
        "cinn.amortised.sharpness_ratio",
        "cinn.amortised.sbc_p.mass",
        "cinn.amortised.sbc_p.lifetime",
        "cinn.amortised.tarp_max_deviation",
        "cinn.m0p2.spread_ratio_to_mgg",
        "cinn.m1.spread_ratio_to_mgg",
        "cinn.posterior_milliseconds",
        "cinn.observed.own.log10_mass.set0",
    }
    assert names <= set(found)
    assert found["cinn.slides.validation_loss"].reference == -1.2716
    sharpness = read(folder, "sharpness").set_index("method")
    assert found["cinn.amortised.sharpness_ratio"].value == sharpness.loc["single", "ratio"]


def test_a_second_run_gives_the_same(folder, tmp_path):
    simulate(tmp_path)
    train(tmp_path)
    check(tmp_path)
    for path in (tmp_path / "short").rglob("*.parquet"):
        one, two = io.read_table(path), io.read_table(folder / path.relative_to(tmp_path))
        drop = ["seconds"] if "history" in path.name else []
        pd.testing.assert_frame_equal(one.drop(columns=drop), two.drop(columns=drop))
    assert (
        Path(tmp_path / "short" / "diagnosis.json").read_bytes()
        == (folder / "short" / "diagnosis.json").read_bytes()
    )
