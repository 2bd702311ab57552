"""Density models behind one interface: evaluate, sample, save and load."""
