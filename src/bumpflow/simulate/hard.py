"""Hard processes with our own matrix elements."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bumpflow.simulate.partons import HardProcess


def build_hard_process(settings: Mapping[str, Any], table: pd.DataFrame) -> HardProcess:
    """Return what draws the hard processes of a sample."""
    raise NotImplementedError
