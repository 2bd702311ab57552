"""Train a network on histograms that are drawn while it trains."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from bumpflow.hunts.networks import QUANTILES, LibraryNet, build_network
from bumpflow.hunts.spectra import SpectraSettings, draw_backgrounds, draw_n_bins, draw_spectra
from bumpflow.hunts.targets import z_known
from bumpflow.train import Stream, TrainSettings, fit
from bumpflow.workflow import derive_seed

N_DRAWN = 1024
"""Histograms of one length that are drawn at a time."""
N_LENGTHS = 4
"""Numbers of bins at which the library sees backgrounds."""


@dataclass(frozen=True)
class HunterSettings:
    """What to train and with what.

    Attributes:
        architecture: Name of the network's architecture.
        sizes: Its sizes.
        widths: Standard deviations of the signals of its targets [bins].
        spectra: The histograms that it is trained with.
        training: Settings of the training; an epoch has ``epoch_size`` histograms.
        epoch_size: Histograms per epoch.
        validation_size: Histograms to validate with.
        library_size: Backgrounds from which the library is learnt.
    """

    architecture: str
    sizes: Mapping[str, Any]
    widths: tuple[float, ...]
    spectra: SpectraSettings
    training: TrainSettings
    epoch_size: int
    validation_size: int
    library_size: int

    @classmethod
    def from_config(cls, hunter: Mapping[str, Any], spectra: Mapping[str, Any]) -> Self:
        """Return the settings of a hunter's and its spectra's blocks of the configuration."""
        training = dict(hunter["training"])
        sizes = {key: training.pop(key) for key in SIZES}
        return cls(
            architecture=hunter["architecture"],
            sizes=hunter.get("sizes", {}),
            widths=tuple(float(width) for width in hunter["widths"]),
            spectra=SpectraSettings.from_config({**spectra, "widths": hunter["widths"]}),
            training=TrainSettings(patience=training["max_epochs"], **training),
            **sizes,
        )


SIZES = ("epoch_size", "validation_size", "library_size")


class Batch(NamedTuple):
    """Histograms of equal length with their targets.

    Attributes:
        observed: Counts, shape ``(n, n_bins)``.
        background: Expected background, same shape.
        z: Signed significances, for each width and, of several, for the most significant one,
            shape ``(n, n_targets, n_bins)``.
        has_signal: 1 with a signal, 0 without, shape ``(n,)``.
    """

    observed: Tensor
    background: Tensor
    z: Tensor
    has_signal: Tensor


def train_hunter(
    settings: HunterSettings,
    *,
    seed: int,
    device: torch.device,
    shapes: Tensor | None = None,
    checkpoint: Path | None = None,
) -> tuple[nn.Module, pd.DataFrame]:
    """Train a network; every histogram is new.

    Args:
        settings: What to train and with what.
        seed: Seed of weights, library and histograms.
        device: Where to train.
        shapes: Shapes of simulated backgrounds, see
            :func:`~bumpflow.hunts.spectra.draw_spectra`.
        checkpoint: File to resume from, and to keep up to date.

    Returns:
        The network with its best weights, and one row per epoch, see
        :func:`~bumpflow.train.fit`, with ``histograms``, the number seen so far.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed(seed, "weights"))
        network = build_network(settings.architecture, widths=settings.widths, **settings.sizes)
    if isinstance(network, LibraryNet):
        backgrounds = library_backgrounds(settings, seed=seed, shapes=shapes)
        network.library.learn(backgrounds, seed=derive_seed(seed, "library"))
    streams = [
        _stream(settings, purpose, seed=seed, device=device, shapes=shapes)
        for purpose in ("train", "validation")
    ]
    history = fit(
        network,
        hunting_loss,
        train=streams[0],
        validation=streams[1],
        settings=settings.training,
        seed=derive_seed(seed, "training"),
        device=device,
        checkpoint=checkpoint,
    )
    histograms = (history["epoch"] + 1) * streams[0].steps * settings.training.batch_size
    return network, history.assign(histograms=histograms)


