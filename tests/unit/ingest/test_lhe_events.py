"""Partons of LHE files as measured objects."""

import gzip

import numpy as np
import pytest

from bumpflow.ingest.layout import InvalidEvents
from bumpflow.ingest.lhe import read_crosssection_pb, read_lhe_batches
from bumpflow.simulate.select.diphoton import select_diphoton

INIT = """<init>
2212 2212 7000. 7000. 0 0 0 0 3 2
1.5 0.3 1.0 1
2.5 0.4 1.0 2
</init>
"""
PAIR = [  # a pair of b quarks and one of photons, back to back, and the incoming gluons
    (21, -1, 0, 0, 250, 250),
    (21, -1, 0, 0, -250, 250),
    (25, 2, 60, 0, 0, 250),
    (5, 1, 60, 90, 20, np.sqrt(60**2 + 90**2 + 20**2 + 4.7**2)),
    (-5, 1, 0, -90, 20, np.sqrt(90**2 + 20**2 + 4.7**2)),
    (22, 1, -100, 30, 0, np.hypot(100, 30)),
    (22, 1, -40, -30, -40, np.sqrt(40**2 + 30**2 + 40**2)),
]
LEPTONIC = [
    (11, 1, 30, 0, 0, 30),
    (-13, 1, 0, 40, 0, 40),
    (-12, 1, -30, 0, 10, np.hypot(30, 10)),
    (14, 1, 5, -40, 0, np.hypot(5, 40)),
    (21, 1, -5, 0, 0, 5),
    (-4, 1, 0, -9, 0, 9),
]


def event_text(particles, weight=1.0):
    """Return an event in the LHE format."""
    lines = [f"{len(particles)} 1 {weight} 91.2 0.0078 0.118"]
    for code, status, px, py, pz, energy in particles:
        lines.append(f"{code} {status} 0 0 0 0 {px} {py} {pz} {energy} 0. 0. 9.")
    return "<event>\n" + "\n".join(lines) + "\n</event>\n"


