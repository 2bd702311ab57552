"""From particle-physics events to a defensible significance."""

__version__ = "0.1.0"
