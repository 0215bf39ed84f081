"""Two views whose warp is known, of ground that tells every place apart."""

from __future__ import annotations

import numpy as np

from tests.train.conftest import draw_blots
from train.data.source import Views
from train.data.view_pair import render_views
from train.data.view_spec import ViewSpec

WARPED = ViewSpec(footprint_m=(45.0, 60.0), yaw_error_deg=25.0, warp=True)


def warped(seed: int, side_px: int = 96) -> Views:
    """Views of blots, turned and stretched by errors of pose."""
    chip = draw_blots(seed, 512, blot_px=12)
    return render_views(chip, 0.3, np.random.default_rng(seed), side_px=side_px, spec=WARPED)
