"""What the configuration of generated events means, and which ones are refused."""

import re
from copy import deepcopy
from pathlib import Path

import pytest

from bumpflow import io
from bumpflow.config import InvalidConfig, check_config
from bumpflow.report.figures import FIGURES, figures_of
from bumpflow.simulate import settings as simulation
from bumpflow.simulate.detector.settings import detector_settings

CONFIG = Path(__file__).parents[3] / "config"
DEFAULTS = io.read_yaml(CONFIG / "config.yaml")


def changed(path, value):
    """Return the defaults with the value at a dotted path replaced, or removed if it is None."""
    config = deepcopy(DEFAULTS)
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = node[key]
    node[last] = value
    if value is None:
        del node[last]
    return config


def check(config):
    check_config(config, schema=CONFIG / "config.schema.yaml")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "samples.bbaa.process",
            "bbaaa",
            r"samples\.bbaa\.process: 'bbaaa' is not known; did you",
        ),
        ("samples.bbaa.beams", "pp15", r"samples\.bbaa\.beams: 'pp15' is not defined; did you"),
        (
            "samples.bbaa.detector",
            "cmss",
            r"samples\.bbaa\.detector: 'cmss' .* did you mean 'cms'",
        ),
        ("samples.bbaa.selection", "object", r"'object' is not defined; did you mean 'objects'"),
        ("samples.bbaa.detector", None, r"samples\.bbaa: process 'bbaa' needs 'detector'"),
        ("samples.bbaa.blocks", None, r"samples\.bbaa: process 'bbaa' needs 'blocks'"),
        ("samples.bbaa.kappa_lambda", 2, r"bbaa\.kappa_lambda: process 'bbaa' has no use for it"),
        ("samples.bbaa.path", "a.h5", r"samples\.bbaa\.path: process 'bbaa' has no use for it"),
        (
            "samples.qcd13.parameters",
            {"min_p": 1},
            r"parameters: process 'qcd' has no 'min_p'; did",
        ),
        ("samples.bmesons.beams", "pp8", r"bmesons\.beams: 'bmesons' wants a fixed target"),
        ("samples.ttbar8.beams", "dump400", r"ttbar8\.beams: .* wants two beams: energy_gev"),
        ("beams.pp8.pdf", "nnpdf23l", r"beams\.pp8\.pdf: .* 'nnpdf23l'; did you mean 'nnpdf23lo'"),
        ("beams.pp14.pdf", "cteq6l1", r"samples\.hh: our matrix elements cannot read 'cteq6l1'"),
        ("mixtures.higgs8.samples", ["ttbar", "hh"], r"mixtures\.higgs8\.samples: 'ttbar' is not"),
        ("mixtures.higgs8.samples", ["ttbar8", "hh"], r"different kinds: diphoton, semileptonic"),
        ("mixtures.higgs8.labels", [0], r"mixtures\.higgs8\.labels: there are 1 for 2 samples"),
        ("mixtures.higgs8.labels", None, r"mixtures\.higgs8: units uci need labels"),
        (
            "mixtures.sm13.units",
            "uci",
            r"mixtures\.sm13: units uci are for samples of a selection",
        ),
        ("simulation.select", ["bba"], r"simulation\.select: 'bba' .* did you mean 'bbaa'"),
        ("simulation.mixture", "sm14", r"simulation\.mixture: 'sm14' is not defined in mixtures"),
        (
            "simulation.benchmark.mixture",
            "sm13",
            r"benchmark\.mixture: 'sm13' must not have units",
        ),
        ("simulation.benchmark.mixture", "higs8", r"benchmark\.mixture: 'higs8' .* did you mean"),
        ("simulation.benchmark.reference", "hig", r"benchmark\.reference: 'hig' is not defined"),
        (
            "simulation.double_higgs.beams",
            "dump400",
            r"double_higgs\.beams: 'dump400' is no beams",
        ),
        ("simulation.double_higgs.pdf", "cteq6l1", r"double_higgs\.pdf: 'cteq6l1' is none of nnp"),
        ("datasets.higgsgenerated.mixture", "sm13", r"'sm13' must have units uci or scaled"),
        ("datasets.higgsgenerated.url", "https://a.org/x", r"\.url: generated events have no use"),
        ("detectors.cms.btags.medium", {}, r"detectors\.cms\.btags: unknown key 'medium'"),
    ],
)
def test_mistakes_are_named(path, value, message):
    with pytest.raises(InvalidConfig, match=message):
        check(changed(path, value))


def test_shipped_detectors_can_be_built():
    for detector in DEFAULTS["detectors"].values():
        detector_settings(detector)


def test_a_sample_does_not_depend_on_its_size():
    more = changed("samples.bbaa.chunks", 7)
    for config in (DEFAULTS, more):
        settings = simulation.sample_settings(config, "bbaa")
        assert settings == simulation.sample_settings(DEFAULTS, "bbaa")
        assert settings["detector"] == DEFAULTS["detectors"]["hllhc"]
        assert settings["beams"]["energy_gev"] == 14000
    assert simulation.chunk_files(more, "bbaa", "json")[-1].endswith("bbaa/chunks/6.json")


def test_chunks_share_out_all_blocks():
    n_blocks = DEFAULTS["samples"]["ttbar8"]["blocks"]
    assert simulation.chunk_blocks(DEFAULTS, "ttbar8", 0) == [0, n_blocks]
    assert simulation.chunk_blocks(DEFAULTS, "ttbar8", "1") == [n_blocks, 2 * n_blocks]


def test_needed_files():
    assert simulation.process_file(DEFAULTS, "hh") == ["<results>/generators/form_factors.parquet"]
    assert simulation.process_file(DEFAULTS, "bbaa") == [
        "<results>/generators/bbaa/phase_space.parquet"
    ]
    assert simulation.process_file(DEFAULTS, "qcd13") == []
    assert simulation.jet_scale_file(DEFAULTS, "bmesons") == []
    assert simulation.jet_scale_file(DEFAULTS, "hh") == [
        "<results>/generators/jet_scale/hllhc/pp14.parquet"
    ]


def test_names_of_samples_as_a_pattern():
    generated = re.compile(simulation.names_of(DEFAULTS))
    assert all(generated.fullmatch(name) for name in DEFAULTS["samples"])
    assert re.fullmatch(simulation.names_of(DEFAULTS, simulation.TREE), "bbaa")
    assert not re.match(simulation.names_of(DEFAULTS, simulation.FILES), "bbaa")


def test_figures_without_samples_are_left_out():
    config = changed("simulation.select", ["bbaa"])
    assert set(FIGURES["simulation"]) - set(figures_of(config, "simulation")) == {"b_mesons"}
    assert figures_of(DEFAULTS, "simulation") == FIGURES["simulation"]
