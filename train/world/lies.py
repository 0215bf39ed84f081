"""Lies that are told of a flight: telemetry, cameras, clocks, starts and maps as they fail or are forged.

A lie takes a flight as it is told to the localizer and tells it otherwise. The truth goes with the pictures, unless a
feed hangs: then it goes with the time. A lie about the map moves the world instead, which comes to the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from runtime.frame import Frame, Telemetry
from runtime.geo.camera import Camera
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.suspect import FEET_PER_M
from runtime.start import Start
from runtime.types import Picture

KNOTS_PER_MPS = 1.943844
_START_RADIUS_M = 20.0


@dataclass(frozen=True, slots=True)
class Told:
    """A flight as the localizer is told of it, and where the drone truly was at each frame; None where unknown."""

    frames: tuple[Frame, ...]
    camera: Camera
    drone: tuple[LatLon | None, ...]
    start: Start | None = None


Lie: TypeAlias = Callable[[Told], Told]


def with_velocity(told: Told) -> Told:
    """Fill velocities that are not told from the true positions, so that there is something to lie about."""
    if any(math.isfinite(frame.telemetry.vel_north_mps) for frame in told.frames):
        return told
    known = [(frame.t_us, place) for frame, place in zip(told.frames, told.drone, strict=True) if place is not None]
    origin = LocalFrame(known[0][1])
    t_s = np.array([t_us for t_us, _ in known]) * 1e-6
    track = np.array([origin.to_en(place) for _, place in known])
    speed = np.gradient(track, t_s, axis=0)
    at_s = np.array([frame.t_us for frame in told.frames]) * 1e-6
    east, north = (np.interp(at_s, t_s, speed[:, axis]) for axis in (0, 1))
    frames = (
        replace(frame, telemetry=replace(frame.telemetry, vel_east_mps=float(e), vel_north_mps=float(n)))
        for frame, e, n in zip(told.frames, east, north, strict=True)
    )
    return replace(told, frames=tuple(frames))


def _every(change: Callable[[Telemetry], Telemetry]) -> Lie:
    """Make a lie that changes each row of telemetry alike."""
    return lambda told: replace(told, frames=tuple(replace(f, telemetry=change(f.telemetry)) for f in told.frames))


def _pictures(change: Callable[[Picture], Picture]) -> Lie:
    return lambda told: replace(
        told, frames=tuple(replace(f, picture=np.ascontiguousarray(change(f.picture))) for f in told.frames)
    )


def _attitude(**offset_deg: float) -> Lie:
    return _every(lambda t: replace(t, **{name: getattr(t, name) + by for name, by in offset_deg.items()}))


def _velocity(east: Callable[[Telemetry], float], north: Callable[[Telemetry], float]) -> Lie:
    change = _every(lambda t: replace(t, vel_east_mps=east(t), vel_north_mps=north(t)))
    return lambda told: change(with_velocity(told))


def _scaled_velocity(by: float) -> Lie:
    return _velocity(lambda t: by * t.vel_east_mps, lambda t: by * t.vel_north_mps)


def _clock(at_us: Callable[[int, int], int]) -> Lie:
    """Make a lie of the clock: ``at_us(frame, t_us)`` is told."""
    return lambda told: replace(
        told,
        frames=tuple(
            replace(f, telemetry=replace(f.telemetry, t_us=at_us(i, f.t_us))) for i, f in enumerate(told.frames)
        ),
    )


def _telemetry_of(row: Callable[[int], int], only: Sequence[str] = ()) -> Lie:
    """Make a lie that tells row ``row(i)`` with frame ``i``; its time is the frame's own. ``only`` these columns."""

    def tell(told: Told) -> Told:
        frames = []
        for i, frame in enumerate(told.frames):
            other = told.frames[min(max(row(i), 0), len(told.frames) - 1)].telemetry
            values = {name: getattr(other, name) for name in only}
            telemetry = replace(frame.telemetry, **values) if only else replace(other, t_us=frame.t_us)
            frames.append(replace(frame, telemetry=telemetry))
        return replace(told, frames=tuple(frames))

    return tell


def _black(kept_of: int) -> Lie:
    """Make a lie that shows one picture of so many, and else a covered lens."""
    return lambda told: replace(
        told,
        frames=tuple(
            f if i % kept_of == 0 else replace(f, picture=np.zeros_like(f.picture)) for i, f in enumerate(told.frames)
        ),
    )


def _hanging(grey: int, after: int = 5) -> Lie:
    """Make a lie of a feed that shows one picture for ever, with so much noise on it; telemetry goes on."""

    def tell(told: Told) -> Told:
        rng, shown = np.random.default_rng(0), told.frames[min(after, len(told.frames) - 1)].picture
        frames = list(told.frames[: after + 1])
        for frame in told.frames[after + 1 :]:
            noise = rng.integers(-grey, grey + 1, shown.shape) if grey else 0
            picture = np.clip(shown.astype(np.int16) + noise, 0, 255).astype(np.uint8)
            frames.append(replace(frame, picture=picture))
        return replace(told, frames=tuple(frames))

    return tell


