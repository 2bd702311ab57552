"""Fit templates: workspaces, scans, and pseudo-experiments with surrogates trained again.

Needs:    <results>/histfactory/{dataset}/{model}/templates.parquet
Produces: <results>/histfactory/{dataset}/{model}/{member}/templates.parquet,
          <results>/histfactory/{dataset}/{model}/{observable}/...,
          <results>/histfactory/summary.json
"""


rule train_member:
    input:
        events="<results>/events/{dataset}/events.parquet",
        central="<results>/surrogates/{dataset}/{model}/model.safetensors",
        classifier="<results>/histfactory/{dataset}/{model}/selection.safetensors",
    output:
        model="<results>/histfactory/{dataset}/{model}/{member}/model.safetensors",
        history="<results>/histfactory/{dataset}/{model}/{member}/history.parquet",
        templates="<results>/histfactory/{dataset}/{model}/{member}/templates.parquet",
    log:
        "<logs>/train_member/{dataset}/{model}/{member}.log",
    benchmark:
        "<benchmarks>/train_member/{dataset}/{model}/{member}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=720,
        gpu=gpus_needed(config["device"]),
    params:
        kind=lambda wildcards: wildcards.member.rstrip("0123456789"),
        label=config["surrogates"]["label"],
        mirror=lambda wildcards: studies.mirror_columns(config, wildcards.dataset),
        splits=config["histfactory"]["splits"]
        | {"train": ["train"], "validation": ["validation"]},
        settings=lambda wildcards: studies.member_settings(config, wildcards.model),
        observables=search.selected_observables(config),
        cut=config["histfactory"]["cut"],
        checkpoints=checkpoint_folder("train_member", job="{model}_{member}"),
        device=config["device"],
        seed=seed_for("train_member"),
        code=code_of("train_member"),
    script:
        "../scripts/train_member.py"


rule build_workspace:
    input:
        templates="<results>/histfactory/{dataset}/{model}/templates.parquet",
        members=search.member_templates(config, "bootstrap"),
    output:
        background="<results>/histfactory/{dataset}/{model}/{observable}/{arm}/workspace_background.json",
        injected="<results>/histfactory/{dataset}/{model}/{observable}/{arm}/workspace_injected.json",
    log:
        "<logs>/build_workspace/{dataset}/{model}/{observable}/{arm}.log",
    benchmark:
        "<benchmarks>/build_workspace/{dataset}/{model}/{observable}/{arm}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        arm=lambda wildcards: wildcards.arm,
        observable=lambda wildcards: wildcards.observable,
        settings=search.fit_settings(config),
        code=code_of("build_workspace"),
    script:
        "../scripts/build_workspace.py"


rule fit_workspace:
    input:
        background="<results>/histfactory/{dataset}/{model}/{observable}/{arm}/workspace_background.json",
        injected="<results>/histfactory/{dataset}/{model}/{observable}/{arm}/workspace_injected.json",
    output:
        result="<results>/histfactory/{dataset}/{model}/{observable}/{arm}/fit.json",
        nuisances="<results>/histfactory/{dataset}/{model}/{observable}/{arm}/nuisances.parquet",
    log:
        "<logs>/fit_workspace/{dataset}/{model}/{observable}/{arm}.log",
    benchmark:
        "<benchmarks>/fit_workspace/{dataset}/{model}/{observable}/{arm}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=20,
    params:
        binning=lookup(within=config, dpath="histfactory/observables/{observable}"),
        code=code_of("fit_workspace"),
    script:
        "../scripts/fit_workspace.py"


rule scan_fits:
    input:
        templates="<results>/histfactory/{dataset}/{model}/templates.parquet",
        members=search.member_templates(config, "bootstrap"),
    output:
        scans="<results>/histfactory/{dataset}/{model}/{observable}/scans.parquet",
        timing="<results>/histfactory/{dataset}/{model}/{observable}/timing.json",
    log:
        "<logs>/scan_fits/{dataset}/{model}/{observable}.log",
    benchmark:
        "<benchmarks>/scan_fits/{dataset}/{model}/{observable}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        observable=lambda wildcards: wildcards.observable,
        settings=search.fit_settings(config),
        code=code_of("scan_fits"),
    script:
        "../scripts/scan_fits.py"


rule run_toys:
    input:
        templates="<results>/histfactory/{dataset}/{model}/templates.parquet",
        bootstraps=search.member_templates(config, "bootstrap"),
        replicas=search.member_templates(config, "replica"),
    output:
        toys="<results>/histfactory/{dataset}/{model}/{observable}/toys.parquet",
        pulls="<results>/histfactory/{dataset}/{model}/{observable}/toy_pulls.parquet",
    log:
        "<logs>/run_toys/{dataset}/{model}/{observable}.log",
    benchmark:
        "<benchmarks>/run_toys/{dataset}/{model}/{observable}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        observable=lambda wildcards: wildcards.observable,
        settings=search.fit_settings(config),
        seed=seed_for("run_toys"),
        code=code_of("run_toys"),
    script:
        "../scripts/run_toys.py"


rule summarise_histfactory:
    input:
        efficiencies=search.search_result(config, "efficiencies.json"),
        reweighting=search.search_result(config, "reweighting.json"),
        scans=search.search_result(config, "{observable}/scans.parquet"),
        toys=search.search_result(config, "{observable}/toys.parquet"),
        timing=search.search_result(config, "{observable}/timing.json"),
    output:
        summary="<results>/histfactory/summary.json",
    log:
        "<logs>/summarise_histfactory/all.log",
    benchmark:
        "<benchmarks>/summarise_histfactory/all.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        settings=search.fit_settings(config),
        code=code_of("summarise_histfactory"),
    script:
        "../scripts/summarise_histfactory.py"
