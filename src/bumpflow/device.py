"""The one place that chooses a device and limits threads."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    import torch


def choose_device(name: str = "auto") -> "torch.device":
    """Return the device that networks run on.

    Args:
        name: ``"auto"`` takes CUDA where there is any, else the CPU; ``"cpu"`` and
            ``"cuda"`` (or ``"cuda:1"``) insist.

    Raises:
        ValueError: If CUDA is asked for and absent.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        msg = f"device: {name!r} is asked for, but torch sees no CUDA device: use 'auto' or 'cpu'"
        raise ValueError(msg)
    return torch.device(name)


def gpus_needed(name: str) -> int:
    """Return how many GPUs a network's job asks the scheduler for, without importing torch.

    Args:
        name: As for :func:`choose_device`. With ``"auto"`` a GPU is asked for where this
            machine has one; on a cluster whose head node has none, say ``"cuda"``.
    """
    if name == "auto":
        return int(any(Path("/dev").glob("nvidia[0-9]*")))
    return int(name.startswith("cuda"))


def limit_threads(threads: int) -> None:
    """Let numerical libraries use ``threads`` threads in this process.

    Two jobs of two threads each on two cores run several times slower than two of one thread:
    each must keep to what Snakemake gave it.

    Args:
        threads: Threads of this job.
    """
    threadpool_limits(threads)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)
