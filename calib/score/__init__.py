"""What a similarity is worth, from recorded flights: ``python -m calib.score``."""
