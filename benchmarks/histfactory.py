"""Limits and fits of HistFactory models, against plain pyhf on the same workspaces.

pyhf runs with its numpy backend. It gets a bracket of the strength that holds all limits but
little else, which saves it tests; its optimizers and tolerances are those it comes with.
"""

import copy
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pyhf
from numpy.typing import NDArray

from bumpflow.device import limit_threads
from bumpflow.stats.asymptotics import Limits, upper_limits
from bumpflow.stats.fit import fit
from bumpflow.stats.model import BinnedModel, Observations
from bumpflow.stats.workspace import build_workspace, read_workspace
from bumpflow.summary import Quantity

N_BINS = 25
REPEATS = 11
N_TOYS = 1000
N_PYHF_TOYS = 10
LUMINOSITIES = np.geomspace(0.1, 100, 30)
SYSTEMATICS = (0.01, 0.05, 0.1)
LONG = 30.0
"""Runs of pyhf that take longer [s] are timed once only."""
OPTIMIZERS = ("scipy", "minuit")
BOUND = 10.0
"""Bound of the strength in pyhf's fits; its bracket is another matter."""


def templates() -> tuple[NDArray, NDArray]:
    """Return a bump and a falling background [events], shape ``(n_bins,)`` each."""
    x = (np.arange(N_BINS) + 0.5) / N_BINS
    return 30 * np.exp(-(((x - 0.4) / 0.08) ** 2) / 2) + 0.01, 200 * np.exp(-3 * x) + 5


def workspace() -> dict[str, Any]:
    """Return a workspace with an uncertainty of both kinds in every bin."""
    signal, background = templates()
    return build_workspace(
        signal,
        background,
        np.random.default_rng(1).poisson(background + 0.5 * signal),
        shape=0.1,
        signal_variances=0.05 * signal,
        background_variances=0.1 * background,
    )


def bounded(document: dict[str, Any], low: float, high: float) -> tuple[Any, Any]:
    """Return pyhf's data and model of a workspace, its strength within bounds."""
    document = copy.deepcopy(document)
    document["measurements"][0]["config"]["parameters"][0]["bounds"] = [[low, high]]
    read = pyhf.Workspace(document)
    model = read.model(measurement_name=document["measurements"][0]["name"])
    return read.data(model), model


def their_limits(document: dict[str, Any], bracket: tuple[float, float]) -> NDArray:
    """Return pyhf's observed and expected limits, shape ``(6,)``."""
    data, model = bounded(document, *bracket)
    bounds = model.config.suggested_bounds()
    bounds[model.config.poi_index] = (0.0, BOUND)
    observed, expected = pyhf.infer.intervals.upper_limits.upper_limit(
        data, model, scan=None, par_bounds=bounds, test_stat="qtilde"
    )
    return np.array([observed, *expected], float)


def flat(limits: Limits) -> NDArray:
    """Return the observed and expected limits of the first model, shape ``(6,)``."""
    return np.concatenate([limits.observed[:1], limits.expected[0]])


def scan() -> Limits:
    """Return the limits for all luminosities and systematics of one arm."""
    signal, background = templates()
    factor = np.repeat(LUMINOSITIES, len(SYSTEMATICS))[:, None]
    shape = np.tile(SYSTEMATICS, len(LUMINOSITIES))[:, None]
    model = BinnedModel.build(signal * factor, background * factor, shape=shape, stat=0.03)
    limits = upper_limits(model, model.asimov(model.nominal()))
    if set(limits.status) != {"converged"}:
        msg = f"limits of the luminosity scan: {sorted(set(limits.status))}"
        raise RuntimeError(msg)
    return limits


def draw_toys(document: dict[str, Any]) -> tuple[BinnedModel, Observations]:
    """Return pseudo-experiments without signal."""
    model, _ = read_workspace(document)
    many = model[np.zeros(N_TOYS, int)]
    return many, many.draw(many.nominal(), np.random.default_rng(2))


def fit_their_toys(document: dict[str, Any], toys: Observations) -> NDArray:
    """Return pyhf's fitted strengths of the first toys, in a loop."""
    _, model = bounded(document, -BOUND, BOUND)
    found = []
    for row in range(N_PYHF_TOYS):
        auxiliary = np.array(model.config.auxdata, float)
        kinds = {"mc_statistics": toys.stat[row], "background_shape": toys.shape[row]}
        start = 0
        for name in model.config.auxdata_order:
            stop = start + N_BINS
            auxiliary[start:stop] *= kinds[name]
            start = stop
        data = np.concatenate([toys.counts[row], auxiliary])
        best = pyhf.infer.mle.fit(data, model)
        found.append(best[model.config.poi_index])
    return np.array(found)