def _focal(by: float) -> Lie:
    scale = np.array([[by, 1.0, 1.0], [1.0, by, 1.0], [1.0, 1.0, 1.0]])
    return lambda told: replace(told, camera=replace(told.camera, matrix=told.camera.matrix * scale))


def _reversed_pictures(told: Told) -> Told:
    pictures = [frame.picture for frame in reversed(told.frames)]
    frames = tuple(replace(frame, picture=picture) for frame, picture in zip(told.frames, pictures, strict=True))
    return replace(told, frames=frames, drone=tuple(reversed(told.drone)))


def _shuffled(told: Told) -> Told:
    """Deliver frames out of order, each with its own time."""
    order = np.argsort(np.arange(len(told.frames)) + np.random.default_rng(0).uniform(0.0, 3.0, len(told.frames)))
    return replace(told, frames=tuple(told.frames[i] for i in order), drone=tuple(told.drone[i] for i in order))


def _dropped(told: Told) -> Told:
    keep = np.random.default_rng(0).uniform(size=len(told.frames)) < 0.4
    kept = [i for i in range(len(told.frames)) if keep[i]]
    return replace(told, frames=tuple(told.frames[i] for i in kept), drone=tuple(told.drone[i] for i in kept))


def _doubled(told: Told) -> Told:
    """Show every second picture twice; the time goes on, and the truth with it."""
    frames = tuple(replace(f, picture=told.frames[i - i % 2].picture) for i, f in enumerate(told.frames))
    return replace(told, frames=frames)


def _first_place(told: Told) -> LatLon:
    return next(place for place in told.drone if place is not None)


def _moved(place: LatLon, east_m: float, north_m: float) -> LatLon:
    return LocalFrame(place).to_latlon(east_m, north_m)


def _map_off(east_m: float) -> Lie:
    """Make a lie of a misplaced map, with the true start told: the world moves, and the map stays."""

    def tell(told: Told) -> Told:
        drone = tuple(None if place is None else _moved(place, east_m, 0.0) for place in told.drone)
        moved = replace(told, drone=drone)
        return replace(moved, start=Start(_first_place(moved), _START_RADIUS_M))

    return tell


def _map_out_of_scale(by: float) -> Lie:
    """Make a lie of a map that is so much too small: the world grows, and the map stays."""

    def tell(told: Told) -> Told:
        origin = LocalFrame(_first_place(told))
        drone = tuple(
            None if place is None else origin.to_latlon(*(by * d for d in origin.to_en(place))) for place in told.drone
        )
        grown = _every(
            lambda t: replace(
                t,
                alt_agl_m=t.alt_agl_m * by,
                vel_north_mps=t.vel_north_mps * by,
                vel_east_mps=t.vel_east_mps * by,
            )
        )(told)
        return replace(grown, drone=drone)

    return tell


def _map_mirrored(told: Told) -> Told:
    """Mirror the world from east to west; the map stays."""
    mirrored = _pictures(lambda p: p[:, ::-1])(told)
    width = told.camera.width_px
    matrix = told.camera.matrix.copy()
    matrix[0, 2] = width - 1 - matrix[0, 2]
    change = _every(
        lambda t: replace(t, cam_yaw_deg=-t.cam_yaw_deg, cam_roll_deg=-t.cam_roll_deg, vel_east_mps=-t.vel_east_mps)
    )
    origin = LocalFrame(_first_place(told))
    drone = tuple(None if p is None else origin.to_latlon(-origin.to_en(p)[0], origin.to_en(p)[1]) for p in told.drone)
    return replace(change(mirrored), camera=replace(told.camera, matrix=matrix), drone=drone)


def _start_swapped(told: Told) -> Told:
    place = _first_place(told)
    return replace(told, start=Start(LatLon(min(max(place.lon, -85.0), 85.0), place.lat), 300.0))


def _start_off(east_m: float) -> Lie:
    return lambda told: replace(told, start=Start(_moved(_first_place(told), east_m, 0.0), _START_RADIUS_M))


def _true_start(told: Told) -> Told:
    return replace(told, start=Start(_first_place(told), _START_RADIUS_M))


def _body_frame(t: Telemetry) -> tuple[float, float]:
    """Return the speed forwards and to the right, of a drone whose nose is where the camera looks."""
    yaw = math.radians(t.cam_yaw_deg)
    return (
        t.vel_north_mps * math.cos(yaw) + t.vel_east_mps * math.sin(yaw),
        t.vel_east_mps * math.cos(yaw) - t.vel_north_mps * math.sin(yaw),
    )


def _then(*lies: Lie) -> Lie:
    def tell(told: Told) -> Told:
        for lie in lies:
            told = lie(told)
        return told

    return tell


