"""Check and compare reconstructed masses and lifetimes, also of observed events.

Needs:    networks and sets of rules/cinn.smk, tables of cinn.observed
Produces: <results>/cinn/{dataset}/{*.parquet,*.json,observed/*}, <results>/cinn/summary.json
"""


rule diagnose_sets:
    input:
        amortised=cinn_file("amortised.safetensors"),
        test=sets_of(cinn.TEST),
    output:
        diagnosis=cinn_file("diagnosis.parquet"),
        ranks=cinn_file("sbc.parquet"),
        tarp=cinn_file("tarp.parquet"),
        record=cinn_file("diagnosis.json"),
    log:
        "<logs>/diagnose_sets/{dataset}.log",
    benchmark:
        "<benchmarks>/diagnose_sets/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=120,
        gpu=gpus_needed(config["device"]),
    params:
        sizes=config["cinn"]["n_events"]["tested"],
        n_draws=config["cinn"]["n_ranks"],
        device=config["device"],
        seed=seed_for("diagnose_sets"),
        code=code_of("diagnose_sets"),
    script:
        "../scripts/diagnose_sets.py"


rule compare_detectors:
    input:
        amortised=cinn_file("amortised.safetensors"),
        published=cinn_file("published.safetensors"),
        singles=single_networks,
        test=sets_of(cinn.TEST),
        signals=sets_of_benchmarks(),
    output:
        comparison=cinn_file("comparison.parquet"),
        sharpness=cinn_file("sharpness.parquet"),
    log:
        "<logs>/compare_detectors/{dataset}.log",
    benchmark:
        "<benchmarks>/compare_detectors/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=240,
        gpu=gpus_needed(config["device"]),
    params:
        benchmarks=config["cinn"]["benchmarks"],
        detectors=cinn.detectors(config),
        trained=config["cinn"]["slides"],
        n_events=config["cinn"]["n_events"]["compared"],
        product=config["cinn"]["product"],
        n_draws=config["cinn"]["n_ranks"],
        device=config["device"],
        seed=seed_for("compare_detectors"),
        code=code_of("compare_detectors"),
    script:
        "../scripts/compare_detectors.py"


rule compare_geometries:
    input:
        networks=of_both_geometries("amortised.safetensors"),
        signals=[
            path
            for dataset in cinn.geometries(config)
            for path in sets_of_benchmarks(dataset)
        ],
    output:
        displaced=cinn_file("displaced.parquet"),
    log:
        "<logs>/compare_geometries/{dataset}.log",
    benchmark:
        "<benchmarks>/compare_geometries/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=60,
        gpu=gpus_needed(config["device"]),
    params:
        datasets=cinn.geometries(config),
        benchmarks=config["cinn"]["benchmarks"],
        detectors=cinn.detectors(config),
        n_events=config["cinn"]["n_events"]["compared"],
        device=config["device"],
        seed=seed_for("compare_geometries"),
        code=code_of("compare_geometries"),
    script:
        "../scripts/compare_geometries.py"


rule map_detectors:
    input:
        amortised=cinn_file("amortised.safetensors"),
        signals=sets_of_benchmarks(),
    output:
        maps=cinn_file("map.parquet"),
    log:
        "<logs>/map_detectors/{dataset}.log",
    benchmark:
        "<benchmarks>/map_detectors/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=120,
        gpu=gpus_needed(config["device"]),
    params:
        benchmarks=config["cinn"]["benchmarks"],
        settings=config["cinn"]["map"],
        n_events=config["cinn"]["n_events"]["compared"],
        device=config["device"],
        seed=seed_for("map_detectors"),
        code=code_of("map_detectors"),
    script:
        "../scripts/map_detectors.py"


rule draw_sets:
    input:
        amortised=cinn_file("amortised.safetensors"),
        test=sets_of(cinn.TEST),
        signals=sets_of_benchmarks(),
        acceptance=cinn_file("acceptance.parquet"),
    output:
        examples=cinn_file("examples.parquet"),
        roles=cinn_file("roles.parquet"),
    log:
        "<logs>/draw_sets/{dataset}.log",
    benchmark:
        "<benchmarks>/draw_sets/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=60,
        gpu=gpus_needed(config["device"]),
    params:
        benchmarks=config["cinn"]["benchmarks"],
        resolution=cinn.detectors(config)[config["cinn"]["slides"]],
        sizes=config["cinn"]["n_events"]["tested"],
        grid=config["cinn"]["examples"],
        widths=config["cinn"]["roles"],
        rate=config["cinn"]["rate"],
        device=config["device"],
        seed=seed_for("draw_sets"),
        code=code_of("draw_sets"),
    script:
        "../scripts/draw_sets.py"


rule time_posterior:
    input:
        amortised=cinn_file("amortised.safetensors"),
        test=sets_of(cinn.TEST),
    output:
        timing=cinn_file("timing.json"),
    log:
        "<logs>/time_posterior/{dataset}.log",
    benchmark:
        "<benchmarks>/time_posterior/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=10,
        gpu=gpus_needed(config["device"]),
    params:
        resolution=cinn.detectors(config)[config["cinn"]["slides"]],
        n_events=config["cinn"]["n_events"]["compared"],
        n_draws=config["cinn"]["n_posterior"],
        device=config["device"],
        seed=seed_for("time_posterior"),
        code=code_of("time_posterior"),
    script:
        "../scripts/time_posterior.py"


rule reconstruct_events:
    input:
        table=reconstructed_table,
        amortised=cinn_file("amortised.safetensors"),
        acceptance=cinn_file("acceptance.parquet"),
    output:
        draws=cinn_file("observed/{observed}.parquet"),
        summary=cinn_file("observed/{observed}.json"),
    log:
        "<logs>/reconstruct_events/{dataset}/{observed}.log",
    benchmark:
        "<benchmarks>/reconstruct_events/{dataset}/{observed}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=30,
        gpu=gpus_needed(config["device"]),
    params:
        resolution=reconstructed_resolution,
        with_rate=reconstructed_setting("rate", False),
        rate=config["cinn"]["rate"],
        n_draws=config["cinn"]["n_posterior"],
        n_predicted=config["cinn"]["predicted"],
        device=config["device"],
        seed=seed_for("reconstruct_events"),
        code=code_of("reconstruct_events"),
    script:
        "../scripts/reconstruct_events.py"


rule summarise_cinn:
    input:
        sharpness=cinn_file("sharpness.parquet", cinn.shown_geometry(config)),
        comparison=cinn_file("comparison.parquet", cinn.shown_geometry(config)),
        diagnosis=cinn_file("diagnosis.json", cinn.shown_geometry(config)),
        timing=cinn_file("timing.json", cinn.shown_geometry(config)),
        observed=reconstructions,
    output:
        summary="<results>/cinn/summary.json",
    log:
        "<logs>/summarise_cinn.log",
    benchmark:
        "<benchmarks>/summarise_cinn.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        slides=config["cinn"]["slides"],
        code=code_of("summarise_cinn"),
    script:
        "../scripts/summarise_cinn.py"


rule cinn:
    input:
        "<results>/cinn/summary.json",
        [
            cinn_file(f"{name}.parquet", cinn.shown_geometry(config))
            for name in ("displaced", "map", "examples")
        ],
