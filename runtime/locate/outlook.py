"""What can be said after the newest frame, by motion alone: positions between frames, from a value that stays as it is.

The loop makes one after each frame; whoever sends ten positions a second asks it from a thread of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from runtime.fix import Fix, NoFix, Verdict
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.limits import Limits
from runtime.locate.position import PositionEstimate
from runtime.locate.state import FlightState


@dataclass(frozen=True, slots=True)
class Outlook:
    """A flight's state, and what makes a fix of an estimate."""

    state: FlightState
    limits: Limits
    map_variance_m2: float
    """Of the map's place on the Earth, along each axis."""
    map_shift_en_m: tuple[float, float] = (0.0, 0.0)
    """From a place of the map to where it is on the Earth."""

    def at(self, t_us: int, velocity_en_mps: tuple[float, float] = (math.nan, math.nan)) -> Verdict:
        """Say where the drone is at a time after the newest frame; what is told of its velocity may be unknown."""
        newest_us = self.state.newest_us
        if newest_us is None or t_us <= newest_us:
            return NoFix(t_us, "time_ran_backwards")
        moved = self.state.belief.moved(t_us, np.array(velocity_en_mps), None)
        estimate = moved.unregistered(self.limits, None)
        if estimate is None:
            return NoFix(t_us, "unconfirmed", doubts=self.state.doubts())
        return self.fix(t_us, math.nan, estimate)

    def velocity(self) -> tuple[float, float, float] | None:
        """Return the speed east and north and the larger sigma, metres a second; None where nothing is believed."""
        leader = self.state.belief.posterior.leader
        if leader is None:
            return None
        east_mps, north_mps = leader.track.mean[2:].tolist()
        return east_mps, north_mps, float(np.sqrt(np.linalg.eigvalsh(leader.track.cov[2:, 2:])[-1]))

    def fix(
        self,
        t_us: int,
        alt_msl_m: float,
        estimate: PositionEstimate,
        *,
        ground: LatLon | None = None,
        yaw_deg: float | None = None,
    ) -> Fix:
        """Make a fix; what no number of frames averages out comes on top: the map's misplacement, and the lens's."""
        place = self._on_earth(LocalFrame(self.state.origin).to_latlon(*estimate.position_en_m.tolist()))
        ground = None if ground is None else self._on_earth(ground)
        cov = estimate.cov_m2 + self.state.telemetry_cov_m2 + np.eye(2) * self.map_variance_m2
        return Fix(
            t_us=t_us,
            lat=place.lat,
            lon=place.lon,
            ground_lat=None if ground is None else ground.lat,
            ground_lon=None if ground is None else ground.lon,
            alt_msl_m=None if math.isnan(alt_msl_m) else alt_msl_m,
            yaw_deg=yaw_deg,
            cov_en_m2=(float(cov[0, 0]), float(cov[0, 1]), float(cov[1, 1])),
            source=estimate.source,
            anchor_age_s=(t_us - estimate.anchored_us) * 1e-6,
            quality=estimate.quality,
            latency_ms=0.0,
            doubts=self.state.doubts(),
        )

    def _on_earth(self, place: LatLon) -> LatLon:
        """Take the map's misplacement out of a place of the map."""
        return LocalFrame(place).to_latlon(*self.map_shift_en_m) if any(self.map_shift_en_m) else place
