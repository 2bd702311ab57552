"""Events whose posteriors are known: a parameter measured with a normal error."""

import math

import torch

WIDTH = 0.05
"""Standard deviation of the measured log10(m / GeV)."""
GRID = torch.linspace(math.log10(0.1), math.log10(4.5), 200, dtype=torch.float64)
WEIGHTS = torch.full_like(GRID, 1 / 199)
WEIGHTS[[0, -1]] /= 2


def draw_background(n, generator):
    """Return measurements of parameters that are drawn from the prior."""
    index = torch.multinomial(WEIGHTS, n, replacement=True, generator=generator)
    return draw_signal(n, generator, at=GRID[index])


def draw_signal(n, generator, *, at=0.0):
    """Return measurements of one parameter."""
    noise = torch.randn(n, generator=generator, dtype=torch.float64)
    return at + WIDTH * noise


def log_ratio(x):
    """Return the exact log ratio of posterior and prior on the grid, in single precision."""
    logs = -((x[..., None] - GRID) ** 2) / (2 * WIDTH**2)
    return (logs - torch.logsumexp(logs + WEIGHTS.log(), -1, keepdim=True)).float()
