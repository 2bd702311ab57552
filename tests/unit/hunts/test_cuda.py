"""Drawing, fitting and hunting on CUDA as on the CPU."""

import pytest
import torch

from bumpflow.hunts.library import BackgroundLibrary
from bumpflow.hunts.profiled import z_profiled
from bumpflow.hunts.spectra import draw_backgrounds, draw_spectra
from bumpflow.hunts.targets import z_known
from tests.unit.hunts.drawn import seeded, settings

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
WIDTHS = (1.0, 2.5, 4.0)


@pytest.mark.parametrize("counts", [(0.5, 10.0), (10.0, 1e5)])
def test_significances_are_the_same_on_both_devices(counts):
    drawn = draw_spectra(200, settings(counts=counts), n_bins=60, generator=seeded(1))
    observed, background = drawn.observed.cuda(), drawn.background.cuda()
    known = z_known(observed, background, widths=WIDTHS).cpu()
    expected = z_known(drawn.observed, drawn.background, widths=WIDTHS)
    torch.testing.assert_close(known, expected, rtol=1e-3, atol=1e-3)
    found = z_profiled(observed, widths=WIDTHS, degree=(2, 4)).z.cpu()
    expected = z_profiled(drawn.observed, widths=WIDTHS, degree=(2, 4)).z
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-2)


def test_histograms_are_drawn_on_the_device():
    drawn = draw_spectra(200, settings(), n_bins=60, generator=torch.Generator("cuda"))
    assert {part.device.type for part in drawn} == {"cuda"}
    assert drawn.observed.isfinite().all()
    z = z_known(drawn.observed, drawn.background, widths=WIDTHS)
    assert float(z.mean()) == pytest.approx(0, abs=1.5)


def test_library_moves_to_the_device():
    seen, _ = draw_backgrounds(500, settings(), n_bins=60, generator=seeded(2))
    library = BackgroundLibrary(5, 3).learn([seen], seed=1)
    expected = library(seen[:50], seen[:50]).background().log_background
    library.cuda()
    found = library(seen[:50].cuda(), seen[:50].cuda()).background().log_background
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-4)
