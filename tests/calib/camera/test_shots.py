from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from calib.camera.shots import shots as shots_of
from calib.camera.views import survey
from tests.calib.camera.drawn import SIZE
from tests.calib.camera.rendered import BOARD, LENS, Studio, poses


def test_a_video_gives_its_sharpest_frames(tmp_path: Path) -> None:
    studio, rng = Studio(LENS, BOARD), np.random.default_rng(0)
    path = tmp_path / "board.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, SIZE, False)
    for _, pose in zip(range(4), poses(BOARD, LENS, rng), strict=False):
        for motion_px in (7, 1, 11, 9, 7):  # a quarter of a second
            writer.write(studio.shot(pose, rng, motion_px=motion_px))
    writer.release()
    seen = survey(BOARD, shots_of([path], 0.25))
    assert (len(seen.views), len(seen.blurred), seen.looked_at) == (4, 0, 4)
