"""Queries, a gallery, and which pictures of it are right: what a benchmark scores an encoder on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.types import Picture


@dataclass(frozen=True)
class RetrievalPicture:
    """A picture to embed, under its name and with the place that it shows."""

    name: str  # what a person finds it by; within a benchmark no two pictures share one
    place: str
    read: Callable[[], Picture]  # (H, W, 3) RGB; raises DataError
    lat_lon: tuple[float, float] | None = None  # degrees, where the benchmark states it


@dataclass(frozen=True)
class RetrievalSet:
    """One direction of one benchmark, official: gallery pictures that answer no query stay in."""

    name: str  # as "University-1652 drone -> satellite"
    queries: Sequence[RetrievalPicture]
    gallery: Sequence[RetrievalPicture]
    asks_from_drone: bool  # the queries are the drone's pictures; else they are the map's

    def without_distractors(self) -> RetrievalSet:
        """Return the set as the Sample4Geo family counts: gallery pictures that answer no query are deleted."""
        wanted = {shot.place for shot in self.queries}
        kept = [shot for shot in self.gallery if shot.place in wanted]
        return replace(self, name=f"{self.name} (sample4geo)", gallery=kept)

    def place_numbers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the places of the queries (Q,) and of the gallery (G,); equal numbers are one place."""
        shots = [*self.queries, *self.gallery]
        number = {place: k for k, place in enumerate(dict.fromkeys(shot.place for shot in shots))}
        numbers = np.array([number[shot.place] for shot in shots], np.int64)
        return numbers[: len(self.queries)], numbers[len(self.queries) :]
