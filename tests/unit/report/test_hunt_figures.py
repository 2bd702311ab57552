"""Which figures and headlines of bump hunts a report shows."""

from copy import deepcopy
from pathlib import Path

from bumpflow import io
from bumpflow.report.figures import FIGURES, caption_of, each_figure, figures_of
from bumpflow.report.labels import ANALYSES, MEASURES, NOTES, SUBJECTS
from bumpflow.report.tables import headline_tables
from bumpflow.summary import Quantity

ROOT = Path(__file__).parents[3]
DEFAULTS = io.read_yaml(ROOT / "config" / "config.yaml")


def study(**changed):
    config = deepcopy(DEFAULTS) | {"analyses": ["ddp"], "scan": changed.pop("scan", None)}
    config["ddp"] |= changed
    return config


def test_every_scanned_spectrum_has_a_figure():
    config = study(histograms=["hyy", "z"], scan="data/Mine.csv", hunter="mynet")
    names = figures_of(config, "ddp")
    assert names[:4] == ["scan_hyy", "scan_z", "scan_mine", "hunt_ranking"]
    assert names[3:] == FIGURES["ddp"][1:]
    config["scan"] = "data/*.csv"
    assert figures_of(config, "ddp")[:3] == ["scan_hyy", "scan_z", "hunt_ranking"]
    paths = each_figure(config, "{analysis}/{dataset}/{name}.png")
    assert paths[0] == "ddp/mynet/scan_hyy.png"


def test_scanned_spectra_share_a_caption():
    config = study(histograms=["hyy", "dijet"])
    captions = each_figure(config, "rules/captions/{caption}.rst")
    assert captions[0] == captions[1] == "rules/captions/scan_histogram.rst"
    assert all((ROOT / path).exists() for path in captions)
    assert len(set(captions)) == len(captions) - 1
    for analysis in set(FIGURES) - {"ddp"}:
        assert [caption_of(analysis, name) for name in FIGURES[analysis]] == FIGURES[analysis]


def test_headlines_hold_what_is_measured():
    quantities = [
        Quantity("ddp.task2022.spread", 0.42, 0.01),
        Quantity("ddp.task2022.auc", 0.86, 0.01),
        Quantity("ddp.interval.coverage68", 0.68, 0.01),
        Quantity("ddp.global_p.in_family.ks_p", 0.3),
        Quantity("ddp.hyy.mass", 127.0, 1.0, unit="GeV"),
        Quantity("ddp.histograms_per_s", 2000.0),
    ]
    tables = {table.title: table for table in headline_tables("ddp", quantities)}
    assert set(tables) == set(ANALYSES["ddp"].tables)
    assert tables["Real spectra"].columns == ["at the mass [GeV]"]
    assert tables["Uniformity of global p-values"].rows[0][0] == "p of the test"


def test_all_measures_and_subjects_have_names():
    measures = {name for names in ANALYSES["ddp"].tables.values() for name in names}
    assert measures <= set(MEASURES)
    assert {*DEFAULTS["ddp"]["histograms"], *DEFAULTS["ddp"]["tests"]} <= set(SUBJECTS)
    assert set(NOTES) & set(ANALYSES["ddp"].tables)
