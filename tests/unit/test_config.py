from copy import deepcopy
from pathlib import Path

import pytest

from bumpflow import io
from bumpflow.config import (
    InvalidConfig,
    check_config,
    corner_features,
    density_settings,
    locate,
    mirror_columns,
    results_folder,
    scan_points,
    training_settings,
)

CONFIG = Path(__file__).parents[2] / "config"
DEFAULTS = io.read_yaml(CONFIG / "config.yaml")


def check(config, overlays=()):
    check_config(config, schema=CONFIG / "config.schema.yaml", overlays=overlays)


def changed(path, value):
    """Return the defaults with the value at a dotted path replaced."""
    config = deepcopy(DEFAULTS)
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = node[key]
    node[last] = value
    return config


def test_defaults_are_valid():
    check(DEFAULTS)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("seeed", 1, r"the top level: unknown key 'seeed'; did you mean 'seed'\?"),
        ("models.rqs.bin", 4, r"models\.rqs: unknown key 'bin'; did you mean 'bins'\?"),
        ("training.learnig_rate", 1, r"training: unknown key .* did you mean 'learning_rate'"),
        ("training.batch_size", 0, r"training\.batch_size: 0 is less than the minimum of 1"),
        ("device", "gpu", r"device: 'gpu' does not match"),
        ("splits.train", 0.5, r"splits: the fractions add up to 0\.82, not to 1"),
        ("surrogates.dataset", "higs", r"'higs' is not defined in datasets; did you mean 'higgs'"),
        ("surrogates.models", ["mademof"], r"'mademof' is not defined in models; did you mean"),
        ("features", ["m_bb", "m_b"], r"features: dataset 'higgs' has no column 'm_b'; did you"),
        ("surrogates.context", ["m_bb"], r"'m_bb' is also in features"),
        ("datasets.higgs.mirror", ["lepton_et"], r"mirror: .* 'lepton_et'; did you mean 'lepton_"),
        ("datasets.higgs.corner_features", ["m_bb", "m_bx"], r"corner_features: .* 'm_bx'; did"),
        ("scans.width.model", "mademug", r"scans\.width\.model: 'mademug' .* did you mean"),
        ("models.width0", DEFAULTS["models"]["maf"], r"its point 'width0' has a model's name"),
        ("surrogates.figures.model", "mademg", r"figures\.model: 'mademg' .* did you mean"),
        ("surrogates.figures.tail_fraction", 0.5, r"figures\.tail_fraction: 0\.5"),
        ("study", "surrogates", r"study: 'surrogates' is the name of a folder"),
    ],
)
def test_faults_are_named_with_the_nearest_valid_word(path, value, message):
    with pytest.raises(InvalidConfig, match=message):
        check(changed(path, value))


def test_all_faults_are_told_at_once():
    config = changed("training.batch_size", 0)
    config["devise"] = "cpu"
    with pytest.raises(InvalidConfig, match=r"(?s)devise.*batch_size|batch_size.*devise"):
        check(config)


def test_overlay_without_a_name_is_refused(tmp_path):
    with pytest.raises(InvalidConfig, match=r"mine\.yaml changes the default study but keeps"):
        check(DEFAULTS, overlays=[tmp_path / "mine.yaml"])
    check(changed("study", "mine"), overlays=[tmp_path / "mine.yaml"])


def test_each_study_has_its_folder():
    assert results_folder({"study": "default"}) == "results"
    assert results_folder({"study": "smoke"}) == "results/smoke"


def test_shipped_files_are_found_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = CONFIG.parent
    assert locate("config/config.yaml", base=base) == str(base / "config/config.yaml")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").touch()
    assert locate("config/config.yaml", base=base) == "config/config.yaml"
    assert locate("nowhere.csv", base=base) == "nowhere.csv"


def test_model_changes_the_common_training():
    config = changed("models.rqs.training", {"max_epochs": 7})
    assert training_settings(config, "rqs")["max_epochs"] == 7
    assert training_settings(config, "maf") == config["training"]


def test_sizes_are_what_the_builder_takes():
    settings = density_settings(DEFAULTS, "mademog")
    assert (settings["family"], settings["scaler"]) == ("mademog", "gaussrank")
    assert "training" not in settings["sizes"]
    assert settings["sizes"]["components"] == DEFAULTS["models"]["mademog"]["components"]


def test_scan_points_differ_in_one_setting():
    config = changed("scans.width.values", [16, 32])
    points = scan_points(config, "width")
    assert [point["hidden_features"] for point in points.values()] == [16, 32]
    assert list(points) == ["width0", "width1"]
    assert density_settings(config, "width1")["sizes"]["hidden_features"] == 32
    assert density_settings(config, "width1")["sizes"]["components"] == 8
    assert training_settings(config, "width1")["ensemble"] == config["scans"]["width"]["seeds"]


def test_choices_of_a_dataset_follow_the_features():
    config = changed("features", ["m_bb", "lepton_eta", "m_jj"])
    assert mirror_columns(config, "higgs") == ["lepton_eta"]
    assert corner_features(config, "higgs") == ["m_jj", "m_bb"]
    del config["datasets"]["higgs"]["mirror"], config["datasets"]["higgs"]["corner_features"]
    assert mirror_columns(config, "higgs") == []
    assert corner_features(config, "higgs") == config["features"]
