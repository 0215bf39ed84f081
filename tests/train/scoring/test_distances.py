"""Distances of answers: SDM by its formula, metres by the geometry of the Earth, and nothing without places."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.train.scoring.sets import drone_set, flat_shot
from train.data.retrieval_set import RetrievalPicture
from train.scoring.distances import DistanceScores, distance_scores, sdm


def test_sdm_weighs_the_first_answers_most() -> None:
    assert sdm([[0.0, 0.0, 0.0]], 5e3) == 1.0
    far = math.inf
    assert sdm([[0.0, far, far]], 5e3) == pytest.approx(3 / 6)
    assert sdm([[far, 2e-4, far]], 5e3) == pytest.approx(2 / 6 / math.e)


def test_distances_are_told_where_every_picture_has_a_place() -> None:
    north_of = [(45.0 + k * 1e-3, 7.0) for k in range(3)]  # 111.1 m apart
    shots = [RetrievalPicture(str(k), str(k), flat_shot(k).read, at) for k, at in enumerate(north_of)]
    drone_to_tile = drone_set(shots[:2], shots)
    scores = distance_scores(drone_to_tile, np.array([[0, 1], [2, 1]]))
    assert scores is not None
    assert scores.sdm_degrees[1] == pytest.approx((1 + math.exp(-5)) / 2)
    assert scores.sdm_metres[1] == pytest.approx((1 + math.exp(-0.1111)) / 2, abs=1e-4)
    assert scores.mean_m == pytest.approx(111.1 / 2, abs=0.1)
    assert (scores.within[25], scores.within[100]) == (0.5, 0.5)
    nowhere = drone_set([flat_shot(0)], shots)
    assert distance_scores(nowhere, np.array([[0]])) is None


def test_a_set_with_few_answers_has_no_sdm_of_more() -> None:
    shots = [RetrievalPicture(str(k), str(k), flat_shot(k).read, (45.0, 7.0)) for k in range(4)]
    scores = distance_scores(drone_set(shots[:1], shots), np.array([[0, 1, 2, 3]]))
    assert scores is not None
    assert list(scores.sdm_degrees) == list(scores.sdm_metres) == [1, 3]
    assert scores.sdm_degrees[3] == 1.0


def test_the_json_names_every_distance_by_its_unit() -> None:
    scores = DistanceScores({1: 0.5, 3: 0.25}, {1: 0.75}, 12.5, 20.0, {25: 0.5, 50: 1.0})
    assert json.dumps(scores.to_json()) == (
        '{"sdm1_degrees": 0.5, "sdm3_degrees": 0.25, "sdm1_metres": 0.75, '
        '"error_m": {"median": 12.5, "mean": 20.0, "within_25m": 0.5, "within_50m": 1.0}}'
    )
