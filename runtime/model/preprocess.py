"""The one way from a picture of ground to what the encoder reads: training, tiles and frames all come through here.

Normalisation is inside the graph (see ``train.model.encoder``), so what leaves here are plain bytes.
"""

from __future__ import annotations

import cv2
import numpy as np

from runtime.types import Mask, Picture

FILL = (127, 127, 127)  # ground that the camera did not see, or that the map does not have


def encoder_input(
    patch: Picture,  # (H, W, 3) RGB, north up, H = W
    valid: Mask | None,  # (H, W), False where nothing was seen
    side_px: int,
) -> Picture:  # (side_px, side_px, 3) RGB
    """Resize to the encoder's side by area and paint what was not seen in one neutral grey."""
    if patch.dtype != np.uint8 or patch.ndim != 3 or patch.shape[2] != 3 or patch.shape[0] != patch.shape[1]:
        raise ValueError(f"patch is {patch.dtype} {patch.shape}; expected uint8 (side, side, 3)")
    if valid is not None and not valid.all():
        patch = np.where(valid[..., None], patch, np.array(FILL, np.uint8))
    if patch.shape[0] != side_px:
        shrinks = patch.shape[0] > side_px
        patch = np.asarray(
            cv2.resize(patch, (side_px, side_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR),
            np.uint8,
        )
    return np.ascontiguousarray(patch)
