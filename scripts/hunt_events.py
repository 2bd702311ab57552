"""Rule hunt_events."""
