"""Queries that are turned, scaled and shifted: the pictures are what the numbers say, and so is R@1."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.train.scoring.sets import drone_set
from train.data.retrieval_set import RetrievalPicture
from train.scoring.embed import embed_shots
from train.scoring.robustness import SWEEPS, Change, SweepCurve, measure_robustness, plot_robustness


def test_changes_of_a_picture_are_what_they_say() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    assert Change()(picture) is picture
    assert np.array_equal(Change(turn_deg=90)(picture), np.rot90(picture, -1))  # clockwise
    assert np.array_equal(Change(turn_deg=180)(picture), picture[::-1, ::-1])
    assert np.array_equal(Change(altitude=0.5)(picture)[::2, ::2], picture[2:7, 2:7])  # lower: less ground, larger
    east = Change(shift=3 / 9, towards_rad=0.0)(picture)
    assert np.array_equal(east[:, :6], picture[:, 3:])
    assert np.array_equal(east[:, 6:], picture[:, [7, 6, 5]])  # mirrored beyond the edge


def test_robustness_is_r1_of_changed_queries_and_its_undisturbed_value_that_of_the_set() -> None:
    top_left = np.zeros((16, 16, 3), np.uint8)

    def shot(place: int, view: int) -> RetrievalPicture:
        picture = top_left.copy()
        picture[:4, : 4 + 2 * place] = 255
        return RetrievalPicture(f"{place}/{view}", str(place), lambda: picture)

    def corners(pictures: np.ndarray) -> np.ndarray:
        rows = pictures[:, :8, :, 0].astype(np.float32).reshape(len(pictures), -1) + 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    drone_to_tile = drone_set([shot(k, 0) for k in range(6)], [shot(k, 1) for k in range(6)])
    gallery = embed_shots(corners, drone_to_tile.gallery, 16, workers=1)
    curves = measure_robustness(corners, drone_to_tile, gallery, 16, queries=4, workers=2)
    for sweep in SWEEPS:
        line = dict(zip(curves[sweep.field].values, curves[sweep.field].r1, strict=True))
        assert line[1.0 if sweep.field == "altitude" else 0] == 1.0
    assert curves["turn_deg"].r1[-1] == 1 / 4  # upside down all look alike


def test_changes_compose_about_the_middle_and_keep_it_in_place() -> None:
    picture = np.zeros((33, 33, 3), np.uint8)
    picture[16, 16] = 255  # the middle
    for change in (Change(turn_deg=37.0), Change(altitude=1.4), Change(turn_deg=120.0, altitude=0.7)):
        rows, columns = np.nonzero(change(picture)[..., 0] > 100)
        assert (rows.mean(), columns.mean()) == (16, 16)
    south = Change(shift=8 / 33, towards_rad=np.pi / 2)(picture)  # the camera looks farther down
    assert np.argwhere(south[..., 0] > 100).tolist() == [[8, 16]]


def test_curves_of_several_sets_are_drawn_with_the_names_of_the_sets(tmp_path: Path) -> None:
    curves = {s.field: SweepCurve(s.values, [0.9 - 0.05 * k for k in range(len(s.values))]) for s in SWEEPS}
    plot_robustness({"A drone -> tile": curves}, tmp_path / "one.png")
    plot_robustness({"A drone -> tile": curves, "B drone -> tile": curves}, tmp_path / "two.png")
    single, both = (cv2.imread(str(tmp_path / f"{name}.png")) for name in ("one", "two"))
    assert single is not None
    assert both is not None
    assert not np.array_equal(single, both)
