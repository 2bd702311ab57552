"""Draw ALP hunts: events, posteriors, what hunts reach, and what they say of observed events.

Needs:    results of rules/alp.smk and rules/alp_hunts.smk
Produces: <results>/alp/{dataset}/figures/*.{png,pdf}
"""

interpreted = f"<results>/alp/{{dataset}}/{config['alp']['interpreted']}"
observed = f"<results>/alp/{{dataset}}/observed/{alps.shown_observed(config)}"


rule plot_alp_features:
    input:
        background=f"{interpreted}/features/background.parquet",
        signals=[
            f"{interpreted}/features/{name}.parquet"
            for name in alps.benchmarks(config)
        ],
        style=project_file("config/matplotlibrc"),
    output:
        features=figure_files("alp", "alp_features"),
    log:
        "<logs>/plot_alp_features/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_alp_features/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        benchmarks=config["alp"]["benchmarks"],
        code=code_of("plot_alp_features"),
    script:
        "../scripts/plot_alp_features.py"


rule plot_alp_posteriors:
    input:
        judged=of_each_resolution("posterior_events.parquet"),
        covered=of_each_resolution("posterior_coverage.parquet"),
        photons=of_each_resolution("features/test.parquet"),
        toys=of_each_resolution("scaling.parquet"),
        mistakes=f"{interpreted}/inferred_coverage.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        posteriors=figure_files("alp", "alp_posteriors"),
        widths=figure_files("alp", "alp_widths"),
        scaling=figure_files("alp", "alp_scaling"),
        coverage=figure_files("alp", "alp_coverage"),
    log:
        "<logs>/plot_alp_posteriors/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_alp_posteriors/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        resolutions=config["alp"]["resolutions"],
        code=code_of("plot_alp_posteriors"),
    script:
        "../scripts/plot_alp_posteriors.py"


rule plot_alp_hunts:
    input:
        curves=of_each_resolution("roc.parquet"),
        rejections=of_each_resolution("rejections.parquet"),
        points=of_each_resolution("points.parquet"),
        distributions=of_each_resolution("distributions.parquet"),
        style=project_file("config/matplotlibrc"),
    output:
        roc=figure_files("alp", "alp_roc"),
        statistic=figure_files("alp", "alp_statistic"),
        hunts=figure_files("alp", "alp_hunts"),
    log:
        "<logs>/plot_alp_hunts/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_alp_hunts/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        resolutions=config["alp"]["resolutions"],
        benchmarks=config["alp"]["benchmarks"],
        n_pairs=config["alp"]["n_pairs"],
        benchmark=config["alp"]["inference"]["benchmark"],
        rates=config["alp"]["points"],
        code=code_of("plot_alp_hunts"),
    script:
        "../scripts/plot_alp_hunts.py"


rule plot_alp_sensitivity:
    input:
        maps=f"{interpreted}/maps.parquet",
        thresholds=f"{interpreted}/thresholds.parquet",
        purities=f"{interpreted}/purities.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        sensitivity=figure_files("alp", "alp_sensitivity"),
        gain=figure_files("alp", "alp_gain"),
        threshold=figure_files("alp", "alp_thresholds"),
        purity=figure_files("alp", "alp_purity"),
    log:
        "<logs>/plot_alp_sensitivity/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_alp_sensitivity/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        benchmarks=config["alp"]["benchmarks"],
        chosen=config["alp"]["threshold"],
        code=code_of("plot_alp_sensitivity"),
    script:
        "../scripts/plot_alp_sensitivity.py"


rule plot_alp_training:
    input:
        histories=[
            path
            for network in ("posterior", "ratio", *alps.ARCHITECTURES)
            for path in of_each_resolution(f"{network}_history.parquet")
        ],
        style=project_file("config/matplotlibrc"),
    output:
        training=figure_files("alp", "alp_training"),
    log:
        "<logs>/plot_alp_training/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_alp_training/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        resolutions=config["alp"]["resolutions"],
        code=code_of("plot_alp_training"),
    script:
        "../scripts/plot_alp_training.py"


rule plot_alp_observed:
    input:
        events=f"{observed}_events.parquet",
        pairs=f"{observed}_pairs.parquet",
        posteriors=f"{observed}_posteriors.parquet",
        summary=f"{observed}.json",
        style=project_file("config/matplotlibrc"),
    output:
        observed=figure_files("alp", "alp_observed"),
    log:
        "<logs>/plot_alp_observed/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_alp_observed/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("plot_alp_observed"),
    script:
        "../scripts/plot_alp_observed.py"
