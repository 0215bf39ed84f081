"""Checks of the files that a ``skyfix.toml`` names, as the daemon would open them, but whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from runtime.cameras.opening import open_source
from runtime.daemon.opening import recording
from runtime.daemon.settings import Settings
from runtime.doctor.finding import Finding, look, not_checked
from runtime.errors import SettingsError
from runtime.geo.camera import Camera
from runtime.link.opening import open_link
from runtime.locate.load import open_features
from runtime.model.load import open_engine
from runtime.pictures import read_picture
from runtime.sensors.camera_info import read_camera
from runtime.sensors.telemetry import newest_row, read_telemetry
from runtime.start import check_start_on_map
from runtime.tiles.cache import TileCache
from runtime.types import Picture
from runtime.ways.way import Way


def check_files(config: Path) -> Iterator[Finding]:
    """Yield a finding for each thing that a configuration names; the first is the configuration itself.

    What needs another thing, which is wrong, is not checked: one fault is said once.
    """
    settings, finding = look("settings", lambda: (Settings.read(config), f"{config} is a configuration"))
    yield finding
    if settings is None:
        return
    cache, finding = look("map", lambda: _map(settings))
    yield finding
    if cache is None:
        yield from (not_checked(check, "map") for check in ("hashes", "encoder", "start"))
    else:
        yield look("hashes", lambda: _hashes(settings))[1]
        yield look("encoder", lambda: _encoder(settings, cache))[1]
        yield look("start", lambda: _start(settings, cache))[1]
    yield look("features", lambda: _features(settings))[1]
    camera, finding = look("camera", lambda: _camera(settings))
    yield finding
    yield look("source", lambda: _source(settings, camera))[1]
    yield look("links", lambda: _links(settings))[1]


def _map(settings: Settings) -> tuple[TileCache, str]:
    cache = TileCache.open(settings.tiles, lazy=True)
    cache.open_imagery().close()
    return cache, f"{settings.tiles}: {cache.metadata.rows} tiles, placed to {cache.accuracy_ce90_m:g} m (CE90)"


def _hashes(settings: Settings) -> tuple[None, str]:
    """Check all hashes of cache and map, which the daemon does piece by piece in flight."""
    cache = TileCache.open(settings.tiles)
    cache.open_imagery().close()
    return None, f"all of {cache.path.name} and {cache.imagery_path.name} is as it was built"


def _encoder(settings: Settings, cache: TileCache) -> tuple[None, str]:
    engine = open_engine(settings.bundle, cache.metadata.encoder.precision, settings.threads)
    cache.check_engine(engine)
    return None, engine.name


def _start(settings: Settings, cache: TileCache) -> tuple[None, str]:
    check_start_on_map(settings.start, cache.metadata.bounds_deg, settings.tiles)
    if settings.start is None:
        return None, "anywhere on the map"
    (lat, lon), radius_m = settings.start
    return None, f"within {radius_m:g} m of {lat:g},{lon:g}, on the map"


def _features(settings: Settings) -> tuple[None, str]:
    features = open_features(settings.bundle, settings.matcher, settings.threads)
    return None, "none: fixes come from retrieval alone, to tens of metres" if features is None else features.name


def _camera(settings: Settings) -> tuple[Camera, str]:
    camera = read_camera(settings.camera.calibration)
    size = f"{camera.width_px} x {camera.height_px} pixels"
    return camera, f"{settings.camera.calibration}: {size}, focal length {camera.matrix[0, 0]:.0f} pixels"


def _source(settings: Settings, camera: Camera | None) -> tuple[None, str]:
    """Read all the telemetry there is and one picture, which must be of the camera's shape; a camera is not opened."""
    source = settings.camera.source
    if source.is_live:
        open_source(source)
        return None, f"{source.name}: a camera; python -m runtime.daemon --check takes a picture"
    path = Path(source.address)
    table = path / "telemetry.csv"
    if source.kind == "video":
        picture, name = _first_of_video(settings, path), str(path)
    elif settings.camera.follow and not table.is_file():
        return None, f"{path}: a folder that has no telemetry.csv yet"
    else:
        newest = _newest_picture(table) if settings.camera.follow else read_telemetry(table)[1][0]
        picture, name = read_picture(newest), str(newest)
    height, width = picture.shape[:2]
    if camera is not None and not camera.takes(width, height):
        raise SettingsError(
            f"{name} is {width} x {height} pixels, and {settings.camera.calibration} is of {camera.width_px} x "
            f"{camera.height_px}: give the calibration of this camera (python -m calib.camera)"
        )
    return None, f"{path}: pictures of {width} x {height} pixels"


def _first_of_video(settings: Settings, video: Path) -> Picture:
    with contextlib.closing(recording(settings.camera, video)) as coming:
        for one in coming:
            return one.read().picture
    raise SettingsError(f"{video} is a video without a frame that can be read")


def _newest_picture(table: Path) -> Path:
    row = newest_row(table)
    if row is None:
        raise SettingsError(f"{table} has no row with a time; expected one a picture")
    return row[1]


def _links(settings: Settings) -> tuple[None, str]:
    """Tell where fixes go; a file is not touched, and no port opened, before the flight."""
    for path in settings.writes_to():
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise SettingsError(f"[[link]] path {path} cannot be written: expected a file in a folder that takes one")
    shared = None if settings.telemetry is None else _no_way
    return None, ", ".join(open_link(spec, shared).name for spec in settings.links)


def _no_way() -> Way:
    raise OSError("nothing is opened before the flight")
