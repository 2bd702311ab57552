"""Figures of generated events: that what is drawn is what was given, and what is computed for it."""

from pathlib import Path

import awkward as ak
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bumpflow import io
from bumpflow.ingest.layout import HIGGS_FEATURES
from bumpflow.plotting import benchmark, cutflows, generators, mixture, overlays, shapes, spectra
from bumpflow.plotting.histograms import Densities, measure_densities
from bumpflow.plotting.names import (
    EVENT_CLASSES,
    FEATURES,
    GEV_FEATURES,
    SAMPLES,
    SELECTIONS,
    SPECTRA,
    FeatureStyle,
    ModelStyle,
    sample_styles,
)

ROOT = Path(__file__).parents[3]
KINDS = ("electron", "muon", "photon", "jet")
TWO = sample_styles(["hh", "bbaa"])


@pytest.fixture
def figure():
    return Figure(figsize=(9, 6), layout="constrained")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def stairs_of(ax):
    return [patch.get_data() for patch in ax.patches if hasattr(patch, "get_data")]


def curve_of(ax, label):
    return next(line for line in ax.lines if line.get_label().startswith(label))


def bars_of(ax):
    """Return the length of every vertical bar, collection by collection."""
    return [
        [segment[1, 1] - segment[0, 1] for segment in found.get_segments()]
        for found in ax.collections
        if hasattr(found, "get_segments")
    ]


def objects(events, **numbers):
    """Return events as a table of lists; what an event does not mention is an empty list."""
    names = [f"{kind}_{what}" for kind in KINDS for what in ("pt", "eta", "phi")]
    names += ["electron_charge", "muon_charge", "jet_mass", "jet_btag"]
    columns = {
        name: pa.array([event.get(name, []) for event in events], pa.list_(pa.float32()))
        for name in names
    }
    columns["met"] = pa.array(numbers.get("met", [0.0] * len(events)), pa.float32())
    columns["weight_fb"] = pa.array(numbers.get("weight_fb", [1.0] * len(events)))
    columns["sample"] = pa.array(numbers.get("sample", ["a"] * len(events))).dictionary_encode()
    return pa.table(columns)


def particles(kind, *momenta, **more):
    pt, eta, phi = (list(column) for column in zip(*momenta, strict=True))
    named = {"pt": pt, "eta": eta, "phi": phi} | more
    return {f"{kind}_{name}": values for name, values in named.items()}


def test_defaults_are_drawn_with_symbols_and_colours_of_their_own():
    config = io.read_yaml(ROOT / "config" / "config.yaml")
    assert set(HIGGS_FEATURES) <= set(FEATURES)
    assert set(config["samples"]) <= set(SAMPLES)
    kinds = {block["kind"] for block in config["selections"].values()}
    assert kinds == set(SELECTIONS)
    for kind in kinds:
        styles = [
            SAMPLES[name]
            for name, block in config["samples"].items()
            if config["selections"][block["selection"]]["kind"] == kind
        ]
        assert len({style.color for style in styles}) == len(styles), kind
        assert len({style.label for style in styles}) == len(styles), kind


def test_unknown_samples_get_colours_that_are_left():
    styles = sample_styles(["one", "hh", "two", "bbaa"])
    assert list(styles) == ["one", "hh", "two", "bbaa"]
    assert styles["one"].label == "one"
    assert len({style.color for style in styles.values()}) == 4


def test_btag_levels_lie_inside_their_bins():
    """Levels of UCI HIGGS, whose shifts by rounding must not move them to another bin."""
    for name, levels in {
        "jet_1_btag": (0, 1.0865, 2.1731),
        "jet_2_btag": (0, 1.1074, 2.2149),
        "jet_3_btag": (0, 1.2741, 2.5482),
        "jet_4_btag": (0, 1.5510, 3.1020),
    }.items():
        style = FEATURES[name]
        place = (np.array(levels) - style.low) / (style.high - style.low) * 24
        assert np.all(np.abs(place - np.round(place)) > 0.02), name


@pytest.mark.parametrize(("n_features", "last"), [(18, 1.0), (27, 1.0), (28, 0.35)])
def test_row_of_the_legend_alone_is_low(n_features, last):
    heights = overlays.panel_heights(n_features)
    assert len(heights) == overlays.panel_rows(n_features)
    assert heights[-1] == last
    assert set(heights[:-1]) == {1.0}


