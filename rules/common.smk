"""Named functions that fill params and inputs; no rules here."""

from bumpflow.config import check_config, locate, results_folder
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
