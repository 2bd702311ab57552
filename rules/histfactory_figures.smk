"""Draw what a search says when generated events stand in for Monte Carlo background.

Needs:    artifacts of histfactory.smk
Produces: <results>/histfactory/{dataset}/figures/*.{png,pdf}
"""


rule plot_selection:
    input:
        mc="<results>/histfactory/{dataset}/%s/scored_mc.parquet"
        % search.surrogate_of(config),
        surrogate="<results>/histfactory/{dataset}/%s/scored_surrogate.parquet"
        % search.surrogate_of(config),
        style=project_file("config/matplotlibrc"),
    output:
        roc=figure_files("histfactory", "selection_roc"),
        score=figure_files("histfactory", "selection_score"),
        selected=figure_files("histfactory", "selection_features"),
    log:
        "<logs>/plot_selection/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_selection/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        features=config["features"],
        splits=config["histfactory"]["splits"]["data"],
        cut=config["histfactory"]["cut"],
        n_bins=config["histfactory"]["figures"]["n_bins"],
        code=code_of("plot_selection"),
    script:
        "../scripts/plot_selection.py"


rule plot_fits:
    input:
        templates="<results>/histfactory/{dataset}/%s/templates.parquet"
        % search.surrogate_of(config),
        records=expand(
            "<results>/histfactory/{{dataset}}/{model}/{observable}/{arm}/fit.json",
            model=search.surrogate_of(config),
            observable=config["histfactory"]["select"],
            arm=["mc", "reweightednuisance"],
        ),
        tables=expand(
            "<results>/histfactory/{{dataset}}/{model}/{observable}/{arm}/nuisances.parquet",
            model=search.surrogate_of(config),
            observable=config["histfactory"]["select"],
            arm="reweightednuisance",
        ),
        style=project_file("config/matplotlibrc"),
    output:
        shapes=figure_files("histfactory", "templates"),
        fits=figure_files("histfactory", "fits"),
        nuisances=figure_files("histfactory", "nuisances"),
    log:
        "<logs>/plot_fits/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_fits/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        observables=search.selected_observables(config),
        arms=["mc", "reweightednuisance"],
        compared=["mc", "surrogate", "reweighted"],
        crosssection_fb=config["histfactory"]["crosssection_fb"],
        signal_fraction=config["histfactory"]["signal_fraction"],
        luminosity_fb=config["histfactory"]["luminosity_fb"],
        n_nuisances=15,
        code=code_of("plot_fits"),
    script:
        "../scripts/plot_fits.py"


rule plot_scans:
    input:
        tables=expand(
            "<results>/histfactory/{{dataset}}/{model}/{observable}/scans.parquet",
            model=search.surrogate_of(config),
            observable=config["histfactory"]["select"],
        ),
        style=project_file("config/matplotlibrc"),
    output:
        strength=figure_files("histfactory", "signal_strength"),
        spurious=figure_files("histfactory", "spurious_signal"),
        significance=figure_files("histfactory", "significance"),
        limits_luminosity=figure_files("histfactory", "limits_luminosity"),
        limits_generated=figure_files("histfactory", "limits_generated"),
        difference=figure_files("histfactory", "limit_difference"),
    log:
        "<logs>/plot_scans/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_scans/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        observables=search.selected_observables(config),
        arms=search.ARMS,
        compared=["mc", "surrogate", "reweighted"],
        systematic=config["histfactory"]["systematic"],
        systematics=config["histfactory"]["systematics"],
        code=code_of("plot_scans"),
    script:
        "../scripts/plot_scans.py"


rule plot_toys:
    input:
        results=expand(
            "<results>/histfactory/{{dataset}}/{model}/{observable}/toys.parquet",
            model=search.surrogate_of(config),
            observable=config["histfactory"]["select"],
        ),
        pulls=expand(
            "<results>/histfactory/{{dataset}}/{model}/{observable}/toy_pulls.parquet",
            model=search.surrogate_of(config),
            observable=config["histfactory"]["select"],
        ),
        style=project_file("config/matplotlibrc"),
    output:
        toys=figure_files("histfactory", "toys"),
    log:
        "<logs>/plot_toys/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_toys/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        observables=search.selected_observables(config),
        arms=search.ARMS,
        code=code_of("plot_toys"),
    script:
        "../scripts/plot_toys.py"


rule plot_reweighting:
    input:
        record="<results>/histfactory/{dataset}/%s/reweighting.json"
        % search.surrogate_of(config),
        calibration="<results>/histfactory/{dataset}/%s/calibration.parquet"
        % search.surrogate_of(config),
        surrogate="<results>/histfactory/{dataset}/%s/scored_surrogate.parquet"
        % search.surrogate_of(config),
        style=project_file("config/matplotlibrc"),
    output:
        reweighting=figure_files("histfactory", "reweighting"),
    log:
        "<logs>/plot_reweighting/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_reweighting/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("plot_reweighting"),
    script:
        "../scripts/plot_reweighting.py"