def test_shapes_use_the_weights():
    table = pd.DataFrame({"m_gg": [95.0, 95, 130], "weight_fb": [1.0, 2, 5]})
    found = shapes.measure_shapes({"hh": table}, {"m_gg": GEV_FEATURES["m_gg"]}, 2)["hh"]
    assert found.values[0] == pytest.approx([8 / 8 / 45, 0])
    found = shapes.measure_shapes({"hh": table}, {"m_gg": FeatureStyle("m", "GeV", 90, 140)}, 2)
    assert found["hh"].values[0] == pytest.approx([3 / 8 / 25, 5 / 8 / 25])
    assert found["hh"].variances[0] == pytest.approx([5 / (8 * 25) ** 2, 25 / (8 * 25) ** 2])


def test_shape_page_draws_each_sample_with_bars_and_marks(figure, rng):
    names = ["m_gg", "pt_gg", "dr_gg"]
    features = {name: GEV_FEATURES[name] for name in names}
    tables = {
        sample: pd.DataFrame(
            {name: rng.uniform(one.low, one.high, 500) for name, one in features.items()}
        ).assign(weight_fb=2.0)
        for sample in TWO
    }
    found = shapes.measure_shapes(tables, features, 8)
    shapes.draw_shape_page(
        figure, samples=found, features=features, styles=TWO, marks=shapes.HIGGS_MARKS
    )
    panels = figure.axes[:3]
    for index, (ax, feature) in enumerate(zip(panels, features.values(), strict=True)):
        for drawn, sample in zip(stairs_of(ax), found.values(), strict=True):
            assert drawn.values.tolist() == sample.values[index].tolist()
        assert bars_of(ax)[1] == pytest.approx(2 * np.sqrt(found["bbaa"].variances[index]))
        assert ax.get_xlabel() == feature.label
    assert [ax.get_ylabel() for ax in panels] == ["density [1 / GeV]"] * 2 + ["density"]
    assert panels[0].lines[-1].get_xdata() == [125, 125]
    assert [len(ax.texts) for ax in panels] == [1, 0, 0]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [style.label for style in TWO.values()]


def test_comparison_draws_ratios_to_the_first_sample(figure):
    edges = np.array([[0.0, 1, 2]])
    one = Densities(np.array([[0.4, 0.6]]), np.array([[0.01, 0.01]]), edges)
    two = Densities(np.array([[0.6, 0.3]]), np.array([[0.04, 0.01]]), edges)
    feature = FeatureStyle("p", "GeV", 0, 2)
    shapes.draw_comparison_page(
        figure, samples={"hh": one, "bbaa": two}, features=[feature], styles=TWO
    )
    upper, lower = figure.axes
    assert upper.get_yscale() == "log"
    points = next(line for line in lower.lines if line.get_marker() == TWO["bbaa"].marker)
    assert points.get_ydata() == pytest.approx([1.5, 0.5])
    assert bars_of(lower)[-1] == pytest.approx([2 * 0.2 / 0.4, 2 * 0.1 / 0.6])
    assert lower.get_ylabel() == r"ratio to $HH$"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [r"$HH$ (reference)", TWO["bbaa"].label]


def test_momenta_of_mesons():
    found = shapes.measure_momenta(pd.DataFrame({"px": [3.0], "py": [4], "pz": [5], "energy": 9}))
    assert found["pt"].tolist() == [5]
    assert found["theta_mrad"].tolist() == pytest.approx([250 * np.pi])


@pytest.fixture
def ratios():
    """Return ratios that tell generated from real signal, and nothing of the background."""
    return pd.DataFrame(
        {
            "generated": [0, 1, 0, 1] + [0, 1] * 2,
            "label": [1, 1, 1, 1] + [0] * 4,
            "log_ratio_trees": [0.0, 2, 1, 3] + [0.0] * 4,
        }
    )


