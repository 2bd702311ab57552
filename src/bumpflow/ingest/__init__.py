"""Bring events in from the files that physicists have."""
