"""Figures of hunts: that what is drawn is what was given."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.stats import binom, kstest

from bumpflow.plotting import hunt_methods, hunt_scan, hunt_tests, hunts
from tests import hunt_tables as made

NETWORK = hunt_scan.NETWORK.color


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def figure():
    return Figure(figsize=(9, 6))


def words(ax):
    """Return everything that is written into a panel."""
    legend = ax.get_legend()
    labels = [text.get_text() for text in legend.get_texts()] if legend else []
    return "\n".join([*(text.get_text() for text in ax.texts), *labels])


def curves(ax, color):
    return [
        line for line in ax.lines if to_hex(line.get_color()) == color and len(line.get_xdata())
    ]


@pytest.mark.parametrize(
    ("variable", "unit", "label"),
    [
        ("m_mumu", "GeV", r"$m_{\mu\mu}$ [GeV]"),
        ("m_jjjj", "TeV", r"$m_{jjjj}$ [TeV]"),
        ("m_gg", "", r"$m_{\gamma\gamma}$"),
        ("", "GeV", "mass [GeV]"),
        ("M($e) for 5$", "a$", r"M(\$e) for 5\$ [a$]"),
    ],
)
def test_axes_of_any_variable(variable, unit, label):
    found = hunt_scan.variable_label(variable, unit)
    if variable.startswith("M("):
        hunt_scan.MathTextParser("path").parse(found)
    else:
        assert found == label


def test_text_that_is_no_formula_is_escaped():
    assert hunt_scan.plain_text(r"$\nosuchthing$ of 5 $") == r"\$\nosuchthing\$ of 5 \$"
    assert hunt_scan.plain_text("$m_{jj}$") == "$m_{jj}$"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.31, 0.01, "0.310 ± 0.010"),
        (0.0022, 0.0003, "0.00220 ± 0.00030"),
        (0.5, None, "0.500"),
        (0.5, np.nan, "0.500"),
        (2e-5, 1e-5, r"$(2.0 \pm 1.0) \times 10^{-5}$"),
    ],
)
def test_p_values_as_text(value, error, text):
    assert hunt_scan.format_power(value, error=error) == text


def test_counts_are_densities_where_bins_differ(figure):
    """Same counts per unit, in bins of different widths, on a linear axis."""
    ax, edges = figure.subplots(), np.array([0.0, 1.0, 3.0, 4.0])
    hunt_scan.draw_counts(
        ax, edges=edges, observed=10 * np.diff(edges), background=11 * np.diff(edges)
    )
    assert ax.lines[0].get_ydata().tolist() == [10, 10, 10]
    assert ax.patches[0].get_data().values.tolist() == [11, 11, 11]
    assert ax.get_yscale() == "linear"
    assert hunt_scan.density_label(edges, "GeV") == "events / GeV"
    assert hunt_scan.density_label(np.arange(0, 9, 2.0), "GeV") == "events / 2 GeV"
    assert hunt_scan.density_label(np.arange(0, 9, 2.0), "") == "events / 2"


def test_decades_are_drawn_on_a_logarithmic_axis(figure, rng):
    rows = made.make_bins(rng, np.arange(41.0), slope=8.0)
    ax = figure.subplots()
    observed = rows["observed"].to_numpy()
    hunt_scan.draw_counts(
        ax, edges=np.arange(41.0), observed=observed, background=rows["background"].to_numpy()
    )
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[1] > observed.max()


def draw_scan(figure, rng, **changed):
    hunt_scan.draw_scan_page(
        figure,
        bins=made.make_bins(rng, np.arange(100, 161, 2.0), bump=12),
        toys=made.make_toys(rng, 300)["z_max"],
        summary=made.SUMMARY | changed,
        source="ATLAS",
    )
    return figure.axes


def test_scan_shows_what_was_found(figure, rng):
    upper, middle, lower, side, text = draw_scan(figure, rng)
    assert upper.get_title() == "bump: ATLAS"
    assert upper.get_ylabel() == "events / 2 GeV"
    assert lower.get_xlabel() == r"$m_{\gamma\gamma}$ [GeV]"
    assert side.lines[0].get_xdata() == [made.SUMMARY["z_max"]] * 2
    shares = side.patches[0].get_data().values
    assert shares.sum() == pytest.approx(1)
    assert "4.10" in words(text)
    assert "124 to 126 GeV" in words(text)
    assert "0.0020 ± 0.0010" in words(text)
    assert "Not covered" not in words(text)
    for ax in (upper, middle, lower):  # bin 12, one standard deviation of one bin
        box = ax.patches[-1].get_extents().transformed(ax.transData.inverted())
        assert (box.x0, box.x1) == pytest.approx((122, 128))


def test_scan_outside_of_the_training_says_so(figure, rng):
    *_, side, text = draw_scan(
        figure, rng, covered=False, reasons="counts of 5e6", p_global=1 / 301, n_toys=300
    )
    assert "Not covered by the training: counts of 5e6" in words(text).replace("\n", " ")
    assert "< 0.003" in words(text)
    assert "> 2.88" in words(text)
    assert side.get_yscale() == "log"


@pytest.mark.parametrize("n", [1, 5, 200])
def test_ranking_names_the_smallest(figure, rng, n):
    table = made.make_summary(rng, n)
    hunts.draw_ranking_page(figure, table=table.sample(frac=1, random_state=1), n_shown=30)
    left, right = figure.axes[:2]
    names = [tick.get_text() for tick in left.get_yticklabels()]
    assert names[0] == "spectrum0"
    assert len(names) == min(n, 30)
    assert set(names) == set(table["histogram"][: len(names)]) or n > 30
    steps = curves(right, NETWORK)[0]
    assert steps.get_ydata()[-1] == 1
    assert np.sum(np.diff(steps.get_ydata()) > 0) == pytest.approx(n, abs=0.001)


def test_bands_hold_uniform_numbers(rng):
    n, p = 50, np.linspace(0.1, 0.9, 9)
    low, high = hunts.uniform_bands(p, n, 0.68)
    draws = (rng.uniform(size=(2000, n, 1)) <= p).mean(axis=1)
    inside = np.mean((draws >= low) & (draws <= high), axis=0)
    exact = binom.cdf(np.round(n * high), n, p) - binom.cdf(np.round(n * low) - 1, n, p)
    assert np.all(exact >= 0.68)
    assert inside == pytest.approx(exact, abs=4 * np.sqrt(0.25 / 2000))


def test_global_p_values_and_their_test(figure, rng):
    table = made.make_global_p(rng, 300, power=1.5)
    hunts.draw_global_page(figure, table=table)
    upper, lower, tail = figure.axes
    for name, style in hunts.GROUPS.items():
        p = table.loc[table["group"] == name, "p_global"]
        assert f"KS p = {kstest(p, 'uniform').pvalue:.2g}" in words(upper)
        steps, away = curves(upper, style.color)[0], curves(lower, style.color)[0]
        assert np.interp(p.median(), steps.get_xdata(), steps.get_ydata()) == pytest.approx(
            0.5, abs=2 / 300
        )
        middle = np.interp(0.5, away.get_xdata(), away.get_ydata())
        assert middle == pytest.approx((p <= 0.5).mean() - 0.5, abs=0.01)
    assert tail.get_xscale() == "log"


def test_one_group_of_global_p_values_is_enough(figure, rng):
    table = made.make_global_p(rng, 50)
    hunts.draw_global_page(figure, table=table[table["group"] == "in_family"])
    assert hunts.GROUPS["held_out"].label not in words(figure.axes[0])


def test_response_has_median_and_bands(figure, rng):
    hunt_tests.draw_response_page(figure, table=made.make_tests(rng, 8000, bias=0.2))
    left, right = figure.axes[:2]
    lines = curves(left, hunt_tests.SIGNAL.color)
    found = [line.get_ydata()[3:12].mean() for line in lines]
    expected = 0.2 + made.SPREAD * np.array([0, -1.96, 1.96, -1, 1])
    # Nine slices of some 200 histograms each; far quantiles are some three times less certain.
    assert found == pytest.approx(expected, abs=4 * 3 * made.SPREAD / np.sqrt(9 * 200))
    assert "4000 histograms" in words(left)
    assert "4000 histograms" in words(right)


def test_response_without_background_has_one_panel(figure, rng):
    table = made.make_tests(rng, 600)
    hunt_tests.draw_response_page(figure, table=table[table["width"] > 0])
    assert len(figure.axes) == 2  # and the colour bar
    assert "nan" not in words(figure.axes[0])


def points(ax, color, *, filled=True):
    """Return abscissae and ordinates of all markers of a colour, sorted."""
    face = color if filled else "#ffffff"
    lines = [x for x in curves(ax, color) if to_hex(x.get_markerfacecolor()) == face]
    found = [xy for x in lines if x.get_marker() in "os" for xy in x.get_xydata().tolist()]
    return np.array(sorted(found))


def test_cells_show_both_kinds_of_histograms(figure, rng):
    table = made.make_tests(rng, 3000, bias=0.1)
    hunt_tests.draw_cells_page(figure, table=table, n_cells=5)
    axes = np.array(figure.axes).reshape(2, 3)
    for ax in axes[0]:
        found = points(ax, hunt_tests.SIGNAL.color)
        assert found[:, 1] == pytest.approx(np.full(5, 0.1), abs=5 * 0.5 / np.sqrt(300))
    background = points(axes[1, 1], hunt_tests.BACKGROUND.color)
    assert background[0] == pytest.approx([0, 0.5], abs=0.04)  # width 0
    half = points(axes[1, 0], hunt_tests.SIGNAL.color, filled=False)
    assert half[:, 1] == pytest.approx(np.full(5, 0.5), abs=0.12)
    assert axes[1, 2].get_xscale() == "log"


def test_coverage_is_drawn_over_its_target(figure, rng):
    table = made.make_tests(rng, 3000)
    table = table[table["width"] > 0]
    hunt_tests.draw_coverage_page(figure, table=table, n_cells=4)
    axes = np.array(figure.axes).reshape(2, 3)
    for row, target in zip(axes, (0.6827, 0.95), strict=True):
        for ax in row:
            found = points(ax, hunt_tests.SIGNAL.color)
            error = np.sqrt(target * (1 - target) / 375)
            assert found[:, 1] == pytest.approx(np.full(4, target), abs=4 * error)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "background only" not in labels


def test_published_task(figure, rng):
    table = made.make_tests(rng, 2000, z=3.0)
    hunt_methods.draw_paper_page(figure, table=table)
    left, middle, right = figure.axes
    off = hunt_tests.difference(table[table["width"] > 0])
    assert f"{off.std():.3f}" in words(left)
    assert "0.46" in words(left)
    shares = curves(middle, NETWORK)[0].get_ydata()
    distance = (table["bin_predicted"] - table["bin_true"]).abs()[table["width"] > 0]
    assert shares[:2].tolist() == [(distance == 0).mean(), (distance <= 1).mean()]
    assert {"0.865", "0.899"} <= set(words(right).replace("\n", " ").split())


def test_comparison_counts_failures_as_background(figure, rng):
    table = made.make_comparison(rng, 100, list(hunt_methods.METHODS), n_failed=4)
    hunt_methods.draw_comparison_page(figure, table=table)
    roc, spread, seconds = figure.axes
    labels = [tick.get_text() for tick in spread.get_yticklabels()]
    assert sum("(4 failed)" in label for label in labels) == 2
    assert "not a $z$" in words(spread)
    assert len(words(roc).splitlines()) == len(hunt_methods.METHODS)
    assert "100 µs" in words(seconds)
    scores = hunt_methods.as_scores([1.0, np.nan, -2.0])
    assert scores.tolist() == [1, -3, -2]


def test_long_ranges_turn_logarithmic(figure, rng):
    table = made.make_comparison(rng, 60, ["network", "dijet"])
    table.loc[table["method"] == "dijet", "z_max"] *= 10
    ax = figure.subplots()
    hunt_methods.draw_spreads(ax, table=table, methods=["network", "dijet"])
    assert ax.get_xscale() == "symlog"


def test_examples_keep_a_poor_fit_from_hiding_all_else(figure, rng):
    table = made.make_examples(rng, 2)
    table.loc[table["example"] == 0, "z_profiled"] = 150.0
    hunts.draw_examples_page(figure, table=table)
    axes = np.array(figure.axes).reshape(2, 2)
    assert axes[1, 0].get_ylim()[1] < 10
    assert [ax.get_yscale() for ax in axes[0]] == ["linear", "log"]
    known = axes[1, 1].lines[-1].get_ydata()
    assert known == pytest.approx(table.loc[table["example"] == 1, "z_known"])


def test_training_with_and_without_histories(rng):
    learning = made.make_learning(["general", "paper"])
    for histories in ({}, {"general": made.make_history(rng, 20)}):
        figure = Figure(figsize=(9, 5))
        hunts.draw_training_page(figure, histories=histories, learning=learning)
        assert len(figure.axes) == 3 + len(histories)
        spread = figure.axes[-3]
        for line, name in zip(spread.lines, ("general", "paper"), strict=False):
            rows = learning[learning["hunter"] == name]
            assert line.get_ydata().tolist() == rows["spread"].tolist()
