"""Processes that Pythia offers: settings, branching fractions, and bad settings found early."""

import numpy as np
import pytest

from bumpflow.simulate.hooks import build_hook
from bumpflow.simulate.processes import PROCESSES, check_settings, semileptonic_decays

pythia8 = pytest.importorskip("pythia8mc")

HARD = ("PartonLevel:all = off", "Beams:eCM = 13000", "Random:setSeed = on", "Random:seed = 7")


def initialise(*lines):
    """Return a Pythia that makes hard processes only."""
    pythia = pythia8.Pythia("", False)
    for line in ("Print:quiet = on", *HARD, *lines):
        assert pythia.readString(line), line
    assert pythia.init()
    return pythia


@pytest.mark.parametrize("name", PROCESSES)
def test_pythia_accepts_the_settings(name):
    process = PROCESSES[name]
    for parity in (0, 1):
        assert check_settings(process.settings(parity=parity)) == []


@pytest.mark.parametrize("name", PROCESSES)
def test_entries_say_what_they_are(name):
    process = PROCESSES[name]
    assert process.description
    assert "https://" in process.source
    if process.hook:
        assert build_hook(**process.hook).canVetoProcessLevel()


@pytest.mark.parametrize("name", ["zh", "tth", "ggh"])
def test_fraction_of_diphoton_decays_is_in_pythias_cross_section(name):
    process = PROCESSES[name]
    pythia = initialise(*process.settings())
    fraction = pythia.particleData.resOpenFrac(25)
    assert fraction == pytest.approx(process.pythia_branching, rel=1e-3)
    assert fraction * process.crosssection_factor == pytest.approx(2.270e-3, rel=1e-3)


@pytest.mark.parametrize("name", ["heavyhiggs", "ttbarsemileptonic"])
@pytest.mark.parametrize("parity", [0, 1])
def test_fraction_of_semileptonic_decays_is_in_pythias_cross_section(name, parity):
    process = PROCESSES[name]
    pythia = initialise(*process.settings(parity=parity))
    fraction = pythia.particleData.resOpenFrac(24, -24)
    assert fraction == pytest.approx(process.pythia_branching, rel=1e-3)
    # Either boson may be the leptonic one, and leptons are electrons and muons.
    assert fraction * process.crosssection_factor == pytest.approx(
        2 * (0.1071 + 0.1063) * 0.6741, rel=1e-3
    )


def test_cross_section_contains_the_fraction():
    lines = PROCESSES["ttbarsemileptonic"].lines({})
    ratio = []
    for decays in ([], semileptonic_decays(0)):
        pythia = initialise(*lines, *decays)
        for _ in range(1500):
            pythia.next()
        info = pythia.infoPython()
        ratio.append((info.sigmaGen(), info.sigmaErr()))
    (free, free_error), (forced, forced_error) = ratio
    error = forced / free * np.hypot(free_error / free, forced_error / forced)
    assert forced / free == pytest.approx(
        PROCESSES["ttbarsemileptonic"].pythia_branching, abs=4 * error
    )
    assert error < 0.01


@pytest.mark.parametrize(("parity", "sign"), [(0, -1), (1, 1)])
def test_blocks_take_turns_with_the_charge_of_the_lepton(parity, sign):
    pythia = initialise(*PROCESSES["ttbarsemileptonic"].settings(parity=parity))
    for _ in range(20):
        pythia.next()
        codes = [pythia.process[i].id() for i in range(pythia.process.size())]
        assert [np.sign(code) for code in codes if abs(code) in (11, 13)] == [sign]


def test_heavy_higgs_decays_as_the_benchmark_does():
    pythia = initialise(*PROCESSES["heavyhiggs"].settings())
    masses = []
    for _ in range(60):
        pythia.next()
        codes = np.array([pythia.process[i].id() for i in range(pythia.process.size())])
        assert [np.sum(np.abs(codes) == code) for code in (35, 37, 25, 24)] == [1, 1, 1, 2]
        assert np.sum(np.abs(codes[5:]) == 5) >= 2
        masses.append(pythia.process[5].m())
    assert np.median(masses) == pytest.approx(425, abs=3)
    assert 405.5 <= min(masses) <= max(masses) <= 445


