"""A camera's lens from pictures of a board: ``python -m calib.camera``."""
