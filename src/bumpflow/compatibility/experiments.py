"""What is inferred from toys of a known mass: how it sharpens, and what wrong events do to it."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Generator, Tensor

from bumpflow.compatibility.cleaning import clean
from bumpflow.compatibility.coverage import compare_selection, coverage_table
from bumpflow.compatibility.grids import Axis
from bumpflow.compatibility.inference import combine, infer_toys, locate, moments
from bumpflow.compatibility.likelihood_ratio import unknown_background
from bumpflow.compatibility.pairs import pair_scores
from bumpflow.compatibility.toys import Toys, draw_toys, evaluate


def scale_signals(
    signal: Tensor,
    n_signal: Sequence[int],
    *,
    axis: Axis,
    truth: float,
    n_toys: int,
    generator: Generator,
) -> pd.DataFrame:
    """Return posteriors of the mass from several signal events: figure 7 of the paper.

    Args:
        signal: Log ratios of a pool of signal events, shape ``(n, n_masses)``.
        n_signal: Numbers of events to combine.
        axis: Masses of the grid.
        truth: True mass [decadic logarithm of GeV].
        n_toys: Toys of each number.
        generator: Source of random numbers.

    Returns:
        One row per toy: ``n_events``, ``mean``, ``std``, ``level`` and ``pit``.
    """
    weights = axis.weights.to(signal.device)

    def infer(events: Tensor, mask: Tensor) -> Tensor:
        """Return mean, standard deviation, and where the truth is."""
        posterior = combine(events, weights, mask=mask)
        found = locate(posterior, axis, posterior.new_full((len(posterior),), truth))
        return torch.stack([*moments(posterior, axis), *found], dim=1)

    tables = []
    for n in n_signal:
        toys = _draw(torch.zeros(n_toys), torch.full((n_toys,), n), signal[:0], signal, generator)
        found = evaluate(infer, toys, signal)
        table = pd.DataFrame(found.cpu().numpy(), columns=["mean", "std", "level", "pit"])
        tables.append(table.assign(n_events=n))
    return pd.concat(tables, ignore_index=True)


def infer_mixtures(
    background: Tensor,
    signal: Tensor,
    mixtures: Sequence[Sequence[int]],
    *,
    axis: Axis,
    truth: float,
    threshold: float,
    n_toys: int,
    generator: Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what is inferred from toys of background and signal: figures 8 and 9.

    Args:
        background: Log ratios of a pool of background events, shape ``(n, n_masses)``.
        signal: Those of signal events, shape ``(m, n_masses)``.
        mixtures: Numbers of background and signal events, shape ``(n_mixtures, 2)``.
        axis: Masses of the grid.
        truth: True mass [decadic logarithm of GeV].
        threshold: Threshold on the mean compatibility of retained events.
        n_toys: Toys of each mixture.
        generator: Source of random numbers.

    Returns:
        One row per toy and way of inference (see
        :func:`~bumpflow.compatibility.inference.infer_toys`), with ``n_background``, ``n_signal``
        and which events cleaning got wrong as ``kind``; and coverage curves by these and ``way``.
    """
    weights = axis.weights.to(signal.device)
    tables = []
    for n_b, n_s in mixtures:
        numbers = torch.full((n_toys,), n_b), torch.full((n_toys,), n_s)
        toys = _draw(*numbers, background, signal, generator)

        def survive(events: Tensor, mask: Tensor) -> Tensor:
            """Return which events cleaning retains."""
            scores = pair_scores(events, weights, mask=mask)
            return clean(scores, mask, thresholds=[threshold]).survivors[:, 0]

        survivors = evaluate(survive, toys, background, signal)
        found = infer_toys(
            toys,
            survivors,
            background,
            signal,
            weights=weights,
            axis=axis,
            truth=truth,
            strength=unknown_background(),
        )
        kinds = compare_selection(toys.mask, toys.signal, survivors)["kind"]
        kind = kinds.to_numpy()[found["toy"].to_numpy()]
        tables.append(found.assign(kind=kind, n_background=n_b, n_signal=n_s))
    table = pd.concat(tables, ignore_index=True)
    by = ["n_background", "n_signal", "way", "kind"]
    everything = coverage_table(table.assign(kind="all"), by)
    return table, pd.concat([coverage_table(table, by), everything], ignore_index=True)


def _draw(
    n_background: Tensor,
    n_signal: Tensor,
    background: Tensor,
    signal: Tensor,
    generator: Generator,
) -> Toys:
    """Draw toys of given numbers of events."""
    return draw_toys(
        n_background,
        n_signal,
        background_pool=len(background),
        signal_pool=len(signal),
        generator=generator,
    )
