"""What figures of ALP hunts compute, and that the report knows all of them."""

import re
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bumpflow import io
from bumpflow.compatibility import coverage, hunting, settings
from bumpflow.compatibility.scorecard import REJECTIONS, SENSITIVITIES
from bumpflow.plotting import alp_features, alp_hunts, alp_inference, alp_posteriors
from bumpflow.plotting.alp_sensitivity import gain_of, map_of
from bumpflow.plotting.names import HUNTS, PHOTONS, POSTERIORS, benchmark_styles, hunt_label
from bumpflow.report.figures import FIGURES, each_figure, figures_of
from bumpflow.report.labels import subject_of
from bumpflow.simulate.alps.features import FEATURES

ROOT = Path(__file__).parents[3]
DEFAULTS = io.read_yaml(ROOT / "config" / "config.yaml")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_default_study_has_all_figures():
    config = DEFAULTS | {"analyses": ["alp"]}
    assert figures_of(config, "alp") == FIGURES["alp"]
    paths = each_figure(config, "{analysis}/{dataset}/{name}.png")
    assert paths[0] == "alp/ship/alp_features.png"


def test_without_observed_events_their_figure_is_left_out():
    config = deepcopy(DEFAULTS)
    config["alp"]["observed"] = {}
    assert set(FIGURES["alp"]) - set(figures_of(config, "alp")) == {"alp_observed"}


def test_every_figure_has_a_caption_and_a_rule():
    rules = (ROOT / "rules" / "alp_figures.smk").read_text(encoding="utf-8")
    made = re.findall(r'figure_files\("alp", "(\w+)"\)', rules)
    assert sorted(made) == sorted(FIGURES["alp"])
    for name in FIGURES["alp"]:
        caption = (ROOT / "rules" / "captions" / f"{name}.rst").read_text(encoding="utf-8")
        title, blank, text = caption.split("\n", 2)
        assert title
        assert not blank
        assert len(text) > 100, name


def test_hunts_have_names_and_colours_of_their_own():
    known = {
        getattr(hunting, name)
        for name in ("EPO", "BUMP", "FAIR", "MOVING", "LR", "LR_SHAPE", "LR_MAX")
    }
    assert set(HUNTS) == known | set(settings.ARCHITECTURES)
    for styles in (HUNTS, POSTERIORS, benchmark_styles(DEFAULTS["alp"]["benchmarks"])):
        for field in ("label", "color", "marker"):
            assert len({getattr(style, field) for style in styles.values()}) == len(styles)
    assert set(alp_inference.KINDS) == set(coverage.KINDS)


def test_hunts_with_bins_say_how_many():
    assert hunt_label("bump11") == "bump hunt, 11 bins"
    assert hunt_label("lr") == "likelihood ratio"
    assert hunt_label("other") == "other"


def test_many_benchmarks_are_drawn():
    styles = benchmark_styles({f"b{i}": {"mass_gev": 0.5 * i} for i in range(7)})
    assert styles["b3"].label == "$m_a$ = 1.5 GeV"
    assert styles["b0"][1:] == styles["b5"][1:]


def test_headlines_call_quantities_by_name():
    assert subject_of("epoconv.z.m0p2.b2s4") == "EPO, network, Z, 0.2 GeV, 2 background, 4 signal"
    for key in ("bump.auc.m1", "lr.type_one5.b6", "posterior.sigma.published"):
        assert subject_of(key) != key


def test_photons_are_described_in_their_units(rng):
    n = 50
    energy = rng.uniform(1, 100, (2, n))
    theta, phi = rng.uniform(0.001, 0.1, (2, n)), rng.uniform(-np.pi, np.pi, (2, n))
    hit = rng.uniform(-2, 2, (2, 2, n))
    values = [*np.log(energy), *hit[0], *hit[1], *np.log(theta), *phi]
    table = pd.DataFrame(dict(zip(FEATURES, values, strict=True)))
    found = alp_features.describe_photons(table)
    assert list(found) == list(PHOTONS)
    direction = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    momentum = (energy * direction).sum(1)
    squared = energy.sum(0) ** 2 - (momentum**2).sum(0)
    assert 10 ** found["log10_m_gg"].to_numpy() == pytest.approx(np.sqrt(squared), rel=1e-6)
    assert found["e2"].to_numpy() == pytest.approx(energy[1])
    assert found["theta1"].to_numpy() == pytest.approx(1000 * theta[0])
    assert found["distance"].to_numpy() == pytest.approx(np.linalg.norm(hit[0] - hit[1], axis=0))


