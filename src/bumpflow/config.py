"""Check the merged configuration before any job starts."""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bumpflow import io
from bumpflow.ingest.layout import build_layout

DEFAULT_STUDY = "default"
RESULTS = Path("results")
DOWNLOADS = RESULTS / "downloads"
READING_OPTIONS = ("header", "label", "columns", "nonnegative")
SCORE = "score"  # the column that the search adds
ARMS = ("mc", "surrogate", "reweighted", "surrogatenuisance", "reweightednuisance")
"""Background templates that a search compares, with and without the training's nuisance."""
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
COLUMN_LISTS = ("mirror", "corner_features")
TAKEN = (
    "bench",
    "benchmarks",
    "checkpoints",
    "downloads",
    "events",
    "histfactory",
    "logs",
    "surrogates",
)


class InvalidConfig(ValueError):
    """The configuration cannot be run; the message says where and what to do."""


def check_config(
    config: Mapping[str, Any], *, schema: str | Path, overlays: Sequence[str | Path] = ()
) -> None:
    """Check a study's merged configuration.

    Args:
        config: The merged configuration.
        schema: JSON Schema file, written in YAML.
        overlays: The files that the study laid over the defaults.

    Raises:
        InvalidConfig: If keys or values do not fit the schema, or contradict each other; it
            names every fault with its place.
    """
    validator = Draft202012Validator(io.read_yaml(schema))
    faults = [fault for error in validator.iter_errors(config) for fault in _explain(error)]
    if not faults:
        faults = [*_check_study(config, overlays), *_check_names(config), *_check_sums(config)]
        faults += _check_datasets(config)
        faults += _check_search(config)
    if faults:
        lines = "\n".join(f"  - {fault}" for fault in faults)
        msg = f"the configuration cannot be used:\n{lines}"
        raise InvalidConfig(msg)


def results_folder(config: Mapping[str, Any]) -> str:
    """Return the folder of a study's artifacts: ``results``, or ``results/<study>``."""
    study = config["study"]
    return str(RESULTS if study == DEFAULT_STUDY else RESULTS / study)


def locate(path: str | Path, *, base: str | Path) -> str:
    """Return a path as it is if it exists from here, else the one below ``base`` if that does.

    Args:
        path: A file that the configuration names.
        base: The workflow's own folder, which holds the resources that ship with it.
    """
    shipped = Path(base) / path
    return str(path if Path(path).exists() or not shipped.exists() else shipped)


