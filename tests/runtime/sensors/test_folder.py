"""Frames from a folder, a growing folder and a video, and the clock that they keep."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import FlightError
from runtime.geo.camera import Camera
from runtime.locate.ground_view import unusable
from runtime.sensors.folder import FolderTail, folder_frames, follow_folder
from tests.runtime.sensors.drawn import HEADER, shade_of


def add_frame(folder: Path, index: int, shade: int) -> None:
    """A picture first, then its line, as a writer on board does."""
    cv2.imwrite(str(folder / f"{index}.png"), np.full((8, 8, 3), shade, np.uint8))
    with (folder / "telemetry.csv").open("a") as file:
        file.write(f"{index * 1_000_000},{index}.png,1,50,0,-90,0\n")


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
    frames = follow_folder(FolderTail(tmp_path), done.is_set)
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
        ('2000000,"' + "2" * 200_000, None, None),  # a cell without end
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
    frames = follow_folder(FolderTail(tmp_path), done.is_set)
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
    cv2.imwrite(str(tmp_path / "2.png"), np.full((8, 8, 3), 99, np.uint8))
    tail = FolderTail(tmp_path)
    first = tail.newest()
    assert first is not None
    assert shade_of(first) == 11
    assert tail.newest() is None
    with (tmp_path / "telemetry.csv").open("a") as file:
        file.write("0,0,-90,0\n")
    second = tail.newest()
    assert second is not None
    assert shade_of(second) == 99
    assert tail.newest() is None


def test_a_table_that_cannot_be_read_for_a_while_is_told_once_and_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table, away = tmp_path / "telemetry.csv", tmp_path / "away.csv"
    table.write_text(HEADER)
    add_frame(tmp_path, 1, 11)
    tail = FolderTail(tmp_path)
    assert tail.newest() is not None
    table.rename(away)
    table.mkdir()  # whoever opens it gets an OSError
    assert (tail.newest(), tail.newest()) == (None, None)
    table.rmdir()
    away.rename(table)
    add_frame(tmp_path, 2, 22)
    frame = tail.newest()
    assert frame is not None
    assert shade_of(frame) == 22
    assert [record.getMessage() for record in caplog.records] == [
        f"{table}: Is a directory; it is looked for again and again"
    ]


def test_rows_that_were_overtaken_are_counted_and_a_new_table_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / "telemetry.csv").write_text(HEADER)
    tail = FolderTail(tmp_path)
    for index in range(5):
        add_frame(tmp_path, index, 10 * index)
    frame = tail.newest()
    assert frame is not None
    assert (shade_of(frame), tail.passed_over) == (40, 4)
    (tmp_path / "telemetry.csv").write_text(HEADER)
    assert tail.newest() is None
    add_frame(tmp_path, 7, 77)
    frame = tail.newest()
    assert frame is not None
    assert (shade_of(frame), tail.passed_over) == (77, 4)


def test_a_broken_picture_is_a_frame_without_pixels_and_a_verdict(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    (tmp_path / "telemetry.csv").write_text(
        "t_us,image,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg\n0,broken.jpg,90,0,-90,0\n1,gone.jpg,90,0,-90,0\n"
    )
    camera = Camera(640, 360, np.diag([500.0, 500.0, 1.0]), np.zeros(5))
    frames = list(folder_frames(tmp_path))
    assert [unusable(frame, camera) for frame in frames] == ["unreadable_picture"] * 2


def test_a_table_that_cannot_be_read_is_told_before_anything_else_is_opened(tmp_path: Path) -> None:
    with pytest.raises(FlightError, match=r"telemetry\.csv is missing"):
        folder_frames(tmp_path)