TRUTHS: Mapping[str, Lie] = {
    "the truth": lambda told: told,
    "the truth, with velocity": with_velocity,
    "the truth, with a start": _true_start,
    "two of three pictures black": _black(3),
}
"""Ways to tell a flight that are no lies: they cost no fix."""

LIES: Mapping[str, Lie] = {
    "times in ms for us": _clock(lambda i, t_us: t_us // 1000),
    "clock an hour back half-way": lambda told: _clock(
        lambda i, t_us: t_us - (3_600_000_000 if i >= len(told.frames) // 2 else 0)
    )(told),
    "clock drifts 1%": _clock(lambda i, t_us: round(t_us * 1.01)),
    "telemetry frozen": _telemetry_of(lambda i: 0),
    "telemetry frozen half-way": lambda told: _telemetry_of(lambda i: min(i, len(told.frames) // 2))(told),
    "telemetry five frames late": _telemetry_of(lambda i: i - 5),
    "telemetry five frames early": _telemetry_of(lambda i: i + 5),
    "gimbal lags a frame": _telemetry_of(lambda i: i - 1, ("cam_roll_deg", "cam_pitch_deg", "cam_yaw_deg")),
    "velocity zero": _scaled_velocity(0.0),
    "velocity negated": _scaled_velocity(-1.0),
    "velocity x5": _scaled_velocity(5.0),
    "velocity in knots": _scaled_velocity(KNOTS_PER_MPS),
    "velocity 300 m/s": _velocity(lambda t: 300.0, lambda t: 0.0),
    "velocity, north negated": _velocity(lambda t: t.vel_east_mps, lambda t: -t.vel_north_mps),
    "velocity, axes swapped": _velocity(lambda t: t.vel_north_mps, lambda t: t.vel_east_mps),
    "velocity in the body's frame": _velocity(lambda t: _body_frame(t)[1], lambda t: _body_frame(t)[0]),
    "velocity zero, two of three black": _then(_scaled_velocity(0.0), _black(3)),
    "velocity negated, two of three black": _then(_scaled_velocity(-1.0), _black(3)),
    "velocity in knots, two of three black": _then(_scaled_velocity(KNOTS_PER_MPS), _black(3)),
    "velocity, north negated, two of three black": _then(
        _velocity(lambda t: t.vel_east_mps, lambda t: -t.vel_north_mps), _black(3)
    ),
    "yaw +180": _attitude(cam_yaw_deg=180.0),
    "yaw +90": _attitude(cam_yaw_deg=90.0),
    "yaw +45": _attitude(cam_yaw_deg=45.0),
    "yaw -25": _attitude(cam_yaw_deg=-25.0),
    "yaw magnetic": _attitude(cam_yaw_deg=15.0),
    "yaw anticlockwise": _every(lambda t: replace(t, cam_yaw_deg=-t.cam_yaw_deg)),
    "yaw to the nose": _every(lambda t: replace(t, cam_yaw_deg=0.0)),
    "pitch +25": _attitude(cam_pitch_deg=25.0),
    "pitch -25": _attitude(cam_pitch_deg=-25.0),
    "pitch +10": _attitude(cam_pitch_deg=10.0),
    "roll +20": _every(lambda t: replace(t, cam_roll_deg=np.nan_to_num(t.cam_roll_deg) + 20.0)),
    "roll negated": _every(lambda t: replace(t, cam_roll_deg=-t.cam_roll_deg)),
    "altitude x0.5": _every(lambda t: replace(t, alt_agl_m=t.alt_agl_m * 0.5)),
    "altitude x0.75": _every(lambda t: replace(t, alt_agl_m=t.alt_agl_m * 0.75)),
    "altitude x1.35": _every(lambda t: replace(t, alt_agl_m=t.alt_agl_m * 1.35)),
    "altitude x2": _every(lambda t: replace(t, alt_agl_m=t.alt_agl_m * 2.0)),
    "altitude in feet": _every(lambda t: replace(t, alt_agl_m=t.alt_agl_m * FEET_PER_M)),
    "focal length x1.2": _focal(1.2),
    "focal length x0.8": _focal(0.8),
    "mirrored": _pictures(lambda p: p[:, ::-1]),
    "upside down": _pictures(lambda p: p[::-1]),
    "turned round": _pictures(lambda p: p[::-1, ::-1]),
    "pictures in reverse order": _reversed_pictures,
    "frames shuffled": _shuffled,
    "frames dropped": _dropped,
    "pictures doubled": _doubled,
    "a hanging feed": _hanging(0),
    "a hanging feed with noise": _hanging(1),
    "a hanging feed with more noise": _hanging(4),
    "map 200 m off, start told": _map_off(200.0),
    "map 60 m off, start told": _map_off(60.0),
    "map mirrored": _map_mirrored,
    "map 1% too small": _map_out_of_scale(1.01),
    "map 1% too large": _map_out_of_scale(0.99),
    "start 300 m off": _start_off(300.0),
    "start, latitude and longitude swapped": _start_swapped,
}
"""What telemetry, camera, clock, map and operator may tell wrong."""
