"""What the configuration of resonance measurements means, and whether it can be run."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from bumpflow import io
from bumpflow.suggest import suggest

SIGNAL_PART, BACKGROUND_PART = "signal", "background"
TRUTHS = ("truthbackground", "truthsignal")
"""Densities that experiments take for the truth: trained on all simulated events."""
EDGES = "edges"
"""Background density for the closure test, trained without the sidebands' inner edges."""


def shown_measurement(config: Mapping[str, Any]) -> str:
    """Return the measurement that a study makes."""
    return str(config["hisigma"]["measurement"])


def interpreted_density(config: Mapping[str, Any]) -> str:
    """Return the set-up of densities whose results are interpreted: the first one."""
    return str(config["hisigma"]["select"][0])


def measurement_files(config: Mapping[str, Any], measurement: str) -> dict[str, str]:
    """Return the files of events of a measurement, by component; the data are ``data``."""
    block = config["measurements"][measurement]
    sources = {"data": block["data"], SIGNAL_PART: block["signal"], **block["others"]}
    return {name: _file_of(source) for name, source in sources.items()}


def _file_of(source: Mapping[str, Any]) -> str:
    if "sample" in source:
        return f"<results>/samples/{source['sample']}/events.parquet"
    return str(source["path"])


def density_parts(config: Mapping[str, Any], measurement: str) -> list[str]:
    """Return the densities that a measurement's fit needs, by their names."""
    block = config["measurements"][measurement]
    parts = [BACKGROUND_PART, SIGNAL_PART, *block["others"]]
    for name, systematic in block["systematics"].items():
        if systematic["trained"]:
            parts += [
                varied_part(one, name, nu) for one in systematic["components"] for nu in (1, -1)
            ]
    return parts


def varied_part(component: str, systematic: str, nu: int) -> str:
    """Return the name of a density that is trained on varied events."""
    return f"{component}{systematic}{'up' if nu > 0 else 'down'}"


def part_settings(config: Mapping[str, Any], measurement: str, part: str) -> dict[str, Any]:
    """Return what a density is trained on, by its name.

    Returns:
        ``component``; ``scale``, the factors less one on features; ``everywhere``, whether
        the background is taken from the whole window; ``gap_gev``, the range that is left out
        of its training otherwise.
    """
    block = config["measurements"][measurement]
    common: dict[str, Any] = {
        "scale": {},
        "everywhere": False,
        "gap_gev": block["signal_region_gev"],
    }
    if part in TRUTHS:
        return common | {"component": part.removeprefix("truth"), "everywhere": True}
    if part == EDGES:
        width = config["hisigma"]["closure"]["edge_gev"]
        low, high = block["signal_region_gev"]
        return common | {"component": BACKGROUND_PART, "gap_gev": [low - width, high + width]}
    for name, systematic in block["systematics"].items():
        for component in systematic["components"]:
            for nu in (1, -1):
                if part == varied_part(component, name, nu):
                    scale = {key: nu * value for key, value in systematic["scale"].items()}
                    return common | {"component": component, "scale": scale}
    return common | {"component": part}


def n_bootstraps(config: Mapping[str, Any], density: str, part: str) -> int:
    """Return how many bootstraps a density has; 0 trains it on the events as they are."""
    chosen = config["hisigma"]["densities"][density]["bootstraps"]
    return int(chosen) if part == BACKGROUND_PART else 0


def has_truth(config: Mapping[str, Any]) -> bool:
    """Return whether the shown measurement's data are mock data, whose signal is known."""
    return config["measurements"][shown_measurement(config)].get("mock") is not None


def injected_signal(config: Mapping[str, Any]) -> int | None:
    """Return the signal in each of the shown measurement's data sets, if it is known."""
    mock = config["measurements"][shown_measurement(config)].get("mock")
    return mock and int(mock["n_signal"])


