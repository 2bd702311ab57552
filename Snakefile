from snakemake.utils import min_version

min_version("9.20")


configfile: workflow.source_path("config/config.yaml")


include: "rules/common.smk"


pathvars:
    results=studies.results_folder(config),
    logs=f"{studies.results_folder(config)}/logs",
    benchmarks=f"{studies.results_folder(config)}/benchmarks",


wildcard_constraints:
    **studies.WILDCARDS,


for part in studies.PARTS:

    include: f"rules/{part}.smk"


rule all:
    input:
        "<results>/report.html",
        search.further_targets(config),


rule surrogates:
    input:
        "<results>/surrogates/summary.json",


rule histfactory:
    input:
        "<results>/histfactory/summary.json",
        search.search_fits(config),


rule simulation:
    input:
        "<results>/simulation/summary.json",


rule scan_surrogates:
    input:
        studies.scan_figures(config),
