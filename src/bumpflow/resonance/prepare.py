"""From files of events to the events of a measurement, each with what it is for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from bumpflow.resonance.densities import smear, smearing_widths
from bumpflow.resonance.events import (
    assign_roles,
    check_events,
    mock_data,
    training_events,
)
from bumpflow.resonance.shapes import Window
from bumpflow.resonance.store import COMPONENT, FIT, ROLE, TEST, TRAIN
from bumpflow.workflow import derive_seed


class Prepared(NamedTuple):
    """Events of a measurement, and numbers of them.

    Attributes:
        events: Features, mass, and columns ``component`` (``data`` or a simulated one's name),
            ``role`` (``train``, ``fit`` or ``test``), ``label`` (of data: 0 background, 1
            signal, -1 unknown) and ``dataset`` (of data to fit; -1 elsewhere).
        record: Numbers of events by what they are.
    """

    events: pd.DataFrame
    record: dict[str, Any]


def prepare_measurement(
    tables: Mapping[str, pd.DataFrame],
    block: Mapping[str, Any],
    *,
    smearing: float,
    train_fraction: float,
    seed: int,
) -> Prepared:
    """Check events, decide what each is for, make mock data where asked to, and smear features.

    Args:
        tables: Events by component, the data as ``data``.
        block: The measurement's settings. With ``mock``, the data are background of which data
            sets are made; without, they are one data set.
        smearing: Width of the noise added to features [their standard deviations in data].
        train_fraction: Share of simulated events that densities are trained on.
        seed: Seed of everything random. Roles do not depend on the smearing.
    """
    mass, features = block["mass"], block["features"]
    columns = [*features, mass]
    window, region = Window(*block["window_gev"]), Window(*block["signal_region_gev"])
    record: dict[str, Any] = {}
    checked: dict[str, pd.DataFrame] = {}
    for name, table in tables.items():
        checked[name], record[name] = check_events(
            table,
            mass=mass,
            features=features,
            window=window,
            signal_region=region,
            name=name,
            sidebands=name == "data",
        )
        checked[name] = checked[name][columns]
    fractions = {TRAIN: train_fraction, TEST: 1 - train_fraction}
    rng = np.random.default_rng(derive_seed(seed, "draws"))
    roles = {
        name: assign_roles(table, columns=columns, fractions=fractions, salt=seed)
        for name, table in checked.items()
    }
    parts = {
        name: {role: table[roles[name] == role] for role in fractions}
        for name, table in checked.items()
    }
    mock = block.get("mock")
    signal = parts["signal"]
    if mock is None:
        data = checked["data"]
        frames = [data.assign(component="data", role=FIT, label=np.int8(-1), dataset=0)]
        rest = [(signal[TRAIN], TRAIN), (signal[TEST], TEST)]
    else:
        frames, rest = _make_data(parts["data"], signal, mock, rng)
    frames += [_simulated(table, "signal", role) for table, role in rest]
    others = [name for name in checked if name not in {"data", "signal"}]
    frames += [_simulated(parts[name][role], name, role) for name in others for role in fractions]
    events = pd.concat(frames, ignore_index=True)
    if smearing > 0:
        events = _smeared(events, features, smearing, seed=derive_seed(seed, "smearing"))
    counts = (events[COMPONENT] + "_" + events[ROLE]).value_counts()
    record["events"] = {str(name): int(n) for name, n in counts.sort_index().items()}
    return Prepared(events, record)


def _make_data(
    background: Mapping[str, pd.DataFrame],
    signal: Mapping[str, pd.DataFrame],
    mock: Mapping[str, Any],
    rng: np.random.Generator,
) -> tuple[list[pd.DataFrame], list[tuple[pd.DataFrame, str]]]:
    """Return events that play data, and the signal that is left, with its roles."""
    n_events, n_signal = mock["n_events"], mock["n_signal"]
    learnt = training_events(
        background[TRAIN], signal[TRAIN], signal_fraction=n_signal / n_events, rng=rng
    )
    order = rng.permutation(len(signal[TEST]))
    injected, left = np.split(order, [n_signal * mock["n_datasets"]])
    held = background[TEST]
    n_background = (n_events - n_signal) * mock["n_datasets"]
    used, unused = np.split(rng.permutation(len(held)), [n_background])
    sets = mock_data(
        held.iloc[used],
        signal[TEST].iloc[injected],
        n_events=n_events,
        n_signal=n_signal,
        rng=rng,
        n_datasets=mock["n_datasets"],
    )
    frames = [
        learnt.events.assign(component="data", role=TRAIN, dataset=-1),
        sets.assign(component="data", role=FIT),
        held.iloc[unused].assign(component="data", role=TEST, label=np.int8(0), dataset=-1),
    ]
    return frames, [(learnt.signal, TRAIN), (signal[TEST].iloc[left], TEST)]


def _simulated(table: pd.DataFrame, component: str, role: str) -> pd.DataFrame:
    return table.assign(component=component, role=role, label=np.int8(-1), dataset=-1)


def _smeared(
    events: pd.DataFrame, features: list[str], scale: float, *, seed: int
) -> pd.DataFrame:
    """Return events with noise of one width per feature, that of the data."""
    x = torch.tensor(events[features].to_numpy(float))
    data = torch.tensor((events[COMPONENT] == "data").to_numpy())
    generator = torch.Generator().manual_seed(seed)
    noisy = events.copy()
    noisy[features] = smear(x, smearing_widths(x[data], scale), generator=generator).numpy()
    return noisy
