import numpy as np
import pytest

from bumpflow.ingest.checks import SeenRows
from bumpflow.ingest.layout import HIGGS_FEATURES, HIGGS_NONNEGATIVE


@pytest.mark.parametrize("step", [1, 7, 64, 1000])
def test_repeats_are_those_of_a_set(step):
    hashes = np.random.default_rng(3).integers(0, 400, 1000, dtype=np.uint64)
    seen = SeenRows()
    found = np.concatenate([seen.add(hashes[i : i + step]) for i in range(0, 1000, step)])
    _, first = np.unique(hashes, return_index=True)
    assert sorted(np.flatnonzero(~found)) == sorted(first)


def test_memory_is_eight_bytes_a_row_in_few_runs():
    seen = SeenRows()
    for start in range(0, 100_000, 1000):
        assert not seen.add(np.arange(start, start + 1000, dtype=np.uint64)).any()
    assert sum(run.nbytes for run in seen._runs) == 800_000
    assert len(seen._runs) <= 8


def test_angles_rapidities_and_tags_may_have_any_sign():
    free = set(HIGGS_FEATURES) - HIGGS_NONNEGATIVE
    assert {name.rsplit("_", 1)[1] for name in free} == {"eta", "phi", "btag"}
    assert len(HIGGS_NONNEGATIVE) == 6 + 7
