"""Simulate events: hard processes, showers, a parametrised detector, and what is selected."""
