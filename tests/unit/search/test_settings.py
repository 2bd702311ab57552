"""What the configuration of a search means, and which ones are refused."""

from copy import deepcopy
from pathlib import Path

import pytest

from bumpflow import io
from bumpflow.config import InvalidConfig, check_config, member_settings
from bumpflow.search import settings as search
from bumpflow.search.arms import ARMS
from bumpflow.stats.templates import SCORE

CONFIG = Path(__file__).parents[3] / "config"
DEFAULTS = io.read_yaml(CONFIG / "config.yaml")


def changed(**values):
    """Return the defaults with keys of the search replaced; a dotted key reaches inside."""
    config = deepcopy(DEFAULTS)
    for path, value in values.items():
        *parents, last = path.split("__")
        node = config["histfactory"]
        for key in parents:
            node = node[key]
        node[last] = value
    return config


def check(config):
    check_config(config, schema=CONFIG / "config.schema.yaml")


def test_arms_and_columns_have_the_same_names_everywhere():
    assert tuple(ARMS) == search.ARMS
    assert search.SCORE == SCORE


def test_model_and_signal_follow_the_surrogates_unless_chosen():
    assert search.surrogate_of(DEFAULTS) == DEFAULTS["surrogates"]["models"][0]
    assert search.signal_of(DEFAULTS) == ("higgs", 1)
    chosen = changed(model="rqs", signal__dataset="higgsfull")
    assert search.surrogate_of(chosen) == "rqs"
    assert search.signal_of(chosen) == ("higgsfull", 1)


def test_selected_observables_come_in_their_order():
    assert list(search.selected_observables(changed(select=["mbb", "score"]))) == ["mbb", "score"]


def test_generated_sizes_rise_to_the_largest():
    sizes = search.generated_sizes(DEFAULTS)
    assert len(sizes) == DEFAULTS["histfactory"]["scans"]["generated"]["n_points"] - 1
    assert sizes[0] == DEFAULTS["histfactory"]["scans"]["generated"]["low"]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] < search.search_size(DEFAULTS)


def test_members_are_trained_like_the_surrogate_but_for_their_number_of_flows():
    settings = member_settings(DEFAULTS, "mademog")["training"]
    assert settings["max_epochs"] == DEFAULTS["models"]["mademog"]["training"]["max_epochs"]
    assert settings["ensemble"] == DEFAULTS["histfactory"]["ensemble"]["flows"]


def test_fits_belong_to_a_study_only_if_it_searches():
    n = len(DEFAULTS["histfactory"]["select"]) * len(ARMS)
    assert len(search.further_targets(DEFAULTS)) == n
    assert search.further_targets(DEFAULTS | {"analyses": ["surrogates"]}) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "mademug"}, r"histfactory\.model: 'mademug' .* did you mean 'mademog'"),
        ({"signal__dataset": "higs"}, r"signal\.dataset: 'higs' .* did you mean 'higgs'"),
        ({"signal__label": 0}, r"signal: label 0 of 'higgs' is what the surrogates imitate"),
        ({"select": ["mbbb"]}, r"select: 'mbbb' is not defined .* did you mean 'mbb'"),
        ({"observables__mbb__column": "m_bbb"}, r"mbb\.column: 'm_bbb' .* did you mean 'm_bb'"),
        ({"observables__mbb__edges": [0, 2, 1]}, r"observables\.mbb: edges of bins must rise"),
        ({"splits__data": ["holdoutc"]}, r"splits\.data: there is no split 'holdoutc'"),
        ({"splits__background": ["holdoutb"]}, r"'holdoutb' serves both data and background"),
        ({"splits__reweighting": ["test"]}, r"'test' serves both data and reweighting"),
        ({"splits__signal": ["train"]}, r"'train' serves both signal and selection"),
        ({"splits__data": ["validation"]}, r"surrogates learn from 'validation'"),
        ({"systematic": 0.15}, r"systematic: 0\.15 is not among histfactory\.systematics"),
        ({"scans__generated__low": 10**7}, r"generated\.low must be below"),
        ({"cut": 1}, r"histfactory\.cut"),
        ({"ensemble__bootstraps": 1}, r"ensemble\.bootstraps: 1 is less than"),
        ({"mc_statistics": "gauss"}, r"mc_statistics: 'gauss'"),
    ],
)
def test_contradictions_are_found_and_named(values, message):
    with pytest.raises(InvalidConfig, match=message):
        check(changed(**values))


def test_a_study_without_the_search_need_not_fit_it():
    broken = changed(select=["mbbb"])
    check(broken | {"analyses": ["surrogates"]})
    with pytest.raises(InvalidConfig):
        check(broken)
