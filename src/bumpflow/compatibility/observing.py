"""Hunt in observed events: their statistics, and those of toys of background."""

import numpy as np
import torch
from torch import Generator

from bumpflow.compatibility.hunting import (
    BUMP,
    EPO,
    LR,
    LR_MAX,
    LR_SHAPE,
    MOVING,
    HuntSettings,
    Pool,
    column,
    hunt_toys,
    statistic_of,
    try_hunts,
)
from bumpflow.compatibility.observed import Analysis, Hunt, Observed, analyse_events
from bumpflow.compatibility.significance import Tally
from bumpflow.compatibility.store import Hunters
from bumpflow.compatibility.toys import Cells, Toys, plan_cells


def hunt_observed(
    observed: Pool,
    background: Pool,
    hunters: Hunters,
    *,
    threshold: float,
    bins: list[int],
    mu_b: float | None,
    n_toys: int,
    generator: Generator,
) -> Analysis:
    """Return everything that hunts say of observed events.

    Args:
        observed: The events.
        background: Background events that toys draw from.
        hunters: Trained networks.
        threshold: Mean compatibility above which cleaning keeps events.
        bins: Numbers of bins of bump hunts.
        mu_b: Expected background events; None if that is unknown, see
            :func:`~bumpflow.compatibility.observed.analyse_events`.
        n_toys: Toys of background.
        generator: Source of random numbers.
    """
    n_events = len(observed.x)
    settings = HuntSettings([threshold], bins, [] if mu_b is None else [mu_b])
    weights = hunters.posterior.grid.mass.weights.to(observed.x.device)
    closed = hunters.closed_form()
    networks = {**hunters.scorers(), EPO: closed}
    tables = {
        "observed": try_hunts(
            _as_toy(n_events, observed.x.device),
            observed,
            None,
            weights=weights,
            networks=networks,
            settings=settings,
        ),
        "background": hunt_toys(
            _cells(n_events, mu_b, n_toys),
            background,
            None,
            weights=weights,
            networks=networks,
            settings=settings,
            generator=generator,
        ),
    }
    tables["observed"] = tables["observed"].assign(n_background=n_events, n_signal=0)
    cells = _cells(n_events, mu_b, n_toys)
    choices: dict[str, tuple[str, float | None]] = {name: (name, threshold) for name in networks}
    choices |= {column(BUMP, n).replace("_", ""): (BUMP, n) for n in bins}
    ratios = (LR_SHAPE,) if mu_b is None else (LR, LR_MAX)
    choices |= {name: (name, None) for name in (MOVING, *ratios)}
    hunts = {}
    for name, (hunt, setting) in choices.items():
        value, toys = (
            statistic_of(table, hunt, setting, mu_b=mu_b or np.nan) for table in tables.values()
        )
        hunts[name] = Hunt(float(value[0]), Tally.of(toys, cells))
    everyone = torch.ones(1, n_events, dtype=torch.bool, device=observed.x.device)
    return analyse_events(
        Observed(
            observed.log_ratio,
            closed.scores(observed.log_ratio[None], everyone)[0],
            10 ** observed.log10_mass.cpu().numpy(),
        ),
        weights=weights,
        axis=hunters.posterior.grid.mass,
        threshold=threshold,
        mu_b=mu_b,
        hunts=hunts,
    )


def _as_toy(n_events: int, device: torch.device) -> Toys:
    """Return the toy that consists of all events of a pool."""
    rows = torch.arange(n_events, device=device)[None]
    there = torch.ones_like(rows, dtype=torch.bool)
    return Toys(rows, there, ~there)


def _cells(n_events: int, mu_b: float | None, n_toys: int) -> Cells:
    """Return toys of background: all with as many events if their expectation is unknown."""
    if mu_b is None:
        return Cells(np.array([n_events]), np.array([0]), np.array([n_toys]))
    return plan_cells([mu_b], n_toys=n_toys // 2, n_min=max(2, n_toys // 40))
