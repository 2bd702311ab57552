"""Train generative surrogates, sample them, and judge them against Monte Carlo.

Needs:    <results>/events/{dataset}/events.parquet
Produces: <results>/surrogates/{dataset}/{model}/{model.safetensors,events.parquet,...},
          <results>/surrogates/summary.json
"""


rule train_surrogate:
    input:
        events="<results>/events/{dataset}/events.parquet",
    output:
        model="<results>/surrogates/{dataset}/{model}/model.safetensors",
        history="<results>/surrogates/{dataset}/{model}/history.parquet",
        training="<results>/surrogates/{dataset}/{model}/training.json",
    log:
        "<logs>/train_surrogate/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/train_surrogate/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=720,
        gpu=gpus_needed(config["device"]),
    params:
        label=config["surrogates"]["label"],
        features=config["features"],
        context=config["surrogates"]["context"],
        mirror=lambda wildcards: studies.mirror_columns(config, wildcards.dataset),
        density=lambda wildcards: studies.density_settings(config, wildcards.model),
        settings=lambda wildcards: studies.training_settings(config, wildcards.model),
        checkpoints=checkpoint_folder("train_surrogate"),
        device=config["device"],
        seed=seed_for("train_surrogate"),
        code=code_of("train_surrogate"),
    script:
        "../scripts/train_surrogate.py"


# The seed is the table's, not the chunk's: blocks of events have seeds of their own.
rule sample_chunk:
    input:
        events="<results>/events/{dataset}/events.parquet",
        model="<results>/surrogates/{dataset}/{model}/model.safetensors",
    output:
        generated=temp("<results>/surrogates/{dataset}/{model}/chunks/{chunk}.parquet"),
        sampling=temp("<results>/surrogates/{dataset}/{model}/chunks/{chunk}.json"),
    log:
        "<logs>/sample_chunk/{dataset}/{model}/{chunk}.log",
    benchmark:
        "<benchmarks>/sample_chunk/{dataset}/{model}/{chunk}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=120,
        gpu=gpus_needed(config["device"]),
    params:
        label=config["surrogates"]["label"],
        n_events=config["surrogates"]["n_events"],
        block_size=config["surrogates"]["block_size"],
        chunk=chunks.chunk_setting(config, "sample_surrogate"),
        device=config["device"],
        table_seed=lambda wildcards: seed_for("sample_surrogate")(wildcards[:2]),
        code=code_of("sample_chunk"),
    script:
        "../scripts/sample_chunk.py"


rule sample_surrogate:
    input:
        events="<results>/events/{dataset}/events.parquet",
        model="<results>/surrogates/{dataset}/{model}/model.safetensors",
        chunks=chunks.chunk_files(
            config["chunks"]["sample_surrogate"],
            "<results>/surrogates/{dataset}/{model}/chunks/",
            ".parquet",
        ),
        records=chunks.chunk_files(
            config["chunks"]["sample_surrogate"],
            "<results>/surrogates/{dataset}/{model}/chunks/",
            ".json",
        ),
    output:
        generated="<results>/surrogates/{dataset}/{model}/events.parquet",
        sampling="<results>/surrogates/{dataset}/{model}/sampling.json",
    log:
        "<logs>/sample_surrogate/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/sample_surrogate/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=120,
        gpu=chunks.gpus_of(config, "sample_surrogate"),
    params:
        label=config["surrogates"]["label"],
        n_events=config["surrogates"]["n_events"],
        block_size=config["surrogates"]["block_size"],
        device=config["device"],
        seed=seed_for("sample_surrogate"),
        code=code_of("sample_surrogate"),
    script:
        "../scripts/sample_surrogate.py"


ruleorder: draw_control > sample_surrogate


rule draw_control:
    input:
        events="<results>/events/{dataset}/events.parquet",
    output:
        generated="<results>/surrogates/{dataset}/control/events.parquet",
    log:
        "<logs>/draw_control/{dataset}.log",
    benchmark:
        "<benchmarks>/draw_control/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=10,
    params:
        features=config["features"] + config["surrogates"]["context"],
        label=config["surrogates"]["label"],
        code=code_of("draw_control"),
    script:
        "../scripts/draw_control.py"


rule measure_divergences:
    input:
        events="<results>/events/{dataset}/events.parquet",
        generated="<results>/surrogates/{dataset}/{model}/events.parquet",
    output:
        table="<results>/surrogates/{dataset}/{model}/divergences.parquet",
        record="<results>/surrogates/{dataset}/{model}/divergences.json",
    log:
        "<logs>/measure_divergences/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/measure_divergences/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=30,
    params:
        features=config["features"],
        label=config["surrogates"]["label"],
        settings=config["surrogates"]["divergences"],
        baseline_seed=derive_seed(config["seed"], "measure_baseline"),
        seed=seed_for("measure_divergences"),
        code=code_of("measure_divergences"),
    script:
        "../scripts/measure_divergences.py"


rule run_c2st:
    input:
        events="<results>/events/{dataset}/events.parquet",
        generated="<results>/surrogates/{dataset}/{model}/events.parquet",
    output:
        record="<results>/surrogates/{dataset}/{model}/c2st.json",
        ratios="<results>/surrogates/{dataset}/{model}/c2st.parquet",
        history="<results>/surrogates/{dataset}/{model}/c2st_history.parquet",
    log:
        "<logs>/run_c2st/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/run_c2st/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=120,
        gpu=gpus_needed(config["device"]),
    params:
        features=config["features"] + config["surrogates"]["context"],
        label=config["surrogates"]["label"],
        settings=config["surrogates"]["c2st"],
        device=config["device"],
        seed=seed_for("run_c2st"),
        code=code_of("run_c2st"),
    script:
        "../scripts/run_c2st.py"


rule summarise_surrogates:
    input:
        c2st=expand(
            "<results>/surrogates/{dataset}/{model}/c2st.json",
            dataset=config["surrogates"]["dataset"],
            model=[*config["surrogates"]["models"], "control"],
        ),
        divergences=expand(
            "<results>/surrogates/{dataset}/{model}/divergences.json",
            dataset=config["surrogates"]["dataset"],
            model=[*config["surrogates"]["models"], "control"],
        ),
        training=expand(
            "<results>/surrogates/{dataset}/{model}/training.json",
            dataset=config["surrogates"]["dataset"],
            model=config["surrogates"]["models"],
        ),
        sampling=expand(
            "<results>/surrogates/{dataset}/{model}/sampling.json",
            dataset=config["surrogates"]["dataset"],
            model=config["surrogates"]["models"],
        ),
    output:
        summary="<results>/surrogates/summary.json",
    log:
        "<logs>/summarise_surrogates/all.log",
    benchmark:
        "<benchmarks>/summarise_surrogates/all.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        models=config["surrogates"]["models"],
        code=code_of("summarise_surrogates"),
    script:
        "../scripts/summarise_surrogates.py"
