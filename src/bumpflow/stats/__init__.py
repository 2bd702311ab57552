"""Likelihoods, tests and limits."""
