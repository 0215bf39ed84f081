"""Queries and a gallery: distractors can be left out, and places are numbered alike in both."""

from __future__ import annotations

import numpy as np
import pytest

from train.data.retrieval_set import RetrievalPicture, RetrievalSet


def shot(name: str, place: str) -> RetrievalPicture:
    return RetrievalPicture(name, place, lambda: np.zeros((1, 1, 3), np.uint8))


def task() -> RetrievalSet:
    queries = [shot("q0", "b"), shot("q1", "a"), shot("q2", "b")]
    gallery = [shot("g0", "a"), shot("g1", "spare"), shot("g2", "b"), shot("g3", "spare")]
    return RetrievalSet("Here drone -> satellite", queries, gallery, asks_from_drone=True)


def test_equal_numbers_are_one_place_in_queries_and_gallery() -> None:
    queries, gallery = task().place_numbers()
    places = {"q0": "b", "q1": "a", "q2": "b", "g0": "a", "g1": "spare", "g2": "b", "g3": "spare"}
    numbers = dict(zip(places, [*queries, *gallery], strict=True))
    for one, place in places.items():
        for other, its_place in places.items():
            assert (numbers[one] == numbers[other]) == (place == its_place)


def test_without_distractors_only_pictures_that_answer_stay_and_the_name_says_so() -> None:
    whole = task()
    fewer = whole.without_distractors()
    assert [s.name for s in fewer.gallery] == ["g0", "g2"]
    assert fewer.queries == whole.queries
    assert fewer.name == "Here drone -> satellite (sample4geo)"
    assert fewer.asks_from_drone
    assert len(whole.gallery) == 4, "the official set stays as it is"


@pytest.mark.parametrize("name", ["drone -> satellite", "anything at all"])
def test_who_asks_does_not_hang_on_the_name(name: str) -> None:
    assert not RetrievalSet(name, [], [], asks_from_drone=False).asks_from_drone
