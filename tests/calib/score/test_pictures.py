"""Two pictures of a fit: dots stand where probabilities and outcomes are."""

from __future__ import annotations

import cv2
import numpy as np

from calib.drawing import BLUE, RED
from calib.score.judge import JudgedFrames
from calib.score.pictures import reliability_picture, similarity_picture
from calib.score.queries import Query
from runtime.types import Picture

HEAD_PX, LEFT_PX, TOP_PX, SIDE_PX = 88, 24 + 64, 88 + 24, 620


def judged(probability: float, share_right: float, frames: int = 200) -> JudgedFrames:
    right = np.arange(frames) < share_right * frames
    return JudgedFrames(np.ones(frames), np.full(frames, probability), right)


def dots(picture: Picture, colour: tuple[int, int, int]) -> np.ndarray:
    """(x, y) of the middle of each large dot in a colour, in the square of the plot."""
    same = (np.abs(picture.astype(int) - colour).max(axis=2) < 10).astype(np.uint8)
    same[TOP_PX + SIDE_PX + 8 :] = 0  # below are the counts
    count, _, stats, middles = cv2.connectedComponentsWithStats(same)
    large = [i for i in range(1, count) if 60 < stats[i, cv2.CC_STAT_AREA] < 200]
    shares = [((middles[i][0] - LEFT_PX) / SIDE_PX, 1 - (middles[i][1] - TOP_PX) / SIDE_PX) for i in large]
    return np.array(sorted(shares)).reshape(-1, 2)


def test_a_dot_stands_at_the_probability_that_was_said_and_the_share_that_was_right() -> None:
    picture = reliability_picture(judged(0.85, 0.3), judged(0.55, 0.6), "by hand")
    fitted, default = dots(picture, BLUE), dots(picture, RED)
    assert np.abs(fitted - (0.55, 0.6)).max(axis=1).min() < 0.01
    assert np.abs(default - (0.85, 0.3)).max(axis=1).min() < 0.01


def query(right: float, elsewhere: float) -> Query:
    similarity = np.sort(np.append(np.linspace(-0.2, 0.1, 40), [right, elsewhere]))[::-1]
    return Query(similarity, np.ones(len(similarity)), right, np.array([right]), True, elsewhere)


def middle_of(picture: Picture, colour: tuple[int, int, int]) -> float:
    """Where bars of a colour stand, as a share of the width; their colour shows through others."""
    panel = picture[HEAD_PX + 60 : HEAD_PX + 400].astype(int)
    strong = panel[..., 2] - panel[..., 0] if colour == RED else panel[..., 0] - panel[..., 2]
    columns = np.flatnonzero((strong > 60).any(axis=0))
    return float(columns.mean())


def test_right_tiles_stand_to_the_right_of_the_best_ones_elsewhere_where_they_are_more_alike() -> None:
    rng = np.random.default_rng(0)
    good = [query(0.7 + rng.normal(0, 0.01), 0.3 + rng.normal(0, 0.01)) for _ in range(50)]
    bad = [query(0.3 + rng.normal(0, 0.01), 0.7 + rng.normal(0, 0.01)) for _ in range(50)]
    for queries, ahead in ((good, True), (bad, False)):
        picture = similarity_picture(queries)
        assert (middle_of(picture, BLUE) > middle_of(picture, RED)) is ahead
