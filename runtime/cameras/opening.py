"""``[camera] source`` of ``skyfix.toml``: what it names, and the source that reads it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from runtime.cameras.options import CameraOptions
from runtime.cameras.rtsp import rtsp_name
from runtime.cameras.source import Source
from runtime.errors import SettingsError

CameraKind: TypeAlias = Literal["csi", "v4l2", "rtsp", "video", "folder", "flight"]

_SCHEMES = ("csi", "v4l2", "rtsp")
_EXPECTED = "csi:0, v4l2:/dev/video0, rtsp://HOST/PATH, a video file, a folder of pictures or a recorded flight"


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera or a recording that is to be flown with."""

    kind: CameraKind
    address: str = field(repr=False)  # a number, a device, an address with its password, or a path
    options: CameraOptions = field(default_factory=CameraOptions)

    def __post_init__(self) -> None:
        assert self.kind in get_args(CameraKind)

    @property
    def name(self) -> str:
        """Say what it is, for people; never with a password."""
        if self.kind == "rtsp":
            return rtsp_name(self.address)
        return f"{self.kind}:{self.address}" if self.is_live else self.address

    @property
    def is_live(self) -> bool:
        """Whether it is a camera, and no recording."""
        return self.kind in _SCHEMES

    @property
    def stall_s(self) -> float:
        """For how long it may be silent, seconds: a recording for as long as its pictures lie apart."""
        return 1.0 if self.is_live else math.inf

    def __str__(self) -> str:
        return self.name


def parse_source(text: str, base: Path, options: CameraOptions | None = None) -> CameraSpec:
    """Read what ``[camera] source`` says; paths in it are relative to ``base``.

    Raises SettingsError for a kind of camera that is unknown, an address that is none, and a path where nothing is.
    """
    options = options or CameraOptions()
    scheme, separator, rest = text.partition(":")
    if separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) and not (base / text).exists():
        return _parse_camera(scheme.lower(), rest, text, options)
    path = base / text
    if path.is_char_device():
        raise SettingsError(f'[camera] source {text} is a device: write "v4l2:{text}"')
    if path.is_file():
        return CameraSpec("video", str(path), options)
    if path.is_dir():
        return CameraSpec("flight" if (path / "flight.json").is_file() else "folder", str(path), options)
    raise SettingsError(f"[camera] source {path} is missing; expected {_EXPECTED}{_nearest_file(path)}")


def open_source(spec: CameraSpec) -> Source:
    """Return the source that reads it, not opened yet; it is for :class:`runtime.cameras.capture.Capture`.

    Raises MissingPackageError for a network camera that nothing here can read.
    """
    # Loaded here: who flies with one kind of camera needs not the packages of another.
    if spec.kind == "csi":
        from runtime.cameras.csi import csi_camera

        return csi_camera(int(spec.address), spec.options)
    if spec.kind == "v4l2":
        from runtime.cameras.v4l2 import V4l2Camera

        return V4l2Camera(spec.address, spec.options)
    if spec.kind == "rtsp":
        from runtime.cameras.rtsp import rtsp_camera

        return rtsp_camera(spec.address, spec.options)
    from runtime.cameras.recorded import FolderStream, VideoStream

    return VideoStream(Path(spec.address)) if spec.kind == "video" else FolderStream(Path(spec.address))


def _parse_camera(scheme: str, rest: str, text: str, options: CameraOptions) -> CameraSpec:
    if scheme == "csi":
        if not re.fullmatch(r"[0-9]{1,2}", rest):
            raise SettingsError(f"[camera] source {text}: expected the camera's number, such as csi:0")
        return CameraSpec("csi", str(int(rest)), options)
    if scheme == "v4l2":
        if not rest.startswith("/dev/"):
            number = rest if rest.isdigit() else "0"
            raise SettingsError(f"[camera] source {text}: expected a device, such as v4l2:/dev/video{number}")
        return CameraSpec("v4l2", rest, options)
    if scheme == "rtsp":
        address = f"rtsp:{rest}"
        rtsp_name(address)
        return CameraSpec("rtsp", address, options)
    near = get_close_matches(scheme, _SCHEMES, n=1)
    meant = f"; did you mean {near[0]}:" if near else ""
    # The rest is not repeated: it may hold a password.
    raise SettingsError(f"[camera] source {scheme}: is unknown{meant}; expected {_EXPECTED}")


def _nearest_file(path: Path) -> str:
    others = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    near = get_close_matches(path.name, others, n=1)
    return f"; did you mean {near[0]}?" if near else ""
