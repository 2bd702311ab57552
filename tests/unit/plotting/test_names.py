from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from bumpflow import io
from bumpflow.plotting.names import FEATURES, MODELS, feature_style, model_style
from bumpflow.plotting.style import new_figure, styled

ROOT = Path(__file__).parents[3]
RC = ROOT / "config" / "matplotlibrc"


def test_default_study_is_drawn_with_symbols_and_colours_of_its_own():
    config = io.read_yaml(ROOT / "config" / "config.yaml")
    assert set(config["features"]) <= set(FEATURES)
    assert set(config["surrogates"]["models"]) <= set(MODELS)
    colors = [style.color for style in MODELS.values()]
    assert len(set(colors)) == len(colors)


def test_unknown_names_get_a_style():
    x = np.linspace(0, 1000, 10_001)
    style = feature_style("new_feature", x)
    assert style.label == "new feature"
    assert (style.low, style.high) == pytest.approx((1, 999))
    constant = feature_style("constant", np.ones(5))
    assert (constant.low, constant.high) == (0.5, 1.5)
    assert model_style("other").label == "other"
    assert model_style("other") == model_style("other")


def test_style_finds_its_font_and_leaves_other_figures_alone():
    outside = Figure().add_subplot().xaxis.label.get_fontfamily()
    with styled(RC):
        name = new_figure(2).add_subplot().xaxis.label.get_fontfamily()[0]
        assert Path(font_manager.findfont(name, fallback_to_default=False)).stem.startswith(
            "texgyre"
        )
    assert Figure().add_subplot().xaxis.label.get_fontfamily() == outside