def file_text(*events, init=INIT):
    """Return a file in the LHE format."""
    return f'<LesHouchesEvents version="3.0">\n{init}{"".join(events)}</LesHouchesEvents>\n'


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a text as a file."""

    def run(text, name="events.lhe"):
        path = tmp_path / name
        content = text.encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return run


@pytest.mark.parametrize("name", ["events.lhe", "events.lhe.gz"])
def test_partons_become_objects(write, name):
    path = write(file_text(event_text(PAIR, 2.0), event_text(LEPTONIC, -1.0)), name)
    (events,) = read_lhe_batches(path)
    assert events.n_events == 2
    assert events.weights.tolist() == [2, -1]
    assert events.photons.event.tolist() == [0, 0]
    assert events.photons.momentum[0].tolist() == [-100, 30, 0, np.hypot(100, 30)]
    assert events.jets.event.tolist() == [0, 0, 1, 1]
    assert events.jets.tag.tolist() == [2, 2, 0, 0]
    assert events.jets.flavour.tolist() == [5, 5, 4, 0]  # by falling transverse momentum
    assert (events.electrons.event.tolist(), events.electrons.charge.tolist()) == ([1], [-1])
    assert (events.muons.event.tolist(), events.muons.charge.tolist()) == ([1], [1])
    assert events.missing.tolist() == [[0, 0], [-25, -40]]


def test_events_pass_the_selection(write):
    path = write(file_text(event_text(LEPTONIC), event_text(PAIR, 2.0)))
    (events,) = read_lhe_batches(path)
    selection = select_diphoton(
        events,
        settings={
            "bjet_pt_gev": [30, 20],
            "photon_pt_gev": [30, 20],
            "max_abs_eta": 2.4,
            "min_dr_photon_bjet": 0.4,
            "mass_window_gev": [0, 500],
        },
    )
    assert selection.event.tolist() == [1]
    assert selection.weights.tolist() == [2]
    energies = np.hypot(100, 30), np.sqrt(40**2 + 30**2 + 40**2)
    mass = np.sqrt(2 * (energies[0] * energies[1] - (100 * 40 - 30 * 30)))
    assert selection.features["m_gg"].to_numpy() == pytest.approx([mass])


def test_batches_continue_each_other(write):
    path = write(file_text(*(event_text(PAIR, weight) for weight in range(1, 6))))
    batches = list(read_lhe_batches(path, batch_size=2))
    assert [batch.n_events for batch in batches] == [2, 2, 1]
    assert np.concatenate([batch.weights for batch in batches]).tolist() == [1, 2, 3, 4, 5]
    assert batches[2].photons.event.tolist() == [0, 0]


def test_cross_sections_of_processes_add_up(write):
    crosssection, error = read_crosssection_pb(write(file_text(event_text(PAIR))))
    assert (crosssection, error) == (pytest.approx(4.0), pytest.approx(0.5))


def test_undecayed_boson_is_named(write):
    undecayed = [(*PAIR[2][:1], 1, *PAIR[2][2:])]
    path = write(file_text(event_text(PAIR), event_text(PAIR), event_text(undecayed)))
    with pytest.raises(
        InvalidEvents, match=r"events\.lhe, event 2 .* Higgs boson has not decayed"
    ):
        list(read_lhe_batches(path, batch_size=2))


@pytest.mark.parametrize("keep", [0.95, 0.7, 0.4, 0.05])
def test_truncated_file_is_named(write, keep):
    text = file_text(*(event_text(PAIR) for _ in range(5)))
    path = write(text[: int(keep * len(text))])
    with pytest.raises(InvalidEvents, match=r"events\.lhe: not a whole LHE file .*fetch or write"):
        list(read_lhe_batches(path, batch_size=2))


@pytest.mark.parametrize("keep", [0.95, 0.5, 0.01])
def test_truncated_gzip_is_named(write, keep):
    path = write(file_text(*(event_text(PAIR) for _ in range(50))), "events.lhe.gz")
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(InvalidEvents, match=r"events\.lhe\.gz: not a whole LHE file"):
        list(read_lhe_batches(path))


@pytest.mark.parametrize(
    "text",
    ["", "pt,eta\n1,2\n", "<html></html>", file_text(event_text(PAIR), init="")],
)
def test_other_files_are_named(write, text):
    with pytest.raises(InvalidEvents, match="not a whole LHE file"):
        list(read_lhe_batches(write(text)))
    with pytest.raises(InvalidEvents, match="not a whole LHE file"):
        read_crosssection_pb(write(text))


def test_garbled_particle_is_named(write):
    path = write(file_text(event_text(PAIR)).replace("-5 1 0 0 0 0", "bbar 1 0 0 0 0"))
    with pytest.raises(InvalidEvents, match=r"not a whole LHE file .*bbar"):
        list(read_lhe_batches(path))


def test_cut_particle_line_is_named(write):
    path = write(file_text(event_text(PAIR)).replace(" 0. 0. 9.", ""))
    with pytest.raises(InvalidEvents, match="not a whole LHE file"):
        list(read_lhe_batches(path))


def test_file_without_events_is_named(write):
    with pytest.raises(InvalidEvents, match=r"events\.lhe: there are no events"):
        list(read_lhe_batches(write(file_text())))


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_impossible_momentum_is_named_with_its_event(write, value):
    bad = event_text(PAIR).replace("-100 30 0", f"-100 {value} 0")
    path = write(file_text(event_text(PAIR), bad))
    message = r"event 1 \(from 0\): the momentum of one of the photons"
    with pytest.raises(InvalidEvents, match=message):
        list(read_lhe_batches(path))


def test_impossible_weight_is_named_with_its_event(write):
    path = write(file_text(event_text(PAIR), event_text(PAIR, np.nan)))
    with pytest.raises(InvalidEvents, match=r"event 1 \(from 0\): the weight is nan"):
        list(read_lhe_batches(path, batch_size=1))
