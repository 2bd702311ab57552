"""Scripts that draw ALP hunts, on made-up tables, and that they draw what is there."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bumpflow import io
from bumpflow.plotting import (
    alp_hunts,
    alp_inference,
    alp_posteriors,
    alp_sensitivity,
    alp_training,
)
from bumpflow.plotting.names import HUNTS, POSTERIORS, benchmark_styles
from bumpflow.report.page import png_size
from bumpflow.simulate.alps.features import FEATURES
from scripts import (
    plot_alp_features,
    plot_alp_hunts,
    plot_alp_observed,
    plot_alp_posteriors,
    plot_alp_sensitivity,
    plot_alp_training,
)

STYLE = Path(__file__).parents[2] / "config" / "matplotlibrc"
BENCHMARKS = {"m1": {"mass_gev": 1}, "m4": {"mass_gev": 4}}
RESOLUTIONS = ["good", "mine"]
RATES = [[2, 4], [6, 4], [2, 3]]
N_PAIRS = 1000


def make_photons(rng, n, log10_mass=0.0):
    """Return measured photons, their angles far apart for large masses."""
    table = {name: rng.uniform(0, 1, n) for name in FEATURES}
    table |= {"ln_e1": rng.normal(4, 0.5, n), "ln_e2": rng.normal(3, 0.5, n)}
    table |= {name: rng.normal(-4, 0.3, n) for name in ("ln_theta1", "ln_theta2")}
    return pd.DataFrame(table).assign(log10_mass=log10_mass)


def words(text):
    """Return what a legend says, line by line."""
    return [part.get_text() for part in text.get_texts()]


def bars_of(ax):
    """Return values and lengths of all bars with errors, by colour."""
    found = {}
    for bars in ax.containers:
        line, _, (segments,) = bars.lines
        ends = np.array(segments.get_segments())
        along = 1 if ends[0, 0, 0] == ends[0, 1, 0] else 0
        half = (ends[:, 1, along] - ends[:, 0, along]) / 2
        found[to_hex(line.get_color())] = (np.array(line.get_data()[along]), half)
    return found


def test_features_are_written(store, rng, tmp_path):
    png = tmp_path / "features.png"
    plot_alp_features.main(
        background=store("background", make_photons(rng, 300)),
        signals=[store(name, make_photons(rng, 100)) for name in BENCHMARKS],
        style=STYLE,
        features=[png],
        benchmarks=BENCHMARKS,
    )
    assert min(png_size(png.read_bytes())) > 400


def test_densities_of_each_sample_are_drawn(store, rng, saved):
    events = make_photons(rng, 500)
    plot_alp_features.main(
        background=store("background", make_photons(rng, 500)),
        signals=[store("m1", events), store("m4", make_photons(rng, 100))],
        style=STYLE,
        features=["page"],
        benchmarks=BENCHMARKS,
    )
    first = saved["page"].axes[0]
    assert first.get_xlabel() == "$E_1$ [GeV]"
    color = benchmark_styles(BENCHMARKS)["m1"].color
    (outline,) = (p for p in first.patches if to_hex(p.get_edgecolor()) == color)
    values, edges, _ = outline.get_data()
    energy = np.exp(events["ln_e1"])
    expected = np.histogram(energy, edges)[0] / len(energy) / np.diff(edges)
    assert values == pytest.approx(expected)
    assert "$m_a$ = 4 GeV" in words(saved["page"].legends[0])


def make_judged(rng, n):
    """Return what posteriors say that are right for the mass, and too wide as published."""
    tables = []
    for population, kind in product(("test", "m1"), POSTERIORS):
        truth = rng.uniform(-1, 0.6, n) if population == "test" else np.zeros(n)
        wide = 1.5 if kind == "published" else 1.0
        pit = np.clip(0.5 + (rng.uniform(0, 1, n) - 0.5) / wide, 0, 1)
        table = pd.DataFrame({"truth": truth, "mean": truth, "std": 0.05 * wide, "pit": pit})
        table["level"] = 2 * np.abs(pit - 0.5)
        tables.append(table.assign(kind=kind, population=population))
    return pd.concat(tables, ignore_index=True)


def make_curves(**columns):
    """Return a coverage curve of 100 toys that is 10 % too low at one half."""
    table = pd.DataFrame({"expected": [0.25, 0.5], "empirical": [0.25, 0.4], "error": 0.05})
    return table.assign(n_held=[25, 40], n=100).assign(**columns)


def draw_posteriors(store, rng, resolutions, *, spread=0.06):
    judged = store("judged", make_judged(rng, 400))
    covered = pd.concat([make_curves(kind=kind) for kind in POSTERIORS])
    photons = make_photons(rng, 400, rng.uniform(-1, 0.6, 400))
    toys = [
        pd.DataFrame({"mean": rng.normal(0, spread / np.sqrt(n), 500), "std": 0.04 / np.sqrt(n)})
        .assign(n_events=n, std=lambda t: t["std"] * rng.uniform(0.99, 1.01, len(t)))
        for n in (1, 2, 4)
    ]  # fmt: skip
    rows = {"n_background": 1, "n_signal": 4}
    sizes = {"right": 70, "dropped": 20, "kept": 10, "all": 100}
    mistakes = pd.concat(
        make_curves(**rows, way=way, kind=kind).assign(n=n)
        for way in alp_inference.WAYS
        for kind, n in sizes.items()
    )
    paths = {
        "judged": judged,
        "covered": store("covered", covered),
        "photons": store("photons", photons),
        "toys": store("toys", pd.concat(toys)),
    }
    plot_alp_posteriors.main(
        **{name: [path] * len(resolutions) for name, path in paths.items()},
        mistakes=store("mistakes", mistakes),
        style=STYLE,
        resolutions=resolutions,
        **{name: [name] for name in ("posteriors", "widths", "scaling", "coverage")},
    )
    return judged


def test_ranks_and_coverage_are_those_of_test_events(store, rng, saved):
    judged = io.read_table(draw_posteriors(store, rng, RESOLUTIONS))
    axes = np.reshape(saved["posteriors"].axes, (2, 4))
    assert axes[1, 0].get_title("left") == "Mine resolution: coverage"
    curve = next(line for line in axes[0, 0].lines if len(line.get_xdata()) == 2)
    curves = [line for line in axes[0, 0].lines if line.get_marker() == "^"]
    assert curves[0].get_ydata() == pytest.approx([0, -0.1])
    assert curve.get_linestyle() == "--"
    circles = [line for line in axes[0, 0].lines if line.get_markersize() == 6]
    assert circles[0].get_ydata() == pytest.approx([0.715 - 0.68, 0.954 - 0.95])
    (none,) = (line for line in axes[1, 0].lines if line.get_markersize() == 6)
    assert len(none.get_xdata()) == 0
    for ax, kind in zip(axes[0, 1:], POSTERIORS, strict=True):
        values = next(patch for patch in ax.patches if hasattr(patch, "get_data")).get_data()[0]
        mine = judged[(judged["kind"] == kind) & (judged["population"] == "test")]
        assert values * 400 / 20 == pytest.approx(np.histogram(mine["pit"], 20, (0, 1))[0])
    band = axes[0, 1].patches[0].get_extents().transformed(axes[0, 1].transData.inverted())
    assert (band.y0, band.y1) == pytest.approx((0.6, 1.45), abs=0.06)


def test_widths_are_medians_and_means(store, rng, saved):
    draw_posteriors(store, rng, RESOLUTIONS)
    good, mine = saved["widths"].axes
    for kind, width in (("mass", 0.05), ("published", 0.075)):
        color = POSTERIORS[kind].color
        lines = [line for line in mine.lines if to_hex(line.get_color()) == color]
        median, mean = lines[0].get_ydata(), lines[1]
        assert median == pytest.approx(np.full(len(median), width))
        assert 8 < len(median) <= alp_posteriors.MASS_BINS
        assert mean.get_xydata().tolist() == [pytest.approx([1.0, width])]
    circles = [line for line in good.lines if to_hex(line.get_markerfacecolor()) == "#ffffff"]
    assert circles[0].get_ydata().tolist() == [0.0704, 0.0437, 0.0287]


def test_masses_sharpen_with_the_number_of_events(store, rng, saved):
    draw_posteriors(store, rng, ["poor"])
    upper, lower = saved["scaling"].axes
    spread, width = (bars_of(upper)[style.color] for style in alp_inference.SPREADS.values())
    n = np.array([1, 2, 4])
    assert spread[0] == pytest.approx(0.06 / np.sqrt(n), rel=4 / np.sqrt(2 * 500))
    assert spread[1] / spread[0] == pytest.approx(np.full(3, 1 / np.sqrt(1000)), rel=0.3)
    assert width[0] == pytest.approx(0.04 / np.sqrt(n), rel=1e-3)
    scaled = bars_of(lower)[alp_inference.SPREADS["width"].color][0]
    assert scaled == pytest.approx(np.full(3, 0.04), rel=1e-3)
    assert r"$\sigma_1$ = 0.0400 ± 0.0000" in words(upper.get_legend())[1]
    assert "/ 2" in words(upper.get_legend())[0]
    levels = [line.get_ydata()[0] for line in lower.lines if len(set(line.get_ydata())) == 1]
    assert alp_inference.PUBLISHED_SIGMA["poor"] in levels
    assert any(level == pytest.approx(0.06, rel=0.1) for level in levels)


def test_a_spread_of_nothing_is_drawn_without_a_fit(store, rng, saved):
    draw_posteriors(store, rng, ["poor"], spread=0)
    found = words(saved["scaling"].axes[0].get_legend())
    assert found[0] == "spread of the means"
    assert r"\sigma_1" in found[1]


def test_mistakes_are_drawn_if_they_are_frequent(store, rng, saved):
    draw_posteriors(store, rng, ["poor"])
    left, right = saved["coverage"].axes
    labels = words(left.get_legend())
    assert labels == [
        "all events right: 70 % of toys",
        "signal dropped: 20 % of toys",
        "background kept: 10 % of toys",
        "both: 0 % of toys",
    ]
    points = [len(line.get_xdata()) for line in left.lines if line.get_marker() in ("o", "s", "^")]
    assert points[:3] == [2, 2, 0]
    assert len([line for line in right.lines if len(line.get_xdata()) == 2]) == 1 + 3


def make_pairs():
    """Return curves and rejections of pairs of two hunts, with published numbers for one."""
    x = np.linspace(0.02, 1, 50)
    power = {"eco": 3.0, "epoconv": 6.0}
    curves, rows = [], []
    for benchmark, hunt in product(BENCHMARKS, power):
        curve = pd.DataFrame({"efficiency": x, "background": x ** power[hunt]})
        curves.append(curve.assign(benchmark=benchmark, hunt=hunt))
        for member, shift in ((-1, 0.0), (0, -0.02), (1, 0.02)):
            row = {"benchmark": benchmark, "hunt": hunt, "member": member}
            row |= {"auc": 0.9 + shift, "auc_error": 0.001}
            for share in (80, 90):
                row[f"rejection{share}"] = (share / 100) ** -power[hunt] * (1 + shift)
                row[f"rejection{share}_error"] = 0.1
            rows.append(row)
    return pd.concat(curves, ignore_index=True), pd.DataFrame(rows)


def make_points():
    """Return what three hunts reach."""
    keys = product(BENCHMARKS, ("eco", "bump", "epo", "lr"), RATES, ("background", "total"))
    rows = []
    for benchmark, hunt, (mu_b, mu_s), null in keys:
        z = 2.0 + (hunt == "eco") + 0.1 * mu_s - 0.05 * mu_b - (null == "total")
        row = {"benchmark": benchmark, "hunt": hunt, "mu_b": mu_b, "mu_s": mu_s, "null": null}
        row |= {"z_two_sided": z, "z_two_sided_error": 0.05}
        rows.append(row | {"minus_log_p": 2 * z, "minus_log_p_error": 0.1})
    return pd.DataFrame(rows)


def make_distributions():
    """Return probabilities of counts, which are the same for all hunts."""
    tables = []
    for benchmark, hunt, (mu_b, mu_s) in product(BENCHMARKS, ("eco", "bump", "epo"), RATES):
        counts = pd.DataFrame({"statistic": range(5), "background": [0.1, 0.5, 0.3, 0.1, 0]})
        counts["signal"] = [0, 0.1, 0.2, 0.5, 0.2] if mu_b == 2 else np.full(5, 0.2)
        tables.append(counts.assign(benchmark=benchmark, hunt=hunt, mu_b=mu_b, mu_s=mu_s))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def hunts(store, saved):
    """Draw what hunts reach."""
    curves, rejections = make_pairs()
    tables = {"curves": curves, "rejections": rejections, "points": make_points()}
    tables["distributions"] = make_distributions()
    plot_alp_hunts.main(
        **{name: [store(name, table)] * 2 for name, table in tables.items()},
        style=STYLE,
        **{name: [name] for name in ("roc", "statistic", "hunts")},
        resolutions=RESOLUTIONS,
        benchmarks=BENCHMARKS,
        n_pairs=N_PAIRS,
        benchmark="m1",
        rates=RATES,
    )
    return saved


def test_rejections_are_drawn_beside_published_ones(hunts):
    axes = np.reshape(hunts["roc"].axes, (2, 2))
    ax = axes[0, 1]
    assert ax.get_title("left") == "Good resolution, $m_a$ = 4 GeV"
    for hunt, power in (("eco", 3), ("epoconv", 6)):
        color = HUNTS[hunt].color
        curve = next(
            line
            for line in ax.lines
            if to_hex(line.get_color()) == color and len(line.get_xdata()) > 2
        )
        x = curve.get_xdata()
        assert curve.get_ydata() == pytest.approx(x ** -float(power))
        assert x.min() ** power * N_PAIRS >= 1  # no pair of background is left below
        assert len(x) < 50
    assert words(ax.get_legend()) == ["0.900 ± 0.028"] * 2
    published = {
        to_hex(line.get_color()): list(line.get_ydata())
        for line in ax.lines
        if to_hex(line.get_markerfacecolor()) == "#ffffff"
    }
    assert published[HUNTS["epoconv"].color] == [60.8, 34.4]
    assert published[HUNTS["eco"].color] == [18.9, 9.07]
    mine = [line for line in axes[1, 1].lines if to_hex(line.get_markerfacecolor()) == "#ffffff"]
    assert not any(len(line.get_xdata()) for line in mine)


def test_counts_are_drawn_at_the_first_rates(hunts):
    axes = np.reshape(hunts["statistic"].axes, (2, 3))
    assert axes[0, 1].get_title("left") == "Good resolution: ECO"
    outlines = {
        to_hex(patch.get_edgecolor()): patch.get_data()
        for patch in axes[0, 1].patches
        if not patch.get_fill()
    }
    values, edges, _ = outlines[alp_hunts.WITH.color]
    assert values.tolist() == [0, 0.1, 0.2, 0.5, 0.2]
    assert edges.tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5, 4.5]
    assert outlines[alp_hunts.WITHOUT.color][0].tolist() == [0.1, 0.5, 0.3, 0.1, 0]
    texts = [next(text.get_text() for text in ax.texts) for ax in axes.flat]
    z, log_p = texts[1].split("\n")
    assert z == r"$\langle Z \rangle$ = 2.30 ± 0.05  (published 1.6)"  # at the same total rate
    assert log_p.endswith("= 4.60 ± 0.10  (published 2.8)")
    assert [("published" in text) for text in texts] == [True, True, False, False, False, False]
    assert "6 expected events" in words(hunts["statistic"].legends[0])[0]


def test_significances_are_drawn_for_background_at_its_own_rate(hunts):
    axes = np.reshape(hunts["hunts"].axes, (2, 3))
    ax = axes[0, 1]
    assert ax.get_title("left") == "Good resolution: 6 background, 4 signal"
    names = [label.get_text() for label in axes[0, 0].get_yticklabels()]
    assert names == [HUNTS[name].label for name in ("eco", "epo", "bump", "lr")]
    styles = benchmark_styles(BENCHMARKS)
    z, half = bars_of(ax)[styles["m4"].color]
    assert z == pytest.approx([3.1, 2.1, 2.1, 2.1])
    assert half == pytest.approx(np.full(4, 0.05))
    open_ones = [line for line in ax.lines if to_hex(line.get_markerfacecolor()) == "#ffffff"]
    first, _ = (line.get_xdata() for line in open_ones)
    assert first[:2].tolist() == [2.00, 2.07]
    assert np.isnan(first[2:]).all()
    late = [line for line in axes[0, 2].lines if to_hex(line.get_markerfacecolor()) == "#ffffff"]
    assert np.isnan([line.get_xdata() for line in late]).all()  # none is published at (2, 3)


@pytest.fixture
def sensitivity(store, saved):
    """Draw what hunts reach by rate and threshold."""
    rows = [
        (benchmark, hunt, mu_b, mu_s, mu_s - 0.1 * mu_b - 0.5 * (hunt == "bump"), 0.02)
        for benchmark, hunt, mu_b, mu_s in product(
            BENCHMARKS, ("bump", "epo", "lr"), (1, 4), (2, 3)
        )
    ]
    maps = pd.DataFrame(rows, columns=["benchmark", "hunt", "mu_b", "mu_s", "z", "z_error"])
    settings = product(BENCHMARKS, ("eco", "epo"), (0.5, 0.7, None), RATES)
    tried = [
        (benchmark, hunt, setting, *rates, 3.0 if setting is None else 2 + setting, 0.1)
        for benchmark, hunt, setting, rates in settings
    ]
    columns = ["benchmark", "hunt", "setting", "mu_b", "mu_s", "z", "z_error"]
    thresholds = pd.DataFrame(tried, columns=columns).astype({"setting": "float64"})
    pure = [
        (benchmark, hunt, setting, n, n * setting, 0.1)
        for benchmark, hunt, setting, n in product(
            BENCHMARKS, ("eco", "epo"), (0.5, 0.7), range(3)
        )
    ]
    columns = ["benchmark", "hunt", "setting", "n_signal", "minus_log_p", "minus_log_p_error"]
    purities = pd.DataFrame(pure, columns=columns)
    plot_alp_sensitivity.main(
        maps=store("maps", maps),
        thresholds=store("thresholds", thresholds),
        purities=store("purities", purities),
        style=STYLE,
        **{name: [name] for name in ("sensitivity", "gain", "threshold", "purity")},
        benchmarks=BENCHMARKS,
        chosen=0.7,
    )
    return saved


def numbers(ax):
    """Return the numbers that are written into a map, from below."""
    return [text.get_text().replace("\u2212", "-") for text in ax.texts]


def test_maps_hold_the_significances(sensitivity):
    *axes, bar = sensitivity["sensitivity"].axes
    assert len(axes) == 2 * 3  # ECO was not tried
    assert numbers(axes[0]) == ["1.40", "1.10", "2.40", "2.10"]
    assert [label.get_text() for label in axes[3].get_xticklabels()] == ["1", "4"]
    assert [label.get_text() for label in axes[3].get_yticklabels()] == ["2", "3"]
    assert axes[0].get_title("right") == "errors ≤ 0.02"
    assert bar.get_ylim() == pytest.approx((0, 2.9))


def test_gains_have_signs(sensitivity):
    *axes, bar = sensitivity["gain"].axes
    assert len(axes) == 2 * 2
    assert numbers(axes[0]) == ["+0.50"] * 4
    assert axes[0].get_title("right") == "errors ≤ 0.03"
    assert bar.get_ylim() == pytest.approx((-0.5, 0.5))


def test_thresholds_are_drawn_at_the_rates_of_one_signal(sensitivity):
    axes = np.reshape(sensitivity["threshold"].axes, (2, 2))
    assert [ax.get_title("left").split(": ")[1] for ax in axes[:, 0]] == [
        "2 background, 4 signal",
        "6 background, 4 signal",
    ]
    z, half = bars_of(axes[0, 0])[HUNTS["eco"].color]
    assert z == pytest.approx([2.5, 2.7])
    assert half == pytest.approx([0.1, 0.1])
    dotted = [line.get_ydata()[0] for line in axes[0, 0].lines if line.get_linestyle() == ":"]
    assert dotted == [3.0, 3.0]


def test_signal_among_a_fixed_number_of_events_is_drawn(sensitivity):
    axes = np.reshape(sensitivity["purity"].axes, (2, 2))
    lines = [bars.lines[0].get_ydata().tolist() for bars in axes[1, 0].containers]
    assert lines == [[0, 0], [0.5, 0.7], [1.0, 1.4]]
    assert axes[1, 0].get_title("left") == "EPO (closed form), $m_a$ = 1 GeV"
    assert "2 of 2 events are signal" in words(sensitivity["purity"].legends[0])


def test_without_toys_of_that_size_the_page_says_so():
    figure = Figure()
    alp_sensitivity.draw_purity_page(
        figure, purities=pd.DataFrame({"hunt": [], "n_signal": []}), benchmarks={}, chosen=0.7
    )
    assert "no toys" in figure.texts[0].get_text()


def test_losses_of_all_networks_are_drawn(store, saved):
    losses = {"epoch": [0, 1], "train_loss": [0.6, 0.4], "validation_loss": [0.62, 0.5]}
    one = pd.DataFrame(losses)
    two = pd.concat([one.assign(member=0), one.assign(member=1)])
    tables = {"posterior": one.assign(member=0), "ratio": one, "eco": two, "epoconv": two}
    plot_alp_training.main(
        histories=[
            store(f"{name}{index}", table.assign(validation_loss=table["validation_loss"] - index))
            for name, table in tables.items()
            for index in (0, 1)
        ],
        style=STYLE,
        training=["page"],
        resolutions=RESOLUTIONS,
    )
    axes = np.reshape(saved["page"].axes, (2, 4))
    for line, index in zip(axes, (0, 1), strict=True):
        for ax, name in zip(line, alp_training.NETWORKS, strict=True):
            solid = [
                part
                for part in ax.lines
                if part.get_linestyle() == "-" and len(part.get_xdata()) == 2
            ]
            assert len(solid) == (2 if name in ("eco", "epoconv") else 1)
            assert solid[0].get_ydata() == pytest.approx([0.62 - index, 0.5 - index])
            chance = [part.get_ydata()[0] for part in ax.lines if part.get_linestyle() == "--"]
            assert chance == ([] if name == "posterior" else [np.log(2)])
    assert axes[1, 2].get_title("left") == "ECO, mine resolution"


def test_hunts_in_observed_events_are_called_by_name(store, saved):
    log10_mass = np.linspace(-1, 0.6, 50)
    densities = {"prior": 0.625, "event_0": 0.625, "event_1": 0.625}
    posteriors = pd.DataFrame({"log10_mass": log10_mass} | densities)
    posteriors = posteriors.assign(combined=0.625, marginal=0.625)
    events = pd.DataFrame(
        {
            "event": [0, 1],
            "retained": True,
            "mean_compatibility": 0.8,
            "level": 0.8,
            "signal_probability": 0.7,
            "diphoton_mass_gev": [0.9, 1.1],
        }
    )
    mass = {"mass_gev": 1.0, "low68_gev": 0.8, "high68_gev": 1.2}
    mass |= {"low95_gev": 0.6, "high95_gev": 1.5}
    row = {"p": 0.01, "is_bound": False, "z_one_sided": 2.3, "z_two_sided": 2.6}
    summary = {
        "threshold": 0.68,
        "retained": [0, 1],
        "n_signal": 1.4,
        "mass": {"cleaned": mass, "marginal": mass},
        "hunts": {"epo": row, "bump11": row},
    }
    plot_alp_observed.main(
        events=store("events", events),
        pairs=store("pairs", pd.DataFrame({"first": [0], "second": [1], "score": [0.8]})),
        posteriors=store("posteriors", posteriors),
        summary=store("summary", summary),
        style=STYLE,
        observed=["page"],
    )
    said = saved["page"].get_suptitle().split("\n")
    assert said[0].startswith("EPO (closed form): $p$ = 0.010")
    assert said[1].startswith("bump hunt, 11 bins: ")
