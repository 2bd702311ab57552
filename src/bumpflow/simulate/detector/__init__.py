"""A parametrised detector: what it measures of generated particles, and what is reconstructed."""