def timed(work: Callable[[], Any], repeats: int) -> tuple[Any, NDArray]:
    """Return what ``work`` gives, and the seconds of each run; long runs are not repeated."""
    seconds: list[float] = []
    while len(seconds) < repeats and not (seconds and seconds[0] > LONG):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return result, np.array(seconds)


def measure() -> list[Quantity]:
    """Time limits, a luminosity scan and toys on one thread."""
    limit_threads(1)
    before = pyhf.get_backend()
    with warnings.catch_warnings():
        # pyhf divides by zero where a strength is 0, and validates with a class that is deprecated
        warnings.simplefilter("ignore")
        try:
            return [*measure_limits(), *measure_scan(), *measure_toys()]
        finally:
            pyhf.set_backend(*before)


def measure_limits() -> list[Quantity]:
    """Time one observed and five expected limits."""
    document = workspace()
    model, data = read_workspace(document)
    upper_limits(model, data)
    ours, seconds = timed(lambda: flat(upper_limits(model, data)), REPEATS)
    rows = [_seconds("bench_limit_seconds", seconds)]
    bracket = (0.7 * ours.min(), 1.3 * ours.max())
    for optimizer in OPTIMIZERS:
        pyhf.set_backend("numpy", optimizer)
        theirs, their_seconds = timed(lambda: their_limits(document, bracket), 2)
        source = f"pyhf {pyhf.__version__}, numpy, {optimizer}: {their_seconds.mean():.3g} s"
        name = "pyhf" if optimizer == "scipy" else f"pyhf_{optimizer}"
        rows.append(_ratio(f"limit.{name}_ratio", their_seconds, seconds, source))
        difference = np.abs(ours / theirs - 1).max()
        rows.append(
            Quantity(
                f"histfactory.limit.{name}_difference",
                float(difference),
                reference=0.0,
                reference_source=f"pyhf {pyhf.__version__}, {optimizer}: largest of six limits",
                n=len(ours),
            )
        )
    return rows


def measure_scan() -> list[Quantity]:
    """Time a luminosity scan with several systematics."""
    limits, seconds = timed(scan, 5)
    source = f"{limits.observed.size} models with six limits each, this machine, one thread"
    return [_seconds("scan_seconds", seconds, source)]


def measure_toys() -> list[Quantity]:
    """Time free fits of toys; pyhf fits fewer, and its time per toy counts."""
    document = workspace()
    many, toys = draw_toys(document)
    ours, seconds = timed(lambda: fit(many, toys), 5)
    pyhf.set_backend("numpy", "scipy")
    theirs, their_seconds = timed(lambda: fit_their_toys(document, toys), 2)
    difference = np.abs(ours.mu[:N_PYHF_TOYS] - theirs).max()
    source = f"pyhf {pyhf.__version__}, numpy, scipy: {N_PYHF_TOYS} fits in a loop, per fit"
    per_fit, their_per_fit = seconds / N_TOYS, their_seconds / N_PYHF_TOYS
    return [
        _seconds("toys_seconds", seconds, f"{N_TOYS} fits, this machine, one thread"),
        _ratio("toys.pyhf_ratio", their_per_fit, per_fit, source),
        Quantity(
            "histfactory.toys.pyhf_difference",
            float(difference / np.median(ours.uncertainty)),
            reference=0.0,
            reference_source=f"largest difference of {N_PYHF_TOYS} strengths, in their errors",
            n=N_PYHF_TOYS,
        ),
    ]


def _seconds(what: str, seconds: NDArray, source: str = "this machine, one thread") -> Quantity:
    """Return a row with the median of some timings; its error is 1.25 times that of the mean."""
    return Quantity(
        quantity=f"histfactory.{what}",
        value=float(np.median(seconds)),
        uncertainty=1.25 * float(seconds.std(ddof=1) / np.sqrt(len(seconds))),
        reference_source=source,
        n=len(seconds),
        unit="s",
    )


def _ratio(what: str, theirs: NDArray, ours: NDArray, source: str) -> Quantity:
    """Return how many times faster the project is; the reference is no gain."""
    value = float(theirs.mean() / np.median(ours))
    spreads = [part.std(ddof=1) / part.mean() for part in (theirs, ours) if len(part) > 1]
    return Quantity(
        quantity=f"histfactory.{what}",
        value=value,
        uncertainty=value * float(np.hypot.reduce(spreads)),
        reference=1.0,
        reference_source=f"{source}, same run",
        n=len(theirs),
    )
