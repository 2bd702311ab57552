"""Scripts of ALP hunts, one after the other, on few events and small networks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.compatibility.settings import ARCHITECTURES
from bumpflow.simulate.alps.features import FEATURES
from bumpflow.simulate.alps.sampling import PARAMETERS, PHOTONS, VERTEX
from bumpflow.simulate.beamdump import B_MASS_GEV
from bumpflow.summary import from_records
from scripts import (
    check_moments,
    check_posteriors,
    hunt_events,
    hunt_toys,
    infer_parameters,
    measure_hunts,
    observe_alps,
    rank_pairs,
    simulate_alps,
    summarise_alps,
    train_pairs,
    train_posterior,
    train_ratio,
)

CONFIG = io.read_yaml("config/config.yaml")
ALP = CONFIG["alp"]
SETUP, POOR = CONFIG["beamdumps"]["ship"], CONFIG["resolutions"]["poor"]
BENCHMARKS = {name: ALP["benchmarks"][name] for name in ("m0p2", "m1")}
SIZES = {"train": 800, "sets": 300, "test": 150, "background": 300, "m0p2": 250, "m1": 250}
TRAINING = {"learning_rate": 5e-3, "batch_size": 100, "max_epochs": 2, "patience": 2}
POSTERIOR = {
    "n_masses": 40,
    "n_lifetimes": 5,
    "n_vertices": 16,
    "hidden_features": 16,
    "blocks": 1,
    "rank": 2,
    "members": 1,
    "validation_fraction": 0.1,
}
RATIO = ALP["ratio"] | {"training": TRAINING, "sizes": {"hidden_features": 8, "layers": 1}}
PAIRS = {
    "eco": {"hidden_features": 8, "layers": 1, "symmetric": True},
    "epoconv": {"channels": [8], "hidden_features": 8, "layers": 1, "scaling": "common"},
}
BINS = {"m0p2": 4, "m1": 11}
POINTS, MAP = [[2, 4], [6, 4]], {"mu_b": [1, 2], "mu_s": [3]}
THRESHOLDS, LEVELS = [0.5, 0.68], [0.32, 0.05]
N_PAIRS = 100
ON_CPU = {"device": "cpu"}
TABLES = ["points", "maps", "thresholds", "purities", "errors", "distributions"]


def simulate(folder, seed=1):
    for name, n_events in SIZES.items():
        simulate_alps.main(
            mesons=[],
            events=folder / "events" / f"{name}.parquet",
            population=name,
            n_events=n_events,
            benchmark=BENCHMARKS.get(name),
            setup=SETUP,
            seed=seed,
        )
    observe_alps.main(
        events=[folder / "events" / f"{name}.parquet" for name in SIZES],
        features=[folder / "features" / f"{name}.parquet" for name in SIZES],
        setup=SETUP,
        resolution=POOR,
        seed=seed,
    )
    check_moments.main(
        moments=folder / "moments.parquet",
        rows=ALP["moments"],
        beam_dumps=CONFIG["beamdumps"],
        resolutions=CONFIG["resolutions"],
        n_events=2000,
        seed=seed,
    )


def features(folder, name):
    return folder / "features" / f"{name}.parquet"


def train(folder, seed=1):
    common = ON_CPU | {"seed": seed}

    def outputs(name):
        return {
            "model": folder / f"{name}.safetensors",
            "history": folder / f"{name}_history.parquet",
            "checkpoints": str(folder / "checkpoints" / name / "code"),
        }

    train_posterior.main(
        train=features(folder, "train"),
        **outputs("posterior"),
        setup=SETUP,
        resolution=POOR,
        settings=POSTERIOR,
        training=TRAINING,
        **common,
    )
    train_ratio.main(
        train=features(folder, "train"),
        **outputs("ratio"),
        masses={"mass_gev": SETUP["prior"]["mass_gev"], "n_masses": 30},
        settings=RATIO,
        **common,
    )
    for name, sizes in PAIRS.items():
        settings = {"members": 2, "sizes": sizes, "validation_fraction": 0.1, "training": TRAINING}
        train_pairs.main(
            sets=features(folder, "sets"),
            ratio=folder / "ratio.safetensors",
            **outputs(name),
            network=name,
            settings=settings,
            **common,
        )


def trained(folder, networks=tuple(PAIRS)):
    return {
        "posterior": folder / "posterior.safetensors",
        "ratio": folder / "ratio.safetensors",
        "networks": [folder / f"{name}.safetensors" for name in networks],
    }


def check(folder):
    signals = [features(folder, name) for name in BENCHMARKS]
    networks = trained(folder)
    check_posteriors.main(
        posterior=networks["posterior"],
        ratio=networks["ratio"],
        test=features(folder, "test"),
        signals=signals,
        events=folder / "posterior_events.parquet",
        coverage=folder / "posterior_coverage.parquet",
        record=folder / "posterior_checks.json",
        benchmarks=BENCHMARKS,
        **ON_CPU,
    )
    rank_pairs.main(
        **networks,
        background=features(folder, "background"),
        signals=signals,
        rejections=folder / "rejections.parquet",
        curves=folder / "roc.parquet",
        n_pairs=N_PAIRS,
        threshold=0.68,
        **ON_CPU,
    )


def hunt(folder, seed=1):
    for name in ("background", *BENCHMARKS):
        hunt_toys.main(
            **trained(folder, ["eco"]),
            background=features(folder, "background"),
            signal=[] if name == "background" else [features(folder, name)],
            toys=folder / "toys" / f"{name}.parquet",
            points=POINTS,
            grid=MAP,
            n_toys={
                "background": {"n_toys": 400, "n_min": 20},
                "signal": {"n_toys": 200, "n_min": 2},
            },
            thresholds=THRESHOLDS,
            bins=BINS,
            seed=seed,
            **ON_CPU,
        )
    measure_hunts.main(
        background=folder / "toys" / "background.parquet",
        signals=[folder / "toys" / f"{name}.parquet" for name in BENCHMARKS],
        **{name: folder / f"{name}.parquet" for name in TABLES},
        networks=["eco"],
        rates=POINTS,
        grid=MAP,
        threshold=0.68,
        tried=THRESHOLDS,
        bins=BINS,
        levels=LEVELS,
        n_events=5,
    )


def infer(folder, seed=1):
    infer_parameters.main(
        posterior=folder / "posterior.safetensors",
        background=features(folder, "background"),
        signal=features(folder, "m1"),
        scaling=folder / "scaling.parquet",
        toys=folder / "inferred.parquet",
        coverage=folder / "inferred_coverage.parquet",
        settings={"n_signal": [1, 3], "mixtures": [[1, 2], [2, 3]], "n_toys": 60},
        mass_gev=1,
        threshold=0.68,
        seed=seed,
        **ON_CPU,
    )
    hunt_events.main(
        table=Path(ALP["observed"]["example"]["path"]),
        **trained(folder, ["eco"]),
        background=features(folder, "background"),
        **{
            name: folder / "observed" / f"example_{name}.parquet"
            for name in ("events", "pairs", "posteriors")
        },
        summary=folder / "observed" / "example.json",
        setup=SETUP,
        resolution=POOR,
        threshold=0.68,
        bins=BINS,
        mu_b=2.0,
        n_toys=200,
        seed=seed,
        **ON_CPU,
    )
    summarise_alps.main(
        moments=folder / "moments.parquet",
        rejections=[folder / "rejections.parquet"],
        points=[folder / "points.parquet"],
        errors=[folder / "errors.parquet"],
        checks=[folder / "posterior_checks.json"],
        observed=[folder / "observed" / "example.json"],
        summary=folder / "summary.json",
        resolutions=["poor"],
        n_pairs=N_PAIRS,
    )


def run_all(folder):
    simulate(folder)
    train(folder)
    check(folder)
    hunt(folder)
    infer(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with everything in it."""
    return run_all(tmp_path_factory.mktemp("alps"))