def test_roc_page_keeps_classes_apart(figure, ratios):
    said = {"auc_uncertainty": 0.01, "auc_low": 0.4, "auc_high": 0.6}
    record = {
        "signal": {"trees": said | {"auc": 1.0}},
        "background": {"trees": said | {"auc": 0.5}},
    }
    scores = benchmark.class_scores(
        ratios, record, classifier="trees", labels={"background": 0, "signal": 1}
    )
    assert scores["signal"][0].generated.tolist() == [2, 3]
    assert scores["signal"][0].real.tolist() == [0, 1]
    benchmark.draw_class_roc_page(
        figure, scores={"trees": scores}, styles=EVENT_CLASSES, confidence=0.9
    )
    upper, lower = figure.axes
    texts = [text.get_text() for text in upper.get_legend().get_texts()]
    assert texts[0] == f"{EVENT_CLASSES['background'].label}: 0.500 [0.400, 0.600]"
    assert texts[1].endswith("1.000 [0.400, 0.600]")
    assert upper.get_legend().get_title().get_text() == "AUC [90 % interval]"
    curves = {to_hex(line.get_color()): line.get_ydata() for line in lower.lines}
    assert curves[EVENT_CLASSES["background"].color] == pytest.approx(0)
    # All of the signal is told apart: the excess is what is not accepted by mistake.
    rates = np.linspace(0, 1, 201)
    assert curves[EVENT_CLASSES["signal"].color] == pytest.approx(1 - rates)
    assert len(lower.collections) == 1


@pytest.fixture
def responses():
    edges = np.array([20.0, 40, 80])
    return pd.concat(
        pd.DataFrame(
            {
                "group": group,
                "pt_gev": [30.0, 60],
                "pt_low_gev": edges[:-1],
                "pt_high_gev": edges[1:],
                "response": low,
                "response_error": 0.01,
                "corrected": 1.005,
                "corrected_error": 0.02,
                "n": 100,
            }
        )
        for group, low in (("b", 0.8), ("light", 0.9))
    )


def test_responses_are_drawn_before_and_after(figure, responses):
    generators.draw_response_page(figure, tables={"cms, pp8": responses, "hllhc, pp14": responses})
    assert len(figure.axes) == 4
    before, after = figure.axes[:2]
    assert before.get_title() == "cms, pp8, before the correction"
    for ax, expected, error in ((before, (0.8, 0.9), 0.01), (after, (1.005, 1.005), 0.02)):
        points = [line for line in ax.lines if line.get_marker() in ("s", "o")]
        assert [line.get_ydata().tolist() for line in points] == [[y, y] for y in expected]
        assert bars_of(ax)[1] == pytest.approx([2 * error] * 2)
        low, high = ax.get_ylim()
        assert low < min(*expected, 0.98)
        assert high > max(*expected, 1.02)
        assert ax.get_xlabel() == r"$p_T$(parton) [GeV]"
    assert figure.legends[0].get_texts()[-1].get_text() == "± 2 %"


def test_empty_bins_of_responses_are_left_out(figure, responses):
    columns = ["response", "response_error", "corrected", "corrected_error"]
    responses.loc[responses["pt_gev"] == 60, columns] = np.nan
    generators.draw_response_page(figure, tables={"cms, pp8": responses})
    assert np.all(np.isfinite(figure.axes[0].get_ylim()))


@pytest.fixture
def pairs():
    """Return spectra that are quadratic in the self-coupling, and their integrals."""
    low = np.array([250.0, 300])
    rows = [
        pd.DataFrame(
            {
                "kappa_lambda": kappa,
                "m_hh_gev": low + 25,
                "m_hh_low_gev": low,
                "m_hh_high_gev": low + 50,
                "dsigma_fb_per_gev": [0.1 * (3 - kappa) ** 2 / 4, 0.2],
                "dsigma_error": 0.01,
            }
        )
        for kappa in (0.0, 1.0, 2.0)
    ]
    table = pd.concat(rows)
    total = 50 * table.groupby("kappa_lambda")["dsigma_fb_per_gev"].sum()
    return table, total.rename("crosssection_fb").reset_index().assign(crosssection_error_fb=0.5)


def test_double_higgs_page_marks_the_standard_model(figure, pairs):
    table, totals = pairs
    generators.draw_double_higgs_page(figure, spectra=table.iloc[::-1], totals=totals)
    upper, right, lower, _ = figure.axes
    drawn = stairs_of(upper)
    assert drawn[1].values.tolist() == [0.1, 0.2]
    assert drawn[1].edges.tolist() == [250, 300, 350]
    assert bars_of(upper)[1] == pytest.approx([0.02, 0.02])
    assert [text.get_text() for text in upper.get_legend().get_texts()] == [
        r"$\kappa_\lambda$ = 0",
        r"$\kappa_\lambda$ = 1 (SM)",
        r"$\kappa_\lambda$ = 2",
    ]
    assert [step.values.tolist() for step in stairs_of(lower)] == [
        pytest.approx([2.25, 1]),
        pytest.approx([0.25, 1]),
    ]
    star = curve_of(right, "SM")
    assert star.get_xdata().tolist() == [1]
    assert star.get_ydata() == pytest.approx([15])
    assert star.get_label() == "SM: 15.00 ± 0.50 fb"
    parabola = right.lines[0]
    assert parabola.get_ydata() == pytest.approx(
        50 * (0.025 * (3 - parabola.get_xdata()) ** 2 + 0.2)
    )


