"""Generate events: hard processes, showers, detector, selection; gathered from chunks.

Needs:    nothing, or the file of events that a sample's `path` names
Produces: <results>/samples/{sample}/{events.parquet,sample.json}, <results>/mixtures/{mixture}.parquet
"""


rule tabulate_form_factors:
    output:
        table="<results>/generators/form_factors.parquet",
    log:
        "<logs>/tabulate_form_factors.log",
    benchmark:
        "<benchmarks>/tabulate_form_factors.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=60,
    params:
        settings=config["simulation"]["form_factors"],
        code=code_of("tabulate_form_factors"),
    script:
        "../scripts/tabulate_form_factors.py"


rule adapt_phase_space:
    output:
        table="<results>/generators/{sample}/phase_space.parquet",
    log:
        "<logs>/adapt_phase_space/{sample}.log",
    benchmark:
        "<benchmarks>/adapt_phase_space/{sample}.tsv"
    wildcard_constraints:
        sample=simulation.names_of(config, simulation.TREE),
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=60,
    params:
        sample=sample_setting,
        settings=config["simulation"]["phase_space"],
        seed=seed_for("adapt_phase_space"),
        code=code_of("adapt_phase_space"),
    script:
        "../scripts/adapt_phase_space.py"


rule derive_jet_scale:
    output:
        table="<results>/generators/jet_scale/{detector}/{beams}.parquet",
        responses="<results>/generators/jet_scale/{detector}/{beams}_responses.parquet",
    log:
        "<logs>/derive_jet_scale/{detector}/{beams}.log",
    benchmark:
        "<benchmarks>/derive_jet_scale/{detector}/{beams}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=60,
    params:
        settings=lambda wildcards: simulation.jet_scale_settings(config, *wildcards),
        seed=seed_for("derive_jet_scale"),
        code=code_of("derive_jet_scale"),
    script:
        "../scripts/derive_jet_scale.py"


# The seed is the sample's, not the chunk's: blocks of events have seeds of their own.
rule simulate_chunk:
    input:
        jet_scale=lambda wildcards: simulation.jet_scale_file(config, wildcards.sample),
        process=lambda wildcards: simulation.process_file(config, wildcards.sample),
    output:
        events="<results>/samples/{sample}/chunks/{chunk}.parquet",
        record="<results>/samples/{sample}/chunks/{chunk}.json",
    log:
        "<logs>/simulate_chunk/{sample}/{chunk}.log",
    benchmark:
        "<benchmarks>/simulate_chunk/{sample}/{chunk}.tsv"
    wildcard_constraints:
        sample=simulation.names_of(config),
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=240,
    params:
        sample=sample_setting,
        blocks=lambda wildcards: simulation.chunk_blocks(config, *wildcards),
        block_size=config["simulation"]["block_size"],
        seed=lambda wildcards: seed_for("simulate_chunk")(wildcards[:1]),
        code=code_of("simulate_chunk"),
    script:
        "../scripts/simulate_chunk.py"


# Only on request: `snakemake results/samples/<sample>/partons.lhe.gz`.
rule write_partons:
    input:
        process=lambda wildcards: simulation.process_file(config, wildcards.sample),
    output:
        partons="<results>/samples/{sample}/partons.lhe.gz",
    log:
        "<logs>/write_partons/{sample}.log",
    benchmark:
        "<benchmarks>/write_partons/{sample}.tsv"
    wildcard_constraints:
        sample=simulation.names_of(config, (*simulation.LOOP, *simulation.TREE)),
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        sample=sample_setting,
        n_blocks=lambda wildcards: simulation.count_blocks(config, *wildcards),
        block_size=config["simulation"]["block_size"],
        sample_seed=seed_for("simulate_chunk"),
        code=code_of("write_partons"),
    script:
        "../scripts/write_partons.py"


rule gather_sample:
    input:
        chunks=lambda wildcards: simulation.chunk_files(config, *wildcards, "parquet"),
        records=lambda wildcards: simulation.chunk_files(config, *wildcards, "json"),
    output:
        events="<results>/samples/{sample}/events.parquet",
        record="<results>/samples/{sample}/sample.json",
    log:
        "<logs>/gather_sample/{sample}.log",
    benchmark:
        "<benchmarks>/gather_sample/{sample}.tsv"
    wildcard_constraints:
        sample=simulation.names_of(config),
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=30,
    params:
        code=code_of("gather_sample"),
    script:
        "../scripts/gather_sample.py"


rule convert_events:
    input:
        file=lambda wildcards: project_file(config["samples"][wildcards.sample]["path"]),
    output:
        events="<results>/samples/{sample}/events.parquet",
        record="<results>/samples/{sample}/sample.json",
    log:
        "<logs>/convert_events/{sample}.log",
    benchmark:
        "<benchmarks>/convert_events/{sample}.tsv"
    wildcard_constraints:
        sample=simulation.names_of(config, simulation.FILES),
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=60,
    params:
        sample=sample_setting,
        code=code_of("convert_events"),
    script:
        "../scripts/convert_events.py"


rule mix_samples:
    input:
        samples=lambda wildcards: [
            f"<results>/samples/{name}/events.parquet"
            for name in config["mixtures"][wildcards.mixture]["samples"]
        ],
    output:
        events="<results>/mixtures/{mixture}.parquet",
    log:
        "<logs>/mix_samples/{mixture}.log",
    benchmark:
        "<benchmarks>/mix_samples/{mixture}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(1000),
        runtime=30,
    params:
        mixture=lookup(within=config, dpath="mixtures/{mixture}"),
        code=code_of("mix_samples"),
    script:
        "../scripts/mix_samples.py"
