"""Training and sampling speed of every surrogate, against nflows models of equal size.

Each pair is timed in turn, several times over; the ratio is the median of the pairs' ratios.
"""

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from nflows.distributions.base import Distribution
from nflows.distributions.mixture import MADEMoG
from nflows.distributions.normal import StandardNormal
from nflows.flows.base import Flow
from nflows.transforms import (
    ActNorm,
    AffineCouplingTransform,
    BatchNorm,
    CompositeTransform,
    LULinear,
    MaskedAffineAutoregressiveTransform,
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
    RandomPermutation,
    Transform,
)
from torch import Tensor, nn

from bumpflow.device import limit_threads
from bumpflow.flows.density import negative_log_prob
from bumpflow.flows.families import SPLINE_BOUND, build_flow
from bumpflow.summary import Quantity
from bumpflow.train import TrainSettings, fit

FEATURES = 18
BATCH = 1024
REPEATS = 11
FULL_SIMULATION_SECONDS = 300.0
FULL_SIMULATION = (
    "full simulation: several minutes per event (arXiv:2310.08994, section 1.1), 5 taken here"
)
MODELS: dict[str, dict[str, Any]] = {
    "mademog": {"hidden_features": 128, "blocks": 4, "components": 10, "activation": "relu"},
    "maf": {"hidden_features": 128, "blocks": 2, "transforms": 5},
    "rqs": {"hidden_features": 128, "blocks": 2, "transforms": 3, "bins": 8},
    "glow": {"hidden_features": 128, "layers": 3, "transforms": 10},
    "realnvp": {"hidden_features": 128, "layers": 3, "transforms": 10},
    "mafmademog": {"hidden_features": 128, "blocks": 2, "transforms": 5, "components": 10},
}


class MixtureFlow(nn.Module):
    """nflows' MADEMoG behind nflows' steps, put together as a user would."""

    def __init__(self, steps: list[Transform], base: Distribution) -> None:
        super().__init__()
        self.steps, self.base = CompositeTransform(steps), base

    def log_prob(self, x: Tensor) -> Tensor:
        """Return log densities; MADEMoG needs a context to sample, so it gets a constant."""
        z, ladj = self.steps(x)
        return self.base.log_prob(z, context=torch.zeros(len(x), 1)) + ladj

    def sample(self, n: int) -> Tensor:
        """Return ``n`` draws."""
        z = self.base.sample(n, context=torch.zeros(1, 1))[0]
        return self.steps.inverse(z)[0]


def nflows_model(name: str, sizes: dict[str, Any]) -> nn.Module:
    """Return nflows' model of the same architecture and sizes."""
    width, count = sizes["hidden_features"], sizes.get("transforms", 0)
    half = torch.tensor([-1, 1]).repeat(FEATURES // 2)
    autoregressive = {"features": FEATURES, "hidden_features": width} | {
        "num_blocks": sizes.get("blocks", 0)
    }
    steps: list[Transform] = []
    for index in range(count):
        mixing = [RandomPermutation(FEATURES), LULinear(FEATURES, identity_init=True)]
        if name in {"maf", "mafmademog"}:
            steps.append(MaskedAffineAutoregressiveTransform(**autoregressive))
            steps += [BatchNorm(FEATURES), *mixing]
        elif name == "rqs":
            steps += [BatchNorm(FEATURES), *mixing] if index else []
            steps.append(
                MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                    **autoregressive,
                    num_bins=sizes["bins"],
                    tails="linear",
                    tail_bound=SPLINE_BOUND,
                )
            )
        else:
            coupling = AffineCouplingTransform(
                half if name == "glow" else half * (-1) ** index,
                lambda inputs, outputs: PlainNet(inputs, outputs, width, sizes["layers"]),
            )
            around = [ActNorm(FEATURES), *mixing] if name == "glow" else []
            steps += [*around, coupling, *([BatchNorm(FEATURES)] if name == "realnvp" else [])]
    if name in {"mademog", "mafmademog"}:
        mixture = MADEMoG(
            **autoregressive,
            context_features=1,
            num_mixture_components=sizes["components"],
            custom_initialization=True,
        )
        return MixtureFlow(steps, mixture)
    return Flow(CompositeTransform(steps), StandardNormal([FEATURES]))