def reading_options(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a dataset's configuration says about how to read its file."""
    return {key: dataset[key] for key in READING_OPTIONS if key in dataset}


def download_of(config: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Return where to fetch a file of the downloads folder, and its checksum.

    Raises:
        InvalidConfig: If no dataset has this file and a URL.
    """
    for dataset in config["datasets"].values():
        if "url" in dataset and Path(dataset["path"]) == DOWNLOADS / file:
            return {"url": dataset["url"], "sha256": dataset.get("sha256")}
    msg = f"no dataset has `path: {DOWNLOADS / file}` and a `url`: place the file there by hand"
    raise InvalidConfig(msg)


def mirror_columns(config: Mapping[str, Any], dataset: str) -> list[str]:
    """Return the modelled columns that change sign in an event's mirror image."""
    modelled = [*config["features"], *config["surrogates"]["context"]]
    return [name for name in config["datasets"][dataset].get("mirror", []) if name in modelled]


def corner_features(config: Mapping[str, Any], dataset: str) -> list[str]:
    """Return the features of the readable corner plot: the dataset's choice, or the first six."""
    chosen = config["datasets"][dataset].get("corner_features", [])
    shown = [name for name in chosen if name in config["features"]]
    return shown if len(shown) > 1 else config["features"][:6]


def shown_model(config: Mapping[str, Any]) -> str:
    """Return the model that figures of a single one show: the chosen one, or the first."""
    surrogates = config["surrogates"]
    return str(surrogates["figures"].get("model", surrogates["models"][0]))


def scan_points(config: Mapping[str, Any], scan: str) -> dict[str, dict[str, Any]]:
    """Return the models of a scan by name: the scan's own name and a number.

    Each is the scanned model with one setting changed; the members of its ensemble, one per
    seed, tell how much the result varies.
    """
    chosen = config["scans"][scan]
    model = config["models"][chosen["model"]]
    training = model.get("training", {}) | {"ensemble": chosen["seeds"]}
    return {
        f"{scan}{index}": model | {chosen["parameter"]: value, "training": training}
        for index, value in enumerate(chosen["values"])
    }


def model_settings(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return a model's settings by its name, which may be that of a scan's point."""
    points = (scan_points(config, scan) for scan in config["scans"])
    return dict(ChainMap(config["models"], *points)[model])


def density_settings(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return a model's family, scaler and sizes, as the density's builder takes them."""
    settings = model_settings(config, model)
    settings.pop("training", None)
    return {key: settings.pop(key) for key in ("family", "scaler")} | {"sizes": settings}


def training_settings(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return all of a model's training settings: the common ones, and what the model changes."""
    return dict(config["training"] | model_settings(config, model).get("training", {}))


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


def search_result(config: Mapping[str, Any], path: str) -> str:
    """Return a result of the search; ``{observable}`` in it stands for the first observable."""
    search = config["histfactory"]
    folder = f"<results>/histfactory/{search['dataset']}/{search['model']}"
    return f"{folder}/{path.replace('{observable}', search['select'][0])}"


def member_settings(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return how a search trains a surrogate again, and how much it generates with it."""
    search = config["histfactory"]
    flows = {"ensemble": search["ensemble"]["flows"]}
    return {
        "training": training_settings(config, model) | flows,
        "reweighting": search["reweighting"],
        "n_template": search["n_events"]["template"] // search["ensemble"]["thinning"],
        "n_reweighting": search["n_events"]["reweighting"],
        "chunk_size": config["surrogates"]["chunk_size"],
    }


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


def _explain(error: ValidationError) -> Iterator[str]:
    """Yield a sentence for each fault that a schema violation stands for."""
    place = ".".join(str(part) for part in error.absolute_path) or "the top level"
    schema, given = error.schema, cast("Any", error.instance)
    if error.validator == "additionalProperties" and isinstance(schema, Mapping):
        known = list(schema.get("properties", {}))
        for key in given:
            if key not in known:
                yield f"{place}: unknown key {key!r}{_suggest(key, known)}"
    else:
        yield f"{place}: {error.message}"


def _suggest(word: str, known: Iterable[str]) -> str:
    """Return a hint at the nearest known word, or at all of them."""
    known = list(known)
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def _check_study(config: Mapping[str, Any], overlays: Sequence[str | Path]) -> Iterator[str]:
    """Refuse an overlay without a name, whose artifacts would replace another study's."""
    study = config["study"]
    named = [path for path in overlays if Path(path).name != "config.yaml"]
    if study == DEFAULT_STUDY and named:
        yield (
            f"study: {Path(named[-1]).name} changes the default study but keeps its name: give it"
            " one of its own (such as `study: mystudy`), so that its results get their own folder"
        )
    if study in TAKEN:
        yield f"study: {study!r} is the name of a folder below results/: choose another"


def _check_names(config: Mapping[str, Any]) -> Iterator[str]:
    """Find names that are used but not defined."""
    surrogates, datasets, models = config["surrogates"], config["datasets"], config["models"]
    if surrogates["dataset"] not in datasets:
        name = surrogates["dataset"]
        yield f"surrogates.dataset: {name!r} is not defined in datasets{_suggest(name, datasets)}"
    for name in surrogates["models"]:
        if name not in models:
            yield f"surrogates.models: {name!r} is not defined in models{_suggest(name, models)}"
    shown = shown_model(config)
    if shown not in surrogates["models"]:
        known = _suggest(shown, surrogates["models"])
        yield f"surrogates.figures.model: {shown!r} is not in surrogates.models{known}"
    for name in set(surrogates["context"]) & set(config["features"]):
        yield f"surrogates.context: {name!r} is also in features: a column is one or the other"
    for name, scan in config["scans"].items():
        if scan["model"] not in models:
            known = _suggest(scan["model"], models)
            yield f"scans.{name}.model: {scan['model']!r} is not defined in models{known}"
        else:
            for taken in models.keys() & scan_points(config, name).keys():
                yield f"scans.{name}: its point {taken!r} has a model's name: choose another"


def _check_search(config: Mapping[str, Any]) -> Iterator[str]:
    """Find settings of the search that contradict others."""
    search, surrogates = config["histfactory"], config["surrogates"]
    place = "histfactory"
    for key in ("dataset", "signal.dataset"):
        name = search["signal"]["dataset"] if key.startswith("signal") else search["dataset"]
        if name not in config["datasets"]:
            known = _suggest(name, config["datasets"])
            yield f"{place}.{key}: {name!r} is not defined in datasets{known}"
    if search["dataset"] != surrogates["dataset"]:
        yield (
            f"{place}.dataset: {search['dataset']!r} has no surrogates, as surrogates.dataset is"
            f" {surrogates['dataset']!r}: choose the same"
        )
    if search["model"] not in surrogates["models"]:
        known = _suggest(search["model"], surrogates["models"])
        yield f"{place}.model: {search['model']!r} is not in surrogates.models{known}"
    signal = (search["signal"]["dataset"], search["signal"]["label"])
    if signal == (search["dataset"], surrogates["label"]):
        yield f"{place}.signal: {signal} is what the surrogates imitate: signal must differ from it"
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
            near = _suggest(name, defined)
            yield f"histfactory.select: {name!r} is not defined in histfactory.observables{near}"
            continue
        block = defined[name]
        place = f"histfactory.observables.{name}"
        if block["column"] not in known:
            near = _suggest(block["column"], known)
            yield f"{place}.column: {block['column']!r} is neither a feature nor the score{near}"
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
                yield f"{place}.{purpose}: there is no split {name!r}{_suggest(name, splits)}"
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


def _check_datasets(config: Mapping[str, Any]) -> Iterator[str]:
    """Find datasets that cannot be read as described."""
    for name, dataset in config["datasets"].items():
        if "url" in dataset and Path(dataset["path"]).parent != DOWNLOADS:
            yield f"datasets.{name}.path: what is fetched by `url` goes to {DOWNLOADS}/"
        try:
            columns = build_layout(dataset["layout"], reading_options(dataset)).features
        except ValueError as error:
            yield f"datasets.{name}: {error}"
            continue
        used = {f"datasets.{name}.{key}": dataset.get(key, []) for key in COLUMN_LISTS}
        if name == config["surrogates"]["dataset"]:
            used |= {"features": config["features"]}
            used |= {"surrogates.context": config["surrogates"]["context"]}
        for place, names in used.items():
            for column in names:
                if columns and column not in columns:
                    known = _suggest(column, columns)
                    yield f"{place}: dataset {name!r} has no column {column!r}{known}"


def _check_sums(config: Mapping[str, Any]) -> Iterator[str]:
    """Find numbers that do not add up."""
    total = sum(config["splits"].values())
    if abs(total - 1) > 1e-9:
        yield f"splits: the fractions add up to {total:.6g}, not to 1"
