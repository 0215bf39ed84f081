"""``skyfix.toml``: what the daemon flies with. Paths in it are relative to the file."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runtime.errors import SettingsError
from runtime.start import Start, checked_start

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXAMPLE = """\
[map]
tiles = "town.tiles"            # from python -m runtime.tiles build

[camera]
source = "frames"               # a folder with telemetry.csv and pictures, or a video file
calibration = "camera.yaml"     # ROS camera_info
# telemetry = "telemetry.csv"   # for a video; a folder has its own
# follow = true                 # wait for new pictures; without it the daemon ends with the source
# realtime = true               # keep to the recording's clock and drop what comes too late, as in flight
# every_s = 0.5                 # of a video: one frame so often

[model]
# bundle = "my.bundle"          # left out: the default encoder
# matcher = "xfeat.bundle"      # left out: the local features that the encoder's bundle brings
# threads = 2                   # left out: one a core

[start]                         # left out: anywhere on the map
# lat = 47.51
# lon = 8.23
# radius_m = 300

[output]
# fixes = "fixes.jsonl"         # left out: standard output
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """A checked ``skyfix.toml``."""

    tiles: Path
    source: Path
    calibration: Path
    telemetry: Path | None
    follow: bool
    realtime: bool
    every_s: float
    bundle: Path | None
    matcher: Path | None
    threads: int
    start: Start | None
    fixes: Path | None

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read and check the file; raises SettingsError naming a key that is missing, misspelt or of the wrong kind."""
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SettingsError(
                f"{path} is missing; print an example with python -m runtime.daemon --example"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not TOML: {error}") from None
        table = _Table(path, tree)
        settings = cls(
            tiles=table.path("map", "tiles"),
            source=table.path("camera", "source"),
            calibration=table.path("camera", "calibration"),
            telemetry=table.path_or_none("camera", "telemetry"),
            follow=table.value("camera", "follow", bool, False),
            realtime=table.value("camera", "realtime", bool, False),
            every_s=table.number("camera", "every_s", 0.5),
            bundle=table.path_or_none("model", "bundle"),
            matcher=table.path_or_none("model", "matcher"),
            threads=table.value("model", "threads", int, 0),
            start=_start(table),
            fixes=table.path_or_none("output", "fixes"),
        )
        table.refuse_unknown()
        if settings.follow and settings.realtime:
            raise SettingsError(f"{path}: [camera] follow and realtime are two ways to keep time; choose one")
        return settings

    def source_kind(self) -> Literal["folder", "video"]:
        """Look at what the source is; raises SettingsError where there is none, or a video without telemetry."""
        if self.source.is_dir():
            return "folder"
        if not self.source.is_file():
            raise SettingsError(
                f"[camera] source {self.source} is missing; expected a folder of frames or a video file"
            )
        if self.telemetry is None:
            raise SettingsError(f"{self.source} is a video: [camera] telemetry must name its telemetry.csv")
        return "video"


class _Table:
    """A TOML tree that remembers which keys were asked for."""

    def __init__(self, file: Path, tree: Mapping[str, Any]) -> None:
        self._file, self._tree = file, tree
        self._asked: set[tuple[str, str]] = set()

    def get(self, section: str, key: str) -> Any:
        self._asked.add((section, key))
        part = self._tree.get(section, {})
        if not isinstance(part, dict):
            raise SettingsError(f"{self._file}: {section} must be a table, [{section}]")
        return part.get(key)

    def value(self, section: str, key: str, kind: type, default: Any) -> Any:
        found = self.get(section, key)
        if found is None:
            return default
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            raise SettingsError(f"{self._file}: [{section}] {key} is {found!r}, expected {kind.__name__}")
        return found

    def number(self, section: str, key: str, default: float) -> float:
        found = self.get(section, key)
        if found is None:
            return default
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
            raise SettingsError(f"{self._file}: [{section}] {key} is {found!r}, expected a number")
        return float(found)

    def path_or_none(self, section: str, key: str) -> Path | None:
        found = self.value(section, key, str, None)
        return None if found is None else self._file.parent / found

    def path(self, section: str, key: str) -> Path:
        found = self.path_or_none(section, key)
        if found is None:
            raise SettingsError(f"{self._file} lacks {key} in [{section}]; see python -m runtime.daemon --example")
        return found

    def refuse_unknown(self) -> None:
        tables = sorted({section for section, _ in self._asked})
        for section, part in self._tree.items():
            if section not in tables:
                raise SettingsError(f"{self._file}: {section} is unknown; known tables: {', '.join(tables)}")
            for key in part:
                if (section, key) not in self._asked:
                    known = ", ".join(sorted(k for s, k in self._asked if s == section))
                    raise SettingsError(f"{self._file}: [{section}] {key} is unknown; known there: {known}")


def _start(table: _Table) -> Start | None:
    lat, lon, radius_m = (table.number("start", key, math.nan) for key in ("lat", "lon", "radius_m"))
    if math.isnan(lat) and math.isnan(lon) and math.isnan(radius_m):
        return None
    return checked_start(lat, lon, radius_m, "[start]")
