"""What ``[camera] source`` may say, and the source that comes of it."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.cameras.capture import Capture
from runtime.cameras.csi import csi_camera
from runtime.cameras.opening import CameraSpec, open_source, parse_source
from runtime.cameras.options import CameraOptions
from runtime.cameras.recorded import FolderStream, VideoStream
from runtime.cameras.rtsp import RtspStream
from runtime.cameras.source import Shot
from runtime.cameras.v4l2 import V4l2Camera
from runtime.errors import FlightError, SettingsError
from tests.runtime.sensors.drawn import HEADER

OPTIONS = CameraOptions(width_px=1280, height_px=720)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A video of 15 pictures in 1.5 s, each ten grey levels lighter; a folder of 4 in 1.6 s; a flight."""
    writer = cv2.VideoWriter(str(tmp_path / "flight.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for index in range(15):
        writer.write(np.full((48, 64, 3), 10 * index, np.uint8))
    writer.release()
    for name in ("folder", "flight"):
        (tmp_path / name).mkdir()
    (tmp_path / "flight/flight.json").touch()
    rows = []
    for index in range(4):
        cv2.imwrite(str(tmp_path / f"folder/{index}.png"), np.full((8, 8, 3), index, np.uint8))
        rows.append(f"{7_000_000 + index * 200_000 + (index == 3) * 1_200_000},{index}.png,1,50,0,-90,0\n")
    (tmp_path / "folder/2.png").write_text("broken")
    (tmp_path / "folder/telemetry.csv").write_text(HEADER + "".join(rows))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("csi:0", "csi", "csi:0"),
        ("CSI:01", "csi", "csi:1"),
        ("v4l2:/dev/video2", "v4l2", "v4l2:/dev/video2"),
        ("rtsp://pilot:secret@camera:554/main?password=secret", "rtsp", "rtsp://camera:554/main"),
        ("flight.avi", "video", "{base}/flight.avi"),
        ("folder", "folder", "{base}/folder"),
        ("flight", "flight", "{base}/flight"),
    ],
)
def test_a_source_is_what_its_text_says(text: str, kind: str, name: str, base: Path) -> None:
    spec = parse_source(text, base, OPTIONS)
    assert (spec.kind, spec.name, spec.options) == (kind, name.format(base=base), OPTIONS)
    assert spec.is_live == (kind in {"csi", "v4l2", "rtsp"})
    assert "secret" not in f"{spec} {spec!r}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rtps://pilot:secret@camera/main", r"rtps: is unknown; did you mean rtsp:"),
        ("v412:/dev/video0", r"v412: is unknown; did you mean v4l2:"),
        ("http://camera/main", r"http: is unknown; expected csi:0, v4l2"),
        ("csi:left", r"csi:left: expected the camera's number, such as csi:0"),
        ("v4l2:3", r"such as v4l2:/dev/video3"),
        ("/dev/null", r'is a device: write "v4l2:/dev/null"'),
        ("rtsp:camera", r"rtsp://USER:PASSWORD@HOST"),
        ("fligth.avi", r"fligth.avi is missing; .*did you mean flight.avi\?"),
        ("elsewhere/flight.avi", r"elsewhere/flight.avi is missing; expected csi:0"),
    ],
)
def test_what_is_no_source_is_refused_with_what_was_meant(text: str, said: str, base: Path) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        parse_source(text, base)
    assert "secret" not in str(refused.value)


def test_each_kind_has_its_source(base: Path) -> None:
    def source(text: str) -> object:
        return open_source(parse_source(text, base, OPTIONS))

    assert source("csi:1") == csi_camera(1, OPTIONS)
    assert source("v4l2:/dev/video2") == V4l2Camera("/dev/video2", OPTIONS)
    assert source("flight.avi") == VideoStream(base / "flight.avi")
    assert source("folder") == FolderStream(base / "folder")


def test_a_network_camera_keeps_its_password_and_its_options(base: Path) -> None:
    pytest.importorskip("av", reason="the extra rtsp is not installed")
    address = "rtsp://pilot:secret@camera/main"
    source = open_source(parse_source(address, base, CameraOptions(exposure_delay_us=80_000)))
    assert isinstance(source, RtspStream)
    assert (source.url, source.exposure_delay_us) == (address, 80_000)


def flown(spec: CameraSpec, work_s: float) -> list[Shot]:
    """All that a reader gets who works so long on each picture."""
    with Capture(open_source(spec), stall_s=spec.stall_s) as capture:
        shots = []
        while not capture.ended:
            assert capture.health.restarts == 0
            shot = capture.newest(10.0)
            if shot is not None:
                shots.append(shot)
                assert time.monotonic_ns() // 1000 >= shot.exposed_at_us, "before it was taken"
                time.sleep(work_s)
    return shots


def test_a_video_is_flown_on_its_own_clock_and_ends(base: Path) -> None:
    shots = flown(parse_source("flight.avi", base), work_s=0.25)
    times_us = [int(shot.name.removeprefix("flight.avi@")) for shot in shots]
    shades = [int(shot.picture[4, 4, 0]) for shot in shots]
    assert times_us[-1] == 1_400_000
    assert shades == pytest.approx([t_us / 10_000 for t_us in times_us], abs=3)
    assert 2 <= len(shots) <= 8, "what comes too late is left out"
    assert [shot.exposed_at_us - shots[0].exposed_at_us for shot in shots] == [t - times_us[0] for t in times_us]


def test_a_video_that_is_slow_to_decode_is_given_in_part_and_late(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here each picture takes 0.15 s at least, and comes every 0.1 s."""
    clock_us = itertools.count(0, 150_000)
    monkeypatch.setattr("runtime.cameras.recorded.monotonic_us", lambda: next(clock_us))
    source = VideoStream(base / "flight.avi")
    source.open()
    times_us = []
    with pytest.raises(EOFError):
        while (shot := source.read()) is not None:
            times_us.append(shot.exposed_at_us)
    source.close()
    assert times_us[0] == 0
    assert 4 <= len(times_us) < 12
    assert times_us == sorted(times_us)


def test_a_folder_is_flown_on_its_own_clock_and_a_broken_picture_is_an_empty_one(base: Path) -> None:
    """The last one comes later than a camera may."""
    shots = flown(parse_source("folder", base), work_s=0.0)
    assert shots[-1].name == "3.png"
    assert all(shot.picture.size == (0 if shot.name == "2.png" else 192) for shot in shots)
    since_us = [shot.exposed_at_us - shots[0].exposed_at_us for shot in shots]
    due_us = {"0.png": 0, "1.png": 200_000, "2.png": 400_000, "3.png": 1_800_000}
    assert since_us == [due_us[shot.name] - due_us[shots[0].name] for shot in shots]


def test_what_is_no_recording_is_refused_at_the_start(base: Path) -> None:
    (base / "flight.avi").write_bytes(b"no video")
    for text, said in (("flight.avi", "is not a video"), ("flight", "telemetry.csv")):
        with pytest.raises(FlightError, match=said):
            Capture(open_source(parse_source(text, base))).start()
