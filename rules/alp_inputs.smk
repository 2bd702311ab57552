"""Named functions that fill params and inputs of ALP hunts; no rules here."""


def alp_file(name, dataset="{dataset}", resolution="{resolution}"):
    """Return the path of one result with a resolution."""
    return f"<results>/alp/{dataset}/{resolution}/{name}"


def features_of(population):
    """Return the path of a population's measured events."""
    return alp_file(f"features/{population}.parquet")


def alp_mesons(wildcards):
    """Return the B mesons that decay: those of a sample, or none for parametrised ones."""
    sample = config["alp"]["mesons"]
    return [f"<results>/samples/{sample}/events.parquet"] if sample else []


def beam_dump(wildcards):
    """Return the settings of a beam dump."""
    return config["beamdumps"][wildcards.dataset]


def resolution_setting(wildcards):
    """Return the settings of a resolution."""
    return config["resolutions"][wildcards.resolution]


def observed_setting(key):
    """Return a params function: one setting of a table of observed events."""
    return lambda wildcards: config["alp"]["observed"][wildcards.observed][key]


def observed_table(wildcards):
    """Return the file of a table of observed events."""
    return project_file(observed_setting("path")(wildcards))


def observed_input(name):
    """Return an input function: a result with the resolution of a table of observed events."""
    return lambda wildcards: alp_file(
        name, wildcards.dataset, observed_setting("resolution")(wildcards)
    )


def observed_networks(wildcards):
    """Return the networks that hunt in a table of observed events."""
    names = [f"{network}.safetensors" for network in config["alp"]["hunted"]]
    return [observed_input(name)(wildcards) for name in names]


def of_each_resolution(name):
    """Return a result with each resolution."""
    dataset = alps.shown_beam_dump(config)
    return [alp_file(name, dataset, one) for one in config["alp"]["resolutions"]]


def observed_summaries(wildcards):
    """Return the summaries of all tables of observed events."""
    folder = f"<results>/alp/{alps.shown_beam_dump(config)}/observed"
    return [f"{folder}/{name}.json" for name in alps.observed_tables(config)]