def experiment_settings(config: Mapping[str, Any], density: str) -> dict[str, Any]:
    """Return the sizes of an experiment."""
    block = config["hisigma"]
    settings = {key: value for key, value in block["experiments"].items() if key != "replicas"}
    bootstraps = block["densities"][density]["bootstraps"]
    return settings | {"bootstraps": bootstraps, "interpolation": block["interpolation"]}


def replicas(config: Mapping[str, Any]) -> range:
    """Return the numbers of the experiments in a world with a known truth; none for data."""
    return range(config["hisigma"]["experiments"]["replicas"] * has_truth(config))


def check_resonance(config: Mapping[str, Any]) -> Iterator[str]:
    """Find what is wrong with the configuration of resonance measurements."""
    block, measurements = config["hisigma"], config["measurements"]
    name = block["measurement"]
    if name not in measurements:
        yield f"hisigma.measurement: {name!r} is not defined in measurements{suggest(name, measurements)}"
    for density in block["select"]:
        if density not in block["densities"]:
            known = suggest(density, block["densities"])
            yield f"hisigma.select: {density!r} is not defined in hisigma.densities{known}"
    for density, chosen in block["densities"].items():
        if chosen["model"] not in config["models"]:
            known = suggest(chosen["model"], config["models"])
            yield (
                f"hisigma.densities.{density}.model: {chosen['model']!r} is not defined in"
                f" models{known}"
            )
    for key, measurement in measurements.items():
        yield from _check_measurement(config, key, measurement)


def _check_measurement(
    config: Mapping[str, Any], name: str, block: Mapping[str, Any]
) -> Iterator[str]:
    """Find what is wrong with one measurement."""
    place = f"measurements.{name}"
    window, region = block["window_gev"], block["signal_region_gev"]
    ends = (window[0], region[0], region[1], window[1])
    if any(high <= low for low, high in pairwise(ends)):
        yield (
            f"{place}.signal_region_gev: {region} must lie inside window_gev {window}, with a"
            " sideband on either side"
        )
    elif (edge := config["hisigma"]["closure"]["edge_gev"]) >= min(
        region[0] - window[0], window[1] - region[1]
    ):
        yield f"hisigma.closure.edge_gev: {edge} leaves nothing of a sideband of {place}: lower it"
    features = block["features"]
    if block["mass"] in features:
        yield f"{place}.features: {block['mass']!r} is the resonance variable: remove it"
    sources = {"data": block["data"], "signal": block["signal"]}
    sources |= {f"others.{key}": source for key, source in block["others"].items()}
    for key, source in sources.items():
        sample = source.get("sample")
        if sample is not None and sample not in config["samples"]:
            known = suggest(sample, config["samples"])
            yield f"{place}.{key}.sample: {sample!r} is not defined in samples{known}"
        if ("sample" in source) == ("path" in source):
            yield f"{place}.{key}: give either a path or a sample"
        yield from _check_columns(f"{place}.{key}.path", source, [block["mass"], *features])
    taken = {"data", BACKGROUND_PART, SIGNAL_PART, EDGES, *TRUTHS}
    for key, systematic in block["systematics"].items():
        taken |= {varied_part(one, key, nu) for one in systematic["components"] for nu in (1, -1)}
    for key in block["others"].keys() & taken:
        yield f"{place}.others.{key}: the name is taken: choose another"
    for key, systematic in block["systematics"].items():
        for feature in systematic["scale"]:
            if feature not in features:
                known = suggest(feature, features)
                yield f"{place}.systematics.{key}.scale: {feature!r} is not in features{known}"
    mock = block.get("mock")
    if mock and mock["n_signal"] > mock["n_events"]:
        yield f"{place}.mock: n_signal {mock['n_signal']} exceeds n_events {mock['n_events']}"


def _check_columns(place: str, source: Mapping[str, Any], columns: Sequence[str]) -> Iterator[str]:
    """Find columns that a file, if it is there, lacks."""
    path = Path(source.get("path", ""))
    if path.is_file():
        try:
            io.check_columns(path, columns)
        except (ValueError, OSError) as error:
            yield f"{place}: {error}"
