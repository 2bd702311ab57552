"""Which figures of resonance measurements a report shows."""

import re
from copy import deepcopy
from pathlib import Path

import pytest

from bumpflow import io
from bumpflow.plotting.names import METHODS, SERIES, STRATEGIES
from bumpflow.report.figures import FIGURES, each_figure, figures_of, smearing_pair
from bumpflow.resonance import methods, shapes, tables

ROOT = Path(__file__).parents[3]
DEFAULTS = io.read_yaml(ROOT / "config" / "config.yaml")


def study(*, measurement=None, **changed):
    config = deepcopy(DEFAULTS) | {"analyses": ["hisigma"]}
    config["hisigma"] |= changed
    config["measurements"][config["hisigma"]["measurement"]] |= measurement or {}
    return config


def left_out(config):
    return {
        name.removeprefix("resonance_")
        for name in set(FIGURES["hisigma"]) - set(figures_of(config, "hisigma"))
    }


def test_default_study_has_all_figures():
    assert figures_of(study(), "hisigma") == FIGURES["hisigma"]
    paths = each_figure(study(), "{analysis}/{dataset}/{name}.png")
    assert paths[0] == "hisigma/bbgg/resonance_features.png"


def test_data_have_no_figures_that_need_the_truth():
    config = study()
    del config["measurements"]["bbgg"]["mock"]
    assert left_out(config) == {"strategies", "coverage"}


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"measurement": {"systematics": {}}}, {"variation", "systematics"}),
        ({"methods": ["statistical", "shift"]}, {"envelope", "systematics"}),
        ({"select": ["unsmeared"]}, {"smearing"}),
        ({"select": ["published"]}, {"smearing"}),
    ],
)
def test_figures_of_what_a_study_lacks_are_left_out(changed, missing):
    assert left_out(study(**changed)) == missing


def test_no_experiments_no_coverage():
    config = study()
    config["hisigma"]["experiments"]["replicas"] = 0
    assert left_out(config) == {"coverage"}


def test_smearing_is_shown_by_the_first_set_up_of_each_kind():
    assert smearing_pair(study(select=["published", "box", "unsmeared"])) == ("box", "published")
    assert smearing_pair(study(select=["box", "unsmeared"])) is None


def test_every_figure_has_a_caption_and_a_rule():
    files = (ROOT / "rules").glob("hisigma*.smk")
    rules = "".join(path.read_text(encoding="utf-8") for path in files)
    made = re.findall(r'figure_files\("hisigma", "(\w+)"\)', rules)
    assert sorted(made) == sorted(FIGURES["hisigma"])
    for name in FIGURES["hisigma"]:
        caption = (ROOT / "rules" / "captions" / f"{name}.rst").read_text(encoding="utf-8")
        title, blank, text = caption.split("\n", 2)
        assert title
        assert not blank
        assert len(text) > 100, name


def test_what_figures_show_has_names_and_colours_of_its_own():
    assert set(METHODS) == {*methods.METHODS, tables.ENVELOPE, tables.FAMILIES}
    assert set(SERIES) == set(shapes.SERIES)
    for styles in (METHODS, SERIES):
        for field in ("label", "color", "marker"):
            assert len({getattr(style, field) for style in styles.values()}) == len(styles)
    assert len(set(STRATEGIES.values())) == len(STRATEGIES)
