"""A gate set that needs no data of its own: pictures that must be found again after a little change."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calib.samples.gate_set import GateSet
from runtime.types import Picture

_MACS = 0.75e12  # what the changed pictures may cost a graph: twenty seconds of two cores
_QUERIES = (512, 4096)  # at least, at most; of 2,000 half a point is two standard errors of a good graph's loss


def changed_set(
    queries: NDArray[np.uint8],  # (N, S, S, 3), not calibrated on
    others: NDArray[np.uint8],  # (K, S, S, 3)
    macs: int,  # of one picture
) -> GateSet:
    """Return a set of queries that must find their own picture after light, sharpness and place have changed a little.

    Each picture is changed many times, as a miss must not decide alone; less often where the graph is large.
    """
    least, most = _QUERIES
    count = int(np.clip(_MACS / max(macs, 1), least, most))
    gallery = np.concatenate([queries, others])
    own = np.arange(count) % len(queries)
    return GateSet(
        "changed pictures", _ChangedPictures(queries, count), gallery, own[:, None] == np.arange(len(gallery))
    )


class _ChangedPictures:
    """The queries: number n is picture n modulo N, changed by the n-th seed.

    Noise is cut from one long strip: drawing it anew would take most of the time.
    """

    def __init__(self, pictures: NDArray[np.uint8], count: int) -> None:
        self._pictures, self._count = pictures, count
        self._noise = 6 * np.random.default_rng(0).standard_normal(2 * pictures[0].size, np.float32)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]:
        chosen = range(*rows.indices(self._count))
        return np.stack([self._query(n) for n in chosen])

    def _query(self, n: int) -> Picture:  # (S, S, 3)
        return _changed(self._pictures[n % len(self._pictures)], self._noise, np.random.default_rng(n))


def _changed(
    picture: Picture,  # (S, S, 3)
    noise: NDArray[np.float32],  # (2 * S * S * 3,)
    rng: np.random.Generator,
) -> Picture:
    """Return the ground of a picture on another day: shifted and turned a little, in other light, blurred, noisy."""
    side = len(picture)
    about = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-20, 20), rng.uniform(0.85, 1.2))
    turn = np.asarray(about, np.float64)  # (2, 3)
    turn[:, 2] += rng.uniform(-0.12, 0.12, 2) * side
    moved = cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    softened = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.3, 1.5))
    curve = (np.arange(256) / 255) ** rng.uniform(0.6, 1.6)
    curves = np.asarray(255 * curve[:, None] * rng.uniform(0.8, 1.2, 3), np.float32)[None]  # (1, 256, 3)
    lit = np.asarray(cv2.LUT(softened, curves), np.float32)
    start = rng.integers(picture.size)
    lit += noise[start : start + picture.size].reshape(picture.shape)
    return np.asarray(np.clip(lit, 0, 255, out=lit), np.uint8)
