"""Speed of unbinned resonance fits.

One data set of 40 000 events with six bootstraps' nuisances and a systematic, against iminuit with
numerical gradients of the same likelihood, written with NumPy as one would by hand; both on one
core.
"""

import time

import numpy as np
import torch
from iminuit import Minuit
from numpy.typing import NDArray

from bumpflow.device import limit_threads
from bumpflow.resonance.fitting import fit
from bumpflow.resonance.likelihood import DataSets, Events, ResonanceModel, Sidebands
from bumpflow.resonance.shapes import BackgroundShape, DoubleCrystalBall, Window, draw_masses
from bumpflow.summary import Quantity

SEED = 7
N_BACKGROUND, N_SIGNAL, N_MEMBERS = 39_800, 200, 6
REPEATS, MINUIT_REPEATS = 5, 2
WINDOW, REGION = Window(90, 180), Window(115, 135)
PEAK = DoubleCrystalBall(125.0, 1.4, 2.0, 3.0, 1.4, 2.0, 3.0)
THETA = (1.6, 0.0)
WIDTHS = np.array([0.02, -0.01, 0.03, -0.04, 0.01, -0.01])
"""Shifts of the feature in each bootstrap's density."""
SHIFT = 0.1
"""Shift of the feature by one standard deviation of the systematic."""


def data_set() -> tuple[ResonanceModel, DataSets]:
    """Return a likelihood and one data set with a normal feature that signal shifts by 1.5."""
    generator = torch.Generator().manual_seed(SEED)
    shape = BackgroundShape("exponential", 2, WINDOW)
    masses = [
        draw_masses(lambda m: shape.at(m, THETA), WINDOW, N_BACKGROUND, generator),
        draw_masses(lambda m: PEAK.density(m, WINDOW), WINDOW, N_SIGNAL, generator),
    ]
    m = torch.cat(masses)
    x = torch.randn(len(m), generator=generator, dtype=torch.float64)
    x[N_BACKGROUND:] += 1.5
    inside = (m >= REGION.low) & (m < REGION.high)
    peak = torch.as_tensor(PEAK.density(m.numpy(), WINDOW))
    shifts = torch.as_tensor(WIDTHS)
    members = torch.exp(shifts * x[:, None] - shifts**2 / 2)
    spread = (members / members.mean(-1, keepdim=True) - 1) / (N_MEMBERS - 1) ** 0.5
    offset = torch.tensor([1.5, 0.0], dtype=torch.float64)
    varied = [
        torch.exp(sign * SHIFT * (x[:, None] - offset) - SHIFT**2 / 2)[inside, :, None]
        for sign in (1, -1)
    ]
    signal = peak * torch.exp(1.5 * x - 1.125)
    none = m.new_zeros(len(m), 0)
    events = Events(
        m[inside], signal[inside], spread[inside], varied[0], varied[1], none[inside]
    ).batched()
    beside = m[~inside][None]
    side = Sidebands(beside, torch.ones_like(beside), peak[~inside][None], none[~inside][None])
    model = ResonanceModel(shape, n_spread=N_MEMBERS, n_systematics=1)
    return model, DataSets.of(events, torch.ones_like(events.mass), side)


def by_hand(model: ResonanceModel, data: DataSets) -> Minuit:
    """Return the same fit with iminuit and numerical gradients."""
    events = [part[0].numpy() for part in data.events]
    mass, signal, spread, up, down, _ = events
    side, side_signal = data.sidebands.mass[0].numpy(), data.sidebands.signal[0].numpy()
    low, high = WINDOW
    nodes, weights = np.polynomial.legendre.leggauss(64)
    grid = (nodes + 1) / 2

    def density(m: NDArray, theta: NDArray) -> NDArray[np.float64]:
        u = (m - low) / (high - low)
        norm = (high - low) / 2 * np.sum(weights * np.exp(-theta[0] * grid - theta[1] * grid**2))
        return np.exp(-theta[0] * u - theta[1] * u**2) / norm

    def deviance(p: NDArray) -> float:
        s, b, theta, alpha, nu = p[0], p[1], p[2:4], p[4 : 4 + N_MEMBERS], p[-1]
        change = (up - down)[..., 0] / 2 * nu + ((up + down)[..., 0] / 2 - 1) * nu**2
        inside = s * signal * (1 + change[:, 0])
        inside += b * density(mass, theta) * (1 + change[:, 1] + spread @ alpha)
        beside = s * side_signal + b * density(side, theta)
        logs = np.log(inside).sum() + np.log(beside).sum()
        return float(2 * (s + b - logs) + alpha @ alpha + nu**2)

    minuit = Minuit(deviance, model.start(data)[0].numpy(), name=model.names)
    minuit.errordef = Minuit.LEAST_SQUARES
    minuit.errors = [30.0, 200.0, 0.1, 0.1, *[0.5] * (N_MEMBERS + 1)]
    minuit.strategy = 1
    return minuit.migrad()


def measure() -> list[Quantity]:
    """Return seconds per fit, and the time of iminuit over ours; both agree on the signal.

    Raises:
        RuntimeError: If they do not.
    """
    limit_threads(1)
    model, data = data_set()
    fit(model, data)
    ours, theirs = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = fit(model, data)
        ours.append(time.perf_counter() - start)
    for _ in range(MINUIT_REPEATS):
        start = time.perf_counter()
        minuit = by_hand(model, data)
        theirs.append(time.perf_counter() - start)
    difference = abs(minuit.values["signal"] - found.signal[0]) / found.uncertainty[0]
    if not difference < 0.02:
        msg = f"both fits differ by {difference:.2g} standard deviations of the signal"
        raise RuntimeError(msg)
    ratios = np.array(theirs)[:, None] / np.array(ours)
    source = "iminuit with numerical gradients, NumPy"
    return [
        Quantity(
            "hisigma.fit_benchmark_seconds", float(np.median(ours)), float(np.std(ours)), unit="s"
        ),
        Quantity(
            "hisigma.fit_ratio",
            float(np.median(ratios)),
            float(ratios.std()),
            1.0,
            source,
            REPEATS,
        ),
    ]
