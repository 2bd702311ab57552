"""What goes into a measurement: events of a window, their roles, mock data, varied features."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.ingest.layout import InvalidEvents
from bumpflow.resonance.shapes import Window
from bumpflow.splits import assign_splits
from bumpflow.suggest import suggest

LABEL, DATASET = "label", "dataset"


class Regions(NamedTuple):
    """Where events of a window lie; masks, shape ``(n_events,)`` each.

    Attributes:
        lower: In the sideband below the signal region.
        signal: In the signal region.
        upper: In the sideband above it.
    """

    lower: NDArray[np.bool_]
    signal: NDArray[np.bool_]
    upper: NDArray[np.bool_]

    @property
    def sideband(self) -> NDArray[np.bool_]:
        """In either sideband."""
        return self.lower | self.upper


class CheckedEvents(NamedTuple):
    """Events that a measurement can use.

    Attributes:
        events: Those inside the window, in their order.
        record: Numbers of events: ``n_read``, ``n_outside`` the window, and of those inside
            ``n_lower``, ``n_signal_region`` and ``n_upper``.
    """

    events: pd.DataFrame
    record: dict[str, int]


class TrainingEvents(NamedTuple):
    """Events that densities are trained on.

    Attributes:
        events: Background as it is in data, possibly with signal in it; column ``label`` is 0 for
            background and 1 for signal.
        signal: Signal for its own density; none of it is in ``events``.
    """

    events: pd.DataFrame
    signal: pd.DataFrame


def check_regions(window: Window, signal_region: Window) -> None:
    """Check that the signal region has a sideband on either side.

    Raises:
        ValueError: If it is not inside the window, or a range has no width.
    """
    ends = (window.low, signal_region.low, signal_region.high, window.high)
    if not all(low < high for low, high in pairwise(ends)):
        msg = (
            f"the signal region {_named(signal_region)} must lie inside the window"
            f" {_named(window)} with a sideband on either side: change `signal_region` or `window`"
        )
        raise ValueError(msg)


def find_regions(mass: NDArray, *, window: Window, signal_region: Window) -> Regions:
    """Return where events lie.

    Args:
        mass: Resonance variable [GeV], shape ``(n_events,)``; those outside the window are in no
            region.
        window: Range of the measurement.
        signal_region: Where features are used.
    """
    inside = window.holds(mass)
    return Regions(
        lower=inside & (mass < signal_region.low),
        signal=inside & signal_region.holds(mass),
        upper=inside & (mass >= signal_region.high),
    )


def check_events(
    table: pd.DataFrame,
    *,
    mass: str,
    features: Sequence[str],
    window: Window,
    signal_region: Window,
    name: str = "events",
    sidebands: bool = True,
) -> CheckedEvents:
    """Return the events inside the window, once nothing is wrong with them.

    Args:
        table: Events.
        mass: Column of the resonance variable [GeV].
        features: Columns of the features.
        window: Range of the measurement.
        signal_region: Where features are used.
        name: What to call the events in messages.
        sidebands: Whether there must be events in the sidebands, as data need; a peak may have
            none.

    Raises:
        InvalidEvents: If a column is missing, not finite or constant, or a region is empty.
        ValueError: If features or regions are no sensible choice.
    """
    check_features(mass, features)
    check_regions(window, signal_region)
    for column in (mass, *features):
        _check_column(table, column, name=name)
    at = find_regions(table[mass].to_numpy(), window=window, signal_region=signal_region)
    _check_filled(
        at, mass, window=window, signal_region=signal_region, name=name, sidebands=sidebands
    )
    inside = at.sideband | at.signal
    events = table[inside].reset_index(drop=True)
    for column in features:
        values = events[column].to_numpy()
        if values.min() == values.max():
            msg = (
                f"{name}: feature {column!r} is {values[0]:g} in all {len(values)} events of the"
                " window: remove it from `features`"
            )
            raise InvalidEvents(msg)
    counts = {"n_lower": at.lower, "n_signal_region": at.signal, "n_upper": at.upper}
    record = {"n_read": len(table), "n_outside": int((~inside).sum())}
    return CheckedEvents(events, record | {key: int(x.sum()) for key, x in counts.items()})


def check_features(mass: str, features: Sequence[str]) -> None:
    """Check that there are features, each once, and that the mass is none of them.

    Raises:
        ValueError: Otherwise.
    """
    if not features:
        msg = "there is no feature: list at least one in `features`"
        raise ValueError(msg)
    if mass in features:
        msg = f"{mass!r} is the resonance variable: remove it from `features`"
        raise ValueError(msg)
    if twice := sorted({column for column in features if list(features).count(column) > 1}):
        msg = f"`features` lists {', '.join(map(repr, twice))} more than once: remove the repeats"
        raise ValueError(msg)


def _check_column(table: pd.DataFrame, column: str, *, name: str) -> None:
    """Refuse a column that is missing, or has values that are no finite numbers."""
    if column not in table:
        known = suggest(column, map(str, table.columns))
        msg = f"{name}: there is no column {column!r}{known}"
        raise InvalidEvents(msg)
    values = table[column].to_numpy()
    if values.dtype.kind not in "fiu":
        msg = f"{name}: column {column!r} holds {values.dtype}, but must hold numbers"
        raise InvalidEvents(msg)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        msg = (
            f"{name}: column {column!r} is not finite in {len(bad)} of {len(values)} events, first"
            f" {values[bad[0]]} in row {bad[0]} (from 0): correct or remove these events"
        )
        raise InvalidEvents(msg)


def _check_filled(
    at: Regions,
    mass: str,
    *,
    window: Window,
    signal_region: Window,
    name: str,
    sidebands: bool,
) -> None:
    """Refuse events that leave a region empty."""
    ranges = {
        "lower sideband": (at.lower, Window(window.low, signal_region.low)),
        "signal region": (at.signal, signal_region),
        "upper sideband": (at.upper, Window(signal_region.high, window.high)),
    }
    for region, (mask, ends) in ranges.items():
        if not mask.any() and (sidebands or region == "signal region"):
            msg = (
                f"{name}: none of {len(mask)} events has {mass} within {_named(ends)}, the"
                f" {region}: look at its unit, or change `window` or `signal_region`"
            )
            raise InvalidEvents(msg)


def _named(ends: Window) -> str:
    return f"[{ends.low:g}, {ends.high:g}) GeV"


def assign_roles(
    table: pd.DataFrame,
    *,
    columns: Sequence[str],
    fractions: Mapping[str, float],
    salt: int = 0,
) -> NDArray[np.str_]:
    """Return what each event is used for, shape ``(n_events,)``; equal events share a role.

    Args:
        table: Events.
        columns: Columns whose values decide, and nothing else.
        fractions: Fraction of the events by role, such as ``train`` and ``holdout``.
        salt: Another salt gives other roles, independent of these.

    Raises:
        InvalidEvents: If a role with a fraction above 0 gets no event.
        ValueError: If fractions are negative or do not add up to 1.
    """
    values = [table[column].to_numpy() for column in columns]
    places = assign_splits(values, fractions=fractions, salt=salt)
    counts = np.bincount(places, minlength=len(fractions))
    for (role, fraction), count in zip(fractions.items(), counts, strict=True):
        if fraction > 0 and not count:
            msg = (
                f"none of {len(table)} events is for {role!r}, a fraction of {fraction:g}: take"
                " more events or a larger fraction"
            )
            raise InvalidEvents(msg)
    return np.array(list(fractions))[places]


def mock_data(
    background: pd.DataFrame,
    signal: pd.DataFrame,
    *,
    n_events: int,
    n_signal: int,
    rng: np.random.Generator,
    n_datasets: int = 1,
    fluctuate: bool = False,
) -> pd.DataFrame:
    """Return data sets drawn from known events, none of which is used twice.

    Args:
        background: Background events of the whole window that nothing was trained on.
        signal: Such signal events.
        n_events: Events of a data set.
        n_signal: How many of them are signal.
        rng: Source of random numbers.
        n_datasets: Number of data sets.
        fluctuate: Whether both numbers are means of Poisson distributions, as those of an
            experiment are, rather than exact.

    Returns:
        Events in random order within each data set, which is column ``dataset``, from 0; ``label``
        is 0 for background and 1 for signal.

    Raises:
        InvalidEvents: If there are too few events.
        ValueError: If a number is impossible.

    References:
        https://arxiv.org/abs/2506.06438, section 4.6
    """
    if not (0 <= n_signal <= n_events and n_events > 0 and n_datasets > 0):
        msg = (
            f"cannot draw {n_datasets} data sets of {n_events} events of which {n_signal} are"
            " signal: choose n_datasets and n_events above 0 and n_signal from 0 to n_events"
        )
        raise ValueError(msg)
    parts = []
    for label, (table, mean) in enumerate([(background, n_events - n_signal), (signal, n_signal)]):
        exact = np.full(n_datasets, mean)
        counts = rng.poisson(exact) if fluctuate else exact
        drawn = _draw(table, int(counts.sum()), rng, kind=("background", "signal")[label])
        drawn[LABEL] = np.int8(label)
        drawn[DATASET] = np.repeat(np.arange(n_datasets), counts)
        parts.append(drawn)
    whole = pd.concat(parts, ignore_index=True)
    order = rng.permutation(len(whole))
    order = order[np.argsort(whole[DATASET].to_numpy()[order], kind="stable")]
    return whole.iloc[order].reset_index(drop=True)


def training_events(
    background: pd.DataFrame,
    signal: pd.DataFrame,
    *,
    signal_fraction: float,
    rng: np.random.Generator,
    clean: bool = False,
) -> TrainingEvents:
    """Return what densities are trained on, with as much signal among the background as in data.

    Args:
        background: Background events for training, all of which are used.
        signal: Signal events for training, of which those that contaminate are taken away.
        signal_fraction: Fraction of signal in data over the whole window.
        rng: Source of random numbers.
        clean: Whether to leave out the contamination, which a search in data cannot. Everything
            else is the same.

    Raises:
        InvalidEvents: If there is too little signal.
        ValueError: If the fraction is not within [0, 1).
    """
    if not 0 <= signal_fraction < 1:
        msg = f"signal_fraction is {signal_fraction!r}: it must lie within [0, 1)"
        raise ValueError(msg)
    n_signal = round(len(background) * signal_fraction / (1 - signal_fraction))
    shuffled = _draw(signal, len(signal), rng, kind="signal")
    if n_signal >= len(signal):
        msg = (
            f"{n_signal} signal events are to contaminate {len(background)} of background, but"
            f" there are {len(signal)} for that and for the signal's own density: lower the"
            " fraction of signal or take more of it"
        )
        raise InvalidEvents(msg)
    injected = shuffled.iloc[: 0 if clean else n_signal].assign(**{LABEL: np.int8(1)})
    events = pd.concat([background.assign(**{LABEL: np.int8(0)}), injected], ignore_index=True)
    return TrainingEvents(events, shuffled.iloc[n_signal:].reset_index(drop=True))


def _draw(table: pd.DataFrame, n: int, rng: np.random.Generator, *, kind: str) -> pd.DataFrame:
    """Return some events in random order, none twice."""
    if n > len(table):
        msg = (
            f"{n} {kind} events are needed, but there are {len(table)}: take fewer or smaller data"
            " sets, a larger holdout, or more events"
        )
        raise InvalidEvents(msg)
    return table.iloc[rng.permutation(len(table))[:n]].copy()


def vary(table: pd.DataFrame, scales: Mapping[str, float], *, nu: float) -> pd.DataFrame:
    r"""Return events with features varied, :math:`x \to (1 + \kappa \nu)\, x`, in their raw units.

    Args:
        table: Events.
        scales: Relative uncertainty :math:`\kappa` by column.
        nu: Value of the systematic's parameter: 1 is one standard deviation up, -1 down.

    Raises:
        InvalidEvents: If there is no such column.
        ValueError: If a factor is not positive.

    References:
        https://arxiv.org/abs/2506.06438, section 4.4
    """
    varied = {}
    for column, scale in scales.items():
        _check_column(table, column, name="variation")
        factor = 1 + scale * nu
        if not factor > 0:
            msg = (
                f"a relative uncertainty of {scale:g} would multiply {column!r} by {factor:g}:"
                " choose one within (-1, 1)"
            )
            raise ValueError(msg)
        varied[column] = table[column] * factor
    return table.assign(**varied)
