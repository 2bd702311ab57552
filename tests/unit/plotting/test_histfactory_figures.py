"""Figures of the search: that what is drawn is what was given, and failed fits are not."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bumpflow.plotting import fits, reweighting, scans, selection, toys
from bumpflow.plotting.histograms import count_features, measure_densities
from bumpflow.plotting.names import ARMS, SIGNAL, feature_ranges, feature_style

THREE = {arm: ARMS[arm] for arm in ("mc", "surrogate", "reweighted")}
LUMINOSITIES, SIZES = [10.0, 100.0, 1000.0], [1000, 10_000, 100_000]
SHIFT = {"mc": 0.0, "surrogate": 0.2, "reweighted": 0.1}


@pytest.fixture
def figure():
    return Figure(figsize=(9, 6))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def fit_row(scan, arm, systematic, luminosity, n_generated):
    """Return a fit whose numbers tell where it belongs."""
    limit = 1 + SHIFT[arm] + systematic
    band = {f"limit_{name}": limit * factor for name, factor in zip(
        ("m2", "m1", "0", "p1", "p2"), (0.5, 0.7, 1.0, 1.4, 2.0), strict=True
    )}  # fmt: skip
    return {
        "scan": scan,
        "arm": arm,
        "systematic": systematic,
        "luminosity_fb": luminosity,
        "n_generated": n_generated,
        "mu_hat": 1 + SHIFT[arm],
        "mu_uncertainty": 0.3,
        "mu_mc_uncertainty": 0.4,
        "spurious": -SHIFT[arm],
        "spurious_mc_uncertainty": 0.35,
        "stat_uncertainty": 0.5,
        "z0": SHIFT[arm] * np.log10(luminosity),
        "limit_observed": limit,
        **band,
        "status": "converged",
    }


@pytest.fixture
def table():
    """Return scans in shuffled order; the surrogate's fits at the middle points failed."""
    rows = [
        fit_row(scan, arm, systematic, *point)
        for scan, points in {
            "luminosity": [(x, SIZES[-1]) for x in LUMINOSITIES],
            "generated": [(LUMINOSITIES[0], n) for n in SIZES],
        }.items()
        for arm in THREE
        for systematic in (0.1, 0.2)
        for point in points
    ]
    table = pd.DataFrame(rows).sample(frac=1, random_state=0)
    middle = (table["luminosity_fb"] == 100) | (table["n_generated"] == 10_000)
    failed = middle & (table["arm"] == "surrogate")
    numbers = table.columns.difference(
        ["scan", "arm", "systematic", "luminosity_fb", "n_generated", "status"]
    )
    table.loc[failed, numbers] = np.nan
    table.loc[failed, "status"] = "failed: no minimum"
    return table


def lines_of(ax, style):
    """Return the lines with markers that an arm drew."""
    return [
        line
        for line in ax.lines
        if to_hex(line.get_color()) == style.color and line.get_marker() == style.marker
    ]


def test_arms_can_be_told_apart():
    assert len({style.color for style in ARMS.values()} | {SIGNAL.color}) == len(ARMS) + 1
    assert len({style.marker for style in ARMS.values()}) == len(ARMS)
    assert feature_style("score").label == "classifier score"
    assert feature_ranges(["score"]).tolist() == [[0, 1]]


def test_weighted_densities_are_those_of_numpy(rng):
    x, weights = rng.normal(size=(500, 2)), rng.uniform(0.2, 3, 500)
    ranges = np.array([[-2.0, 2.0], [-1.0, 3.0]])
    found = measure_densities(x, ranges, 9, weights=weights)
    for index, (column, limits) in enumerate(zip(x.T, ranges, strict=True)):
        width, total = (limits[1] - limits[0]) / 9, weights.sum()
        value, _ = np.histogram(column, bins=9, range=limits, weights=weights)
        square, _ = np.histogram(column, bins=9, range=limits, weights=weights**2)
        assert found.values[index] == pytest.approx(value / width / total)
        assert found.variances[index] == pytest.approx(square / (width * total) ** 2)


