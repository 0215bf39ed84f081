"""Miniature benchmarks with exactly the published layouts; a picture's colour tells its place and its view."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from runtime.geo.camera import Attitude, Camera
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.types import Picture
from train.data.benchmarks.sues200 import HEIGHTS_M
from train.data.benchmarks.sues200 import TEST as SUES_TEST
from train.data.benchmarks.sues200 import TRAIN as SUES_TRAIN
from train.data.benchmarks.visloc_source import WIDTH_DEG
from train.render.drone_view import render_view


def put(path: Path, place: int, *, view: int = 0, side_px: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((side_px, side_px, 3), (view, 0, place % 256), np.uint8))


def university1652(root: Path, train: int = 16, asked: int = 3, distractors: int = 2, shots: int = 2) -> Path:
    """Ids as published: the first are trained on, the next asked for, the last only lie in the galleries."""
    test = range(train, train + asked + distractors)
    for view, extension, count in (("drone", "jpeg", shots), ("satellite", "jpg", 1)):
        for kind, ids in ((f"train/{view}", range(train)), (f"test/query_{view}", test[:asked])):
            _put_all(root / kind, ids, [f"image-{k:02d}.{extension}" for k in range(count)])
        _put_all(root / f"test/gallery_{view}", test, [f"image-{k:02d}.{extension}" for k in range(count)])
    (root / "train/google/0003").mkdir(parents=True)  # as released: nothing was found for some
    put(root / "test/4K_drone/0001/x.jpg", 1)
    return root


def denseuav(root: Path, train: int = 16, asked: int = 3) -> Path:
    drone = [f"H{h}.JPG" for h in (80, 90, 100)]
    satellite = [f"H{h}{old}.tif" for h in (80, 90, 100) for old in ("", "_old")]
    everywhere, last = range(train + asked), range(train, train + asked)
    for view, names in (("drone", drone), ("satellite", satellite)):
        _put_all(root / "train" / view, range(train), names, digits=6)
        _put_all(root / f"test/query_{view}", last, names, digits=6)
        _put_all(root / f"test/gallery_{view}", everywhere, names, digits=6)
    lines = [
        f"{'train' if k < train else 'test'}/satellite/{k:06d}/H80{old}.tif E{120 + k / 1000} N{30 + k / 500} 94.6"
        for k in everywhere
        for old in ("", "_old")
    ]
    (root / "Dense_GPS_ALL.txt").write_text("\n".join(lines) + "\n")
    return root


def sues200(root: Path, train: int = 8, test: int = 2, shots: int = 2, heights: Sequence[str] = HEIGHTS_M) -> Path:
    for place in (*sorted(SUES_TRAIN)[:train], *sorted(SUES_TEST)[:test]):
        put(root / "satellite-view" / place / "0.png", int(place), view=1)
        for height in heights:
            for k in range(shots):
                put(root / "drone_view_512" / place / height / f"{k}.jpg", int(place), view=int(height) - 100)
    return root


class DrawnFlight(NamedTuple):
    """Where a drone took pictures over a map of 320 x 240 pixels of a metre."""

    name: str
    at: Sequence[tuple[float, float, float]]  # pixel across and down, heading in degrees
    height_m: float = 120.0
    table: str = "num,filename,date,lat,lon,height,Omega,Kappa,Phi1,Phi2"


def visloc(root: Path, flights: Sequence[DrawnFlight], draw: Callable[[int], Picture], gsd_m: float = 1.0) -> Path:
    """Write the tree as it is released, with the blank in a name; flights lie a degree apart, ``draw(k)`` is a map."""
    corners = ["mapname,LT_lat_map,LT_lon_map,RB_lat_map,RB_lon_map,region"]
    for number, flight in enumerate(flights):
        folder, ground = root / flight.name, draw(number)
        (folder / "drone").mkdir(parents=True)
        cv2.imwrite(str(folder / f"satellite{flight.name}.tif"), cv2.cvtColor(ground, cv2.COLOR_RGB2BGR))
        height_px, width_px = ground.shape[:2]
        frame = LocalFrame(LatLon(30.0 + number, 120.0))
        (south, west), (north, east) = (
            frame.to_latlon(sign * width_px * gsd_m / 2, sign * height_px * gsd_m / 2) for sign in (-1, 1)
        )
        corners.append(f"satellite{flight.name}.tif,{north},{west},{south},{east},Somewhere")
        rows = [flight.table]
        for k, (x, y, heading_deg) in enumerate(flight.at, 1):
            name = f"{flight.name}_{k:04d}.JPG"
            cv2.imwrite(str(folder / "drone" / name), _seen_from(ground, gsd_m, (x, y), heading_deg, flight.height_m))
            lat, lon = north + (south - north) * (y + 0.5) / height_px, west + (east - west) * (x + 0.5) / width_px
            fields = [k, name, "2018-10-23T09:09:16", f"{lat:.9f}", f"{lon:.9f}", flight.height_m, 0.1, 0.2]
            fields += [heading_deg, heading_deg]
            rows.append(",".join(map(str, fields[: len(flight.table.split(","))])))
        (folder / f"{flight.name}.csv").write_text("\n".join(rows) + "\n")
    (root / "satellite_ coordinates_range.csv").write_text("\n".join(corners) + "\n")
    return root


def _seen_from(ground: Picture, gsd_m: float, at: tuple[float, float], heading_deg: float, height_m: float) -> Picture:
    """A picture straight down, 180 x 120 pixels, as OpenCV writes it."""
    focal_px = 90 / math.tan(math.radians(WIDTH_DEG) / 2)
    camera = Camera(180, 120, np.array([[focal_px, 0, 89.5], [0, focal_px, 59.5], [0, 0, 1]]), np.zeros(5))
    attitude, rng = Attitude(0.0, -90.0, heading_deg), np.random.default_rng(0)
    view = render_view(ground, gsd_m, at, camera=camera, attitude=attitude, alt_agl_m=height_m, rng=rng)
    return np.asarray(cv2.cvtColor(view, cv2.COLOR_RGB2BGR), np.uint8)


def _put_all(folder: Path, ids: Iterable[int], names: Sequence[str], digits: int = 4) -> None:
    for place in ids:
        for name in names:
            put(folder / f"{place:0{digits}d}" / name, place)
