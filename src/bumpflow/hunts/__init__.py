"""Hunt bumps in mass histograms with networks that need no background model."""
