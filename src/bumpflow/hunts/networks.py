"""Networks that map a histogram of counts to the significance of a bump at every bin."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bumpflow.hunts.library import BackgroundLibrary, LibraryFit
from bumpflow.hunts.smoothing import modes, smooth_roots, stabilise
from bumpflow.hunts.spectra import gaussian_counts
from bumpflow.hunts.targets import correlate, template

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
"""Probabilities at which the largest significance is predicted."""
LOWEST = 0.05
"""Smallest background that a fit starts from [counts]."""
LOG_HIGHEST = 17.0
"""Logarithm of the largest background of a bin [counts]."""
PRIOR_Z = 5.0
"""Standard deviation of a candidate bump's size in a fit [significance]."""


class Prediction(NamedTuple):
    """What a network says about histograms.

    Attributes:
        background: Expected background counts, shape ``(n, n_bins)``.
        z: Mean of the signed significance with the background known, for each width that the
            network knows and, last, for the most significant of them, shape
            ``(n, n_targets, n_bins)``.
        log_sigma: Logarithm of the standard deviation of ``z``, same shape.
        z_max: Mean of the largest significance over bins, of the last target, shape ``(n,)``.
        quantiles: Quantiles of the latter, shape ``(n, len(QUANTILES))``, ascending.
        evidence: Log odds of a bump, with the training's prior, shape ``(n,)``.
    """

    background: Tensor
    z: Tensor
    log_sigma: Tensor
    z_max: Tensor
    quantiles: Tensor
    evidence: Tensor


def largest_z(found: Prediction) -> Tensor:
    """Return the medians of the largest significances, shape ``(n,)``: the point estimates.

    The distributions have a longer tail upwards, which draws means away from most of the truths,
    and the largest mean over bins is below the mean of the largest.
    """
    return found.quantiles[:, QUANTILES.index(0.5)]


def positive_part(mean: Tensor, log_sigma: Tensor) -> Tensor:
    r"""Return the mean of :math:`\max(z, 0)` of normally distributed significances."""
    sigma = torch.exp(log_sigma)
    pull = mean / sigma
    density = torch.exp(-0.5 * pull**2) / math.sqrt(2 * math.pi)
    return mean * torch.special.ndtr(pull) + sigma * density