def read(folder, name):
    return io.read_table(folder / f"{name}.parquet")


def leading_energies(events):
    return np.linalg.norm(events[["true_px1", "true_py1", "true_pz1"]], axis=1)


def test_photons_have_the_mass_of_the_particle_in_gev(folder):
    for name, n_events in SIZES.items():
        table = read(folder, f"events/{name}")
        assert len(table) == (2 * n_events if name == "sets" else n_events)
        assert set(table) >= {*PARAMETERS, *PHOTONS, *VERTEX}
        one, two = (table[[f"true_p{axis}{i}" for axis in "xyz"]].to_numpy() for i in (1, 2))
        energies = [np.linalg.norm(part, axis=1) for part in (one, two)]
        square = 2 * (energies[0] * energies[1] - (one * two).sum(1))
        np.testing.assert_allclose(square, 100 ** table["log10_mass"], rtol=1e-4)
    assert np.unique(read(folder, "events/m0p2")["log10_mass"]).tolist() == [np.log10(0.2)]


def test_mesons_come_from_all_files(tmp_path):
    slow, fast = tmp_path / "slow.parquet", tmp_path / "fast.parquet"
    for path, pz in ((slow, 60.0), (fast, 140.0)):
        px = 0.04 * pz
        energy = np.sqrt(px**2 + pz**2 + B_MASS_GEV**2)
        row = {"event": [1], "energy": [energy], "pz": [pz], "py": [0.0], "px": [px]}
        io.write_table(path, pd.DataFrame(row))

    def total(files):
        simulate_alps.main(
            mesons=files,
            events=tmp_path / "events.parquet",
            population="m1",
            n_events=200,
            benchmark=BENCHMARKS["m1"],
            setup=SETUP,
            seed=1,
        )
        table = read(tmp_path, "events")
        return [table[f"true_p{axis}1"] + table[f"true_p{axis}2"] for axis in "xyz"]

    assert total([slow])[2].max() < 61
    for files in ([slow, fast], [fast, slow]):
        across, up, along = total(files)
        assert 61 < along.max() < 141
        assert across.mean() > 5 * across.std() / np.sqrt(200)
        assert abs(up.mean()) < 4 * up.std() / np.sqrt(200)


