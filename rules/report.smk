"""Put everything that a study found on one page.

Needs:    <results>/*/summary.json, figures of the analyses
Produces: <results>/{config.yaml,scorecard.parquet,resources.parquet,report.html}
"""


rule write_config:
    output:
        merged="<results>/config.yaml",
    log:
        "<logs>/write_config.log",
    benchmark:
        "<benchmarks>/write_config.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config=config,
        code=code_of("write_config"),
    script:
        "../scripts/write_config.py"


rule merge_scorecard:
    input:
        summaries=[
            f"<results>/{analysis}/summary.json" for analysis in config["analyses"]
        ],
        bench=bench_summary,
    output:
        scorecard="<results>/scorecard.parquet",
    log:
        "<logs>/merge_scorecard.log",
    benchmark:
        "<benchmarks>/merge_scorecard.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("merge_scorecard"),
    script:
        "../scripts/merge_scorecard.py"


rule summarise_benchmarks:
    input:
        made=[
            "<results>/scorecard.parquet",
            *each_figure(config, "<results>/{analysis}/{dataset}/figures/{name}.png"),
        ],
    output:
        resources="<results>/resources.parquet",
    log:
        "<logs>/summarise_benchmarks.log",
    benchmark:
        "<benchmarks>/summarise_benchmarks.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        benchmarks=f"{studies.results_folder(config)}/benchmarks",
        code=code_of("summarise_benchmarks"),
    script:
        "../scripts/summarise_benchmarks.py"


rule write_report:
    input:
        figures=each_figure(config, "<results>/{analysis}/{dataset}/figures/{name}.png"),
        captions=map(project_file, each_figure(config, "rules/captions/{caption}.rst")),
        records=studies.training_records(config),
        scorecard="<results>/scorecard.parquet",
        resources="<results>/resources.parquet",
        config="<results>/config.yaml",
        page=[
            project_file(f"src/bumpflow/report/page.{part}.j2")
            for part in ("html", "css", "js")
        ],
    output:
        report="<results>/report.html",
    log:
        "<logs>/write_report.log",
    benchmark:
        "<benchmarks>/write_report.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code_of("write_report"),
    script:
        "../scripts/write_report.py"