class PlainNet(nn.Sequential):
    """Plain network with nflows' signature for the inside of a coupling."""

    def __init__(self, inputs: int, outputs: int, width: int, layers: int) -> None:
        sizes = [inputs, *[width] * layers]
        hidden = [part for pair in pairwise(sizes) for part in (nn.Linear(*pair), nn.ReLU())]
        super().__init__(*hidden, nn.Linear(width, outputs))

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Return the coupling's parameters; there is no context."""
        return super().forward(x)


def train_ours(flow: nn.Module, z: Tensor) -> float:
    """Return seconds for one epoch of the project's training loop."""
    settings = TrainSettings(learning_rate=1e-4, batch_size=BATCH, max_epochs=1, patience=1)
    few = (z[:2],)
    history = fit(
        flow,
        negative_log_prob,
        train=(z,),
        validation=few,
        settings=settings,
        seed=1,
        device=torch.device("cpu"),
    )
    return float(history["seconds"].sum())


def train_theirs(flow: Flow | MixtureFlow, z: Tensor) -> float:
    """Return seconds for one epoch of the loop that nflows' documentation shows."""
    flow.train()
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-4)
    start = time.perf_counter()
    order = torch.randperm(len(z))
    for rows in order.split(BATCH):
        optimizer.zero_grad()
        loss = -flow.log_prob(z[rows]).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - start


@torch.no_grad()
def sample(flow: Any, n: int, step: int = 4096) -> float:  # noqa: ANN401
    """Return seconds to draw ``n`` events."""
    flow.eval()
    start = time.perf_counter()
    for _ in range(n // step):
        flow.sample(step)
    return time.perf_counter() - start


def paired(ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float, float]:
    """Return the median ratio of seconds, its standard error, and our median seconds.

    The error is that of a median of normal draws, 1.25 times that of their mean.
    """
    ours(), theirs()
    pairs = np.array([(ours(), theirs()) for _ in range(REPEATS)])
    ratios = pairs[:, 1] / pairs[:, 0]
    low, middle, high = np.percentile(ratios, [16, 50, 84])
    error = 1.25 * (high - low) / 2 / np.sqrt(REPEATS)
    return float(middle), float(error), float(np.median(pairs[:, 0]))


def measure(*, n_train: int = 8 * BATCH, n_sample: int = 4 * 4096) -> list[Quantity]:
    """Time every model against its counterpart, both on one thread as in the workflow."""
    limit_threads(1)
    torch.manual_seed(0)
    z = torch.randn(n_train, FEATURES)
    rows = []
    for name, sizes in MODELS.items():
        ours, theirs = build_flow(name, FEATURES, 0, sizes), nflows_model(name, sizes)
        counts = [sum(p.numel() for p in flow.parameters()) for flow in (ours, theirs)]
        source = f"nflows 0.14, {counts[1]} parameters (ours {counts[0]}), same run"
        timings = {
            "training": paired(partial(train_ours, ours, z), partial(train_theirs, theirs, z)),
            "sampling": paired(partial(sample, ours, n_sample), partial(sample, theirs, n_sample)),
        }
        for what, (ratio, spread, _) in timings.items():
            rows.append(_row(f"{name}.{what}_ratio", ratio, spread, 1.0, source))
        rates = {
            "bench_training_rate": n_train / timings["training"][2],
            "bench_sampling_rate": n_sample / timings["sampling"][2],
        }
        rows += [_row(f"{name}.{what}", rate, unit="events/s") for what, rate in rates.items()]
        speedup = FULL_SIMULATION_SECONDS * rates["bench_sampling_rate"]
        rows.append(_row(f"{name}.simulation_ratio", speedup, source=FULL_SIMULATION))
    return rows


def _row(
    what: str,
    value: float,
    uncertainty: float | None = None,
    reference: float | None = None,
    source: str = "this machine, one thread",
    *,
    unit: str = "",
) -> Quantity:
    """Return a row of the scorecard."""
    return Quantity(
        quantity=f"surrogates.{what}",
        value=value,
        uncertainty=uncertainty,
        reference=reference,
        reference_source=source,
        n=REPEATS,
        unit=unit,
    )