def test_masses_of_the_heavy_higgs_are_parameters():
    lines = PROCESSES["heavyhiggs"].settings({"heavy_gev": 600.0})
    assert {"35:m0 = 600.0", "35:mMin = 580.0", "35:mMax = 620.0"} <= set(lines)


def test_masses_that_close_a_decay_are_refused():
    with pytest.raises(ValueError, match=r"heavy_gev = 400, charged_gev = 325.*80\.4 GeV"):
        PROCESSES["heavyhiggs"].settings({"heavy_gev": 400.0})


def test_unknown_parameter_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="no parameter 'min_pt'; did you mean 'min_pt_gev'"):
        PROCESSES["qcd"].settings({"min_pt": 3})


@pytest.mark.parametrize("value", [-1.0, np.nan])
def test_impossible_parameter_is_refused(value):
    with pytest.raises(ValueError, match=r"min_pt_gev = .* makes no sense"):
        PROCESSES["qcd"].settings({"min_pt_gev": value})


def test_parity_is_zero_or_one():
    with pytest.raises(ValueError, match="parity is 2"):
        semileptonic_decays(2)


def test_weights_of_jets_undo_their_bias():
    """Above a momentum, the cross-section of weighted events is that of unweighted ones."""
    weighted = initialise(*PROCESSES["qcd"].settings({"min_pt_gev": 100.0}))
    pt, weights = [], []
    for _ in range(6000):
        weighted.next()
        info = weighted.infoPython()
        pt.append(info.pTHat())
        weights.append(info.weight())
    pt, weights = np.array(pt), np.array(weights)
    sigma = weighted.infoPython().sigmaGen()
    above = weights * (pt > 300)
    found = sigma * above.sum() / weights.sum()
    flat = initialise("HardQCD:all = on", "PhaseSpace:pTHatMin = 300")
    for _ in range(2000):
        flat.next()
    info = flat.infoPython()
    error = np.hypot(found * np.sqrt(np.square(above).sum()) / above.sum(), info.sigmaErr())
    assert found == pytest.approx(info.sigmaGen(), abs=4 * error)
    assert error < 0.1 * found
    assert np.mean(pt > 300) > 0.2  # without bias it would be below a hundredth


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("HardQCD:al = on", "no setting 'HardQCD:al'; did you mean 'HardQCD:all'"),
        ("PhaseSpace:bias2SelectionPov = 4", "did you mean 'PhaseSpace:bias2SelectionPow'"),
        ("HardQCD:all = banana", "switch, and 'banana' is neither on nor off"),
        ("Beams:frameType = 1.5", "Beams:frameType is an integer, which '1.5' is not"),
        ("PhaseSpace:pTHatMin = x", "'x' is not a value that PhaseSpace:pTHatMin can have"),
        ("PhaseSpace:pTHatMin = -5", "'-5' is not a value that PhaseSpace:pTHatMin can have"),
        ("25:m0 = heavy", "m0 of a particle is a number, which 'heavy' is not"),
        ("25:m00 = 125", "particles have no property 'm00'; did you mean 'm0'"),
        ("9999999:m0 = 3", "Pythia knows no particle 9999999"),
        ("nonsense", "Pythia knows no setting 'nonsense'"),
    ],
)
def test_bad_settings_are_named(capfd, line, message):
    faults = check_settings(["HardQCD:all = on", line, "25:m0 = 125"])
    assert len(faults) == 1
    assert message in faults[0]
    assert faults[0].startswith(repr(line))
    assert line not in capfd.readouterr().out  # what Pythia has to say would only repeat it


def test_all_bad_settings_are_named_at_once():
    assert len(check_settings(["HardQCD:al = on", "25:m00 = 3", "HardQCD:all = on"])) == 2