class MaximumHead(nn.Module):
    """Distribution of the largest significance, given what it looks like at its bin.

    Args:
        features: Number of further features of a histogram.
        hidden_features: Width of the two hidden layers.
    """

    def __init__(self, features: int, hidden_features: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features + 3, hidden_features),
            nn.ReLU(),
            nn.Linear(hidden_features, hidden_features),
            nn.ReLU(),
            nn.Linear(hidden_features, 2 + len(QUANTILES)),
        )

    def forward(
        self, z: Tensor, log_sigma: Tensor, features: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return mean, quantiles and evidence.

        Args:
            z: Largest predicted significance, shape ``(n,)``.
            log_sigma: Logarithm of its standard deviation, shape ``(n,)``.
            features: Whatever else is known, shape ``(n, features)``.
        """
        sizes = torch.stack([torch.asinh(z), z / 5, log_sigma], 1)
        values = self.layers(torch.cat([sizes, features], 1))
        sigma = torch.exp(log_sigma)
        mean, median = z + values[:, 0] * sigma, z + values[:, 1] * sigma
        # Steps outwards from the median, to 16 and 84 % and from there to 2.5 and 97.5 %.
        steps = functional.softplus(values[:, 2:6]) * sigma[:, None]
        low, high = median - steps[:, 0], median + steps[:, 1]
        ends = (low - steps[:, 2], low, median, high, high + steps[:, 3])
        return mean.clamp_min(0), torch.stack(ends, 1).clamp_min(0), values[:, 6]


class Block(nn.Module):
    """Residual layer that looks at neighbouring bins and, by smooth modes, at the whole axis.

    The axis is described by the overlaps of each channel with orthogonal polynomials of the
    position, so that a layer knows the shape of the spectrum whatever the number of bins.

    Args:
        features: Number of channels.
        n_modes: Number of polynomials.
        hidden_features: Width of the layer that mixes the overlaps.
        kernel: Number of bins that a bin sees, odd.
        dilation: Distance between them.
    """

    def __init__(
        self, features: int, *, n_modes: int, hidden_features: int, kernel: int, dilation: int
    ) -> None:
        super().__init__()
        self.n_modes, self.kernel, self.dilation = n_modes, kernel, dilation
        self.near = nn.Linear(features * kernel, features)
        self.out = nn.Linear(features, features)
        self.far = nn.Sequential(
            nn.Flatten(1),
            nn.Linear(features * n_modes, hidden_features),
            nn.ReLU(),
            zeroed(nn.Linear(hidden_features, features * n_modes)),
        )

    def forward(self, h: Tensor) -> Tensor:
        """Map channels to channels, shape ``(n, n_bins, features)``."""
        n, n_bins, features = h.shape
        basis = modes(n_bins, self.n_modes).to(h)
        overlaps = h.transpose(1, 2) @ basis / n_bins
        whole = basis @ self.far(overlaps).view(n, features, self.n_modes).transpose(1, 2)
        reach = self.kernel // 2 * self.dilation
        padded = functional.pad(h, (0, 0, reach, reach))
        shifts = range(0, 2 * reach + 1, self.dilation)
        around = torch.cat([padded[:, shift : shift + n_bins] for shift in shifts], 2)
        return h + self.out(functional.relu(self.near(around) + whole))


class LibraryNet(nn.Module):
    """Network on top of a library of background shapes.

    The library gives backgrounds without a bump and with room for the one or two most
    significant candidates; the network sees what each leaves over, corrects the background,
    and corrects the significances that follow from it.

    Args:
        widths: Standard deviations of signals that it knows [bins].
        components: Number of components of the library.
        directions: Number of directions of each component.
        candidates: Number of times that the most significant bump is given room.
        features: Number of channels.
        blocks: Number of residual layers.
        n_modes: See :class:`Block`.
        hidden_features: See :class:`Block`.
        kernel: See :class:`Block`.
        dilations: Distances between the bins that a layer sees, for one layer after the other.
    """

    def __init__(
        self,
        *,
        widths: Sequence[float],
        components: int,
        directions: int,
        candidates: int,
        features: int,
        blocks: int,
        n_modes: int = 8,
        hidden_features: int = 96,
        kernel: int = 3,
        dilations: Sequence[int] = (1, 3, 9),
    ) -> None:
        super().__init__()
        self.widths, self.candidates = tuple(widths), candidates
        self.library = BackgroundLibrary(components, directions)
        self.templates = [template(width).float() for width in widths]
        n_z, n_targets = len(self.widths), n_targets_of(self.widths)
        n_inputs = (candidates + 1) * (n_z + 2) + candidates + 10
        self.enter = nn.Linear(n_inputs, features)
        self.blocks = nn.ModuleList(
            Block(
                features,
                n_modes=n_modes,
                hidden_features=hidden_features,
                kernel=kernel,
                dilation=dilations[index % len(dilations)],
            )
            for index in range(blocks)
        )
        self.correct = zeroed(nn.Linear(features, 1))
        self.again = nn.Linear(features + n_z + 1, features)
        self.head = zeroed(nn.Linear(features, 2 * n_targets))
        self.maximum = MaximumHead(2 * features + candidates + 3)

    def forward(self, observed: Tensor, exposure: Tensor | None = None) -> Prediction:
        """Predict from counts.

        Args:
            observed: Counts, shape ``(n, n_bins)``.
            exposure: Factors by which a bin has more entries than its neighbours for being
                wider, shape ``(n_bins,)``; the background is smooth apart from them.
        """
        roots = stabilise(observed)
        if exposure is None:
            exposure = torch.ones_like(observed[0])
        inputs, scalars, guess = self._look(observed, roots, exposure)
        h = self.enter(inputs)
        for block in self.blocks:
            h = block(h)
        # Twice the square root of the background, on which counts fluctuate by 1.
        root = (2 * torch.sqrt(guess) + self.correct(h)[:, :, 0]).clamp_min(0.2)
        background = root**2 / 4
        pulls = roots - stabilise(background)
        base = self._significance(pulls, background)
        seen = torch.cat([_compress(pulls)[:, :, None], _compress(base).transpose(1, 2)], 2)
        h = functional.relu(h + self.again(torch.cat([h, seen], 2)))
        shift, log_sigma = self.head(h).transpose(1, 2).chunk(2, 1)
        if len(self.widths) > 1:
            base = torch.cat([base, base.amax(1, keepdim=True)], 1)
        z, log_sigma = base + shift, log_sigma - 0.7
        largest, bins = positive_part(z[:, -1], log_sigma[:, -1]).max(1)
        rows = torch.arange(len(bins), device=bins.device)
        there = torch.cat([h[rows, bins], h.mean(1), scalars], 1)
        mean, quantiles, evidence = self.maximum(largest, log_sigma[rows, -1, bins], there)
        return Prediction(background, z, log_sigma, mean, quantiles, evidence)

    @torch.no_grad()
    def _look(
        self, observed: Tensor, roots: Tensor, exposure: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return inputs per bin, numbers per histogram and a first background."""
        n, n_bins = observed.shape
        smooth = [
            exposure.sqrt() * curve for curve in smooth_roots(stabilise(observed / exposure))
        ]
        pilot = smooth[-1].clamp_min(1) ** 2 / 4
        posterior = self.library(observed, pilot, exposure)
        null = fit = posterior.background()
        sizes = [torch.log((fit.chi2 / n_bins).clamp_min(LOWEST))]
        background, z, seen = self._leftover(fit, roots, exposure)
        for _ in range(self.candidates):
            bump, shape = self._candidate(z, pilot)
            fit = posterior.background(bump)
            sizes.append(torch.log1p((null.chi2 - fit.chi2).clamp_min(0)))
            background, z, found = self._leftover(fit, roots, exposure)
            seen += [shape[:, None], *found]
        log = fit.log_background
        x = torch.arange(n_bins, device=observed.device) + 0.5
        places = torch.stack(
            [
                2 * x / n_bins - 1,
                torch.log(x) / 3 - 1,
                torch.full_like(x, 30 / n_bins),
                torch.exp(-x / 3),
                torch.exp((x - n_bins) / 3),
            ]
        )
        seen += [
            places.expand(n, -1, -1),
            torch.stack(
                [
                    _compress(roots - smooth[1]),
                    log / 5,
                    torch.gradient(log, dim=1)[0] * 5,
                    torch.exp(-log / 2),
                    (log - null.log_background) * 10,
                ],
                1,
            ).clamp(-20, 20),
        ]
        size = torch.full((n,), 30 / n_bins, device=observed.device)
        scalars = torch.stack([*sizes, size, log.mean(1) / 5], 1)
        return torch.cat(seen, 1).transpose(1, 2).contiguous(), scalars, background

    def _leftover(
        self, fit: LibraryFit, roots: Tensor, exposure: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return background and significances of a fit, and inputs that show what is left over."""
        density = torch.exp(fit.log_background.clamp(math.log(LOWEST), LOG_HIGHEST))
        background = density * exposure
        pulls = roots - stabilise(background)
        z = self._significance(pulls, background)
        size = torch.log((fit.chi2 / roots.shape[1]).clamp_min(LOWEST))
        sizes = size[:, None, None].expand(-1, 1, roots.shape[1])
        return background, z, [_compress(pulls)[:, None], _compress(z), sizes]

    def _candidate(self, z: Tensor, pilot: Tensor) -> tuple[Tensor, Tensor]:
        """Return the most significant bump, of the prior's size, and its shape."""
        n_bins = z.shape[2]
        best = z.flatten(1).argmax(1)
        widths = torch.tensor(self.widths, device=z.device)[best // n_bins]
        bump = gaussian_counts(best % n_bins + 0.5, widths, n_bins=n_bins)
        information = (bump**2 / pilot).sum(1).clamp_min(1e-12)
        sized = bump * (PRIOR_Z / torch.sqrt(information))[:, None]
        return sized, bump / bump.amax(1, keepdim=True)

    def _significance(self, pulls: Tensor, background: Tensor) -> Tensor:
        """Return the score test's significance of a bump of each width at each bin."""
        scale = torch.rsqrt(background)
        return torch.stack(
            [
                correlate(pulls * scale, kernel)
                * torch.rsqrt(correlate(1 / background, kernel**2))
                for kernel in self.templates
            ],
            1,
        )


class Znet(nn.Module):
    """Network of the 2022 paper: one dense layer over all bins, then convolutions.

    Args:
        widths: Standard deviations of signals that its target knows [bins].
        n_bins: The one number of bins that it takes.
        kernels: Sizes of the kernels.
        filters: Numbers of filters.

    References:
        Volkovich, De Vito Halevy, Bressler (2022), https://arxiv.org/abs/2107.11573
    """

    def __init__(
        self,
        *,
        widths: Sequence[float],
        n_bins: int = 100,
        kernels: Sequence[int] = (25, 20, 15, 10, 5, 1),
        filters: Sequence[int] = (64, 32, 32, 16, 8, 1),
    ) -> None:
        super().__init__()
        self.widths, self.n_bins = tuple(widths), n_bins
        self.dense = nn.Linear(n_bins, n_bins)
        layers: list[nn.Module] = []
        for before, after, kernel in zip((1, *filters[:-1]), filters, kernels, strict=True):
            sides = (kernel - 1) // 2, kernel // 2
            layers += [nn.ZeroPad1d(sides), nn.Conv1d(before, after, kernel), nn.ReLU()]
        self.convolutions = nn.Sequential(*layers[:-1])
        self.maximum = MaximumHead(2)

    def forward(self, observed: Tensor, exposure: Tensor | None = None) -> Prediction:
        """Predict from counts, shape ``(n, n_bins)``, per unit of exposure if that varies.

        Raises:
            ValueError: If the number of bins is another one.
        """
        if observed.shape[1] != self.n_bins:
            msg = (
                f"this Znet takes {self.n_bins} bins, not {observed.shape[1]}: use another network"
            )
            raise ValueError(msg)
        # Roots of counts, so that the scale of inputs needs no other histogram.
        roots = stabilise(observed if exposure is None else observed / exposure)
        h = functional.relu(self.dense(roots / 50))
        z = functional.softplus(self.convolutions(h[:, None]))
        return _point_prediction(z, smooth_roots(roots)[1], self.maximum, roots)


class Parallel(nn.Module):
    """Convolutions of several kernel sizes side by side."""

    def __init__(self, features: int, filters: int, kernels: Sequence[int]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(features, filters, kernel, padding="same") for kernel in kernels
        )

    def forward(self, h: Tensor) -> Tensor:
        """Map ``(n, features, n_bins)`` to ``(n, filters * n_kernels, n_bins)``."""
        return torch.cat([convolution(h) for convolution in self.convolutions], 1)


class Znet3(nn.Module):
    """Network of the thesis: parallel convolutions, everything concatenated with the input.

    Sizes are not printed there; these are ours.

    Args:
        widths: Standard deviations of signals that its target knows [bins].
        kernels: Sizes of the parallel kernels, odd.
        filters: Number of filters of each.
        layers: Number of layers of parallel convolutions.
        hidden_features: Width of the dense layers that map each bin's features to z.
    """

    def __init__(
        self,
        *,
        widths: Sequence[float],
        kernels: Sequence[int] = (3, 7, 15, 31, 61),
        filters: int = 16,
        layers: int = 2,
        hidden_features: int = 64,
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        width = filters * len(kernels)
        self.layers = nn.ModuleList(
            Parallel(2 if layer == 0 else width + 2, filters, kernels) for layer in range(layers)
        )
        self.dense = nn.Sequential(
            nn.Linear(layers * width + 2, hidden_features),
            nn.ReLU(),
            nn.Linear(hidden_features, hidden_features),
            nn.ReLU(),
            nn.Linear(hidden_features, 2),
        )
        self.maximum = MaximumHead(2)

    def forward(self, observed: Tensor, exposure: Tensor | None = None) -> Prediction:
        """Predict from counts, shape ``(n, n_bins)``, per unit of exposure if that varies."""
        roots = stabilise(observed if exposure is None else observed / exposure)
        level = roots.mean(1, keepdim=True)
        inputs = torch.stack([roots / level, torch.log(roots)], 1)
        h, seen = inputs, [inputs]
        for layer in self.layers:
            parallel = functional.relu(layer(h))
            seen.append(parallel)
            h = torch.cat([parallel, inputs], 1)
        values = self.dense(torch.cat(seen, 1).transpose(1, 2))
        root = level * functional.softplus(values[:, :, 1])
        return _point_prediction(values[:, None, :, 0], root, self.maximum, roots)


def _point_prediction(z: Tensor, root: Tensor, head: MaximumHead, roots: Tensor) -> Prediction:
    """Return the prediction of a network that knows z alone, of its one target."""
    log_sigma = torch.full_like(z, -0.7)
    n_bins = z.shape[2]
    largest = z[:, -1].amax(1)
    size = torch.full_like(largest, 30 / n_bins)
    features = torch.stack([size, torch.log(roots).mean(1)], 1)
    mean, quantiles, evidence = head(largest, torch.full_like(largest, -0.7), features)
    return Prediction(root**2 / 4, z, log_sigma, mean, quantiles, evidence)


ARCHITECTURES: Mapping[str, Callable[..., nn.Module]] = {
    "library": LibraryNet,
    "znet": Znet,
    "znet3": Znet3,
}


def build_network(architecture: str, *, widths: Sequence[float], **sizes: Any) -> nn.Module:  # noqa: ANN401
    """Return an untrained network.

    Args:
        architecture: One of :data:`ARCHITECTURES`.
        widths: Standard deviations of signals of its targets [bins].
        sizes: Keywords of the architecture.

    Raises:
        ValueError: If the architecture is unknown.
    """
    if architecture not in ARCHITECTURES:
        msg = f"architecture {architecture!r} is unknown: there are {', '.join(ARCHITECTURES)}"
        raise ValueError(msg)
    return ARCHITECTURES[architecture](widths=widths, **sizes)


def n_targets_of(widths: Sequence[float]) -> int:
    """Return the number of targets: one per width and, of several, the largest of all."""
    return len(widths) + (len(widths) > 1)


def zeroed(layer: nn.Linear) -> nn.Linear:
    """Return a layer whose output is 0 until it is trained."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _compress(x: Tensor) -> Tensor:
    """Return the inverse hyperbolic sine; PyTorch's own takes 2.6 times as long on a processor."""
    size = x.abs()
    return torch.copysign(torch.log1p(size + size**2 / (1 + torch.sqrt(1 + size**2))), x)
