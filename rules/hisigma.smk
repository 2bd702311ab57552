"""Measure a resonance, unbinned in many dimensions.

Needs:    events of data and simulation, as measurements.{dataset} names them
Produces: <results>/hisigma/{dataset}/{density}/{events,fits,...}.parquet
"""


rule prepare_measurement:
    input:
        sources=resonance_sources,
    output:
        events=resonance_file("events.parquet"),
        record=resonance_file("events.json"),
    log:
        "<logs>/prepare_measurement/{dataset}/{density}.log",
    benchmark:
        "<benchmarks>/prepare_measurement/{dataset}/{density}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=30,
    params:
        names=lambda wildcards: [
            *resonance.measurement_files(config, wildcards.dataset)
        ],
        measurement=measurement_setting,
        smearing=density_setting("smearing"),
        train_fraction=config["hisigma"]["train_fraction"],
        seed=derive_seed(config["seed"], "prepare_measurement"),  # the same data for all densities
        code=code_of("prepare_measurement"),
    script:
        "../scripts/prepare_measurement.py"


rule train_resonance:
    input:
        events=resonance_file("events.parquet"),
    output:
        model=resonance_file("{part}.safetensors"),
        history=resonance_file("{part}_history.parquet"),
    log:
        "<logs>/train_resonance/{dataset}/{density}/{part}.log",
    benchmark:
        "<benchmarks>/train_resonance/{dataset}/{density}/{part}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=600,
        gpu=gpus_needed(config["device"]),
    params:
        part=lambda wildcards: resonance.part_settings(
            config, wildcards.dataset, wildcards.part
        ),
        measurement=measurement_setting,
        density=lambda wildcards: studies.density_settings(
            config, density_setting("model")(wildcards)
        ),
        settings=lambda wildcards: studies.training_settings(
            config, density_setting("model")(wildcards)
        ),
        contaminated=density_setting("contaminated"),
        bootstraps=lambda wildcards: resonance.n_bootstraps(
            config, wildcards.density, wildcards.part
        ),
        validation_fraction=config["hisigma"]["validation_fraction"],
        checkpoints=checkpoint_folder("train_resonance", job="{density}/{part}"),
        device=config["device"],
        seed=seed_for("train_resonance"),
        code=code_of("train_resonance"),
    script:
        "../scripts/train_resonance.py"


rule fit_mass_shapes:
    input:
        events=resonance_file("events.parquet"),
    output:
        shapes=resonance_file("shapes.json"),
        families=resonance_file("families.parquet"),
    log:
        "<logs>/fit_mass_shapes/{dataset}/{density}.log",
    benchmark:
        "<benchmarks>/fit_mass_shapes/{dataset}/{density}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=30,
    params:
        measurement=measurement_setting,
        settings=config["hisigma"]["background"],
        code=code_of("fit_mass_shapes"),
    script:
        "../scripts/fit_mass_shapes.py"


rule fit_resonance:
    input:
        events=resonance_file("events.parquet"),
        shapes=resonance_file("shapes.json"),
        families=resonance_file("families.parquet"),
        densities=resonance_parts,
    output:
        fits=resonance_file("fits.parquet"),
        curves=resonance_file("curves.parquet"),
        parameters=resonance_file("parameters.parquet"),
        timing=resonance_file("timing.json"),
    log:
        "<logs>/fit_resonance/{dataset}/{density}.log",
    benchmark:
        "<benchmarks>/fit_resonance/{dataset}/{density}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=60,
        gpu=gpus_needed(config["device"]),
    params:
        measurement=measurement_setting,
        methods=config["hisigma"]["methods"],
        interpreted=config["hisigma"]["interpreted"],
        curve_points=config["hisigma"]["curve_points"],
        interpolation=config["hisigma"]["interpolation"],
        device=config["device"],
        seed=seed_for("fit_resonance"),
        code=code_of("fit_resonance"),
    script:
        "../scripts/fit_resonance.py"


rule test_resonance:
    input:
        events=resonance_file("events.parquet"),
        shapes=resonance_file("shapes.json"),
        densities=resonance_parts,
    output:
        belt=resonance_file("belt.parquet"),
        scan=resonance_file("scan.parquet"),
        scan_toys=resonance_file("scan_toys.parquet"),
        tests=resonance_file("tests.json"),
    log:
        "<logs>/test_resonance/{dataset}/{density}.log",
    benchmark:
        "<benchmarks>/test_resonance/{dataset}/{density}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=240,
        gpu=gpus_needed(config["device"]),
    params:
        measurement=measurement_setting,
        settings=config["hisigma"]["tests"],
        device=config["device"],
        seed=seed_for("test_resonance"),
        code=code_of("test_resonance"),
    script:
        "../scripts/test_resonance.py"