def test_weights_of_one_change_nothing(rng):
    x, ranges = rng.normal(size=(300, 2)), np.array([[-2.0, 2.0], [-1.0, 3.0]])
    assert count_features(x, ranges, 5).dtype == np.int64
    for one, other in zip(
        measure_densities(x, ranges, 5),
        measure_densities(x, ranges, 5, weights=np.ones(300)),
        strict=True,
    ):
        assert one == pytest.approx(other)


def test_selected_events_are_those_above_the_cut(rng):
    events = pd.DataFrame(
        {"m_bb": rng.uniform(0, 5, 400), "score": rng.uniform(size=400), "weight": 2.0}
    )
    events.loc[events["m_bb"] > 2, "weight"] = 0.5
    ranges = feature_ranges(["m_bb"])
    pieces = iter([events[:150], events[150:]])
    found = selection.selected_densities(pieces, ["m_bb"], ranges, cut=0.5, n_bins=10)
    kept = events[events["score"] >= 0.5]
    x = kept[["m_bb"]].to_numpy()
    plain = measure_densities(x, ranges, 10)
    weighted = measure_densities(x, ranges, 10, weights=kept["weight"].to_numpy())
    assert found["surrogate"].values == pytest.approx(plain.values)
    assert found["surrogate"].variances == pytest.approx(plain.variances)
    assert found["reweighted"].values == pytest.approx(weighted.values)
    assert found["reweighted"].variances == pytest.approx(weighted.variances)
    assert weighted.values[0, 0] > 1.2 * plain.values[0, 0]


def test_roc_page_marks_the_cut(figure, rng):
    background, signal = rng.beta(2, 3, 3000), rng.beta(3, 2, 2000)
    selection.draw_roc_page(
        figure, background=background, signal=signal, generated=background**1.1, cut=0.55,
        styles=ARMS,
    )  # fmt: skip
    left, right = figure.axes
    (star,) = [line for line in left.lines if line.get_marker() == "*"]
    assert star.get_xydata()[0] == pytest.approx(
        [np.mean(background >= 0.55), np.mean(signal >= 0.55)]
    )
    pairs = np.mean(signal[:, None] > background)
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels[0].startswith(f"Monte Carlo: {pairs:.4f} ± ")
    assert labels[1].startswith("surrogate: ")
    mc, generated = right.lines[:2]
    assert mc.get_ydata() == pytest.approx(1)
    assert generated.get_ydata()[50] < 0.95  # x**1.1 lowers scores


def test_efficiency_is_the_share_at_or_above_the_cut():
    scores = np.array([0.1, 0.2, 0.2, 0.9])
    assert selection.efficiencies(scores, np.array([0.0, 0.2, 0.5, 1.0])).tolist() == [
        1, 0.75, 0.25, 0,
    ]  # fmt: skip


def test_score_page_draws_weights_and_the_cut(figure, rng):
    generated, weights = rng.uniform(size=500), rng.uniform(0.5, 1.5, 500)
    selection.draw_score_page(
        figure,
        background=rng.uniform(size=800),
        signal=rng.beta(3, 1, 600),
        generated=generated,
        weights=weights,
        cut=0.55,
        n_bins=10,
        styles=ARMS,
    )
    upper, lower = figure.axes
    drawn = {to_hex(patch.get_edgecolor()): patch.get_data().values for patch in upper.patches}
    expected, _ = np.histogram(generated, bins=10, range=(0, 1), weights=weights)
    assert drawn[ARMS["reweighted"].color] == pytest.approx(10 * expected / weights.sum())
    assert SIGNAL.color in drawn
    assert all([0.55, 0.55] in [list(line.get_xdata()) for line in ax.lines] for ax in figure.axes)
    assert lower.get_xlabel() == "classifier score"


