"""A world of one feature whose densities are known exactly, for tests."""

import math
from types import SimpleNamespace

import numpy as np
import torch
from scipy.stats import norm

from bumpflow.resonance.experiments import Truth, make_pool
from bumpflow.resonance.likelihood import DataSets, Events, Sidebands
from bumpflow.resonance.scoring import Component, Densities, Systematic, data_set, score
from bumpflow.resonance.shapes import BackgroundShape, DoubleCrystalBall, MassModel, Window
from bumpflow.resonance.toys import Layout, draw_toys

WINDOW, REGION = Window(90.0, 180.0), Window(115.0, 135.0)
SIDES = (Window(90.0, 115.0), Window(135.0, 180.0))
PEAK = DoubleCrystalBall(125.0, 3.0, 50.0, 5.0, 3.0, 50.0, 5.0)
"""A Gaussian."""
THETA = 1.2
MASSES = MassModel(PEAK, BackgroundShape("exponential", 1, WINDOW), REGION)
LAYOUT = Layout.beside(WINDOW, REGION, width=0.25)
MEMBERS = (-0.1, 0.0, 0.15)
"""Means of the bootstraps' densities."""
SCALE = Systematic("scale", {"x": 0.03})


class Gaussian:
    """Density of one feature, in place of a trained one; its mean follows the mass."""

    settings = SimpleNamespace(features=("x",))
    lower = torch.zeros(1)

    def __init__(self, mean, width=1.0, slope=0.0):
        self.mean, self.width, self.slope = mean, width, slope

    def centre(self, context):
        """Return the mean at masses ``(n, 1)``."""
        return self.mean + self.slope * (context[:, 0].double() - PEAK.location)

    def log_prob(self, x, context):
        """Return the log density, as :class:`~bumpflow.flows.density.EventDensity` does."""
        pull = (x[:, 0].double() - self.centre(context)) / self.width
        return -0.5 * pull**2 - math.log(self.width * math.sqrt(2 * math.pi))

    def sample(self, n, context, *, generator=None):
        """Return events ``(n, 1)``, in single precision."""
        noise = torch.randn(n, generator=generator, dtype=torch.float64)
        return (self.centre(context) + self.width * noise)[:, None].float()


BACKGROUND, SIGNAL, OTHER = Gaussian(0.0), Gaussian(1.5), Gaussian(-1.0)
TRUTH = Truth(BACKGROUND, SIGNAL, MASSES, np.array([THETA]))


def seeded(seed):
    """Return a generator of random numbers."""
    return torch.Generator().manual_seed(seed)


def densities(*, members=(0.0,), systematics=(), others=False):
    """Return densities with bootstraps of some means, and perhaps one more component."""
    return Densities(
        [Gaussian(mean) for mean in members],
        Component(SIGNAL, PEAK),
        WINDOW,
        others=[Component(OTHER, PEAK.shifted(-6.0))] if others else [],
        systematics=systematics,
    )


def p_background(mass):
    """Return the background's density in mass [1/GeV]."""
    u = (mass - WINDOW.low) / (WINDOW.high - WINDOW.low)
    return THETA * np.exp(-THETA * u) / -np.expm1(-THETA) / (WINDOW.high - WINDOW.low)


def p_signal(mass):
    """Return the signal's density in mass [1/GeV]."""
    return PEAK.density(mass, WINDOW)


def draw(n_background, n_signal, seed):
    """Return features and masses of events in the window."""
    generator = seeded(seed)
    kinds = {"background": n_background, "signal": n_signal}
    parts = [TRUTH.draw(kind, n, WINDOW, generator) for kind, n in kinds.items()]
    return tuple(torch.cat(part).double() for part in zip(*parts, strict=True))


def drawn_data(n_background, n_signal, seed, **keywords):
    """Return one data set, unbinned."""
    return data_set(*draw(n_background, n_signal, seed), densities(**keywords), REGION)


def pools(n, seed=0, **keywords):
    """Return scored events of signal and background in the signal region."""
    chosen, generator = densities(**keywords), seeded(seed)
    kinds = ("signal", "background")
    return [make_pool(TRUTH, kind, n, chosen, LAYOUT, generator) for kind in kinds]


def toys(n_toys, signal, background, *, seed=0, **keywords):
    """Return pseudo-experiments."""
    return draw_toys(
        pools(5000, seed, **keywords),
        [signal, background],
        n_toys,
        layout=LAYOUT,
        peak=p_signal,
        others=tuple(
            lambda mass: PEAK.shifted(-6.0).density(mass, WINDOW)
            for _ in range("others" in keywords)
        ),
        generator=seeded(seed + 1),
    )


def nodes(low, high, n):
    """Return nodes and weights of a quadrature."""
    x, w = np.polynomial.legendre.leggauss(n)
    return low + (high - low) * (x + 1) / 2, (high - low) / 2 * w


def plane(n=60):
    """Return features, masses and weights of a quadrature over the signal region."""
    (m, dm), (x, dx) = nodes(*REGION, n), nodes(-6.5, 8.0, n)
    mass, feature = (part.ravel() for part in np.meshgrid(m, x))
    return feature, mass, np.outer(dx, dm).ravel()


def exact_data(signal, background, **keywords):
    """Return the data set that is as expected, by quadrature: no sampling is in it.

    The background has the mean of the bootstraps' densities.
    """
    x, mass, area = plane()
    chosen = densities(**keywords)
    q = np.mean([norm.pdf(x, one.mean) for one in chosen.backgrounds], axis=0)
    expected = signal * p_signal(mass) * norm.pdf(x, 1.5) + background * p_background(mass) * q
    events = score(torch.as_tensor(x)[:, None], torch.as_tensor(mass), chosen).batched()
    beside, dm = (
        np.concatenate(part) for part in zip(*(nodes(*s, 60) for s in SIDES), strict=True)
    )
    rates = dm * (signal * p_signal(beside) + background * p_background(beside))
    others = [one.peak.density(beside, WINDOW) for one in chosen.others]
    side = Sidebands(
        *(torch.as_tensor(part)[None] for part in (beside, rates, p_signal(beside))),
        torch.as_tensor(np.array(others).reshape(-1, len(beside)).T)[None],
    )
    return DataSets.of(events, torch.as_tensor(area * expected)[None], side)


def on_off(n_on, n_off, *, ratio):
    """Return counts in a bin with signal, and in one without and ``ratio`` times the background.

    Counts have shape ``(n_sets,)``; the model is a uniform background in :data:`UNIT`.
    """
    weight = torch.stack([torch.as_tensor(n).double() for n in (n_on, n_off)], dim=-1)
    n_sets = len(weight)
    signal = torch.tensor([1 + ratio, 0.0], dtype=torch.float64).expand(n_sets, -1)
    none, varied = (weight.new_zeros(n_sets, 2, *shape) for shape in ((0,), (2, 0)))
    events = Events(torch.full_like(weight, 0.5), signal, none, varied, varied, none)
    empty = weight.new_zeros(n_sets, 0)
    return DataSets.of(events, weight, Sidebands(empty, empty, empty, empty[..., None][..., :0]))


UNIT = BackgroundShape("exponential", 0, Window(0.0, 1.0))
