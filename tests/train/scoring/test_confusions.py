"""Mistakes of an encoder: the surest are those a slow count finds, and their frames say what is right."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from train.figures import GREEN, VERMILLION
from train.scoring.confusions import Answer, Confusion, confusion_grid, worst_misses


def _png(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    assert picture is not None, f"{path} is no picture"
    return np.asarray(picture[..., ::-1], np.uint8)


def _has(picture: NDArray[np.uint8], colour: str) -> bool:
    return bool((np.abs(picture / 255.0 - to_rgb(colour)).max(axis=2) < 0.01).any())


@given(seed=st.integers(0, 10_000), queries=st.integers(1, 6), gallery=st.integers(1, 8))
def test_the_surest_mistakes_are_those_a_slow_count_finds(seed: int, queries: int, gallery: int) -> None:
    rng = np.random.default_rng(seed)
    similarity = np.round(rng.uniform(-1, 1, (queries, gallery)), 1).astype(np.float32)  # with ties
    right = rng.random((queries, gallery)) < 0.4
    expected = []
    for q in range(queries):
        wrong = [similarity[q, g] for g in range(gallery) if not right[q, g]]
        good = [similarity[q, g] for g in range(gallery) if right[q, g]]
        if wrong and good and max(wrong) >= max(good):
            rank = 1 + sum(value >= max(good) for value in wrong)
            expected.append((max(good) - max(wrong), q, rank))
    misses = worst_misses(similarity, right, count=3, answers=2)
    assert [(m.query, m.truth_rank) for m in misses] == [(q, rank) for _, q, rank in sorted(expected)[:3]]
    for miss in misses:
        assert right[miss.query, miss.truth]
        assert not right[miss.query, miss.answers[0]], "a wrong one comes before a right one that is as similar"


def test_a_similarity_that_is_no_number_is_no_answer() -> None:
    similarity = np.array([[np.nan, 0.2], [0.1, np.nan]], np.float32)
    misses = worst_misses(similarity, np.eye(2, dtype=bool))
    assert [(m.query, m.truth, m.truth_rank) for m in misses] == [(0, 0, 2), (1, 1, 2)]


@pytest.mark.parametrize("right", [True, False])
def test_frames_say_which_answers_are_right(right: bool, tmp_path: Path) -> None:
    grey = np.full((40, 60, 3), 128, np.uint8)
    answer = Answer(grey, 0.5, right)
    rows = [Confusion(grey, [answer, answer], answer, 1, "a name much too long to be shown in full.jpg")]
    confusion_grid(rows, tmp_path / "grid.png", title="mistakes")
    picture = _png(tmp_path / "grid.png")
    assert (_has(picture, GREEN), _has(picture, VERMILLION)) == (right, not right)


def test_a_grid_without_mistakes_says_so(tmp_path: Path) -> None:
    confusion_grid([], tmp_path / "grid.png")
    assert _png(tmp_path / "grid.png").min() < 100, "something is written on it"