def test_double_higgs_page_does_without_the_standard_model(figure, pairs):
    table, totals = pairs
    generators.draw_double_higgs_page(
        figure,
        spectra=table[table["kappa_lambda"] != 1],
        totals=totals[totals["kappa_lambda"] != 1],
    )
    assert not stairs_of(figure.axes[2])


def test_leading_two_are_the_hardest_in_any_order():
    events = objects(
        [
            particles("jet", (30, 0, 0), (50, 1, 1), (40, 2, 2), mass=[3.0, 5, 4]),
            particles("jet", (20, 0, 0), mass=[0.0]),
        ]
    )
    found = mixture.leading_two(mixture.unpack_objects(events), "jet")
    assert np.hypot(found[0, :, 0], found[0, :, 1]) == pytest.approx([50, 40])
    energy = np.sqrt((50 * np.cosh(1)) ** 2 + 25)
    assert found[0, 0, 3] == pytest.approx(energy)
    assert np.isnan(found[1, 1]).all()


def test_observables_of_events_made_by_hand():
    events = objects(
        [
            particles("photon", (60, 0, 0), (60, 0, np.pi))
            | particles("jet", (30, 0.5, 0), (40, 0.5, np.pi), (10, 0, 0), mass=[0.0, 0, 0]),
            {},
        ],
        met=[25.0, 5],
    )
    found = mixture.measure_observables(mixture.unpack_objects(events))
    assert set(found) == set(SPECTRA)
    assert found["ht"].tolist() == [80, 0]
    assert found["jet_pt"][0] == pytest.approx(40)
    assert found["m_jj"][0] == pytest.approx(np.sqrt(2 * 30 * 40 * (1 - np.cos(np.pi))), rel=1e-6)
    assert found["m_gg"][0] == pytest.approx(120, rel=1e-6)
    assert found["met"].tolist() == [25, 5]
    for name in ("jet_pt", "m_jj", "m_ll", "m_gg"):
        assert np.isnan(found[name][1])


def lepton_pair(kind, pt, charges):
    return particles(kind, (pt, 0, 0), (pt, 0, np.pi), charge=charges)


@pytest.mark.parametrize(
    ("event", "mass"),
    [
        (lepton_pair("electron", 45, [1, -1]), 90),
        (lepton_pair("muon", 30, [-1, 1]), 60),
        (lepton_pair("muon", 30, [1, 1]), np.nan),
        (
            particles("electron", (40, 0, 0), charge=[1])
            | particles("muon", (40, 0, np.pi), charge=[-1]),
            np.nan,
        ),
        (lepton_pair("electron", 20, [1, -1]) | lepton_pair("muon", 40, [1, -1]), 80),
        # Of three electrons, the hardest pair of opposite charge, not the hardest pair.
        (particles("electron", (50, 0, 0), (40, 0, 0), (30, 0, np.pi), charge=[1, 1, -1]),
         2 * np.sqrt(50 * 30)),
    ],
)  # fmt: skip
def test_dilepton_mass(event, mass):
    found = mixture.dilepton_mass(mixture.unpack_objects(objects([event, {}])))
    assert found == pytest.approx([mass, np.nan], nan_ok=True, rel=1e-6)


def test_observables_of_many_events_equal_those_of_a_loop(rng):
    """Vectorised masses against a plain loop over events and pairs."""
    events = []
    for _ in range(60):
        event = {}
        for kind in KINDS:
            n = rng.poisson(2)
            momenta = zip(
                rng.uniform(20, 100, n), rng.normal(0, 1, n), rng.uniform(-3, 3, n), strict=True
            )
            more = {"mass": rng.uniform(1, 9, n)} if kind == "jet" else {}
            if kind in ("electron", "muon"):
                more = {"charge": rng.choice([-1.0, 1], n)}
            if n:
                event |= particles(kind, *momenta, **more)
        events.append(event)
    found = mixture.measure_observables(mixture.unpack_objects(objects(events)))
    for index, event in enumerate(events):
        assert found["m_ll"][index] == pytest.approx(loop_mass(event), nan_ok=True, rel=1e-4)