def library_backgrounds(
    settings: HunterSettings, *, seed: int, shapes: Tensor | None
) -> list[Tensor]:
    """Return backgrounds of several lengths, for the library to learn from."""
    generator = torch.Generator().manual_seed(derive_seed(seed, "backgrounds"))
    low, high = settings.spectra.n_bins
    lengths = sorted({round(float(n)) for n in torch.linspace(low, high, N_LENGTHS)})
    return [
        draw_backgrounds(
            settings.library_size // len(lengths),
            settings.spectra,
            n_bins=n_bins,
            generator=generator,
            shapes=shapes,
        )[0]
        for n_bins in lengths
    ]


def draw_batch(
    n: int,
    settings: HunterSettings,
    *,
    n_bins: int,
    generator: torch.Generator,
    shapes: Tensor | None = None,
) -> Batch:
    """Draw histograms with their targets."""
    spectra = draw_spectra(n, settings.spectra, n_bins=n_bins, generator=generator, shapes=shapes)
    z = targets_of(
        spectra.observed,
        spectra.background,
        widths=settings.widths,
        sampled=not settings.spectra.fluctuate_signal,
    )
    return Batch(spectra.observed, spectra.background, z, (spectra.width > 0).to(z.dtype))


def targets_of(
    observed: Tensor, background: Tensor, *, widths: Sequence[float], sampled: bool = False
) -> Tensor:
    """Return the significance for each width and, of several, of the most significant one."""
    z = z_known(observed, background, widths=widths, sampled=sampled)
    return torch.cat([z, z.amax(1, keepdim=True)], 1) if len(widths) > 1 else z


def hunting_loss(
    network: nn.Module, observed: Tensor, background: Tensor, z: Tensor, has_signal: Tensor
) -> Tensor:
    """Return one loss per histogram: of background, significances, their maximum and evidence.

    Squared errors of z are divided by its predicted standard deviation, so that histograms in
    which little can be known do not drown the others; that does not bias the mean. Networks of
    a single target are compared with the last one.
    """
    found = network(observed)
    z = z[:, -found.z.shape[1] :]
    root = torch.sqrt(background)
    of_background = functional.huber_loss(
        2 * torch.sqrt(found.background), 2 * root, reduction="none"
    ).mean(1)
    squared = (found.z - z) ** 2
    sigma = torch.exp(found.log_sigma)
    of_mean = (squared / sigma.detach()).mean((1, 2))
    of_sigma = (found.log_sigma + 0.5 * squared.detach() / sigma**2).mean((1, 2))
    z_max = z[:, -1].amax(1).clamp_min(0)
    error = z_max - found.z_max
    missing = z_max[:, None] - found.quantiles
    level = torch.tensor(QUANTILES, device=z.device)
    of_quantiles = torch.maximum(level * missing, (level - 1) * missing).sum(1)
    of_evidence = functional.binary_cross_entropy_with_logits(
        found.evidence, has_signal, reduction="none"
    )
    of_maximum = error**2 + of_quantiles + of_evidence
    return of_background + of_mean + of_sigma + of_maximum


def _stream(
    settings: HunterSettings,
    purpose: str,
    *,
    seed: int,
    device: torch.device,
    shapes: Tensor | None,
) -> Stream:
    """Return the histograms of training or validation, batch by batch."""
    batch_size = settings.training.batch_size
    size = settings.epoch_size if purpose == "train" else settings.validation_size
    drawn = max(N_DRAWN // batch_size, 1)
    steps = max(size // batch_size, 1)
    on_device = None if shapes is None else shapes.to(device)

    def batches(epoch: int) -> Iterator[Batch]:
        """Yield an epoch's batches; several in a row have the same number of bins."""
        generator = torch.Generator(device).manual_seed(derive_seed(seed, purpose, str(epoch)))
        for start in range(0, steps, drawn):
            n = min(drawn, steps - start) * batch_size
            n_bins = draw_n_bins(settings.spectra, generator=generator)
            made = draw_batch(n, settings, n_bins=n_bins, generator=generator, shapes=on_device)
            yield from (
                Batch(*parts) for parts in zip(*(x.split(batch_size) for x in made), strict=True)
            )

    return Stream(batches, steps, repr((purpose, seed, settings)))
