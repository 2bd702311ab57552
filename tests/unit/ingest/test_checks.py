import numpy as np
import pytest

from bumpflow.ingest.checks import find_repeats
from bumpflow.ingest.layout import HIGGS_FEATURES, HIGGS_NONNEGATIVE


@pytest.mark.parametrize("n_different", [1, 400, 10**9])
def test_all_but_the_first_of_equal_rows_are_repeats(n_different):
    hashes = np.random.default_rng(3).integers(0, n_different, 1000, dtype=np.uint64)
    _, first = np.unique(hashes, return_index=True)
    assert sorted(np.flatnonzero(~find_repeats(hashes))) == sorted(first)


def test_angles_rapidities_and_tags_may_have_any_sign():
    free = set(HIGGS_FEATURES) - HIGGS_NONNEGATIVE
    assert {name.rsplit("_", 1)[1] for name in free} == {"eta", "phi", "btag"}
    assert len(HIGGS_NONNEGATIVE) == 6 + 7
