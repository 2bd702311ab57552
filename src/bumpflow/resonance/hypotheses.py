"""Tests of one data set: significance, limits, intervals by toys, and a scan of the mass."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from bumpflow.resonance.fitting import fit
from bumpflow.resonance.inference import (
    Belt,
    asimov,
    discover,
    feldman_cousins,
    upper_limit,
)
from bumpflow.resonance.likelihood import DataSets, Events, ResonanceModel
from bumpflow.resonance.methods import METHODS, measure, prepare
from bumpflow.resonance.pools import Kind, draw_component, mass_density
from bumpflow.resonance.scan import MassScan, peak_density, scan_masses
from bumpflow.resonance.scoring import score, score_signals
from bumpflow.resonance.store import Measurement
from bumpflow.resonance.toys import Layout, Pool, draw_toys, share_of, sideband_bins
from bumpflow.workflow import derive_seed

TESTED = "statistical"
"""Method whose likelihood toys are fitted with; the bootstraps' spread is what it leaves out."""
BELT_REACH = 3.0
"""How far from the best signal toys are made [standard deviations]."""


class Hypotheses:
    """One data set, and pools of events that its fitted model generates."""

    def __init__(
        self,
        measurement: Measurement,
        data: DataSets,
        events: tuple[Tensor, Tensor],
        settings: Mapping[str, Any],
        *,
        seed: int,
    ) -> None:
        """Fit the data, and draw and score the pools.

        Args:
            measurement: Densities and shapes.
            data: The data set, unbinned.
            events: Features and masses behind it.
            settings: ``confidence``, ``n_toys``, ``n_signals``, ``pool_size``, ``scan_gev`` and
                ``scan_toys``.
            seed: Seed of everything random.
        """
        self.measurement, self.settings, self.events = measurement, settings, events
        masses = measurement.masses
        self.model, self.data = prepare(
            METHODS[TESTED], data, masses.background, others=measurement.others
        )
        self.free = fit(self.model, self.data)
        self.layout = Layout.beside(masses.window, masses.signal_region)
        self.generator = Generator(events[0].device).manual_seed(derive_seed(seed, "pools"))
        self.peak = peak_density(masses.peak, masses.window)
        _, theta, *_ = self.model.split(self.free.values)
        self.theta = theta[0].cpu().numpy()
        self.pools = [self._pool("signal"), self._pool("background")]

    def _pool(self, kind: Kind) -> Pool:
        """Return scored events of one component of the fitted model, in the signal region."""
        n, densities = self.settings["pool_size"], self.measurement.densities
        x, mass = draw_component(
            self.measurement, kind, n, theta=self.theta, generator=self.generator
        )
        shape = mass_density(self.measurement, kind, self.theta)
        beside = torch.as_tensor(self.layout.shares(shape), device=mass.device)
        events = self._plain(score(x, mass, densities))
        signals = score_signals(x, mass, densities, self.shifts)
        share = share_of(shape, self.measurement.masses.signal_region)
        return Pool(events._replace(others=signals), share, beside)

    @property
    def shifts(self) -> list[float]:
        """By how much the scanned signals are heavier [GeV]."""
        low, high, step = (self.settings["scan_gev"][key] for key in ("low", "high", "step"))
        tested = np.arange(low, high + step / 2, step)
        return list(tested - self.measurement.masses.peak.location)

    def _plain(self, events: Events) -> Events:
        """Return events without what the tested method does not use."""
        return events._replace(
            spread=events.spread[..., :0], up=events.up[..., :0], down=events.down[..., :0]
        )

    def _toys(self, signal: float, n_toys: int, *, scanned: bool = False) -> DataSets:
        """Return toys of the fitted model with a signal [events]."""
        background = self.free.values[0, 1].item()
        toys = draw_toys(
            self.pools,
            [signal, background],
            n_toys,
            layout=self.layout,
            peak=self.peak,
            generator=self.generator,
        )
        return toys if scanned else self._unscanned(toys)

    def _unscanned(self, toys: DataSets) -> DataSets:
        events = toys.events
        return toys._replace(events=events._replace(others=events.others[..., :0]))

    def belt(self) -> Belt:
        """Return which signals toys accept, around the best one."""
        model = ResonanceModel(self.measurement.masses.background)
        best, width = max(self.free.signal[0], 0.0), self.free.uncertainty[0]
        low, high = max(best - BELT_REACH * width, 0.0), best + BELT_REACH * width
        signals = np.linspace(low, high, self.settings["n_signals"])
        data = self._unscanned(self.data)
        return feldman_cousins(
            model,
            data,
            self._toys,
            signals,
            n_toys=self.settings["n_toys"],
            confidence=self.settings["belt_confidence"],
        )

    def scan(self) -> MassScan:
        """Return local significances of the data, and the largest ones of background-only toys."""
        masses = self.measurement.masses
        model = ResonanceModel(masses.background)
        x, mass = self.events
        inside = torch.as_tensor(masses.signal_region.holds(mass.cpu().numpy()), device=x.device)
        scored = score_signals(x[inside], mass[inside], self.measurement.densities, self.shifts)
        counts = self.layout.counts(mass[~inside].cpu().numpy())
        beside = sideband_bins(
            self.layout, torch.as_tensor(counts, device=x.device)[None], peak=self.peak
        )
        events = self._plain(self.data.events)._replace(others=scored[None])
        data = DataSets.of(events, self.data.weight, beside)
        toys = self._toys(0.0, self.settings["scan_toys"], scanned=True)
        z = scan_masses(data, model, masses, self.shifts)[0]
        largest = scan_masses(toys, model, masses, self.shifts).max(1)
        return MassScan(masses.peak.location + np.array(self.shifts), z, largest)

    def record(self, belt: Belt, scan: MassScan) -> dict[str, Any]:
        """Return significances, limits and intervals."""
        background = self.free.values[0, 1].item()
        nothing, expected = (
            self._unscanned(
                asimov(self.pools, [signal, background], layout=self.layout, peak=self.peak)
            )
            for signal in (0.0, float(self.free.signal[0]))
        )
        plain = ResonanceModel(self.measurement.masses.background)
        result, best = measure(self.model, self.data)
        excess = discover(self.model, self.data, best)
        limit = upper_limit(
            plain, self._unscanned(self.data), nothing, confidence=self.settings["confidence"]
        )
        asimov_z = discover(plain, expected, fit(plain, expected)).z
        low, high = belt.interval()
        p = scan.global_p
        return {
            "signal": result._asdict(),
            "z0": excess.z,
            "p0": excess.p0,
            "asimov_z": asimov_z,
            "limit": limit.observed,
            "expected_limits": limit.expected.tolist(),
            "belt": {"low": low, "high": high, "confidence": self.settings["belt_confidence"]},
            "scan": {
                "mass_gev": float(scan.mass[scan.z.argmax()]),
                "z": float(scan.z.max()),
                "global_p": p.value,
                "global_p_error": p.uncertainty,
                "global_z": scan.global_z,
            },
        }

    def belt_table(self, belt: Belt) -> pd.DataFrame:
        """Return the belt, one row per tested signal."""
        return pd.DataFrame(belt._asdict())

    def scan_table(self, scan: MassScan) -> pd.DataFrame:
        """Return local significances, one row per mass."""
        return pd.DataFrame({"mass": scan.mass, "z": scan.z})

    def scan_toys_table(self, scan: MassScan) -> pd.DataFrame:
        """Return the largest local significance of each toy."""
        return pd.DataFrame({"z_max": scan.toys})
