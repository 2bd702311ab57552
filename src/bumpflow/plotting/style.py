"""The one place that gives figures their look."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure

PAGE_WIDTH = 12.0
"""Width of a figure that fills the report's page [inch]."""


@contextmanager
def styled(matplotlibrc: str | Path) -> Iterator[None]:
    """Draw and save figures in the project's style, and leave other figures alone.

    Args:
        matplotlibrc: File of Matplotlib settings.
    """
    _register_fonts()
    with mpl.rc_context(fname=matplotlibrc):
        yield


@cache
def _register_fonts() -> None:
    """Let Matplotlib find the fonts that mplhep ships."""
    folder = Path(str(resources.files("mplhep_data"))) / "fonts" / "texgyreheros"
    for font in folder.glob("*.otf"):
        font_manager.fontManager.addfont(str(font))


def new_figure(height: float, *, width: float = PAGE_WIDTH, tight: bool = True) -> Figure:
    """Return an empty figure that no window system knows of.

    Args:
        height: Height [inch].
        width: Width [inch].
        tight: Whether Matplotlib arranges the panels; figures of many panels place them
            themselves, which is faster.
    """
    return Figure(figsize=(width, height), layout="constrained" if tight else None)
