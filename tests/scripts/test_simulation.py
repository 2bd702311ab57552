"""Scripts that generate, gather, mix and convert events."""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pylhe
import pytest

from bumpflow import io
from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.simulate import settings as simulation
from bumpflow.simulate.select.uci import UCI_DIVISORS
from scripts import (
    adapt_phase_space,
    compare_benchmark,
    convert_events,
    derive_jet_scale,
    gather_sample,
    mix_samples,
    simulate_chunk,
    tabulate_double_higgs,
    tabulate_form_factors,
    write_partons,
)

CONFIG = io.read_yaml(Path(__file__).parents[2] / "config" / "config.yaml")
N = 60


def simulate(folder, name, blocks, *, chunk=0, jet_scale=(), process=(), seed=4, **changes):
    events, record = folder / f"{name}{chunk}.parquet", folder / f"{name}{chunk}.json"
    simulate_chunk.main(
        jet_scale=list(jet_scale),
        process=list(process),
        events=events,
        record=record,
        sample=simulation.sample_settings(CONFIG, name) | changes,
        blocks=list(blocks),
        block_size=N,
        seed=seed,
    )
    return events, record


def gather(folder, name, parts):
    events, record = folder / f"{name}.parquet", folder / f"{name}.json"
    chunks, records = map(list, zip(*parts, strict=True))
    gather_sample.main(chunks=chunks, records=records, events=events, record=record)
    return io.read_table(events), io.read_json(record)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("simulation")


@pytest.fixture(scope="module")
def jet_scale(folder):
    table, responses = folder / "scale.parquet", folder / "responses.parquet"
    derive_jet_scale.main(
        table=table,
        responses=responses,
        settings=simulation.jet_scale_settings(CONFIG, "uci", "pp8")
        | {"block_size": 400, "n_blocks": 2},
        seed=1,
    )
    return table, responses


@pytest.fixture(scope="module")
def higgs(folder, jet_scale):
    """Both samples of the HIGGS benchmark."""
    made = {}
    for name in ("ttbar8", "heavyhiggs"):
        parts = [simulate(folder, name, (0, 4), jet_scale=jet_scale[:1])]
        made[name] = gather(folder, name, parts)
    return made


def test_same_seed_same_bytes(folder):
    first, again = (
        simulate(folder, "bmesons", (0, 2), chunk=chunk)[0].read_bytes() for chunk in (10, 11)
    )
    other = simulate(folder, "bmesons", (0, 2), chunk=12, seed=5)[0].read_bytes()
    assert first == again
    assert first != other


def test_sample_is_independent_of_its_number_of_chunks(folder):
    whole, one = gather(folder, "one", [simulate(folder, "bmesons", (0, 4), chunk=20)])
    parts = [simulate(folder, "bmesons", (k, k + 2), chunk=21 + k) for k in (0, 2)]
    cut, two = gather(folder, "two", parts)
    pd.testing.assert_frame_equal(
        whole.drop(columns=["weight_fb", "crosssection_fb"]),
        cut.drop(columns=["weight_fb", "crosssection_fb"]),
    )
    assert one["cutflow"] == two["cutflow"]
    assert one["blocks"] == two["blocks"] == [0, 4]
    # The estimates of the cross-section are of the same events, in other groups.
    error = np.hypot(one["crosssection_error_fb"], two["crosssection_error_fb"])
    assert one["crosssection_fb"] == pytest.approx(two["crosssection_fb"], abs=4 * error)


def test_metadata_tell_how_events_were_made(folder):
    events, _ = simulate(folder, "bmesons", (0, 1), chunk=30)
    told = io.read_table_metadata(events)
    assert told["sample"] == "bmesons"
    assert told["process"] == "bmesons"
    assert told["seed"] == "4"
    assert json.loads(told["settings"])["beams"]["momentum_gev"] == 400
    assert json.loads(told["versions"])["pythia8mc"]


def test_bad_setting_stops_before_events_are_made(folder):
    with pytest.raises(ValueError, match=r"samples\.bmesons\.settings: .*'HardQCD:al = on'"):
        simulate(folder, "bmesons", (0, 1), chunk=40, settings=["HardQCD:al = on"])
    assert not (folder / "bmesons40.parquet").exists()


def test_jet_scale_closes(jet_scale):
    responses = io.read_table(jet_scale[1])
    hard = responses[responses["pt_low_gev"] >= 40]
    pulls = (hard["corrected"] - 1) / hard["corrected_error"]
    assert (hard["response"] < 1).all()
    assert pulls.abs().max() < 5


