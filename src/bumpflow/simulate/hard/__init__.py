"""Hard processes: parton densities, our own matrix elements, and what hands them to a shower."""
