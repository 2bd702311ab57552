from copy import deepcopy
from pathlib import Path

import pytest

from bumpflow import io
from bumpflow.config import InvalidConfig, check_config

CONFIG = Path(__file__).parents[2] / "config"
DEFAULTS = io.read_yaml(CONFIG / "config.yaml")


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"model": "mademg"}, r"figures\.model: 'mademg' .* did you mean 'mademog'"),
        ({"corner_features": ["m_bb", "m_bx"]}, r"corner_features: 'm_bx' .* did you mean 'm_bb'"),
        ({"tail_fraction": 0.5}, r"figures\.tail_fraction: 0\.5"),
    ],
)
def test_figures_of_what_is_not_there_are_refused(figures, message):
    config = deepcopy(DEFAULTS)
    config["surrogates"]["figures"] |= figures
    with pytest.raises(InvalidConfig, match=message):
        check_config(config, schema=CONFIG / "config.schema.yaml")
