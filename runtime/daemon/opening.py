"""Everything that a flight needs, opened in order, and said in a line each: map, encoder, camera, telemetry, links."""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.daemon.aircraft import Aircraft
from runtime.daemon.frames import FrameStream, followed, live, monotonic_us, paced, recorded, with_telemetry
from runtime.daemon.keep import FlightIdentity, StateKeeper
from runtime.daemon.settings import CameraSettings, Settings
from runtime.daemon.signals import Signals
from runtime.errors import SettingsError
from runtime.frame import Frame
from runtime.link.fanout import Fanout
from runtime.link.link import Link
from runtime.link.opening import open_link
from runtime.locate.load import open_localizer
from runtime.locate.localizer import Localizer
from runtime.sensors.camera_info import read_camera
from runtime.sensors.capture import Capture
from runtime.sensors.folder import FolderTail, folder_frames
from runtime.sensors.opening import open_source
from runtime.sensors.video import video_frames
from runtime.start import check_start_on_map
from runtime.tiles.cache import TileCache

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenFlight:
    """What a flight is flown with, open."""

    localizer: Localizer
    stream: FrameStream
    fanout: Fanout
    aircraft: Aircraft | None  # None: a recording's own telemetry
    keeper: StateKeeper | None
    bounds_deg: tuple[float, float, float, float]
    """Of the map: west, south, east, north."""


@contextlib.contextmanager
def opened(settings: Settings, signals: Signals, environment: Mapping[str, str]) -> Iterator[OpenFlight]:
    """Open a flight; all of it is closed in the end. Raises SkyfixError for what will not mend itself."""
    with contextlib.ExitStack() as stack:
        cache = TileCache.open(settings.tiles, lazy=True)
        check_start_on_map(settings.start, cache.metadata.bounds_deg, settings.tiles)
        logger.info("map: %s, %d tiles, %s", settings.tiles, cache.metadata.rows, _start_said(settings))
        localizer = open_localizer(
            cache,
            read_camera(settings.camera.calibration),
            bundle=settings.bundle,
            matcher=settings.matcher,
            start=settings.start,
            threads=settings.threads,
        )
        logger.info("encoder: %s", localizer.name)
        aircraft = _aircraft(settings, stack)
        stream = _stream(settings, signals, aircraft, stack)
        stack.callback(stream.frames.close)
        fanout = Fanout(open_links(settings, aircraft), lossless=stream.is_lossless)
        fanout.start()
        stack.callback(fanout.close)
        for state in fanout.states():
            logger.info("link: %s%s", state.name, "" if state.is_open else f", not yet: {state.trouble or 'opening'}")
        keeper = _keeper(settings, cache, environment)
        kept = None if keeper is None else keeper.kept(monotonic_us())
        if kept is not None:
            localizer.restore(kept)
        yield OpenFlight(localizer, stream, fanout, aircraft, keeper, cache.metadata.bounds_deg)


def open_links(settings: Settings, aircraft: Aircraft | None) -> list[Link]:
    """Return the links, not opened yet; raises SettingsError."""
    shared = None if aircraft is None else aircraft.shared_way
    return [open_link(spec, shared=shared) for spec in settings.links]


def _start_said(settings: Settings) -> str:
    if settings.start is None:
        return "a start anywhere on it"
    (lat, lon), radius_m = settings.start
    return f"a start within {radius_m:g} m of {lat:g},{lon:g}"


def _aircraft(settings: Settings, stack: contextlib.ExitStack) -> Aircraft | None:
    if settings.telemetry is None:
        logger.info("telemetry: the recording's own")
        return None
    aircraft = Aircraft(settings.telemetry.source, settings.camera.mount, settings.telemetry.system_id)
    aircraft.start()
    stack.callback(aircraft.stop)
    logger.info("telemetry: %s", settings.telemetry.source)
    return aircraft


def _stream(
    settings: Settings, signals: Signals, aircraft: Aircraft | None, stack: contextlib.ExitStack
) -> FrameStream:
    camera = settings.camera
    logger.info("camera: %s", camera.source.name)
    if camera.source.is_live:
        assert aircraft is not None  # the settings have seen to it
        capture = Capture(open_source(camera.source))
        stack.callback(capture.close)
        capture.start()
        return live(capture, aircraft.at, signals.ended)
    path = Path(camera.source.address)
    if camera.follow:
        stream = followed(FolderTail(path), signals.ended)
    else:
        frames = _recording(camera, path, has_telemetry=aircraft is not None)
        stream = paced(frames, signals.sleep) if camera.realtime else recorded(frames)
    return stream if aircraft is None else with_telemetry(stream, aircraft.at)


def _recording(camera: CameraSettings, path: Path, *, has_telemetry: bool) -> Generator[Frame, None, None]:
    if camera.source.kind != "video":
        return folder_frames(path)
    if camera.telemetry is None:
        raise SettingsError(f"{path} is a video: [camera] telemetry must name its telemetry.csv")
    return video_frames(path, camera.telemetry, camera.every_s)


def _keeper(settings: Settings, cache: TileCache, environment: Mapping[str, str]) -> StateKeeper | None:
    """A live flight is kept unless it says where; a recording only where it says so."""
    usual = None
    if settings.camera.source.is_live or settings.camera.follow:
        folder = environment.get("STATE_DIRECTORY", "")
        usual = Path(folder or settings.file.parent) / "skyfix.state.json"
    path = settings.state or usual
    return None if path is None else StateKeeper(path, FlightIdentity.of(cache))
