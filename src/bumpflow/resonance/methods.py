r"""Ways to account for what is not known of the densities, and what each makes of a data set.

References:
    Amram, Szewc (2025), https://arxiv.org/abs/2506.06438, section 3 (envelope);
    Benevedes, Thaler (2025), https://arxiv.org/abs/2506.00113 (mixtures with fitted weights)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from bumpflow.resonance.fitting import FitFailed, Fits, curvatures, fit, interval, profile
from bumpflow.resonance.likelihood import SIGNAL, Constraints, DataSets, ResonanceModel
from bumpflow.resonance.shapes import BackgroundShape
from bumpflow.resonance.variations import Interpolation

LEAST_RATIO = 1e-4
"""Least density of a single bootstrap over the mean of all."""


@dataclass(frozen=True)
class Method:
    """Which uncertainties a fit takes into account.

    Attributes:
        spread: Constraint on the directions of the bootstraps' spread, see
            :class:`~bumpflow.resonance.likelihood.Constraints`.
        shift: Whether the spread of the signal that the bootstraps would give is added.
        systematics: Whether the systematics vary.
    """

    spread: float = 0.0
    shift: bool = False
    systematics: bool = False


METHODS = {
    "statistical": Method(),
    "shift": Method(shift=True),
    "spread": Method(1.0),
    "mixture": Method(np.inf),
    "systematics": Method(shift=True, systematics=True),
}
"""``statistical``: the bootstraps' mean is the truth. ``shift``: the signal is uncertain by the spread
of what the bootstraps' densities give, which data cannot tell from signal; this is ours. ``spread``:
nuisances along the bootstraps' differences, which data may constrain: as a few differences do not
span all ways in which a density can be wrong, intervals are too short. ``mixture``: the same
with free weights. ``systematics``: ``shift`` and the systematics of features."""


def prepare(
    method: Method,
    data: DataSets,
    shape: BackgroundShape,
    *,
    interpolation: Interpolation = Interpolation(),  # noqa: B008  (immutable)
    others: tuple[tuple[float, float], ...] = (),
) -> tuple[ResonanceModel, DataSets]:
    """Return a method's likelihood, and the data sets without what it does not use."""
    events = data.events
    if method.spread == 0 and not method.shift:
        events = events._replace(spread=events.spread[..., :0])
    measured = data.measured
    if not method.systematics:
        events = events._replace(up=events.up[..., :0], down=events.down[..., :0])
        measured = measured[..., :0]
    model = ResonanceModel(
        shape,
        n_spread=events.spread.shape[-1],
        n_systematics=events.up.shape[-1],
        interpolation=interpolation,
        constraints=Constraints(method.spread, others),
    )
    return model, data._replace(events=events, measured=measured)


class Result(NamedTuple):
    """What a method says of the signal in one data set [events].

    Attributes:
        signal: Best value.
        low: Lower end of the 68.3 % interval.
        high: Its upper end.
    """

    signal: float
    low: float
    high: float

    @property
    def uncertainty(self) -> float:
        """Half of the interval's width [events]."""
        return (self.high - self.low) / 2

    def widened(self, width: float) -> "Result":
        """Return the result with a further uncertainty [events], added in quadrature."""
        below, above = (np.hypot(end - self.signal, width) for end in (self.low, self.high))
        return Result(self.signal, float(self.signal - below), float(self.signal + above))


def measure(model: ResonanceModel, data: DataSets) -> tuple[Result, Fits]:
    """Fit one data set and return its likelihood interval.

    Where the model holds the directions of a spread fixed, that of the signal is added.

    Raises:
        FitFailed: If the fit does not converge, or the likelihood has no interval.
    """
    best = fit(model, data)
    if not best.good.all():
        msg = f"the fit of {', '.join(model.names)} to {float(data.totals[0]):g} events did not converge"
        raise FitFailed(msg)
    result = Result(float(best.signal[0]), *interval(model, data, best))
    return result.widened(float(signal_spread(model, data, best)[0])), best


def signal_spread(model: ResonanceModel, data: DataSets, best: Fits) -> NDArray[np.float64]:
    r"""Return the standard deviation of the signal over held bootstraps [events], ``(n_sets,)``.

    A direction :math:`\alpha_k = 1` moves the best signal by
    :math:`-(H_{\theta\theta}^{-1} H_{\theta\alpha})_{sk}`, with :math:`H` the curvature of
    -2 ln L and :math:`\theta` all fitted parameters. As few bootstraps say little about a variance,
    the root of the sum of squares is widened to Student's quantile at one sigma.

    Args:
        model: Likelihood.
        data: Data sets.
        best: Their fits.
    """
    spread = [i for i, name in enumerate(model.names) if name in model.held() and "spread" in name]
    if not spread:
        return np.zeros(data.n_sets)
    curvature = curvatures(model, data, best.values)[:, :, spread]
    moves = -(best.covariance[:, SIGNAL, None] @ curvature / 2)[:, 0]
    widened = student.ppf(norm.cdf(1), df=len(spread) - 1)
    return float(widened) * moves.square().sum(-1).sqrt().cpu().numpy()


class Envelope(NamedTuple):
    """Profile likelihoods of every bootstrap's density, each above its own minimum.

    Attributes:
        result: Mean of the best values, and where the lowest curve crosses 1.
        members: Best value and interval of each bootstrap.
        curve: Function of signals [events] that returns the curves, ``(n_members, n)``.
    """

    result: Result
    members: list[Result]
    curve: Callable[[NDArray], NDArray[np.float64]]


def envelope(model: ResonanceModel, data: DataSets, n_members: int) -> Envelope:
    r"""Return the published envelope :math:`t_s = \min_d [-2 \ln L_d(s) / L_d(\hat s_d)]`.

    Args:
        model: Likelihood of a single density, without directions of a spread.
        data: One data set, with the directions of all bootstraps.
        n_members: Number of bootstraps.

    References:
        https://arxiv.org/abs/2506.06438, equations 3.1 and 3.2
    """
    parts = [member(data, index) for index in range(n_members)]
    found = [measure(model, part) for part in parts]
    results = [result for result, _ in found]

    def curve(signal: NDArray) -> NDArray[np.float64]:
        return np.stack(
            [
                profile(model, part, signal, start=best.values) - best.deviance.item()
                for part, (_, best) in zip(parts, found, strict=True)
            ]
        )

    result = Result(
        float(np.mean([one.signal for one in results])),
        min(one.low for one in results),
        max(one.high for one in results),
    )
    return Envelope(result, results, curve)


def member(data: DataSets, index: int) -> DataSets:
    """Return data sets as one bootstrap's density alone describes them.

    Args:
        data: Data sets with the directions of all bootstraps.
        index: Which bootstrap.
    """
    events = data.events
    n_members = events.spread.shape[-1]
    ratio = 1 + events.spread[..., index] * max(1, n_members - 1) ** 0.5
    ratio = ratio.clamp_min(LEAST_RATIO)
    return data._replace(
        events=events._replace(
            signal=events.signal / ratio,
            others=events.others / ratio[..., None],
            spread=events.spread[..., :0],
        )
    )
