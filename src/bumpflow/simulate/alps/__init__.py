"""Axion-like particles at beam dumps: from B mesons to two photons in a calorimeter."""
