"""The one place that chooses a device and limits threads."""

import fcntl
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
_held: dict[Path, TextIO] = {}


@cache
def choose_device(name: str = "auto") -> "torch.device":
    """Return the device that networks run on, and log it, once in a process.

    A process gets a GPU of its own for as long as it lives, see :func:`claim`: Snakemake says
    how many jobs may use GPUs, but not which. Where ``CUDA_VISIBLE_DEVICES`` lists one GPU, as
    SLURM does for a job that asked for one, that one is taken, by others or not.

    Args:
        name: ``"auto"`` takes CUDA where there is any, else the CPU; ``"cpu"`` and
            ``"cuda"`` (or ``"cuda:1"``) insist.

    Raises:
        ValueError: If CUDA, or that one of its devices, is asked for and absent.
    """
    import torch

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and n_gpus == 0):
        log.info("running on the CPU" if name == "cpu" else "no CUDA device: running on the CPU")
        return torch.device("cpu")
    if n_gpus == 0:
        msg = f"device: {name!r} is asked for, but torch sees no CUDA device: use 'auto' or 'cpu'"
        raise ValueError(msg)
    wanted = range(n_gpus) if name in ("auto", "cuda") else [int(name.removeprefix("cuda:"))]
    if wanted[0] >= n_gpus:
        msg = f"device: {name!r} is asked for, but the last one is 'cuda:{n_gpus - 1}': use that"
        raise ValueError(msg)
    properties = [torch.cuda.get_device_properties(index) for index in wanted]
    locks = [lock_folder() / f"{found.uuid}.lock" for found in properties]
    confined = n_gpus == 1 and "CUDA_VISIBLE_DEVICES" in os.environ
    chosen = claim(locks, wait=not confined) or 0
    device = torch.device("cuda", wanted[chosen])
    torch.cuda.set_device(device)
    log.info("running on %s, %s", device, properties[chosen].name)
    return device


def lock_folder() -> Path:
    """Return where this user's processes lock GPUs."""
    folder = Path(tempfile.gettempdir()) / f"bumpflow-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def claim(locks: Sequence[Path], *, wait: bool = True) -> int | None:
    """Lock one of several files that no other process has locked, until this process ends.

    The kernel frees the lock of a process that ends in whatever way.

    Args:
        locks: Files, one per GPU.
        wait: Whether to wait for a file if all are locked.

    Returns:
        Which file; none if all are locked.
    """
    waits = False
    while True:
        for index, path in enumerate(locks):
            if _lock(path):
                return index
        if not wait:
            return None
        if not waits:
            owners = ", ".join(path.read_text() for path in locks)
            log.warning("waiting for a GPU: all are in use, by processes %s", owners)
            waits = True
        time.sleep(POLL_SECONDS)


def _lock(path: Path) -> bool:
    """Lock a file and name this process in it; return whether that was possible."""
    if path in _held:  # opening and closing it would free it
        return True
    file = path.open("a+")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return False
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    _held[path] = file
    return True


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
