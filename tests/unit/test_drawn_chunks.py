"""Surrogates sampled by several jobs draw what one job draws."""

import numpy as np
import pytest
import torch

from bumpflow import io
from bumpflow.chunks import join_chunks
from bumpflow.flows.density import DensitySettings, EventDensity
from bumpflow.surrogates import draw_process, sampling_record

SIZES = {"n_events": 1234, "block_size": 100, "seed": 5}


@pytest.fixture(scope="module", params=[(), ("mass",)], ids=["free", "conditional"])
def density(request):
    """An ensemble that is not trained, with or without context."""
    settings = DensitySettings(
        ("a", "b"),
        "realnvp",
        {"hidden_features": 8, "layers": 1, "transforms": 1},
        "gaussrank",
        context=request.param,
        members=2,
    )
    density = EventDensity(settings)
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(1))
    density.fit_scalers(x, x[:, :1] if request.param else None)
    return density.eval()


def draw(density, path, chunk=(0, 1), **changed):
    context = torch.arange(9.0)[:, None] if density.settings.context else None
    return draw_process(density, path, chunk=chunk, context=context, **SIZES | changed)


@pytest.mark.parametrize("n_chunks", [1, 3, 7, 20])
def test_chunks_join_to_the_same_bytes(density, tmp_path, n_chunks):
    whole = draw(density, tmp_path / "whole.parquet")
    chunks = [tmp_path / f"{k}.parquet" for k in range(n_chunks)]
    records = [draw(density, path, [k, n_chunks]) for k, path in enumerate(chunks)]
    join_chunks(chunks, tmp_path / "joined.parquet")
    assert io.read_bytes(tmp_path / "joined.parquet") == io.read_bytes(tmp_path / "whole.parquet")
    total = sampling_record(records)
    assert {key: total[key] for key in ("n", "n_redrawn")} == {
        key: whole[key] for key in ("n", "n_redrawn")
    }
    assert total["n"] == 1234
    assert total["events_per_second"] == pytest.approx(1234 / total["seconds"])


def test_blocks_have_numbers_of_their_own(density, tmp_path):
    draw(density, tmp_path / "whole.parquet")
    draw(density, tmp_path / "other.parquet", seed=6)
    table, other = (io.read_table(tmp_path / f"{n}.parquet") for n in ("whole", "other"))
    both = np.concatenate([table[["a", "b"]], other[["a", "b"]]])
    assert len(np.unique(both, axis=0)) == 2 * 1234


def test_more_events_leave_the_first_blocks_as_they_are(density, tmp_path):
    draw(density, tmp_path / "whole.parquet")
    draw(density, tmp_path / "more.parquet", n_events=2000)
    table, more = (io.read_table(tmp_path / f"{n}.parquet") for n in ("whole", "more"))
    np.testing.assert_array_equal(more[:1200], table[:1200])
