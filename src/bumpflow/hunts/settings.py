"""What the configuration of bump hunts means, and whether it can be run."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bumpflow.hunts.histogram import InvalidHistogram
from bumpflow.ingest.histograms import SUFFIXES, check_file, is_many, options_for_many
from bumpflow.suggest import suggest

PAPER_TEST = "task2022"
"""Name of the test that is compared with the 2022 paper."""
FUNCTIONS_TEST = "thesis"
"""Name of the test that is compared with the thesis."""


def hunter_file(config: Mapping[str, Any], hunter: str) -> str:
    """Return a network's weights: those that it comes with, or those that the study trains."""
    weights = config["hunters"][hunter].get("weights")
    return str(weights or f"<results>/ddp/{hunter}/network.safetensors")


def scanned_histograms(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the histograms to scan by name: the selected ones, and files to scan besides.

    A file's name without its suffix, in lower case and without anything but letters and digits,
    is the name of its histogram. A table with a column "histogram" holds many, as may ROOT.
    """
    chosen = {name: dict(config["histograms"][name]) for name in config["ddp"]["histograms"]}
    for path in scan_files(config):
        many = options_for_many(Path(path))
        chosen[_name_of(path)] = {"path": path, "source": Path(path).name} | many
    return chosen


def _name_of(path: str) -> str:
    """Return what the histogram in a file is called."""
    return re.sub("[^a-z0-9]", "", Path(path).name.split(".")[0].lower()) or "scanned"


def scan_files(config: Mapping[str, Any]) -> list[str]:
    """Return the files that are to be scanned besides the named histograms."""
    return [file for path in _scan_paths(config) for file in _expand(path)]


def _scan_paths(config: Mapping[str, Any]) -> list[str]:
    """Return files, folders and patterns as they are given."""
    paths = config.get("scan") or []
    return [paths] if isinstance(paths, str) else list(paths)


def _expand(path: str) -> list[str]:
    """Return the files that a folder holds or a pattern matches; a file is itself."""
    if Path(path).is_dir():
        files = [file for file in Path(path).iterdir() if {*file.suffixes[-2:]} & {*SUFFIXES}]
        return sorted(map(str, files))
    if Path(path).exists() or not set("*?[") & set(path):
        return [path]
    base = Path(Path(path).anchor)
    return sorted(map(str, base.glob(str(Path(path).relative_to(base)))))


def shown_histograms(config: Mapping[str, Any]) -> list[str]:
    """Return the histograms with a figure of their own: those that are given one by one."""
    scanned = scanned_histograms(config)
    alone = {_name_of(path) for path in _scan_paths(config) if _expand(path) == [path]}
    alone |= set(config["ddp"]["histograms"])
    return [name for name, block in scanned.items() if name in alone and not is_many(block)]


def scan_figures(config: Mapping[str, Any]) -> list[str]:
    """Return the names of the figures of a scan."""
    return ["hunt_ranking", "hunt_top", *(f"scan_{name}" for name in shown_histograms(config))]


def hunter_spectra(config: Mapping[str, Any], hunter: str) -> dict[str, Any]:
    """Return the kind of histograms that a network is trained with."""
    return dict(config["spectra"][config["hunters"][hunter]["spectra"]])


def test_settings(config: Mapping[str, Any], test: str) -> dict[str, Any]:
    """Return what a test depends on, the histograms to draw in full."""
    chosen = dict(config["ddp"]["tests"][test])
    return chosen | {"spectra": dict(config["spectra"][chosen["spectra"]])}


def test_files(config: Mapping[str, Any]) -> list[str]:
    """Return the tables of all tests."""
    return [
        f"<results>/ddp/{test['hunter']}/tests/{name}.parquet"
        for name, test in config["ddp"]["tests"].items()
    ]


def background_groups(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the kinds of histograms whose global p-values are checked, by group."""
    groups = config["ddp"]["global_p"]["groups"]
    return {group: dict(config["spectra"][name]) for group, name in groups.items()}


def category_files(config: Mapping[str, Any], mixture: str) -> list[str]:
    """Return the files of events to categorise: a mixture's, or a user's of Dark Machines."""
    block = config["ddp"]["darkmachines"].get(mixture)
    return list(block["files"]) if block else [f"<results>/mixtures/{mixture}.parquet"]


def darkmachines_format(config: Mapping[str, Any], mixture: str) -> dict[str, Any] | None:
    """Return how files of Dark Machines are to be read; None for a mixture of samples."""
    block = config["ddp"]["darkmachines"].get(mixture)
    return block and {key: block[key] for key in ("unit", "luminosity_fb")}


def check_hunts(config: Mapping[str, Any]) -> Iterator[str]:
    """Find what is wrong with the configuration of bump hunts."""
    hunts, hunters, spectra = config["ddp"], config["hunters"], config["spectra"]
    named = {"ddp.hunter": hunts["hunter"]}
    named |= {f"ddp.tests.{name}.hunter": test["hunter"] for name, test in hunts["tests"].items()}
    named |= {f"ddp.trained[{i}]": name for i, name in enumerate(hunts["trained"])}
    for place, name in named.items():
        if name not in hunters:
            yield f"{place}: {name!r} is not defined in hunters{suggest(name, hunters)}"
        elif "weights" not in hunters[name] and name not in hunts["trained"]:
            yield f"{place}: {name!r} has no weights: add it to ddp.trained"
    kinds = {f"hunters.{name}.spectra": block["spectra"] for name, block in hunters.items()}
    kinds |= {
        f"ddp.tests.{name}.spectra": test["spectra"] for name, test in hunts["tests"].items()
    }
    kinds |= {f"ddp.global_p.{group}": name for group, name in hunts["global_p"]["groups"].items()}
    kinds |= {f"ddp.{key}.spectra": hunts[key]["spectra"] for key in ("comparison", "examples")}
    for place, name in kinds.items():
        if name not in spectra:
            yield f"{place}: {name!r} is not defined in spectra{suggest(name, spectra)}"
    for name in hunts["histograms"]:
        if name not in config["histograms"]:
            known = suggest(name, config["histograms"])
            yield f"ddp.histograms: {name!r} is not defined in histograms{known}"
    mixtures = [*config["mixtures"], *hunts["darkmachines"]]
    if (mixture := hunts["categories"]["mixture"]) not in mixtures:
        known = suggest(mixture, mixtures)
        yield f"ddp.categories.mixture: {mixture!r} is not defined in mixtures{known}"
    for name in hunts["darkmachines"].keys() & config["mixtures"].keys():
        yield f"ddp.darkmachines.{name}: a mixture has this name: choose another"
    names = [*hunts["histograms"], *map(_name_of, scan_files(config))]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"scan: two histograms are given, and both are called {name!r}: rename a file"
    for path in _scan_paths(config):
        if not _expand(path):
            yield f"scan: {path!r} has no files of histograms: correct the folder or the pattern"
    for test in (PAPER_TEST, FUNCTIONS_TEST):
        if test not in hunts["tests"]:
            yield f"ddp.tests: {test!r} is missing: the report's figures show it"
    yield from _check_ranges(spectra)
    if set(hunts["histograms"]) <= set(config["histograms"]):
        yield from _check_histograms(config)


def _check_histograms(config: Mapping[str, Any]) -> Iterator[str]:
    """Find histograms that cannot be scanned, of those whose files are there."""
    for name, block in scanned_histograms(config).items():
        path = Path(block["path"])
        if path.is_file():
            try:
                check_file(path, name, block)
            except InvalidHistogram as error:
                yield str(error)


def _check_ranges(spectra: Mapping[str, Any]) -> Iterator[str]:
    """Find ranges that end before they begin."""
    for name, block in spectra.items():
        for key in ("n_bins", "counts", "significance", "positions"):
            low, high = block[key]
            if low > high:
                yield f"spectra.{name}.{key}: {low} to {high} is empty: give the smaller one first"
