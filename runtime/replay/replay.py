"""Fly a recorded flight over a cache, as on board, and write what came of it: fixes, report, picture, summary."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from runtime.errors import CameraError, SettingsError
from runtime.files import write_text_whole
from runtime.fix import Fix, Verdict
from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.local import off_box_m
from runtime.locate.found import CameraFound, camera_found
from runtime.locate.limits import MOUNT
from runtime.locate.load import open_localizer
from runtime.locate.localizer import Localizer
from runtime.pictures import check_ending
from runtime.progress import live_line
from runtime.replay.flight_map import draw_flight
from runtime.replay.score import ReplayReport, score
from runtime.sensors.camera_info import write_camera
from runtime.start import Start, check_start_on_map
from runtime.tiles.cache import TileCache
from runtime.types import Say

_MISSES_SHOWN = 5
DOUBTS = {
    "velocity": "the velocity told is not how the drone moved over the map (unit, sign, frame?)",
    "telemetry": "telemetry stood still while pictures moved",
    "start": "the map says that the flight began elsewhere than --start (or the map is misplaced)",
    "clock": "places follow each other faster than a drone flies (t_us in milliseconds?)",
    "yaw": "the heading told is far from what pictures show",
    "tilt": "pitch or roll told are far from what pictures show",
    "altitude": "altitude told is far from what pictures show",
    "focal_length": "camera.yaml is of another lens or video mode by what pictures show: python -m calib.camera",
    "yaw_off_180": "nothing fits, but would if yaw were 180 degrees less: yaw looks 180 degrees off",
    "yaw_off_90": "nothing fits, but would if yaw were 90 degrees less: yaw looks 90 degrees off",
    "yaw_off_270": "nothing fits, but would if yaw were 90 degrees more: yaw looks 90 degrees off",
    "altitude_in_feet": "nothing fits, but would if alt_agl_m were in feet",
}
"""What is doubted of a flight, for people."""


@dataclass(frozen=True, slots=True)
class ReplaySpec:
    """What a replay flies, and where its outputs go."""

    flight: Path
    tiles: Path
    bundle: Path | None = None  # None: the default encoder
    matcher: Path | Literal[False] | None = None  # None: local features at hand; False: retrieval alone
    start: Start | None = None  # None: anywhere on the map
    out: Path | None = None
    report: Path | None = None
    picture: Path | None = None
    corrected_camera: Path | None = None
    threads: int = 0  # for the networks; 0: one a core

    def outputs(self) -> list[Path]:
        """List the files to write, their folders made; raises SettingsError for one that cannot be written.

        That is told before the flight, not after it.
        """
        paths = [path for path in (self.out, self.report, self.picture, self.corrected_camera) if path]
        if self.picture:
            check_ending(self.picture)
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir() or not os.access(path.parent, os.W_OK):
                raise SettingsError(f"{path} cannot be written: it is a folder, or its folder is read-only")
        return paths


def run_replay(spec: ReplaySpec) -> None:
    """Fly the flight, write the outputs and print a summary; raises SkyfixError."""
    outputs = spec.outputs()
    flight = Flight.open(spec.flight)
    truth_path = spec.flight / "truth.csv"
    truth = read_truth(truth_path) if truth_path.is_file() else {}
    cache = TileCache.open(spec.tiles, lazy=True)
    bounds_deg = cache.metadata.bounds_deg
    check_start_on_map(spec.start, bounds_deg, spec.tiles)
    localizer = open_localizer(
        cache, flight.camera, bundle=spec.bundle, matcher=spec.matcher, start=spec.start, threads=spec.threads
    )
    with live_line() as say:
        verdicts, stages_ms = fly(flight, localizer, say)
    report, found = score(verdicts, truth, stages_ms), camera_found(localizer.state.mount)
    if spec.out:
        write_text_whole(spec.out, "".join(v.to_json() + "\n" for v in verdicts))
    if spec.report:
        camera = None if found is None else found.to_json()
        values = {"flight": flight.name, "tiles": str(spec.tiles), **report.to_json(), "camera_found": camera}
        write_text_whole(spec.report, json.dumps(values, indent=2) + "\n")
    if spec.picture:
        draw_flight(cache.open_imagery(), verdicts, truth, summary_line(flight.name, report), spec.picture)
    _print_summary(flight.name, report)
    print(f"  camera found      {found or 'nothing: no frame was registered'}")
    for path in outputs:
        if path != spec.corrected_camera:
            print(f"  wrote {path}")
    if spec.corrected_camera:
        _write_corrected(flight, found, spec.corrected_camera)
    off_m = min((off_box_m(known.drone, bounds_deg) for known in truth.values() if known.drone), default=0.0)
    if off_m > 0:
        print(f"  no overlap        the true track is {off_m / 1e3:,.1f} km off the map of {spec.tiles}")


def fly(
    flight: Flight, localizer: Localizer, say: Say = lambda line: None
) -> tuple[list[Verdict], list[dict[str, float]]]:
    """Take every frame in order; returns the verdicts and the stages' milliseconds of each."""
    verdicts: list[Verdict] = []
    stages_ms: list[dict[str, float]] = []
    for i, frame in enumerate(flight.frames(), 1):
        verdict = localizer.step(frame)
        verdicts.append(verdict)
        stages_ms.append(localizer.stages_ms)
        say(f"frame {i}/{len(flight.images)}  {describe(verdict)}")
    return verdicts, stages_ms


