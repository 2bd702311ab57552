"""What the configuration of a search means, and whether it can be run."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from bumpflow.suggest import suggest

ARMS = ("mc", "surrogate", "reweighted", "surrogatenuisance", "reweightednuisance")
"""Background templates that a search compares: the keys of :data:`bumpflow.search.arms.ARMS`."""
FIT_SETTINGS = (
    "crosssection_fb",
    "luminosity_fb",
    "signal_fraction",
    "systematic",
    "systematics",
    "normalisation",
    "mc_statistics",
    "confidence",
    "scans",
    "ensemble",
    "toys",
)
SCORE = "score"
"""The column that the search adds to events, as in :mod:`bumpflow.stats.templates`."""


def surrogate_of(config: Mapping[str, Any]) -> str:
    """Return the surrogate that stands in for Monte Carlo: the chosen one, or the first."""
    return str(config["histfactory"]["model"] or config["surrogates"]["models"][0])


def signal_of(config: Mapping[str, Any]) -> tuple[str, int]:
    """Return dataset and label of the signal; the dataset is the background's by default."""
    signal = config["histfactory"]["signal"]
    return signal["dataset"] or config["surrogates"]["dataset"], signal["label"]


def selected_observables(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the observables that a search fits, by name, the first one first."""
    search = config["histfactory"]
    return {name: search["observables"][name] for name in search["select"]}


def fit_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a search's fits depend on."""
    return {key: config["histfactory"][key] for key in FIT_SETTINGS}


def member_templates(config: Mapping[str, Any], kind: str) -> list[str]:
    """Return the templates of all surrogates of a kind that a search trains again."""
    folder = "<results>/histfactory/{dataset}/{model}"
    numbers = range(config["histfactory"]["ensemble"][f"{kind}s"])
    return [f"{folder}/{kind}{number}/templates.parquet" for number in numbers]


def search_fits(config: Mapping[str, Any]) -> list[str]:
    """Return the fits of a search's workspaces, of every background template and observable."""
    observables = config["histfactory"]["select"]
    paths = (f"{observable}/{arm}/fit.json" for observable in observables for arm in ARMS)
    return [search_result(config, path) for path in paths]


def further_targets(config: Mapping[str, Any]) -> list[str]:
    """Return what a study makes besides its report: the fits, if the search is part of it."""
    return search_fits(config) if "histfactory" in config["analyses"] else []


def search_result(config: Mapping[str, Any], path: str) -> str:
    """Return a result of the search; ``{observable}`` in it stands for the first observable."""
    folder = f"<results>/histfactory/{config['surrogates']['dataset']}/{surrogate_of(config)}"
    return f"{folder}/{path.replace('{observable}', config['histfactory']['select'][0])}"


def generated_sizes(config: Mapping[str, Any]) -> list[int]:
    """Return the numbers of generated events that a search tries, less the largest."""
    grid, most = config["histfactory"]["scans"]["generated"], search_size(config)
    return [
        round(grid["low"] * (most / grid["low"]) ** (step / (grid["n_points"] - 1)))
        for step in range(grid["n_points"] - 1)
    ]


def search_size(config: Mapping[str, Any]) -> int:
    """Return how many generated events fill a search's background template."""
    return int(config["histfactory"]["n_events"]["template"])


def check_search(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what contradicts other settings, sentence by sentence."""
    search, surrogates = config["histfactory"], config["surrogates"]
    place = "histfactory"
    model, (dataset, label) = surrogate_of(config), signal_of(config)
    if dataset not in config["datasets"]:
        known = suggest(dataset, config["datasets"])
        yield f"{place}.signal.dataset: {dataset!r} is not defined in datasets{known}"
    if model not in surrogates["models"]:
        known = suggest(model, surrogates["models"])
        yield f"{place}.model: {model!r} is not in surrogates.models{known}"
    if (dataset, label) == (surrogates["dataset"], surrogates["label"]):
        yield (
            f"{place}.signal: label {label} of {dataset!r} is what the surrogates imitate: choose"
            f" another signal, or leave {place} out of `analyses`"
        )
    yield from _check_observables(config)
    yield from _check_purposes(search["splits"], config["splits"])
    if search["systematic"] not in search["systematics"]:
        yield f"{place}.systematic: {search['systematic']} is not among {place}.systematics"
    if search["scans"]["generated"]["low"] >= search_size(config):
        yield f"{place}.scans.generated.low must be below {place}.n_events.template"


def _check_observables(config: Mapping[str, Any]) -> Iterator[str]:
    """Find observables that no sample has, or whose bins cannot be used."""
    known = [SCORE, *config["features"], *config["surrogates"]["context"]]
    defined = config["histfactory"]["observables"]
    for name in config["histfactory"]["select"]:
        if name not in defined:
            near = suggest(name, defined)
            yield f"histfactory.select: {name!r} is not defined in histfactory.observables{near}"
            continue
        block = defined[name]
        place = f"histfactory.observables.{name}"
        if block["column"] not in known:
            near = suggest(block["column"], known)
            yield (
                f"{place}.column: {block['column']!r} is neither a feature nor the score{near};"
                f" choose other observables, or leave histfactory out of `analyses`"
            )
        edges = block.get("edges") or [block["low"], block["high"]]
        if any(high <= low for low, high in pairwise(edges)):
            yield f"{place}: edges of bins must rise, but they are {edges}"


def _check_purposes(
    purposes: Mapping[str, Sequence[str]], splits: Mapping[str, float]
) -> Iterator[str]:
    """Find splits that do not exist, or that serve two purposes that exclude each other."""
    place = "histfactory.splits"
    for purpose, names in purposes.items():
        for name in names:
            if name not in splits:
                yield f"{place}.{purpose}: there is no split {name!r}{suggest(name, splits)}"
    for one, other in (
        ("data", "background"),
        ("data", "signal"),
        ("data", "reweighting"),
        ("data", "selection"),
        ("signal", "selection"),
    ):
        for name in sorted({*purposes[one]} & {*purposes[other]}):
            yield f"{place}: {name!r} serves both {one} and {other}: they must be independent"
    for name in sorted({*purposes["data"]} & {"train", "validation"}):
        yield f"{place}.data: surrogates learn from {name!r}: choose another"
