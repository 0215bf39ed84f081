"""What an ablation trains on and what it scores: places apart, views of one draw for all arms."""

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


@dataclass(frozen=True)
class Grounds:
    """Places to train on, and the sets that are scored, each in several draws of its views."""

    sources: Sequence[PairSource]
    tests: Mapping[str, Sequence[PairDataset]]
    spec: TrainSpec

    def train(self, seed: int) -> PairDataset:
        """The places to train on, in the views of a seed."""
        return _dataset(self.sources, self.spec, seed)


@dataclass(frozen=True)
class PartOf:
    """The scenes of a source whose places are in ``held``, or those whose are not."""

    source: PairSource
    held: frozenset[str]
    inside: bool

    @cached_property
    def scenes(self) -> list[int]:
        """Their indices in the source."""
        return [k for k, place in enumerate(self.source.places) if (place in self.held) == self.inside]

    @property
    def places(self) -> Sequence[str]:
        return [self.source.places[scene] for scene in self.scenes]

    @property
    def files(self) -> Sequence[Path]:
        return self.source.files

    def without(self, broken: Collection[Path]) -> PartOf:
        return replace(self, source=self.source.without(broken))

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        return self.source.render(self.scenes[index], rng, side_px)


class KeptViews(PairDataset):
    """Views are drawn once and kept in memory: every arm is scored on the same."""

    def views(self, item: Item) -> Views:
        """As a PairDataset's; raises DataError."""
        kept: dict[Item, Views] = self.__dict__.setdefault("_kept", {})
        if item not in kept:
            kept[item] = super().views(item)
        return kept[item]


def open_grounds(spec: TrainSpec, tests: Sequence[str], views: int) -> Grounds:
    """The train places, and the held-out ones and those of ``tests`` to score; raises DataError."""
    train = open_sources(spec.data, Choice("train", spec.only_may_ship), spec.view)
    sets = {HELD_OUT: open_sources(spec.data, Choice("val", spec.only_may_ship), spec.view)}
    known = {place for source in train for place in source.places}
    for entry in tests:
        sets[entry] = open_sources([entry], Choice(), spec.view)
        trained_on = [place for source in sets[entry] for place in source.places if place in known]
        if trained_on:
            raise DataError(f"--test {entry}: {len(trained_on)} of its places are trained on, {trained_on[0]} first")
    return Grounds(train, {name: _kept(s, spec, views, name) for name, s in sets.items()}, spec)


def open_tuning_grounds(spec: TrainSpec, views: int) -> Grounds:
    """Seven eighths of the train places to train on, the last eighth to choose by: no scored place is touched."""
    train = open_sources(spec.data, Choice("train", spec.only_may_ship), spec.view)
    names = dict.fromkeys(place for source in train for place in source.places)
    held = frozenset(name for k, name in enumerate(names) if k % _TUNE_EVERY == _TUNE_EVERY - 1)
    rest, chosen = _parts(train, held, False), _parts(train, held, True)
    return Grounds(rest, {TUNING: _kept(chosen, spec, views, TUNING)}, spec)


def _parts(sources: Sequence[PairSource], held: frozenset[str], inside: bool) -> list[PairSource]:
    def part(source: PairSource) -> PairSource:
        if isinstance(source, Weighted):
            return Weighted(PartOf(source.source, held, inside), source.weight)
        return PartOf(source, held, inside)

    return [part(source) for source in sources]


def _dataset(sources: Sequence[PairSource], spec: TrainSpec, seed: int) -> PairDataset:
    return PairDataset(sources, seed=seed, side_px=spec.encoder.side_px, strength=spec.augment)


def _kept(sources: Sequence[PairSource], spec: TrainSpec, views: int, name: str) -> list[PairDataset]:
    draws: list[PairDataset] = [
        KeptViews(sources, seed=VIEWS_SEED + draw, side_px=spec.encoder.side_px, strength=spec.augment)
        for draw in range(views)
    ]
    if len(set(draws[0].places)) < 2:
        raise DataError(f"{name}: {len(draws[0])} places are too few to score; give more data")
    return draws
