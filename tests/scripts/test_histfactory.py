"""Scripts of the search, one after the other on tiny files."""

import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow import io
from bumpflow.flows.density import DensitySettings, EventDensity, store
from bumpflow.search.arms import ARMS
from bumpflow.search.scorecard import search_quantities
from bumpflow.stats.fit import CONVERGED
from bumpflow.summary import from_records
from scripts import (
    build_workspace,
    fill_templates,
    fit_workspace,
    generate_background,
    judge_reweighting,
    run_toys,
    scan_fits,
    score_events,
    summarise_histfactory,
    train_member,
    train_reweighting,
    train_selection,
)

FEATURES = ["a", "b"]
SPLITS = ["train", "validation", "holdouta", "holdoutb"]
USES = {
    "selection": ["train"],
    "signal": ["holdouta"],
    "background": ["train"],
    "reweighting": ["holdouta"],
    "data": ["holdoutb"],
    "generated": ["template"],
    "train": ["train"],
    "validation": ["validation"],
}
OBSERVABLES = {
    "score": {"column": "score", "edges": [0.3, 0.6, 1]},
    "mass": {"column": "a", "low": -3, "high": 5, "n_bins": 2},
}
TRAINING = {"learning_rate": 0.01, "batch_size": 64, "max_epochs": 3, "patience": 3}
NETWORK = {
    "hidden_features": 8,
    "layers": 1,
    "repeats": 1,
    "validation_fraction": 0.2,
    "training": TRAINING,
}
REWEIGHTING = {"folds": 2, "clip": 3, "resmlp": NETWORK}
SETTINGS = {
    "crosssection_fb": 1000.0,
    "luminosity_fb": 1.0,
    "signal_fraction": 0.1,
    "systematic": 0.1,
    "systematics": [0.1],
    "normalisation": "crosssection",
    "mc_statistics": "staterror",
    "confidence": 0.95,
    "scans": {"luminosity_fb": {"low": 1, "high": 10, "n_points": 2}},
    "ensemble": {"max_variations": 2},
    "toys": {"n_toys": 60},
}
TREES = {
    "learning_rate": 0.1,
    "max_iter": 10,
    "max_leaf_nodes": 4,
    "l2_regularization": 1.0,
    "patience": 5,
    "validation_fraction": 0.2,
}
COMMON = {"device": "cpu", "seed": 5}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder in which all scripts ran, up to the fits."""
    folder = tmp_path_factory.mktemp("search")
    _write_events(folder)
    generate_background.main(
        events=folder / "events.parquet",
        model=folder / "model.safetensors",
        chunks=[],
        generated=folder / "generated.parquet",
        label=0,
        n_events={"selection": 400, "reweighting": 300, "template": 3000},
        block_size=256,
        **COMMON,
    )
    _train_networks(folder)
    score_events.main(
        background=folder / "events.parquet",
        signal=folder / "events.parquet",
        generated=folder / "generated.parquet",
        classifier=folder / "selection.safetensors",
        reweighter=folder / "reweighting.safetensors",
        mc_chunks=[],
        surrogate_chunks=[],
        mc=folder / "mc.parquet",
        surrogate=folder / "surrogate.parquet",
        inputs=FEATURES,
        labels=[0, 1],
        splits=SPLITS,
        device="cpu",
    )
    fill_templates.main(
        mc=folder / "mc.parquet",
        surrogate=folder / "surrogate.parquet",
        templates=folder / "templates.parquet",
        efficiencies=folder / "efficiencies.json",
        observables=OBSERVABLES,
        cut=0.3,
        splits=USES,
        sizes=[1000],
    )
    for name in ("bootstrap0", "bootstrap1", "replica0", "replica1"):
        _train_member(folder, name)
    return folder


def _write_events(folder):
    rng = np.random.default_rng(0)
    n = 4 * 500
    background = pd.DataFrame(rng.normal(size=(n, 2)).astype("f4"), columns=FEATURES)
    signal = pd.DataFrame(rng.normal([1.5, 0], 1, size=(n, 2)).astype("f4"), columns=FEATURES)
    table = pd.concat([background.assign(label=0), signal.assign(label=1)]).astype({"label": "i1"})
    table["split"] = pd.Categorical(np.tile(SPLITS, n // 2))
    io.write_table(folder / "events.parquet", table)
    sizes = {"hidden_features": 8, "layers": 1, "transforms": 1}
    density = EventDensity(DensitySettings(("a", "b"), "realnvp", sizes, "gaussrank"))
    density.fit_scalers(torch.tensor(background.to_numpy()))
    tensors, settings = store(density.eval())
    io.write_tensors(folder / "model.safetensors", tensors, settings=settings)


def _train_networks(folder):
    common = {"generated": folder / "generated.parquet", "inputs": FEATURES} | COMMON
    train_selection.main(
        signal=folder / "events.parquet",
        classifier=folder / "selection.safetensors",
        history=folder / "history.parquet",
        label=1,
        splits=USES["selection"],
        settings=NETWORK,
        **common,
    )
    train_reweighting.main(
        events=folder / "events.parquet",
        reweighter=folder / "reweighting.safetensors",
        calibration=folder / "calibration.parquet",
        label=0,
        splits=USES["reweighting"],
        settings=REWEIGHTING,
        **common,
    )


def _train_member(folder, name):
    train_member.main(
        events=folder / "events.parquet",
        central=folder / "model.safetensors",
        classifier=folder / "selection.safetensors",
        model=folder / name / "model.safetensors",
        history=folder / name / "history.parquet",
        templates=folder / name / "templates.parquet",
        kind=name[:-1],
        label=0,
        mirror=[],
        splits=USES,
        settings={
            "training": TRAINING | {"ensemble": 1, "max_events": None},
            "reweighting": REWEIGHTING,
            "n_template": 1500,
            "n_reweighting": 300,
            "block_size": 256,
        },
        observables=OBSERVABLES,
        cut=0.3,
        checkpoints=str(folder / "checkpoints" / name / "code"),
        device="cpu",
        seed=int(name[-1]) + 10,
    )


def _members(folder, kind):
    return [folder / f"{kind}{number}" / "templates.parquet" for number in (0, 1)]


def test_generated_events_serve_one_purpose_each(study):
    table = io.read_table(study / "generated.parquet")
    counts = table["split"].value_counts()
    assert counts.to_dict() == {"selection": 400, "reweighting": 300, "template": 3000}
    assert (table["label"] == 0).all()
    assert not table.duplicated(FEATURES).any()


def test_scores_tell_signal_from_background_and_features_are_untouched(study):
    mc, events = io.read_table(study / "mc.parquet"), io.read_table(study / "events.parquet")
    means = mc.groupby("label")["score"].mean()
    assert means[1] > means[0] + 0.1
    assert (mc["weight"] == 1).all()
    assert len(mc) == len(events)
    for label in (0, 1):
        for split in SPLITS:
            rows = [
                t[(t["label"] == label) & (t["split"] == split)][FEATURES] for t in (mc, events)
            ]
            assert np.array_equal(*rows)
    surrogate = io.read_table(study / "surrogate.parquet")
    assert len(surrogate) == 3000
    assert (surrogate["split"] == "template").all()


def test_templates_have_every_sample_at_its_sizes(study):
    table = io.read_table(study / "templates.parquet")
    sizes = table.groupby("sample")["n_generated"].unique().map(sorted).to_dict()
    assert sizes == {
        "signal": [500],
        "injected": [500],
        "data": [500],
        "mc": [500],
        "surrogate": [1000, 3000],
        "reweighted": [1000, 3000],
    }
    efficiencies = io.read_json(study / "efficiencies.json")
    assert efficiencies["signal"]["value"] > efficiencies["mc"]["value"]


def test_retrained_surrogates_have_templates_of_their_own(study):
    values = []
    for kind in ("bootstrap", "replica"):
        for path in _members(study, kind):
            table = io.read_table(path)
            assert set(table["sample"]) == {"surrogate", "reweighted"}
            assert set(table["n_generated"]) == {1500}
            values.append(tuple(table["value"]))
            assert len(io.read_table(path.with_name("history.parquet"))) == 3
    assert len(set(values)) == 4
    assert not list((study / "checkpoints").glob("*"))


def test_fits_toys_and_scorecard(study):
    settings = SETTINGS
    for arm in ("mc", "surrogatenuisance"):
        build_workspace.main(
            templates=study / "templates.parquet",
            members=_members(study, "bootstrap"),
            background=study / arm / "background.json",
            injected=study / arm / "injected.json",
            arm=arm,
            observable="mass",
            settings=settings,
        )
    fit_workspace.main(
        background=study / "surrogatenuisance" / "background.json",
        injected=study / "surrogatenuisance" / "injected.json",
        result=study / "fit.json",
        nuisances=study / "nuisances.parquet",
        binning=OBSERVABLES["mass"],
    )
    fits = io.read_json(study / "fit.json")
    assert fits["injected"]["status"] == CONVERGED
    assert fits["injected"]["edges"] == [-3, 1, 5]
    assert fits["injected"]["mu"] > fits["background"]["mu"]
    assert set(io.read_table(study / "nuisances.parquet")["fit"]) == {"background", "injected"}
    scan_fits.main(
        templates=study / "templates.parquet",
        members=_members(study, "bootstrap"),
        scans=study / "scans.parquet",
        timing=study / "timing.json",
        observable="mass",
        settings=settings,
    )
    _run_toys(study, study / "toys.parquet")
    _judge(study)
    summarise_histfactory.main(
        efficiencies=study / "efficiencies.json",
        reweighting=study / "reweighting.json",
        scans=study / "scans.parquet",
        toys=study / "toys.parquet",
        timing=study / "timing.json",
        summary=study / "summary.json",
        settings=settings,
    )
    card = {q.quantity: q for q in from_records(io.read_json(study / "summary.json"))}
    measures = ("pull_mean", "pull_width", "coverage68", "coverage95", "limit_shift")
    for subject in ("mc", "surrogate", "reweighted"):
        assert {f"histfactory.{subject}.{name}" for name in measures} <= set(card)
    for subject in ("surrogate", "reweighted"):
        assert {f"histfactory.{subject}.{name}.nuisance" for name in measures} <= set(card)
    scans = io.read_table(study / "scans.parquet")
    last = scans[(scans["scan"] == "generated") & (scans["n_generated"] == 3000)].set_index("arm")
    ratio = last["spurious"] / last["stat_uncertainty"]
    assert card["histfactory.unweighted.spurious_over_sigma"].value == ratio["surrogate"]
    assert card["histfactory.surrogate.spurious_over_sigma"].value == ratio["reweighted"]
    assert card["histfactory.mc.mu_hat"].n == 500
    assert card["histfactory.surrogate.mu_hat"].n == 3000
    assert card["histfactory.limit_seconds"].value < 5


def _run_toys(study, path, seed=3):
    run_toys.main(
        templates=study / "templates.parquet",
        bootstraps=_members(study, "bootstrap"),
        replicas=_members(study, "replica"),
        toys=path,
        pulls=path.with_name("pulls.parquet"),
        observable="mass",
        settings=SETTINGS,
        seed=seed,
    )
    return io.read_table(path)


def _judge(study):
    judge_reweighting.main(
        mc=study / "mc.parquet",
        surrogate=study / "surrogate.parquet",
        reweighter=study / "reweighting.safetensors",
        record=study / "reweighting.json",
        inputs=FEATURES,
        splits=USES,
        settings=TREES,
        seed=4,
    )


def test_toys_repeat_with_their_seed_and_share_replicas_evenly(study, tmp_path):
    first, same, other = (
        _run_toys(study, tmp_path / name / "toys.parquet", seed)
        for name, seed in (("a", 3), ("b", 3), ("c", 4))
    )
    assert first.equals(same)
    assert not first.equals(other)
    assert list(first["arm"]) == [*ARMS, "mcpoisson"]
    pulls = io.read_table(tmp_path / "a" / "pulls.parquet")
    groups = pulls.groupby("arm")["group"].nunique()
    assert groups["surrogate"] == 2
    assert groups["mc"] > 50


def test_failed_fits_are_left_off_the_scorecard():
    scans = pd.DataFrame(
        {
            "scan": ["generated"],
            "arm": ["mc"],
            "systematic": [0.1],
            "n_generated": [10],
            "status": ["failed: no minimum"],
            "spurious": [np.nan],
        }
    )
    record = {"value": 0.5, "uncertainty": 0.1, "n": 5}
    found = search_quantities(
        efficiencies={"data": record},
        reweighting={"auc_before": record, "auc_after": record, "effective_fraction": 1.0},
        scans=scans,
        toys=pd.DataFrame(),
        timing={"limit_seconds": 0.1, "luminosity_scan_seconds": 1.0},
        settings=SETTINGS,
    )
    assert not any("spurious" in quantity.quantity for quantity in found)


def test_nothing_is_learnt_from_the_events_that_play_the_data(study, tmp_path):
    events = io.read_table(study / "events.parquet")
    data = events["split"].isin(USES["data"])
    events.loc[data, FEATURES] += np.float32(7)
    io.write_table(tmp_path / "events.parquet", events)
    for name in ("model.safetensors", "generated.parquet"):
        (tmp_path / name).write_bytes((study / name).read_bytes())
    _train_networks(tmp_path)
    _train_member(tmp_path, "bootstrap0")
    for name in ("selection.safetensors", "reweighting.safetensors", "calibration.parquet"):
        assert (tmp_path / name).read_bytes() == (study / name).read_bytes(), name
    templates = [
        io.read_table(path / "bootstrap0" / "templates.parquet") for path in (tmp_path, study)
    ]
    assert templates[0].equals(templates[1])
