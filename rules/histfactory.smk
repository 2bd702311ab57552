"""Search for a signal above surrogate background, and ask what that does to the result.

Needs:    <results>/events/{dataset}/events.parquet,
          <results>/surrogates/{dataset}/{model}/model.safetensors
Produces: <results>/histfactory/{dataset}/{model}/..., <results>/histfactory/summary.json
"""


rule generate_chunk:
    input:
        events="<results>/events/{dataset}/events.parquet",
        model="<results>/surrogates/{dataset}/{model}/model.safetensors",
    output:
        generated=temp(
            "<results>/histfactory/{dataset}/{model}/chunks/generated{chunk}.parquet"
        ),
    log:
        "<logs>/generate_chunk/{dataset}/{model}/{chunk}.log",
    benchmark:
        "<benchmarks>/generate_chunk/{dataset}/{model}/{chunk}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=240,
        gpu=gpus_needed(config["device"]),
    params:
        label=config["surrogates"]["label"],
        n_events=config["histfactory"]["n_events"],
        block_size=config["surrogates"]["block_size"],
        chunk=chunks.chunk_setting(config, "generate_background"),
        device=config["device"],
        table_seed=lambda wildcards: seed_for("generate_background")(wildcards[:2]),
        code=code_of("generate_chunk"),
    script:
        "../scripts/generate_chunk.py"


rule generate_background:
    input:
        events="<results>/events/{dataset}/events.parquet",
        model="<results>/surrogates/{dataset}/{model}/model.safetensors",
        chunks=chunks.chunk_files(
            config["chunks"]["generate_background"],
            "<results>/histfactory/{dataset}/{model}/chunks/generated",
            ".parquet",
        ),
    output:
        generated="<results>/histfactory/{dataset}/{model}/generated.parquet",
    log:
        "<logs>/generate_background/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/generate_background/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=240,
        gpu=chunks.gpus_of(config, "generate_background"),
    params:
        label=config["surrogates"]["label"],
        n_events=config["histfactory"]["n_events"],
        block_size=config["surrogates"]["block_size"],
        device=config["device"],
        seed=seed_for("generate_background"),
        code=code_of("generate_background"),
    script:
        "../scripts/generate_background.py"


rule train_selection:
    input:
        signal="<results>/events/%s/events.parquet" % search.signal_of(config)[0],
        generated="<results>/histfactory/{dataset}/{model}/generated.parquet",
    output:
        classifier="<results>/histfactory/{dataset}/{model}/selection.safetensors",
        history="<results>/histfactory/{dataset}/{model}/selection_history.parquet",
    log:
        "<logs>/train_selection/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/train_selection/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=240,
        gpu=gpus_needed(config["device"]),
    params:
        inputs=config["features"] + config["surrogates"]["context"],
        label=config["histfactory"]["signal"]["label"],
        splits=config["histfactory"]["splits"]["selection"],
        settings=config["histfactory"]["resmlp"],
        device=config["device"],
        seed=seed_for("train_selection"),
        code=code_of("train_selection"),
    script:
        "../scripts/train_selection.py"


rule train_reweighting:
    input:
        events="<results>/events/{dataset}/events.parquet",
        generated="<results>/histfactory/{dataset}/{model}/generated.parquet",
    output:
        reweighter="<results>/histfactory/{dataset}/{model}/reweighting.safetensors",
        calibration="<results>/histfactory/{dataset}/{model}/calibration.parquet",
    log:
        "<logs>/train_reweighting/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/train_reweighting/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=240,
        gpu=gpus_needed(config["device"]),
    params:
        inputs=config["features"] + config["surrogates"]["context"],
        label=config["surrogates"]["label"],
        splits=config["histfactory"]["splits"]["reweighting"],
        settings=config["histfactory"]["reweighting"],
        device=config["device"],
        seed=seed_for("train_reweighting"),
        code=code_of("train_reweighting"),
    script:
        "../scripts/train_reweighting.py"


