"""Everything that a flight needs, opened in order, and said in a line each: map, encoder, camera, telemetry, links."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.cameras.capture import Capture
from runtime.cameras.opening import open_source
from runtime.clock import monotonic_us
from runtime.daemon.autopilot import Aircraft
from runtime.daemon.frames import FrameStream, followed, live, paced, recorded, with_telemetry
from runtime.daemon.keep import FlightIdentity, StateKeeper
from runtime.daemon.settings import CameraSettings, Settings
from runtime.daemon.signals import Signals
from runtime.errors import SettingsError
from runtime.link.fanout import Fanout
from runtime.link.link import Link
from runtime.link.opening import open_link
from runtime.locate.load import open_localizer
from runtime.locate.localizer import Localizer
from runtime.sensors.camera_info import read_camera
from runtime.sensors.folder import FolderTail, folder_coming
from runtime.sensors.pace import Coming
from runtime.sensors.video import video_coming
from runtime.start import Start, check_start_on_map
from runtime.tiles.cache import TileCache

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenFlight:
    """What a flight is flown with, open."""

    localizer: Localizer
    stream: FrameStream
    fanout: Fanout
    aircraft: Aircraft | None  # None: a recording's own telemetry
    tiles: Path
    bounds_deg: tuple[float, float, float, float]
    keeper: StateKeeper | None

    def take_start(self) -> Start | None:
        """Return where somebody vouches that the drone is, once; what is no place on the map is told and left."""
        try:
            start = None if self.aircraft is None else self.aircraft.take_start()
            check_start_on_map(start, self.bounds_deg, self.tiles)
        except SettingsError as error:
            logger.warning("a start is not heard: %s", error)
            return None
        return start


@contextlib.contextmanager
def opened(settings: Settings, signals: Signals, environment: Mapping[str, str]) -> Iterator[OpenFlight]:
    """Open a flight, and say what it is flown with; all of it is closed in the end.

    Raises SkyfixError for what will not mend itself, before anything is said.
    """
    settings.check_files()
    with contextlib.ExitStack() as stack:
        cache = TileCache.open(settings.tiles, lazy=True)
        check_start_on_map(settings.start, cache.metadata.bounds_deg, settings.tiles)
        localizer = open_localizer(
            cache,
            read_camera(settings.camera.calibration),
            bundle=settings.bundle,
            matcher=settings.matcher,
            start=settings.start,
            threads=settings.threads,
        )
        aircraft = _aircraft(settings, stack)
        stream = _stream(settings, signals, aircraft, stack)
        stack.callback(stream.frames.close)
        fanout = Fanout(open_links(settings, aircraft), lossless=stream.is_lossless, hurries=lambda: signals.is_ending)
        fanout.start()
        stack.callback(fanout.close)
        keeper = _keeper(settings, cache, environment)
        kept = None if keeper is None else keeper.kept(monotonic_us())
        if kept is not None:
            localizer.restore(kept)
        flight = OpenFlight(localizer, stream, fanout, aircraft, settings.tiles, cache.metadata.bounds_deg, keeper)
        for line in _said(settings, cache, flight):
            logger.info("%s", line)
        yield flight


def _said(settings: Settings, cache: TileCache, flight: OpenFlight) -> Iterator[str]:
    start = "a start anywhere on it"
    if settings.start is not None:
        (lat, lon), radius_m = settings.start
        start = f"a start within {radius_m:g} m of {lat:g},{lon:g}"
    if settings.gnss_before_take_off:
        start = "a start where GNSS says that the vehicle leaves the ground"
    yield f"map: {settings.tiles}, {cache.metadata.rows} tiles, {start}"
    yield f"encoder: {flight.localizer.name}"
    yield f"camera: {settings.camera.source.name}, {settings.camera.calibration}"
    yield f"telemetry: {'of the recording' if settings.telemetry is None else settings.telemetry.source}"
    for state in flight.fanout.states():
        yield f"link: {state.name}" + ("" if state.is_open else f", not open yet: {state.trouble or 'opening'}")


def open_links(settings: Settings, aircraft: Aircraft | None) -> list[Link]:
    """Return the links, not opened yet; raises SettingsError."""
    shared = None if aircraft is None else aircraft.open_shared_way
    return [open_link(spec, shared=shared) for spec in settings.links]


def _aircraft(settings: Settings, stack: contextlib.ExitStack) -> Aircraft | None:
    if settings.telemetry is None:
        return None
    aircraft = Aircraft(
        settings.telemetry.source,
        settings.camera.mount,
        settings.telemetry.system_id,
        gnss_before_take_off=settings.gnss_before_take_off,
    )
    aircraft.start()
    stack.callback(aircraft.stop)
    return aircraft


def _stream(
    settings: Settings, signals: Signals, aircraft: Aircraft | None, stack: contextlib.ExitStack
) -> FrameStream:
    camera = settings.camera
    if camera.source.is_live:
        assert aircraft is not None  # the settings have seen to it
        capture = Capture(open_source(camera.source), stall_s=camera.source.stall_s)
        stack.callback(capture.close)
        capture.start()
        return live(capture, aircraft.at, signals.ended)
    path = Path(camera.source.address)
    if camera.follow:
        stream = followed(FolderTail(path), signals.ended)
    else:
        coming = recording(camera, path)
        stream = paced(coming, signals.sleep) if camera.realtime else recorded(coming)
    return stream if aircraft is None else with_telemetry(stream, aircraft.at)


def recording(camera: CameraSettings, path: Path) -> Generator[Coming, None, None]:
    """Return the frames of a recording with its own telemetry; raises SettingsError for a video that has none."""
    if camera.source.kind != "video":
        return folder_coming(path)
    if camera.telemetry is None:
        raise SettingsError(f"{path} is a video: [camera] telemetry must name its telemetry.csv")
    return video_coming(path, camera.telemetry, camera.every_s)


def _keeper(settings: Settings, cache: TileCache, environment: Mapping[str, str]) -> StateKeeper | None:
    """A live flight is kept unless it says where; a recording only where it says so."""
    usual = None
    if settings.camera.source.is_live or settings.camera.follow:
        folder = environment.get("STATE_DIRECTORY", "")
        usual = Path(folder or settings.file.parent) / "skyfix.state.json"
    path = settings.state or usual
    return None if path is None else StateKeeper(path, FlightIdentity.of(cache))
