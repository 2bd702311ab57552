"""Unbinned fits of resonances in many features, with densities that flows learn."""
