"""Draw what the surrogates learnt, how fast, and how well.

Needs:    artifacts of surrogates.smk
Produces: <results>/surrogates/{dataset}/figures/*.{png,pdf}
"""


rule plot_overlays:
    input:
        events="<results>/events/{dataset}/events.parquet",
        generated=expand(
            "<results>/surrogates/{{dataset}}/{model}/events.parquet",
            model=config["surrogates"]["models"],
        ),
        style=project_file("config/matplotlibrc"),
    output:
        every=figure_files("surrogates", "overlays"),
        every_log=figure_files("surrogates", "overlays_log"),
        one=figure_files("surrogates", "overlay"),
        one_log=figure_files("surrogates", "overlay_log"),
    log:
        "<logs>/plot_overlays/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_overlays/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        features=config["features"],
        label=config["surrogates"]["label"],
        splits=["test", "holdouta", "holdoutb"],
        models=config["surrogates"]["models"],
        model=studies.shown_model(config),
        n_bins=config["surrogates"]["figures"]["n_bins"],
        code=code_of("plot_overlays"),
    script:
        "../scripts/plot_overlays.py"


rule plot_corner:
    input:
        events="<results>/events/{dataset}/events.parquet",
        generated="<results>/surrogates/{dataset}/%s/events.parquet"
        % studies.shown_model(config),
        style=project_file("config/matplotlibrc"),
    output:
        few=figure_files("surrogates", "corner"),
        every=figure_files("surrogates", "corner_all"),
    log:
        "<logs>/plot_corner/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_corner/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        features=config["features"],
        corner_features=lambda wildcards: studies.corner_features(
            config, wildcards.dataset
        ),
        label=config["surrogates"]["label"],
        splits=["test", "holdouta", "holdoutb"],
        model=studies.shown_model(config),
        code=code_of("plot_corner"),
    script:
        "../scripts/plot_corner.py"


rule plot_training:
    input:
        histories=expand(
            "<results>/surrogates/{{dataset}}/{model}/history.parquet",
            model=config["surrogates"]["models"],
        ),
        judges=expand(
            "<results>/surrogates/{{dataset}}/{model}/c2st_history.parquet",
            model=[*config["surrogates"]["models"], "control"],
        ),
        sampling=expand(
            "<results>/surrogates/{{dataset}}/{model}/sampling.json",
            model=config["surrogates"]["models"],
        ),
        style=project_file("config/matplotlibrc"),
    output:
        surrogates=figure_files("surrogates", "training"),
        classifiers=figure_files("surrogates", "classifier_training"),
        rates=figure_files("surrogates", "sampling_rates"),
    log:
        "<logs>/plot_training/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_training/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        models=config["surrogates"]["models"],
        judged=[*config["surrogates"]["models"], "control"],
        simulation_minutes=config["surrogates"]["figures"]["simulation_minutes"],
        code=code_of("plot_training"),
    script:
        "../scripts/plot_training.py"


rule plot_divergences:
    input:
        tables=expand(
            "<results>/surrogates/{{dataset}}/{model}/divergences.parquet",
            model=config["surrogates"]["models"],
        ),
        records=expand(
            "<results>/surrogates/{{dataset}}/{model}/divergences.json",
            model=config["surrogates"]["models"],
        ),
        style=project_file("config/matplotlibrc"),
    output:
        means=figure_files("surrogates", "divergences"),
        by_feature=figure_files("surrogates", "divergences_by_feature"),
    log:
        "<logs>/plot_divergences/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_divergences/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        features=config["features"],
        models=config["surrogates"]["models"],
        code=code_of("plot_divergences"),
    script:
        "../scripts/plot_divergences.py"


rule plot_c2st:
    input:
        tables=expand(
            "<results>/surrogates/{{dataset}}/{model}/c2st.parquet",
            model=[*config["surrogates"]["models"], "control"],
        ),
        records=expand(
            "<results>/surrogates/{{dataset}}/{model}/c2st.json",
            model=[*config["surrogates"]["models"], "control"],
        ),
        style=project_file("config/matplotlibrc"),
    output:
        roc=figure_files("surrogates", "roc"),
        ratio=figure_files("surrogates", "density_ratio"),
        tails=figure_files("surrogates", "tails"),
    log:
        "<logs>/plot_c2st/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_c2st/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        features=config["features"],
        classifiers=["resmlp", "trees"],
        judged=[*config["surrogates"]["models"], "control"],
        model=studies.shown_model(config),
        tail_fraction=config["surrogates"]["figures"]["tail_fraction"],
        n_bins=config["surrogates"]["figures"]["tail_bins"],
        code=code_of("plot_c2st"),
    script:
        "../scripts/plot_c2st.py"


rule plot_scan:
    input:
        records=lambda wildcards: expand(
            "<results>/surrogates/{dataset}/{model}/training.json",
            dataset=wildcards.dataset,
            model=studies.scan_points(config, wildcards.scan),
        ),
        style=project_file("config/matplotlibrc"),
    output:
        scan=multiext(
            "<results>/surrogates/{dataset}/figures/scan_{scan}", ".png", ".pdf"
        ),
    log:
        "<logs>/plot_scan/{dataset}/{scan}.log",
    benchmark:
        "<benchmarks>/plot_scan/{dataset}/{scan}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        values=lookup(within=config, dpath="scans/{scan}/values"),
        model=lookup(within=config, dpath="scans/{scan}/model"),
        parameter=lookup(within=config, dpath="scans/{scan}/parameter"),
        code=code_of("plot_scan"),
    script:
        "../scripts/plot_scan.py"
