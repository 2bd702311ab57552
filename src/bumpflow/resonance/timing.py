"""How long fits take."""

import time
from typing import Any

from bumpflow.resonance.fitting import fit
from bumpflow.resonance.tables import Fitter


def time_fit(fitter: Fitter, method: str) -> dict[str, Any]:
    """Return how long a method's fit of one data set takes once densities are known.

    Returns:
        ``seconds`` of the second of two fits, ``method`` and ``n_events``.
    """
    model, data = fitter.prepared(method)
    fit(model, data)
    start = time.perf_counter()
    fit(model, data)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "method": method, "n_events": float(data.totals[0])}
