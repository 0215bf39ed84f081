"""``skyfix.toml``: what the daemon flies with. Paths in it are relative to the file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from runtime.aircraft.gimbal import Mount
from runtime.cameras.opening import CameraSpec, parse_source
from runtime.cameras.options import CameraOptions
from runtime.daemon.toml_table import TomlTable
from runtime.errors import SettingsError
from runtime.link.opening import LinkSpec
from runtime.start import Start, checked_start


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """``[camera]``: where pictures come from."""

    source: CameraSpec
    calibration: Path
    telemetry: Path | None  # of a video
    follow: bool
    realtime: bool
    every_s: float
    mount: Mount | None  # None: a gimbal tells


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """``[telemetry]``: who tells what the aircraft knows."""

    source: str
    system_id: int | None  # None: the first autopilot that is heard


@dataclass(frozen=True, slots=True)
class Settings:
    """A checked ``skyfix.toml``."""

    file: Path
    tiles: Path
    camera: CameraSettings
    telemetry: TelemetrySettings | None  # None: the recording's own
    bundle: Path | None
    matcher: Path | None
    threads: int
    start: Start | None
    gnss_before_take_off: bool
    """Whether a flight begins where the autopilot's GNSS says that the vehicle leaves the ground."""
    links: tuple[LinkSpec, ...]
    state: Path | None
    """Where the flight's state is kept; None: the usual place of a live flight."""

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read and check the file; raises SettingsError naming a key that is missing, misspelt or of the wrong kind."""
        table = TomlTable.read(path, "print an example with python -m runtime.daemon --example")
        map_, model, state, start = (table.part(name) for name in ("map", "model", "state", "start"))
        settings = cls(
            file=path,
            tiles=map_.path("tiles"),
            camera=_camera(table.part("camera"), path),
            telemetry=_telemetry(table.part("telemetry")),
            bundle=model.path_or_none("bundle"),
            matcher=model.path_or_none("matcher"),
            threads=model.whole("threads", 0, 0, 1024),
            start=_start(start),
            gnss_before_take_off=start.value("gnss_before_take_off", bool, False),
            links=tuple(_link(part, path) for part in table.parts("link")) or (_STDOUT,),
            state=state.path_or_none("file"),
        )
        table.refuse_unknown()
        settings._check(path)
        return settings

    def writes_to(self) -> list[Path]:
        """Return the files that a flight writes, but for a state that lies where it usually does."""
        paths = [spec.path.removeprefix("unix:") for spec in self.links if spec.path not in (None, "-")]
        return [*(Path(path) for path in paths), *([] if self.state is None else [self.state])]

    def check_files(self) -> None:
        """Raise SettingsError for the first file that a flight reads and that is missing, with its key."""
        camera = self.camera
        read = [
            ("[map] tiles", self.tiles, f"build it: python -m runtime.tiles build --imagery MAP --out {self.tiles}"),
            ("[camera] calibration", camera.calibration, "a flight needs its camera (ROS camera_info YAML)"),
            ("[camera] telemetry", camera.telemetry if camera.source.kind == "video" else None, "a video needs one"),
            ("[model] bundle", self.bundle, "leave it out for the encoder that ships"),
            ("[model] matcher", self.matcher, "leave it out for the bundle's own local features"),
        ]
        for key, path, mend in read:
            if path is not None and not path.exists():
                raise SettingsError(f"{self.file}: {key} is {path}, which is missing; {mend}")

    def _check(self, path: Path) -> None:
        camera = self.camera
        if camera.follow and camera.realtime:
            raise SettingsError(f"{path}: [camera] follow and realtime are two ways to keep time; choose one")
        if self.gnss_before_take_off and self.telemetry is None:
            raise SettingsError(f"{path}: [start] gnss_before_take_off is true; expected [telemetry], which tells it")
        if self.gnss_before_take_off and self.start is not None:
            raise SettingsError(f"{path}: [start] has lat and gnss_before_take_off; expected one of the two")
        if camera.source.is_live and self.telemetry is None:
            raise SettingsError(
                f"{path}: [camera] source {camera.source.name} is live and [telemetry] is missing: say who tells "
                'attitude and altitude, source = "mavlink:udpin:127.0.0.1:14550"'
            )


_STDOUT = LinkSpec("jsonl", path="-")
_MOUNT_KEYS = ("mount_roll_deg", "mount_pitch_deg", "mount_yaw_deg")


def _camera(table: TomlTable, file: Path) -> CameraSettings:
    mount = Mount(
        table.number("mount_roll_deg", 0.0, -180.0, 180.0),
        table.number("mount_pitch_deg", -90.0, -180.0, 180.0),
        table.number("mount_yaw_deg", 0.0, -360.0, 360.0),
    )
    sensor_mode = table.whole("sensor_mode", -1, -1, 100)
    options = CameraOptions(
        width_px=table.whole("width_px", 0, 0, 20_000),
        height_px=table.whole("height_px", 0, 0, 20_000),
        fps=table.number("fps", 0.0, 0.0, 1_000.0),
        sensor_mode=None if sensor_mode < 0 else sensor_mode,
        exposure_delay_us=round(table.number("exposure_delay_ms", 0.0, 0.0, 5_000.0) * 1e3),
    )
    return CameraSettings(
        source=parse_source(table.text("source"), file.parent, options),
        calibration=table.path("calibration"),
        telemetry=table.path_or_none("telemetry"),
        follow=table.value("follow", bool, False),
        realtime=table.value("realtime", bool, False),
        every_s=table.number("every_s", 0.5, 0.0, 3_600.0),
        mount=mount if table.has(*_MOUNT_KEYS) else None,
    )


def _telemetry(table: TomlTable) -> TelemetrySettings | None:
    if not table.written:
        return None
    return TelemetrySettings(table.text("source"), table.whole("system_id", 0, 0, 255) or None)


def _start(table: TomlTable) -> Start | None:
    keys = "lat", "lon", "radius_m"
    lat, lon, radius_m = (table.number(key, math.nan) for key in keys)
    if not table.has(*keys):
        return None
    table.require(*keys)
    return checked_start(lat, lon, radius_m, "[start]")


def _link(table: TomlTable, file: Path) -> LinkSpec:
    """``system_id`` and ``component_id`` are ours; paths are relative to the file."""
    kind, url = table.text("kind"), table.value("url", str, None)
    path, messages = _link_path(table.value("path", str, None), file), table.texts("messages", ())
    system_id, component_id = table.whole("system_id", 1, 1, 255), table.whole("component_id", 197, 1, 255)
    sensor_id, signing_key = table.whole("sensor_id", 1, 1, 255), table.path_or_none("signing_key")
    to_ardupilot = table.value("global_position_to_ardupilot", bool, False)
    table.refuse_unknown()  # before the spec misses a key that is only misspelt
    return LinkSpec(kind, url, path, messages, system_id, component_id, sensor_id, signing_key, to_ardupilot)


def _link_path(path: str | None, file: Path) -> str | None:
    if path is None or path == "-":
        return path
    scheme = "unix:" if path.startswith("unix:") else ""
    return f"{scheme}{file.parent / path.removeprefix(scheme)}"
