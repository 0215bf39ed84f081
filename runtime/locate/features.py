"""Local features: keypoints with descriptors from a matcher bundle's graph.

The graph gives dense maps (``train.local.network``, ``export.matcher``); here they become a list of points: local
maxima of the keypoint map, scored by keypoint probability times reliability, with descriptors read between the map's
cells.
Source: Potje et al., XFeat, CVPR 2024, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.locate.limits import FEATURES
from runtime.model.bundle import MATCHER_FILE, Bundle
from runtime.model.engine_onnx import open_session

GRID_PX = 32  # the graph wants sides that are whole multiples


@dataclass(frozen=True, slots=True)
class Keypoints:
    """Points of one picture, best first."""

    xy: NDArray[np.float32]  # (N, 2) pixels, centres at whole numbers
    descriptor: NDArray[np.float32]  # (N, 64) unit-norm


class LocalFeatures:
    """A matcher bundle, running."""

    def __init__(self, bundle: Bundle, threads: int = 0) -> None:
        """``bundle`` is a matcher's, or an encoder's that brings local features of its own. Raises BundleError."""
        self._session = open_session(bundle.file(MATCHER_FILE), threads)
        self.name = bundle.name
        self.patch_px = bundle.patch_px
        self.min_agreement = bundle.min_agreement

    def dense(
        self,
        picture: NDArray[np.uint8],  # (H, W, 3) RGB
    ) -> tuple[NDArray[np.float32], ...]:  # (1, 64, h/s, w/s), (1, h, w), (1, h/s, w/s)
        """Run the graph and return its maps: descriptors, keypoint probability, reliability; padded to whole cells.

        Its stride s is 8 (XFeat) or 4 (features on the encoder's trunk).
        """
        names = ["descriptor", "keypoint", "reliability"]
        return tuple(self._session.run(names, {"image": _pad_to_grid(picture)[None]}))

    def warm_up(self) -> None:
        """Run the graph once, so that the first frame costs what others do."""
        self.dense(np.zeros((self.patch_px, self.patch_px, 3), np.uint8))

    def detect(
        self,
        picture: NDArray[np.uint8],  # (H, W, 3) RGB
        seen: NDArray[np.bool_],  # (H, W)
        most: int,
    ) -> Keypoints:
        """Find at most ``most`` keypoints where the picture shows something, some pixels away from what it does not."""
        height, width = picture.shape[:2]
        descriptor, keypoint, reliability = self.dense(picture)
        stride_px = keypoint.shape[1] // descriptor.shape[2]
        inner = _away_from_unseen(seen)
        xy, score = _peaks(keypoint[0][:height, :width], inner)
        score = score * _bilinear(reliability[0][..., None], xy, stride_px)[:, 0]
        best = np.argsort(-score, kind="stable")[:most]
        vectors = _bilinear(np.moveaxis(descriptor[0], 0, 2), xy[best], stride_px)
        norm = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return Keypoints(xy[best], (vectors / norm).astype(np.float32))


def _pad_to_grid(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    down, right = -height % GRID_PX, -width % GRID_PX
    if not down and not right:
        return picture
    return np.asarray(cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REFLECT_101), np.uint8)


def _away_from_unseen(seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask what lies near the unseen and the picture's edge: corners there are the mask's, not the ground's."""
    bordered = cv2.copyMakeBorder(seen.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    kernel = np.ones((2 * FEATURES.edge_px + 1, 2 * FEATURES.edge_px + 1), np.uint8)
    return np.asarray(cv2.erode(bordered, kernel))[1:-1, 1:-1] > 0


def _peaks(
    keypoint: NDArray[np.float32],  # (H, W)
    inner: NDArray[np.bool_],  # (H, W)
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # (N, 2), (N,)
    """Find local maxima in 5 by 5 pixels."""
    highest = cv2.dilate(keypoint, np.ones((5, 5), np.uint8))
    rows, columns = np.nonzero((keypoint == highest) & (keypoint > FEATURES.min_probability) & inner)
    return np.column_stack([columns, rows]).astype(np.float32), keypoint[rows, columns]


def _bilinear(
    cells: NDArray[np.float32],  # (h, w, C)
    xy: NDArray[np.float32],  # (N, 2) pixels
    stride_px: int,
) -> NDArray[np.float32]:  # (N, C)
    """Return values between the cells' centres, which lie at pixels 3.5, 11.5, ... for a stride of 8."""
    height, width = cells.shape[:2]
    x = np.clip((xy[:, 0] + 0.5) / stride_px - 0.5, 0, width - 1)
    y = np.clip((xy[:, 1] + 0.5) / stride_px - 0.5, 0, height - 1)
    left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    fx, fy = (x - left)[:, None], (y - top)[:, None]
    upper = cells[top, left] * (1 - fx) + cells[top, left + 1] * fx
    lower = cells[top + 1, left] * (1 - fx) + cells[top + 1, left + 1] * fx
    between: NDArray[np.float32] = upper * (1 - fy) + lower * fy
    return between
