"""What the configuration of ALP reconstruction means, and whether it can be run."""

from collections.abc import Iterator, Mapping
from typing import Any

from bumpflow.simulate.alps.settings import Resolution
from bumpflow.suggest import suggest

TRAIN, VALIDATION, TEST = "train", "validation", "test"
"""Sets of decays whose parameters follow the prior. Signals are named as the benchmarks are."""
PRIOR = (TRAIN, VALIDATION, TEST)
RANK_BINS = 20
"""Bins of rank histograms; draws plus one must be a multiple of it."""


def shown_geometry(config: Mapping[str, Any]) -> str:
    """Return the beam dump that a study reconstructs at."""
    return str(config["cinn"]["dataset"])


def geometries(config: Mapping[str, Any]) -> list[str]:
    """Return the beam dumps that a study compares: that one, and the displaced one."""
    return [shown_geometry(config), str(config["cinn"]["displaced"])]


def benchmarks(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the signals."""
    return list(config["cinn"]["benchmarks"])


def set_count(config: Mapping[str, Any], dataset: str, population: str) -> int:
    """Return how many sets a population has at a beam dump."""
    sizes = config["cinn"]["sets"]
    if population == TRAIN and dataset != shown_geometry(config):
        return int(sizes["displaced"])
    return int(sizes[population if population in PRIOR else "signal"])


def benchmark_of(config: Mapping[str, Any], population: str) -> dict[str, float] | None:
    """Return the mass [GeV] and decay length c tau [m] of a population, none of the prior's."""
    point = config["cinn"]["benchmarks"].get(population)
    return None if point is None else dict(point)


def detector_name(energy: float, angle_rad: float) -> str:
    """Return the name of a detector: its resolutions in percent and milliradians."""
    return f"e{100 * energy:g}a{1000 * angle_rad:g}".replace(".", "p")


def detectors(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the resolutions of the detectors that a study compares, by name."""
    grid, wrap = config["cinn"]["grid"], config["cinn"]["detectors"]["wrap"]
    return {
        detector_name(energy, angle): {
            "hit_m": grid["hit_m"],
            "energy": energy,
            "theta_rad": angle,
            "phi_rad": angle,
            "wrap": wrap,
        }
        for energy in grid["energy"]
        for angle in grid["angle_rad"]
    }


def network_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes of the network for all detectors, without its training's settings."""
    return _without_training(config["cinn"]["network"])


def published_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes of the published network, without its training's settings."""
    sizes = _without_training(config["cinn"]["published"])
    del sizes["max_sets"]
    return sizes | {"n_events": config["cinn"]["n_events"]["compared"]}


def observed_tables(config: Mapping[str, Any]) -> list[str]:
    """Return the tables of observed events that a study reconstructs."""
    return list(config["cinn"]["observed"])


def shown_reconstruction(config: Mapping[str, Any]) -> str | None:
    """Return the table of observed events whose figure the report shows: the first one."""
    return next(iter(config["cinn"]["observed"]), None)


def observed_resolution(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the resolution of a table of observed events, which it has or names."""
    chosen = config["cinn"]["observed"][name]["resolution"]
    return dict(config["resolutions"][chosen] if isinstance(chosen, str) else chosen)


def check_cinn(config: Mapping[str, Any]) -> Iterator[str]:
    """Find what is wrong with the configuration of ALP reconstruction."""
    block, dumps = config["cinn"], config["beamdumps"]
    for key in ("dataset", "displaced"):
        if block[key] not in dumps:
            known = suggest(block[key], dumps)
            yield f"cinn.{key}: {block[key]!r} is not defined in beamdumps{known}"
    if block["mesons"] not in [None, *config["samples"]]:
        known = suggest(block["mesons"], config["samples"])
        yield f"cinn.mesons: {block['mesons']!r} is not defined in samples{known}"
    if block["dataset"] == block["displaced"]:
        yield f"cinn.displaced: {block['displaced']!r} is cinn.dataset too: choose another"
    yield from _check_benchmarks(config)
    yield from _check_sizes(block)
    yield from _check_detectors(config)
    yield from _check_rate(block)
    yield from _check_observed(config)


def _check_benchmarks(config: Mapping[str, Any]) -> Iterator[str]:
    """Find benchmarks outside of a prior, or with a name that is taken."""
    block = config["cinn"]
    for name, point in block["benchmarks"].items():
        if name in PRIOR:
            yield f"cinn.benchmarks: {name!r} is the name of another population: choose another"
        for dataset in geometries(config):
            prior = config["beamdumps"].get(dataset, {}).get("prior", {})
            length = point["lifetime_m"]
            values = {
                "mass_gev": point["mass_gev"],
                "lifetime_m": length,
                "lifetime_m_per_gev": length / point["mass_gev"],
            }
            for key, (low, high) in prior.items():
                if not low <= values[key] <= high:
                    yield (
                        f"cinn.benchmarks.{name}: {key} is {values[key]:g}, outside of the prior of"
                        f" {dataset!r}, which reaches from {low:g} to {high:g}"
                    )


def _check_sizes(block: Mapping[str, Any]) -> Iterator[str]:
    """Find sizes of sets that networks do not know, and numbers of draws without ranks."""
    low, high = block["n_events"]["trained"]
    if low > high:
        yield f"cinn.n_events.trained: {[low, high]} must have the smaller size first"
    sizes = {"tested": block["n_events"]["tested"], "compared": [block["n_events"]["compared"]]}
    for name, values in sizes.items():
        for size in values:
            if not low <= size <= high:
                yield (
                    f"cinn.n_events.{name}: {size} is outside of cinn.n_events.trained, which"
                    f" reaches from {low} to {high}"
                )
    if block["n_events"]["compared"] < 2:
        yield "cinn.n_events.compared: a spread of diphoton masses takes 2 events or more"
    if (block["n_ranks"] + 1) % RANK_BINS:
        near = RANK_BINS * max(round((block["n_ranks"] + 1) / RANK_BINS), 1) - 1
        yield (
            f"cinn.n_ranks: {block['n_ranks']} draws and one do not fill {RANK_BINS} bins evenly:"
            f" choose {near}"
        )


def _check_detectors(config: Mapping[str, Any]) -> Iterator[str]:
    """Find detectors that the network is not trained for."""
    block = config["cinn"]
    trained = block["detectors"]
    for key in ("energy", "angle_rad", "hit_m"):
        low, high = trained[key]
        if not 0 < low <= high:
            yield f"cinn.detectors.{key}: {[low, high]} must be above 0, the smaller one first"
        for place in ("grid", "map"):
            given = block[place][key]
            for value in given if isinstance(given, list) else [given]:
                if not low <= value <= high:
                    yield (
                        f"cinn.{place}.{key}: {value:g} is outside of cinn.detectors.{key}, which"
                        f" reaches from {low:g} to {high:g}"
                    )
    known = detectors(config)
    for place, names in (("singles", block["singles"]), ("slides", [block["slides"]])):
        for name in names:
            if name not in known:
                yield f"cinn.{place}: {name!r} is not in cinn.grid{suggest(name, known)}"


def _check_rate(block: Mapping[str, Any]) -> Iterator[str]:
    """Find an impossible range of decays."""
    low, high = block["rate"]["n_decays"]
    if not 0 < low < high:
        yield f"cinn.rate.n_decays: {[low, high]} must be above 0, the smaller one first"


def _check_observed(config: Mapping[str, Any]) -> Iterator[str]:
    """Find tables of observed events without a usable resolution."""
    for name, table in config["cinn"]["observed"].items():
        place, chosen = f"cinn.observed.{name}.resolution", table["resolution"]
        if isinstance(chosen, str) and chosen not in config["resolutions"]:
            known = suggest(chosen, config["resolutions"])
            yield f"{place}: {chosen!r} is not defined in resolutions{known}"
            continue
        resolution = observed_resolution(config, name)
        try:
            Resolution.from_settings(resolution)
        except ValueError as error:
            yield f"{place}: {error}"
            continue
        for key in ("hit_m", "energy", "phi_rad"):
            if not resolution[key] > 0:
                yield f"{place}: {key} is {resolution[key]:g}, but posteriors need more than 0"


def _without_training(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != "training"}
