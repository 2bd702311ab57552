"""Named functions that fill params and inputs of resonance measurements; no rules here."""


def resonance_file(name, dataset="{dataset}", density="{density}"):
    """Return the path of one result of a measurement."""
    return f"<results>/hisigma/{dataset}/{density}/{name}"


def resonance_sources(wildcards):
    """Return the files of events of a measurement."""
    files = resonance.measurement_files(config, wildcards.dataset)
    return [project_file(path) for path in files.values()]


def resonance_parts(wildcards):
    """Return the densities that a measurement's fits need."""
    return [
        resonance_file(f"{part}.safetensors", wildcards.dataset, wildcards.density)
        for part in resonance.density_parts(config, wildcards.dataset)
    ]


def measurement_setting(wildcards):
    """Return the settings of a measurement."""
    return config["measurements"][wildcards.dataset]


def density_setting(key):
    """Return a params function: one setting of a set-up of densities."""
    return lambda wildcards: config["hisigma"]["densities"][wildcards.density][key]


def coverage_toys(wildcards):
    """Return the toys of all experiments of the interpreted densities."""
    dataset = resonance.shown_measurement(config)
    density = resonance.interpreted_density(config)
    return [
        resonance_file(f"toys/{replica}.parquet", dataset, density)
        for replica in resonance.replicas(config)
    ]


def of_each_density(name):
    """Return a result of each set-up of densities."""
    dataset = resonance.shown_measurement(config)
    return [
        resonance_file(name, dataset, density)
        for density in config["hisigma"]["select"]
    ]


def interpreted_file(name):
    """Return a result of the set-up of densities that is interpreted."""
    return of_each_density(name)[0]


def edges_density(wildcards):
    """Return the density for the closure of the sidebands' edges, of the interpreted set-up."""
    name = resonance_file("edges.safetensors", wildcards.dataset, wildcards.density)
    return [name] if wildcards.density == resonance.interpreted_density(config) else []
