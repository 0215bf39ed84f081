"""Signs of embeddings, one bit a number: what a large cache is searched by before its rows are read.

The share of signs in which two rows differ grows with the angle between them (Charikar, "Similarity Estimation
Techniques from Rounding Algorithms", 2002). 512 numbers make 64 bytes, an eighth of an int8 row. Nothing is fitted: a
sketch follows from its row alone. Kernel: OpenCV's Hamming distances (SIMD on x86-64 and aarch64), the fastest measured
of those that the base install holds.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def sign_bits_of(
    rows: NDArray[Any],  # (N, D) of any positive scale
) -> NDArray[np.uint8]:  # (N, ceil(D / 8))
    """A bit for each number that is not negative, highest bit first; the last byte is filled up with zeros."""
    return np.packbits(rows >= 0, axis=1)


def least_differing(
    sketch: NDArray[np.uint8],  # (N, B)
    query: NDArray[np.uint8],  # (B,)
    count: int,
) -> NDArray[np.int64]:  # (min(count, N),)
    """The rows whose sketches differ from the query's in the fewest bits, those first; of equals, the earlier."""
    count = min(count, len(sketch))
    if count == 0:
        return np.empty(0, np.int64)
    nearest = cv2.batchDistance(query[None], sketch, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=count)[1]
    rows: NDArray[np.int64] = nearest[0].astype(np.int64)
    return rows
