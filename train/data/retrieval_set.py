"""What a benchmark asks: queries, a gallery, and which of it is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.types import Picture


@dataclass(frozen=True)
class Shot:
    """One picture to embed."""

    name: str  # what a person finds it by; within a benchmark no two pictures share one
    place: str
    read: Callable[[], Picture]  # (H, W, 3) RGB; raises DataError
    lat_lon: tuple[float, float] | None = None  # degrees, where the benchmark states it


@dataclass(frozen=True)
class RetrievalSet:
    """One direction of one benchmark, official: gallery pictures that answer no query stay in."""

    name: str  # as "University-1652 drone -> satellite"
    queries: Sequence[Shot]
    gallery: Sequence[Shot]

    @property
    def asks_from_drone(self) -> bool:
        """Whether the queries are the drone's."""
        return self.name.partition("->")[0].rstrip().endswith("drone")

    def without_distractors(self) -> RetrievalSet:
        """As the Sample4Geo family counts: pictures of places that are never asked for are deleted from the gallery."""
        asked = {shot.place for shot in self.queries}
        kept = [shot for shot in self.gallery if shot.place in asked]
        return replace(self, name=f"{self.name} (sample4geo)", gallery=kept)

    def place_numbers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(Q,) and (G,): equal numbers are one place."""
        shots = [*self.queries, *self.gallery]
        number = {place: k for k, place in enumerate(dict.fromkeys(shot.place for shot in shots))}
        numbers = np.array([number[shot.place] for shot in shots], np.int64)
        return numbers[: len(self.queries)], numbers[len(self.queries) :]
