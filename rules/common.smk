"""Named functions that fill params and inputs; no rules here."""

from bumpflow.config import (
    check_config,
    download_of,
    locate,
    reading_options,
    results_folder,
)
from bumpflow.workflow import code_digest, derive_seed

check_config(
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


def project_file(path):
    """Return ``path`` seen from the working directory, else from the workflow's folder."""
    return locate(path, base=workflow.basedir)


def dataset_file(key):
    """Return an input function: the file that a dataset names under ``key``, if it does."""

    def find(wildcards):
        dataset = config["datasets"][wildcards.dataset]
        return project_file(dataset[key]) if key in dataset else []

    return find


def dataset_options(wildcards):
    """Return what differs from the defaults in how a dataset's file is read."""
    return reading_options(config["datasets"][wildcards.dataset])


def download_setting(key):
    """Return a params function: ``url`` or ``sha256`` of the dataset that a file belongs to."""
    return lambda wildcards: download_of(config, wildcards.file)[key]
