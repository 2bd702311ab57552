import numpy as np
import pytest
import torch

from bumpflow.compatibility import windows as hunt

N_TOYS, N_EVENTS = 400, 9


@pytest.fixture
def events():
    generator = torch.Generator().manual_seed(1)
    mass = -2 + 3.5 * torch.rand(N_TOYS, N_EVENTS, generator=generator, dtype=torch.float64)
    mask = torch.arange(N_EVENTS) < (torch.arange(N_TOYS) % (N_EVENTS + 1))[:, None]
    return mass, mask


def test_numbers_and_edges_of_windows():
    published = hunt.published_windows(4)
    assert published.low.tolist() == [-1.5]
    assert published.high.tolist() == [0.8]
    assert len(hunt.published_windows(11).low) == 8
    fair = hunt.fair_windows(9)
    assert len(fair.low) == 7
    # The published example: "the first bin would be [-1.5, -0.75], the second [-1.25, -0.5]".
    rounded = [round(float(edge), 1) for edge in (*fair.low[:2], *fair.high[:2])]
    assert rounded == [-1.5, -1.2, -0.7, -0.5]


@pytest.mark.parametrize("n_bins", [4, 11, 30, 48])
def test_largest_count_matches_histograms(events, n_bins):
    mass, mask = events
    found = hunt.largest_count(mass, mask, hunt.published_windows(n_bins))
    for toy in range(N_TOYS):
        counts, _ = np.histogram(mass[toy][mask[toy]], np.linspace(-1.5, 0.8, n_bins))
        assert found[toy] == np.convolve(counts, [1, 1, 1], mode="valid").max()


def test_one_window_counts_events_in_range(events):
    mass, mask = events
    found = hunt.largest_count(mass, mask, hunt.published_windows(4))
    assert torch.equal(found, ((mass >= -1.5) & (mass < 0.8) & mask).sum(1))
    assert (found == 0).any()


def test_events_without_mass_count_nowhere():
    mass = torch.tensor([[0.0, torch.nan, -torch.inf, 9.0]] * 2)
    mask = torch.tensor([[True] * 4, [False] + [True] * 3])
    assert hunt.largest_count(mass, mask, hunt.fair_windows(3)).tolist() == [1, 0]
    width = torch.full_like(mass, 0.1)
    assert hunt.largest_moving_count(mass, mask, width, half_width=2).tolist() == [1, 1]
    alone = mass[:, :3], mask[:, :3], width[:, :3]
    assert hunt.largest_moving_count(*alone, half_width=2).tolist() == [1, 0]


def test_moving_windows_are_centred_on_events(events):
    mass, mask = events
    width = hunt.resolution_at(mass, torch.tensor([-2.0, 1.5]), torch.tensor([0.3, 0.02]))
    found = hunt.largest_moving_count(mass, mask, width, half_width=1.5)
    for toy in range(N_TOYS):
        m, s = mass[toy][mask[toy]], width[toy][mask[toy]]
        near = (m[:, None] - m).abs() <= 1.5 * s
        counts = near.sum(0).tolist()
        assert found[toy] == max(counts, default=0)


def test_dense_grid_windows_hold_at_least_what_event_windows_do(events):
    mass, mask = events
    masses, widths = torch.tensor([-2.0, 1.5]).double(), torch.tensor([0.3, 0.1]).double()
    grid = torch.linspace(-2, 1.5, 4000, dtype=torch.float64)
    dense = hunt.resolution_windows(
        grid, hunt.resolution_at(grid, masses, widths), half_width=1.01
    )
    on_grid = hunt.largest_count(mass, mask, dense)
    at_events = hunt.resolution_at(mass, masses, widths)
    on_events = hunt.largest_moving_count(mass, mask, at_events, half_width=1.0)
    assert torch.all(on_grid >= on_events)
    assert (on_grid > on_events).any()


def test_resolution_is_interpolated_and_held_at_the_ends():
    at = torch.tensor([[-9.0, 0.0, 0.25], [1.0, 5.0, torch.nan]])
    found = hunt.resolution_at(at, torch.tensor([0.0, 1.0]), torch.tensor([0.2, 0.1]))
    torch.testing.assert_close(found, torch.tensor([[0.2, 0.2, 0.175], [0.1, 0.1, 0.2]]))


def test_too_few_edges():
    with pytest.raises(ValueError, match="3 edges make 2 intervals"):
        hunt.published_windows(3)
    assert hunt.largest_count(torch.zeros(3, 0), None, hunt.fair_windows(3)).tolist() == [0] * 3


def test_resolution_is_half_the_central_range_of_errors():
    generator = torch.Generator().manual_seed(3)
    truth = torch.rand(48_000, generator=generator, dtype=torch.float64) * 2 - 1
    width = 0.02 + 0.03 * (truth > 0)
    noise = torch.randn(len(truth), generator=generator, dtype=torch.float64)
    masses, resolution = hunt.measure_resolution(truth + width * noise, truth, n_rows=8)
    assert (masses.diff() > 0).all()
    expected = torch.where(masses > 0, 0.05, 0.02).double()
    torch.testing.assert_close(resolution[[0, 1, 6, 7]], expected[[0, 1, 6, 7]], rtol=0.05, atol=0)
