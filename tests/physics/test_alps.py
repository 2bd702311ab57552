"""Features of axion-like particles have the moments that published networks were trained with."""

import numpy as np
import pytest

from bumpflow.simulate.alps.features import observe
from bumpflow.simulate.alps.moments import PUBLISHED, compare_moments, measure_moments
from bumpflow.simulate.alps.sampling import sample_events
from bumpflow.simulate.alps.settings import Resolution
from tests.unit.simulate.alps.setups import SHORT, TALL, build

pytestmark = pytest.mark.physics

N_BLOCKS = 16
RESOLUTIONS = {
    "good": Resolution(1e-3, 0.01, 5e-3, 5e-3, wrap=False),
    "poor": Resolution(1e-3, 0.05, 10e-3, 10e-3, wrap=False),
    "slides": Resolution(1e-3, 0.01, 1e-3, 1e-3, wrap=False),
}
SETUPS = {"good": build(TALL), "poor": build(TALL), "slides": build(SHORT)}


@pytest.fixture(scope="module")
def samples():
    """Return events of both set-ups, the long one for two resolutions."""
    long, short = (
        sample_events(SETUPS[name], range(N_BLOCKS), seed=6) for name in ("good", "slides")
    )
    return {"good": long, "poor": long, "slides": short}


def moments(samples, name, resolution):
    """Return how far moments are from the published ones."""
    rng = np.random.default_rng(7)
    features = observe(samples[name], SETUPS[name], RESOLUTIONS[resolution], rng=rng)
    return compare_moments(measure_moments(features), PUBLISHED[name])


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_moments_are_the_published_ones(samples, name):
    found = moments(samples, name, name)
    assert found.mean < 0.02, found
    assert found.variance < 0.05, found


def test_moments_tell_resolutions_and_set_ups_apart(samples):
    swapped = moments(samples, "good", "poor")
    assert swapped.mean > 0.05
    assert swapped.variance > 0.15
    mixed = moments(samples | {"slides": samples["good"]}, "slides", "slides")
    assert mixed.mean > 0.1