def test_a_sample_may_be_empty(folder, jet_scale):
    none = CONFIG["selections"]["diphoton"] | {"mass_window_gev": [1e5, 2e5]}
    made = simulate(folder, "tth", (0, 1), jet_scale=jet_scale[:1], selection=none)
    events, record = gather(folder, "empty", [made])
    assert len(events) == record["n_selected"] == record["selected_fb"] == 0
    assert {"m_gg", "weight_fb"} <= set(events.columns)


def test_higgs_events_have_features_in_gev_and_weights(higgs):
    for events, record in higgs.values():
        assert set(HIGGS_FEATURES) <= set(events.columns)
        assert events["weight_fb"].sum() == pytest.approx(record["selected_fb"])
        assert record["n_selected"] == len(events)
        steps = list(record["cutflow"].values())
        assert steps == sorted(steps, reverse=True)
        assert events["lepton_pT"].min() >= CONFIG["detectors"]["uci"]["muons"]["min_pt_gev"]
        assert 60 < events["m_jj"].median() < 130
        assert set(events["jet_1_btag"]) <= {0, 1, 2}


def test_mixture_in_units_of_uci(folder, higgs):
    mixed = folder / "mixed.parquet"
    samples = [folder / "ttbar8.parquet", folder / "heavyhiggs.parquet"]
    mixture = {"samples": ["ttbar8", "heavyhiggs"], "labels": [0, 1], "units": "uci"}
    mix_samples.main(samples=samples, events=mixed, mixture=mixture)
    table = io.read_table(mixed)
    assert list(table.columns) == [*HIGGS_FEATURES, "label"]
    assert table["label"].value_counts().to_dict() == {
        label: len(higgs[name][0]) for label, name in enumerate(mixture["samples"])
    }
    events = higgs["ttbar8"][0]
    np.testing.assert_allclose(
        table["m_bb"][: len(events)] * UCI_DIVISORS["m_bb"], events["m_bb"], rtol=1e-5
    )
    mix_samples.main(samples=samples, events=mixed, mixture=mixture | {"units": "scaled"})
    assert io.read_table(mixed)["m_bb"].mean() == pytest.approx(1, rel=1e-4)


def test_mixture_in_gev_names_its_samples(folder, higgs):
    mixed = folder / "named.parquet"
    samples = [folder / "ttbar8.parquet", folder / "heavyhiggs.parquet"]
    mixture = {"samples": ["ttbar8", "heavyhiggs"], "units": "gev"}
    mix_samples.main(samples=samples, events=mixed, mixture=mixture)
    table = io.read_table(mixed)
    total = sum(record["selected_fb"] for _, record in higgs.values())
    assert table["weight_fb"].sum() == pytest.approx(total)
    assert set(table["sample"]) == set(mixture["samples"])


def test_lists_of_objects(folder, jet_scale):
    only_muons = ["23:onMode = off", "23:onIfAny = 13"]
    made = simulate(folder, "zjets13", (0, 4), jet_scale=jet_scale[:1], settings=only_muons)
    events, record = gather(folder, "zjets", [made])
    muons = events[events["muon_pt"].map(len) == 2]
    assert len(muons) > 30
    assert (muons["muon_charge"].map(np.sum) == 0).mean() > 0.9
    assert record["n_selected"] == len(events) < record["n_showered"]


def test_hdf5_of_others_becomes_a_sample(folder):
    rng = np.random.default_rng(3)
    path = folder / "theirs.h5"
    with h5py.File(path, "w") as file:
        file["feats"] = rng.uniform(100, 150, (50, 11))
    convert_events.main(
        file=path,
        events=folder / "theirs.parquet",
        record=folder / "theirs.json",
        sample={
            "name": "theirs",
            "process": "hdf5",
            "crosssection_fb": 3.0,
            "use_objects": False,
            "selection": CONFIG["selections"]["diphoton"],
        },
    )
    events, record = io.read_table(folder / "theirs.parquet"), io.read_json(folder / "theirs.json")
    assert len(events) == record["n_generated"] == 50
    assert events["weight_fb"].sum() == pytest.approx(3.0)
    assert {"m_gg", "pt_gg_over_m", "dr_bb"} <= set(events.columns)
    assert "sha256" in io.read_table_metadata(folder / "theirs.parquet")


