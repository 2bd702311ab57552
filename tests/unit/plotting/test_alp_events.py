"""The page of observed events: that what is drawn is what was found."""

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.observed import Hunt, Observed, analyse_events
from bumpflow.compatibility.pairs import pair_scores
from bumpflow.compatibility.significance import Tally
from bumpflow.compatibility.toys import plan_cells
from bumpflow.plotting import alp_events
from bumpflow.plotting.style import styled
from tests import compatible_events as made

AXIS = Axis(math.log10(0.1), math.log10(4.5), 200)
FOUR = [0.02, -0.03, 0.01, -0.6]


@pytest.fixture
def figure():
    return Figure(figsize=(12, 7.6), layout="constrained")


def analyse(x, **values):
    x = torch.as_tensor(x, dtype=torch.float64)
    logs = made.log_ratio(x)
    scores = pair_scores(logs[None], AXIS.weights)[0]
    cells = plan_cells([2.0], n_min=50)
    toys = Tally.of(cells.n_background[cells.cell], cells)
    return analyse_events(
        Observed(logs, scores, 10 ** x.numpy()),
        weights=AXIS.weights,
        axis=AXIS,
        threshold=0.68,
        mu_b=2.0,
        hunts={name: Hunt(value, toys) for name, value in values.items()},
    )


def draw(figure, found, **options):
    alp_events.draw_analysis_page(
        figure,
        events=found.events,
        pairs=found.pairs,
        posterior=found.posterior,
        summary=found.summary,
        **options,
    )
    figure.draw_without_rendering()
    return figure.axes


def markers(ax):
    """Return positions of events, and whether they are filled."""
    lines = [line for line in ax.lines if line.get_marker() == "o"]
    places = [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines]
    return places, [to_hex(line.get_markerfacecolor()) != "#ffffff" for line in lines]


def test_page_shows_the_tables(figure):
    found = analyse(FOUR, number=4)
    first, second, third, fourth, fifth, sixth, bar = draw(figure, found, true_mass_gev=1.0)
    mass = 10 ** found.posterior["log10_mass"]
    for event in range(4):
        line = first.lines[event]
        np.testing.assert_allclose(line.get_xdata(), mass)
        np.testing.assert_allclose(line.get_ydata(), found.posterior[f"event_{event}"])
        assert line.get_linestyle() == ("--" if event == 3 else "-")
    matrix = second.collections[0].get_array().reshape(4, 4)
    for row in found.pairs.itertuples():
        assert matrix[row.first, row.second] == matrix[row.second, row.first] == row.score
    assert np.ma.getmaskarray(matrix).diagonal().all()
    assert [text.get_text() for text in second.texts].count("0.00") == 6
    for ax, name in ((third, "mean_compatibility"), (fourth, "level")):
        places, filled = markers(ax)
        assert places == list(enumerate(found.events[name]))
        assert filled == [True, True, True, False]
        assert 0.68 in [line.get_ydata()[0] for line in ax.lines if len(line.get_xdata()) == 2]
    assert [patch.get_height() for patch in fourth.patches] == found.events["level"].tolist()
    columns = found.events[["diphoton_mass_gev", "signal_probability"]].to_numpy()
    places, filled = markers(fifth)
    np.testing.assert_allclose(places, columns)
    curves = {to_hex(line.get_color()): line for line in sixth.lines}
    for style, name in ((alp_events.CLEANED, "combined"), (alp_events.MARGINAL, "marginal")):
        np.testing.assert_allclose(curves[style.color].get_ydata(), found.posterior[name])
    truths = [[*line.get_xdata()] for ax in (first, fifth, sixth) for line in ax.lines]
    assert truths.count([1.0, 1.0]) == 3
    assert fourth.get_title() == "Cleaning retains 3 of 4"
    assert bar.get_ylabel() == "compatibility"
    assert figure.get_suptitle() == "number: $p$ = 0.143, $Z$ = 1.1 (two-sided 1.5)"


def test_intervals_are_shaded_and_in_view(figure):
    found = analyse(FOUR)
    ax = draw(figure, found)[5]
    wide, narrow = (area.get_datalim(ax.transData) for area in ax.collections)
    numbers, step = found.summary["mass"]["marginal"], 10**AXIS.step
    for area, level in ((wide, 95), (narrow, 68)):
        ends = [numbers[f"{end}{level}_gev"] for end in ("low", "high")]
        assert ends[0] <= area.x0 <= step * ends[0]
        assert ends[1] / step <= area.x1 <= ends[1]
    low, high = ax.get_xlim()
    assert low < numbers["low95_gev"] < numbers["high95_gev"] < high < 2
    assert figure.get_suptitle() == ""


def test_single_events_have_no_pairs(figure):
    axes = draw(figure, analyse([0.1]))
    assert "no pairs" in axes[1].texts[0].get_text()
    assert "nothing to compare" in axes[2].texts[0].get_text()
    assert markers(axes[3])[0] == [(0, 1)]
    assert [*axes[2].get_xticks()] == [0]


def test_without_retained_events_there_is_no_combined_mass(figure):
    found = analyse([-0.8, -0.2, 0.5])
    axes = draw(figure, found)
    colors = [to_hex(line.get_color()) for line in axes[5].lines]
    assert alp_events.CLEANED.color not in colors
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert f"{alp_events.CLEANED.label}: –" in labels  # noqa: RUF001
    assert axes[3].get_title() == "Cleaning retains 0 of 3"


def test_many_events_stay_readable(figure):
    x = made.draw_background(40, torch.Generator().manual_seed(1))
    axes = draw(figure, analyse(x))
    assert axes[0].get_legend() is None
    assert not axes[1].texts
    assert len(axes[1].get_xticks()) <= alp_events.MOST_TICKS
    assert all(float(tick).is_integer() for tick in axes[2].get_xticks())


def test_masses_beyond_the_axis_are_drawn_at_its_edge(figure):
    found = analyse(FOUR)
    events = found.events.assign(diphoton_mass_gev=[0.0, 90.0, 1.0, 1.0])
    ax = draw(figure, found._replace(events=events))[4]
    low, high = ax.get_xlim()
    assert [place[0] for place in markers(ax)[0]][:2] == pytest.approx([low, high])


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1.0341, 0.97, 1.08), "$1.034^{+0.046}_{-0.064}$ GeV"),
        ((0.20012, 0.1978, 0.2031), "$0.2001^{+0.0030}_{-0.0023}$ GeV"),
        ((4.1, 2.0, 4.4), "$4.10^{+0.30}_{-2.10}$ GeV"),
    ],
)
def test_masses_as_text(numbers, text):
    keys = ("mass_gev", "low68_gev", "high68_gev")
    assert alp_events.describe_mass(dict(zip(keys, numbers, strict=True))) == text


def test_p_values_beyond_all_toys_are_bounds():
    row = {"p": 2e-5, "z_one_sided": 4.107, "z_two_sided": 4.265, "is_bound": True}
    found = alp_events.describe_hunts({"lr": row})
    assert found == r"lr: $p$ < $2.0 \times 10^{-5}$, $Z$ > 4.1 (two-sided 4.3)"


def test_page_in_the_project_style(pytestconfig):
    with styled(pytestconfig.rootpath / "config" / "matplotlibrc"):
        figure = Figure(figsize=(12, 7.6), layout="constrained")
        assert len(draw(figure, analyse(FOUR, number=99), true_mass_gev=0.9)) == 7
