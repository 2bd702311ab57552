"""What the configuration of ALP hunts means, and whether it can be run."""

from collections.abc import Iterator, Mapping
from typing import Any

from bumpflow.simulate.alps.populations import BACKGROUND, PRIOR, SETS
from bumpflow.simulate.alps.settings import BeamDump, Resolution
from bumpflow.suggest import suggest

ECO, EPO_CONV = "eco", "epoconv"
"""Hunts with networks for pairs: on features, and on published posteriors."""
ARCHITECTURES = {ECO: "features", EPO_CONV: "posteriors"}


def shown_beam_dump(config: Mapping[str, Any]) -> str:
    """Return the beam dump that a study hunts at."""
    return str(config["alp"]["dataset"])


def benchmarks(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the signals."""
    return list(config["alp"]["benchmarks"])


def populations(config: Mapping[str, Any]) -> list[str]:
    """Return the names of all populations of events that a study simulates."""
    return [*PRIOR, SETS, *benchmarks(config)]


def toy_populations(config: Mapping[str, Any]) -> list[str]:
    """Return the populations whose toys hunts are tried on: background, and with each signal."""
    return [BACKGROUND, *benchmarks(config)]


def population_size(config: Mapping[str, Any], population: str) -> int:
    """Return how many events, or pairs of them, a population has."""
    sizes = config["alp"]["events"]
    return int(sizes["signal" if population in benchmarks(config) else population])


def posterior_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes of posteriors, without the settings of their training."""
    return {key: value for key, value in config["alp"]["posterior"].items() if key != "training"}


def published_masses(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the grid of published posteriors: its first and last mass [GeV], and its points."""
    prior = config["beamdumps"][shown_beam_dump(config)]["prior"]
    return {"mass_gev": prior["mass_gev"], "n_masses": config["alp"]["ratio"]["n_masses"]}


def observed_tables(config: Mapping[str, Any]) -> list[str]:
    """Return the tables of observed events that a study hunts in."""
    return list(config["alp"]["observed"])


def shown_observed(config: Mapping[str, Any]) -> str | None:
    """Return the table of observed events whose figure the report shows: the first one."""
    return next(iter(config["alp"]["observed"]), None)


def check_alps(config: Mapping[str, Any]) -> Iterator[str]:
    """Find what is wrong with the configuration of ALP hunts."""
    block = config["alp"]
    dumps, resolutions = config["beamdumps"], config["resolutions"]
    for kind, build, blocks in (
        ("beamdumps", BeamDump, dumps),
        ("resolutions", Resolution, resolutions),
    ):
        for name, one in blocks.items():
            try:
                build.from_settings(one)
            except ValueError as error:
                yield f"{kind}.{name}: {error}"
    yield from _unknown("alp.dataset", block["dataset"], dumps, "beamdumps")
    for name in block["resolutions"]:
        yield from _unknown("alp.resolutions", name, resolutions, "resolutions")
    if block["interpreted"] not in block["resolutions"]:
        yield f"alp.interpreted: {block['interpreted']!r} is not in alp.resolutions"
    for row, pair in block["moments"].items():
        yield from _unknown(f"alp.moments.{row}.dataset", pair["dataset"], dumps, "beamdumps")
        place = f"alp.moments.{row}.resolution"
        yield from _unknown(place, pair["resolution"], resolutions, "resolutions")
    for name in block["benchmarks"]:
        if name in (*PRIOR, SETS):
            yield f"alp.benchmarks: {name!r} is the name of another population: choose another"
    for name in block["resolutions"]:
        for benchmark in block["benchmarks"]:
            if benchmark not in block["bins"].get(name, {}):
                yield f"alp.bins.{name}: benchmark {benchmark!r} has no number of bins"
    for name, table in block["observed"].items():
        if table["resolution"] not in block["resolutions"]:
            known = suggest(table["resolution"], block["resolutions"])
            yield (
                f"alp.observed.{name}.resolution: {table['resolution']!r} is not in"
                f" alp.resolutions{known}"
            )
    if block["threshold"] not in block["thresholds"]:
        yield f"alp.threshold: {block['threshold']} is not among alp.thresholds"
    smallest = min(block["events"][name] for name in ("background", "signal"))
    if 2 * block["n_pairs"] > smallest:
        yield (
            f"alp.n_pairs: {block['n_pairs']} pairs need {2 * block['n_pairs']} events, but"
            f" alp.events has {smallest}: simulate more, or rank fewer pairs"
        )
    if "mesons" in block and block["mesons"] not in [None, *config["samples"]]:
        yield from _unknown("alp.mesons", block["mesons"], config["samples"], "samples")
    chosen = block["inference"]["benchmark"]
    yield from _unknown("alp.inference.benchmark", chosen, block["benchmarks"], "alp.benchmarks")
    for mu_b, mu_s in block["points"]:
        if not mu_b > 0:
            yield f"alp.points: [{mu_b:g}, {mu_s:g}] expects no background: give more than 0"
    yield from _check_prior(config)


def _unknown(place: str, name: str, known: Mapping[str, Any], where: str) -> Iterator[str]:
    """Find a name that is used but not defined."""
    if name not in known:
        yield f"{place}: {name!r} is not defined in {where}{suggest(name, known)}"


def _check_prior(config: Mapping[str, Any]) -> Iterator[str]:
    """Find benchmarks outside the prior, and a prior that hunts cannot use."""
    block = config["alp"]
    if block["dataset"] not in config["beamdumps"]:
        return
    prior = config["beamdumps"][block["dataset"]]["prior"]
    if "lifetime_m_per_gev" not in prior:
        yield f"beamdumps.{block['dataset']}.prior: hunts need lifetime_m_per_gev, flat in c tau / m"
        return
    for name, point in block["benchmarks"].items():
        for key in ("mass_gev", "lifetime_m_per_gev"):
            low, high = prior[key]
            if not low <= point[key] <= high:
                yield (
                    f"alp.benchmarks.{name}.{key}: {point[key]:g} is outside of the prior, which"
                    f" reaches from {low:g} to {high:g}"
                )