def test_features_are_measured_with_errors_of_their_own(folder, tmp_path):
    for name in SIZES:
        true, seen = read(folder, f"events/{name}"), read(folder, f"features/{name}")
        assert seen.columns.tolist() == [*FEATURES, *PARAMETERS]
        pd.testing.assert_frame_equal(seen[list(PARAMETERS)], true[list(PARAMETERS)])
        off = seen["ln_e1"] - np.log(leading_energies(true))
        assert np.std(off) == pytest.approx(POOR["energy"], rel=0.2)
        assert np.abs(seen["x1"] - true["true_x1"]).max() < 6 * POOR["hit_m"]
    energies = leading_energies(read(folder, "events/test"))
    events = folder / "events" / "test.parquet"
    both = [tmp_path / "one.parquet", tmp_path / "two.parquet"]
    observe_alps.main(events=[events, events], features=both, setup=SETUP, resolution=POOR, seed=1)
    off = [io.read_table(path)["ln_e1"] - np.log(energies) for path in both]
    assert abs(np.corrcoef(*off)[0, 1]) < 4 / np.sqrt(SIZES["test"])


def test_moments_are_near_the_published_ones(folder):
    table = read(folder, "moments")
    assert table["row"].tolist() == ["good", "poor", "slides"]
    assert set(table["n"]) == {2000}
    assert (table["mean"] < 0.1).all()
    assert (table["variance"] < 0.2).all()
    assert set(table["mean_of"]) | set(table["variance_of"]) <= set(FEATURES)


@pytest.mark.parametrize("name", ["posterior", "ratio", *PAIRS])
def test_training_is_recorded(folder, name):
    history = read(folder, f"{name}_history")
    members = 2 if name in PAIRS else 1
    assert len(history) == 2 * members
    assert set(history["n_train"]) == {SIZES["sets" if name in PAIRS else "train"]}
    assert set(history) >= {"epoch", "train_loss", "validation_loss"}
    assert not (folder / "checkpoints" / name).exists()


def test_pair_networks_have_the_architecture_of_their_name(folder):
    for name in PAIRS:
        _, settings = io.read_tensors(folder / f"{name}.safetensors")
        assert settings["architecture"] == ARCHITECTURES[name]
        inputs = {"eco": 10, "epoconv": 30}[name]
        assert [sizes["features"] for sizes in settings["networks"]] == 2 * [inputs]


def test_posteriors_are_checked_for_all_populations(folder):
    table = read(folder, "posterior_events")
    sizes = table.groupby(["population", "kind"]).size()
    assert sizes.to_dict() == {
        (name, kind): SIZES[name]
        for name in ("test", *BENCHMARKS)
        for kind in ("mass", "lifetime", "published")
    }
    assert table[["level", "pit"]].to_numpy().min() >= 0
    assert table[["level", "pit"]].to_numpy().max() <= 1
    record = io.read_json(folder / "posterior_checks.json")
    levels = table.loc[(table["population"] == "test") & (table["kind"] == "mass"), "level"]
    assert record["mass"]["coverage68"][0] == pytest.approx((levels <= 0.68).mean())
    coverage = read(folder, "posterior_coverage")
    assert set(coverage["n"]) == {SIZES["test"]}


def test_pairs_are_ranked(folder):
    table = read(folder, "rejections")
    hunts = table.groupby(["hunt", "benchmark"])["member"].apply(list).to_dict()
    assert hunts == {
        (hunt, name): [0, 1, -1] if hunt in PAIRS else [-1]
        for hunt in (*PAIRS, "epo", "bump")
        for name in BENCHMARKS
    }
    assert table["auc"].between(0.3, 1).all()
    assert (table.loc[table["hunt"] == "epo", "auc"] > 0.55).all()
    curves = read(folder, "roc")
    assert curves[["efficiency", "background"]].to_numpy().max() <= 1