def test_quantiles_are_those_of_each_bin(rng):
    mass = np.repeat([0.1, 0.9, -0.5], [400, 100, alp_posteriors.FEWEST - 1])
    values = rng.normal(size=len(mass))
    found = alp_posteriors.quantiles_by_mass(mass, values, np.array([-1.0, 0.0, 0.5, 1.0]))
    assert found["mass"].to_numpy() == pytest.approx(10 ** np.array([0.25, 0.75]))
    assert found["n"].tolist() == [400, 100]
    for row, part in zip(found.itertuples(), (values[:400], values[400:500]), strict=True):
        expected = np.quantile(part, [0.16, 0.5, 0.84])
        assert [row.low, row.median, row.high] == pytest.approx(expected)


def test_diphoton_spread_is_the_resolution_of_the_mass(rng):
    n = 4000
    truth = rng.uniform(-1, 0.6, n)
    mass = 10 ** (truth + rng.normal(0.3, 0.08, n))  # of photons with a small angle between them
    angle = mass / 50.0
    table = pd.DataFrame(dict.fromkeys(FEATURES, 0.0), index=range(n))
    table = table.assign(ln_e1=np.log(50.0), ln_e2=np.log(50.0), log10_mass=truth)
    table = table.assign(ln_theta1=np.log(0.05), ln_theta2=np.log(0.05 + angle))
    found = alp_posteriors.diphoton_spread(table, np.linspace(-1, 0.6, 5))
    assert found["spread"].to_numpy() == pytest.approx(np.full(4, 0.08), rel=0.12)


def test_errors_of_ensembles_cover_the_spread_of_members():
    rows = [(-1, 0.9, 0.01), (0, 0.85, 0.01), (1, 0.95, 0.01)]
    table = pd.DataFrame(rows, columns=["member", "auc", "auc_error"])
    table = table.assign(benchmark="m1", hunt="eco")
    alone = pd.DataFrame({"member": [-1], "auc": 0.8, "auc_error": 0.02})
    table = pd.concat([table, alone.assign(benchmark="m1", hunt="epo")], ignore_index=True)
    for measure in ("rejection80", "rejection90"):
        table = table.assign(**{measure: 5.0, f"{measure}_error": 0.3})
    found = alp_hunts.ensemble_rows(table)
    assert found["m1", "eco"]["auc"] == 0.9
    assert found["m1", "eco"]["auc_error"] == pytest.approx(np.std([0.85, 0.95], ddof=1))
    assert found["m1", "eco"]["rejection80_error"] == 0.3
    assert found["m1", "epo"]["auc_error"] == 0.02


def test_published_numbers_are_those_of_their_hunt():
    published = REJECTIONS["poor", "epo"][2][:2]
    assert alp_hunts.published_rejections("poor", "m4", "epoconv") == published
    assert alp_hunts.published_rejections("poor", "m4", "epo") == ()
    assert alp_hunts.published_rejections("mine", "m4", "eco") == ()
    assert alp_hunts.published_rejections("poor", "mine", "eco") == ()
    found = alp_hunts.published_z("good", "m1", "eco", (6.0, 4.0))
    assert found == SENSITIVITIES["good", "eco"][1][1] == 2.00
    assert alp_hunts.published_z("good", "m1", "eco", (6.0, 3.0)) is None
    assert alp_hunts.published_z("good", "m1", "lr", (6.0, 4.0)) is None


def test_gains_are_differences_at_the_same_rates():
    rows = [
        (benchmark, hunt, mu_b, mu_s, z + mu_s - mu_b, 0.03 * z)
        for benchmark, shift in (("m1", 0.0), ("m4", 5.0))
        for hunt, z in (("bump", 1.0), ("eco", 1.5 + shift))
        for mu_b, mu_s in ((1, 2), (2, 2), (2, 4), (1, 4))
    ]
    columns = ["benchmark", "hunt", "mu_b", "mu_s", "z", "z_error"]
    maps = pd.DataFrame(rows, columns=columns)
    table, error = map_of(maps, "m1", "eco")
    assert table.loc[4, 1] == 4.5
    assert error == pytest.approx(0.045)
    gain, error = gain_of(maps, "m1", "eco")
    assert gain.to_numpy() == pytest.approx(np.full((2, 2), 0.5))
    assert error == pytest.approx(np.hypot(0.03, 0.045))
