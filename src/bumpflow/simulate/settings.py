"""What the configuration of generated events means, and whether they can be made."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bumpflow.simulate.hard.pdf import PDF_SETS
from bumpflow.simulate.processes import PROCESSES
from bumpflow.suggest import suggest

FILES = ("hdf5", "lhe", "delphes")
"""Processes that are files of events made elsewhere."""
LOOP, TREE = ("hhbbaa",), ("bbaa", "ccaa")
"""Processes with our own matrix elements: from a table of form factors, or at tree level."""
PARAMETRISED = ("bparametrised",)
KNOWN = (*PROCESSES, *LOOP, *TREE, *PARAMETRISED, *FILES)
WITHOUT_DETECTOR = ("bmesons",)
UNLIMITED = "$^"  # matches no name


def check_simulation(config: Mapping[str, Any]) -> list[str]:
    """Return every reason why a study's samples cannot be made, each with its place."""
    faults = [
        fault
        for name, sample in config["samples"].items()
        for fault in _check_sample(config, f"samples.{name}", sample)
    ]
    faults += _check_beams(config)
    faults += [
        fault
        for name, mixture in config["mixtures"].items()
        for fault in _check_mixture(config, f"mixtures.{name}", mixture)
    ]
    return faults + list(_check_selected(config))


def _check_sample(
    config: Mapping[str, Any], place: str, sample: Mapping[str, Any]
) -> Iterator[str]:
    """Find what is wrong with one sample."""
    process = sample["process"]
    if process not in KNOWN:
        yield f"{place}.process: {process!r} is not known{suggest(process, KNOWN)}"
        return
    yield from _check_keys(place, sample)
    for key in ("beams", "detector", "selection"):
        defined = config[key if key in ("beams",) else f"{key}s"]
        if key in sample and sample[key] not in defined:
            known = suggest(sample[key], defined)
            yield f"{place}.{key}: {sample[key]!r} is not defined{known}"
    if process in PROCESSES:
        for key in sample.get("parameters", {}):
            if key not in PROCESSES[process].parameters:
                known = suggest(key, PROCESSES[process].parameters)
                yield f"{place}.parameters: process {process!r} has no {key!r}{known}"
    beams = config["beams"].get(sample.get("beams", ""), {})
    if process in ("bmesons", *PARAMETRISED) and "energy_gev" in beams:
        yield f"{place}.beams: {process!r} wants a fixed target: momentum_gev and target"
    elif beams and process not in ("bmesons", *PARAMETRISED) and "energy_gev" not in beams:
        yield f"{place}.beams: {process!r} wants two beams: energy_gev"


def _check_keys(place: str, sample: Mapping[str, Any]) -> Iterator[str]:
    """Find keys that a process needs and a sample lacks, or has in vain."""
    process = sample["process"]
    needed = ["path"] if process in FILES else ["beams", "chunks", "blocks"]
    if process in ("hdf5", "delphes"):
        needed.append("crosssection_fb")
    if process not in (*FILES, *WITHOUT_DETECTOR, *PARAMETRISED):
        needed.append("detector")
    for key in needed:
        if key not in sample:
            yield f"{place}: process {process!r} needs {key!r}"
    owners = {"kappa_lambda": LOOP, "parameters": tuple(PROCESSES), "path": FILES}
    owners |= {"crosssection_fb": FILES, "use_objects": ("hdf5",)}
    for key, processes in owners.items():
        if key in sample and process not in processes:
            yield f"{place}.{key}: process {process!r} has no use for it"


def _check_beams(config: Mapping[str, Any]) -> Iterator[str]:
    """Find parton densities that do not exist, or that our matrix elements cannot read."""
    for name, beams in config["beams"].items():
        if beams["pdf"] not in PDF_SETS:
            known = suggest(beams["pdf"], PDF_SETS)
            yield f"beams.{name}.pdf: there are no parton densities {beams['pdf']!r}{known}"
    for name, sample in config["samples"].items():
        beams = config["beams"].get(sample.get("beams", ""))
        if beams and sample["process"] in (*LOOP, *TREE):
            found = PDF_SETS.get(beams["pdf"])
            if found and found.file is None:
                yield (
                    f"samples.{name}: our matrix elements cannot read {beams['pdf']!r}: choose"
                    f" another one for beams.{sample['beams']}.pdf"
                )


def _check_mixture(
    config: Mapping[str, Any], place: str, mixture: Mapping[str, Any]
) -> Iterator[str]:
    """Find what is wrong with one mixture."""
    kinds = set()
    for name in mixture["samples"]:
        if name not in config["samples"]:
            known = suggest(name, config["samples"])
            yield f"{place}.samples: {name!r} is not defined in samples{known}"
            continue
        selection = config["selections"].get(config["samples"][name]["selection"], {})
        kinds.add(selection.get("kind"))
    if len(kinds) > 1:
        yield f"{place}: its samples are of different kinds: {', '.join(sorted(map(str, kinds)))}"
    if "labels" in mixture and len(mixture["labels"]) != len(mixture["samples"]):
        yield (
            f"{place}.labels: there are {len(mixture['labels'])} for"
            f" {len(mixture['samples'])} samples"
        )
    if (units := mixture["units"]) != "gev":
        if "labels" not in mixture:
            yield f"{place}: units {units} need labels: one of each sample, 0 or 1"
        if kinds - {"semileptonic"}:
            yield f"{place}: units {units} are for samples of a selection of kind semileptonic"