def loop_mass(event):
    best, mass = 0.0, np.nan
    for kind in ("electron", "muon"):
        parts = [event.get(f"{kind}_{name}", []) for name in ("pt", "eta", "phi", "charge")]
        leptons = list(zip(*parts, strict=True))
        for place, (pt, eta, phi, charge) in enumerate(leptons):
            for other in leptons[place + 1 :]:
                if charge * other[3] < 0 and pt + other[0] > best:
                    best = pt + other[0]
                    angles = np.cosh(eta - other[1]) - np.cos(phi - other[2])
                    mass = np.sqrt(2 * pt * other[0] * angles)
    return mass


@pytest.fixture
def table():
    event = particles("jet", (60, 0, 0), mass=[0.0], btag=[2.0])
    return objects(
        [event, event, event, {}],
        met=[3.0, 3, 30, 3],
        weight_fb=[2.0, 4, 10, 1],
        sample=["a", "a", "b", "b"],
    )


def test_spectra_are_differential_crosssections(table):
    edges = {"met": np.array([1.0, 11, 101]), "ht": np.array([20.0, 220])}
    pieces = [table.slice(0, 1), table.slice(1)]
    found = mixture.sum_spectra(pieces, samples=["a", "b"], edges=edges)
    assert found["met"]["a"].values.tolist() == [0.6, 0]
    assert found["met"]["a"].variances.tolist() == pytest.approx([0.2, 0])
    assert found["met"]["b"].values.tolist() == pytest.approx([0.1, 10 / 90])
    assert found["ht"]["b"].values.tolist() == [10 / 200]  # an event without jets is outside


def test_spectra_stack_the_smallest_component_first(figure, table):
    edges = {"ht": np.array([20.0, 220]), "met": np.array([1.0, 11, 101])}
    found = mixture.sum_spectra([table], samples=["b", "a"], edges=edges)
    assert spectra.order_components(found) == ["a", "b"]
    styles = {"a": ModelStyle("A", "#ff0000", "o"), "b": ModelStyle("B", "#0000ff", "s")}
    spectra.draw_spectra_page(figure, spectra=found, observables=SPECTRA, styles=styles)
    ax = figure.axes[1]
    first, second, outline = stairs_of(ax)
    assert first.values.tolist() == pytest.approx([0.6, 0])
    assert second.baseline.tolist() == pytest.approx([0.6, 0])
    assert second.values.tolist() == pytest.approx([0.7, 10 / 90])
    assert outline.values.tolist() == pytest.approx([0.7, 10 / 90])
    hatched = ax.collections[0].get_paths()[0].vertices
    error = np.sqrt(2**2 + 4**2 + 1) / 10
    assert hatched[:, 1].max() == pytest.approx(0.7 + error)
    assert ax.get_xlabel() == r"$E_T^{miss}$ [GeV]"
    assert ax.get_ylabel() == r"d$\sigma$ / d$E_T^{miss}$ [fb / GeV]"
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["B", "A", "statistical uncertainty"]


def test_categories_are_summed_over_pieces(table):
    whole = mixture.sum_categories([table])
    pieces = mixture.sum_categories([table.slice(0, 1), table.slice(1)])
    pd.testing.assert_frame_equal(whole, pieces)
    tagged = whole[(whole["n_jets"] == 1) & (whole["sample"] == "a")].iloc[0]
    assert (tagged["n_b"], tagged["n_events"]) == (1, 2)
    assert (tagged["weight_fb"], tagged["weight_squared"]) == pytest.approx((6, 20))
    assert whole["n_events"].sum() == 4


def test_cumulative_number_of_categories():
    size, number = spectra.cumulate([3, 0, 7, 3])
    assert size.tolist() == [7, 3, 3]
    assert number.tolist() == [1, 2, 3]


def test_categories_are_drawn_as_a_falling_step(figure):
    ax = figure.subplots()
    sizes, errors = np.array([1.0, 10, 100]), np.array([0.0, 5, 0])
    spectra.draw_categories(ax, sizes=sizes, errors=errors, style=spectra.TOTAL)
    line = ax.lines[0]
    assert line.get_drawstyle() == "steps-post"
    assert line.get_label() == "all (3)"
    # Between 10 and 100 there is one category at least as large, below 10 there are two.
    assert line.get_xdata().tolist() == [100, 10, 1]
    assert line.get_ydata().tolist() == [1, 2, 3]
    band = ax.collections[0].get_paths()[0].vertices
    at_7 = band[np.abs(band[:, 0] - 7) < 0.1, 1]
    assert (at_7.min(), at_7.max()) == (1, 2)  # of 10 ± 5, that may be 5


