"""What several tests of this room draw."""

from __future__ import annotations

from runtime.fix import Fix
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon

HOME = LatLon(47.0, 8.0)


def fix(t_s: float, east_m: float, *, sigma_m: float = 2.0, ground_m: float | None = None, ms: float = 10.0) -> Fix:
    """A fix so many metres east of home."""
    place = LocalFrame(HOME).to_latlon(east_m, 0.0)
    ground = None if ground_m is None else LocalFrame(HOME).to_latlon(ground_m, 0.0)
    return Fix(
        t_us=round(t_s * 1e6),
        lat=place.lat,
        lon=place.lon,
        ground_lat=ground and ground.lat,
        ground_lon=ground and ground.lon,
        alt_msl_m=None,
        yaw_deg=None,
        cov_en_m2=(sigma_m**2, 0.0, sigma_m**2),
        source="registration",
        anchor_age_s=0.0,
        quality=50,
        latency_ms=ms,
    )