def _check_selected(config: Mapping[str, Any]) -> Iterator[str]:
    """Find names that are used but not defined."""
    simulation, mixtures = config["simulation"], config["mixtures"]
    for name in simulation["select"]:
        if name not in config["samples"]:
            known = suggest(name, config["samples"])
            yield f"simulation.select: {name!r} is not defined in samples{known}"
    benchmark = simulation["benchmark"]
    name = simulation["mixture"]
    if name not in mixtures:
        yield f"simulation.mixture: {name!r} is not defined in mixtures{suggest(name, mixtures)}"
    beams = simulation["double_higgs"]["beams"]
    if "energy_gev" not in config["beams"].get(beams, {}):
        yield f"simulation.double_higgs.beams: {beams!r} is no beams with an energy_gev"
    name = simulation["double_higgs"]["pdf"]
    if name not in PDF_SETS or PDF_SETS[name].file is None:
        readable = [known for known, found in PDF_SETS.items() if found.file]
        yield f"simulation.double_higgs.pdf: {name!r} is none of {', '.join(readable)}"
    if benchmark["mixture"] not in mixtures:
        name = benchmark["mixture"]
        known = suggest(name, mixtures)
        yield f"simulation.benchmark.mixture: {name!r} is not defined in mixtures{known}"
    elif mixtures[benchmark["mixture"]]["units"] == "gev":
        yield f"simulation.benchmark.mixture: {benchmark['mixture']!r} must not have units gev"
    reference = benchmark["reference"]
    if reference not in config["datasets"]:
        known = suggest(reference, config["datasets"])
        yield f"simulation.benchmark.reference: {reference!r} is not defined in datasets{known}"
    elif config["datasets"][reference]["layout"] != "higgs":
        yield f"simulation.benchmark.reference: {reference!r} must have layout higgs"


def names_of(config: Mapping[str, Any], processes: Sequence[str] | None = None) -> str:
    """Return a pattern of the samples of some processes; by default of those generated here."""
    names = [
        name
        for name, sample in config["samples"].items()
        if (sample["process"] in processes if processes else sample["process"] not in FILES)
    ]
    return "|".join(names) or UNLIMITED


def sample_settings(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return all that a sample's events depend on, but not how many there are."""
    sample = config["samples"][name]
    kept = {key: value for key, value in sample.items() if key not in ("chunks", "blocks", "path")}
    named = {
        key: dict(config[section][sample[key]])
        for key, section in (("beams", "beams"), ("detector", "detectors"))
        if key in sample
    }
    return (
        {"tagging": "draw", "parameters": {}, "settings": []}
        | kept
        | named
        | {"name": name, "selection": dict(config["selections"][sample["selection"]])}
    )


def chunk_blocks(config: Mapping[str, Any], name: str, chunk: int | str) -> list[int]:
    """Return the first block of a chunk and the one after its last."""
    n_blocks = config["samples"][name]["blocks"]
    return [int(chunk) * n_blocks, (int(chunk) + 1) * n_blocks]


def count_blocks(config: Mapping[str, Any], name: str) -> int:
    """Return the number of blocks of a sample."""
    return int(config["samples"][name]["chunks"] * config["samples"][name]["blocks"])


def chunk_files(config: Mapping[str, Any], name: str, suffix: str) -> list[str]:
    """Return the files of a sample's chunks."""
    numbers = range(config["samples"][name]["chunks"])
    return [f"<results>/samples/{name}/chunks/{number}.{suffix}" for number in numbers]


def jet_scale_file(config: Mapping[str, Any], name: str) -> list[str]:
    """Return the file that corrects the energies of a sample's jets, if it has a detector."""
    sample = config["samples"][name]
    if "detector" not in sample:
        return []
    return [f"<results>/generators/jet_scale/{sample['detector']}/{sample['beams']}.parquet"]


def process_file(config: Mapping[str, Any], name: str) -> list[str]:
    """Return the table that a sample's matrix element needs, if it is one of ours."""
    process = config["samples"][name]["process"]
    if process in LOOP:
        return ["<results>/generators/form_factors.parquet"]
    if process in TREE:
        return [f"<results>/generators/{name}/phase_space.parquet"]
    return []


def jet_scale_settings(config: Mapping[str, Any], detector: str, beams: str) -> dict[str, Any]:
    """Return what the correction of the jets' energies depends on."""
    return {
        "detector": dict(config["detectors"][detector]),
        "beams": dict(config["beams"][beams]),
        "block_size": config["simulation"]["block_size"],
        "n_blocks": config["simulation"]["jet_scale"]["n_blocks"],
    }


def shown_samples(config: Mapping[str, Any]) -> list[str]:
    """Return the samples of a study's analysis ``simulation``, each once, in order."""
    simulation, mixtures = config["simulation"], config["mixtures"]
    shown = (simulation["benchmark"]["mixture"], simulation["mixture"])
    names = [*simulation["select"], *(name for key in shown for name in mixtures[key]["samples"])]
    return list(dict.fromkeys(names))


def double_higgs_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table of cross-sections of gg to HH depends on."""
    settings = dict(config["simulation"]["double_higgs"])
    energy_gev = config["beams"][settings.pop("beams")]["energy_gev"]
    return settings | {"energy_gev": energy_gev}


def samples_of_kind(config: Mapping[str, Any], *kinds: str) -> list[str]:
    """Return those of the shown samples whose selection is of one of some kinds."""
    samples, selections = config["samples"], config["selections"]
    return [
        name
        for name in shown_samples(config)
        if selections[samples[name]["selection"]]["kind"] in kinds
    ]


def jet_scales(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return detector and beams of the shown samples that have jets, each pair once."""
    samples = (config["samples"][name] for name in shown_samples(config))
    pairs = ((sample["detector"], sample["beams"]) for sample in samples if "detector" in sample)
    return list(dict.fromkeys(pairs))
