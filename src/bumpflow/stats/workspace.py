"""pyhf workspaces: write them, and read them back as a model that is fast to fit.

A workspace is the JSON document that pyhf and cabinetry read. It holds one channel with a signal
and a background sample, and modifiers of the kinds that :class:`BinnedModel` knows.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bumpflow.stats.model import BinnedModel, Observations, observe

CHANNEL, SIGNAL, BACKGROUND = "selection", "signal", "background"
POI, SHAPE, STAT, VARIATION = "mu", "background_shape", "mc_statistics", "surrogate_training"
MEASUREMENTS = {"upper_limit": 0.0, "signal_strength": -1000.0}
"""Lowest signal strength of each measurement: pyhf takes the first one, and with it q-tilde."""
HIGHEST = 1000.0
Statistics = Literal["staterror", "poisson"]
STATISTICS = {"staterror": "staterror", "poisson": "shapesys"}
KNOWN = ("normfactor", "shapesys", "staterror", "histosys")


def build_workspace(
    signal: NDArray,
    background: NDArray,
    observed: NDArray,
    *,
    shape: float,
    signal_variances: NDArray,
    background_variances: NDArray,
    variations: Sequence[NDArray] = (),
    mc_statistics: Statistics = "staterror",
) -> dict[str, Any]:
    """Return a workspace: plain values, ready to be written as JSON.

    It has two measurements: ``upper_limit``, with a signal strength of 0 or more, and
    ``signal_strength``, with one that is free.

    Args:
        signal: Events at signal strength 1, shape ``(n_bins,)``.
        background: Background events, shape ``(n_bins,)``, all positive.
        observed: Observed events, shape ``(n_bins,)``.
        shape: Relative uncertainty of each background bin, not correlated between them.
        signal_variances: Variances of the signal from its sample's size [events squared].
        background_variances: The same for the background.
        variations: Changes of the background at one standard deviation of each correlated
            nuisance [events], each of shape ``(n_bins,)``.
        mc_statistics: ``staterror`` for a Gaussian factor on both samples in each bin, or
            ``poisson`` for the exact likelihood of the background's events (a ``shapesys``).

    Raises:
        ValueError: If a background bin is empty or negative; the bin is named.
    """
    BinnedModel.build(signal, background)  # checks the templates
    kind, gaussian = STATISTICS[mc_statistics], mc_statistics == "staterror"
    modifiers: list[dict[str, Any]] = [
        {"name": SHAPE, "type": "shapesys", "data": (shape * background).tolist()},
        {"name": STAT, "type": kind, "data": np.sqrt(background_variances).tolist()},
    ]
    for number, change in enumerate(variations, 1):
        data = {
            "hi_data": (background + change).tolist(),
            "lo_data": (background - change).tolist(),
        }
        modifiers.append({"name": f"{VARIATION}_{number}", "type": "histosys", "data": data})
    strength: list[dict[str, Any]] = [{"name": POI, "type": "normfactor", "data": None}]
    if gaussian:
        errors = np.sqrt(signal_variances).tolist()
        strength.append({"name": STAT, "type": kind, "data": errors})
    samples = [
        _sample(SIGNAL, signal, strength),
        _sample(BACKGROUND, background, modifiers),
    ]
    measurements = []
    for name, lowest in MEASUREMENTS.items():
        poi = {"name": POI, "inits": [1.0], "bounds": [[lowest, HIGHEST]]}
        measurements.append({"name": name, "config": {"poi": POI, "parameters": [poi]}})
    return {
        "version": "1.0.0",
        "channels": [{"name": CHANNEL, "samples": samples}],
        "observations": [{"name": CHANNEL, "data": np.asarray(observed, float).tolist()}],
        "measurements": measurements,
    }


def _sample(name: str, values: NDArray, modifiers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "data": np.asarray(values, float).tolist(), "modifiers": modifiers}


def read_workspace(workspace: Mapping[str, Any]) -> tuple[BinnedModel, Observations]:
    """Return a workspace's likelihood as a batch of one model, and its data.

    Args:
        workspace: Content of a workspace file: one channel, in it one sample with the
            ``normfactor`` of the parameter of interest and one without; ``staterror`` on both
            or on none; ``shapesys`` and symmetric ``histosys`` on the background, where without
            ``staterror`` a second ``shapesys`` called ``mc_statistics`` may take its place.

    Raises:
        ValueError: If there is anything else in it; use pyhf for such a workspace.
    """
    channels = workspace["channels"]
    if len(channels) != 1 or len(channels[0]["samples"]) != 2:
        counts = [len(channel["samples"]) for channel in channels]
        msg = f"the workspace has channels with {counts} samples: only one with 2 can be read"
        raise ValueError(msg)
    samples = channels[0]["samples"]
    poi = workspace["measurements"][0]["config"]["poi"]
    signal, background = sorted(samples, key=lambda sample: poi not in _names(sample))
    for sample in samples:
        _check_modifiers(sample, is_signal=sample is signal, poi=poi)
    s, b = (np.array(sample["data"], float) for sample in (signal, background))
    _check_staterror(signal, background)
    errors = [_data_of(sample, "staterror") for sample in (signal, background)]
    variance = sum(np.array(part[0], float) ** 2 for part in errors if part)
    variations = [_symmetric(name, data, b) for name, data in _histosys(background)]
    poisson = _shapesys(background, named=True)
    stat = np.sqrt(variance) / (s + b) if poisson is None else poisson / b
    shape = _shapesys(background, named=False)
    model = BinnedModel.build(
        s,
        b,
        shape=0.0 if shape is None else shape / b,
        stat=stat,
        variations=np.array(variations) if variations else None,
        poisson=poisson is not None,
    )
    return model, observe(model, workspace["observations"][0]["data"])


def _names(sample: Mapping[str, Any]) -> list[str]:
    return [modifier["name"] for modifier in sample["modifiers"]]


def _data_of(sample: Mapping[str, Any], kind: str) -> list[Any]:
    return [each["data"] for each in sample["modifiers"] if each["type"] == kind]


def _shapesys(sample: Mapping[str, Any], *, named: bool) -> NDArray | None:
    """Return the ``shapesys`` that stands for simulated statistics, or the other one, if any."""
    kind = "shapesys"
    for modifier in sample["modifiers"]:
        if modifier["type"] == kind and (modifier["name"] == STAT) == named:
            return np.array(modifier["data"], float)
    return None


def _histosys(sample: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    kind = "histosys"
    return [(each["name"], each["data"]) for each in sample["modifiers"] if each["type"] == kind]


def _check_modifiers(sample: Mapping[str, Any], *, is_signal: bool, poi: str) -> None:
    """Refuse modifiers that the fast likelihood has no place for."""
    allowed = ("normfactor", "staterror") if is_signal else KNOWN[1:]
    kinds = [modifier["type"] for modifier in sample["modifiers"]]
    statistics = ("shapesys", STAT)  # a second shapesys may stand for these
    if "staterror" not in kinds and statistics in [
        (m["type"], m["name"]) for m in sample["modifiers"]
    ]:
        kinds.remove("shapesys")
    for modifier in sample["modifiers"]:
        kind = modifier["type"]
        wrong = kind not in allowed or (kind == "normfactor" and modifier["name"] != poi)
        if wrong or (kind != "histosys" and kinds.count(kind) > 1):
            msg = (
                f"sample {sample['name']!r} has modifier {modifier['name']!r} of type {kind!r}:"
                f" the fast fit knows at most one {', '.join(allowed)} there; fit it with pyhf"
            )
            raise ValueError(msg)
    if is_signal and "normfactor" not in kinds:
        msg = f"no sample has the parameter of interest {poi!r} as its normfactor"
        raise ValueError(msg)


def _check_staterror(*samples: Mapping[str, Any]) -> None:
    """Refuse factors for the sizes of the samples that the samples do not share."""
    kind = "staterror"
    names = [
        [each["name"] for each in sample["modifiers"] if each["type"] == kind]
        for sample in samples
    ]
    if names[0] != names[1]:
        msg = (
            f"samples {[sample['name'] for sample in samples]} have staterror modifiers {names}:"
            " the fast fit knows one on both or none; fit it with pyhf"
        )
        raise ValueError(msg)


def _symmetric(name: str, data: Mapping[str, Any], nominal: NDArray) -> NDArray:
    """Return half the difference of a variation's two templates, which must be symmetric."""
    high, low = np.array(data["hi_data"], float), np.array(data["lo_data"], float)
    if not np.allclose(high + low, 2 * nominal, rtol=1e-6, atol=1e-9):
        msg = f"histosys {name!r} is not symmetric about the nominal template: fit it with pyhf"
        raise ValueError(msg)
    return (high - low) / 2
