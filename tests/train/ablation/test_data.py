"""Places to train on, to score and to choose by share nothing, and scored views are drawn once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import DataError
from train.ablation.data import HELD_OUT, TUNING, KeptViews, SourcePart, open_places, open_tuning_places
from train.ablation.study import StudySpec
from train.data.dataset import Item
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.view_spec import ViewSpec


def test_places_to_choose_by_are_neither_trained_on_nor_scored(study_spec: StudySpec) -> None:
    scored, tuned = open_places(study_spec.base, (), 1), open_tuning_places(study_spec.base, 1)
    (held,), (chosen,) = scored.tests[HELD_OUT], tuned.tests[TUNING]
    trained_on = {place for source in tuned.sources for place in source.places}
    everything = {place for source in scored.sources for place in source.places}
    assert not set(chosen.names) & set(held.names)
    assert not set(chosen.names) & trained_on
    assert set(chosen.names) | trained_on == everything
    assert len(chosen) == len(everything) // 8


def test_a_test_set_that_is_trained_on_is_refused(study_spec: StudySpec) -> None:
    with pytest.raises(DataError, match="21 of its places are trained on"):
        open_places(study_spec.base, study_spec.base.data, 1)


def test_too_few_places_to_score_are_told(pictures: Path, study_spec: StudySpec) -> None:
    lonely = replace(study_spec.base, data=(f"site:{pictures}@0.6",))
    with pytest.raises(DataError, match="held-out places: 0 places are too few to score"):
        open_places(lonely, (), 1)


def test_a_part_of_a_source_is_the_scenes_of_its_places_and_their_views(pictures: Path) -> None:
    (source,) = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), ViewSpec())
    held = frozenset(source.places[3:5])
    inside, outside = SourcePart(source, held, True), SourcePart(source, held, False)
    assert inside.places == source.places[3:5]
    assert outside.places == [*source.places[:3], *source.places[5:]]
    views = (part.render(k, np.random.default_rng(9), 24) for part, k in ((inside, 1), (source, 4)))
    assert len({view.tile.tobytes() for view in views}) == 1
    assert inside.without([Path(source.places[3])]).places == [source.places[4]]


def test_kept_views_are_drawn_once_for_each_scene_and_draw(pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice("val"), ViewSpec())
    first, other = (KeptViews(sources, seed=seed, side_px=24, strength=1.0) for seed in (1, 2))
    assert first.views(Item(0, 1)) is first.views(Item(0, 1))
    assert not np.array_equal(first.views(Item(0, 1)).tile, other.views(Item(0, 1)).tile)
    assert first.views(Item(1, 1)) is not first.views(Item(0, 1))


def test_every_scored_set_has_as_many_draws_as_asked_for(study_spec: StudySpec, tmp_path: Path) -> None:
    places = open_places(study_spec.base, ["world:1"], 3)
    assert {name: len(draws) for name, draws in places.tests.items()} == {HELD_OUT: 3, "world:1": 3}
    assert len({draw.views(Item(0, 0)).tile.tobytes() for draw in places.tests["world:1"]}) == 3
