from snakemake.utils import min_version

min_version("9.20")


configfile: workflow.source_path("config/config.yaml")


include: "rules/common.smk"


pathvars:
    results=studies.results_folder(config),
    logs=f"{studies.results_folder(config)}/logs",
    benchmarks=f"{studies.results_folder(config)}/benchmarks",


wildcard_constraints:
    dataset="[a-z0-9]+",
    model="[a-z0-9]+",
    scan="[a-z0-9]+",
    member="(bootstrap|replica)[0-9]+",
    observable="[a-z0-9]+",
    arm="|".join(search.ARMS),


include: "rules/events.smk"
include: "rules/surrogates.smk"
include: "rules/surrogate_figures.smk"
include: "rules/histfactory.smk"
include: "rules/histfactory_fits.smk"
include: "rules/histfactory_figures.smk"
include: "rules/report.smk"


rule all:
    default_target: True
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


rule scan_surrogates:
    input:
        expand(
            "<results>/surrogates/{dataset}/figures/scan_{scan}.png",
            dataset=config["surrogates"]["dataset"],
            scan=config["scans"],
        ),
