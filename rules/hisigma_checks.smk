"""Check a measurement: other strategies, closure, goodness of fit, coverage; and sum up.

Needs:    <results>/hisigma/{dataset}/{density}/... of hisigma.smk
Produces: <results>/hisigma/{dataset}/{density}/..., <results>/hisigma/summary.json,
          <results>/hisigma/{dataset}/figures/resonance_coverage.*
"""


rule compare_strategies:
    input:
        events=resonance_file("events.parquet"),
        shapes=resonance_file("shapes.json"),
    output:
        strategies=resonance_file("strategies.parquet"),
        scores=resonance_file("scores.parquet"),
        classifiers=resonance_file("classifiers.safetensors"),
    log:
        "<logs>/compare_strategies/{dataset}/{density}.log",
    benchmark:
        "<benchmarks>/compare_strategies/{dataset}/{density}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=120,
        gpu=gpus_needed(config["device"]),
    params:
        measurement=measurement_setting,
        settings=config["hisigma"]["classifier"],
        device=config["device"],
        seed=seed_for("compare_strategies"),
        code=code_of("compare_strategies"),
    script:
        "../scripts/compare_strategies.py"


rule check_resonance:
    input:
        events=resonance_file("events.parquet"),
        shapes=resonance_file("shapes.json"),
        densities=resonance_parts,
        edges=edges_density,
        parameters=resonance_file("parameters.parquet"),
    output:
        closure=resonance_file("closure.parquet"),
        goodness=resonance_file("goodness.parquet"),
        data=resonance_file("signal_region.parquet"),
        model=resonance_file("model.parquet"),
    log:
        "<logs>/check_resonance/{dataset}/{density}.log",
    benchmark:
        "<benchmarks>/check_resonance/{dataset}/{density}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=60,
        gpu=gpus_needed(config["device"]),
    params:
        measurement=measurement_setting,
        settings=config["hisigma"]["closure"],
        device=config["device"],
        seed=seed_for("check_resonance"),
        code=code_of("check_resonance"),
    script:
        "../scripts/check_resonance.py"


rule check_normalisation:
    input:
        densities=resonance_parts,
    output:
        integrals=resonance_file("normalisation.parquet"),
    log:
        "<logs>/check_normalisation/{dataset}/{density}.log",
    benchmark:
        "<benchmarks>/check_normalisation/{dataset}/{density}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        measurement=measurement_setting,
        settings=config["hisigma"]["normalisation"],
        seed=seed_for("check_normalisation"),
        code=code_of("check_normalisation"),
    script:
        "../scripts/check_normalisation.py"


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
        mem_mb=more_memory(4000),
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
        checkpoints=checkpoint_folder(
            "run_experiment", job="{density}/experiment{replica}"
        ),
        device=config["device"],
        seed=seed_for("run_experiment"),
        code=code_of("run_experiment"),
    script:
        "../scripts/run_experiment.py"


rule plot_resonance_coverage:
    input:
        toys=coverage_toys,
        style=project_file("config/matplotlibrc"),
    output:
        coverage=figure_files("hisigma", "resonance_coverage"),
    log:
        "<logs>/plot_resonance_coverage/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_coverage/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("plot_resonance_coverage"),
    script:
        "../scripts/plot_resonance_coverage.py"


rule summarise_hisigma:
    input:
        fits=of_each_density("fits.parquet"),
        closure=of_each_density("closure.parquet"),
        tests=interpreted_file("tests.json"),
        integrals=interpreted_file("normalisation.parquet"),
        timing=interpreted_file("timing.json"),
        strategies=(
            [interpreted_file("strategies.parquet")]
            if resonance.has_truth(config)
            else []
        ),
        toys=coverage_toys,
    output:
        summary="<results>/hisigma/summary.json",
    log:
        "<logs>/summarise_hisigma.log",
    benchmark:
        "<benchmarks>/summarise_hisigma.tsv"
    localrule: True
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
