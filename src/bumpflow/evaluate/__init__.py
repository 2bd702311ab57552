"""Judge generated events and classifiers."""
