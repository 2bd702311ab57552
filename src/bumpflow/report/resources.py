"""What a study's jobs took of time and memory, from Snakemake's own measurements."""

import numpy as np
import pandas as pd

PAUSE = 120.0
"""Time without any job from which on a study was interrupted, rather than busy with itself [s]."""


def use_by_rule(jobs: pd.DataFrame) -> pd.DataFrame:
    """Return time and memory of each rule's jobs, the longest rule first.

    Args:
        jobs: Columns ``rule``, ``seconds``, ``cpu_seconds`` and ``memory_mib``, one row per job;
            the last two are NaN where a job was too short to measure.

    Returns:
        Columns ``rule``, ``jobs``, ``seconds`` and ``cpu_seconds`` of all jobs together [s],
        ``longest_seconds`` of one job [s], and ``peak_memory_mib`` of one job [MiB], NaN where no
        job was measured. Snakemake looks twice a second at first, later every half minute:
        CPU time may lack the last of these spans, and memory a peak between two looks.
    """
    table = jobs.groupby("rule", as_index=False).agg(
        jobs=("seconds", "size"),
        seconds=("seconds", "sum"),
        cpu_seconds=("cpu_seconds", "sum"),
        longest_seconds=("seconds", "max"),
        peak_memory_mib=("memory_mib", "max"),
    )
    return table.sort_values(["seconds", "rule"], ascending=[False, True], ignore_index=True)


def elapsed_seconds(jobs: pd.DataFrame) -> float:
    """Return the time from the start of the first job to the end of the last one [s].

    Args:
        jobs: Columns ``seconds`` and ``finished``, the time of a job's end [s since 1970].

    Returns:
        The time, less any in which no job ran for longer than ``PAUSE``: between two runs.
    """
    if jobs.empty:
        return 0.0
    starts = (jobs["finished"] - jobs["seconds"]).to_numpy("float64")
    order = np.argsort(starts)
    starts = starts[order]
    ends = np.maximum.accumulate(jobs["finished"].to_numpy("float64")[order])
    gaps = np.maximum(starts[1:] - ends[:-1], 0)
    return float(ends[-1] - starts[0] - gaps[gaps > PAUSE].sum())
