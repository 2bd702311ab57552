"""Rule draw_control: let Monte Carlo events play the surrogate, as a control of every test."""

from pathlib import Path

import pandas as pd

from bumpflow import io
from bumpflow.workflow import run_rule


def main(*, events: Path, generated: Path, features: list[str], label: int) -> None:
    """Write the training events of ``events`` as if they were ``generated``."""
    x = io.read_events(events, features=features, label=label, splits=["train"])
    io.write_table(
        generated,
        pd.DataFrame(x, columns=features),
        metadata={"source": f"training split of {events.name}"},
    )


if __name__ == "__main__":
    run_rule(main, snakemake)  # noqa: F821
