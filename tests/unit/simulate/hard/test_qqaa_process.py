from itertools import combinations

import numpy as np
import pytest

from bumpflow.simulate.hard.pdf import PartonDensities
from bumpflow.simulate.hard.qqaa_channels import DiphotonSettings, build_channels
from bumpflow.simulate.hard.qqaa_phase_space import PhaseSpaceCuts, map_phase_space
from bumpflow.simulate.hard.qqaa_process import DiphotonBackground, adapt_phase_space
from bumpflow.simulate.hard.qqaa_sampling import adapt_channel, from_table, to_table, weigh_points
from bumpflow.simulate.kinematics import (
    azimuth,
    decay_two_body,
    delta_phi,
    delta_r,
    invariant_mass,
    minkowski,
    pseudorapidity,
    transverse_momentum,
)

SETTINGS = DiphotonSettings(14000.0, "nnpdf23lo")
QUICK = {"n_iterations": 5, "n_evaluations": 5000}
N = 3000


@pytest.fixture(scope="module")
def table():
    return adapt_phase_space(SETTINGS, rng=np.random.default_rng(1), **QUICK)


@pytest.fixture(scope="module")
def background(table):
    return DiphotonBackground(table, SETTINGS)


@pytest.fixture(scope="module")
def partons(background):
    return background.draw(N, np.random.default_rng(2))


def describe(momenta):
    """Transverse momenta, pseudorapidities and azimuths of outgoing particles."""
    out = momenta[:, 2:]
    return transverse_momentum(out), pseudorapidity(out), azimuth(out)


def passes(momenta, cuts):
    """Whether events of two partons and two photons pass the cuts."""
    pt, eta, phi = describe(momenta)
    maa = invariant_mass(momenta[:, 4] + momenta[:, 5])
    inside = (pt[:, :2] > cuts.parton_pt_gev).all(axis=1)
    inside &= (np.abs(eta[:, :2]) < cuts.parton_abs_eta).all(axis=1)
    inside &= (pt[:, 2:] > cuts.photon_pt_gev).all(axis=1)
    inside &= (np.abs(eta[:, 2:]) < cuts.photon_abs_eta).all(axis=1)
    inside &= pt[:, 2:].max(axis=1) > cuts.lead_photon_pt_gev
    inside &= (maa > cuts.diphoton_mass_gev[0]) & (maa < cuts.diphoton_mass_gev[1])
    inside &= invariant_mass(momenta[:, 2] + momenta[:, 3]) > cuts.parton_mass_gev
    for i, j in combinations(range(4), 2):
        least = cuts.photon_parton_delta_r if i < 2 <= j else cuts.delta_r
        inside &= delta_r(eta[:, i], phi[:, i], eta[:, j], phi[:, j]) > least
    return inside


def test_phase_space_is_measured_as_by_decays_of_pairs():
    energy, n = 500.0, 500_000
    cuts = PhaseSpaceCuts(photon_parton_delta_r=0.5)
    rng = np.random.default_rng(3)
    x_1, x_2, fraction_1, fraction_2 = rng.random((4, n))
    total = np.zeros((n, 4))
    total[:, 2], total[:, 3] = (x_1 - x_2) * energy / 2, (x_1 + x_2) * energy / 2
    mass = energy * np.sqrt(x_1 * x_2)
    m_1 = fraction_1 * mass
    m_2 = fraction_2 * (mass - m_1)

    def angles():
        return {"cos_theta": rng.uniform(-1, 1, n), "phi": rng.uniform(-np.pi, np.pi, n)}

    momentum_square = (mass**2 - (m_1 + m_2) ** 2) * (mass**2 - (m_1 - m_2) ** 2)
    pairs = decay_two_body(total, m_1, m_2, **angles())
    products = [p for pair in pairs for p in decay_two_body(pair, 0.0, 0.0, **angles())]
    weight = np.sqrt(momentum_square) / mass**2 / (8 * np.pi) ** 3
    weight *= 4 * m_1 * mass * m_2 * (mass - m_1) / (2 * np.pi) ** 2
    momenta = np.stack([total, total, *products], axis=1)
    weight = np.where(passes(momenta, cuts), weight, 0) * steep(momenta)
    error = weight.std() / np.sqrt(n)
    for symmetric in (True, False):
        points = map_phase_space(rng.random((n, 9)), cuts, energy_gev=energy, symmetric=symmetric)
        own = np.zeros(n)
        own[points.where] = points.measure * steep(points.momenta[:, [0, 0, 0, 1, 2, 3]])
        own_error = own.std() / np.sqrt(n)
        assert own.mean() == pytest.approx(weight.mean(), abs=4 * np.hypot(error, own_error))
        assert own_error < 0.03 * own.mean()
        assert error < 0.03 * own.mean()


