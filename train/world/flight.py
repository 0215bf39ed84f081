"""A recorded flight over a generated world, and its map: the files of a real one."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray

from runtime.errors import SettingsError
from runtime.files import whole_file, write_text_whole
from runtime.geo.camera import Attitude, Camera
from runtime.geo.mercator import LatLon, Metres, ground_scale, to_latlon, to_metres
from runtime.geo.terrain import FLAT, Terrain
from runtime.sensors.camera_info import write_camera
from runtime.types import FloatArray, Picture, Tick
from train.render.drone_view import Optics, render_view
from train.world.covers import AUTUMN, SUMMER
from train.world.picture import paint
from train.world.zoning import draw_plan

NORTH_WEST = LatLon(47.5, 8.2)
_THREADS = 2
MAP_GSD_M = 0.25
PICTURE_GSD_M = 0.125  # what flights are rendered from, and the map shrunk from
GROUND_MSL_M = 412.0
NOTES = (
    "A generated world for demo, documentation and tests: flat ground, buildings that do not lean, and one hand that "
    "drew both map and flight. It never stands for accuracy. The map shows another date than the frames; telemetry "
    "carries errors, truth does not."
)


@dataclass(frozen=True, slots=True)
class FlightSpec:
    """How large the world is and how it is flown; raises SettingsError for a flight without frames."""

    seed: int = 7
    width_m: float = 700.0
    height_m: float = 600.0
    frames: int = 60
    interval_s: float = 2.0
    speed_mps: float = 12.0
    alt_agl_m: float = 90.0
    margin_m: float = 118.0  # between the track and the map's edge: the camera looks ahead
    width_px: int = 1280
    height_px: int = 720
    hfov_deg: float = 70.0

    def __post_init__(self) -> None:
        if self.frames < 1 or self.seed < 0:
            given = f"--frames {self.frames} --seed {self.seed}"
            raise SettingsError(f"{given}: a flight has at least one frame, and a seed is not negative")


SMALL = FlightSpec(width_m=300.0, height_m=280.0, frames=6, alt_agl_m=60.0, margin_m=85.0, width_px=640, height_px=360)


@dataclass(frozen=True, slots=True)
class DronePose:
    """Where the drone truly is and looks; metres east and south of the map's north-west corner."""

    t_us: int
    x: float
    y: float
    alt_agl_m: float
    attitude: Attitude
    velocity_north_east_mps: tuple[float, float]

    def ground_xy(self, terrain: Terrain = FLAT) -> tuple[float, float]:
        """Return where the optical axis meets the ground, metres east and south of the corner."""
        axis = self.attitude.enu_from_camera()[:, 2]
        east, north = terrain.meet(np.array([self.x, -self.y]), self.alt_agl_m, axis[None])[0].tolist()
        return east, -north


def write_world(out: Path, spec: FlightSpec, tick: Tick = lambda done, total: None) -> None:
    """Write ``out/map.tif`` and the flight ``out/flight``; ``tick(done, total)`` hears of each frame."""
    plan = draw_plan(spec.seed, spec.width_m, spec.height_m)
    camera, poses, folder = camera_of(spec), fly(spec), out / "flight"
    with ThreadPoolExecutor(_THREADS) as pool:  # numpy and OpenCV leave the interpreter's lock while they work
        summer, autumn = pool.map(lambda date: paint(plan, date, PICTURE_GSD_M), (SUMMER, AUTUMN))
        write_map(out / "map.tif", shrunk(summer))

        def write_frame(k: int) -> None:
            frame = render(autumn, camera, poses[k], np.random.default_rng((spec.seed, 31, k)))
            with whole_file(folder / image_name(k)) as partial:
                partial.write_bytes(jpeg(frame))

        for done, _ in enumerate(pool.map(write_frame, range(len(poses))), start=1):
            tick(done, len(poses))
    write_camera(camera, folder / "camera.yaml")
    _write_csv(folder / "telemetry.csv", telemetry(poses, np.random.default_rng((spec.seed, 32))))
    _write_csv(folder / "truth.csv", [truth(pose) for pose in poses])
    write_text_whole(folder / "flight.json", json.dumps(_about(spec), indent=2) + "\n")


