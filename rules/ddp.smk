"""Hunt bumps in histograms with networks, and test the networks.

Needs:    resources/hunters/*, resources/spectra/*, whatever files the histograms are in
Produces: <results>/ddp/{hunter}/*, <results>/ddp/summary.json
"""


rule train_hunter:
    input:
        shapes=project_file(config["ddp"]["shapes"]),
    output:
        network="<results>/ddp/{hunter}/network.safetensors",
        history="<results>/ddp/{hunter}/history.parquet",
        record="<results>/ddp/{hunter}/training.json",
    log:
        "<logs>/train_hunter/{hunter}.log",
    benchmark:
        "<benchmarks>/train_hunter/{hunter}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(3000),
        runtime=1440,
        gpu=gpus_needed(config["device"]),
    params:
        hunter=lambda wildcards: {
            key: value
            for key, value in config["hunters"][wildcards.hunter].items()
            if key != "correction"
        },
        spectra=lambda wildcards: hunts.hunter_spectra(config, wildcards.hunter),
        checkpoints=checkpoint_folder("train_hunter", "{hunter}", level="hunters"),
        device=config["device"],
        seed=seed_for("train_hunter"),
        code=code_of("train_hunter"),
    script:
        "../scripts/train_hunter.py"


rule calibrate_hunter:
    input:
        network=hunter_weights,
        shapes=project_file(config["ddp"]["shapes"]),
    output:
        calibration="<results>/ddp/{hunter}/calibration.parquet",
    log:
        "<logs>/calibrate_hunter/{hunter}.log",
    benchmark:
        "<benchmarks>/calibrate_hunter/{hunter}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(3000),
        runtime=60,
        gpu=gpus_needed(config["device"]),
    params:
        settings=config["ddp"]["calibration"],
        correction=lambda wildcards: config["hunters"][wildcards.hunter].get(
            "correction", "none"
        ),
        device=config["device"],
        seed=seed_for("calibrate_hunter"),
        code=code_of("calibrate_hunter"),
    script:
        "../scripts/calibrate_hunter.py"


rule judge_hunter:
    input:
        network=hunter_weights,
        calibration="<results>/ddp/{hunter}/calibration.parquet",
        shapes=project_file(config["ddp"]["shapes"]),
    output:
        table="<results>/ddp/{hunter}/tests/{test}.parquet",
    log:
        "<logs>/judge_hunter/{hunter}/{test}.log",
    benchmark:
        "<benchmarks>/judge_hunter/{hunter}/{test}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(3000),
        runtime=240,
        gpu=gpus_needed(config["device"]),
    params:
        settings=lambda wildcards: hunts.test_settings(config, wildcards.test),
        device=config["device"],
        seed=seed_for("judge_hunter"),
        code=code_of("judge_hunter"),
    script:
        "../scripts/judge_hunter.py"


rule check_global_p:
    input:
        network=hunter_weights,
        calibration="<results>/ddp/{hunter}/calibration.parquet",
        shapes=project_file(config["ddp"]["shapes"]),
    output:
        table="<results>/ddp/{hunter}/global_p.parquet",
    log:
        "<logs>/check_global_p/{hunter}.log",
    benchmark:
        "<benchmarks>/check_global_p/{hunter}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(3000),
        runtime=240,
        gpu=gpus_needed(config["device"]),
    params:
        groups=hunts.background_groups(config),
        settings=config["ddp"]["global_p"],
        device=config["device"],
        seed=seed_for("check_global_p"),
        code=code_of("check_global_p"),
    script:
        "../scripts/check_global_p.py"


rule scan_histograms:
    input:
        network=hunter_weights,
        calibration="<results>/ddp/{hunter}/calibration.parquet",
        files=[
            project_file(block["path"])
            for block in hunts.scanned_histograms(config).values()
        ],
    output:
        bins="<results>/ddp/{hunter}/scan/bins.parquet",
        toys="<results>/ddp/{hunter}/scan/toys.parquet",
        summary="<results>/ddp/{hunter}/scan/summary.parquet",
        result="<results>/ddp/{hunter}/scan/summary.json",
    log:
        "<logs>/scan_histograms/{hunter}.log",
    benchmark:
        "<benchmarks>/scan_histograms/{hunter}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=120,
        gpu=gpus_needed(config["device"]),
    params:
        histograms=hunts.scanned_histograms(config),
        settings=config["ddp"]["scan"],
        device=config["device"],
        seed=seed_for("scan_histograms"),
        code=code_of("scan_histograms"),
    script:
        "../scripts/scan_histograms.py"


rule compare_hunters:
    input:
        network=hunter_weights,
    output:
        comparison="<results>/ddp/{hunter}/comparison.parquet",
    log:
        "<logs>/compare_hunters/{hunter}.log",
    benchmark:
        "<benchmarks>/compare_hunters/{hunter}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=120,
        gpu=gpus_needed(config["device"]),
    params:
        spectra=config["spectra"][config["ddp"]["comparison"]["spectra"]],
        settings=config["ddp"]["comparison"],
        device=config["device"],
        seed=seed_for("compare_hunters"),
        code=code_of("compare_hunters"),
    script:
        "../scripts/compare_hunters.py"


rule draw_examples:
    input:
        network=hunter_weights,
        shapes=project_file(config["ddp"]["shapes"]),
    output:
        examples="<results>/ddp/{hunter}/examples.parquet",
    log:
        "<logs>/draw_examples/{hunter}.log",
    benchmark:
        "<benchmarks>/draw_examples/{hunter}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=10,
        gpu=gpus_needed(config["device"]),
    params:
        spectra=config["spectra"][config["ddp"]["examples"]["spectra"]],
        settings=config["ddp"]["examples"],
        device=config["device"],
        seed=seed_for("draw_examples"),
        code=code_of("draw_examples"),
    script:
        "../scripts/draw_examples.py"


rule summarise_ddp:
    input:
        tests=hunts.test_files(config),
        global_p=f"<results>/ddp/{config['ddp']['hunter']}/global_p.parquet",
        scan=f"<results>/ddp/{config['ddp']['hunter']}/scan/summary.parquet",
        shapes=f"<results>/ddp/categories/{config['ddp']['categories']['mixture']}/shapes.parquet",
    output:
        summary="<results>/ddp/summary.json",
    log:
        "<logs>/summarise_ddp.log",
    benchmark:
        "<benchmarks>/summarise_ddp.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        seed=seed_for("summarise_ddp"),
        code=code_of("summarise_ddp"),
    script:
        "../scripts/summarise_ddp.py"


rule ddp:
    input:
        "<results>/ddp/summary.json",


rule scan:
    input:
        f"<results>/ddp/{config['ddp']['hunter']}/scan/summary.json",
        expand(
            f"<results>/ddp/{config['ddp']['hunter']}/figures/{{name}}.png",
            name=hunts.scan_figures(config),
        ),
