"""What several tests of this room draw."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from runtime.geo.camera import Camera
from runtime.geo.mercator import (
    LatLon,
)
from runtime.geo.terrain import Terrain

places = st.builds(LatLon, st.floats(-75, 75), st.floats(-179.9, 179.9))


def earth_centred(place: LatLon) -> np.ndarray:
    """WGS 84 surface point in metres from the Earth's centre (ICD-GPS-200's definition, nothing of ours)."""
    a, f = 6378137.0, 1 / 298.257223563
    lat, lon = np.radians(place)
    n = a / math.sqrt(1 - f * (2 - f) * math.sin(lat) ** 2)
    flat = n * math.cos(lat)
    return np.array([flat * math.cos(lon), flat * math.sin(lon), (1 - f) ** 2 * n * math.sin(lat)])


CAMERA = Camera(640, 480, np.array([[500.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]]), np.zeros(5))


STEP_M, NODES = 10.0, 81


def hills(seed: int, relief_m: float, *, about_m: float = 412.0) -> Terrain:
    """Hills of some 300 m across over 800 by 800 m."""
    rng = np.random.default_rng(seed)
    east = np.arange(NODES) * STEP_M
    waves = []
    for angle in rng.uniform(0, 2 * np.pi, 3):
        along = east[None] * np.cos(angle) + east[:, None] * np.sin(angle)
        waves.append(np.sin(2 * np.pi * along / rng.uniform(250, 400) + rng.uniform(0, 6)))
    sum_of = np.sum(waves, axis=0)
    return Terrain(about_m + relief_m * (sum_of - sum_of.min()) / np.ptp(sum_of), (-400.0, 400.0), (STEP_M, STEP_M))