def template_rows(sample, values, n_generated):
    edges = np.linspace(0, 3, len(values) + 1)
    return pd.DataFrame(
        {
            "observable": "mbb",
            "sample": sample,
            "n_generated": n_generated,
            "bin": range(len(values)),
            "low": edges[:-1],
            "high": edges[1:],
            "value": values,
            "variance": np.square(values) / 100,
        }
    )


@pytest.fixture
def templates():
    parts = [
        template_rows("signal", [0.1, 0.4, 0.1], 500),
        template_rows("data", [0.2, 0.1, 0.05], 500),
        template_rows("mc", [0.2, 0.11, 0.05], 500),
        template_rows("surrogate", [9.0, 9.0, 9.0], 100),
        template_rows("surrogate", [0.22, 0.1, 0.06], 2000),
        template_rows("reweighted", [0.21, 0.1, 0.05], 2000),
    ]
    return pd.concat(parts).sample(frac=1, random_state=0)


def test_templates_become_yields_of_the_largest_sample(figure, templates):
    fits.draw_template_page(
        figure,
        templates=templates,
        events={"background": 1000.0, "signal": 50.0},
        observables={"mbb": feature_style("m_bb")},
        styles=THREE,
        title="10 fb",
    )
    upper, lower = figure.axes
    drawn = [patch.get_data().values.tolist() for patch in upper.patches]
    assert drawn[0] == pytest.approx([200, 110, 50])
    assert drawn[1] == pytest.approx([220, 100, 60])
    assert drawn[3] == pytest.approx([5, 20, 5])
    points, _, (bars,) = upper.containers[0].lines
    assert points.get_ydata() == pytest.approx([200, 100, 50])
    assert bars.get_segments()[0][:, 1] == pytest.approx([180, 220])
    ratios = [patch.get_data().values for patch in lower.patches]
    assert ratios[1] == pytest.approx([1.1, 1.0, 1.2])
    assert (upper.get_ylabel(), lower.get_xlabel()) == ("events / bin", "$m_{bb}$ [mean = 1]")
    low, high = lower.get_ylim()
    assert low < 0.9
    assert high > 1.2


def test_a_missing_template_is_named(templates):
    with pytest.raises(ValueError, match="'control': there are data, mc"):
        fits.template_yields(templates, "control", 1.0)


@pytest.fixture
def fit():
    stage = {"signal": [5.0, 10.0], "background": [100.0, 80.0], "uncertainty": [21.0, 9.0]}
    return {
        "mu": 0.9,
        "mu_uncertainty": 0.25,
        "status": "converged",
        "edges": [0.55, 0.7, 0.95],
        "observed": [105.0, 99.0],
        "prefit": stage,
        "postfit": stage | {"signal": [4.5, 9.0]},
    }


def test_fit_page_stacks_signal_on_background(figure, fit):
    failed = fit | {"mu": None, "mu_uncertainty": None, "status": "failed: x", "postfit": None}
    styles = {arm: ARMS[arm] for arm in ("mc", "surrogate")}
    fits.draw_fit_page(
        figure,
        fits={"score": {"mc": fit, "surrogate": failed}},
        observables={"score": feature_style("score")},
        styles=styles,
    )
    assert len(figure.axes) == 8
    before, after, _, nothing = figure.axes[:4]
    background, total = (patch.get_data() for patch in before.patches)
    assert background.values.tolist() == [100, 80]
    assert total.values.tolist() == [105, 90]
    assert total.baseline.tolist() == [100, 80]
    assert after.patches[1].get_data().values.tolist() == [104.5, 89]
    assert after.texts[0].get_text() == r"$\hat{\mu}$ = 0.90 ± 0.25"
    assert nothing.texts[0].get_text() == "fit failed"
    assert not nothing.containers
    assert not nothing.patches
    ratio = figure.axes[4]
    assert ratio.containers[0].lines[0].get_ydata() == pytest.approx([1, 1.1])
    assert ratio.get_ylim()[0] < 0.8
    assert before.get_title() == "Monte Carlo, pre-fit"
    assert {ax.get_xlim() for ax in figure.axes[:3]} == {(0.55, 0.95)}