@pytest.fixture(scope="module")
def phase_space(folder):
    path = folder / "phase_space.parquet"
    adapt_phase_space.main(
        table=path,
        sample=simulation.sample_settings(CONFIG, "bbaa"),
        settings={"n_iterations": 4, "n_evaluations": 3000},
        seed=2,
    )
    return path


def test_own_matrix_elements_make_samples(folder, jet_scale, phase_space):
    part = simulate(folder, "bbaa", (0, 4), jet_scale=jet_scale[:1], process=[phase_space])
    events, record = gather(folder, "bbaa", [part])
    assert 5 < len(events) < 4 * N / 4
    assert events["m_gg"].between(90, 180).all()
    assert events[["dr_b1g1", "dr_b2g2"]].min().min() > 1
    assert record["crosssection_fb"] == pytest.approx(31, rel=0.15)


def test_written_partons_are_those_that_are_showered(folder, phase_space):
    path = folder / "partons.lhe.gz"
    write_partons.main(
        process=phase_space,
        partons=path,
        sample=simulation.sample_settings(CONFIG, "bbaa"),
        n_blocks=2,
        block_size=30,
        sample_seed=4,
    )
    events = list(pylhe.LHEFile.fromfile(str(path)).events)
    assert len(events) == 60
    convert_events.main(
        file=path,
        events=folder / "partons.parquet",
        record=folder / "partons.json",
        sample={
            "name": "partons",
            "process": "lhe",
            "selection": CONFIG["selections"]["diphoton"],
        },
    )
    record = io.read_json(folder / "partons.json")
    assert record["crosssection_fb"] == pytest.approx(31, rel=0.15)
    assert 0 < record["n_selected"] < record["n_generated"] == 60


def test_double_higgs_crosssections(folder):
    factors, spectra, totals = (folder / f"{name}.parquet" for name in ("ff", "mhh", "sigma"))
    settings = {"n_masses": 30, "n_angles": 8, "n_nodes": 96}
    tabulate_form_factors.main(table=factors, settings=settings)
    tabulate_double_higgs.main(
        form_factors=factors,
        spectra=spectra,
        totals=totals,
        settings={"energy_gev": 14000, "pdf": "nnpdf31nlo", "kappa_lambdas": [0, 1]},
        seed=1,
    )
    total = io.read_table(totals).set_index("kappa_lambda")["crosssection_fb"]
    assert total[1] == pytest.approx(19.6, rel=0.03)
    spectrum = io.read_table(spectra).query("kappa_lambda == 1")
    width = spectrum["m_hh_high_gev"] - spectrum["m_hh_low_gev"]
    assert (spectrum["dsigma_fb_per_gev"] * width).sum() == pytest.approx(total[1], rel=0.05)
    assert 350 < spectrum.loc[spectrum["dsigma_fb_per_gev"].idxmax(), "m_hh_gev"] < 450


def test_benchmark_is_compared_by_class(folder, higgs):
    rng = np.random.default_rng(5)
    real = pd.DataFrame(
        rng.gamma(2, 1, (400, len(HIGGS_FEATURES))).astype("float32"), columns=HIGGS_FEATURES
    )
    real["label"] = np.tile([0, 1], 200).astype("int8")
    real["split"] = pd.Categorical(np.repeat(["holdouta", "holdoutb"], 200))
    io.write_table(folder / "real.parquet", real)
    test_mixture_in_units_of_uci(folder, higgs)  # writes mixed.parquet
    settings = CONFIG["simulation"]["c2st"] | {"n_permutations": 20}
    small = {"hidden_features": 8, "layers": 1}
    training = settings["resmlp"]["training"] | {"max_epochs": 3}
    settings |= {"resmlp": settings["resmlp"] | small | {"training": training}}
    compare_benchmark.main(
        generated=folder / "mixed.parquet",
        real=folder / "real.parquet",
        record=folder / "c2st.json",
        ratios=folder / "ratios.parquet",
        settings=settings,
        device="cpu",
        seed=1,
    )
    record = io.read_json(folder / "c2st.json")
    for found in (record, record["without_m_lv"]):
        assert found["signal"]["trees"]["auc"] > 0.9  # the real ones are noise
    ratios = io.read_table(folder / "ratios.parquet")
    assert set(ratios["label"]) == set(ratios["generated"]) == {0, 1}
    assert {"m_lv", "log_ratio_trees", "log_ratio_resmlp"} <= set(ratios.columns)
