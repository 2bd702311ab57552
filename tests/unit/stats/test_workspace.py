import copy
import json

import numpy as np
import pyhf
import pytest

from bumpflow.stats.workspace import build_workspace, read_workspace

# pyhf 0.7 checks its schema with a class that jsonschema is about to remove
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
SIGNAL_EVENTS = np.array([1.5, 6.0, 4.0])
BACKGROUND_EVENTS = np.array([60.0, 40.0, 25.0])
OBSERVED = np.array([55.0, 49.0, 28.0])
CHANGES = np.array([[3.0, 1.0, -2.0], [0.5, 2.0, 2.0]])
SIGNAL, BACKGROUND = 0, 1


def _workspace(**changed):
    parts = {"signal": SIGNAL_EVENTS, "background": BACKGROUND_EVENTS, "observed": OBSERVED}
    settings = {
        "shape": 0.1,
        "signal_variances": np.array([0.1, 0.4, 0.3]),
        "background_variances": np.array([4.0, 3.0, 2.0]),
        "variations": list(CHANGES),
    }
    return build_workspace(**parts | settings | changed)


def _edited(sample, edit):
    """Return a workspace after a change of one sample's modifiers by name."""
    workspace = copy.deepcopy(_workspace())
    edit(workspace["channels"][0]["samples"][sample]["modifiers"])
    return workspace


def test_workspace_is_plain_json_that_pyhf_accepts():
    text = json.dumps(_workspace(), allow_nan=False)
    pyhf.schema.validate(json.loads(text), "workspace.json")
    workspace = pyhf.Workspace(json.loads(text))
    model = workspace.model()
    assert model.config.poi_name == "mu"
    assert model.config.suggested_bounds()[model.config.poi_index] == [0.0, 1000.0]
    assert model.config.channel_nbins == {"selection": 3}
    # strength, three factors of each kind, two variations
    assert model.config.npars == 1 + 3 + 3 + 2
    assert workspace.data(model, include_auxdata=False) == OBSERVED.tolist()


def test_workspace_gives_back_its_model():
    model, data = read_workspace(json.loads(json.dumps(_workspace())))
    assert model.signal[0] == pytest.approx(SIGNAL_EVENTS)
    assert model.background[0] == pytest.approx(BACKGROUND_EVENTS)
    assert model.shape[0] == pytest.approx(np.full(3, 0.1))
    total = SIGNAL_EVENTS + BACKGROUND_EVENTS
    assert model.stat[0] == pytest.approx(np.sqrt([4.1, 3.4, 2.3]) / total)
    assert model.variations[0] == pytest.approx(CHANGES)
    assert data.counts.tolist() == [OBSERVED.tolist()]
    for measured, nominal in ((data.shape, 1), (data.stat, 1), (data.variations, 0)):
        assert np.all(measured == nominal)


def test_workspace_without_uncertainties_gives_back_a_bare_model():
    none = np.zeros(3)
    workspace = _workspace(
        shape=0.0, signal_variances=none, background_variances=none, variations=()
    )
    model, _ = read_workspace(workspace)
    assert not model.shape.any()
    assert not model.stat.any()
    assert model.n_variations == 0
    for sample in workspace["channels"][0]["samples"]:
        sample["modifiers"] = [m for m in sample["modifiers"] if m["type"] == "normfactor"]
    model, _ = read_workspace(workspace)
    assert not model.shape.any()
    assert not model.stat.any()


def test_samples_may_come_in_any_order_and_under_any_name():
    workspace = copy.deepcopy(_workspace())
    samples = workspace["channels"][0]["samples"]
    samples.reverse()
    samples[0]["name"], samples[1]["name"] = "other", "something"
    model, _ = read_workspace(workspace)
    assert model.signal[0] == pytest.approx(SIGNAL_EVENTS)
    assert model.background[0] == pytest.approx(BACKGROUND_EVENTS)


def test_empty_background_bin_is_named():
    with pytest.raises(ValueError, match=r"background template: bins \[1\].* bin 1 holds 0"):
        _workspace(background=np.array([60.0, 0.0, 25.0]))


def test_broken_template_in_a_file_is_named():
    workspace = copy.deepcopy(_workspace())
    workspace["channels"][0]["samples"][SIGNAL]["data"][2] = -1.0
    with pytest.raises(ValueError, match=r"signal template: bins \[2\]"):
        read_workspace(workspace)


@pytest.mark.parametrize(
    ("sample", "modifier", "message"),
    [
        (
            BACKGROUND,
            {"name": "scale", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}},
            r"'background' has modifier 'scale' of type 'normsys': .* shapesys, staterror, histosys",
        ),
        (
            SIGNAL,
            {"name": "lumi", "type": "lumi", "data": None},
            r"sample 'signal' has modifier 'lumi' of type 'lumi': .* normfactor, staterror there",
        ),
        (
            SIGNAL,
            {"name": "theory", "type": "shapesys", "data": [1.0, 1.0, 1.0]},
            r"sample 'signal' has modifier 'theory' of type 'shapesys'",
        ),
        (
            SIGNAL,
            {"name": "k", "type": "normfactor", "data": None},
            r"sample 'signal' has modifier '\w+' of type 'normfactor'",
        ),
        (
            BACKGROUND,
            {"name": "mu", "type": "normfactor", "data": None},
            r"sample 'background' has modifier 'mu' of type 'normfactor'",
        ),
        (
            BACKGROUND,
            {"name": "second", "type": "shapesys", "data": [1.0, 1.0, 1.0]},
            r"sample 'background' has modifier '\w+' of type 'shapesys': .* at most one",
        ),
    ],
)
def test_unknown_modifiers_are_refused_by_name(sample, modifier, message):
    workspace = _edited(sample, lambda modifiers: modifiers.append(modifier))
    with pytest.raises(ValueError, match=message):
        read_workspace(workspace)


def test_asymmetric_variation_is_refused_by_name():
    def skew(modifiers):
        modifiers[-1]["data"]["lo_data"][1] += 0.5

    with pytest.raises(ValueError, match="histosys 'surrogate_training_2' is not symmetric"):
        read_workspace(_edited(BACKGROUND, skew))


def test_workspace_without_the_strength_on_a_sample_is_refused():
    workspace = _edited(SIGNAL, lambda modifiers: modifiers.pop(0))
    with pytest.raises(ValueError, match="no sample has the parameter of interest 'mu'"):
        read_workspace(workspace)


def _drop(modifiers):
    modifiers[:] = [each for each in modifiers if each["type"] != "staterror"]


def _rename(modifiers):
    next(each for each in modifiers if each["type"] == "staterror")["name"] = "own_statistics"


@pytest.mark.parametrize("edit", [_drop, _rename])
@pytest.mark.parametrize("sample", [SIGNAL, BACKGROUND])
def test_statistical_factors_that_samples_do_not_share_are_refused(sample, edit):
    """With pyhf they would scale one sample only."""
    with pytest.raises(ValueError, match="staterror"):
        read_workspace(_edited(sample, edit))


@pytest.mark.parametrize(("n_channels", "n_samples"), [(2, 2), (1, 3), (1, 1)])
def test_other_numbers_of_channels_or_samples_are_refused(n_channels, n_samples):
    workspace = copy.deepcopy(_workspace())
    channel = workspace["channels"][0]
    channel["samples"] = (channel["samples"] * 2)[:n_samples]
    workspace["channels"] = [channel] * n_channels
    found = [n_samples] * n_channels
    with pytest.raises(ValueError, match=rf"channels with \[{str(found)[1:-1]}\] samples"):
        read_workspace(workspace)