def steep(momenta):
    """What to integrate: a function that falls with transverse momenta, as amplitudes do."""
    return 1 / np.prod(describe(momenta)[0] / 50, axis=1) ** 2


def test_points_pass_the_cuts_and_conserve_momentum():
    cuts = PhaseSpaceCuts(parton_pt_gev=25.0, photon_parton_delta_r=0.8, parton_mass_gev=40.0)
    settings = DiphotonSettings(14000.0, "nnpdf23lo", cuts=cuts)
    channel = build_channels(settings)["gluons"]
    numbers = np.random.default_rng(4).random((20_000, 9))
    uniform = np.tile(np.linspace(0, 1, 61), (9, 1))
    points = weigh_points(
        numbers, uniform, channel, settings, densities=PartonDensities("nnpdf23lo")
    )
    p = points.momenta
    assert 100 < len(points.where) < 20_000
    assert passes(p, cuts).all()
    assert np.max(np.abs(minkowski(p, p)) / p[..., 3] ** 2) < 1e-10
    difference = p[:, :2].sum(axis=1) - p[:, 2:].sum(axis=1)
    assert np.max(np.abs(difference) / p[:, 0, 3:]) < 1e-8
    np.testing.assert_allclose(invariant_mass(p[:, 0] + p[:, 1]), 2 * points.scale)


def test_events_are_what_they_should_be(partons):
    p = partons.momenta
    assert len(partons) == N
    assert passes(p, SETTINGS.cuts).all()
    difference = p[:, :2].sum(axis=1) - p[:, 2:].sum(axis=1)
    assert np.max(np.abs(difference) / p[:, 0, 3:]) < 1e-8
    assert np.all(p[:, 0, 2] > 0)
    assert np.all(p[:, 1, 2] < 0)
    np.testing.assert_array_equal(partons.pdg[:, 2:], np.tile([5, -5, 22, 22], (N, 1)))
    assert np.all(partons.weights >= 1)


def test_colour_lines_connect(partons):
    colour, anticolour = partons.colours[..., 0], partons.colours[..., 1]
    # Incoming colour flows on as outgoing colour, or ends at incoming anticolour.
    sources = np.sort(np.concatenate([colour[:, :2], anticolour[:, 2:]], axis=1), axis=1)
    sinks = np.sort(np.concatenate([anticolour[:, :2], colour[:, 2:]], axis=1), axis=1)
    np.testing.assert_array_equal(sources, sinks)
    coloured = {21: (True, True), 22: (False, False)}
    for codes, lines in zip(partons.pdg[:50], partons.colours[:50], strict=True):
        for code, line in zip(codes, lines, strict=True):
            assert tuple(line > 0) == coloured.get(int(code), (code > 0, code < 0))


def test_gluons_prefer_the_quark_they_are_close_to(background):
    partons = background.draw(N, np.random.default_rng(6))
    gluons = partons.pdg[:, 0] == 21
    neighbour = partons.colours[gluons, 0, 0] == partons.colours[gluons, 2, 0]
    forward = pseudorapidity(partons.momenta[gluons, 2]) > pseudorapidity(
        partons.momenta[gluons, 3]
    )
    assert neighbour[forward].mean() > 0.55
    assert neighbour[~forward].mean() < 0.45


def test_channels_mix_by_their_crosssections(background, partons):
    codes = np.abs(partons.pdg[:, 0])
    for channel, members in zip(background.channels, ((21,), (2, 4), (1, 3)), strict=True):
        expected = channel.crosssection_pb / background.crosssection_pb
        share = (np.isin(codes, members) * partons.weights).sum() / partons.weights.sum()
        # A multinomial, and up to a few per cent for the weights of a few events.
        assert share == pytest.approx(expected, abs=4 * np.sqrt(expected / N) + 0.005)
    quarks = partons.pdg[codes != 21, 0]
    assert np.mean(quarks > 0) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(quarks)))


