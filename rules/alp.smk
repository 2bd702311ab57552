"""Simulate axion-like particles in a beam dump, and learn what their photons say.

Needs:    nothing, or the sample of B mesons that alp.mesons names
Produces: <results>/alp/{dataset}/{events,{resolution}/features}/*.parquet, networks, checks
"""


rule simulate_alps:
    input:
        mesons=alp_mesons,
    output:
        events="<results>/alp/{dataset}/events/{population}.parquet",
    log:
        "<logs>/simulate_alps/{dataset}/{population}.log",
    benchmark:
        "<benchmarks>/simulate_alps/{dataset}/{population}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=240,
    params:
        population=lambda wildcards: wildcards.population,
        n_events=lambda wildcards: alps.population_size(config, wildcards.population),
        benchmark=lambda wildcards: config["alp"]["benchmarks"].get(
            wildcards.population
        ),
        setup=beam_dump,
        seed=seed_for("simulate_alps"),
        code=code_of("simulate_alps"),
    script:
        "../scripts/simulate_alps.py"


rule observe_alps:
    input:
        events=[
            f"<results>/alp/{{dataset}}/events/{population}.parquet"
            for population in alps.populations(config)
        ],
    output:
        features=[features_of(population) for population in alps.populations(config)],
    log:
        "<logs>/observe_alps/{dataset}/{resolution}.log",
    benchmark:
        "<benchmarks>/observe_alps/{dataset}/{resolution}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=30,
    params:
        setup=beam_dump,
        resolution=resolution_setting,
        seed=seed_for("observe_alps"),
        code=code_of("observe_alps"),
    script:
        "../scripts/observe_alps.py"


rule train_posterior:
    input:
        train=features_of("train"),
    output:
        model=alp_file("posterior.safetensors"),
        history=alp_file("posterior_history.parquet"),
    log:
        "<logs>/train_posterior/{dataset}/{resolution}.log",
    benchmark:
        "<benchmarks>/train_posterior/{dataset}/{resolution}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=600,
        gpu=gpus_needed(config["device"]),
    params:
        setup=beam_dump,
        resolution=resolution_setting,
        settings=alps.posterior_settings(config),
        training=config["alp"]["posterior"]["training"],
        checkpoints=checkpoint_folder("train_posterior", job="{resolution}/posterior"),
        device=config["device"],
        seed=seed_for("train_posterior"),
        code=code_of("train_posterior"),
    script:
        "../scripts/train_posterior.py"


rule train_ratio:
    input:
        train=features_of("train"),
    output:
        model=alp_file("ratio.safetensors"),
        history=alp_file("ratio_history.parquet"),
    log:
        "<logs>/train_ratio/{dataset}/{resolution}.log",
    benchmark:
        "<benchmarks>/train_ratio/{dataset}/{resolution}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=600,
        gpu=gpus_needed(config["device"]),
    params:
        masses=alps.published_masses(config),
        settings=config["alp"]["ratio"],
        checkpoints=checkpoint_folder("train_ratio", job="{resolution}/ratio"),
        device=config["device"],
        seed=seed_for("train_ratio"),
        code=code_of("train_ratio"),
    script:
        "../scripts/train_ratio.py"


rule train_pairs:
    input:
        sets=features_of("sets"),
        ratio=alp_file("ratio.safetensors"),
    output:
        model=alp_file("{network}.safetensors"),
        history=alp_file("{network}_history.parquet"),
    log:
        "<logs>/train_pairs/{dataset}/{resolution}/{network}.log",
    benchmark:
        "<benchmarks>/train_pairs/{dataset}/{resolution}/{network}.tsv"
    wildcard_constraints:
        network="|".join(alps.ARCHITECTURES),
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=600,
        gpu=gpus_needed(config["device"]),
    params:
        network=lambda wildcards: wildcards.network,
        settings=lambda wildcards: config["alp"]["networks"][wildcards.network],
        checkpoints=checkpoint_folder("train_pairs", job="{resolution}/{network}"),
        device=config["device"],
        seed=seed_for("train_pairs"),
        code=code_of("train_pairs"),
    script:
        "../scripts/train_pairs.py"


rule check_moments:
    output:
        moments="<results>/alp/moments.parquet",
    log:
        "<logs>/check_moments.log",
    benchmark:
        "<benchmarks>/check_moments.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        rows=config["alp"]["moments"],
        beam_dumps=config["beamdumps"],
        resolutions=config["resolutions"],
        n_events=config["alp"]["n_moments"],
        seed=seed_for("check_moments"),
        code=code_of("check_moments"),
    script:
        "../scripts/check_moments.py"


rule check_posteriors:
    input:
        posterior=alp_file("posterior.safetensors"),
        ratio=alp_file("ratio.safetensors"),
        test=features_of("test"),
        signals=[features_of(name) for name in alps.benchmarks(config)],
    output:
        events=alp_file("posterior_events.parquet"),
        coverage=alp_file("posterior_coverage.parquet"),
        record=alp_file("posterior_checks.json"),
    log:
        "<logs>/check_posteriors/{dataset}/{resolution}.log",
    benchmark:
        "<benchmarks>/check_posteriors/{dataset}/{resolution}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
        gpu=gpus_needed(config["device"]),
    params:
        benchmarks=config["alp"]["benchmarks"],
        device=config["device"],
        code=code_of("check_posteriors"),
    script:
        "../scripts/check_posteriors.py"
