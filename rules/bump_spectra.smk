"""Mass spectra of simulated events by category, and the smooth shapes of their falling parts.

Needs:    <results>/mixtures/{mixture}.parquet, of events as lists of objects in GeV, or the files of
          a block of `ddp.darkmachines`
Produces: <results>/ddp/categories/{mixture}/{histograms,shapes}.parquet
"""


rule fit_categories:
    input:
        events=categorised_files,
    output:
        histograms="<results>/ddp/categories/{mixture}/histograms.parquet",
        shapes="<results>/ddp/categories/{mixture}/shapes.parquet",
    log:
        "<logs>/fit_categories/{mixture}.log",
    benchmark:
        "<benchmarks>/fit_categories/{mixture}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=60,
    params:
        settings=config["ddp"]["categories"],
        darkmachines=lambda wildcards: hunts.darkmachines_format(
            config, wildcards.mixture
        ),
        code=code_of("fit_categories"),
    script:
        "../scripts/fit_categories.py"
