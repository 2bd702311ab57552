"""Read observed pairs of photons, and make them the features that networks know.

Users list energies, hits and directions in the columns :data:`COLUMNS`. Which photon comes first
does not matter: the more energetic one becomes the first. The simulation goes by true energies,
which differs for 1 event in 30 at 10 % resolution, where both are nearly the same. What is
measured somewhat beyond a limit is set to it, as in the simulation
(:func:`bumpflow.simulate.alps.features.observe`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.ingest.blocks import Block, place_of
from bumpflow.ingest.checks import find_repeats
from bumpflow.ingest.convert import read_blocks
from bumpflow.ingest.layout import InvalidEvents, Layout
from bumpflow.rowhash import hash_rows
from bumpflow.simulate.alps.features import FEATURES
from bumpflow.simulate.alps.settings import BeamDump, Resolution

KINDS = {"e": "gev", "x": "m", "y": "m", "theta": "rad", "phi": "rad"}
"""What is measured of a photon, and its unit."""
COLUMNS = tuple(f"{kind}{i}_{unit}" for kind, unit in KINDS.items() for i in (1, 2))
"""Energies, hits on the calorimeter, polar angles to the beam and azimuths of both photons."""
OTHER_UNITS = {
    "gev": {"MeV": 1e-3, "TeV": 1e3},
    "m": {"mm": 1e-3, "cm": 1e-2},
    "rad": {"mrad": 1e-3, "degrees": np.pi / 180},
}
"""Units that a file may have by mistake, in ours."""
MOST = 1 << 22
"""Events of an observation: more are a mistake, and would fill the memory."""
TOLERANCE = 5.0
"""Standard deviations of the measurement by which a value may exceed a limit."""


class Limits(NamedTuple):
    """What values of a kind are possible.

    Attributes:
        low: The least.
        high: The largest.
        below: What is wrong with those that are less.
        above: What is wrong with those that are more.
    """

    low: float
    high: float
    below: str
    above: str

    def hold(self, values: NDArray) -> NDArray[np.bool_]:
        """Return which values are possible; NaN is not."""
        return (values >= self.low) & (values <= self.high)


def read_photon_pairs(path: Path, setup: BeamDump, resolution: Resolution) -> pd.DataFrame:
    """Read observed events and check that the set-up can have seen them.

    Args:
        path: A table with the columns :data:`COLUMNS`, in any order and among others: ``.csv``
            or ``.tsv``, either gzipped or not, or ``.parquet``; or an ``.npy`` matrix of them.
        setup: Where the events were seen.
        resolution: How well photons are measured.

    Returns:
        Columns ``FEATURES``, one row per event in the file's order.

    Raises:
        InvalidEvents: If the file cannot be read, is empty or has more than :data:`MOST` events,
            a column is missing, or an event is impossible; it names the event, the value, and
            what may be wrong.
    """
    layout = Layout(COLUMNS, label=0, header="present", strict=False)
    blocks, n_events = [], 0
    for block in read_blocks(path, layout):
        blocks += [block] if len(block) else []
        n_events += len(block)
        if n_events > MOST:
            msg = f"{path.name}: more than {MOST} events, too many for one observation: divide it"
            raise InvalidEvents(msg)
    if not blocks:
        msg = f"{path.name}: there are no events: list one in each row, columns {COLUMNS}"
        raise InvalidEvents(msg)
    table = pd.DataFrame(
        {name: np.concatenate([block.columns[name] for block in blocks]) for name in COLUMNS},
        dtype=np.float64,
    )
    limits = measured_limits(setup, resolution)
    _check_values(table, limits, blocks, file=path.name)
    _check_separation(table, setup, resolution, blocks, file=path.name)
    features = to_features(table, setup, resolution)
    repeats = find_repeats(hash_rows(features.to_numpy().T))
    if repeats.any():
        place = _place(blocks, int(np.argmax(repeats)), file=path.name)
        msg = f"{place}: it repeats an earlier one, and would be compatible with it: remove it"
        raise InvalidEvents(msg)
    return features


def to_features(table: pd.DataFrame, setup: BeamDump, resolution: Resolution) -> pd.DataFrame:
    """Return features of pairs of photons, within the limits that the simulation keeps.

    Args:
        table: Columns :data:`COLUMNS`.
        setup: Where the events were seen.
        resolution: How well photons are measured.

    Returns:
        Columns ``FEATURES``.
    """
    value = {
        kind: table[[f"{kind}1_{unit}", f"{kind}2_{unit}"]].to_numpy(np.float64)
        for kind, unit in KINDS.items()
    }
    order = np.argsort(-value["e"], axis=1, kind="stable")
    value = {kind: np.take_along_axis(pair, order, axis=1) for kind, pair in value.items()}
    end = setup.calorimeter
    columns = {
        "ln_e": np.log(np.maximum(value["e"], setup.min_energy_gev)),
        "x": np.clip(value["x"], *end.x_m),
        "y": np.clip(value["y"], *end.y_m),
        "ln_theta": np.log(np.clip(value["theta"], resolution.theta, np.pi / 2)),
        "phi": np.mod(value["phi"] + np.pi, 2 * np.pi) - np.pi,
    }
    named = {f"{kind}{i + 1}": pair[:, i] for kind, pair in columns.items() for i in (0, 1)}
    return pd.DataFrame(named)[list(FEATURES)]


def measured_limits(setup: BeamDump, resolution: Resolution) -> dict[str, Limits]:
    """Return what can be measured, by kind.

    Args:
        setup: Where the events were seen.
        resolution: How well photons are measured.
    """
    least, beam, end = setup.min_energy_gev, setup.beam_momentum_gev, setup.calorimeter
    off, reach = TOLERANCE * resolution.energy, TOLERANCE * resolution.hit_m
    angle = float(np.arccos(setup.least_cosine))
    too_low = f"is below {least:g} GeV, the least energy that is accepted"
    steep = f"is above {angle:.3g} rad, the largest angle of a photon from the vessel"
    limits = {
        "e": Limits(
            least * (1 - off), beam * (1 + off), too_low, f"is above the beam's {beam:g} GeV"
        ),
        "theta": Limits(0.0, angle + TOLERANCE * resolution.theta, "is negative", steep),
        "phi": Limits(-np.pi, 2 * np.pi, "is below -pi", "is above 2 pi"),
    }
    for kind, (low, high) in (("x", end.x_m), ("y", end.y_m)):
        outside = f"is outside the calorimeter, which reaches from {low:g} to {high:g} m"
        limits[kind] = Limits(low - reach, high + reach, outside, outside)
    return limits


def _check_values(
    table: pd.DataFrame, limits: Mapping[str, Limits], blocks: list[Block], *, file: str
) -> None:
    """Raise for the first event with a value that cannot be measured."""
    values = table[list(COLUMNS)].to_numpy()
    each = [limits[_kind(name)] for name in COLUMNS]
    bad = np.stack([~limit.hold(x) for limit, x in zip(each, values.T, strict=True)], axis=1)
    if not bad.any():
        return
    event = int(np.argmax(bad.any(1)))
    index = int(np.argmax(bad[event]))
    name, limit, value = COLUMNS[index], each[index], float(values[event, index])
    what = limit.below if value < limit.low else limit.above
    if not np.isfinite(value):
        what = "is not finite"
    place = _place(blocks, event, file=file, column=name)
    msg = f"{place}: {_original(blocks, event, name)} {what}: {_remedy(table, name, limit)}"
    raise InvalidEvents(msg)


def _kind(column: str) -> str:
    return column.partition("_")[0][:-1]


def _remedy(table: pd.DataFrame, column: str, limit: Limits) -> str:
    """Return what to do about an impossible value; if most are, their unit may be another one."""
    kind = _kind(column)
    unit = KINDS[kind]
    values = table[[f"{kind}1_{unit}", f"{kind}2_{unit}"]].to_numpy()
    units = OTHER_UNITS[unit].items()
    fitting = [name for name, factor in units if limit.hold(values * factor).all()]
    if fitting and limit.hold(values).mean() < 0.5:
        return f"if {kind}1 and {kind}2 are in {' or '.join(fitting)}, convert them to {unit}"
    return "correct the event or remove it"


def _check_separation(
    table: pd.DataFrame,
    setup: BeamDump,
    resolution: Resolution,
    blocks: list[Block],
    *,
    file: str,
) -> None:
    """Raise for the first event whose photons are too close to each other."""
    x, y = (table[[f"{kind}1_m", f"{kind}2_m"]].to_numpy() for kind in "xy")
    apart = np.hypot(x[:, 0] - x[:, 1], y[:, 0] - y[:, 1])
    least = setup.min_separation_m
    bad = apart < least - TOLERANCE * np.sqrt(2) * resolution.hit_m
    if bad.any():
        event = int(np.argmax(bad))
        msg = (
            f"{_place(blocks, event, file=file)}: the photons hit the calorimeter"
            f" {apart[event]:.3g} m apart, but {least:g} m is the least that is accepted: remove it"
        )
        raise InvalidEvents(msg)


def _find(blocks: list[Block], event: int) -> tuple[Block, int]:
    """Return the block that holds an event, and its row there."""
    for block in blocks:
        if event < len(block):
            break
        event -= len(block)
    return block, event


def _place(blocks: list[Block], event: int, *, file: str, column: str | None = None) -> str:
    """Return words for an event's place in the file."""
    block, row = _find(blocks, event)
    named = f", column {column!r}" if column else ""
    return f"{place_of(file, block.unit, block.first + row)} (event {event}){named}"


def _original(blocks: list[Block], event: int, column: str) -> str:
    """Return a value as the file writes it."""
    block, row = _find(blocks, event)
    return block.original(row, column)
