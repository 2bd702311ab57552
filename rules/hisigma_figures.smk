"""Draw resonance measurements: events, fits and tests.

Needs:    artifacts of the measurement {dataset} with the selected set-ups of densities
Produces: <results>/hisigma/{dataset}/figures/*.{png,pdf}
"""

from bumpflow.report.figures import smearing_pair

interpreted = f"<results>/hisigma/{{dataset}}/{resonance.interpreted_density(config)}"
plain, smeared = smearing_pair(config) or (None, None)


rule plot_resonance_features:
    input:
        events=f"{interpreted}/events.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        features=figure_files("hisigma", "resonance_features"),
    log:
        "<logs>/plot_resonance_features/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_features/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        measurement=measurement_setting,
        n_bins=config["hisigma"]["figures"]["n_bins"],
        code=code_of("plot_resonance_features"),
    script:
        "../scripts/plot_resonance_features.py"


rule plot_resonance_smearing:
    input:
        plain=f"<results>/hisigma/{{dataset}}/{plain}/events.parquet",
        smeared=f"<results>/hisigma/{{dataset}}/{smeared}/events.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        smearing=figure_files("hisigma", "resonance_smearing"),
    log:
        "<logs>/plot_resonance_smearing/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_smearing/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        measurement=measurement_setting,
        n_bins=config["hisigma"]["figures"]["n_bins"],
        code=code_of("plot_resonance_smearing"),
    script:
        "../scripts/plot_resonance_smearing.py"


rule plot_resonance_variation:
    input:
        events=f"{interpreted}/events.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        variation=figure_files("hisigma", "resonance_variation"),
    log:
        "<logs>/plot_resonance_variation/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_variation/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        measurement=measurement_setting,
        n_bins=config["hisigma"]["figures"]["n_bins"],
        code=code_of("plot_resonance_variation"),
    script:
        "../scripts/plot_resonance_variation.py"


rule plot_resonance_shapes:
    input:
        events=f"{interpreted}/events.parquet",
        shapes=f"{interpreted}/shapes.json",
        families=f"{interpreted}/families.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        mass_shapes=figure_files("hisigma", "resonance_mass_shapes"),
    log:
        "<logs>/plot_resonance_shapes/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_shapes/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        measurement=measurement_setting,
        n_bins=2 * config["hisigma"]["figures"]["n_bins"],
        code=code_of("plot_resonance_shapes"),
    script:
        "../scripts/plot_resonance_shapes.py"


rule plot_resonance_strategies:
    input:
        scores=f"{interpreted}/scores.parquet",
        strategies=f"{interpreted}/strategies.parquet",
        shapes=f"{interpreted}/shapes.json",
        style=project_file("config/matplotlibrc"),
    output:
        examples=figure_files("hisigma", "resonance_strategies"),
    log:
        "<logs>/plot_resonance_strategies/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_strategies/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        measurement=measurement_setting,
        n_bins=config["hisigma"]["figures"]["n_bins"],
        code=code_of("plot_resonance_strategies"),
    script:
        "../scripts/plot_resonance_strategies.py"


rule plot_resonance_post_fit:
    input:
        data=f"{interpreted}/signal_region.parquet",
        model=f"{interpreted}/model.parquet",
        goodness=f"{interpreted}/goodness.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        post_fit=figure_files("hisigma", "resonance_post_fit"),
        signal_like=figure_files("hisigma", "resonance_signal_like"),
    log:
        "<logs>/plot_resonance_post_fit/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_post_fit/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        measurement=measurement_setting,
        n_bins=config["hisigma"]["figures"]["n_bins"],
        code=code_of("plot_resonance_post_fit"),
    script:
        "../scripts/plot_resonance_post_fit.py"


rule plot_resonance_uncertainties:
    input:
        fits=of_each_density("fits.parquet"),
        strategies=(
            [f"{interpreted}/strategies.parquet"]
            if resonance.has_truth(config)
            else []
        ),
        style=project_file("config/matplotlibrc"),
    output:
        uncertainties=figure_files("hisigma", "resonance_uncertainties"),
    log:
        "<logs>/plot_resonance_uncertainties/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_uncertainties/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        names=config["hisigma"]["select"],
        n_signal=resonance.injected_signal(config),
        code=code_of("plot_resonance_uncertainties"),
    script:
        "../scripts/plot_resonance_uncertainties.py"


rule plot_resonance_curves:
    input:
        curves=f"{interpreted}/curves.parquet",
        fits=f"{interpreted}/fits.parquet",
        style=project_file("config/matplotlibrc"),
    output:
        envelope=figure_files("hisigma", "resonance_envelope"),
        systematics=figure_files("hisigma", "resonance_systematics"),
    log:
        "<logs>/plot_resonance_curves/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_curves/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        n_signal=resonance.injected_signal(config),
        code=code_of("plot_resonance_curves"),
    script:
        "../scripts/plot_resonance_curves.py"


rule plot_resonance_tests:
    input:
        scan=f"{interpreted}/scan.parquet",
        scan_toys=f"{interpreted}/scan_toys.parquet",
        belt=f"{interpreted}/belt.parquet",
        tests=f"{interpreted}/tests.json",
        style=project_file("config/matplotlibrc"),
    output:
        mass_scan=figure_files("hisigma", "resonance_scan"),
        acceptance=figure_files("hisigma", "resonance_belt"),
    log:
        "<logs>/plot_resonance_tests/{dataset}.log",
    benchmark:
        "<benchmarks>/plot_resonance_tests/{dataset}.tsv"
    localrule: True
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        measurement=measurement_setting,
        n_toys=config["hisigma"]["tests"]["n_toys"],
        code=code_of("plot_resonance_tests"),
    script:
        "../scripts/plot_resonance_tests.py"
