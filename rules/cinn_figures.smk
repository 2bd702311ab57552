"""Draw the reconstruction of axion-like particles: posteriors, their checks, and detectors.

Needs:    results of rules/cinn.smk and rules/cinn_checks.smk
Produces: <results>/cinn/{dataset}/figures/*.{png,pdf}
"""

observed_sets = cinn_file(f"observed/{cinn.shown_reconstruction(config)}")


rule plot_cinn_posteriors:
    input:
        examples=cinn_file("examples.parquet"),
        widths=cinn_file("roles.parquet"),
        style=project_file("config/matplotlibrc"),
    output:
        posteriors=figure_files("cinn", "cinn_posteriors"),
        roles=figure_files("cinn", "cinn_roles"),
    log:
        "<logs>/plot_cinn_posteriors/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_cinn_posteriors/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        benchmarks=config["cinn"]["benchmarks"],
        prior=lambda wildcards: beam_dump(wildcards)["prior"],
        code=code_of("plot_cinn_posteriors"),
    script:
        "../scripts/plot_cinn_posteriors.py"


rule plot_cinn_calibration:
    input:
        diagnosis=cinn_file("diagnosis.parquet"),
        ranks=cinn_file("sbc.parquet"),
        tarp=cinn_file("tarp.parquet"),
        amortised=cinn_file("history.parquet"),
        published=cinn_file("published_history.parquet"),
        style=project_file("config/matplotlibrc"),
    output:
        calibration=figure_files("cinn", "cinn_calibration"),
        training=figure_files("cinn", "cinn_training"),
    log:
        "<logs>/plot_cinn_calibration/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_cinn_calibration/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("plot_cinn_calibration"),
    script:
        "../scripts/plot_cinn_calibration.py"


rule plot_cinn_detectors:
    input:
        comparison=cinn_file("comparison.parquet"),
        geometries=cinn_file("displaced.parquet"),
        maps=cinn_file("map.parquet"),
        style=project_file("config/matplotlibrc"),
    output:
        resolution=figure_files("cinn", "cinn_resolution"),
        coverage=figure_files("cinn", "cinn_coverage"),
        displaced=figure_files("cinn", "cinn_displaced"),
        sensitivity=figure_files("cinn", "cinn_map"),
    log:
        "<logs>/plot_cinn_detectors/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_cinn_detectors/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        benchmarks=config["cinn"]["benchmarks"],
        datasets=cinn.geometries(config),
        code=code_of("plot_cinn_detectors"),
    script:
        "../scripts/plot_cinn_detectors.py"


rule plot_cinn_observed:
    input:
        posteriors=f"{observed_sets}.parquet",
        summary=f"{observed_sets}.json",
        style=project_file("config/matplotlibrc"),
    output:
        observed=figure_files("cinn", "cinn_observed"),
    log:
        "<logs>/plot_cinn_observed/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_cinn_observed/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        prior=lambda wildcards: beam_dump(wildcards)["prior"],
        code=code_of("plot_cinn_observed"),
    script:
        "../scripts/plot_cinn_observed.py"
