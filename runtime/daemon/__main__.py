"""python -m runtime.daemon: camera -> fixes, for ever (or until the source ends)."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from runtime.command import run_command
from runtime.daemon.settings import EXAMPLE, Settings
from runtime.errors import SettingsError
from runtime.start import check_start_on_map

if TYPE_CHECKING:
    from runtime.fix import Verdict
    from runtime.frame import Frame
    from runtime.locate.localizer import Localizer
    from runtime.watch.health import Health


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    if args.example:
        print(EXAMPLE, end="")
        return 0
    return run_command("runtime.daemon", lambda: _run(args.config))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.daemon",
        description="Turn camera frames into position fixes, one JSON object a line. SIGTERM and Ctrl-C end it well.",
        epilog="example: python -m runtime.daemon --config skyfix.toml | head",
    )
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--config", type=Path, metavar="skyfix.toml", help="map, camera, model, start, output")
    choice.add_argument("--example", action="store_true", help="print a skyfix.toml to begin with")
    return parser


def _run(config: Path) -> None:
    from runtime.geo.camera import Camera
    from runtime.locate.load import open_localizer
    from runtime.tiles.cache import TileCache
    from runtime.watch.health import Health

    settings = Settings.read(config)
    stop = _Stop()
    cache = TileCache.open(settings.tiles, lazy=True)
    check_start_on_map(settings.start, cache.metadata["bounds_deg"], settings.tiles)
    localizer = open_localizer(
        cache,
        Camera.from_yaml(settings.calibration),
        bundle=settings.bundle,
        matcher=settings.matcher,
        start=settings.start,
        threads=settings.threads,
    )
    health = Health()
    with contextlib.closing(_frames(settings, stop)) as frames, _lines(settings.fixes) as out:
        for frame in frames:
            step(frame, localizer, health, out)
            if stop.asked:
                break
    print(f"runtime.daemon: {health}" + (f"; fixes in {settings.fixes}" if settings.fixes else ""), file=sys.stderr)


def step(frame: Frame, localizer: Localizer, health: Health, out: TextIO) -> Verdict:
    """One frame: locate, count, and say it at once."""
    was_well = health.well
    verdict = localizer.step(frame)
    health.count(verdict)
    out.write(verdict.to_json() + "\n")
    out.flush()
    if health.well != was_well:
        state = "fixes are back" if health.well else "most frames give no fix"
        print(f"runtime.daemon: {state} ({health})", file=sys.stderr)
    return verdict


def _frames(settings: Settings, stop: _Stop) -> Generator[Frame, None, None]:
    from runtime.sensors.folder import folder_frames, follow_folder
    from runtime.sensors.pace import keep_time
    from runtime.sensors.video import video_frames

    source = settings.source
    if source.is_dir():
        frames = follow_folder(source, lambda: stop.asked) if settings.follow else folder_frames(source)
    elif source.is_file():
        if settings.telemetry is None:
            raise SettingsError(f"{source} is a video: [camera] telemetry must name its telemetry.csv")
        frames = video_frames(source, settings.telemetry, settings.every_s)
    else:
        raise SettingsError(f"[camera] source {source} is missing; expected a folder of frames or a video file")
    return keep_time(frames, lambda: time.monotonic_ns() // 1000, stop.sleep) if settings.realtime else frames


@contextlib.contextmanager
def _lines(path: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that grows line by line so that a reader can follow it."""
    if path is None:
        yield sys.stdout
        return
    try:
        with path.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise SettingsError(f"[output] fixes {path} cannot be written: {error.strerror}") from None


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


if __name__ == "__main__":
    sys.exit(main())
