"""Whole measurements in a world whose truth is known: training and data, drawn again and again.

The truth are densities that were trained on simulated events. Of each experiment all is new: the
events in the sidebands, with the signal that they hold in real data, the simulated signal, the
densities trained on both, and the data sets that are measured with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from bumpflow.flows.density import DensitySettings, EventDensity
from bumpflow.resonance.densities import train_bootstraps
from bumpflow.resonance.fitting import FitFailed, fit
from bumpflow.resonance.likelihood import DataSets
from bumpflow.resonance.methods import METHODS, Result, envelope, prepare, signal_spread
from bumpflow.resonance.pools import N_NORMS, norms_of
from bumpflow.resonance.scoring import Component, Densities, Systematic, score
from bumpflow.resonance.shapes import MassModel, Window, draw_masses
from bumpflow.resonance.store import Measurement
from bumpflow.resonance.toys import Density, Layout, Pool, draw_toys, share_of
from bumpflow.resonance.variations import Interpolation, Scheme
from bumpflow.train import TrainSettings
from bumpflow.workflow import derive_seed, progress

SPARE = 1.1
"""Events of a pool over those that toys need on average, and some more for small numbers."""
SPARE_EVENTS = 200


class Truth(NamedTuple):
    """What events are drawn from.

    Attributes:
        background: Background's features at given mass.
        signal: Signal's features.
        masses: Shapes in mass.
        theta: Parameters of the background's shape, ``(order,)``.
    """

    background: EventDensity
    signal: EventDensity
    masses: MassModel
    theta: NDArray[np.float64]

    def background_mass(self, mass: NDArray) -> NDArray[np.float64]:
        """Return the background's density in mass [1/GeV]."""
        return self.masses.background.at(mass, self.theta)

    def signal_mass(self, mass: NDArray) -> NDArray[np.float64]:
        """Return the signal's density in mass [1/GeV]."""
        return self.masses.peak.density(mass, self.masses.window)

    def mass_density(self, kind: str) -> Density:
        """Return the density in mass of background or signal."""
        return self.signal_mass if kind == "signal" else self.background_mass

    def draw(
        self, kind: str, n: int, region: Window, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Return features and masses [GeV] of ``n`` events of a region, by their kind."""
        density = self.signal if kind == "signal" else self.background
        mass = draw_masses(self.mass_density(kind), region, n, generator)
        return density.sample(n, mass[:, None], generator=generator), mass


@dataclass(frozen=True)
class ExperimentSettings:
    """Sizes of an experiment.

    Attributes:
        n_events: Events of a data set, signal included.
        n_signal: True signals [events] to measure.
        n_train: Events behind the background's training, over the whole window, of which the
            sidebands are used.
        n_simulated: Simulated signal events.
        contamination: Signal events among ``n_train`` events, over those among ``n_events``.
        n_toys: Data sets at each signal.
        n_envelopes: Data sets that the published envelope is made for as well.
        methods: Keys of :data:`~bumpflow.resonance.methods.METHODS`.
        bootstraps: Densities of the background.
        interpolation: How densities depend on the parameters of systematics.
    """

    n_events: int
    n_signal: Sequence[int]
    n_train: int
    n_simulated: int
    contamination: int
    n_toys: int
    n_envelopes: int
    methods: Sequence[str]
    bootstraps: int
    interpolation: Scheme = "piecewise"

    def pool_size(self, truth: Truth, kind: str, expected: float) -> int:
        """Return how many events of a kind all toys need in the signal region, with some spare."""
        share = share_of(truth.mass_density(kind), truth.masses.signal_region)
        return int(SPARE * self.n_toys * expected * share) + SPARE_EVENTS


def run_experiment(
    truth: Truth,
    settings: ExperimentSettings,
    *,
    density: DensitySettings,
    training: TrainSettings,
    validation_fraction: float,
    systematics: Sequence[Systematic],
    seed: int,
    device: torch.device,
    checkpoints: Any = None,  # noqa: ANN401
) -> pd.DataFrame:
    """Train densities on events drawn from the truth, and measure data sets drawn from it.

    Data sets with different signals share their background events.

    Args:
        truth: What events are drawn from.
        settings: Sizes.
        density: What densities to train.
        training: Settings of the training.
        validation_fraction: Share of the events set aside for early stopping.
        systematics: Variations of features. Their other measurements scatter by one standard
            deviation from data set to data set.
        seed: Seed of everything random.
        device: Where to train and evaluate.
        checkpoints: Folder from which a killed training resumes.

    Returns:
        One row per data set and method: ``signal``, the true one, ``method``, ``fitted`` [events],
        ``uncertainty`` [events], ``distance``, twice the fall of -ln L from the truth to the best
        signal, and ``pull``; NaN where a fit failed. Rows of method ``envelope`` have the half width
        of its interval for uncertainty, and a distance below or above 1 if that holds the
        truth or not.
    """
    generator = Generator(device).manual_seed(derive_seed(seed, "events"))
    learn = partial(
        train_bootstraps,
        settings=density,
        training=training,
        validation_fraction=validation_fraction,
        device=device,
    )
    folders = {name: checkpoints and checkpoints / name for name in ("background", "signal")}
    backgrounds = learn(
        *_sidebands(truth, settings, generator),
        n_bootstraps=settings.bootstraps,
        seed=derive_seed(seed, "background"),
        checkpoints=folders["background"],
    ).densities
    simulated = truth.draw("signal", settings.n_simulated, truth.masses.window, generator)
    signal = learn(
        *simulated,
        n_bootstraps=0,
        seed=derive_seed(seed, "signal"),
        checkpoints=folders["signal"],
    ).densities[0]
    densities = Densities(
        backgrounds,
        Component(signal, truth.masses.peak),
        truth.masses.window,
        systematics=systematics,
    )
    layout = Layout.beside(truth.masses.window, truth.masses.signal_region)
    make = partial(make_pool, truth, densities=densities, layout=layout, generator=generator)
    between = Interpolation()
    if settings.interpolation == "piecewise":
        measurement = Measurement(densities, truth.masses, truth.theta, ())
        between = Interpolation("piecewise", norms_of(measurement, N_NORMS, generator))
    n_background = settings.n_events - min(settings.n_signal)
    background = make("background", settings.pool_size(truth, "background", n_background))
    tables = []
    for n in progress(settings.n_signal):
        signal_pool = make("signal", settings.pool_size(truth, "signal", n))
        toys = _draw(truth, settings, [signal_pool, background], n, layout, generator)
        tables.append(_measure(toys, settings, truth.masses, between, n_signal=n))
    return pd.concat(tables, ignore_index=True)


def _sidebands(
    truth: Truth, settings: ExperimentSettings, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Return the events that the background is learnt from, with the signal among them."""
    window, region = truth.masses.window, truth.masses.signal_region
    sides = (Window(window.low, region.low), Window(region.high, window.high))
    n_signal = settings.contamination * settings.n_train / settings.n_events
    parts = []
    for kind, total in (("background", settings.n_train - n_signal), ("signal", n_signal)):
        shape = truth.mass_density(kind)
        for side in sides:
            mean = torch.tensor(total * share_of(shape, side), device=generator.device)
            n = int(torch.poisson(mean, generator=generator))
            parts.append(truth.draw(kind, n, side, generator))
    x, mass = (torch.cat(part) for part in zip(*parts, strict=True))
    return x, mass.float()


def make_pool(
    truth: Truth, kind: str, n: int, densities: Densities, layout: Layout, generator: Generator
) -> Pool:
    """Return scored events of the signal region, drawn from the truth."""
    region, shape = truth.masses.signal_region, truth.mass_density(kind)
    x, mass = truth.draw(kind, n, region, generator)
    beside = torch.as_tensor(layout.shares(shape), device=generator.device)
    return Pool(score(x, mass.float(), densities), share_of(shape, region), beside)


def _draw(
    truth: Truth,
    settings: ExperimentSettings,
    pools: list[Pool],
    n_signal: int,
    layout: Layout,
    generator: Generator,
) -> DataSets:
    """Return toys with a signal, whose systematics' other measurements scatter."""
    toys = draw_toys(
        pools,
        [float(n_signal), float(settings.n_events - n_signal)],
        settings.n_toys,
        layout=layout,
        peak=truth.signal_mass,
        generator=generator,
        replace=False,
    )
    scatter = torch.randn(
        toys.measured.shape, generator=generator, device=toys.measured.device, dtype=torch.float64
    )
    return toys._replace(measured=scatter)


def _measure(
    toys: DataSets,
    settings: ExperimentSettings,
    masses: MassModel,
    between: Interpolation,
    *,
    n_signal: int,
) -> pd.DataFrame:
    """Return the rows of one true signal."""
    tables = [_fit_method(name, toys, masses, between, n_signal) for name in settings.methods]
    if settings.n_envelopes:
        some = toys.rows(torch.arange(settings.n_envelopes, device=toys.weight.device))
        tables.append(_envelopes(some, masses, n_signal, settings.bootstraps))
    return pd.concat(tables, ignore_index=True).assign(signal=n_signal)


def _fit_method(
    name: str, toys: DataSets, masses: MassModel, between: Interpolation, n_signal: int
) -> pd.DataFrame:
    """Return one method's rows; a further uncertainty of the signal shortens distances."""
    model, data = prepare(METHODS[name], toys, masses.background, interpolation=between)
    free = fit(model, data)
    start = torch.where(free.good[:, None], free.values, model.start(data))
    held = fit(model, data, held={"signal": float(n_signal)}, start=start)
    statistical = free.uncertainty
    total = np.hypot(statistical, signal_spread(model, data, free))
    distance = (held.deviance - free.deviance).clamp_min(0).cpu().numpy()
    return pd.DataFrame(
        {
            "method": name,
            "fitted": free.signal,
            "uncertainty": total,
            "distance": distance * (statistical / total) ** 2,
            "pull": (free.signal - n_signal) / total,
        }
    )


def _envelopes(toys: DataSets, masses: MassModel, n_signal: int, n_members: int) -> pd.DataFrame:
    """Return rows of the published envelope, which takes a fit per bootstrap and data set."""
    model, _ = prepare(METHODS["statistical"], toys, masses.background)
    rows: list[Mapping[str, Any]] = []
    for index in range(toys.n_sets):
        one = toys.rows(torch.tensor([index], device=toys.weight.device))
        data = prepare(METHODS["spread"], one, masses.background)[1]
        try:
            result = envelope(model, data, n_members).result
        except FitFailed:
            result = Result(np.nan, np.nan, np.nan)
        width = result.uncertainty
        rows.append(
            {
                "method": "envelope",
                "fitted": result.signal,
                "uncertainty": width,
                "distance": 0.0 if result.low <= n_signal <= result.high else 2.0,
                "pull": (result.signal - n_signal) / width,
            }
        )
    return pd.DataFrame(rows)
