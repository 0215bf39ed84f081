"""What the localizer says of a frame: a position with its uncertainty, or why there is none."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

FixSource: TypeAlias = Literal["registration", "retrieval", "dead_reckoning"]
"""What a position rests on: the frame's pixels on the map, likely tiles over several frames, or motion since a fix."""

NoFixReason: TypeAlias = Literal[
    # the frame
    "unreadable_picture",
    "other_camera",
    "blank_picture",
    "frozen_picture",
    "time_ran_backwards",
    # its telemetry
    "frozen_telemetry",
    "no_altitude",
    "no_pitch",
    "near_horizon",
    "no_ground_seen",
    # the map
    "no_match",
    "ambiguous",
    "unconfirmed",
    "start_contradicted",
]
"""Why a frame has no position: the keys of ``no_fix`` in ``fixes.jsonl``, explained in ``docs/formats.md``."""

Doubt: TypeAlias = Literal[
    "velocity",
    "telemetry",
    "start",
    "clock",
    "yaw",
    "tilt",
    "altitude",
    "focal_length",
    # nothing fits as it is told, and this would
    "yaw_off_180",
    "yaw_off_90",
    "yaw_off_270",
    "altitude_in_feet",
    # the daemon's own
    "gnss",
]
"""What the aircraft or the operator tells and the map contradicts: not believed, and said, until it is borne out."""

# P(error > K sigma) = exp(-K^2 / 2) = 1e-3 for a Gaussian of equal sigma in east and north (Rayleigh): K = 3.72.
# Taking the larger sigma for both bounds every other Gaussian.
K_HPL = math.sqrt(-2.0 * math.log(1e-3))


@dataclass(frozen=True, slots=True)
class Fix:
    """A position of the drone at one frame's exposure."""

    t_us: int  # exposure
    lat: float
    lon: float
    ground_lat: float | None  # where the optical axis meets the ground
    ground_lon: float | None
    alt_msl_m: float | None
    yaw_deg: float | None
    cov_en_m2: tuple[float, float, float]  # ee, en, nn
    source: FixSource
    anchor_age_s: float  # since the map last confirmed the position
    quality: int  # 0-100
    latency_ms: float
    doubts: tuple[Doubt, ...] = ()

    @property
    def hpl_m(self) -> float:
        """Horizontal protection level at 1e-3: K sqrt(largest eigenvalue of the covariance)."""
        ee, en, nn = self.cov_en_m2
        largest = (ee + nn) / 2 + math.hypot((ee - nn) / 2, en)
        return K_HPL * math.sqrt(largest)

    def with_latency(self, latency_ms: float) -> Fix:
        """Return this fix with its latency filled in."""
        return replace(self, latency_ms=latency_ms)

    def doubting(self, more: tuple[Doubt, ...]) -> Fix:
        """Return this fix with more doubts."""
        return replace(self, doubts=(*self.doubts, *more)) if more else self

    def to_json(self) -> str:
        """Write the fix as one line of ``fixes.jsonl``."""
        return json.dumps(
            {
                "t_us": self.t_us,
                "lat": round(self.lat, 8),
                "lon": round(self.lon, 8),
                "ground_lat": None if self.ground_lat is None else round(self.ground_lat, 8),
                "ground_lon": None if self.ground_lon is None else round(self.ground_lon, 8),
                "alt_msl_m": self.alt_msl_m,
                "yaw_deg": None if self.yaw_deg is None else round(self.yaw_deg, 2),
                "cov_en_m2": [round(v, 4) for v in self.cov_en_m2],
                "hpl_m": round(self.hpl_m, 2),
                "source": self.source,
                "anchor_age_s": round(self.anchor_age_s, 3),
                "quality": self.quality,
                "latency_ms": round(self.latency_ms, 2),
                **_told(self.doubts),
            }
        )


@dataclass(frozen=True, slots=True)
class NoFix:
    """A frame without a position, and the reason why."""

    t_us: int
    reason: NoFixReason
    latency_ms: float = 0.0
    doubts: tuple[Doubt, ...] = ()

    def with_latency(self, latency_ms: float) -> NoFix:
        """Return this verdict with its latency filled in."""
        return replace(self, latency_ms=latency_ms)

    def doubting(self, more: tuple[Doubt, ...]) -> NoFix:
        """Return this verdict with more doubts."""
        return replace(self, doubts=(*self.doubts, *more)) if more else self

    def to_json(self) -> str:
        """Write the verdict as one line of ``fixes.jsonl``."""
        return json.dumps({"t_us": self.t_us, "no_fix": self.reason, **_told(self.doubts)})


def _told(doubts: tuple[Doubt, ...]) -> dict[str, list[str]]:
    """Return the key of a line that says what is doubted; a line without doubts has none."""
    return {"doubts": list(doubts)} if doubts else {}


Verdict: TypeAlias = Fix | NoFix
