"""Pictures and flights that tests write."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_pictures(folder: Path, count: int, seed: int = 0) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:02d}.png"), rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    return folder


def write_flight(folder: Path, yaw_deg: float) -> Path:
    (folder / "frames").mkdir(parents=True)
    (folder / "flight.json").write_text('{"name": "made"}')
    (folder / "camera.yaml").write_text(
        "image_width: 320\nimage_height: 240\ndistortion_model: plumb_bob\n"
        "camera_matrix: {rows: 3, cols: 3, data: [300, 0, 159.5, 0, 300, 119.5, 0, 0, 1]}\n"
        "distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}\n"
    )
    rows = ["t_us,image,session,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg"]
    for i in range(10):
        picture = np.full((240, 320, 3), 40, np.uint8)
        picture[:120] = (0, 0, 220)  # the upper half of the frame is red
        cv2.imwrite(str(folder / f"frames/{i}.png"), picture)
        rows.append(f"{i + 1},frames/{i}.png,a,100,0,-90,{yaw_deg}")
    (folder / "telemetry.csv").write_text("\n".join(rows) + "\n")
    return folder
