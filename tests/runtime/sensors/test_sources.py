"""Frames from a folder, a growing folder and a video, and the clock that they keep."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import FlightError
from runtime.frame import Frame, Telemetry
from runtime.geo.camera import Camera
from runtime.locate.ground_view import unusable
from runtime.sensors.folder import folder_frames, follow_folder
from runtime.sensors.pace import keep_time
from runtime.sensors.telemetry import telemetry_at
from runtime.sensors.video import video_frames

HEADER = "t_us,image,session,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg\n"


def add_frame(folder: Path, index: int, shade: int) -> None:
    """A picture first, then its line, as a writer on board does."""
    cv2.imwrite(str(folder / f"{index}.png"), np.full((8, 8, 3), shade, np.uint8))
    with (folder / "telemetry.csv").open("a") as file:
        file.write(f"{index * 1_000_000},{index}.png,1,50,0,-90,0\n")


def shade_of(frame: Frame) -> int:
    return int(frame.picture[4, 4, 0])


def test_a_folder_gives_its_pictures_in_order(tmp_path: Path) -> None:
    (tmp_path / "telemetry.csv").write_text(HEADER)
    for index in range(3):
        add_frame(tmp_path, index, 40 * index)
    frames = list(folder_frames(tmp_path))
    assert [(f.t_us, shade_of(f), f.name) for f in frames] == [
        (0, 0, "0.png"),
        (1_000_000, 40, "1.png"),
        (2_000_000, 80, "2.png"),
    ]


def test_a_picture_is_rgb_and_not_turned_by_its_metadata(small_world: Path) -> None:
    frame = next(folder_frames(small_world / "flight"))
    stored = cv2.imread(str(small_world / "flight/frames/0000.jpg"))
    assert stored is not None
    assert (frame.picture == stored[..., ::-1]).all()


def test_a_growing_folder_gives_the_newest_picture_alone_and_ends_when_asked(tmp_path: Path) -> None:
    """Before the first row there may be no table, or its header alone."""
    done = threading.Event()
    frames = follow_folder(tmp_path, done.is_set)
    got: list[int] = []

    def write() -> None:
        time.sleep(0.12)
        (tmp_path / "telemetry.csv").write_text(HEADER)
        time.sleep(0.12)
        add_frame(tmp_path, 1, 11)

    writer = threading.Thread(target=write)
    writer.start()
    got.append(shade_of(next(frames)))
    writer.join()
    for index in (2, 3, 4):
        add_frame(tmp_path, index, 20 + index)
    got.append(shade_of(next(frames)))
    done.set()
    assert list(frames) == []
    assert got == [11, 24]


@pytest.mark.parametrize(
    ("line", "t_us", "reason"),
    [
        ("2000000,2.png,1,nan,0,-90,0", 2_000_000, "no_altitude"),
        ("2000000,2.png,1,5e9,0,-90,0", 2_000_000, "no_altitude"),
        ("2000000,2.png,1,50,0,level,0", 2_000_000, "no_pitch"),
        ("2000000,2.png,1,50", 2_000_000, "no_pitch"),
        ("2000000,2.png,1,50,0,-90,0,spare", 2_000_000, None),
        ("2000000,none.png,1,50,0,-90,0", 2_000_000, "unreadable_picture"),
        ("500000,2.png,1,50,0,-90,0", 500_000, None),  # the localizer refuses a time that runs backwards
        (",2.png,1,50,0,-90,0", None, None),
        ("", None, None),
    ],
)
def test_a_bad_line_in_flight_is_a_frame_with_what_can_be_read_of_it_and_the_next_one_comes(
    line: str, t_us: int | None, reason: str | None, tmp_path: Path
) -> None:
    done = threading.Event()
    (tmp_path / "telemetry.csv").write_text(HEADER)
    add_frame(tmp_path, 1, 11)
    picture = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "2.png"), cv2.resize(picture, (80, 80), interpolation=cv2.INTER_NEAREST))
    frames = follow_folder(tmp_path, done.is_set)
    assert next(frames).t_us == 1_000_000
    with (tmp_path / "telemetry.csv").open("a") as file:
        file.write(line + "\n")
    if t_us is not None:
        frame = next(frames)
        assert frame.t_us == t_us
        assert unusable(frame, Camera(80, 80, np.diag([80.0, 80.0, 1.0]), np.zeros(5))) == reason
    add_frame(tmp_path, 3, 33)
    assert next(frames).t_us == 3_000_000
    done.set()


def test_a_line_that_is_half_written_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "telemetry.csv").write_text(HEADER)
    add_frame(tmp_path, 1, 11)
    with (tmp_path / "telemetry.csv").open("a") as file:
        file.write("2000000,2.png,1,5")
    asked: list[bool] = []

    def stopped() -> bool:
        asked.append(True)
        return len(asked) > 4

    assert list(follow_folder(tmp_path, stopped)) == []
    with (tmp_path / "telemetry.csv").open("a") as file:
        file.write("0,0,-90,0\n")
    cv2.imwrite(str(tmp_path / "2.png"), np.full((8, 8, 3), 99, np.uint8))
    assert shade_of(next(follow_folder(tmp_path, lambda: False))) == 99


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


def row(t_s: float, yaw_deg: float = 0.0, **more: float) -> Telemetry:
    return Telemetry(round(t_s * 1e6), more.get("alt", 50.0), 0.0, -90.0, yaw_deg)


@pytest.mark.parametrize(
    ("t_s", "yaw_deg"), [(10.0, 350.0), (10.5, 355.0), (11.5, 5.0), (12.0, 10.0), (13.9, 10.0), (8.1, 350.0)]
)
def test_telemetry_between_rows_turns_the_short_way_and_holds_a_little_beyond(t_s: float, yaw_deg: float) -> None:
    rows = [row(10.0, 350.0), row(12.0, 10.0)]
    found = telemetry_at(rows, [r.t_us for r in rows], round(t_s * 1e6))
    assert found.cam_yaw_deg == pytest.approx(yaw_deg)
    assert found.t_us == round(t_s * 1e6)


@pytest.mark.parametrize("t_s", [7.0, 15.0, 25.0, 43.0])
def test_telemetry_far_from_any_row_is_unknown(t_s: float) -> None:
    rows = [row(10.0), row(40.0)]
    found = telemetry_at(rows, [r.t_us for r in rows], round(t_s * 1e6))
    assert math.isnan(found.alt_agl_m)
    assert math.isnan(found.cam_yaw_deg)


def test_one_row_is_enough_and_an_unknown_cell_stays_unknown() -> None:
    assert telemetry_at([row(1.0)], [1_000_000], 1_500_000).alt_agl_m == 50.0
    rows = [row(1.0, alt=math.nan), row(2.0)]
    assert math.isnan(telemetry_at(rows, [r.t_us for r in rows], 1_200_000).alt_agl_m)


class Clock:
    """A clock that only moves when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 7_000_000

    def sleep(self, seconds: float) -> None:
        self.now += round(seconds * 1e6)


