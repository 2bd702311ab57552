"""Named functions that fill params and inputs; no rules here."""

from pathlib import Path

from bumpflow import config as studies
from bumpflow.search import settings as search
from bumpflow.device import gpus_needed
from bumpflow.workflow import code_digest, derive_seed

studies.check_config(
    config,
    schema=workflow.source_path("../config/config.schema.yaml"),
    overlays=workflow.config_settings.configfiles,
)


def seed_for(rule):
    """Return a params function: the seed of one job of ``rule``."""
    return lambda wildcards: derive_seed(config["seed"], rule, *wildcards)


def code_of(script):
    """Return a digest of ``scripts/<script>.py`` and of every module it uses."""
    return code_digest(workflow.source_path(f"../scripts/{script}.py"))


def checkpoint_folder(script, job="{model}"):
    """Return where a job keeps checkpoints, apart for each version of its code."""
    folder = f"{studies.results_folder(config)}/checkpoints/{{dataset}}"
    return f"{folder}/{job}/{code_of(script)}"


def project_file(path):
    """Return ``path`` seen from the working directory, else from the workflow's folder."""
    return studies.locate(path, base=workflow.basedir)


def dataset_file(key):
    """Return an input function: the file that a dataset names under ``key``, if it does."""

    def find(wildcards):
        dataset = config["datasets"][wildcards.dataset]
        return project_file(dataset[key]) if key in dataset else []

    return find


def dataset_options(wildcards):
    """Return what differs from the defaults in how a dataset's file is read."""
    return studies.reading_options(config["datasets"][wildcards.dataset])


def download_setting(key):
    """Return a params function: ``url`` or ``sha256`` of the dataset that a file belongs to."""
    return lambda wildcards: studies.download_of(config, wildcards.file)[key]


# Figures of the report by analysis, in the order in which they appear.
FIGURES = {
    "surrogates": (
        "overlays overlays_log overlay overlay_log divergences divergences_by_feature roc"
        " density_ratio tails corner corner_all training classifier_training sampling_rates"
    ).split(),
    "histfactory": (
        "selection_roc selection_score selection_features reweighting templates fits nuisances"
        " signal_strength spurious_signal significance limits_luminosity limits_generated"
        " limit_difference toys"
    ).split(),
}


def each_figure(pattern):
    """Return ``pattern`` filled in with analysis, dataset and name of each figure."""
    return [
        pattern.format(
            analysis=analysis, dataset=config["surrogates"]["dataset"], name=name
        )
        for analysis in config["analyses"]
        for name in FIGURES[analysis]
    ]


def bench_summary(wildcards):
    """Return the summary of ``./run bench`` where it has been run."""
    summary = Path("results/bench/summary.json")
    return [summary] if summary.exists() else []


def figure_files(analysis, name):
    """Return the files of a figure: PNG for the report, PDF for papers."""
    stem = f"<results>/{analysis}/{{dataset}}/figures/{name}"
    caption = f"captions/{name}.rst"
    shown = {"caption": caption, "category": analysis, "labels": {"figure": name}}
    return [report(f"{stem}.png", **shown), f"{stem}.pdf"]
