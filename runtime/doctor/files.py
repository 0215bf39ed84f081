"""Checks of the files that a ``skyfix.toml`` names, as the daemon would open them, but whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from runtime.daemon.settings import Settings
from runtime.doctor.finding import Finding
from runtime.errors import SettingsError, SkyfixError
from runtime.locate.load import open_localizer
from runtime.model.load import open_engine
from runtime.pictures import read_picture
from runtime.sensors.camera_info import read_camera
from runtime.sensors.telemetry import newest_row, read_telemetry
from runtime.start import check_start_on_map
from runtime.tiles.cache import TileCache


def check_files(config: Path) -> Iterator[Finding]:
    """Yield a finding for each thing that a configuration names; the first is the configuration itself.

    Hashes of cache and map are checked whole, which the daemon does piece by piece in flight.
    """
    settings: list[Settings] = []

    def read_settings() -> str:
        settings.append(Settings.read(config))
        return f"{config} is a configuration"

    yield _checked("settings", read_settings)
    if settings:
        yield _checked("map", lambda: _map(settings[0]))
        yield _checked("encoder", lambda: _encoder(settings[0]))
        yield _checked("camera", lambda: _camera(settings[0]))
        yield _checked("source", lambda: _source(settings[0]))
        yield _checked("start", lambda: _start(settings[0]))


def _checked(check: str, look: Callable[[], str]) -> Finding:
    """Look, and turn what is wrong into a finding."""
    try:
        return Finding(check, True, look())
    except SkyfixError as error:
        return Finding(check, False, " ".join(str(error).split()))
    except OSError as error:
        return Finding(check, False, f"{error.filename or 'a file'}: {error.strerror or error}")


def _map(settings: Settings) -> str:
    cache = TileCache.open(settings.tiles)
    cache.open_imagery().close()
    placed_m = cache.accuracy_ce90_m
    return f"{settings.tiles}: {cache.metadata.rows} tiles, all hashes good, placed to {placed_m:g} m (CE90)"


def _encoder(settings: Settings) -> str:
    """Open encoder and local features together, as the daemon does."""
    cache = TileCache.open(settings.tiles, lazy=True)
    open_localizer(
        cache,
        read_camera(settings.calibration),
        bundle=settings.bundle,
        matcher=settings.matcher,
        start=None,
        threads=settings.threads,
    )
    return open_engine(settings.bundle, cache.metadata.encoder.precision, settings.threads).name


def _camera(settings: Settings) -> str:
    camera = read_camera(settings.calibration)
    focal_px = float(camera.matrix[0, 0])
    return f"{settings.calibration}: {camera.width_px} x {camera.height_px} pixels, focal length {focal_px:.0f} pixels"


def _source(settings: Settings) -> str:
    """Look at the first picture, where there is one, and at the telemetry."""
    source = settings.source
    if source.is_file():
        if settings.telemetry is None:
            raise SettingsError(f"{source} is a video: [camera] telemetry must name its telemetry.csv")
        rows, _ = read_telemetry(settings.telemetry, needs_images=False)
        return f"{source}: a video, {len(rows)} rows of telemetry"
    if not source.is_dir():
        raise SettingsError(f"[camera] source {source} is missing; expected a folder of frames or a video file")
    table = source / "telemetry.csv"
    if settings.follow and not table.is_file():
        return f"{source}: a folder that has no telemetry.csv yet"
    row = newest_row(table)
    if row is None:
        raise SettingsError(f"{table} has no row with a time; expected one a picture")
    height, width = read_picture(row[1]).shape[:2]
    camera = read_camera(settings.calibration)
    if not camera.takes(width, height):
        raise SettingsError(
            f"{row[1]} is {width} x {height} pixels, and {settings.calibration} is of {camera.width_px} x "
            f"{camera.height_px}: give the calibration of this camera (python -m calib.camera)"
        )
    return f"{source}: pictures of {width} x {height} pixels"


def _start(settings: Settings) -> str:
    cache = TileCache.open(settings.tiles, lazy=True)
    check_start_on_map(settings.start, cache.metadata.bounds_deg, settings.tiles)
    if settings.start is None:
        return "anywhere on the map"
    (lat, lon), radius_m = settings.start
    return f"within {radius_m:g} m of {lat:g},{lon:g}, on the map"
