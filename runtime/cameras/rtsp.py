"""Network cameras: by GStreamer where OpenCV has it, for a Jetson decodes in hardware, else by FFmpeg through PyAV."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from runtime.cameras.gstreamer import APPSINK, GstreamerSource
from runtime.cameras.opencv import has_gstreamer
from runtime.cameras.options import CameraOptions
from runtime.cameras.source import Shot, Source
from runtime.clock import monotonic_us
from runtime.errors import MissingPackageError, SettingsError

_ANSWER_S = 1.0  # a server that is silent for longer is gone
_OPEN_S = 8.0  # whole, with the wait for a key picture
_FFMPEG_OPTIONS = {
    "rtsp_transport": "tcp",  # a lost packet smears a picture until the next key picture
    "timeout": str(round(_ANSWER_S * 1e6)),  # of the socket, microseconds
    "fflags": "nobuffer",
    "flags": "low_delay",
    "max_delay": "0",
    "analyzeduration": "500000",  # microseconds of stream that may be looked at before the first picture
}


def rtsp_name(url: str) -> str:
    """Return an address for people: without user, password, and the query that some cameras want them in.

    Raises SettingsError, in words that do not repeat it, for an address that is none.
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2] if parts.hostname and parts.port != 0 else ""
    except ValueError:  # of the port
        host = ""
    if not host or "@" in parts.path + parts.query + parts.fragment:
        raise SettingsError(
            "the RTSP address of the camera cannot be read; expected rtsp://USER:PASSWORD@HOST:554/PATH with "
            "/ @ : # ? in a password written as %2F %40 %3A %23 %3F"
        )
    return f"rtsp://{host}{parts.path}"


def rtsp_pipeline(url: str, *, jetson: bool) -> str:
    """Build the pipeline of a network camera, for OpenCV."""
    quoted = url.replace("\\", "\\\\").replace('"', '\\"')
    timeout_us = round(_ANSWER_S * 1e6)
    to_memory = "nvvidconv ! video/x-raw,format=BGRx ! " if jetson else ""  # its decoder's pictures lie elsewhere
    return (
        f'rtspsrc location="{quoted}" latency=0 protocols=tcp timeout={timeout_us} tcp-timeout={timeout_us} '
        f"! decodebin ! {to_memory}videoconvert ! {APPSINK}"
    )


def rtsp_camera(url: str, options: CameraOptions) -> Source:
    """Return a network camera, not opened yet; raises MissingPackageError where nothing here can read one."""
    name = rtsp_name(url)
    if has_gstreamer():
        pipeline = rtsp_pipeline(url, jetson="tegra" in platform.release())
        return GstreamerSource(name, pipeline, options.exposure_delay_us, "does the camera answer, and to this path?")
    if importlib.util.find_spec("av") is None:
        raise MissingPackageError("av", "rtsp")
    return RtspStream(name, url, options.exposure_delay_us)


@dataclass
class RtspStream:
    """H.264 or H.265 by FFmpeg, stamped when it is decoded."""

    name: str
    url: str = field(repr=False)  # with the password
    exposure_delay_us: int = 0
    _container: Any = field(default=None, init=False, repr=False)
    _frames: Iterator[Any] | None = field(default=None, init=False, repr=False)

    def open(self) -> None:
        """Connect; raises OSError where nobody answers, SettingsError for a wrong password or no picture in it."""
        import av  # an optional package: only for cameras on a network without GStreamer

        try:
            self._container = av.open(self.url, options=_FFMPEG_OPTIONS, timeout=(_OPEN_S, _ANSWER_S))
        except av.HTTPUnauthorizedError:
            raise SettingsError(f"{self.name} refuses the user or the password in [camera] source") from None
        except av.FFmpegError as error:  # its own text holds the address, and so the password
            raise OSError(f"does not answer as an RTSP server ({error.strerror})") from None
        if not self._container.streams.video:
            raise SettingsError(f"{self.name} has no video in it; expected H.264 or H.265")
        stream = self._container.streams.video[0]
        stream.codec_context.thread_type = "SLICE"  # threads a frame each would keep pictures back
        self._frames = self._container.decode(stream)

    def read(self) -> Shot | None:
        import av

        if self._frames is None:
            return None
        try:
            frame = next(self._frames, None)
        except av.FFmpegError:  # a camera has no end: whatever ends it, it is opened anew
            return None
        if frame is None:
            return None
        arrived_us = monotonic_us()
        picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        return Shot(picture, arrived_us - self.exposure_delay_us)

    def close(self) -> None:
        self._frames = None
        if self._container is not None:
            self._container.close()
            self._container = None
