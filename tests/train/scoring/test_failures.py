"""Failures of a set: the surest mistakes, one a place, and the scores of each place, worst first."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.train.scoring.sets import drone_set, flat_shot
from train.data.retrieval_set import RetrievalPicture, RetrievalSet
from train.scoring.failures import draw_failures, surest_confusions, write_places
from train.scoring.ranking import Ranking, rank

PLACES = [0, 0, 1, 1, 2]
ANSWERED = [0, 1, 0, 2, 2]  # the place that each query is taken for: q1, q2 and q3 wrongly


@pytest.fixture
def scored() -> tuple[RetrievalSet, Ranking, dict[str, NDArray[np.float32]]]:
    queries = [RetrievalPicture(f"q{k}", str(place), flat_shot(place).read) for k, place in enumerate(PLACES)]
    drone_to_tile = drone_set(queries, [flat_shot(place) for place in range(3)])
    at = np.eye(3, dtype=np.float32)
    rows = {
        f"q{k}": at[answer] * 0.9 + at[place] * (0.1 + 0.01 * k)
        for k, (answer, place) in enumerate(zip(ANSWERED, PLACES, strict=True))
    }
    rows |= {shot.name: at[place] for place, shot in enumerate(drone_to_tile.gallery)}
    query = np.stack([rows[shot.name] for shot in queries]) / 1.1
    return drone_to_tile, rank(query.astype(np.float32), at, *drone_to_tile.place_numbers()), rows


def test_the_surest_mistakes_are_of_different_places_and_name_their_pictures(
    scored: tuple[RetrievalSet, Ranking, dict[str, NDArray[np.float32]]],
) -> None:
    confusions = surest_confusions(*scored)
    assert [row.name for row in confusions] == ["q1", "q2"]  # q3 shows the place of q2; the surest first
    assert [(a.right, row.truth_rank) for row in confusions for a in row.answers[:2]] == [(False, 2), (True, 2)] * 2
    assert [answer.name for answer in confusions[0].answers] == ["1/0", "0/0", "2/0"]
    assert confusions[0].answers[0].similarity == pytest.approx(0.9)
    assert confusions[0].truth.similarity == pytest.approx(0.11)
    assert np.array_equal(confusions[1].query, flat_shot(1).read())


def test_places_are_listed_worst_first(
    scored: tuple[RetrievalSet, Ranking, dict[str, NDArray[np.float32]]], tmp_path: Path
) -> None:
    drone_to_tile, ranking, _ = scored
    write_places(tmp_path / "places.csv", [(drone_to_tile, ranking)])
    assert (tmp_path / "places.csv").read_text().splitlines() == [
        "set,place,queries,r1,ap",
        "drone -> tile,1,2,0.0000,0.2500",
        "drone -> tile,0,2,0.5000,0.6250",
        "drone -> tile,2,1,1.0000,1.0000",
    ]


def test_a_set_without_mistakes_is_drawn_as_one_that_has_none(tmp_path: Path) -> None:
    at, shots = np.eye(3, dtype=np.float32), [flat_shot(place) for place in range(3)]
    drone_to_tile = drone_set([RetrievalPicture(f"q{k}", str(k), shots[k].read) for k in range(3)], shots)
    rows = {f"q{k}": at[k] for k in range(3)} | {shot.name: at[k] for k, shot in enumerate(shots)}
    ranking = rank(at, at, *drone_to_tile.place_numbers())
    assert surest_confusions(drone_to_tile, ranking, rows) == []
    draw_failures(tmp_path / "none.png", drone_to_tile, ranking, rows)
    assert cv2.imread(str(tmp_path / "none.png")) is not None


def test_of_each_place_the_query_is_chosen_whose_right_answer_comes_last() -> None:
    at = np.eye(4, dtype=np.float32)
    gallery = [flat_shot(place) for place in range(4)]
    rows = {shot.name: at[place] for place, shot in enumerate(gallery)}
    rows["near"] = 0.6 * at[1] + 0.5 * at[0]  # the right one, place 0, comes second
    rows["far"] = 0.6 * at[1] + 0.5 * at[2] + 0.4 * at[3] + 0.1 * at[0]  # and here last of four
    queries = [RetrievalPicture(name, "0", gallery[0].read) for name in ("near", "far")]
    query = np.stack([rows[shot.name] for shot in queries]).astype(np.float32)
    drone_to_tile = drone_set(queries, gallery)
    ranking = rank(query, at, *drone_to_tile.place_numbers())
    assert ranking.first.tolist() == [1, 3]
    (row,) = surest_confusions(drone_to_tile, ranking, rows)
    assert (row.name, row.truth_rank) == ("far", 4)
