"""Network cameras, against a server that streams, falls silent, hangs up and comes back."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.cameras.capture import Capture
from runtime.cameras.opening import open_source, parse_source
from runtime.cameras.options import CameraOptions
from runtime.cameras.rtsp import RtspStream, rtsp_camera, rtsp_name, rtsp_pipeline
from runtime.errors import MissingPackageError, SettingsError
from tests.runtime.cameras.rtsp_server import FPS, RtspServer, number_in, write_clip
from tests.runtime.cameras.test_capture import next_shot, until


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("av", reason="the extra rtsp is not installed")
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", "libx264", seconds=60)


def camera_at(port: int) -> RtspStream:
    return RtspStream("camera", f"rtsp://pilot:secret@127.0.0.1:{port}/main")


def test_pictures_of_a_stream_come_in_order_and_the_newest_one_wins(clip: Path, tmp_path: Path) -> None:
    with RtspServer(clip, tmp_path) as server:
        spec = parse_source(f"rtsp://pilot:secret@127.0.0.1:{server.port}/main", tmp_path)
        with Capture(open_source(spec)) as capture:
            shots = [next_shot(capture) for _ in range(10)]
            time.sleep(1.0)
            shots.append(next_shot(capture))
            assert capture.dropped > 5
    numbers = [number_in(shot.picture) for shot in shots]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] - numbers[-2] > 0.6 * FPS
    by_clock_s = (shots[-1].exposed_at_us - shots[0].exposed_at_us) * 1e-6
    assert by_clock_s == pytest.approx((numbers[-1] - numbers[0]) / FPS, abs=0.4)


def test_a_stream_that_falls_silent_or_breaks_is_told_and_comes_back(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with RtspServer(clip, tmp_path) as server, Capture(camera_at(server.port)) as capture:
        next_shot(capture)
        server.is_silent = True
        until(lambda: capture.health.state in {"stalled", "lost"}, 2.5)
        until(lambda: "it is opened anew" in caplog.text, 2.5)
        server.is_silent = False
        until(lambda: capture.health.state == "streaming", 15.0)
        before = number_in(next_shot(capture).picture)
        server.hang_up()
        until(lambda: capture.health.state == "lost", 2.5)
        until(lambda: "does not answer" in capture.health.text, 15.0)
        capture.newest(0.0)
        assert capture.newest(0.5) is None
        server.listen()
        assert number_in(next_shot(capture).picture) > before
        assert capture.health.restarts >= 2
    assert "secret" not in caplog.text


def test_h265_is_read_too(clip: Path, tmp_path: Path) -> None:
    other = write_clip(tmp_path / "h265.mp4", "libx265", seconds=10)
    with RtspServer(other, tmp_path) as server, Capture(camera_at(server.port)) as capture:
        numbers = [number_in(next_shot(capture).picture) for _ in range(5)]
    assert numbers == sorted(set(numbers))


def test_a_password_is_needed_and_its_lack_told_at_the_start(clip: Path, tmp_path: Path) -> None:
    with RtspServer(clip, tmp_path) as server:
        server.password = "Basic " + base64.b64encode(b"pilot:secret").decode()
        with Capture(camera_at(server.port)) as capture:
            assert next_shot(capture).picture.size
        wrong = RtspStream("camera", f"rtsp://pilot:guess@127.0.0.1:{server.port}/main")
        with pytest.raises(SettingsError, match="refuses the user or the password") as refused:
            Capture(wrong).start()
        assert "guess" not in str(refused.value)


@pytest.mark.parametrize("listens", [False, True])
def test_nobody_who_answers_is_an_error_that_may_mend_itself_and_says_no_password(listens: bool) -> None:
    pytest.importorskip("av", reason="the extra rtsp is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if listens:
            taken.listen()
        began_s = time.monotonic()
        with pytest.raises(OSError, match="does not answer") as refused:
            camera_at(taken.getsockname()[1]).open()
        assert time.monotonic() - began_s < 5.0
    assert "secret" not in f"{refused.value} {refused.value.filename}"


def test_without_a_package_that_reads_streams_the_command_that_brings_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setattr("runtime.cameras.rtsp.has_gstreamer", lambda: False)
    with pytest.raises(MissingPackageError, match=r"pip install 'skyfix\[rtsp\]'"):
        rtsp_camera("rtsp://camera/main", CameraOptions())


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("rtsp://pilot:secret@camera:8554/main?user=pilot&password=secret", "rtsp://camera:8554/main"),
        ("rtsp://camera", "rtsp://camera"),
        ("rtsp://pilot:s%40cret@[fe80::1]:554/a/b", "rtsp://[fe80::1]:554/a/b"),
    ],
)
def test_a_name_for_people_has_no_password(address: str, name: str) -> None:
    assert rtsp_name(address) == name
    assert "cret" not in repr(RtspStream(rtsp_name(address), address))


@pytest.mark.parametrize("address", ["rtsp://pilot:se/cret@camera/main", "rtsp://pilot:12/cret@camera", "rtsp:///main"])
def test_an_address_that_cannot_be_read_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(SettingsError, match="rtsp://USER:PASSWORD@HOST:554/PATH") as refused:
        rtsp_name(address)
    assert "cret" not in str(refused.value)


def test_gstreamer_takes_the_pipeline_of_a_network_camera() -> None:
    """Its server is not there: all else about it is well."""
    launch = shutil.which("gst-launch-1.0")
    if launch is None:
        pytest.skip("gst-launch-1.0 is not installed")
    pipeline = rtsp_pipeline('rtsp://pilot:se"c!ret@127.0.0.1:9/main', jetson=False)
    done = subprocess.run([launch, *pipeline.split()], capture_output=True, text=True, timeout=30, check=False)
    assert "Failed to connect" in done.stdout + done.stderr


def test_the_pipeline_of_a_jetson_brings_pictures_out_of_its_own_memory() -> None:
    pipeline = rtsp_pipeline("rtsp://camera/main", jetson=True)
    assert pipeline == (
        'rtspsrc location="rtsp://camera/main" latency=0 protocols=tcp timeout=1000000 tcp-timeout=1000000 ! decodebin '
        "! nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR "
        "! appsink drop=true max-buffers=1 sync=false"
    )
