"""Draw hunts: scanned spectra, tests with a known truth, other methods, and training.

Needs:    artifacts of the scan and the tests of {dataset}, which is the network's name here
Produces: <results>/ddp/{dataset}/figures/*.{png,pdf}
"""


rule plot_histogram_scan:
    input:
        bins="<results>/ddp/{dataset}/scan/bins.parquet",
        toys="<results>/ddp/{dataset}/scan/toys.parquet",
        summary="<results>/ddp/{dataset}/scan/summary.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        scan=figure_files("ddp", "scan_{histogram}", caption="scan_histogram"),
    log:
        "<logs>/plot_histogram_scan/{dataset}/{histogram}.log",
    benchmark:
        "<benchmarks>/plot_histogram_scan/{dataset}/{histogram}.tsv"
    wildcard_constraints:
        histogram=studies.NAME,
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        histogram=lambda wildcards: wildcards.histogram,
        source=lambda wildcards: hunts.scanned_histograms(config)[wildcards.histogram][
            "source"
        ],
        code=code_of("plot_histogram_scan"),
    script:
        "../scripts/plot_histogram_scan.py"


rule plot_hunt_ranking:
    input:
        bins="<results>/ddp/{dataset}/scan/bins.parquet",
        summary="<results>/ddp/{dataset}/scan/summary.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        ranking=figure_files("ddp", "hunt_ranking"),
        top=figure_files("ddp", "hunt_top"),
    log:
        "<logs>/plot_hunt_ranking/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_hunt_ranking/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        n_ranked=30,
        n_drawn=9,
        code=code_of("plot_hunt_ranking"),
    script:
        "../scripts/plot_hunt_ranking.py"


rule plot_hunt_tests:
    input:
        test="<results>/ddp/%s/tests/thesis.parquet"
        % config["ddp"]["tests"]["thesis"]["hunter"],
        style=project_file("config/matplotlibrc"),
    output:
        response=figure_files("ddp", "hunt_response"),
        cells=figure_files("ddp", "hunt_cells"),
        coverage=figure_files("ddp", "hunt_coverage"),
    log:
        "<logs>/plot_hunt_tests/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_hunt_tests/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        n_cells=8,
        code=code_of("plot_hunt_tests"),
    script:
        "../scripts/plot_hunt_tests.py"


rule plot_hunt_paper:
    input:
        test="<results>/ddp/%s/tests/task2022.parquet"
        % config["ddp"]["tests"]["task2022"]["hunter"],
        style=project_file("config/matplotlibrc"),
    output:
        paper=figure_files("ddp", "hunt_paper"),
    log:
        "<logs>/plot_hunt_paper/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_hunt_paper/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("plot_hunt_paper"),
    script:
        "../scripts/plot_hunt_paper.py"


rule plot_hunt_global_p:
    input:
        p_values="<results>/ddp/{dataset}/global_p.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        global_p=figure_files("ddp", "hunt_global_p"),
    log:
        "<logs>/plot_hunt_global_p/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_hunt_global_p/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("plot_hunt_global_p"),
    script:
        "../scripts/plot_hunt_global_p.py"


rule plot_hunt_comparison:
    input:
        table="<results>/ddp/{dataset}/comparison.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        comparison=figure_files("ddp", "hunt_comparison"),
    log:
        "<logs>/plot_hunt_comparison/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_hunt_comparison/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("plot_hunt_comparison"),
    script:
        "../scripts/plot_hunt_comparison.py"


rule plot_hunt_examples:
    input:
        table="<results>/ddp/{dataset}/examples.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        examples=figure_files("ddp", "hunt_examples"),
    log:
        "<logs>/plot_hunt_examples/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_hunt_examples/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("plot_hunt_examples"),
    script:
        "../scripts/plot_hunt_examples.py"


rule plot_hunt_training:
    input:
        histories=expand(
            "<results>/ddp/{hunter}/history.parquet", hunter=config["ddp"]["trained"]
        ),
        learning=project_file("resources/hunters/learning_curve.csv"),
        style=project_file("config/matplotlibrc"),
    output:
        training=figure_files("ddp", "hunt_training"),
    log:
        "<logs>/plot_hunt_training/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_hunt_training/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        hunters=config["ddp"]["trained"],
        code=code_of("plot_hunt_training"),
    script:
        "../scripts/plot_hunt_training.py"
