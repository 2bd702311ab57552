"""Fit every background template at many luminosities and sizes of the generated sample."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bumpflow.search.arms import (
    ARMS,
    Ingredients,
    asimov_counts,
    build_model,
    collect,
    yields_of,
)
from bumpflow.stats.asymptotics import upper_limits
from bumpflow.stats.measure import Counts, measure
from bumpflow.stats.model import BinnedModel, observe, stack
from bumpflow.stats.templates import LARGEST


def scan(
    templates: pd.DataFrame,
    members: Sequence[pd.DataFrame],
    observable: str,
    *,
    settings: Mapping[str, Any],
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Fit every arm at many luminosities, and with templates from fewer generated events.

    Args:
        templates: Content of ``templates.parquet``.
        members: The same of surrogates that were trained again.
        observable: Name of the observable.
        settings: The configuration block ``histfactory``.

    Returns:
        One row per fit: ``scan`` (luminosity or generated), ``arm``, ``systematic``,
        ``luminosity_fb``, ``n_generated`` and the columns of :func:`measure`; and seconds for
        the whole ``luminosity_scan``, and for one ``limit``.
    """
    grid = settings["scans"]["luminosity_fb"]
    luminosities = np.geomspace(grid["low"], grid["high"], grid["n_points"])
    generated = templates.loc[templates["sample"] == "surrogate", LARGEST].unique()
    reference = np.array([settings["luminosity_fb"]])
    options = {
        "normalisation": settings["normalisation"],
        "max_variations": settings["ensemble"]["max_variations"],
    }
    most = int(generated.max())
    tables = []
    start = time.perf_counter()
    for arm in ARMS:
        parts = collect(templates, members, arm, observable, **options)
        found = measure_grid({most: parts}, luminosities, settings)
        tables.append(found.assign(scan="luminosity", arm=arm))
    seconds = {"luminosity_scan": time.perf_counter() - start}
    for arm in ARMS:
        usable, refused = {}, {}
        for size in map(int, generated):
            chosen = options | {"n_generated": size}
            try:
                usable[size] = collect(templates, members, arm, observable, **chosen)
            except ValueError as error:
                refused[size] = f"failed: {error}"
        found = measure_grid(usable, reference, settings)
        lost = _grid(refused, reference, settings)
        lost["status"] = lost["n_generated"].map(refused)
        tables.append(pd.concat([found, lost]).assign(scan="generated", arm=arm))
    seconds["limit"] = _time_a_limit(parts, reference, settings)
    return pd.concat(tables, ignore_index=True), seconds


def measure_grid(
    parts: Mapping[int, Ingredients], luminosities: NDArray, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Measure with every template, at every luminosity and systematic, all at once.

    Args:
        parts: What the likelihood is made of, by the number of generated events.
        luminosities: Integrated luminosities [1/fb], shape ``(n,)``.
        settings: The configuration block ``histfactory``.

    Returns:
        Columns ``n_generated``, ``luminosity_fb``, ``systematic`` and those of :func:`measure`.
    """
    yields = yields_of(settings)
    grid = _grid(parts, luminosities, settings)
    models: list[BinnedModel] = []
    data: dict[float, list[tuple[NDArray, NDArray]]] = {0.0: [], 1.0: []}
    for size, one in parts.items():
        rows = grid[grid["n_generated"] == size]
        luminosity = rows["luminosity_fb"].to_numpy()
        systematic = rows["systematic"].to_numpy()
        models.append(
            build_model(
                one,
                yields,
                luminosity_fb=luminosity,
                systematic=systematic,
                mc_statistics=settings["mc_statistics"],
            )
        )
        for mu, found in data.items():
            found.append(asimov_counts(one, yields, luminosity_fb=luminosity, mu=mu))
    counts = {
        mu: Counts(*map(np.concatenate, zip(*found, strict=True))) for mu, found in data.items()
    }
    measured = measure(stack(models), counts[1.0], counts[0.0], confidence=settings["confidence"])
    return pd.concat([grid, measured], axis=1)


def _grid(
    sizes: Iterable[int], luminosities: NDArray, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return all combinations of sizes, luminosities and systematics, one per row."""
    axes = [list(sizes), luminosities, settings["systematics"]]
    names = ["n_generated", "luminosity_fb", "systematic"]
    return pd.MultiIndex.from_product(axes, names=names).to_frame(index=False)


def _time_a_limit(parts: Ingredients, luminosity: NDArray, settings: Mapping[str, Any]) -> float:
    """Return the seconds that one limit with its expected band takes."""
    yields = yields_of(settings)
    systematic = np.array([settings["systematic"]])
    model = build_model(
        parts,
        yields,
        luminosity_fb=luminosity,
        systematic=systematic,
        mc_statistics=settings["mc_statistics"],
    )
    counts, _ = asimov_counts(parts, yields, luminosity_fb=luminosity, mu=0.0)
    start = time.perf_counter()
    upper_limits(model, observe(model, counts), confidence=settings["confidence"])
    return time.perf_counter() - start