def place(x: float, y: float) -> LatLon:
    """Return latitude and longitude of metres east and south of the map's north-west corner."""
    corner, scale = to_metres(NORTH_WEST), ground_scale(NORTH_WEST.lat)
    return to_latlon(Metres(corner.x + x / scale, corner.y - y / scale))


def shrunk(picture: Picture, gsd_m: float = MAP_GSD_M) -> Picture:
    """Return the map of ``gsd_m`` a pixel from the finer picture."""
    size = round(picture.shape[1] * PICTURE_GSD_M / gsd_m), round(picture.shape[0] * PICTURE_GSD_M / gsd_m)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def write_map(path: Path, picture: Picture, gsd_m: float = MAP_GSD_M) -> None:
    """Write a GeoTIFF in Web Mercator, whose metres are longer than the ground's by 1 / cos(latitude)."""
    corner, step = to_metres(NORTH_WEST), gsd_m / ground_scale(NORTH_WEST.lat)
    profile = {
        "driver": "GTiff",
        "width": picture.shape[1],
        "height": picture.shape[0],
        "count": 3,
        "dtype": "uint8",
        "crs": "EPSG:3857",
        "transform": rasterio.Affine(step, 0.0, corner.x, 0.0, -step, corner.y),
        "tiled": True,
        "compress": "jpeg",
        "jpeg_quality": 90,
        "photometric": "ycbcr",
        "blockxsize": 256,
        "blockysize": 256,
    }
    with whole_file(path) as partial, rasterio.open(partial, "w", **profile) as file:
        file.write(picture.transpose(2, 0, 1))
        file.update_tags(DATE=SUMMER.day, ATTRIBUTION="generated by train.world")


def camera_of(spec: FlightSpec) -> Camera:
    """Return a lens without distortion."""
    focal_px = spec.width_px / 2 / math.tan(math.radians(spec.hfov_deg) / 2)
    middle = (spec.width_px - 1) / 2, (spec.height_px - 1) / 2
    matrix = np.array([[focal_px, 0.0, middle[0]], [0.0, focal_px, middle[1]], [0.0, 0.0, 1.0]])
    return Camera(spec.width_px, spec.height_px, matrix, np.zeros(5))


def fly(spec: FlightSpec) -> list[DronePose]:
    """Return the poses of a figure of eight, with the slow swings of a gimbal and of the wind."""
    rng = np.random.default_rng((spec.seed, 30))
    t_s = np.arange(spec.frames) * spec.interval_s
    xy, heading = _track(spec, t_s * spec.speed_mps)
    roll, pitch, yaw, up = (_swing(t_s, rng) for _ in range(4))
    crab_deg = float(rng.uniform(-6, 6))
    poses = []
    for k, (x, y) in enumerate(xy):
        attitude = Attitude(
            1.6 * roll[k], -65.0 + 2.2 * pitch[k], (math.degrees(heading[k]) + crab_deg + 2.5 * yaw[k]) % 360.0
        )
        velocity = spec.speed_mps * math.cos(heading[k]), spec.speed_mps * math.sin(heading[k])
        poses.append(DronePose(int(t_s[k] * 1e6), x, y, spec.alt_agl_m * (1 + 0.03 * up[k]), attitude, velocity))
    return poses


def _track(spec: FlightSpec, at_m: NDArray[np.floating]) -> tuple[FloatArray, FloatArray]:
    """Return (N, 2) positions and (N,) headings clockwise from north, radians, at lengths along the track."""
    phase = np.linspace(-0.4, 2 * np.pi - 0.4, 4001)
    x = spec.width_m / 2 + (spec.width_m / 2 - spec.margin_m) * np.sin(phase)
    y = spec.height_m / 2 - (spec.height_m / 2 - spec.margin_m) * np.sin(2 * phase + 0.35)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    at = at_m % length[-1]
    heading = np.unwrap(np.arctan2(np.gradient(x), -np.gradient(y)))
    return np.column_stack([np.interp(at, length, x), np.interp(at, length, y)]), np.interp(at, length, heading)


def _swing(t_s: NDArray[np.floating], rng: np.random.Generator) -> FloatArray:
    """Draw (N,) a smooth wander of strength about 1."""
    waves = [np.sin(2 * np.pi * t_s / rng.uniform(7, 45) + rng.uniform(0, 2 * np.pi)) for _ in range(4)]
    return np.asarray(np.sum(waves, axis=0) / 2, np.float64)


