"""Defaults of ``python -m runtime.tiles build``: ``--help`` shows them, so nothing heavy is imported here."""

FOOTPRINTS_M = (45.0, 64.0, 90.0, 128.0)  # sqrt(2) apart: any scale is within 19% of a level
STRIDE_SHARE = 0.25  # of a footprint, between the tiles of a level
ACCURACY_CE90_M = 8.5  # what is commonly stated for satellite mosaics made without ground control
