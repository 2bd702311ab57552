"""Draw generated events: beside real ones, beside each other, and what they are made with.

Needs:    artifacts of simulation.smk, and the events of the benchmark's reference
Produces: <results>/simulation/{dataset}/figures/*.{png,pdf}
"""


rule plot_benchmark:
    input:
        real="<results>/events/{dataset}/events.parquet",
        generated="<results>/mixtures/%s.parquet"
        % config["simulation"]["benchmark"]["mixture"],
        style=project_file("config/matplotlibrc"),
    output:
        background=figure_files("simulation", "benchmark_background"),
        signal=figure_files("simulation", "benchmark_signal"),
    log:
        "<logs>/plot_benchmark/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_benchmark/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        splits=list(config["splits"]),
        n_bins=config["simulation"]["figures"]["n_bins"],
        code=code_of("plot_benchmark"),
    script:
        "../scripts/plot_benchmark.py"


rule plot_benchmark_roc:
    input:
        ratios="<results>/simulation/{dataset}/ratios.parquet",
        record="<results>/simulation/{dataset}/c2st.json",
        style=project_file("config/matplotlibrc"),
    output:
        roc=figure_files("simulation", "benchmark_roc"),
    log:
        "<logs>/plot_benchmark_roc/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_benchmark_roc/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        classifiers=["resmlp", "trees"],
        confidence=config["simulation"]["c2st"]["confidence"],
        code=code_of("plot_benchmark_roc"),
    script:
        "../scripts/plot_benchmark_roc.py"


rule plot_masses:
    input:
        samples=expand(
            "<results>/samples/{sample}/events.parquet",
            sample=config["mixtures"][config["simulation"]["benchmark"]["mixture"]][
                "samples"
            ],
        ),
        style=project_file("config/matplotlibrc"),
    output:
        masses=figure_files("simulation", "benchmark_masses"),
    log:
        "<logs>/plot_masses/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_masses/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        labels=config["mixtures"][config["simulation"]["benchmark"]["mixture"]][
            "labels"
        ],
        n_bins=config["simulation"]["figures"]["n_bins"],
        code=code_of("plot_masses"),
    script:
        "../scripts/plot_masses.py"


rule plot_jet_response:
    input:
        responses=[
            f"<results>/generators/jet_scale/{detector}/{beams}_responses.parquet"
            for detector, beams in simulation.jet_scales(config)
        ],
        style=project_file("config/matplotlibrc"),
    output:
        response=figure_files("simulation", "jet_response"),
    log:
        "<logs>/plot_jet_response/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_jet_response/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        titles=[", ".join(pair) for pair in simulation.jet_scales(config)],
        code=code_of("plot_jet_response"),
    script:
        "../scripts/plot_jet_response.py"


rule plot_diphotons:
    input:
        events=expand(
            "<results>/samples/{sample}/events.parquet",
            sample=simulation.samples_of_kind(config, "diphoton"),
        ),
        style=project_file("config/matplotlibrc"),
    output:
        features=figure_files("simulation", "diphoton_features"),
    log:
        "<logs>/plot_diphotons/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_diphotons/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        samples=simulation.samples_of_kind(config, "diphoton"),
        n_bins=config["simulation"]["figures"]["n_bins"],
        code=code_of("plot_diphotons"),
    script:
        "../scripts/plot_diphotons.py"


rule plot_double_higgs:
    input:
        spectra="<results>/simulation/{dataset}/double_higgs.parquet",
        totals="<results>/simulation/{dataset}/double_higgs_total.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        crosssections=figure_files("simulation", "double_higgs"),
    log:
        "<logs>/plot_double_higgs/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_double_higgs/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("plot_double_higgs"),
    script:
        "../scripts/plot_double_higgs.py"


rule plot_bmesons:
    input:
        events=expand(
            "<results>/samples/{sample}/events.parquet",
            sample=simulation.samples_of_kind(config, "bmesons"),
        ),
        style=project_file("config/matplotlibrc"),
    output:
        spectra=figure_files("simulation", "b_mesons"),
    log:
        "<logs>/plot_bmesons/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_bmesons/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        samples=simulation.samples_of_kind(config, "bmesons"),
        n_bins=config["simulation"]["figures"]["n_bins"],
        code=code_of("plot_bmesons"),
    script:
        "../scripts/plot_bmesons.py"


rule plot_mixture:
    input:
        events="<results>/mixtures/%s.parquet" % config["simulation"]["mixture"],
        style=project_file("config/matplotlibrc"),
    output:
        spectra=figure_files("simulation", "mixture_spectra"),
        categories=figure_files("simulation", "mixture_categories"),
    log:
        "<logs>/plot_mixture/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_mixture/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        samples=lambda wildcards: config["mixtures"][config["simulation"]["mixture"]][
            "samples"
        ],
        n_bins=config["simulation"]["figures"]["n_bins"],
        code=code_of("plot_mixture"),
    script:
        "../scripts/plot_mixture.py"


rule plot_cutflows:
    input:
        records=expand(
            "<results>/samples/{sample}/sample.json",
            sample=simulation.shown_samples(config),
        ),
        style=project_file("config/matplotlibrc"),
    output:
        cutflows=figure_files("simulation", "cutflows"),
    log:
        "<logs>/plot_cutflows/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_cutflows/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        samples=simulation.shown_samples(config),
        kinds=[
            config["selections"][config["samples"][name]["selection"]]["kind"]
            for name in simulation.shown_samples(config)
        ],
        code=code_of("plot_cutflows"),
    script:
        "../scripts/plot_cutflows.py"
