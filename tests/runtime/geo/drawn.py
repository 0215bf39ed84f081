"""What several tests of this room draw."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from runtime.geo.camera import Camera
from runtime.geo.mercator import (
    LatLon,
)

places = st.builds(LatLon, st.floats(-75, 75), st.floats(-179.9, 179.9))


def earth_centred(place: LatLon) -> np.ndarray:
    """WGS 84 surface point in metres from the Earth's centre (ICD-GPS-200's definition, nothing of ours)."""
    a, f = 6378137.0, 1 / 298.257223563
    lat, lon = np.radians(place)
    n = a / math.sqrt(1 - f * (2 - f) * math.sin(lat) ** 2)
    flat = n * math.cos(lat)
    return np.array([flat * math.cos(lon), flat * math.sin(lon), (1 - f) ** 2 * n * math.sin(lat)])


CAMERA = Camera(640, 480, np.array([[500.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]]), np.zeros(5))
