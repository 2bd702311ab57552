"""Scripts that draw resonance measurements, on tiny files, and that they draw what is there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy.stats import norm

from bumpflow.plotting import resonance_events, resonance_fits, resonance_post_fit, resonance_tests
from bumpflow.plotting.names import COMPONENTS, METHODS, event_styles
from bumpflow.report.page import png_size
from bumpflow.resonance.shapes import DoubleCrystalBall
from scripts import (
    plot_resonance_coverage,
    plot_resonance_curves,
    plot_resonance_features,
    plot_resonance_post_fit,
    plot_resonance_shapes,
    plot_resonance_smearing,
    plot_resonance_strategies,
    plot_resonance_tests,
    plot_resonance_uncertainties,
    plot_resonance_variation,
)

STYLE = Path(__file__).parents[2] / "config" / "matplotlibrc"
MEASUREMENT = {
    "mass": "m_gg",
    "window_gev": [90, 180],
    "signal_region_gev": [115, 135],
    "features": ["dr_bb", "some_$"],
    "systematics": {"up": {"scale": {"some_$": 0.1}, "components": ["signal"], "trained": False}},
}
PEAK = DoubleCrystalBall(125.0, 1.5, 3.0, 5.0, 1.5, 3.0, 5.0)
N_BACKGROUND, N_SIGNAL = 3000, 150
SHAPES = {
    "peaks": {"signal": PEAK._asdict()},
    "quality": {"signal": {"p": 0.4}},
    "background": {"series": "exponential", "order": 1, "theta": [1.5]},
}


def draw_masses(rng, n):
    """Return masses that fall exponentially over the window."""
    u = rng.random(n)
    return 90 - 90 / 1.5 * np.log(1 - u * (1 - np.exp(-1.5)))


def make_events(rng):
    """Return background and signal as data to fit, and simulated signal."""
    parts = []
    for component, role, label, n in (
        ("data", "fit", 0, N_BACKGROUND),
        ("data", "fit", 1, N_SIGNAL),
        ("signal", "train", -1, 500),
    ):
        signal = component == "signal" or label == 1
        parts.append(
            pd.DataFrame(
                {
                    "dr_bb": rng.uniform(0.4, 1.5 if signal else 5, n),
                    "some_$": rng.uniform(0, 10, n),
                    "m_gg": rng.normal(125, 1.5, n) if signal else draw_masses(rng, n),
                    "component": component,
                    "role": role,
                    "label": label,
                    "dataset": 0 if component == "data" else -1,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def words(ax):
    """Return everything that is written into a panel."""
    legend = ax.get_legend()
    labels = [text.get_text() for text in legend.get_texts()] if legend else []
    title = [legend.get_title().get_text()] if legend else []
    return "\n".join([ax.get_title("left"), *(t.get_text() for t in ax.texts), *title, *labels])


def steps(ax, color):
    """Return values and edges of the outlined histograms of a colour."""
    return [
        patch.get_data()
        for patch in ax.patches
        if hasattr(patch, "get_data") and to_hex(patch.get_edgecolor()) == color and not patch.fill
    ]


def test_features_are_written(store, rng, tmp_path):
    png = tmp_path / "features.png"
    plot_resonance_features.main(
        events=store("events", make_events(rng)),
        style=STYLE,
        features=[png],
        measurement=MEASUREMENT,
        n_bins=10,
    )
    assert min(png_size(png.read_bytes())) > 200


def test_features_of_each_region_are_drawn(store, rng, saved):
    table = make_events(rng)
    plot_resonance_features.main(
        events=store("events", table),
        style=STYLE,
        features=["page"],
        measurement=MEASUREMENT,
        n_bins=20,
    )
    mass, first, other, legend = saved["page"].axes
    assert [ax.get_xlabel() for ax in (mass, first, other)] == [
        r"$m_{\gamma\gamma}$ [GeV]",
        r"$\Delta R(b, b)$",
        r"some \$",
    ]
    background = table[(table["component"] == "data") & (table["label"] == 0)]
    inside = (background["m_gg"] >= 115) & (background["m_gg"] < 135)
    for name, share in (("signal_region", inside.mean()), ("sidebands", 1 - inside.mean())):
        ((values, edges, _),) = steps(mass, COMPONENTS[name].color)
        assert np.nansum(values * np.diff(edges)) == pytest.approx(share)
        assert {90, 115, 135, 180} <= set(edges)
        ((values, edges, _),) = steps(first, COMPONENTS[name].color)
        assert np.sum(values * np.diff(edges)) == pytest.approx(1)
    assert COMPONENTS["sidebands"].label in words(legend)


def test_a_feature_without_spread_has_a_range(rng):
    table = make_events(rng).assign(constant=2.0)
    style = event_styles(table, ["constant"], mass="m_gg", window=[90, 180])["constant"]
    assert style.low == 2
    assert style.high > 2


def test_smeared_features_are_drawn_where_they_are(store, rng, saved):
    plain = make_events(rng)
    smeared = plain.assign(**{"some_$": plain["some_$"] + rng.normal(0, 2, len(plain))})
    plot_resonance_smearing.main(
        plain=store("plain", plain),
        smeared=store("smeared", smeared),
        style=STYLE,
        smearing=["page"],
        measurement=MEASUREMENT,
        n_bins=25,
    )
    ax = saved["page"].axes[1]
    ((values, edges, _),) = steps(ax, resonance_events.BACKGROUND.color)
    assert edges[0] < -1
    width = edges[1] - edges[0]
    background = smeared[(smeared["component"] == "data") & (smeared["label"] < 1)]["some_$"]
    below = np.mean((background >= edges[0]) & (background < edges[3]))
    assert values[:3].sum() * width == pytest.approx(below)


def test_variations_scale_the_features_of_their_components(store, rng, saved):
    plot_resonance_variation.main(
        events=store("events", make_events(rng)),
        style=STYLE,
        variation=["page"],
        measurement=MEASUREMENT,
        n_bins=4,
    )
    background, signal = saved["page"].axes[1::2]
    for nu in (1, -1):
        color = resonance_events.VARIATIONS[nu].color
        ((values, _, _),) = steps(background, color)
        assert values == pytest.approx(np.ones(4))
        ((values, _, _),) = steps(signal, color)  # of a uniform density
        assert values[:3].mean() == pytest.approx(1 / (1 + 0.1 * nu), abs=0.05)


def make_families():
    """Return fits of two series."""
    common = {"s": 150.0, "b": 3000.0, "status": "converged", "p_value": 0.3}
    rows = [
        {"series": "exponential", "order": 1, "deviance": 10.0, "theta1": 1.5},
        {"series": "exponential", "order": 2, "deviance": 9.5, "theta1": 1.4, "theta2": 0.1},
        {"series": "power", "order": 1, "deviance": 12.0, "theta1": 2.2},
        {"series": "power", "order": 2, "deviance": 9.0, "theta1": 2.0, "theta2": 0.1},
        {"series": "inverse", "order": 1, "deviance": 1.0, "theta1": 3.0, "status": "failed"},
    ]
    return pd.DataFrame([common | row for row in rows])


def test_best_order_of_each_series():
    found = resonance_fits.best_orders(make_families())
    assert list(zip(found["series"], found["order"], strict=True)) == [
        ("exponential", 1),
        ("power", 2),
    ]


def test_mass_shapes_are_drawn_at_their_yields(store, rng, saved):
    plot_resonance_shapes.main(
        events=store("events", make_events(rng)),
        shapes=store("shapes", SHAPES),
        families=store("families", make_families()),
        style=STYLE,
        mass_shapes=["page"],
        measurement=MEASUREMENT,
        n_bins=90,
    )
    data, below, simulated, _ = saved["page"].axes
    exponential = steps(data, "#3f90da")
    assert [values.sum() for values, *_ in exponential] == pytest.approx([3150, 3000], rel=1e-3)
    assert "exponential, order 1: p = 0.3, chosen" in words(data)
    assert "power law, order 2: p = 0.3\n" in words(data) + "\n"
    assert "inverse" not in words(data)
    ((away, *_),) = steps(below, "#bd1f01")
    assert np.abs(away).max() > 0.01
    assert words(simulated).startswith("Simulated signal: p = 0.4")


def make_scores(rng):
    """Return scores that tell signal from background well."""
    parts = []
    for kind, n_background, n_signal in (
        ("data", N_BACKGROUND, N_SIGNAL),
        ("background", 5000, 0),
        ("signal", 0, 2000),
    ):
        mass = np.r_[draw_masses(rng, n_background), rng.normal(125, 1.5, n_signal)]
        mass[-n_signal // 5 :] += 20 * (kind == "signal")  # a tail beside the signal region
        score = np.r_[rng.beta(1, 3, n_background), rng.beta(3, 1, n_signal)]
        score[(mass < 115) | (mass >= 135)] = np.nan
        kept = np.r_[rng.random(n_background) < 0.05, rng.random(n_signal) < 0.5]
        parts.append(pd.DataFrame({"kind": kind, "mass": mass, "score": score, "kept": kept}))
    return pd.concat(parts, ignore_index=True)


def make_strategies():
    """Return what strategies say of two data sets."""
    rows = [
        {"dataset": number, "strategy": name, "signal": 150.0, "low": 150.0 - u, "high": 170.0}
        for number in (0, 1)
        for name, u in (("mass_only", 40.0), ("cut_and_fit", 25.0), ("binned_dnn", 20.0))
    ]
    return pd.DataFrame(rows).assign(uncertainty=lambda t: 10.0 + t["dataset"] * 6)


def test_strategies_are_drawn(store, rng, saved):
    plot_resonance_strategies.main(
        scores=store("scores", make_scores(rng)),
        strategies=store("strategies", make_strategies()),
        shapes=store("shapes", SHAPES),
        style=STYLE,
        examples=["page"],
        measurement=MEASUREMENT,
        n_bins=30,
    )
    uppers = saved["page"].axes[:3]
    assert "s = 150" in words(uppers[0])
    assert "_{-40}^{+20}" in words(uppers[0])
    assert [ax.get_yscale() for ax in uppers] == ["linear", "linear", "log"]


def test_spectra_hold_what_was_fitted(rng):
    table = make_scores(rng)
    masses = resonance_fits.MassModel(
        PEAK,
        resonance_fits.BackgroundShape("exponential", 1, resonance_fits.Window(90, 180)),
        resonance_fits.Window(115, 135),
    )
    spectra = resonance_fits.strategy_spectra(table, masses, signal=100.0, n_bins=90)
    data = table[table["kind"] == "data"]
    for name, events in (("mass_only", data), ("cut_and_fit", data[data["kept"]])):
        found = spectra[name]
        assert found.observed.sum() == len(events)
        assert found.total.sum() == pytest.approx(len(events), rel=1e-3)
        n_signal = events["mass"].between(120, 130).sum()
        assert 0 < found.signal.sum() < n_signal
    assert spectra["mass_only"].signal.sum() == pytest.approx(N_SIGNAL, abs=3 * 30)
    scored = spectra["binned_dnn"]
    assert scored.signal.sum() == pytest.approx(80)
    assert scored.total.sum() == pytest.approx(data["score"].notna().sum())


def make_post_fit(rng):
    """Return data in the signal region, and events of a model that is right."""
    tables = []
    for kind, n in (("background", 4000), ("signal", 1000)):
        signal = kind == "signal"
        tables.append(
            pd.DataFrame(
                {
                    "dr_bb": rng.uniform(0.5, 1.5 if signal else 4.5, n),
                    "some_$": rng.uniform(0, 10, n),
                    "mass": rng.normal(125, 1.5, n) if signal else rng.uniform(115, 135, n),
                    "ratio": rng.exponential(5 if signal else 1, n),
                    "component": kind,
                    "weight": 80 / n if signal else 500 / n,
                }
            )
        )
    model = pd.concat(tables, ignore_index=True)
    data = model.sample(580, weights="weight", random_state=1)
    tests = [
        {"region": region, "test": test, "p": p}
        for region, p in (("signal_region", 0.25), ("signal_like", 4e-5))
        for test in ("dr_bb", "some_$", "mass", "c2st")
    ]
    goodness = pd.DataFrame(tests).assign(auc=0.52, auc_error=0.02)
    return data.drop(columns=["component", "weight"]), model, goodness


def test_post_fit_projections_hold_the_fitted_yields(store, rng, saved):
    data, model, goodness = make_post_fit(rng)
    plot_resonance_post_fit.main(
        data=store("data", data),
        model=store("model", model),
        goodness=store("goodness", goodness),
        style=STYLE,
        post_fit=["all"],
        signal_like=["rare"],
        measurement=MEASUREMENT,
        n_bins=20,
    )
    *panels, legend = saved["all"].axes
    assert panels[1].get_xlabel() == r"$m_{\gamma\gamma}$ [GeV]"
    assert len(panels) == 6
    for text in ("fitted background: 500 events", "fitted signal: 80 events", "data: 580 events"):
        assert text in words(legend)
    assert "AUC 0.520 ± 0.020, p = 0.250" in words(legend)
    assert "KS p = 0.250" in words(panels[0])
    *panels, legend = saved["rare"].axes
    assert "fitted background: 5 events" in words(legend)  # a hundredth
    assert r"4.0 \times 10^{-5}" in words(panels[0])


def test_projections_are_sums_of_weights(rng):
    data, model, _ = make_post_fit(rng)
    styles = event_styles(model, ["some_$"], mass="mass", window=[115, 135])
    found = resonance_post_fit.project(data, model, styles, n_bins=10)["mass"]
    assert found.observed.sum() == len(data)
    assert found.background == pytest.approx(np.full(10, 50), rel=0.2)
    assert found.background.sum() == pytest.approx(500)
    assert found.signal.sum() == pytest.approx(80)
    assert found.signal[4:6].sum() > 0.7 * 80


def make_fits():
    """Return fits of two data sets, and of bootstraps."""
    rows = []
    for name, u in (("statistical", 20.0), ("shift", 24.0), ("envelope", 30.0), ("member0", 99.0)):
        for number in (0, 1):
            width = u + 4 * number
            ends = {"low": 150 - width, "high": 150 + width}
            row = {"dataset": number, "method": name, "signal": 150.0, "uncertainty": width}
            rows.append(row | ends)
    return pd.DataFrame(rows)


@pytest.mark.parametrize("known", [True, False])
def test_uncertainties_are_means_over_data_sets(store, saved, known):
    fits = store("fits", make_fits())
    plot_resonance_uncertainties.main(
        fits=[fits, fits],
        strategies=[store("strategies", make_strategies())] * known,
        style=STYLE,
        uncertainties=["page"],
        names=["ours", "published"],
        n_signal=200 if known else None,
    )
    axes = saved["page"].axes
    assert len(axes) == 1 + known
    names = [tick.get_text() for tick in axes[-1].get_yticklabels()]
    assert names == [METHODS[name].label for name in ("statistical", "shift", "envelope")]
    scale = 1 / 200 if known else 1.0
    means = [bars.lines[0].get_xdata()[0] for bars in axes[-1].containers]
    assert means == pytest.approx([22 * scale, 26 * scale, 32 * scale] * 2)
    ((start, end),) = axes[-1].containers[0].lines[2][0].get_segments()
    assert end[0] - start[0] == pytest.approx(2 * np.std([20, 24], ddof=1) * scale)
    if known:
        assert axes[0].containers[0].lines[0].get_xdata() == pytest.approx(13 / 200)
        assert axes[0].get_yticklabels()[-1].get_text() == "densities, unbinned (ours)"
        assert len(axes[0].containers) == 3 + 1 + 1  # strategies are those of the first set-up
    assert axes[-1].get_xlabel().endswith("[events]") is not known


def make_curves():
    """Return parabolas of three methods and two bootstraps."""
    signal = np.linspace(50, 250, 41)
    tables = [
        pd.DataFrame({"method": name, "signal": signal, "rise": ((signal - best) / width) ** 2})
        for name, best, width in (
            ("statistical", 150, 20),
            ("shift", 150, 24),
            ("systematics", 150, 26),
            ("member0", 140, 20),
            ("member1", 160, 20),
        )
    ]
    lowest = np.minimum(tables[-2]["rise"], tables[-1]["rise"])
    tables.append(pd.DataFrame({"method": "envelope", "signal": signal, "rise": lowest}))
    return pd.concat(tables, ignore_index=True)


def test_profile_likelihoods_are_drawn(store, saved):
    plot_resonance_curves.main(
        curves=store("curves", make_curves()),
        fits=store("fits", make_fits()),
        style=STYLE,
        envelope=["envelope"],
        systematics=["systematics"],
        n_signal=120,
    )
    for page, n_members in (("envelope", 2), ("systematics", 0)):
        (ax,) = saved[page].axes
        labels = [text.get_text() for text in saved[page].legends[0].get_texts()]
        colors = [to_hex(line.get_color()) for line in ax.lines if len(line.get_xdata()) == 41]
        assert len(colors) == n_members + 3
        assert METHODS[page].color in colors
        levels = [line.get_ydata()[0] for line in ax.lines if line.get_ydata()[0] in (1, 4)]
        assert levels == [1, 4]
        shift = next(label for label in labels if METHODS["shift"].label + ": " in label)
        assert shift.endswith(r"$s = 150\,_{-24}^{+24}$")  # of the first data set
        assert "true signal: 120" in labels
        low, high = ax.get_xlim()
        assert low < 110
        assert high > 190


TESTS = {
    "signal": {"signal": 150.0, "low": 130.0, "high": 170.0},
    "belt": {"low": 128.0, "high": 174.0, "confidence": 0.683},
    "scan": {"mass_gev": 125.0, "z": 4.2, "global_p": 0.02, "global_p_error": 0.01, "global_z": 2},
}


def draw_tests(store, rng, tests, n_toys):
    signals = np.linspace(0, 300, 7)
    belt = {"signal": signals, "statistic": ((signals - 150) / 20) ** 2, "critical": 1.0, "p": 0.3}
    scan = pd.DataFrame({"mass": np.arange(117, 134.0), "z": 1.0})
    scan.loc[8, "z"] = 4.2
    plot_resonance_tests.main(
        scan=store("scan", scan),
        scan_toys=store("toys", pd.DataFrame({"z_max": rng.normal(2, 0.5, n_toys)})),
        belt=store("belt", pd.DataFrame(belt)),
        tests=store("tests", tests),
        style=STYLE,
        mass_scan=["scan"],
        acceptance=["belt"],
        measurement=MEASUREMENT,
        n_toys=50,
    )


def test_scan_and_interval_are_drawn(store, rng, saved):
    draw_tests(store, rng, TESTS, 100)
    left, right = saved["scan"].axes
    assert left.get_title("left") == r"Largest $z$ = 4.20 $\sigma$ at 125 GeV"
    assert right.get_title("left").startswith("$p_{global}$ = 0.020 ± 0.010")
    assert left.get_ylim()[1] > 4.2
    upper, _ = saved["belt"].axes
    shaded = [patch.get_extents() for patch in upper.patches]
    ends = upper.transData.inverted().transform(shaded[0].get_points())[:, 0]
    assert ends == pytest.approx([128, 174])
    line = next(line for line in upper.lines if line.get_linestyle() == "--")
    assert line.get_ydata()[0] == pytest.approx(norm.isf((1 - 0.683) / 2) ** 2)
    labels = [text.get_text() for text in saved["belt"].legends[0].get_texts()]
    assert "accepted: 128 to 174 events" in labels
    assert "68.3 % of 50 toys lie below" in labels


def test_global_p_without_a_larger_toy_is_a_bound(store, rng, saved):
    none = TESTS | {"scan": TESTS["scan"] | {"global_p": 1 / 51}}
    draw_tests(store, rng, none, 50)
    assert saved["scan"].axes[1].get_title("left").startswith(r"$p_{global}$ ≤ 0.020, ")


def test_coverage_needs_two_fits():
    toys = pd.DataFrame({"pull": [0.1, np.nan, 0.5, 2.0], "uncertainty": 1.0, "replica": 0})
    toys = toys.assign(
        distance=toys["pull"] ** 2, signal=100, method=["envelope"] * 2 + ["shift"] * 2
    )
    table = resonance_tests.coverage_table(toys)
    assert table["method"].tolist() == ["shift"]
    assert table["n_toys"].tolist() == [2]
    assert table["coverage68"].tolist() == [0.5]


def test_coverage_is_that_of_the_toys(store, rng, saved):
    tables = []
    for replica, shift in enumerate((0.0, 0.4, -0.4)):
        for signal in (0, 100):
            pull = rng.normal(shift, 1, 400)
            pull[0] = np.nan if replica == 0 else pull[0]
            for method in ("shift", "envelope"):
                one = pd.DataFrame({"pull": pull, "distance": pull**2, "uncertainty": 1.0})
                tables.append(one.assign(method=method, signal=signal, replica=replica))
    toys = pd.concat(tables, ignore_index=True)
    plot_resonance_coverage.main(
        toys=[store(f"toys{k}", part) for k, part in toys.groupby("replica")],
        style=STYLE,
        coverage=["page"],
    )
    found = {}
    for ax, name in zip(saved["page"].axes, resonance_tests.PANELS, strict=True):
        found[name] = {
            to_hex(bars.lines[0].get_color()): bars.lines[0].get_ydata() for bars in ax.containers
        }
    mine = toys[(toys["method"] == "shift") & toys["pull"].notna()].groupby("signal")["pull"]
    color = METHODS["shift"].color
    share = mine.apply(lambda pull: np.mean(np.abs(pull) < 1)).to_numpy()
    assert found["coverage68"][color] == pytest.approx(share, abs=1e-3)
    assert found["pull_mean"][color] == pytest.approx(mine.mean().to_numpy())
    assert found["pull_width"][color] == pytest.approx(mine.std().to_numpy())
    envelope = METHODS["envelope"].color
    assert len(found["coverage68"][envelope]) == 2
    assert len(found["coverage95"].get(envelope, [])) == 0
    error = next(
        bars.lines[2][0].get_segments()[0]
        for bars in saved["page"].axes[2].containers
        if to_hex(bars.lines[0].get_color()) == color
    )
    half = (error[1][1] - error[0][1]) / 2
    assert half == pytest.approx(0.4 / np.sqrt(3), rel=0.35)  # not the 0.03 of 1200 toys
