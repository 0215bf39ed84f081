"""Places of an ablation: to train on, to score, and to choose by; views of one draw serve all arms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from runtime.errors import DataError
from train.data.dataset import Item, PairDataset
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.source import PairSource, Views, Weighted
from train.scoring.embed import VIEWS_SEED
from train.spec import TrainSpec

HELD_OUT, TUNING = "held-out places", "tuning places"
_TUNE_EVERY = 8


@dataclass(frozen=True, slots=True)
class StudyPlaces:
    """Places to train on, and the sets that are scored, each in several draws of its views."""

    sources: Sequence[PairSource]
    tests: Mapping[str, Sequence[PairDataset]]
    spec: TrainSpec

    def train(self, seed: int) -> PairDataset:
        """Return the places to train on, in the views of a seed."""
        return _dataset(self.sources, self.spec, seed)


@dataclass(frozen=True)
class SourcePart:
    """A part of a source: the scenes whose places are in ``held``, or those whose are not."""

    source: PairSource
    held: frozenset[str]
    inside: bool

    @cached_property
    def scenes(self) -> list[int]:
        """The scenes' indices in the whole source."""
        return [k for k, place in enumerate(self.source.places) if (place in self.held) == self.inside]

    @property
    def places(self) -> Sequence[str]:
        """The place of each scene."""
        return [self.source.places[scene] for scene in self.scenes]

    @property
    def files(self) -> Sequence[Path]:
        """Pictures of the whole source."""
        return self.source.files

    def without(self, broken: Collection[Path]) -> SourcePart:
        """Return the same part of the source without these files."""
        return replace(self, source=self.source.without(broken))

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Render two views of a scene; raises DataError."""
        return self.source.render(self.scenes[index], rng, side_px)


class KeptViews(PairDataset):
    """A data set that draws each view once and keeps it in memory: every arm is scored on the same."""

    def __init__(self, sources: Sequence[PairSource], *, seed: int, side_px: int, strength: float) -> None:
        """Number the scenes as a :class:`PairDataset` does; nothing is drawn yet."""
        super().__init__(sources, seed=seed, side_px=side_px, strength=strength)
        self._kept: dict[Item, Views] = {}

    def views(self, item: Item) -> Views:
        """Return the views of a scene, drawn when they are first asked for; raises DataError."""
        if item not in self._kept:
            self._kept[item] = super().views(item)
        return self._kept[item]


def open_places(spec: TrainSpec, tests: Sequence[str], views: int) -> StudyPlaces:
    """Open the train places, and the held-out ones and those of ``tests`` to score; raises DataError."""
    train = open_sources(spec.data, Choice("train", spec.only_may_ship), spec.view)
    sets = {HELD_OUT: open_sources(spec.data, Choice("val", spec.only_may_ship), spec.view)}
    known = {place for source in train for place in source.places}
    for entry in tests:
        sets[entry] = open_sources([entry], Choice(), spec.view)
        trained_on = [place for source in sets[entry] for place in source.places if place in known]
        if trained_on:
            raise DataError(f"--test {entry}: {len(trained_on)} of its places are trained on, {trained_on[0]} first")
    return StudyPlaces(train, {name: _kept(s, spec, views, name) for name, s in sets.items()}, spec)


def open_tuning_places(spec: TrainSpec, views: int) -> StudyPlaces:
    """Open seven eighths of the train places to train on, the last eighth to choose by; raises DataError.

    No scored place is touched.
    """
    train = open_sources(spec.data, Choice("train", spec.only_may_ship), spec.view)
    names = dict.fromkeys(place for source in train for place in source.places)
    held = frozenset(name for k, name in enumerate(names) if k % _TUNE_EVERY == _TUNE_EVERY - 1)
    rest, chosen = _parts(train, held, False), _parts(train, held, True)
    return StudyPlaces(rest, {TUNING: _kept(chosen, spec, views, TUNING)}, spec)


def _parts(sources: Sequence[PairSource], held: frozenset[str], inside: bool) -> list[PairSource]:
    """Return the same part of every source."""

    def part(source: PairSource) -> PairSource:
        if isinstance(source, Weighted):
            return Weighted(SourcePart(source.source, held, inside), source.weight)
        return SourcePart(source, held, inside)

    return [part(source) for source in sources]


def _dataset(sources: Sequence[PairSource], spec: TrainSpec, seed: int) -> PairDataset:
    """Return the scenes of sources in the views of a seed."""
    return PairDataset(sources, seed=seed, side_px=spec.encoder.side_px, strength=spec.augment)


def _kept(sources: Sequence[PairSource], spec: TrainSpec, views: int, name: str) -> list[PairDataset]:
    """Return several draws of a set's views, each kept in memory; raises DataError for fewer than two places."""
    draws: list[PairDataset] = [
        KeptViews(sources, seed=VIEWS_SEED + draw, side_px=spec.encoder.side_px, strength=spec.augment)
        for draw in range(views)
    ]
    if len(set(draws[0].places)) < 2:
        raise DataError(f"{name}: {len(draws[0])} places are too few to score; give more data")
    return draws
