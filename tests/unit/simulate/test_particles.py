"""Particles from the batches that Pythia makes."""

import awkward as ak
import numpy as np

from bumpflow.simulate.particles import unpack_batch


def made_up_batch():
    """Return a batch of three events like those of Pythia, the second without particles."""
    particles = ak.Array(
        [
            [
                {
                    "id": 90,
                    "status": -11,
                    "mother1": 0,
                    "p": {"px": 0.0, "py": 0.0, "pz": 0.0, "e": 9.0},
                },
                {
                    "id": 22,
                    "status": 23,
                    "mother1": 0,
                    "p": {"px": 1.0, "py": 2.0, "pz": 3.0, "e": 4.0},
                },
            ],
            [],
            [
                {
                    "id": -11,
                    "status": 1,
                    "mother1": 7,
                    "p": {"px": 5.0, "py": 6.0, "pz": 7.0, "e": 8.0},
                }
            ],
        ]
    )
    info = ak.Array([{"weights": [1.0, 9.0]}, {"weights": [0.5, 9.0]}, {"weights": [2.0, 9.0]}])
    return ak.zip({"prt": particles, "info": info}, depth_limit=1)


def test_particles_are_flat_and_keep_their_event():
    particles = unpack_batch(made_up_batch())
    assert particles.n_events == 3
    assert particles.event.tolist() == [0, 0, 2]
    assert particles.pdg.tolist() == [90, 22, -11]
    assert particles.status.tolist() == [-11, 23, 1]
    assert particles.mother.tolist() == [0, 0, 7]
    assert particles.momentum.tolist() == [[0, 0, 0, 9], [1, 2, 3, 4], [5, 6, 7, 8]]


def test_starts_count_events_without_particles():
    assert unpack_batch(made_up_batch()).starts.tolist() == [0, 2, 2, 3]


def test_weights_are_the_first_of_each_event():
    weights = unpack_batch(made_up_batch()).weights
    assert weights.tolist() == [1, 0.5, 2]
    assert weights.dtype == np.float64