def describe(verdict: Verdict) -> str:
    """Describe a verdict for people, in one line."""
    if isinstance(verdict, Fix):
        place = f"{verdict.lat:.6f}, {verdict.lon:.6f}"
        return f"{verdict.source} {place}  hpl {verdict.hpl_m:.0f} m  {verdict.latency_ms:.0f} ms"
    return f"no fix: {verdict.reason}  {verdict.latency_ms:.0f} ms"


def summary_line(name: str, report: ReplayReport) -> str:
    """Sum a replay up in one line, the picture's title."""
    error = report.position_error_m.of_fixes
    line = f"{name}: {report.fixes} fixes of {report.frames} frames"
    if error.count:
        line += f", position error median {error.median:.1f} m, p90 {error.p90:.1f} m"
    return line


def _print_summary(name: str, report: ReplayReport) -> None:
    print(f"{name}: {report.fixes} fixes of {report.frames} frames, no fix {report.no_fix_rate:.0%}")
    first_s = report.time_to_first_fix_s
    print(f"  first fix         {'never' if first_s is None else f'{first_s:.1f} s after the first frame'}")
    for what, errors in (("position error", report.position_error_m), ("ground error", report.ground_error_m)):
        error = errors.of_fixes
        if error.count:
            print(f"  {what:<17} median {error.median:.1f} m, p90 {error.p90:.1f} m, worst {error.worst:.1f} m")
    inside = report.coverage["90%"]
    if inside is not None:
        print(f"  inside 90% ellipse {inside:.0%}, outside protection level {report.hpl_misses}")
    if report.no_fix_reasons:
        print("  no fix because    " + ", ".join(f"{reason} {n}" for reason, n in report.no_fix_reasons.items()))
    for doubt, frames in report.doubts.items():
        print(f"  doubted           {DOUBTS[doubt]}: {frames} frames")
    for miss in report.hpl_missed[:_MISSES_SHOWN]:
        print(
            f"  outside           t_us {miss.t_us}: {miss.error_m:.1f} m off, {miss.hpl_m:.1f} m said ({miss.source})"
        )
    print("  milliseconds p50  " + ", ".join(f"{stage} {ms.p50:.0f}" for stage, ms in report.latency_ms.items()))


def _write_corrected(flight: Flight, found: CameraFound | None, path: Path) -> None:
    """Write the flight's camera with the focal length that was found; raises CameraError where it tells none."""
    if found is None or not found.tells_focal_length:
        known = "not at all" if found is None else f"to {found.focal_length_percent.sigma:.1f}%"
        raise CameraError(
            f"{path} is not written: this flight tells the focal length {known}, expected "
            f"{MOUNT.telling_focal_percent:g}% or better; fly some twenty frames that look 30 to 60 degrees down"
        )
    longer, sigma = found.focal_length_percent.value / 100.0, found.focal_length_percent.sigma / 100.0
    write_camera(replace(flight.camera.zoomed(1.0 + longer), focal_sigma=sigma), path)
    print(f"  wrote {path}, the focal length corrected; the mount's angles are found anew on each flight")
