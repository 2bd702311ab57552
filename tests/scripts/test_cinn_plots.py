"""Scripts that draw the reconstruction, on made-up tables, and that they draw what is there."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from bumpflow.compatibility.coverage import coverage_curve, pit_histogram
from bumpflow.plotting import cinn_detectors
from bumpflow.plotting.names import PARAMETERS, RECONSTRUCTIONS, benchmark_styles, size_styles
from bumpflow.reconstruction.scorecard import PUBLISHED_LOSS
from bumpflow.report.page import png_size
from scripts import (
    plot_cinn_calibration,
    plot_cinn_detectors,
    plot_cinn_observed,
    plot_cinn_posteriors,
)

STYLE = Path(__file__).parents[2] / "config" / "matplotlibrc"
BENCHMARKS = {"m1": {"mass_gev": 1}, "m4": {"mass_gev": 4}}
PRIOR = {"mass_gev": [0.1, 4.5], "lifetime_m": [0.1, 100]}
SIZES = (1, 3)
DETECTORS = list(product((0.01, 0.1), (0.001, 0.01)))


def words(legend):
    """Return what a legend says, line by line."""
    return [part.get_text() for part in legend.get_texts()]


def bars_of(ax):
    """Return places, values and half lengths of errors of all points, by colour of the marker."""
    found = {}
    for bars in ax.containers:
        line, _, (segments,) = bars.lines
        x, y = line.get_data()
        half = [(part[1, 1] - part[0, 1]) / 2 for part in segments.get_segments()]
        key = to_hex(line.get_color()), line.get_linestyle()
        found.setdefault(key, []).extend(zip(x, y, half, strict=True))
    return {key: np.array(rows) for key, rows in found.items()}


@pytest.fixture
def posteriors(store, saved, rng):
    """Draw examples that sharpen, and widths of the lifetime that grow with the true one."""
    mass, length = np.meshgrid(np.linspace(-1, 0.65, 60), np.linspace(-1, 2, 30), indexing="ij")
    tables = []
    for (name, point), n in product(BENCHMARKS.items(), SIZES):
        true = np.log10(point["mass_gev"])
        off = ((mass - true) * np.sqrt(n) / 0.1) ** 2 + (length * np.sqrt(n) / 0.4) ** 2
        columns = {
            "log10_mass": mass,
            "log10_lifetime": length - mass,
            "density": np.exp(-off / 2),
        }
        table = pd.DataFrame({key: values.ravel() for key, values in columns.items()})
        truth = {"true_log10_mass": true, "true_log10_lifetime": -true}
        tables.append(table.assign(benchmark=name, n_events=n, **truth))
    m = 3600
    roles = pd.DataFrame(
        {"log10_mass": rng.uniform(-1, 0.6, m), "n_events": np.repeat(SIZES, m // 2)}
    )
    lifetime = rng.uniform(-1, 2, m)
    widths = {"sigma_lifetime": 0.3 + lifetime / 10, "sigma_lifetime_rate": 0.1 + lifetime / 20}
    roles = roles.assign(log10_lifetime=lifetime, sigma_mass=0.02, **widths)
    plot_cinn_posteriors.main(
        examples=store("examples", pd.concat(tables)),
        widths=store("widths", roles),
        style=STYLE,
        posteriors=["posteriors"],
        roles=["roles"],
        benchmarks=BENCHMARKS,
        prior=PRIOR,
    )
    return saved


def width_of(ax, color):
    """Return the range of log10 of the mass in the contours of one colour."""
    (lines,) = (
        part
        for part in ax.collections
        if len(part.get_edgecolor()) and to_hex(part.get_edgecolor()[0]) == color
    )
    return np.ptp(np.log10(lines.get_paths()[0].vertices[:, 0]))


def test_posteriors_are_drawn_around_their_truth(posteriors):
    first, *axes = posteriors["posteriors"].axes
    assert [ax.get_title("left") for ax in axes] == ["$m_a$ = 1 GeV", "$m_a$ = 4 GeV"]
    assert first.get_title("left") == "All, 3 events"
    for ax, mass in zip(axes, (1, 4), strict=True):
        (star,) = (line.get_xydata()[0] for line in ax.lines if line.get_marker() == "*")
        assert star == pytest.approx([mass, 1 / mass])
        low, high = ax.get_xlim()
        assert low < mass < high < 4.5 * 1.2
    one, three = (width_of(axes[0], style.color) for style in size_styles(SIZES).values())
    assert one / three == pytest.approx(np.sqrt(3), rel=0.1)
    assert width_of(first, benchmark_styles(BENCHMARKS)["m1"].color) == pytest.approx(three)
    assert "3 events" in words(posteriors["posteriors"].legends[0])


def test_roles_are_medians_against_the_lifetime(posteriors):
    axes = np.reshape(posteriors["roles"].axes, (2, 2))
    assert axes[1, 1].get_title("left") == "Lifetime, 3 events"
    limits = [ax.lines[0].get_ydata()[0] for ax in axes[:, 0]]
    assert limits == pytest.approx(np.array([np.log10(45), np.hypot(np.log10(45), 3)]) / 12**0.5)
    for place, line in enumerate(axes[1, 0].lines[1:]):
        x, y = line.get_data()
        assert len(x) > 8
        assert line.get_linestyle() == "-:"[place % 2]
        low, slope = ((0.3, 0.1), (0.1, 0.05))[place % 2]
        assert y == pytest.approx(low + np.log10(x) * slope, abs=0.015)
    assert len(axes[0, 0].lines) == 1 + 3
    assert axes[0, 0].lines[1].get_ydata() == pytest.approx(0.02)
    assert len(words(posteriors["roles"].legends[0])) == 3 + 3


@pytest.fixture
def calibration(store, saved, rng):
    """Draw ranks of the mass that rise, and losses of two networks."""
    pit = {(n, name): rng.uniform(0, 1, 400) for n in SIZES for name in PARAMETERS}
    pit[3, "mass"] = np.sqrt(pit[3, "mass"])
    keys = {key: dict(zip(("n_events", "parameter"), key, strict=True)) for key in pit}
    rows = [
        pd.DataFrame({"pit": values, "level": 0.5, "std": 0.6 / n}).assign(**keys[n, name])
        for (n, name), values in pit.items()
    ]
    ranks = [pit_histogram(values).assign(**keys[key]) for key, values in pit.items()]
    tarp = [coverage_curve(pit[n, "lifetime"] ** 0.9).assign(n_events=n) for n in SIZES]
    loss = pd.DataFrame(
        {"epoch": [1, 2], "train_loss": [-0.5, -1], "validation_loss": [-0.4, -0.9]}
    )
    plot_cinn_calibration.main(
        diagnosis=store("diagnosis", pd.concat(rows)),
        ranks=store("ranks", pd.concat(ranks)),
        tarp=store("tarp", pd.concat(tarp).rename(columns={"error": "uncertainty"})),
        amortised=store("amortised", loss),
        published=store("published", loss + 0.1),
        style=STYLE,
        calibration=["calibration"],
        training=["training"],
    )
    return saved, pit, tarp


def test_ranks_are_those_of_parameter_and_size(calibration):
    saved, pit, _ = calibration
    axes = np.reshape(saved["calibration"].axes[:4], (2, 2))
    for ax, name, n in zip(axes.flat, np.repeat(list(PARAMETERS), 2), SIZES * 2, strict=True):
        style = size_styles(SIZES)[n]
        (steps,) = (p for p in ax.patches if to_hex(p.get_edgecolor()) == style.color)
        counts = np.histogram(pit[n, name], 20, (0, 1))[0]
        assert steps.get_data().values == pytest.approx(counts / 20)
        assert ax.get_title("left") == f"{name.capitalize()}, {style.label}"
        low, high = ax.get_ylim()
        assert low <= counts.min() / 20
        assert counts.max() / 20 <= high
    p = [float(ax.get_title("right").removeprefix("p = ")) for ax in axes.flat]
    assert p[1] < 1e-6
    assert min(p[0], p[2], p[3]) > 1e-3


def test_coverage_and_widths_are_drawn_by_size(calibration):
    saved, _, tarp = calibration
    around, densest, *widths = saved["calibration"].axes[4:]
    for n, table in zip(SIZES, tarp, strict=True):
        (line,) = (l for l in around.lines if l.get_marker() == size_styles(SIZES)[n].marker)
        assert line.get_ydata() == pytest.approx(table["empirical"] - table["expected"])
    step = next(line.get_ydata() for line in densest.lines if line.get_marker() == "s")
    assert step[8] == pytest.approx(-0.45)  # all truths are at a level of one half
    assert step[9] == pytest.approx(0.5)
    for ax in widths:
        found = [bars.lines[0].get_xydata()[0].tolist() for bars in ax.containers]
        assert found == [[1, pytest.approx(0.6)], [3, pytest.approx(0.2)]]


def test_losses_are_drawn_beside_the_published_one(calibration):
    ours, published = calibration[0]["training"].axes
    assert ours.lines[1].get_ydata() == pytest.approx([-0.4, -0.9])
    assert published.lines[1].get_ydata() == pytest.approx([-0.3, -0.8])
    (line,) = (line for line in published.lines if line.get_linestyle() == "-.")
    assert line.get_ydata()[0] == PUBLISHED_LOSS
    assert published.get_ylim()[0] < PUBLISHED_LOSS
    assert not [line for line in ours.lines if line.get_linestyle() == "-."]


def make_comparison():
    """Return numbers that tell method, detector and signal; one network is for one detector."""
    rows = []
    for benchmark, (e, a), method in product(BENCHMARKS, DETECTORS, RECONSTRUCTIONS):
        if method == "single" and (e, a) != DETECTORS[0]:
            continue
        spread = e + a + 0.1 * list(RECONSTRUCTIONS).index(method) + 0.01 * (benchmark == "m4")
        row = {"spread": spread, "sigma": 0.9 * spread, "bias": -0.1 * spread}
        row |= {"coverage68": 0.7, "coverage95": 0.9}
        errors = {f"{name}_error": 0.1 * abs(value) for name, value in row.items()}
        keys = {"benchmark": benchmark, "energy": e, "angle_rad": a, "method": method}
        rows.append(keys | row | errors)
    return pd.DataFrame(rows)


@pytest.fixture
def detectors(store, saved):
    """Draw all methods, a set-up beside the axis with half the spread, and a map."""
    comparison = make_comparison()
    unclaimed = (comparison["method"] == "diphoton") & (comparison["benchmark"] == "m4")
    comparison.loc[unclaimed, ["sigma", "coverage68", "coverage95"]] = np.nan
    numbers = ["spread", "spread_error", "sigma", "sigma_error"]
    away = comparison.assign(dataset="away", **{name: comparison[name] / 2 for name in numbers})
    rows = [
        (name, e, a, e * (1 + 100 * a), 0.5 + e / 10, 4 * e, 2 * e / (1 + 100 * a))
        for name, e, a in product(BENCHMARKS, (0.01, 0.03, 0.1), (0.001, 0.003, 0.01))
    ]
    columns = ["benchmark", "energy", "angle_rad", "sigma_mass", "sigma_lifetime"]
    columns += ["diphoton", "spread"]
    plot_cinn_detectors.main(
        comparison=store("comparison", comparison),
        geometries=store("geometries", pd.concat([comparison.assign(dataset="near"), away])),
        maps=store("maps", pd.DataFrame(rows, columns=columns)),
        style=STYLE,
        **{name: [name] for name in ("resolution", "coverage", "displaced", "sensitivity")},
        benchmarks=BENCHMARKS,
        datasets=["near", "away"],
    )
    return saved, comparison


def test_methods_are_drawn_for_each_detector(detectors):
    saved, comparison = detectors
    axes = np.reshape(saved["resolution"].axes, (3, 2))
    assert axes[0, 1].get_title("left") == "$m_a$ = 4 GeV"
    for line, column in zip(axes, cinn_detectors.QUANTITIES, strict=True):
        for ax, benchmark in zip(line, BENCHMARKS, strict=True):
            found = bars_of(ax)
            for method, style in RECONSTRUCTIONS.items():
                mine = (comparison["benchmark"] == benchmark) & (comparison["method"] == method)
                rows = comparison[mine].dropna(subset=column)
                drawn = found.get((style.color, "-"), np.empty((0, 3)))
                assert drawn[:, 1] == pytest.approx(rows[column].to_numpy())
                assert drawn[:, 2] == pytest.approx(rows[f"{column}_error"].to_numpy())
    places = bars_of(axes[0, 0])[RECONSTRUCTIONS["published"].color, "-"][:, 0]
    assert places == pytest.approx([0, 1, 2 + cinn_detectors.GAP, 3 + cinn_detectors.GAP])
    labels = [label.get_text() for label in axes[2, 0].get_xticklabels()]
    assert labels == ["1", "10", "1", "10"]
    assert [text.get_text() for text in axes[2, 0].texts] == [
        r"$\sigma_E / E$ = 1 %",
        r"$\sigma_E / E$ = 10 %",
    ]
    assert words(saved["resolution"].legends[0]) == [s.label for s in RECONSTRUCTIONS.values()]


def test_coverage_is_drawn_beside_what_it_should_be(detectors):
    axes = np.reshape(detectors[0]["coverage"].axes, (2, 2))
    assert [ax.lines[0].get_ydata()[0] for ax in axes[:, 0]] == [0.68, 0.95]
    ours = RECONSTRUCTIONS["amortised"].color, "-"
    assert [bars_of(ax)[ours][0, 1] for ax in axes[:, 1]] == [0.7, 0.9]
    assert axes[0, 0].get_ylabel() == "truths in 68 % intervals"
    assert axes[0, 0].yaxis.get_major_formatter()(0.625, 0) == "62.5 %"


def test_set_ups_are_compared_at_the_same_detector(detectors):
    axes = np.reshape(detectors[0]["displaced"].axes, (3, 2))
    for method in ("diphoton", "amortised"):
        color = RECONSTRUCTIONS[method].color
        near, away = (bars_of(axes[0, 0])[color, line] for line in "-:")
        assert away[:, 1] == pytest.approx(near[:, 1] / 2)
        ratio = bars_of(axes[2, 0])[color, "-"]
        assert ratio[:, 1] == pytest.approx(0.5)
        assert ratio[:, 2] == pytest.approx(0.5 * np.hypot(0.1, 0.1))
    shown = {color for color, _ in bars_of(axes[0, 0])}
    assert shown == {RECONSTRUCTIONS[name].color for name in ("diphoton", "amortised")}
    assert words(detectors[0]["displaced"].legends[0])[-2:] == ["on the beam's axis", "beside it"]


def test_maps_show_what_depends_on_the_detector(detectors):
    *axes, bar, other, ratio = detectors[0]["sensitivity"].axes
    mass, lifetime, gain = np.reshape(axes, (3, 2))[:, 0]
    assert mass.get_title("right") == "0.011 to 0.2"
    assert [text.get_text() for text in lifetime.texts] == []
    levels = {float(text.get_text()) for text in mass.texts}
    assert levels
    assert levels <= {0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15}
    (mesh,) = (
        c for c in mass.collections if c.get_array() is not None and c.get_array().size == 9
    )
    assert mesh.get_array().reshape(3, 3)[2, 0] == pytest.approx(0.1 * 1.1)  # 10 %, 1 mrad
    (points,) = (line.get_xydata() for line in mass.lines)
    assert points == pytest.approx(np.array([(1000 * a, 100 * e) for e, a in DETECTORS]))
    assert bar.get_ylim() == pytest.approx((0.011, 0.2))
    assert other.get_ylim() == pytest.approx((0.501, 0.51))
    assert ratio.get_ylim() == pytest.approx((2.2, 4))
    assert gain.get_title("left") == "Gain, $m_a$ = 1 GeV"


def make_row(name, **columns):
    """Return the summary of a set of two events near 1 GeV."""
    ends = {"median": 0.0, "low68": -0.05, "high68": 0.05}
    row = {f"log10_mass_{end}": value for end, value in ends.items()}
    return {"set": name, "n_events": 2, "outside": ""} | row | columns


def make_draws(rng, name, log10_mass):
    x = rng.normal([log10_mass, 0.2], [0.05, 0.4], (2000, 2))
    return pd.DataFrame({"set": name, "log10_mass": x[:, 0], "log10_lifetime": x[:, 1]})


def draw_observed(store, rng, rows, path):
    draws = pd.concat([make_draws(rng, row["set"], 0.1 * i) for i, row in enumerate(rows)])
    plot_cinn_observed.main(
        posteriors=store("draws", draws),
        summary=store("summary", {"sets": rows}),
        style=STYLE,
        observed=[path],
        prior=PRIOR,
    )


def test_observed_sets_are_drawn_by_name(store, rng, saved):
    rows = [make_row("a"), make_row("b", outside="11 events: at most 10")]
    draw_observed(store, rng, rows, "page")
    above, plane, beside = saved["page"].axes
    solid, dashed = above.lines
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    peaks = [line.get_xdata()[line.get_ydata().argmax()] for line in above.lines]
    assert np.log10(peaks) == pytest.approx([0, 0.1], abs=0.03)
    lifetimes = [line.get_ydata()[line.get_xdata().argmax()] for line in beside.lines]
    assert np.log10(lifetimes) == pytest.approx([0.2, 0.2], abs=0.2)
    assert above.get_xlim() == plane.get_xlim()
    assert plane.get_xlim()[1] > 10**0.2
    legend = words(saved["page"].legends[0])
    assert legend[0].startswith("set a: 2 events, $1.00^{+0.12}_{-0.11}$ GeV")
    assert legend[1].endswith("outside of the training")


def test_more_sets_than_colours_are_counted(store, rng, saved):
    draw_observed(store, rng, [make_row(i) for i in range(9)], "page")
    assert len(saved["page"].axes[0].lines) == 7
    assert "2 more are not drawn" in words(saved["page"].legends[0])


def test_a_page_is_written(store, rng, tmp_path):
    png = tmp_path / "observed.png"
    draw_observed(store, rng, [make_row("a")], png)
    assert min(png_size(png.read_bytes())) > 400
