"""A search in which surrogate events stand in for Monte Carlo background."""