def test_toys_have_all_hunts(folder):
    hunts = [f"{hunt}_{t:g}" for hunt in ("eco", "epo") for t in THRESHOLDS]
    hunts += [f"{hunt}_{n}" for hunt in ("bump", "fair") for n in (4, 11)]
    hunts += ["lrmax_2", "lrmax_6", "log_e_0", "log_e_1"]
    for name in ("background", *BENCHMARKS):
        table = read(folder, f"toys/{name}")
        assert set(hunts) <= set(table)
        assert (table["n_signal"].max() > 0) == (name != "background")
        n_events = table["n_background"] + table["n_signal"]
        assert (table[hunts[:4]].to_numpy() <= n_events.to_numpy()[:, None]).all()
        # E_1 is the number of events.
        np.testing.assert_allclose(np.exp(table["log_e_1"]), n_events, rtol=1e-3)
    assert read(folder, "toys/background")["n_background"].max() >= 20


def test_hunts_are_measured(folder):
    found = {name: read(folder, name) for name in TABLES}
    assert set(found["points"]["benchmark"]) == set(BENCHMARKS)
    hunts = {"eco", "epo", "bump", "fair", "moving", "lr", "lrshape"}
    assert set(found["points"]["hunt"]) == hunts | {"lrmax"}
    assert set(found["maps"]["hunt"]) == hunts
    assert len(found["maps"]) == 2 * 7 * 2
    bins = found["points"].loc[found["points"]["hunt"] == "bump"]
    assert bins.groupby("benchmark")["setting"].unique().map(list).to_dict() == {
        name: [float(n)] for name, n in BINS.items()
    }
    assert set(found["thresholds"]["hunt"]) == {"eco", "epo"}
    assert found["thresholds"]["setting"].isna().sum() == 2 * 2 * 2
    assert len(found["purities"].query("hunt == 'eco' and benchmark == 'm1'")) >= 2 * 4
    assert len(found["errors"]) == 10 * 2 * 2  # hunts with both numbers of bins, rates and levels
    sums = found["distributions"].groupby(["benchmark", "hunt", "mu_b", "mu_s"])
    np.testing.assert_allclose(sums[["background", "signal"]].sum(), 1)
    for name in ("points", "maps", "thresholds"):
        z = found[name]["z_two_sided" if name == "points" else "z"]
        assert z.between(0, 6).all()


def test_parameters_are_inferred(folder):
    scaling = read(folder, "scaling")
    assert scaling.groupby("n_events").size().to_dict() == {1: 60, 3: 60}
    widths = scaling.groupby("n_events")["std"].mean()
    assert widths[3] < widths[1]
    toys = read(folder, "inferred")
    assert set(toys["way"]) == {"cleaned", "signal", "marginal"}
    assert set(zip(toys["n_background"], toys["n_signal"], strict=True)) == {(1, 2), (2, 3)}
    assert toys["mean"].between(-1, np.log10(4.5)).all()
    assert set(read(folder, "inferred_coverage")) >= {"way", "kind", "expected", "empirical"}


def test_observed_events_are_hunted(folder):
    summary = io.read_json(folder / "observed" / "example.json")
    n = len(pd.read_csv(ALP["observed"]["example"]["path"]))
    assert summary["n_events"] == n
    assert set(summary["hunts"]) == {"eco", "epo", "bump4", "bump11", "moving", "lr", "lrmax"}
    assert all(0 < row["p"] <= 1 for row in summary["hunts"].values())
    assert len(read(folder, "observed/example_events")) == n


def test_summary_has_names_numbers_and_references(folder):
    found = {one.quantity: one for one in from_records(io.read_json(folder / "summary.json"))}
    names = {
        "alp.eco.poor.auc.m1",
        "alp.epo.poor.rejection80.m0p2",
        "alp.epoconv.poor.rejection90.m1",
        "alp.lr.poor.z.m1.b2s4",
        "alp.bump.poor.z.m0p2.b6s4",
        "alp.lr.poor.type_one5.b2",
        "alp.posterior.poor.coverage68",
        "alp.posterior.poor.sigma.published",
        "alp.moments.max_mean_shift",
        "alp.observed.example.p.lr",
    }
    assert names <= set(found)
    assert found["alp.eco.poor.auc.m1"].reference == 0.8916
    assert found["alp.lr.poor.z.m1.b2s4"].reference == 2.89
    points = read(folder, "points").query(
        "hunt == 'lr' and benchmark == 'm1' and mu_b == 2 and null == 'background'"
    )
    assert found["alp.lr.poor.z.m1.b2s4"].value == pytest.approx(points["z_two_sided"].item())


def test_a_second_run_gives_the_same(folder, tmp_path):
    again = run_all(tmp_path)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in files:
        if "history" in name.name:  # they hold seconds
            one, two = (io.read_table(base / name) for base in (folder, again))
            pd.testing.assert_frame_equal(*(t.drop(columns="seconds") for t in (one, two)))
        else:
            assert (folder / name).read_bytes() == (again / name).read_bytes(), name
