"""Structure of the figures: panels, labels, and that what is drawn is what was given."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bumpflow.plotting import c2st, corner, divergences, overlays, rates, training
from bumpflow.plotting.histograms import measure_densities
from bumpflow.plotting.names import MODELS, feature_ranges, feature_style, tail_styles

FEATURES = ["lepton_pT", "lepton_eta", "m_bb"]
MEASURES = ["chi2", "wasserstein"]


@pytest.fixture
def figure():
    return Figure(figsize=(8, 6))


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return np.abs(rng.normal(1, 0.5, size=(800, len(FEATURES))))


@pytest.fixture
def shown(x):
    return [feature_style(name, column) for name, column in zip(FEATURES, x.T, strict=True)]


def stairs_of(ax):
    return [patch.get_data() for patch in ax.patches if hasattr(patch, "get_data")]


@pytest.mark.parametrize("log", [False, True])
def test_overlay_page_draws_each_feature_with_its_ratio(figure, x, shown, log):
    reference = measure_densities(x, feature_ranges(FEATURES, x), 12)
    sample = measure_densities(x[:400], feature_ranges(FEATURES, x), 12)
    overlays.draw_overlay_page(
        figure,
        reference=reference,
        samples={"maf": sample, "rqs": reference},
        features=shown,
        styles=MODELS,
        log=log,
    )
    *panels, legend = figure.axes
    assert len(panels) == 2 * len(FEATURES)
    for index, (upper, lower) in enumerate(zip(panels[::2], panels[1::2], strict=True)):
        drawn = stairs_of(upper)
        assert drawn[0].values.tolist() == reference.values[index].tolist()
        assert drawn[2].values.tolist() == sample.values[index].tolist()
        assert lower.get_xlabel() == shown[index].label
        assert upper.get_yscale() == ("log" if log else "linear")
        ratios = [step.values for step in stairs_of(lower)]
        filled = reference.values[index] > 0
        expected = sample.values[index][filled] / reference.values[index][filled]
        assert ratios[0][filled] == pytest.approx(expected)
        assert ratios[1][filled] == pytest.approx(1)
        assert len(lower.containers) == 2  # uncertainties of both samples
    labels = [text.get_text() for text in legend.get_legend().get_texts()]
    assert labels == ["Monte Carlo", "its statistical uncertainty", "MAF", "RQS"]


def relative_of(value):
    found = {"value": value, "uncertainty": 0.1, "baseline_spread": 0.05}
    return dict.fromkeys(MEASURES, found)


def test_divergences_are_drawn_where_they_lie(figure):
    styles = {name: MODELS[name] for name in ("mademog", "maf")}
    relative = {"mademog": relative_of(1.2), "maf": relative_of(3.0)}
    divergences.draw_summary_page(figure, relative=relative, styles=styles)
    assert len(figure.axes) == len(MEASURES)
    for ax in figure.axes:
        points = [container.lines[0].get_xydata()[0].tolist() for container in ax.containers]
        assert points == [[1.2, 0], [3.0, 1]]
        assert ax.get_xlim()[0] < 1
        assert ax.get_xlim()[1] > 3
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["MADEMOG", "MAF"]


def test_divergences_by_feature_are_over_their_baseline(figure, shown):
    table = pd.DataFrame(
        {
            "feature": FEATURES * 2,
            "measure": np.repeat(MEASURES, 3),
            "value": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            "uncertainty": 0.1,
            "baseline": 2.0,
            "baseline_uncertainty": 0.4,
        }
    )
    divergences.draw_feature_page(
        figure,
        tables={"maf": table.sample(frac=1, random_state=0).sort_values("measure")},
        features=dict(zip(FEATURES, shown, strict=True)),
        styles={"maf": MODELS["maf"]},
    )
    drawn = [ax.containers[-1].lines[0].get_xdata().tolist() for ax in figure.axes]
    assert drawn == [[0.5, 1.0, 1.5], [2.0, 2.5, 3.0]]


def test_training_page_marks_the_best_epoch(figure):
    history = pd.DataFrame(
        {
            "member": np.repeat([0, 1], 4),
            "epoch": np.tile([1, 2, 3, 4], 2),
            "train_loss": np.tile([4.0, 3.0, 2.0, 1.0], 2),
            "validation_loss": [4.0, 3.0, 3.5, 3.6, 4.1, 3.9, 3.2, 3.3],
        }
    )
    styles = {name: MODELS[name] for name in ("maf", "rqs", "glow")}
    training.draw_training_page(
        figure, histories=dict.fromkeys(styles, history), styles=styles, unit="loss", chance=3.8
    )
    together, *alone = figure.axes
    assert all(low < 3.8 < high for low, high in (ax.get_ylim() for ax in figure.axes))
    assert together.get_ylabel() == "loss"
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in alone]
    assert len(alone) == len(titles) == 3
    marked = [tuple(*line.get_xydata()) for line in together.lines if len(line.get_xdata()) == 1]
    assert marked == [(2, 3.0), (3, 3.2)] * 3


def test_scan_shows_mean_and_spread(figure):
    ax = figure.subplots()
    values, losses = np.array([4, 4, 8, 8]), np.array([2.0, 4.0, 1.0, 1.0])
    training.draw_scan(ax, values=values, losses=losses, style=MODELS["rqs"], parameter="n_bins")
    mean, _, bars = ax.containers[0].lines
    assert mean.get_xydata().tolist() == [[4, 3], [8, 1]]
    assert bars[0].get_segments()[0][:, 1] == pytest.approx([3 - np.sqrt(2), 3 + np.sqrt(2)])
    assert ax.get_xlabel() == "n bins"


def scores(shift, rng):
    real, generated = rng.normal(size=2000), rng.normal(shift, size=3000)
    return c2st.Scores(real, generated, 0.5 + shift / 4, 0.01)


def test_roc_curve_rises_from_nothing_to_everything():
    rng = np.random.default_rng(0)
    rate = np.linspace(0, 1, 101)
    one = scores(1.0, rng)
    curve = c2st.roc_curve(one.real, one.generated, rate)
    assert curve[-1] == 1
    assert (np.diff(curve) >= 0).all()
    pairs = np.mean(one.generated[:, None] > one.real)
    area = np.sum((curve[1:] + curve[:-1]) / 2 * np.diff(rate))
    assert area == pytest.approx(pairs, abs=0.005)


def test_equal_scores_give_the_diagonal():
    rate = np.linspace(0, 1, 11)
    curve = c2st.roc_curve(np.array([0.0, 0, 1, 1]), np.array([0.0, 1, 1, 1]), rate)
    assert curve == pytest.approx(np.interp(rate, [0, 0.5, 1], [0, 0.75, 1]))
    assert c2st.roc_curve(np.zeros(3), np.zeros(5), rate) == pytest.approx(rate)


def test_classifier_that_learned_nothing_can_be_drawn(figure):
    nothing = {"maf": c2st.Scores(np.zeros(20), np.zeros(30), 0.5, 0.1)}
    c2st.draw_ratio_page(figure, scores=nothing, styles=MODELS, tail_fraction=0.1)
    assert np.isfinite(figure.axes[0].get_ylim()).all()


def test_roc_page_names_areas_and_shades_chance(figure):
    rng = np.random.default_rng(0)
    one = {"maf": scores(1.0, rng), "control": scores(0.0, rng)}
    c2st.draw_roc_page(figure, scores={"resmlp": one, "trees": one}, styles=MODELS)
    upper, lower = figure.axes[0], figure.axes[2]
    labels = [text.get_text() for text in upper.get_legend().get_texts()]
    assert labels == ["MAF: 0.750 ± 0.010", "control (MC vs MC): 0.500 ± 0.010"]
    assert len(lower.collections) == 1
    assert np.abs(lower.lines[-1].get_ydata()).max() < 5 * np.sqrt(0.25 * (1 / 2000 + 1 / 3000))


def test_ratio_page_has_a_panel_per_model(figure):
    rng = np.random.default_rng(0)
    models = {name: scores(0.3, rng) for name in ("mademog", "maf", "rqs", "glow", "control")}
    c2st.draw_ratio_page(figure, scores=models, styles=MODELS, tail_fraction=0.1, n_bins=30)
    visible = [ax for ax in figure.axes if ax.get_visible()]
    assert len(visible) == 5
    assert all(ax.get_yscale() == "log" for ax in visible)


def test_tail_page_draws_the_tails(figure, x, shown):
    low, high = x[:, 0] < 0.5, x[:, 0] > 1.5
    kinds = tail_styles(MODELS["maf"], 0.05)
    c2st.draw_tail_page(figure, x=x, low=low, high=high, features=shown, styles=kinds, n_bins=10)
    expected = measure_densities(x[high], feature_ranges(FEATURES), 10).values
    for ax, values in zip(figure.axes, expected, strict=False):
        assert stairs_of(ax)[2].values.tolist() == values.tolist()


def test_contours_hold_the_events_they_promise():
    rng = np.random.default_rng(0)
    counts, *_ = np.histogram2d(*rng.normal(size=(2, 100_000)), bins=60)
    levels = corner.contour_levels(counts, [0.9, 0.5])
    inside = [counts[counts >= level].sum() / counts.sum() for level in levels]
    assert inside == pytest.approx([0.9, 0.5], abs=0.01)


def test_pair_counts_are_those_of_numpy(x):
    ranges = feature_ranges(FEATURES)
    counts = corner.pair_counts(x, ranges, 8)
    expected, *_ = np.histogram2d(x[:, 2], x[:, 0], bins=8, range=[ranges[2], ranges[0]])
    assert counts[2, 0].tolist() == expected.tolist()
    assert counts[0, 2].tolist() == expected.T.tolist()


def test_corner_has_a_panel_per_pair(figure, x, shown):
    styles = [MODELS["mc"], MODELS["maf"]]
    corner.draw_corner(figure, samples=[x, x[:300]], styles=styles, features=shown, n_bins=15)
    assert len(figure.axes) == 6
    assert [ax.get_xlabel() for ax in figure.axes[-3:]] == [feature.label for feature in shown]


@pytest.mark.parametrize("n_events", [1, 7])
def test_corner_of_a_handful_of_events_can_be_drawn(figure, x, shown, n_events):
    styles = [MODELS["mc"], MODELS["maf"]]
    few = x[:n_events]
    corner.draw_corner(figure, samples=[few, few], styles=styles, features=shown)
    corner.draw_pair_matrix(
        Figure().subplots(), real=few, generated=few, features=shown, styles=styles
    )
    figure.canvas.draw()
    assert len(figure.axes) == len(shown) * (len(shown) + 1) // 2


def test_pair_matrix_mirrors_equal_samples(figure, x, shown):
    ax = figure.subplots()
    styles = [MODELS["mc"], MODELS["maf"]]
    corner.draw_pair_matrix(ax, real=x, generated=x, features=shown, styles=styles, n_bins=10)
    image = np.nan_to_num(ax.images[0].get_array().filled(0))
    assert image.shape == (30, 30)
    below, above = image[20:, :10], image[:10, 20:]  # m_bb against lepton_pT and back
    assert below.max() == 1
    assert below[::-1] == pytest.approx(above[::-1].T)


def test_times_are_set_against_full_simulation(figure):
    ax = figure.subplots()
    styles = [MODELS["maf"], MODELS["glow"]]
    rates.draw_times(ax, seconds=np.array([2e-3, 5e-6]), styles=styles, full_simulation=300)
    ends = [bar.get_x() + bar.get_width() for bar in ax.patches]
    assert ends == pytest.approx([300, 2e-3, 5e-6])
    assert [text.get_text() for text in ax.texts] == [
        "5 min",
        r"2 ms   ($1.5 \times 10^{5}$ times faster)",
        r"5 µs   ($6.0 \times 10^{7}$ times faster)",
    ]
