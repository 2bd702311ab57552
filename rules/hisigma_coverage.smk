"""Measure the coverage of a resonance's intervals where the truth is known, and sum up.

Needs:    <results>/hisigma/{dataset}/{density}/{truthbackground,truthsignal}.safetensors, shapes.json
Produces: <results>/hisigma/{dataset}/{density}/toys/{replica}.parquet, <results>/hisigma/summary.json
"""


def coverage_toys(wildcards):
    """Return the toys of all experiments of the interpreted densities."""
    dataset = resonance.shown_measurement(config)
    density = resonance.interpreted_density(config)
    return [
        resonance_file(f"toys/{replica}.parquet", dataset, density)
        for replica in resonance.replicas(config)
    ]


def of_each_density(name):
    """Return a result of each set-up of densities."""
    dataset = resonance.shown_measurement(config)
    return [
        resonance_file(name, dataset, density) for density in config["hisigma"]["select"]
    ]


rule run_experiment:
    input:
        background=resonance_file("truthbackground.safetensors"),
        signal=resonance_file("truthsignal.safetensors"),
        shapes=resonance_file("shapes.json"),
    output:
        toys=resonance_file("toys/{replica}.parquet"),
    log:
        "<logs>/run_experiment/{dataset}/{density}/{replica}.log",
    benchmark:
        "<benchmarks>/run_experiment/{dataset}/{density}/{replica}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=600,
        gpu=gpus_needed(config["device"]),
    params:
        replica=lambda wildcards: int(wildcards.replica),
        measurement=measurement_setting,
        density=lambda wildcards: studies.density_settings(
            config, density_setting("model")(wildcards)
        ),
        settings=lambda wildcards: studies.training_settings(
            config, density_setting("model")(wildcards)
        ),
        experiment=lambda wildcards: resonance.experiment_settings(
            config, wildcards.density
        ),
        validation_fraction=config["hisigma"]["validation_fraction"],
        checkpoints=lambda wildcards: checkpoint_folder(
            "run_experiment",
            job=f"{wildcards.density}/experiment{wildcards.replica}",
            level=wildcards.dataset,
        ),
        device=config["device"],
        seed=seed_for("run_experiment"),
        code=code_of("run_experiment"),
    script:
        "../scripts/run_experiment.py"


rule summarise_hisigma:
    input:
        fits=of_each_density("fits.parquet"),
        tests=of_each_density("tests.json"),
        closure=of_each_density("closure.parquet"),
        timing=of_each_density("timing.json"),
        strategies=of_each_density("strategies.parquet") if resonance.has_truth(config) else [],
        toys=coverage_toys,
    output:
        summary="<results>/hisigma/summary.json",
    log:
        "<logs>/summarise_hisigma.log",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        names=config["hisigma"]["select"],
        n_signal=resonance.injected_signal(config),
        code=code_of("summarise_hisigma"),
    script:
        "../scripts/summarise_hisigma.py"


rule hisigma:
    input:
        "<results>/hisigma/summary.json",
