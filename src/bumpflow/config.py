"""Check the merged configuration before any job starts."""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bumpflow import io
from bumpflow.chunks import COMPRESSED, dataset_chunks
from bumpflow.compatibility.settings import check_alps, shown_beam_dump
from bumpflow.hunts.settings import check_hunts
from bumpflow.ingest.layout import build_layout
from bumpflow.reconstruction.settings import check_cinn, shown_geometry
from bumpflow.resonance.settings import check_resonance, shown_measurement
from bumpflow.search.settings import ARMS, check_search, search_size
from bumpflow.simulate.settings import check_simulation
from bumpflow.suggest import suggest

DEFAULT_STUDY = "default"
MOST_VALUES, DEEPEST, LARGEST = 100_000, 30, 10**300
"""Values of a configuration, their depth and size, beyond which it is a mistake."""
RESULTS = Path("results")
DOWNLOADS = RESULTS / "downloads"
READING_OPTIONS = ("header", "label", "columns", "nonnegative")
COLUMN_LISTS = ("mirror", "corner_features")
NAME = "[a-z0-9]+"
NAMED = [
    "beams",
    "dataset",
    "density",
    "detector",
    "histogram",
    "hunter",
    "mixture",
    "model",
    "network",
    "observable",
    "observed",
    "part",
    "population",
    "resolution",
    "sample",
    "scan",
    "setup",
    "test",
]
WILDCARDS = dict.fromkeys(NAMED, NAME) | {
    "chunk": "[0-9]+",
    "replica": "[0-9]+",
    "member": "(bootstrap|replica)[0-9]+",
    "arm": "|".join(ARMS),
}
"""What the parts of a path that vary may look like."""
PARTS = (
    "simulation",
    "events",
    "surrogates",
    "surrogate_figures",
    "histfactory",
    "histfactory_fits",
    "histfactory_figures",
    "simulation_checks",
    "simulation_figures",
    "bump_spectra",
    "ddp",
    "ddp_figures",
    "hisigma_inputs",
    "hisigma",
    "hisigma_checks",
    "hisigma_figures",
    "alp_inputs",
    "alp",
    "alp_hunts",
    "alp_figures",
    "cinn_inputs",
    "cinn",
    "cinn_checks",
    "cinn_figures",
    "report",
)
"""Files of rules, in running order."""
TAKEN = (
    "alp",
    "bench",
    "benchmarks",
    "checkpoints",
    "cinn",
    "ddp",
    "downloads",
    "events",
    "generators",
    "hisigma",
    "histfactory",
    "logs",
    "mixtures",
    "samples",
    "simulation",
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
    faults = [*_check_extent(config)]
    if not faults:
        validator = Draft202012Validator(io.read_yaml(schema))
        faults = [fault for error in validator.iter_errors(config) for fault in _explain(error)]
    if not faults:
        faults = [*_check_study(config, overlays), *_check_names(config), *_check_sums(config)]
        faults += _check_datasets(config)
        faults += check_simulation(config)
        faults += check_hunts(config)
        faults += check_resonance(config)
        faults += check_alps(config)
        faults += check_cinn(config)
        if "histfactory" in config["analyses"]:
            faults += check_search(config)
    if faults:
        lines = "\n".join(f"  - {fault}" for fault in faults)
        msg = f"the configuration cannot be used:\n{lines}"
        raise InvalidConfig(msg)


def complete(config: Mapping[str, Any], defaults: str | Path) -> dict[str, Any]:
    """Return the configuration with defaults for what it lacks, as Snakemake merges overlays.

    Where the workflow is a module of another, Snakemake leaves its own file of defaults out.

    Args:
        config: What a study or a project sets.
        defaults: File of all defaults.
    """
    return _overlay(io.read_yaml(defaults), config)


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` with what ``above`` sets: maps merge, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _overlay(merged[key], value) if both else value
    return merged


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
        if "url" in dataset and Path(dataset.get("path", "")) == DOWNLOADS / file:
            return {"url": dataset["url"], "sha256": dataset.get("sha256")}
    msg = f"no dataset has `path: {DOWNLOADS / file}` and a `url`: place the file there by hand"
    raise InvalidConfig(msg)


def training_records(config: Mapping[str, Any]) -> list[str]:
    """Return the records of the surrogates that a study trains."""
    if not {"surrogates", "histfactory"} & set(config["analyses"]):
        return []
    surrogates = config["surrogates"]
    folder = f"<results>/surrogates/{surrogates['dataset']}"
    return [f"{folder}/{model}/training.json" for model in surrogates["models"]]


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


def shown_dataset(config: Mapping[str, Any], analysis: str) -> str:
    """Return the dataset that an analysis is about, or the network that it shows."""
    if analysis == "simulation":
        return str(config["simulation"]["benchmark"]["reference"])
    if analysis == "ddp":  # one network that scans real spectra
        return str(config["ddp"]["hunter"])
    if analysis == "hisigma":
        return shown_measurement(config)
    if analysis == "alp":
        return shown_beam_dump(config)
    if analysis == "cinn":
        return shown_geometry(config)
    return str(config["surrogates"]["dataset"])


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


def scan_figures(config: Mapping[str, Any]) -> list[str]:
    """Return the figures of all scans of sizes."""
    folder = f"<results>/surrogates/{config['surrogates']['dataset']}/figures"
    return [f"{folder}/scan_{scan}.png" for scan in config["scans"]]


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


def member_settings(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Return how a search trains a surrogate again, and how much it generates with it."""
    search = config["histfactory"]
    flows = {"ensemble": search["ensemble"]["flows"]}
    return {
        "training": training_settings(config, model) | flows,
        "reweighting": search["reweighting"],
        "n_template": search_size(config) // search["ensemble"]["thinning"],
        "n_reweighting": search["n_events"]["reweighting"],
        "block_size": config["surrogates"]["block_size"],
    }


def _check_extent(config: Mapping[str, Any]) -> Iterator[str]:
    """Find what cannot be written out: YAML's aliases and digits make much out of a few bytes."""
    pending: list[tuple[tuple[Any, ...], Any]] = [((), config)]
    n_values = 0
    while pending:
        place, value = pending.pop()
        n_values += 1
        where = ".".join(map(str, place)) or "the top level"
        if n_values > MOST_VALUES or len(place) > DEEPEST:
            yield f"{where}: endless or far too long: look for aliases (*name) here"
            return
        if isinstance(value, int) and abs(value) >= LARGEST:
            yield f"{where}: a number of more than {len(str(LARGEST)) - 1} digits: correct it"
        if isinstance(value, Mapping):
            pending.extend(((*place, key), part) for key, part in value.items())
        elif isinstance(value, list):
            pending.extend(((*place, index), part) for index, part in enumerate(value))


def _explain(error: ValidationError) -> Iterator[str]:
    """Yield a sentence for each fault that a schema violation stands for."""
    place = ".".join(str(part) for part in error.absolute_path) or "the top level"
    schema, given = error.schema, cast("Any", error.instance)
    if error.validator == "additionalProperties" and isinstance(schema, Mapping):
        known = list(schema.get("properties", {}))
        for key in given:
            if key not in known:
                yield f"{place}: unknown key {key!r}{suggest(str(key), known)}"
    else:
        yield f"{place}: {error.message}"


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
        yield f"surrogates.dataset: {name!r} is not defined in datasets{suggest(name, datasets)}"
    for name in surrogates["models"]:
        if name not in models:
            yield f"surrogates.models: {name!r} is not defined in models{suggest(name, models)}"
    shown = shown_model(config)
    if shown not in surrogates["models"]:
        known = suggest(shown, surrogates["models"])
        yield f"surrogates.figures.model: {shown!r} is not in surrogates.models{known}"
    for name in set(surrogates["context"]) & set(config["features"]):
        yield f"surrogates.context: {name!r} is also in features: a column is one or the other"
    for name, scan in config["scans"].items():
        if scan["model"] not in models:
            known = suggest(scan["model"], models)
            yield f"scans.{name}.model: {scan['model']!r} is not defined in models{known}"
        else:
            for taken in models.keys() & scan_points(config, name).keys():
                yield f"scans.{name}: its point {taken!r} has a model's name: choose another"


def _check_datasets(config: Mapping[str, Any]) -> Iterator[str]:
    """Find datasets that cannot be read as described."""
    for name, dataset in config["datasets"].items():
        if "mixture" in dataset:
            yield from _check_generated(config, name, dataset)
        elif "url" in dataset and Path(dataset["path"]).parent != DOWNLOADS:
            yield f"datasets.{name}.path: what is fetched by `url` goes to {DOWNLOADS}/"
        if dataset_chunks(config, name) > 1 and dataset.get("path", "").endswith(COMPRESSED):
            yield (
                f"datasets.{name}.chunks: {Path(dataset['path']).name} is compressed as a whole and"
                " read by one job: unpack it, or leave `chunks` out"
            )
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
                    known = suggest(column, columns)
                    yield f"{place}: dataset {name!r} has no column {column!r}{known}"


def _check_generated(
    config: Mapping[str, Any], name: str, dataset: Mapping[str, Any]
) -> Iterator[str]:
    """Find what is wrong with a dataset of generated events."""
    mixtures, mixture = config["mixtures"], dataset["mixture"]
    if mixture not in mixtures:
        known = suggest(mixture, mixtures)
        yield f"datasets.{name}.mixture: {mixture!r} is not defined in mixtures{known}"
    elif mixtures[mixture]["units"] == "gev":
        yield f"datasets.{name}.mixture: {mixture!r} must have units uci or scaled, not gev"
    for key in ("url", "sha256", "labels"):
        if key in dataset:
            yield f"datasets.{name}.{key}: generated events have no use for it"


def _check_sums(config: Mapping[str, Any]) -> Iterator[str]:
    """Find numbers that do not add up."""
    total = sum(config["splits"].values())
    if abs(total - 1) > 1e-9:
        yield f"splits: the fractions add up to {total:.6g}, not to 1"
