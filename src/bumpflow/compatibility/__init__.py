"""Searches for events that agree on parameters: posteriors, hunts and their statistics."""
