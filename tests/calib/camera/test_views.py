from __future__ import annotations

import cv2
import numpy as np
import pytest

from calib.camera.shots import BoardShot
from calib.camera.views import BoardView, novel, survey, view_of
from tests.calib.camera.drawn import SIZE
from tests.calib.camera.rendered import BOARD, LENS, Studio, poses


def test_of_two_views_alike_the_sharper_stays_and_the_rest_spread_out() -> None:
    outline = np.array([[100.0, 100], [300, 100], [300, 200], [100, 200]])
    corners = np.zeros((1, 3)), np.zeros((1, 2))
    views = [
        BoardView(name, *corners, outline + shift, edge)
        for name, shift, edge in (("soft", 0, 3.5), ("sharp", 2, 2.0), ("beside", 60, 3.0), ("far", 200, 3.0))
    ]
    assert [view.name for view in novel(views, SIZE, 2)] == ["sharp", "far"]
    assert {view.name for view in novel(views, SIZE, 9)} == {"sharp", "far", "beside"}


def test_a_survey_sorts_pictures_by_what_they_show_and_keeps_few_of_the_lost() -> None:
    studio, rng = Studio(LENS, BOARD), np.random.default_rng(0)
    pose = next(poses(BOARD, LENS, rng))
    sharp, smeared = studio.shot(pose, rng), studio.shot(pose, rng, motion_px=8)
    empty = np.full((480, 640), 110, np.uint8)
    shown = [BoardShot("sharp", sharp), BoardShot("smeared", smeared)]
    shown += [BoardShot(f"empty{i}", empty) for i in range(20)]
    seen_after: list[int] = []
    seen = survey(BOARD, iter(shown), lambda so_far: seen_after.append(so_far.looked_at))
    assert [view.name for view in seen.views] == ["sharp"] and seen.blurred == ["smeared"]
    assert len(seen.without) == 20 and len(seen.lost) <= 16
    assert seen_after == list(range(1, 23))
    assert seen.sizes == {SIZE: [shot.name for shot in shown]}
    assert seen.sample is not None and seen.sample.name == "sharp"


def test_an_edge_is_as_wide_as_the_blur_that_made_it() -> None:
    studio, rng = Studio(LENS, BOARD), np.random.default_rng(1)
    pose = next(poses(BOARD, LENS, rng, tilts_deg=(0, 5), middle=(0.5, 0.5)))
    widths = []
    for blur_px in (0.6, 1.2, 2.4):
        view = view_of(BOARD, BoardShot("shot", studio.shot(pose, rng, blur_px=blur_px)))
        assert view is not None
        widths.append(view.edge_px)
    assert widths == sorted(widths)
    # A step blurred by a Gaussian of sigma s rises over sqrt(2 pi) s where it is steepest.
    assert widths[2] == pytest.approx(np.sqrt(2 * np.pi) * 2.4, rel=0.35)


def test_corners_of_a_view_lie_where_the_lens_puts_them() -> None:
    studio, rng = Studio(LENS, BOARD), np.random.default_rng(2)
    for pose, _ in zip(poses(BOARD, LENS, rng, fill=(0.5, 0.7), middle=(0.4, 0.6)), range(4), strict=False):
        view = view_of(BOARD, BoardShot("shot", studio.shot(pose, rng)))
        assert view is not None and len(view.board_mm) > 40
        rotation, _ = cv2.Rodrigues(pose[0])
        exact = cv2.projectPoints(view.board_mm, rotation, pose[1], LENS.matrix, LENS.distortion)[0].reshape(-1, 2)
        assert np.sqrt(np.square(view.corners_px - exact).sum(axis=1).mean()) < 0.1