def test_nuisances_are_ranked_by_impact(figure):
    table = pd.DataFrame(
        {
            "kind": ["stat", "shape", "variation", "shape"],
            "number": [0, 1, 2, 3],
            "pull": [0.1, -0.5, 0.3, np.nan],
            "uncertainty": [0.02, 0.05, 0.5, 0.1],
            "prefit_uncertainty": [0.02, 0.1, 1.0, 0.1],
            "impact_up": [0.1, -0.3, 0.01, np.nan],
            "impact_down": [-0.1, 0.2, -0.4, np.nan],
        }
    )
    assert fits.rank_nuisances(table, 9)["number"].tolist() == [2, 1, 0]
    fits.draw_nuisance_page(figure, tables={"score": table}, style=ARMS["mc"], n_shown=2)
    left, right = figure.axes
    labels = [text.get_text() for text in left.get_yticklabels()]
    assert labels == ["surrogate, mode 2", "systematic, bin 1"]
    points, _, (bars,) = left.containers[0].lines
    assert points.get_xydata().tolist() == [[0.3, 0], [-0.5, 1]]
    assert bars.get_segments()[1][:, 0] == pytest.approx([-1, 0])
    assert [bar.get_width() for bar in right.patches] == [0.01, -0.3, -0.4, 0.2]
    assert right.get_xlim()[1] > 0.4


def test_failed_fits_are_missing_and_not_zero(table):
    rows = scans.pick_arm(table, "surrogate", scan="luminosity", systematic=0.1)
    assert rows.index.tolist() == LUMINOSITIES
    assert np.isnan(rows["mu_hat"]).tolist() == [False, True, False]
    lost = table[~((table["arm"] == "surrogate") & (table["luminosity_fb"] == 1000.0))]
    rows = scans.pick_arm(lost, "surrogate", scan="luminosity", systematic=0.1)
    assert np.isnan(rows["z0"]).tolist() == [False, True, True]


def test_a_status_overrules_its_numbers(table):
    wrong = table.assign(status="failed: x")
    rows = scans.pick_arm(wrong, "mc", scan="luminosity", systematic=0.1)
    assert rows["mu_hat"].isna().all()


def test_one_fit_stands_for_all_sizes(table):
    one = table[(table["arm"] != "mc") | (table["n_generated"] == SIZES[-1])]
    rows = scans.pick_arm(one, "mc", scan="generated", systematic=0.2)
    assert rows.index.tolist() == SIZES
    assert rows["limit_observed"].tolist() == pytest.approx([1.2] * 3)


def test_an_unknown_arm_is_named(table):
    with pytest.raises(ValueError, match=r"'other' in scan 'generated' at systematic 0\.1"):
        scans.pick_arm(table, "other", scan="generated", systematic=0.1)


def test_signal_strength_has_two_uncertainties(figure, table):
    scans.draw_strength_page(figure, tables={"score": table}, styles=THREE, systematic=0.1)
    (ax,) = figure.axes
    total, inner = ax.containers[2:4]  # the surrogate's
    heights = [np.diff(line[:, 1])[0] for line in inner.lines[2][0].get_segments() if len(line)]
    assert heights == pytest.approx([0.6, 0.6])
    heights = [np.diff(line[:, 1])[0] for line in total.lines[2][0].get_segments() if len(line)]
    assert heights == pytest.approx([1.0, 1.0])
    x, y = np.asarray(inner.lines[0].get_xydata(), float).T
    assert np.isnan(y).tolist() == [False, True, False]
    assert y[0] == pytest.approx(1.2)
    assert x == pytest.approx(LUMINOSITIES)  # the arm in the middle stays in place
    assert ax.lines[0].get_ydata() == pytest.approx([1, 1])
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == r"luminosity [fb$^{-1}$]"


def test_dodged_points_stay_closer_than_their_neighbours():
    x = np.geomspace(10, 1000, 30)
    shifted = [scans.dodge(x, index, 3) for index in range(3)]
    assert (np.diff(shifted, axis=0) > 0).all()
    assert (shifted[2][:-1] < shifted[0][1:]).all()


