import gzip

import numpy as np
import pandas as pd
import pytest
import torch

from bumpflow.ingest.layout import InvalidEvents
from bumpflow.reconstruction.event_tables import read_set_names, reconstruct_table
from bumpflow.reconstruction.weights import AcceptanceTable
from tests.unit.reconstruction.small import measured, random_posterior

POSTERIOR = random_posterior()
SETS = measured().rows(slice(0, 3))
TABLE = pd.DataFrame({"e1_gev": [5.0, 6.0, 7.0], "set": ["a", "b", "a"], "note": ["x", "", "y"]})
SETTINGS = {"n_decays": (3.0, 4.0), "n_draws": 400, "n_predicted": 20, "wrap": True, "seed": 1}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet"])
def test_names_come_from_any_table(tmp_path, suffix):
    path = tmp_path / f"events{suffix}"
    if suffix == ".parquet":
        TABLE.to_parquet(path)
    else:
        text = TABLE.to_csv(index=False, sep="\t" if "tsv" in suffix else ",").encode()
        path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    assert read_set_names(path).tolist() == ["a", "b", "a"]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_need_no_names(tmp_path, suffix):
    path = tmp_path / f"events{suffix}"
    table = TABLE.drop(columns="set")
    table.to_parquet(path) if suffix == ".parquet" else table.to_csv(path, index=False)
    assert read_set_names(path) is None


def test_matrices_have_no_names(tmp_path):
    np.save(tmp_path / "events.npy", np.ones((3, 10)))
    assert read_set_names(tmp_path / "events.npy") is None


def test_every_event_needs_a_set(tmp_path):
    path = tmp_path / "events.csv"
    TABLE.assign(set=[1, 2, None]).to_csv(path, index=False)
    with pytest.raises(InvalidEvents, match=r"events\.csv: event 2 has no 'set': name the set"):
        read_set_names(path)


def test_draws_are_those_that_the_summary_is_of():
    found = reconstruct_table(POSTERIOR, SETS, ["a", "b", "c"], acceptance=None, **SETTINGS)
    groups = found.draws.groupby("set")
    assert groups.size().to_dict() == {"a": 400, "b": 400, "c": 400}
    assert found.summary["n_events"] == int(SETS.mask.sum())
    exact = POSTERIOR.summarise(POSTERIOR.look(SETS))
    for index, row in enumerate(found.summary["sets"]):
        mean = groups["log10_mass"].mean()[row["set"]]
        assert row["log10_mass_mean"] == pytest.approx(mean, abs=1e-5)
        error = 5 * float(exact.std[index]) / np.sqrt(400)
        assert row["log10_mass_mean"] == pytest.approx(float(exact.mean[index]), abs=error)
        assert row["effective_draws"] == 400
        assert 0 < row["predictive_p"] <= 1


def test_numbers_of_events_count_if_acceptances_are_given():
    logs = (
        torch.tensor([-60.0, -30.0, 0.0]).double().expand(4, 3).clone()
    )  # seen at long lifetimes only
    steep = AcceptanceTable(logs, torch.zeros(4, 3), POSTERIOR.support)
    found = reconstruct_table(POSTERIOR, SETS, [1, 2, 3], acceptance=steep, **SETTINGS)
    assert found.summary["rate"]
    assert len(found.draws) == 3 * 400
    theta = torch.tensor(found.draws[["log10_mass", "log10_lifetime"]].to_numpy())
    assert float(POSTERIOR.support.to_unit(theta)[:, 1].min()) > 0.8
    for row in found.summary["sets"]:
        assert row["effective_draws"] < 0.5 * 4 * 400
