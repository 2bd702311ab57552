"""Named functions that fill params and inputs of ALP reconstruction; no rules here."""


def cinn_file(name, dataset="{dataset}"):
    """Return the path of one result at a beam dump."""
    return f"<results>/cinn/{dataset}/{name}"


def sets_of(population, dataset="{dataset}"):
    """Return the path of a population's simulated sets."""
    return cinn_file(f"sets/{population}.parquet", dataset)


def sets_of_benchmarks(dataset="{dataset}"):
    """Return the paths of the simulated sets of all signals."""
    return [sets_of(name, dataset) for name in cinn.benchmarks(config)]


def cinn_mesons(wildcards):
    """Return the B mesons that decay: those of a sample, or none for parametrised ones."""
    sample = config["cinn"]["mesons"]
    return [f"<results>/samples/{sample}/events.parquet"] if sample else []


def set_benchmark(wildcards):
    """Return the mass and decay length of a population, none of the prior's."""
    return cinn.benchmark_of(config, wildcards.population)


def single_networks(wildcards):
    """Return the networks for a single detector."""
    return [
        cinn_file(f"single/{name}.safetensors") for name in config["cinn"]["singles"]
    ]


def of_both_geometries(name):
    """Return a result at the beam dump of a study, and at the displaced one."""
    return [cinn_file(name, dataset) for dataset in cinn.geometries(config)]


def reconstructed_setting(key, default):
    """Return a params function: one setting of a table of observed events."""
    return lambda wildcards: config["cinn"]["observed"][wildcards.observed].get(
        key, default
    )


def reconstructed_table(wildcards):
    """Return the file of a table of observed events."""
    return project_file(config["cinn"]["observed"][wildcards.observed]["path"])


def reconstructed_resolution(wildcards):
    """Return the resolution of a table of observed events."""
    return cinn.observed_resolution(config, wildcards.observed)


def reconstructions(wildcards):
    """Return the summaries of all tables of observed events."""
    names = cinn.observed_tables(config)
    return [
        cinn_file(f"observed/{name}.json", cinn.shown_geometry(config))
        for name in names
    ]
