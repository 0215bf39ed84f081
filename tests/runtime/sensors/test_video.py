"""Frames of a video file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import FlightError
from runtime.sensors.video import video_frames
from tests.runtime.sensors.drawn import HEADER, shade_of


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Three seconds at 20 frames a second; each frame four grey levels lighter than the one before."""
    path = tmp_path / "flight.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20.0, (64, 48))
    for index in range(60):
        writer.write(np.full((48, 64, 3), 4 * index, np.uint8))
    writer.release()
    rows = [f"{t * 1_000_000},1,{50 + 10 * t},0,-90,{(350 + 20 * t) % 360}" for t in range(4)]
    (tmp_path / "telemetry.csv").write_text(HEADER.replace("image,", "") + "\n".join(rows) + "\n")
    return path


def test_a_video_gives_a_frame_every_so_often_with_telemetry_of_that_time(video: Path) -> None:
    frames = list(video_frames(video, video.with_name("telemetry.csv"), 0.5))
    assert [f.t_us for f in frames] == [500_000 * k for k in range(6)]
    assert [shade_of(f) for f in frames] == pytest.approx([40 * k for k in range(6)], abs=3)
    assert [f.telemetry.alt_agl_m for f in frames] == pytest.approx([50 + 5 * k for k in range(6)])
    assert [f.telemetry.cam_yaw_deg for f in frames] == pytest.approx([350, 0, 10, 20, 30, 40])


def test_every_frame_of_a_video_is_given_when_none_is_to_be_passed_over(video: Path) -> None:
    frames = list(video_frames(video, video.with_name("telemetry.csv"), 0.0))
    assert len(frames) == 60
    assert np.diff([f.t_us for f in frames]).tolist() == [50_000] * 59


def test_what_is_no_video_is_refused(video: Path) -> None:
    video.write_bytes(b"no video")
    with pytest.raises(FlightError, match=r"flight\.avi"):
        next(video_frames(video, video.with_name("telemetry.csv"), 0.5))
