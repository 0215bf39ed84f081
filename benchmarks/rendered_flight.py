"""Writes the flights of ``rendered_variants.py``: what the camera sees, and telemetry that tells it wrong."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from runtime.geo.camera import Attitude
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.geo.terrain import Terrain
from runtime.sensors.camera_info import write_camera
from runtime.types import Picture
from train.world import flight as world

WIND_DEG = 30.0  # bearing that it comes from


def write_flight(
    folder: Path,
    spec: world.FlightSpec,
    over: tuple[Picture, Terrain],
    view: tuple[float, float],
    args: argparse.Namespace,
) -> None:
    """The flight's usual track, seen at another tilt from another altitude."""
    (ground, terrain), (pitch_deg, alt_agl_m) = over, view
    rng = np.random.default_rng(spec.seed)
    spec = replace(spec, alt_agl_m=alt_agl_m, margin_m=max(118.0, 1.3 * alt_agl_m if pitch_deg > -60 else 0.0))
    camera, poses = world.camera_of(spec), [tilted(pose, pitch_deg) for pose in world.fly(spec)]
    yaw_bias_deg, pitch_bias_deg, scale = rng.uniform(-15.0, 15.0), rng.uniform(-5.0, 5.0), rng.uniform(0.85, 1.15)
    stated_deg = max(-90.0, pitch_deg + pitch_bias_deg)
    ground_m = terrain.up_m(np.array([(pose.x, -pose.y) for pose in poses]))
    rows = []
    (folder / "frames").mkdir(parents=True)
    for k, pose in enumerate(poses):
        picture = world.render(ground, camera, pose, np.random.default_rng((spec.seed, k)), terrain)
        (folder / world.image_name(k)).write_bytes(world.jpeg(picture))
        crab_deg = args.crab * math.sin(math.radians(pose.attitude.yaw_deg - WIND_DEG))
        off_deg = crab_deg if args.crab else yaw_bias_deg + rng.normal(0.0, 3.0)
        yaw = "" if args.no_heading else f"{(pose.attitude.yaw_deg + off_deg) % 360.0:.1f}"
        alt_m = pose.alt_agl_m + (ground_m[k] - ground_m[0] if args.above_take_off else 0.0)
        tilt = ("", f"{stated_deg:.1f}", yaw)
        if args.gimbal:
            alt_m *= rng.normal(1.0, 0.01) / scale
            true, noise = pose.attitude, rng.normal(0.0, 0.2, 2)
            tilt = (f"{true.roll_deg + noise[0]:.1f}", f"{true.pitch_deg + noise[1]:.1f}", yaw)
        rows.append((pose.t_us, world.image_name(k), f"{alt_m * scale:.1f}", *tilt))
    write_camera(camera.zoomed(1.0 / (1.0 + args.longer)), folder / "camera.yaml")
    (folder / "flight.json").write_text(json.dumps({"name": folder.name}))
    write_csv(folder / "telemetry.csv", "t_us,image,alt_agl_m,cam_roll_deg,cam_pitch_deg,cam_yaw_deg", rows)
    truth = [shifted(world.truth(pose, terrain), args.map_shift) for pose in poses]
    write_csv(folder / "truth.csv", ",".join(truth[0]), [tuple(row.values()) for row in truth])


def shifted(row: dict[str, object], by_m: float) -> dict[str, object]:
    """A row of truth where the map lies so far to the north-east of it."""
    moved = dict(row)
    for what in ("true", "true_ground"):
        on_map = LocalFrame(LatLon(float(str(row[f"{what}_lat"])), float(str(row[f"{what}_lon"]))))
        true = on_map.to_latlon(*[-by_m / math.sqrt(2.0)] * 2)
        moved |= {f"{what}_lat": f"{true.lat:.9f}", f"{what}_lon": f"{true.lon:.9f}"}
    return moved


def tilted(pose: world.DronePose, pitch_deg: float) -> world.DronePose:
    """Turn a pose to another nominal pitch; the world's own flight swings about -65 degrees."""
    true = pose.attitude
    return replace(pose, attitude=Attitude(true.roll_deg, pitch_deg + true.pitch_deg + 65.0, true.yaw_deg))


def write_csv(path: Path, header: str, rows: Sequence[Sequence[object]]) -> None:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
