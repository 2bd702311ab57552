"""Figures as functions over arrays and axes; nothing here reads or saves a file."""
