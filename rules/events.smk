"""Bring events in: fetch, check, store, and decide what each is used for.

Needs:    the file that a dataset's `path` names, or its `url`
Produces: <results>/events/{dataset}/events.parquet
"""


# No param `code`: what was fetched is known by its checksum, and stays when scripts change.
rule download_higgs:
    output:
        events=protected("results/downloads/{file}"),
    log:
        "results/logs/download_higgs/{file}.log",
    benchmark:
        "results/benchmarks/download_higgs/{file}.tsv"
    wildcard_constraints:
        file="[^/]+",
    threads: 1
    resources:
        mem_mb=more_memory(500),
        runtime=240,
    params:
        url=download_setting("url"),
        sha256=download_setting("sha256"),
    script:
        "../scripts/download_higgs.py"


rule ingest_chunk:
    input:
        events=dataset_file("path"),
        labels=dataset_file("labels"),
    output:
        table=temp("<results>/events/{dataset}/chunks/{chunk}.parquet"),
    log:
        "<logs>/ingest_chunk/{dataset}/{chunk}.log",
    benchmark:
        "<benchmarks>/ingest_chunk/{dataset}/{chunk}.tsv"
    threads: 2
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        layout=lookup(within=config, dpath="datasets/{dataset}/layout"),
        options=dataset_options,
        chunk=lambda wildcards: [
            int(wildcards.chunk),
            chunks.dataset_chunks(config, wildcards.dataset),
        ],
        code=code_of("ingest_chunk"),
    script:
        "../scripts/ingest_chunk.py"


rule ingest_events:
    input:
        events=dataset_file("path"),
        labels=dataset_file("labels"),
        chunks=lambda wildcards: chunks.chunk_files(
            chunks.dataset_chunks(config, wildcards.dataset),
            f"<results>/events/{wildcards.dataset}/chunks/",
            ".parquet",
        ),
    output:
        table="<results>/events/{dataset}/ingested.parquet",
        record="<results>/events/{dataset}/ingest.json",
    log:
        "<logs>/ingest_events/{dataset}.log",
    benchmark:
        "<benchmarks>/ingest_events/{dataset}.tsv"
    threads: 2
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        layout=lookup(within=config, dpath="datasets/{dataset}/layout"),
        options=dataset_options,
        source=lookup(within=config, dpath="datasets/{dataset}/source"),
        duplicates=lookup(within=config, dpath="datasets/{dataset}/duplicates"),
        sha256=lookup(within=config, dpath="datasets/{dataset}/sha256", default=None),
        code=code_of("ingest_events"),
    script:
        "../scripts/ingest_events.py"


rule split_events:
    input:
        table="<results>/events/{dataset}/ingested.parquet",
    output:
        events="<results>/events/{dataset}/events.parquet",
    log:
        "<logs>/split_events/{dataset}.log",
    benchmark:
        "<benchmarks>/split_events/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=30,
    params:
        fractions=config["splits"],
        salt=config["split_salt"],
        code=code_of("split_events"),
    script:
        "../scripts/split_events.py"