def render(
    ground: Picture, camera: Camera, pose: DronePose, rng: np.random.Generator, terrain: Terrain = FLAT
) -> Picture:
    """Render the frame that the drone takes at ``pose``; the terrain is about the map's north-west corner."""
    under_px = pose.x / PICTURE_GSD_M - 0.5, pose.y / PICTURE_GSD_M - 0.5
    optics = Optics(
        motion_px=float(rng.uniform(0, 2.5)),
        motion_deg=float(rng.normal(90, 12)),  # flying forward smears along the picture's height
        blur_px=0.5,
        exposure=float(rng.normal(1.0, 0.03)),
        vignette=0.16,
        noise=2.2,
    )
    return render_view(
        ground,
        PICTURE_GSD_M,
        under_px,
        camera=camera,
        attitude=pose.attitude,
        alt_agl_m=pose.alt_agl_m,
        rng=rng,
        optics=optics,
        terrain=terrain.moved(-pose.x, pose.y),
    )


def jpeg(picture: Picture) -> bytes:
    """Encode an RGB picture as JPEG, quality 88."""
    return bytes(cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1])


def image_name(k: int) -> str:
    """Return the path of a frame's picture in the flight's folder."""
    return f"frames/{k:04d}.jpg"


def telemetry(poses: Sequence[DronePose], rng: np.random.Generator) -> list[dict[str, object]]:
    """Return what the aircraft knows: a compass some degrees off, tilt within a degree, a drifting barometer."""
    yaw_bias, pitch_bias = float(rng.choice([-1, 1]) * rng.uniform(1.5, 4)), float(rng.uniform(-0.8, 0.8))
    scale_bias, drift = float(rng.uniform(-0.02, 0.02)), _swing(np.array([p.t_us / 1e6 for p in poses]), rng)
    lines: list[dict[str, object]] = []
    for k, pose in enumerate(poses):
        alt_agl_m = pose.alt_agl_m * (1 + scale_bias + 0.01 * drift[k])
        north, east = np.array(pose.velocity_north_east_mps) + rng.normal(0, 0.25, 2)
        lines.append(
            {
                "t_us": pose.t_us,
                "image": image_name(k),
                "session": 1,
                "alt_agl_m": f"{alt_agl_m:.2f}",
                "cam_roll_deg": f"{pose.attitude.roll_deg + rng.normal(0, 0.3):.2f}",
                "cam_pitch_deg": f"{pose.attitude.pitch_deg + pitch_bias + rng.normal(0, 0.3):.2f}",
                "cam_yaw_deg": f"{(pose.attitude.yaw_deg + yaw_bias + rng.normal(0, 0.5)) % 360:.2f}",
                "vel_north_mps": f"{north:.2f}",
                "vel_east_mps": f"{east:.2f}",
                "alt_msl_m": f"{GROUND_MSL_M + alt_agl_m:.2f}",
            }
        )
    return lines


def truth(pose: DronePose, terrain: Terrain = FLAT) -> dict[str, object]:
    """Return the line of the true place, which only the scorer reads."""
    drone, ground = place(pose.x, pose.y), place(*pose.ground_xy(terrain))
    return {
        "t_us": pose.t_us,
        "true_lat": f"{drone.lat:.9f}",
        "true_lon": f"{drone.lon:.9f}",
        "true_ground_lat": f"{ground.lat:.9f}",
        "true_ground_lon": f"{ground.lon:.9f}",
        "true_yaw_deg": f"{pose.attitude.yaw_deg:.3f}",
        "truth_ok": 1,
    }


def _write_csv(path: Path, lines: Sequence[Mapping[str, object]]) -> None:
    """Write lines that share the names of the first."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def _about(spec: FlightSpec) -> dict[str, str]:
    """Return what ``flight.json`` says of the flight."""
    return {
        "name": f"generated-{spec.seed}",
        "place": "nowhere: a generated world",
        "date": AUTUMN.day,
        "camera": "camera.yaml",
        "map": "../map.tif",
        "platform": "a pinhole camera over flat ground",
        "notes": NOTES,
        "licence": "CC0 1.0",
    }
