"""What all frames of a flight have in common: light, season and sensor, by which they differ from the map.

Where frames look unlike all of the map, the mean m of the flight's embeddings is taken out of a query q before it is
compared with the rows x: x.(q - m) punishes rows that look like every frame, which say nothing of this one. Rows stay
as they are. log: What all frames of a flight have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.locate.limits import DOMAIN


@dataclass(frozen=True, slots=True)
class DomainMean:
    """The mean of the embeddings of a flight's frames, and how like the map they are."""

    total: NDArray[np.float32] | None = None  # (D,) sum of embeddings
    count: int = 0
    newest: NDArray[np.float32] | None = None  # (D,) that was taken in
    compared: int = 0  # frames with all of the map
    mean_cosine: float = 0.0  # of the newest of these with the likest of the tiles that each was searched for

    @property
    def differs(self) -> bool:
        """Whether frames look unlike all of the map, and unlike each other: over one place they have the place in
        common.
        """
        if self.total is None or self.compared < DOMAIN.least_frames:
            return False
        shared = float(np.linalg.norm(self.total)) / self.count
        return self.mean_cosine < DOMAIN.like_cosine and shared < DOMAIN.one_place

    def taken_out(
        self,
        embeddings: NDArray[np.float32],  # (Q, D) unit-norm
    ) -> NDArray[np.float32]:  # (Q, D)
        """Return the queries to search for: the embeddings as they are where frames look like the map."""
        if self.total is None or not self.differs:
            return embeddings
        return np.asarray(embeddings - self.total / (self.count + DOMAIN.shrinking), np.float32)

    def learned(self, embeddings: Sequence[NDArray[np.float32]], best_cosine: float | None) -> DomainMean:
        """Take in a frame's embeddings (D,), one a supposed heading, and the best cosine of a search of all the map.

        A frame that looks like the newest one taken in shows the same ground, and would count it twice.
        """
        now, mean = self, np.asarray(np.mean(embeddings, axis=0), np.float32)
        if best_cosine is not None:
            compared = self.compared + 1
            weight = 1.0 / min(compared, DOMAIN.remembered_frames)
            now = replace(
                self, compared=compared, mean_cosine=self.mean_cosine + weight * (best_cosine - self.mean_cosine)
            )
        if self.newest is not None and _cosine(mean, self.newest) > DOMAIN.same_ground_cosine:
            return now
        total = mean if self.total is None else np.asarray(self.total + mean, np.float32)
        return replace(now, total=total, count=self.count + 1, newest=mean)


def _cosine(
    a: NDArray[np.float32],  # (D,)
    b: NDArray[np.float32],  # (D,)
) -> float:
    return float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)
