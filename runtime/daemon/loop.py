"""The daemon's loop: each frame is located, counted and said at once, until the source or a signal ends it."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from collections.abc import Generator

from runtime.daemon.settings import Settings
from runtime.fix import Verdict
from runtime.frame import Frame
from runtime.link.jsonl import JsonLines, open_jsonl
from runtime.locate.load import open_localizer
from runtime.locate.localizer import Localizer
from runtime.sensors.camera_info import read_camera
from runtime.sensors.folder import folder_frames, follow_folder
from runtime.sensors.pace import keep_time
from runtime.sensors.video import video_frames
from runtime.start import check_start_on_map
from runtime.tiles.cache import TileCache
from runtime.watch.health import Health

logger = logging.getLogger(__name__)


def run_daemon(settings: Settings) -> None:
    """Fly as the settings say until the source ends or a signal asks to; raises SkyfixError."""
    stop = _Stop()
    cache = TileCache.open(settings.tiles, lazy=True)
    check_start_on_map(settings.start, cache.metadata.bounds_deg, settings.tiles)
    localizer = open_localizer(
        cache,
        read_camera(settings.calibration),
        bundle=settings.bundle,
        matcher=settings.matcher,
        start=settings.start,
        threads=settings.threads,
    )
    health = Health()
    with contextlib.closing(_frames(settings, stop)) as frames, open_jsonl(settings.fixes) as link:
        for frame in frames:
            step(frame, localizer, health, link)
            if stop.asked:
                break
    logger.info("%s%s", health, f"; fixes in {settings.fixes}" if settings.fixes else "")


def step(frame: Frame, localizer: Localizer, health: Health, link: JsonLines) -> Verdict:
    """Locate one frame, count the verdict, and send it at once."""
    was_well = health.well
    verdict = localizer.step(frame)
    health.count(verdict)
    link.send(verdict)
    if was_well and not health.well:
        logger.warning("most frames give no fix (%s)", health)
    elif health.well and not was_well:
        logger.info("fixes are back (%s)", health)
    return verdict


def _frames(settings: Settings, stop: _Stop) -> Generator[Frame, None, None]:
    source = settings.source
    if settings.source_kind() == "video":
        assert settings.telemetry is not None  # source_kind() has seen to it
        frames = video_frames(source, settings.telemetry, settings.every_s)
    else:
        frames = follow_folder(source, lambda: stop.asked) if settings.follow else folder_frames(source)
    return keep_time(frames, lambda: time.monotonic_ns() // 1000, stop.sleep) if settings.realtime else frames


class _Stop:
    """Set by SIGTERM and Ctrl-C; the frame in hand is finished first."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def sleep(self, seconds: float) -> None:
        """Sleep so long, or until a signal asks to end: ``time.sleep`` would go on after it."""
        until = time.monotonic() + seconds
        while not self.asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True
