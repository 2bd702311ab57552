"""Mass spectra of simulated events by category, and the smooth shapes of their falling parts.

Needs:    <results>/mixtures/{mixture}.parquet, of events as lists of objects in GeV
Produces: <results>/ddp/categories/{mixture}/{histograms,shapes}.parquet
"""


rule fit_categories:
    input:
        events="<results>/mixtures/{mixture}.parquet",
    output:
        histograms="<results>/ddp/categories/{mixture}/histograms.parquet",
        shapes="<results>/ddp/categories/{mixture}/shapes.parquet",
    log:
        "<logs>/fit_categories/{mixture}.log",
    benchmark:
        "<benchmarks>/fit_categories/{mixture}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=config["ddp"]["categories"],
        code=code_of("fit_categories"),
    script:
        "../scripts/fit_categories.py"
