"""What figures of the reconstruction compute, and that the report knows all of them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.stats import chi2

from bumpflow import io
from bumpflow.plotting import cinn_calibration, cinn_detectors, cinn_observed, cinn_posteriors
from bumpflow.plotting.names import PARAMETERS, RECONSTRUCTIONS, size_styles
from bumpflow.reconstruction import detectors
from bumpflow.reconstruction.support import Support
from bumpflow.reconstruction.tables import SHORT
from bumpflow.report.figures import FIGURES, each_figure, figures_of
from bumpflow.report.labels import ANALYSES, MEASURES, NOTES, subject_of
from bumpflow.report.tables import headline_tables
from bumpflow.simulate.alps.settings import Prior
from bumpflow.summary import Quantity

ROOT = Path(__file__).parents[3]
PRIOR = {"mass_gev": [0.1, 4.5], "lifetime_m": [0.1, 100]}
OUTER = np.sqrt(chi2.ppf(0.95, 2))
"""Half axis of the contour that holds 95 % of a Gaussian, in standard deviations."""


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def ax():
    return Figure().add_subplot()


def limits_of(centre, reach):
    """Return the range of each parameter, shape ``(2, 2)``."""
    return np.stack([centre - reach, centre + reach], axis=1)


@pytest.mark.parametrize(("observed", "missing"), [({"mine": {}}, set()), ({}, {"cinn_observed"})])
def test_observed_events_have_a_figure_if_there_are_any(observed, missing):
    found = figures_of({"cinn": {"observed": observed}}, "cinn")
    assert set(FIGURES["cinn"]) - set(found) == missing


def test_figures_are_those_of_the_reconstructed_beam_dump():
    config = io.read_yaml(ROOT / "config" / "config.yaml") | {"analyses": ["cinn"]}
    paths = each_figure(config, "{analysis}/{dataset}/{name}.png")
    assert paths[0] == "cinn/short/cinn_posteriors.png"


def test_every_figure_has_a_caption_and_a_rule():
    rules = (ROOT / "rules" / "cinn_figures.smk").read_text(encoding="utf-8")
    made = re.findall(r'figure_files\("cinn", "(\w+)"\)', rules)
    assert sorted(made) == sorted(FIGURES["cinn"])
    for name in FIGURES["cinn"]:
        caption = (ROOT / "rules" / "captions" / f"{name}.rst").read_text(encoding="utf-8")
        title, blank, text = caption.split("\n", 2)
        assert title
        assert not blank
        assert len(text) > 100, name


def test_methods_and_parameters_are_those_of_the_tables():
    known = ("DIPHOTON", "PRODUCT", "PUBLISHED", "AMORTISED", "SINGLE")
    assert set(RECONSTRUCTIONS) == {getattr(detectors, name) for name in known}
    assert list(PARAMETERS) == list(SHORT)


def test_methods_and_sizes_have_looks_of_their_own():
    for styles in (RECONSTRUCTIONS, size_styles([10, 1, 5, 3])):
        for field in ("label", "color", "marker"):
            assert len({getattr(style, field) for style in styles.values()}) == len(styles)
    assert list(size_styles([10, 1, 3])) == [1, 3, 10]
    assert size_styles([1, 3])[1].label == "1 event"
    assert size_styles(range(1, 8))[7].label == "7 events"


def test_headlines_call_quantities_by_name():
    names = ("slides.validation_loss", "slides.sigma_mass.published", "amortised.sharpness_ratio")
    names += ("amortised.sbc_p.mass", "amortised.tarp_max_deviation", "m1.spread_ratio_to_mgg")
    tables = headline_tables("cinn", [Quantity(f"cinn.{name}", 0.5) for name in names])
    assert [table.title for table in tables] == list(ANALYSES["cinn"].tables)
    assert {table.title for table in tables} <= set(NOTES)
    assert {name for names in ANALYSES["cinn"].tables.values() for name in names} <= set(MEASURES)
    rows = [subject for table in tables for subject, _ in table.rows]
    assert rows == [
        "all detectors",
        "as published",
        "all detectors",
        "all detectors, mass",
        "1 GeV",
    ]
    assert subject_of("amortised.lifetime") == "all detectors, lifetime"


def test_corners_enclose_the_prior(rng):
    corners = cinn_posteriors.prior_corners(PRIOR)
    expected = [[0.1, 1], [4.5, 0.1 / 4.5], [4.5, 100 / 4.5], [0.1, 1000]]
    assert 10**corners == pytest.approx(np.array(expected))
    drawn = Prior(**PRIOR).sample(20_000, rng)
    assert cinn_posteriors.prior_widths(PRIOR) == pytest.approx(drawn.std(0), rel=0.02)


def test_contours_hold_their_share_of_a_density_on_a_sheared_grid(ax):
    mass, lifetime = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(-2, 2, 161), indexing="ij")
    lifetime = lifetime - mass
    density = np.exp(-0.5 * (mass**2 / 0.1**2 + (lifetime - 0.3) ** 2 / 0.4**2))
    columns = {"log10_mass": mass, "log10_lifetime": lifetime, "density": density}
    table = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    region = cinn_posteriors.region_of(table.sample(frac=1, random_state=1))
    assert region.density == pytest.approx(density)
    reach = OUTER * np.array([0.1, 0.4])
    assert region.limits == pytest.approx(limits_of([0, 0.3], reach), abs=0.03)
    cinn_posteriors.draw_region(ax, region=region, color="#bd1f01")
    outer = ax.collections[-1].get_paths()[0].vertices
    assert np.log10(outer[:, 0]).max() == pytest.approx(reach[0], abs=0.01)


def test_a_posterior_in_one_point_can_be_drawn(ax):
    table = pd.DataFrame({"log10_mass": [0.0, 0, 1, 1], "log10_lifetime": [0.0, 1, 0, 1]})
    region = cinn_posteriors.region_of(table.assign(density=[0.0, 0, 1, 0]))
    assert region.levels.tolist() == [1]
    cinn_posteriors.draw_region(ax, region=region, color="#bd1f01")
    cinn_posteriors.finish_plane(ax, cinn_posteriors.joint_limits([region]))
    low, high = ax.get_xlim()
    assert low < 10 < high


def draws_of(log10_mass, log10_lifetime):
    return pd.DataFrame({"log10_mass": log10_mass, "log10_lifetime": log10_lifetime})


def test_draws_give_the_contours_of_their_density(rng):
    spread = np.array([0.02, 0.2])
    x = rng.normal([0.1, 0.5], spread, (40_000, 2))
    region = cinn_observed.region_of_draws(draws_of(*x.T), Support.of(Prior(**PRIOR)))
    off = region.limits - limits_of(np.array([0.1, 0.5]), OUTER * spread)
    assert off / spread[:, None] == pytest.approx(np.zeros((2, 2)), abs=0.3)


def test_contours_of_draws_end_where_the_prior_does(rng):
    mass, length = rng.normal(-0.2, 0.1, 40_000), rng.uniform(-1, 2, 40_000)
    region = cinn_observed.region_of_draws(
        draws_of(mass, length - mass), Support.of(Prior(**PRIOR))
    )
    inside = region.density >= region.levels[0]
    found = (region.log10_mass + region.log10_lifetime)[inside]
    assert found.min() == pytest.approx(-1, abs=0.06)
    assert found.max() == pytest.approx(2, abs=0.06)
    assert found.min() > -1
    assert found.max() < 2
    along = region.density.sum(0)
    assert along[[0, -1]] == pytest.approx(along.mean(), rel=0.1)  # flat up to the edge


def test_densities_of_one_parameter_are_relative_to_their_peak(rng):
    x, y = cinn_observed.marginal_of(rng.normal(1, 0.1, 50_000))
    assert x[y.argmax()] == pytest.approx(1, abs=0.03)
    assert y.max() == 1
    assert np.interp(1.1, x, y) == pytest.approx(np.exp(-0.5), abs=0.05)
    x, y = cinn_observed.marginal_of(rng.uniform(2, 3, 50_000))
    assert x[[0, -1]] == pytest.approx([2, 3], abs=1e-3)
    assert y[[0, -1]].tolist() == [0, 0]
    assert y[1:-1] == pytest.approx(0.95, abs=0.1)


def test_sets_are_described_by_size_mass_and_trust():
    ends = {"median": 0.0, "low68": np.log10(0.9), "high68": np.log10(1.2)}
    row = {f"log10_mass_{name}": value for name, value in ends.items()}
    row |= {"set": "run 2", "n_events": 1, "outside": ""}
    text = cinn_observed.describe_set(row)
    assert text == r"set run 2: 1 event, $1.00^{+0.20}_{-0.10}$ GeV"
    worse = cinn_observed.describe_set(row | {"n_events": 12, "outside": "12 events"})
    assert worse == text.replace("1 event", "12 events") + ", outside of the training"


def test_ranges_of_masses_hold_as_many_sets_each(rng):
    mass = rng.permutation(np.linspace(-1, 0.5, 300))
    table, styles = cinn_posteriors.mass_ranges(pd.DataFrame({"log10_mass": mass}))
    found = table.groupby("range")["log10_mass"].agg(["min", "max", "size"])
    assert found["size"].tolist() == [100, 100, 100]
    assert found["max"].to_numpy() == pytest.approx([-0.5, 0, 0.5], abs=0.01)
    assert styles["1"].label == "$m_a$ = 0.32 to 1 GeV"


def test_few_sets_have_no_median(ax):
    table = pd.DataFrame({"log10_lifetime": [0.0, 1], "sigma_mass": 0.1, "range": "0"})
    style = cinn_posteriors.mass_ranges(pd.DataFrame({"log10_mass": [0.0, 1]}))[1]
    cinn_posteriors.draw_roles(ax, table=table, parameter="mass", ranges=style)
    assert all(len(line.get_xdata()) == 0 for line in ax.lines)


def test_detectors_of_one_energy_resolution_are_a_group():
    rows = [(e, a) for a in (0.01, 0.001) for e in (0.1, 0.01)] * 2
    found = cinn_detectors.place_detectors(pd.DataFrame(rows, columns=["energy", "angle_rad"]))
    assert found[["energy", "angle_rad"]].to_numpy().tolist() == [
        [0.01, 0.001],
        [0.01, 0.01],
        [0.1, 0.001],
        [0.1, 0.01],
    ]
    assert found["group"].tolist() == [0, 0, 1, 1]
    assert np.diff(found["x"]) == pytest.approx([1, 1 + cinn_detectors.GAP, 1])


def test_ratios_of_set_ups_are_of_the_same_detector(rng):
    keys = {"energy": [0.1, 0.01], "angle_rad": 0.01, "group": [1, 0], "x": [1.8, 0.0]}
    first = pd.DataFrame(keys | {"dataset": "a", "spread": [0.4, 0.1], "spread_error": 0.01})
    second = first.assign(dataset="b", spread=[0.2, 0.09]).iloc[::-1]
    table = pd.concat([first, second])
    found = cinn_detectors.ratio_of(table, "spread", ["a", "b"]).sort_values("x")
    assert found["ratio"].to_numpy() == pytest.approx([0.9, 0.5])
    toys = rng.normal(0.09, 0.01, 100_000) / rng.normal(0.1, 0.01, 100_000)
    assert found["ratio_error"].iloc[0] == pytest.approx(toys.std(), rel=0.05)
    alone = cinn_detectors.ratio_of(first, "spread", ["a", "b"])
    assert alone.empty


def make_diagnosis(rng, *, pit):
    table = pd.DataFrame({"pit": pit, "std": rng.uniform(0.1, 0.2, len(pit)), "level": pit})
    return pd.concat(
        [table.assign(n_events=n, parameter=name) for n in (1, 3) for name in PARAMETERS]
    )


def test_uniform_ranks_are_told_from_others(rng):
    good = make_diagnosis(rng, pit=(np.arange(2000) + 0.5) / 2000)
    p = cinn_calibration.rank_p_values(good)
    assert p == {(name, n): pytest.approx(1) for n in (1, 3) for name in PARAMETERS}
    bad = good["parameter"] == "lifetime"
    good.loc[bad, "pit"] = good.loc[bad, "pit"] ** 2
    p = cinn_calibration.rank_p_values(good)
    assert p["lifetime", 3] < 1e-6
    assert p["mass", 3] == pytest.approx(1)


def test_coverage_and_widths_count_each_set_once(rng):
    table = make_diagnosis(rng, pit=(np.arange(100) + 0.5) / 100)
    curves = cinn_calibration.density_curves(table)
    assert curves.groupby("n_events")["n"].unique().tolist() == [[100], [100]]
    assert curves["empirical"].to_numpy() == pytest.approx(curves["expected"].to_numpy())
    table.loc[table["parameter"] == "mass", "std"] *= 10
    found = cinn_calibration.width_table(table, "lifetime")
    mine = table[(table["parameter"] == "lifetime") & (table["n_events"] == 1)]["std"]
    assert found["width"].iloc[0] == pytest.approx(mine.mean())
    assert found["error"].iloc[0] == pytest.approx(mine.std(ddof=1) / 10)
