"""Named functions that fill params and inputs; no rules here."""

from pathlib import Path

from bumpflow import chunks, config as studies
from bumpflow.compatibility import settings as alps
from bumpflow.hunts import settings as hunts
from bumpflow.reconstruction import settings as cinn
from bumpflow.resonance import settings as resonance
from bumpflow.search import settings as search
from bumpflow.simulate import settings as simulation
from bumpflow.device import gpus_needed
from bumpflow.report.figures import each_figure
from bumpflow.workflow import code_digest, derive_seed

BASE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent
AS_MODULE = not workflow.modifier.is_main_snakefile()  # gets what a project changes
config = studies.complete(config, workflow.source_path("../config/config.yaml"))
if workflow.is_main_process:  # not again in each job on a cluster
    studies.check_config(
        config,
        schema=workflow.source_path("../config/config.schema.yaml"),
        overlays=[] if AS_MODULE else workflow.config_settings.configfiles,
    )


def seed_for(rule):
    """Return a params function: the seed of one job of ``rule``."""
    return lambda wildcards: derive_seed(config["seed"], rule, *wildcards)


def more_memory(megabytes):
    """Return a resources function: memory [MB], as much again with each attempt."""
    return lambda wildcards, attempt: megabytes * attempt


def code_of(script):
    """Return a params function: digest of ``scripts/<script>.py`` and all modules it uses."""
    path = workflow.source_path(f"../scripts/{script}.py")
    return lambda wildcards: code_digest(path)  # takes time: only where there are jobs


def checkpoint_folder(script, job="{model}", level="{dataset}"):
    """Return a params function: where a job keeps checkpoints, apart for each code version."""
    path = f"{studies.results_folder(config)}/checkpoints/{level}/{job}"
    return lambda wildcards: f"{path.format(**wildcards)}/{code_of(script)(wildcards)}"


def project_file(path):
    """Return ``path`` seen from the working directory, else from the workflow's folder."""
    return studies.locate(path, base=BASE)


def dataset_file(key):
    """Return an input function: the file that a dataset names under ``key``, if it does."""

    def find(wildcards):
        dataset = config["datasets"][wildcards.dataset]
        if key == "path" and "mixture" in dataset:
            return f"<results>/mixtures/{dataset['mixture']}.parquet"
        return project_file(dataset[key]) if key in dataset else []

    return find


def hunter_weights(wildcards):
    """Return the weights of a network that hunts bumps."""
    return project_file(hunts.hunter_file(config, wildcards.hunter))


def categorised_files(wildcards):
    """Return the files of the events whose categories a mixture's name stands for."""
    return [*map(project_file, hunts.category_files(config, wildcards.mixture))]


def sample_setting(wildcards):
    """Return what a sample's events depend on."""
    return simulation.sample_settings(config, wildcards.sample)


def dataset_options(wildcards):
    """Return what differs from the defaults in how a dataset's file is read."""
    return studies.reading_options(config["datasets"][wildcards.dataset])


def download_setting(key):
    """Return a params function: ``url`` or ``sha256`` of the dataset that a file belongs to."""
    return lambda wildcards: studies.download_of(config, wildcards.file)[key]


def bench_summary(wildcards):
    """Return the summary of ``./run bench`` where it has been run."""
    return [*Path("results/bench").glob("summary.json")]


def figure_files(analysis, name, caption=None):
    """Return the files of a figure: PNG for the report, PDF for papers."""
    stem = f"<results>/{analysis}/{{dataset}}/figures/{name}"
    shown = {"caption": f"captions/{caption or name}.rst", "category": analysis}
    return [report(f"{stem}.png", **shown, labels={"figure": name}), f"{stem}.pdf"]
