"""Studies with odd values anywhere are checked, or refused in words."""

from contextlib import suppress
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bumpflow import io
from bumpflow.config import InvalidConfig, check_config
from tests.fuzz.damage import inputs, misspelt

CONFIG = Path(__file__).parents[2] / "config"
DEFAULTS = io.read_yaml(CONFIG / "config.yaml")
SMOKE = io.read_yaml(CONFIG / "smoke.yaml")
VALUES = (
    *(None, True, False, 0, 1, -1, 2, 10**400, 1.5, -0.0, 1e308, float("nan"), float("inf")),
    *("", "a", "é\x00", "x" * 10_000, "../..", "{dataset}", "0", [], [None], [[]], {}, {"a": {}}),
    *([1, 2], [1, "a"], {1: 2}, {None: 1}, ["m_bb", "m_bb"], {"path": "a.csv"}, [0.5, 0.5]),
)


def places(node, at=()):
    """Yield the keys that lead to each value of a configuration."""
    yield at
    items = node.items() if isinstance(node, dict) else []
    items = enumerate(node) if isinstance(node, list) else items
    for key, value in items:
        yield from places(value, (*at, key))


@pytest.fixture(autouse=True, scope="module")
def schema_at_hand():
    """Read the schema once, which takes longer than to check a configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "read_yaml", cache(io.read_yaml))
        yield


PLACES = [place for place in places(DEFAULTS) if place]


def laid_over(config, overlay):
    """Return a configuration with another one laid over it, as Snakemake does."""
    both = dict(config)
    for key, value in overlay.items():
        nested = isinstance(value, dict) and isinstance(both.get(key), dict)
        both[key] = laid_over(both[key], value) if nested else value
    return both


def check(config, overlays=()):
    """Check that a configuration is taken, or refused in words."""
    with suppress(InvalidConfig):
        check_config(config, schema=CONFIG / "config.schema.yaml", overlays=overlays)


EDITS = st.lists(
    st.tuples(
        st.sampled_from(PLACES),
        st.sampled_from(("set", "set", "set", "remove", "add")),
        st.integers(0, len(VALUES) - 1),
    ),
    min_size=1,
    max_size=3,
)


def changed(edits):
    """Return the defaults with some values replaced, removed or added."""
    config = deepcopy(DEFAULTS)
    for (*parents, last), kind, number in edits:
        node = config
        for key in parents:
            node = node[key] if has(node, key) else None
        if has(node, last) and kind == "remove":
            del node[last]
        elif has(node, last):
            new = kind == "add" and isinstance(node, dict)
            node[f"{last}x" if new else last] = node[last] if new else deepcopy(VALUES[number])
    return config


def has(node, key):
    """Return whether a map or a list has a value at a key or place."""
    if isinstance(node, list):
        return isinstance(key, int) and key < len(node)
    return isinstance(node, dict) and key in node


@inputs(50)
@given(EDITS)
def test_changed_defaults(edits):
    check(changed(edits))


@inputs(40)
@given(misspelt(yaml.safe_dump(SMOKE), ": "))
def test_misspelt_overlays(content):
    try:
        overlay = yaml.safe_load(content)
    except (yaml.YAMLError, ValueError):  # Snakemake's to report
        return
    if isinstance(overlay, dict):
        check(laid_over(DEFAULTS, overlay), [CONFIG / "smoke.yaml"])


def nested(depth):
    """Return a value of few bytes in YAML that is very long once it is written out."""
    value = ["lol"] * 10
    for _ in range(depth):
        value = [value] * 10
    return value


def endless():
    """Return a list that holds itself."""
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value", [nested(12), endless(), 10**5000], ids=["bomb", "loop", "digits"]
)
@pytest.mark.parametrize("place", ["seed", "datasets", "zzz"])
def test_values_that_expand(value, place):
    with pytest.raises(InvalidConfig, match="cannot be used"):
        check_config(DEFAULTS | {place: value}, schema=CONFIG / "config.schema.yaml")
