"""Measure generated events: against real ones, published numbers and the masses of resonances.

Needs:    artifacts of simulation.smk, and the events of the benchmark's reference
Produces: <results>/simulation/{dataset}/*.{json,parquet}, <results>/simulation/summary.json
"""


rule compare_benchmark:
    input:
        generated=f"<results>/mixtures/{config['simulation']['benchmark']['mixture']}.parquet",
        real="<results>/events/{dataset}/events.parquet",
    output:
        record="<results>/simulation/{dataset}/c2st.json",
        ratios="<results>/simulation/{dataset}/ratios.parquet",
    log:
        "<logs>/compare_benchmark/{dataset}.log",
    benchmark:
        "<benchmarks>/compare_benchmark/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
        gpu=gpus_needed(config["device"]),
    params:
        settings=config["simulation"]["c2st"],
        device=config["device"],
        seed=seed_for("compare_benchmark"),
        code=code_of("compare_benchmark"),
    script:
        "../scripts/compare_benchmark.py"


rule tabulate_double_higgs:
    input:
        form_factors="<results>/generators/form_factors.parquet",
    output:
        spectra="<results>/simulation/{dataset}/double_higgs.parquet",
        totals="<results>/simulation/{dataset}/double_higgs_total.parquet",
    log:
        "<logs>/tabulate_double_higgs/{dataset}.log",
    benchmark:
        "<benchmarks>/tabulate_double_higgs/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=simulation.double_higgs_settings(config),
        seed=seed_for("tabulate_double_higgs"),
        code=code_of("tabulate_double_higgs"),
    script:
        "../scripts/tabulate_double_higgs.py"


rule summarise_simulation:
    input:
        records=expand(
            "<results>/samples/{sample}/sample.json",
            sample=simulation.shown_samples(config),
        ),
        peaks=expand(
            "<results>/samples/{sample}/events.parquet",
            sample=simulation.samples_of_kind(config, "semileptonic", "diphoton"),
        ),
        mesons=expand(
            "<results>/samples/{sample}/events.parquet",
            sample=simulation.samples_of_kind(config, "bmesons"),
        ),
        responses=[
            f"<results>/generators/jet_scale/{detector}/{beams}_responses.parquet"
            for detector, beams in simulation.jet_scales(config)
        ],
        c2st=f"<results>/simulation/{studies.shown_dataset(config, 'simulation')}/c2st.json",
        totals=f"<results>/simulation/{studies.shown_dataset(config, 'simulation')}/double_higgs_total.parquet",
        mixture=f"<results>/mixtures/{config['simulation']['mixture']}.parquet",
    output:
        summary="<results>/simulation/summary.json",
    log:
        "<logs>/summarise_simulation.log",
    benchmark:
        "<benchmarks>/summarise_simulation.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        processes={
            name: config["samples"][name]["process"]
            for name in simulation.shown_samples(config)
        },
        seed=seed_for("summarise_simulation"),
        code=code_of("summarise_simulation"),
    script:
        "../scripts/summarise_simulation.py"
