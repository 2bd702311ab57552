"""Simulate sets of decays of one particle, and learn its mass and lifetime from them.

Needs:    nothing, or the sample of B mesons that cinn.mesons names
Produces: <results>/cinn/{dataset}/{sets/*,single/*}, networks, histories, acceptance.parquet
"""


rule simulate_sets:
    input:
        mesons=cinn_mesons,
    output:
        sets=sets_of("{population}"),
    log:
        "<logs>/simulate_sets/{dataset}/{population}.log",
    benchmark:
        "<benchmarks>/simulate_sets/{dataset}/{population}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=240,
    params:
        n_sets=lambda wildcards: cinn.set_count(config, *wildcards),
        n_events=config["cinn"]["n_events"]["trained"][1],
        benchmark=set_benchmark,
        setup=beam_dump,
        seed=seed_for("simulate_sets"),
        code=code_of("simulate_sets"),
    script:
        "../scripts/simulate_sets.py"


rule train_sets:
    input:
        train=sets_of(cinn.TRAIN),
        validation=sets_of(cinn.VALIDATION),
    output:
        model=cinn_file("amortised.safetensors"),
        history=cinn_file("history.parquet"),
    log:
        "<logs>/train_sets/{dataset}.log",
    benchmark:
        "<benchmarks>/train_sets/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(6000),
        runtime=600,
        gpu=gpus_needed(config["device"]),
    params:
        setup=beam_dump,
        settings=cinn.network_settings(config),
        detectors=config["cinn"]["detectors"],
        n_events=config["cinn"]["n_events"]["trained"],
        training=config["cinn"]["network"]["training"],
        checkpoints=checkpoint_folder("train_sets", job="amortised"),
        device=config["device"],
        seed=seed_for("train_sets"),
        code=code_of("train_sets"),
    script:
        "../scripts/train_sets.py"


rule train_single:
    input:
        train=sets_of(cinn.TRAIN),
        validation=sets_of(cinn.VALIDATION),
    output:
        model=cinn_file("single/{setup}.safetensors"),
        history=cinn_file("single/{setup}_history.parquet"),
    log:
        "<logs>/train_single/{dataset}/{setup}.log",
    benchmark:
        "<benchmarks>/train_single/{dataset}/{setup}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(6000),
        runtime=600,
        gpu=gpus_needed(config["device"]),
    params:
        setup=beam_dump,
        settings=cinn.network_settings(config),
        resolution=lambda wildcards: cinn.detectors(config)[wildcards.setup],
        n_events=config["cinn"]["n_events"]["compared"],
        training=config["cinn"]["network"]["training"],
        checkpoints=checkpoint_folder("train_single", job="single/{setup}"),
        device=config["device"],
        seed=seed_for("train_single"),
        code=code_of("train_single"),
    script:
        "../scripts/train_single.py"


rule train_published:
    input:
        train=sets_of(cinn.TRAIN),
    output:
        model=cinn_file("published.safetensors"),
        history=cinn_file("published_history.parquet"),
    log:
        "<logs>/train_published/{dataset}.log",
    benchmark:
        "<benchmarks>/train_published/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(4000),
        runtime=600,
        gpu=gpus_needed(config["device"]),
    params:
        setup=beam_dump,
        settings=cinn.published_settings(config),
        resolution=cinn.detectors(config)[config["cinn"]["slides"]],
        max_sets=config["cinn"]["published"]["max_sets"],
        training=config["cinn"]["published"]["training"],
        checkpoints=checkpoint_folder("train_published", job="published"),
        device=config["device"],
        seed=seed_for("train_published"),
        code=code_of("train_published"),
    script:
        "../scripts/train_published.py"


rule tabulate_acceptance:
    input:
        mesons=cinn_mesons,
    output:
        acceptance=cinn_file("acceptance.parquet"),
    log:
        "<logs>/tabulate_acceptance/{dataset}.log",
    benchmark:
        "<benchmarks>/tabulate_acceptance/{dataset}.tsv"
    threads: 1
    resources:
        mem_mb=more_memory(2000),
        runtime=120,
    params:
        setup=beam_dump,
        settings=config["cinn"]["rate"],
        seed=seed_for("tabulate_acceptance"),
        code=code_of("tabulate_acceptance"),
    script:
        "../scripts/tabulate_acceptance.py"
