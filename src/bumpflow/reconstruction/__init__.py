"""Masses and lifetimes of axion-like particles from sets of decays: posteriors and their tests."""