rule score_chunk:
    input:
        background="<results>/events/{dataset}/events.parquet",
        signal="<results>/events/%s/events.parquet" % search.signal_of(config)[0],
        generated="<results>/histfactory/{dataset}/{model}/generated.parquet",
        classifier="<results>/histfactory/{dataset}/{model}/selection.safetensors",
        reweighter="<results>/histfactory/{dataset}/{model}/reweighting.safetensors",
    output:
        mc=temp("<results>/histfactory/{dataset}/{model}/chunks/mc{chunk}.parquet"),
        surrogate=temp(
            "<results>/histfactory/{dataset}/{model}/chunks/surrogate{chunk}.parquet"
        ),
    log:
        "<logs>/score_chunk/{dataset}/{model}/{chunk}.log",
    benchmark:
        "<benchmarks>/score_chunk/{dataset}/{model}/{chunk}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=120,
        gpu=gpus_needed(config["device"]),
    params:
        inputs=config["features"] + config["surrogates"]["context"],
        labels=[config["surrogates"]["label"], config["histfactory"]["signal"]["label"]],
        splits=[*config["splits"]],
        chunk=chunks.chunk_setting(config, "score_events"),
        device=config["device"],
        code=code_of("score_chunk"),
    script:
        "../scripts/score_chunk.py"


rule score_events:
    input:
        background="<results>/events/{dataset}/events.parquet",
        signal="<results>/events/%s/events.parquet" % search.signal_of(config)[0],
        generated="<results>/histfactory/{dataset}/{model}/generated.parquet",
        classifier="<results>/histfactory/{dataset}/{model}/selection.safetensors",
        reweighter="<results>/histfactory/{dataset}/{model}/reweighting.safetensors",
        mc_chunks=chunks.chunk_files(
            config["chunks"]["score_events"],
            "<results>/histfactory/{dataset}/{model}/chunks/mc",
            ".parquet",
        ),
        surrogate_chunks=chunks.chunk_files(
            config["chunks"]["score_events"],
            "<results>/histfactory/{dataset}/{model}/chunks/surrogate",
            ".parquet",
        ),
    output:
        mc="<results>/histfactory/{dataset}/{model}/scored_mc.parquet",
        surrogate="<results>/histfactory/{dataset}/{model}/scored_surrogate.parquet",
    log:
        "<logs>/score_events/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/score_events/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=120,
        gpu=chunks.gpus_of(config, "score_events"),
    params:
        inputs=config["features"] + config["surrogates"]["context"],
        labels=[config["surrogates"]["label"], config["histfactory"]["signal"]["label"]],
        splits=[*config["splits"]],
        device=config["device"],
        code=code_of("score_events"),
    script:
        "../scripts/score_events.py"


rule judge_reweighting:
    input:
        mc="<results>/histfactory/{dataset}/{model}/scored_mc.parquet",
        surrogate="<results>/histfactory/{dataset}/{model}/scored_surrogate.parquet",
        reweighter="<results>/histfactory/{dataset}/{model}/reweighting.safetensors",
    output:
        record="<results>/histfactory/{dataset}/{model}/reweighting.json",
    log:
        "<logs>/judge_reweighting/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/judge_reweighting/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=60,
    params:
        inputs=config["features"] + config["surrogates"]["context"],
        splits=config["histfactory"]["splits"],
        settings=config["surrogates"]["c2st"]["trees"],
        seed=seed_for("judge_reweighting"),
        code=code_of("judge_reweighting"),
    script:
        "../scripts/judge_reweighting.py"


rule fill_templates:
    input:
        mc="<results>/histfactory/{dataset}/{model}/scored_mc.parquet",
        surrogate="<results>/histfactory/{dataset}/{model}/scored_surrogate.parquet",
    output:
        templates="<results>/histfactory/{dataset}/{model}/templates.parquet",
        efficiencies="<results>/histfactory/{dataset}/{model}/efficiencies.json",
    log:
        "<logs>/fill_templates/{dataset}/{model}.log",
    benchmark:
        "<benchmarks>/fill_templates/{dataset}/{model}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        observables=search.selected_observables(config),
        cut=config["histfactory"]["cut"],
        splits=config["histfactory"]["splits"] | {"generated": ["template"]},
        sizes=search.generated_sizes(config),
        code=code_of("fill_templates"),
    script:
        "../scripts/fill_templates.py"
