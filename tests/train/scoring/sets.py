"""What the tests of scores share: flat pictures, an encoder that sees their colour, and a set of one direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from train.data.retrieval_set import RetrievalPicture, RetrievalSet


def mean_colours(pictures: np.ndarray) -> np.ndarray:
    """An encoder that sees the mean colour: (B, 3)."""
    rows = pictures.reshape(len(pictures), -1, 3).mean(axis=1).astype(np.float32) + 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def flat_shot(place: int, view: int = 0) -> RetrievalPicture:
    """A picture of one colour, which tells the place."""
    colour = np.array([place * 10, 255 - place * 10, view], np.uint8)
    return RetrievalPicture(f"{place}/{view}", str(place), lambda: np.full((6, 4, 3), colour, np.uint8))


def drone_set(queries: Sequence[RetrievalPicture], gallery: Sequence[RetrievalPicture]) -> RetrievalSet:
    return RetrievalSet("drone -> tile", queries, gallery, asks_from_drone=True)
