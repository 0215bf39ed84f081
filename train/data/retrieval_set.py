"""What a benchmark asks: queries, a gallery, and which of it is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from train.data.source import Picture


@dataclass(frozen=True)
class Shot:
    """One picture to embed."""

    name: str  # what a person finds it by
    place: str
    read: Callable[[], Picture]  # (H, W, 3) RGB; raises DataError
    lat_lon: tuple[float, float] | None = None  # degrees, where the benchmark states it


@dataclass(frozen=True)
class RetrievalSet:
    """One direction of one benchmark, official: gallery pictures that answer no query stay in."""

    name: str  # as "University-1652 drone -> satellite"
    queries: Sequence[Shot]
    gallery: Sequence[Shot]

    def without_distractors(self) -> RetrievalSet:
        """As the Sample4Geo family counts: pictures of places that are never asked for are deleted from the gallery."""
        asked = {shot.place for shot in self.queries}
        kept = [shot for shot in self.gallery if shot.place in asked]
        return replace(self, name=f"{self.name} (sample4geo)", gallery=kept)