def test_category_page_counts_the_whole_once(figure, table):
    styles = {"a": ModelStyle("A", "#ff0000", "o"), "b": ModelStyle("B", "#0000ff", "s")}
    spectra.draw_category_page(figure, table=mixture.sum_categories([table]), styles=styles)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["A (1)", "B (2)", "all (2)"]  # both components share a category
    assert curve_of(figure.axes[0], "all").get_xdata().tolist() == [3, 1]
    assert curve_of(figure.axes[1], "all").get_xdata().tolist() == [16, 1]


RECORD = {
    "n_generated": 100,
    "cutflow": {"generated": 100, "one_lepton": 50, "tags": 0},
    "selected_fb": 1234.0,
    "selected_error_fb": 45.6,
}


def test_cutflow_is_a_share_with_its_uncertainty():
    found = cutflows.cutflow_fractions(RECORD)
    assert found == {"generated": (1, 0), "one_lepton": (0.5, pytest.approx(0.05)), "tags": (0, 0)}
    without = cutflows.cutflow_fractions(RECORD | {"cutflow": {"tags": 10}})
    assert list(without) == ["generated", "tags"]


def test_cutflow_page_has_a_panel_per_kind(figure):
    diphoton = RECORD | {"cutflow": {"generated": 100, "photons": 20}}
    cutflows.draw_cutflow_page(
        figure,
        records={"diphoton": {"hh": diphoton, "bbaa": diphoton}, "objects": {"qcd13": RECORD}},
        styles=sample_styles(["hh", "bbaa", "qcd13"]),
    )
    first, second = figure.axes
    assert [text.get_text() for text in first.get_xticklabels()] == ["generated", "photons"]
    assert first.lines[0].get_ydata().tolist() == [1, 0.2]
    assert bars_of(first)[0] == pytest.approx([0, 2 * np.sqrt(0.2 * 0.8 / 100)])
    assert first.lines[0].get_xdata()[0] != first.lines[1].get_xdata()[0]
    assert [text.get_text() for text in second.get_xticklabels()][1] == "one lepton"
    assert np.isnan(second.lines[0].get_ydata()[2])  # nothing left has no place on the axis
    legend = second.get_legend().get_texts()[0].get_text()
    assert legend == "multijets: 1.234 ± 0.046 pb"


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.0123, 0.0004, "12.30 ± 0.40 ab"),
        (19.62, 0.09, "19.620 ± 0.090 fb"),
        (2.5e8, 3e6, "250.0 ± 3.0 nb"),
        (3e10, 1e9, "30.0 ± 1.0 µb"),
        (5.0, 0.0, "5.00 ± 0.00 fb"),
        (0.0, 0.0, "0.00 ± 0.00 ab"),
    ],
)
def test_crosssections_have_the_unit_that_suits(value, error, text):
    assert cutflows.format_crosssection(value, error) == text


def test_unpacked_lists_leave_names_out(table):
    events = mixture.unpack_objects(table)
    assert isinstance(events, ak.Array)
    assert "sample" not in events.fields
    assert mixture.sample_names(table).tolist() == ["a", "a", "b", "b"]


def test_azimuths_are_drawn_whole(rng):
    """UCI HIGGS divides azimuths by their standard deviation: they end at 1.7437."""
    style = FEATURES["jet_1_phi"]
    x = rng.uniform(-1.7437, 1.7437, (1000, 1))
    found = measure_densities(x, np.array([[style.low, style.high]]), 24)
    assert (found.values * np.diff(found.edges)).sum() == pytest.approx(1)


def test_pages_of_nothing_are_drawn_without_a_warning(figure):
    """Small studies leave spectra and features empty."""
    edges = np.geomspace(90, 180, 5)
    nothing = Densities(np.zeros(4), np.zeros(4), edges)
    for_pages = Densities(*(part[None] for part in nothing))
    spectra.draw_spectra_page(
        figure, spectra={"ht": {"hh": nothing}}, observables=SPECTRA, styles=TWO
    )
    for draw, features in (
        (shapes.draw_shape_page, {"m_gg": GEV_FEATURES["m_gg"]}),
        (shapes.draw_comparison_page, [GEV_FEATURES["m_gg"]]),
    ):
        one = Figure(layout="constrained")
        draw(one, samples=dict.fromkeys(TWO, for_pages), features=features, styles=TWO)
        one.draw_without_rendering()
    figure.draw_without_rendering()