def test_events_follow_the_weights(background, partons):
    rng, values, weights = np.random.default_rng(8), [], []
    for name, channel in build_channels(SETTINGS).items():
        adapted = next(found for found in background.channels if found.name == name)
        points = weigh_points(
            rng.random((150_000, 9)),
            adapted.edges,
            channel,
            SETTINGS,
            densities=PartonDensities(SETTINGS.pdf),
        )
        values.append(features(points.momenta))
        weights.append(points.weights.sum(axis=0))
    weights = np.concatenate(weights)
    for own, reference in zip(features(partons.momenta).T, np.concatenate(values).T, strict=True):
        for quantile in (0.25, 0.5, 0.75):
            order = np.argsort(reference)
            place = np.searchsorted(np.cumsum(weights[order]), quantile * weights.sum())
            below = own < reference[order][place]
            share = (below * partons.weights).sum() / partons.weights.sum()
            # Both samples fluctuate; the weighted one counts as some 3000 events, too.
            assert share == pytest.approx(quantile, abs=4 * np.sqrt(2 * 0.25 / N))


def features(momenta):
    """Quantities that distributions are compared in."""
    pt, eta, _ = describe(momenta)
    return np.stack(
        [
            invariant_mass(momenta[:, 4] + momenta[:, 5]),
            invariant_mass(momenta[:, 2] + momenta[:, 3]),
            pt[:, :2].max(axis=1),
            pt[:, 2:].max(axis=1),
            np.abs(eta).max(axis=1),
        ],
        axis=1,
    )


def test_events_have_no_preferred_direction(partons):
    pt, eta, phi = describe(partons.momenta)
    turn = np.sign(delta_phi(phi[:, 3:], phi[:, 2:3]))
    for values in (np.sign(eta), np.sign(phi), np.cos(2 * phi), turn):
        mean = values.mean(axis=0)
        np.testing.assert_allclose(mean, 0, atol=4.5 / np.sqrt(N))
    gluons = partons.pdg[:, 0] == 21
    harder = np.mean(pt[gluons, 0] > pt[gluons, 1])
    assert harder == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(gluons.sum()))


def test_same_random_numbers_give_the_same_events(background):
    one, two = (background.draw(20, np.random.default_rng(9)) for _ in range(2))
    np.testing.assert_array_equal(one.momenta, two.momenta)
    np.testing.assert_array_equal(one.colours, two.colours)


def test_table_keeps_everything(table, background):
    again = to_table(from_table(table.sample(frac=1, random_state=1).sort_values("channel")))
    keys = ["channel", "quantity", "axis", "index"]
    np.testing.assert_array_equal(
        again.sort_values(keys)["value"], table.sort_values(keys)["value"]
    )
    for channel in background.channels:
        assert channel.edges.shape == (9, 61)
        assert 0 < channel.clipped_share < 0.02
        assert channel.crosssection_error_pb < 0.05 * channel.crosssection_pb


def test_charm_quarks_have_four_times_the_charge_squared():
    settings = DiphotonSettings(14000.0, "nnpdf23lo", flavour=4)
    charm, bottom = (
        adapt_channel(
            "gluons",
            build_channels(chosen)["gluons"],
            chosen,
            rng=np.random.default_rng(1),
            n_iterations=2,
            n_evaluations=1000,
        )
        for chosen in (settings, SETTINGS)
    )
    assert charm.crosssection_pb == pytest.approx(16 * bottom.crosssection_pb)
    assert build_channels(settings)["up"].codes.tolist() == [[2, -2, 4, -4]]


def test_wrong_settings_are_refused(table):
    with pytest.raises(ValueError, match="flavour 6: take 5"):
        DiphotonSettings(14000.0, "nnpdf23lo", flavour=6)
    with pytest.raises(ValueError, match=r"diphoton_mass_gev must ascend .* 180, 90"):
        PhaseSpaceCuts(diphoton_mass_gev=(180, 90))
    with pytest.raises(ValueError, match=r"photon_parton_delta_r is 0: .* diverge"):
        PhaseSpaceCuts(photon_parton_delta_r=0)
    with pytest.raises(ValueError, match="lead_photon_pt_gev is 10"):
        PhaseSpaceCuts(lead_photon_pt_gev=10)
    with pytest.raises(ValueError, match=r"channels \['gluons'\], not"):
        DiphotonBackground(table[table["channel"] == "gluons"], SETTINGS)
    with pytest.raises(ValueError, match=r"lacks \['axis'\]"):
        from_table(table.drop(columns="axis"))


def test_cuts_that_nothing_passes_are_named():
    settings = DiphotonSettings(
        14000.0, "nnpdf23lo", cuts=PhaseSpaceCuts(parton_mass_gev=13_990.0)
    )
    with pytest.raises(ValueError, match="none of 1000 points of channel 'gluons' passes"):
        adapt_phase_space(
            settings, n_iterations=2, n_evaluations=1000, rng=np.random.default_rng(1)
        )
