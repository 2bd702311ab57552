import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow import io
from bumpflow.compatibility.populations import (
    as_population,
    log10_diphoton_mass,
    read_population,
)
from bumpflow.simulate.alps.features import FEATURES
from bumpflow.simulate.alps.sampling import PARAMETERS


def write(folder, columns):
    values = np.random.default_rng(1).normal(size=(20, len(columns)))
    table = pd.DataFrame(values, columns=list(columns))
    io.write_table(folder / "events.parquet", table)
    return table


def test_columns_are_read_by_name(tmp_path):
    table = write(tmp_path, ["other", *PARAMETERS[::-1], *FEATURES[::-1]])
    events = read_population(tmp_path / "events.parquet")
    assert (events.x.shape, events.theta.shape) == ((20, 10), (20, 2))
    assert events.x.dtype == events.theta.dtype == torch.float32
    for part, names in ((events.x, FEATURES), (events.theta, PARAMETERS)):
        np.testing.assert_allclose(part, table[list(names)], rtol=1e-6)


def test_missing_columns_are_named(tmp_path):
    write(tmp_path, FEATURES)
    with pytest.raises(Exception, match="log10_mass"):
        read_population(tmp_path / "events.parquet")


def test_observed_events_have_no_true_parameters():
    events = as_population(pd.DataFrame(np.ones((3, 10)), columns=list(FEATURES)))
    assert (events.x.shape, events.theta.shape) == ((3, 10), (3, 0))


def test_mass_of_two_photons_at_a_right_angle():
    # Of 3 and 4 GeV along x and y: m^2 = 2 E1 E2.
    x = torch.tensor([[np.log(3), np.log(4), 0, 0, 0, 0, *2 * [np.log(np.pi / 2)], 0, np.pi / 2]])
    found = log10_diphoton_mass(x.float())
    assert found.dtype == torch.float64
    assert float(found[0]) == pytest.approx(np.log10(24) / 2, abs=1e-6)


def test_parallel_photons_have_a_tiny_mass():
    x = torch.zeros(1, 10)
    assert float(log10_diphoton_mass(x)[0]) == -12