def test_spurious_signal_is_in_statistical_uncertainties(figure, table):
    scans.draw_spurious_page(
        figure, tables={"score": table, "$m_{bb}$": table}, styles=THREE, systematic=0.2
    )
    assert len(figure.axes) == 4
    for ax, x in zip(figure.axes, [LUMINOSITIES, SIZES] * 2, strict=True):
        (line,) = lines_of(ax, ARMS["reweighted"])
        assert line.get_xdata() == pytest.approx(x)
        assert line.get_ydata() == pytest.approx([-0.2] * 3)
        (line,) = lines_of(ax, ARMS["surrogate"])
        assert line.get_ydata() == pytest.approx([-0.4, np.nan, -0.4], nan_ok=True)
        band = ax.collections[0].get_paths()[0].get_extents()
        assert (band.y0, band.y1) == pytest.approx((-0.7, 0.7))
        assert [line.get_ydata()[0] for line in ax.lines[:2]] == [-0.2, 0.2]
    assert figure.axes[2].get_title() == "$m_{bb}$, 20% systematic"


def test_significance_leaves_gaps(figure, table):
    scans.draw_significance_page(figure, tables={"score": table}, styles=THREE, systematic=0.1)
    left, right = figure.axes
    (line,) = lines_of(left, ARMS["surrogate"])
    assert line.get_ydata() == pytest.approx([0.2, np.nan, 0.6], nan_ok=True)
    (line,) = lines_of(right, ARMS["reweighted"])
    assert line.get_ydata() == pytest.approx([0.1] * 3)
    assert left.get_ylim()[1] > 1  # so that nothing looks like nothing
    assert left.get_ylabel() == r"significance $z_0$ [$\sigma$]"
    assert right.get_xlabel() == "number of generated events"


@pytest.mark.parametrize(("scan", "x"), [("luminosity", LUMINOSITIES), ("generated", SIZES)])
def test_limits_are_drawn_over_the_band_of_monte_carlo(figure, table, scan, x):
    scans.draw_limit_page(
        figure, tables={"score": table}, styles=THREE, systematics=[0.1, 0.2], scan=scan
    )
    for ax, limit in zip(figure.axes, (1.1, 1.2), strict=True):
        for band, factors in zip(ax.collections, ((0.5, 2.0), (0.7, 1.4)), strict=True):
            extent = band.get_paths()[0].get_extents()
            assert (extent.y0, extent.y1) == pytest.approx(tuple(limit * f for f in factors))
        (line,) = lines_of(ax, ARMS["mc"])
        assert line.get_xdata() == pytest.approx(x)
        assert line.get_ydata() == pytest.approx([limit] * 3)
        (line,) = lines_of(ax, ARMS["surrogate"])
        assert line.get_ydata() == pytest.approx([limit + 0.2, np.nan, limit + 0.2], nan_ok=True)
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert figure.axes[0].get_ylabel() == r"95 % CL$_s$ upper limit on $\mu$"


@pytest.mark.parametrize("page", [scans.draw_limit_page, scans.draw_difference_page])
def test_fits_that_all_failed_leave_empty_panels(figure, table, page):
    numbers = [name for name in table if name.startswith(("limit", "mu", "spurious", "z0"))]
    nothing = table.assign(status="failed: x", **dict.fromkeys(numbers, np.nan))
    scan = {"scan": "luminosity"} if page is scans.draw_limit_page else {}
    page(figure, tables={"score": nothing}, styles=THREE, systematics=[0.1], **scan)
    figure.canvas.draw()
    (ax,) = figure.axes
    drawn = [line.get_ydata() for line in lines_of(ax, ARMS["surrogate"])]
    assert np.isnan(drawn).all()


