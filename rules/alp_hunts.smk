"""Hunt for events that agree in mass and lifetime: toys, sensitivities, and observed events.

Needs:    networks and measured events of rules/alp.smk, tables of alp.observed
Produces: <results>/alp/{dataset}/{resolution}/*.parquet, <results>/alp/{dataset}/observed/*
"""


rule rank_pairs:
    input:
        posterior=alp_file("posterior.safetensors"),
        ratio=alp_file("ratio.safetensors"),
        networks=[alp_file(f"{name}.safetensors") for name in alps.ARCHITECTURES],
        background=features_of("background"),
        signals=[features_of(name) for name in alps.benchmarks(config)],
    output:
        rejections=alp_file("rejections.parquet"),
        curves=alp_file("roc.parquet"),
    log:
        "<logs>/rank_pairs/{dataset}/{resolution}.log",
    benchmark:
        "<benchmarks>/rank_pairs/{dataset}/{resolution}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(3000),
        runtime=60,
        gpu=gpus_needed(config["device"]),
    params:
        n_pairs=config["alp"]["n_pairs"],
        threshold=config["alp"]["threshold"],
        device=config["device"],
        code=code_of("rank_pairs"),
    script:
        "../scripts/rank_pairs.py"


rule hunt_toys:
    input:
        posterior=alp_file("posterior.safetensors"),
        ratio=alp_file("ratio.safetensors"),
        networks=[alp_file(f"{name}.safetensors") for name in config["alp"]["hunted"]],
        background=features_of("background"),
        signal=lambda wildcards: (
            []
            if wildcards.population == "background"
            else [features_of(wildcards.population)]
        ),
    output:
        toys=alp_file("toys/{population}.parquet"),
    log:
        "<logs>/hunt_toys/{dataset}/{resolution}/{population}.log",
    benchmark:
        "<benchmarks>/hunt_toys/{dataset}/{resolution}/{population}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(3000),
        runtime=240,
        gpu=gpus_needed(config["device"]),
    params:
        points=config["alp"]["points"],
        grid=config["alp"]["map"],
        n_toys=config["alp"]["toys"],
        thresholds=config["alp"]["thresholds"],
        bins=lambda wildcards: config["alp"]["bins"][wildcards.resolution],
        device=config["device"],
        seed=seed_for("hunt_toys"),
        code=code_of("hunt_toys"),
    script:
        "../scripts/hunt_toys.py"


rule measure_hunts:
    input:
        background=alp_file("toys/background.parquet"),
        signals=[alp_file(f"toys/{name}.parquet") for name in alps.benchmarks(config)],
    output:
        points=alp_file("points.parquet"),
        maps=alp_file("maps.parquet"),
        thresholds=alp_file("thresholds.parquet"),
        purities=alp_file("purities.parquet"),
        errors=alp_file("type_one_errors.parquet"),
        distributions=alp_file("distributions.parquet"),
    log:
        "<logs>/measure_hunts/{dataset}/{resolution}.log",
    benchmark:
        "<benchmarks>/measure_hunts/{dataset}/{resolution}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(3000),
        runtime=120,
    params:
        networks=config["alp"]["hunted"],
        rates=config["alp"]["points"],
        grid=config["alp"]["map"],
        threshold=config["alp"]["threshold"],
        tried=config["alp"]["thresholds"],
        bins=lambda wildcards: config["alp"]["bins"][wildcards.resolution],
        levels=config["alp"]["levels"],
        n_events=config["alp"]["inference"]["n_events"],
        code=code_of("measure_hunts"),
    script:
        "../scripts/measure_hunts.py"


rule infer_parameters:
    input:
        posterior=alp_file("posterior.safetensors"),
        background=features_of("background"),
        signal=features_of(config["alp"]["inference"]["benchmark"]),
    output:
        scaling=alp_file("scaling.parquet"),
        toys=alp_file("inferred.parquet"),
        coverage=alp_file("inferred_coverage.parquet"),
    log:
        "<logs>/infer_parameters/{dataset}/{resolution}.log",
    benchmark:
        "<benchmarks>/infer_parameters/{dataset}/{resolution}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(3000),
        runtime=60,
        gpu=gpus_needed(config["device"]),
    params:
        settings=config["alp"]["inference"],
        mass_gev=config["alp"]["benchmarks"][config["alp"]["inference"]["benchmark"]][
            "mass_gev"
        ],
        threshold=config["alp"]["threshold"],
        device=config["device"],
        seed=seed_for("infer_parameters"),
        code=code_of("infer_parameters"),
    script:
        "../scripts/infer_parameters.py"


rule hunt_events:
    input:
        table=observed_table,
        posterior=observed_input("posterior.safetensors"),
        ratio=observed_input("ratio.safetensors"),
        networks=observed_networks,
        background=observed_input("features/background.parquet"),
    output:
        events="<results>/alp/{dataset}/observed/{observed}_events.parquet",
        pairs="<results>/alp/{dataset}/observed/{observed}_pairs.parquet",
        posteriors="<results>/alp/{dataset}/observed/{observed}_posteriors.parquet",
        summary="<results>/alp/{dataset}/observed/{observed}.json",
    log:
        "<logs>/hunt_events/{dataset}/{observed}.log",
    benchmark:
        "<benchmarks>/hunt_events/{dataset}/{observed}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=30,
        gpu=gpus_needed(config["device"]),
    params:
        setup=beam_dump,
        resolution=lambda wildcards: config["resolutions"][
            observed_setting("resolution")(wildcards)
        ],
        threshold=config["alp"]["threshold"],
        bins=lambda wildcards: config["alp"]["bins"][
            observed_setting("resolution")(wildcards)
        ],
        mu_b=observed_setting("mu_b"),
        n_toys=config["alp"]["toys"]["background"]["n_toys"],
        device=config["device"],
        seed=seed_for("hunt_events"),
        code=code_of("hunt_events"),
    script:
        "../scripts/hunt_events.py"


rule summarise_alps:
    input:
        moments="<results>/alp/moments.parquet",
        rejections=of_each_resolution("rejections.parquet"),
        points=of_each_resolution("points.parquet"),
        errors=of_each_resolution("type_one_errors.parquet"),
        checks=of_each_resolution("posterior_checks.json"),
        observed=observed_summaries,
    output:
        summary="<results>/alp/summary.json",
    log:
        "<logs>/summarise_alps.log",
    benchmark:
        "<benchmarks>/summarise_alps.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        resolutions=config["alp"]["resolutions"],
        n_pairs=config["alp"]["n_pairs"],
        code=code_of("summarise_alps"),
    script:
        "../scripts/summarise_alps.py"


rule alp:
    input:
        "<results>/alp/summary.json",