def flown(work_s: float, count: int = 6, period_s: float = 1.0) -> list[tuple[float, float]]:
    """(exposure, when it was given) in seconds, for a consumer that works so long on each frame."""
    clock = Clock()
    pictures: Iterator[Frame] = (Frame(row(k * period_s), np.zeros((1, 1, 3), np.uint8)) for k in range(count))
    given = []
    for frame in keep_time(pictures, lambda: clock.now, clock.sleep):
        given.append((frame.t_us / 1e6, (clock.now - 7_000_000) / 1e6))
        clock.sleep(work_s)
    return given


def test_a_quick_consumer_gets_every_frame_when_it_is_due() -> None:
    assert flown(work_s=0.2) == [(float(k), float(k)) for k in range(6)]


def test_a_slow_consumer_gets_the_newest_frame_and_never_an_old_one() -> None:
    given = flown(work_s=2.4, count=12)
    assert [exposed for exposed, _ in given] == [0.0, 2.0, 4.0, 7.0, 9.0, 11.0]
    assert all(0 <= at - exposed <= 1.0 for exposed, at in given)


@pytest.mark.parametrize("count", [0, 1])
def test_an_empty_and_a_short_recording_end(count: int) -> None:
    assert len(flown(0.1, count)) == count


def test_a_broken_picture_is_a_frame_without_pixels_and_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (tmp_path / "telemetry.csv").write_text(
        "t_us,image,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg\n0,broken.jpg,90,0,-90,0\n1,gone.jpg,90,0,-90,0\n"
    )
    camera = Camera(640, 360, np.diag([500.0, 500.0, 1.0]), np.zeros(5))
    frames = list(folder_frames(tmp_path))
    assert [unusable(frame, camera) for frame in frames] == ["unreadable_picture"] * 2
