"""What analyses keep of reconstructed events, and the features that they compute."""