def test_differences_are_relative_to_monte_carlo(figure, table):
    scans.draw_difference_page(
        figure, tables={"score": table}, styles=THREE, systematics=[0.1, 0.2]
    )
    for ax, limit in zip(figure.axes, (1.1, 1.2), strict=True):
        assert not lines_of(ax, ARMS["mc"])
        (line,) = lines_of(ax, ARMS["reweighted"])
        assert line.get_ydata() == pytest.approx([0.1 / limit] * 3)
        (line,) = lines_of(ax, ARMS["surrogate"])
        drawn = pytest.approx([0.2 / limit, np.nan, 0.2 / limit], nan_ok=True)
        assert line.get_ydata() == drawn


def toy_result(arm, coverage):
    names = ("pull_mean", "pull_width", "coverage68", "coverage95", "bias_over_sigma")
    values = dict(zip(names, (0.1, 1.2, coverage, 0.9, 0.1), strict=True))
    errors = {f"{name}_uncertainty": 0.02 for name in names}
    return {"arm": arm, **values, **errors, "n_toys": 50, "n_failed": 2 * (arm == "mc")}


def test_toy_page_counts_failed_toys_and_draws_none_of_them(figure, rng):
    pulls = rng.normal(size=50)
    pulls[:2] = np.nan
    pulls[2] = 7.0  # goes into the last bin
    table = pd.DataFrame({"arm": "mc", "pull": pulls})
    other = pd.DataFrame({"arm": "surrogate", "pull": rng.normal(1, 1, 50)})
    results = pd.DataFrame([toy_result("surrogate", 0.5), toy_result("mc", 0.68)])
    toys.draw_toy_page(
        figure,
        pulls={"score": pd.concat([table, other])},
        results={"score": results},
        styles={arm: ARMS[arm] for arm in ("mc", "surrogate")},
    )
    first, second, coverage = figure.axes
    shape = first.patches[0].get_data()
    assert np.sum(shape.values * np.diff(shape.edges)) == pytest.approx(1)
    assert shape.values[-1] * np.diff(shape.edges)[-1] == pytest.approx(1 / 48)
    assert first.texts[0].get_text().endswith("50 toys, 2 failed")
    assert second.texts[0].get_text() == "mean: 0.10 ± 0.02\nwidth: 1.20 ± 0.02\n50 toys"
    points = [bar.lines[0].get_xydata()[0].tolist() for bar in coverage.containers]
    assert points == [[0.68, 0], [0.5, 1], [0.9, 0], [0.9, 1]]
    nominal = [line.get_xdata()[0] for line in coverage.lines if line.get_linestyle() == "--"]
    assert nominal == pytest.approx([0.6827, 0.9545], abs=1e-4)


def test_reweighting_page_draws_calibration_weights_and_areas(figure):
    calibration = pd.DataFrame(
        {
            "stage": ["raw", "raw", "calibrated", "calibrated"],
            "predicted": [0.7, 0.3, 0.3, 0.7],
            "observed": [0.6, 0.4, 0.31, 0.69],
            "uncertainty": 0.02,
            "count": 100,
        }
    )
    weights = np.array([0.5, 1.0, 1.0, 2.0])
    area = {"value": 0.53, "uncertainty": 0.01, "n": 100}
    record = {"clip": 4.0, "effective_fraction": 0.81, "auc_before": area}
    reweighting.draw_reweighting_page(
        figure,
        calibration=calibration,
        weights=weights,
        record=record | {"auc_after": area | {"value": 0.505}},
    )
    left, middle, right = figure.axes
    raw, calibrated = (bars.lines[0].get_xydata().tolist() for bars in left.containers)
    assert raw == [[0.3, 0.4], [0.7, 0.6]]
    assert calibrated == [[0.3, 0.31], [0.7, 0.69]]
    assert middle.patches[0].get_data().values.sum() == len(weights)
    assert [line.get_xdata()[0] for line in middle.lines] == [1, 0.25, 4]
    areas = [bars.lines[0].get_xydata()[0].tolist() for bars in right.containers]
    assert areas == [[0, 0.53], [1, 0.505]]
    assert "81.0%" in middle.get_title(loc="left") + middle.get_title()
