"""What a flight has found to be wrong with what it was told of its camera: for people, and for the next flight."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from runtime.locate.limits import MOUNT
from runtime.locate.mount import MountEstimate
from runtime.locate.offset import FOCAL, HEIGHT, TURN

_SURE_SIGMAS = 2.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and one sigma of it."""

    value: float
    sigma: float

    @property
    def is_sure(self) -> bool:
        """Whether it is surely not zero."""
        return abs(self.value) > _SURE_SIGMAS * self.sigma


@dataclass(frozen=True, slots=True)
class CameraFound:
    """What the true camera has more than the told one."""

    focal_length_percent: Estimate
    height_percent: Estimate
    pitch_deg: Estimate  # further up

    @property
    def tells_focal_length(self) -> bool:
        """Whether the flight tells the focal length well enough to write it down; one straight down tells none."""
        return self.focal_length_percent.sigma <= MOUNT.telling_focal_percent

    def to_json(self) -> dict[str, Any]:
        """Return plain values, rounded."""
        return {name: {key: round(v, 2) for key, v in one.items()} for name, one in asdict(self).items()}

    def __str__(self) -> str:
        """Say what is surely wrong, in words."""
        said = []
        if self.focal_length_percent.is_sure:
            how = "longer" if self.focal_length_percent.value > 0 else "shorter"
            said.append(f"focal length {_with_sigma(self.focal_length_percent, '%')} {how} than camera.yaml")
        if self.height_percent.is_sure:
            how = "more" if self.height_percent.value > 0 else "less"
            said.append(f"height {_with_sigma(self.height_percent, '%')} {how} than told")
        if self.pitch_deg.is_sure:
            how = "up" if self.pitch_deg.value > 0 else "down"
            said.append(f"the camera looks {_with_sigma(self.pitch_deg, ' degrees')} further {how} than told")
        return "; ".join(said) or "nothing that is surely wrong"


def camera_found(mount: MountEstimate) -> CameraFound | None:
    """Return what a flight has found; None where no frame has taught anything."""
    known = mount.known()
    if known is None:
        return None
    sigma = [math.sqrt(known.cov[i, i]) for i in range(len(known.mean))]
    focal, height, pitch = (float(known.mean[i]) for i in (FOCAL, HEIGHT, TURN.start))
    return CameraFound(
        Estimate(100.0 * math.expm1(focal), 100.0 * sigma[FOCAL]),
        Estimate(100.0 * math.expm1(height), 100.0 * sigma[HEIGHT]),
        Estimate(math.degrees(pitch), math.degrees(sigma[TURN.start])),
    )


def _with_sigma(one: Estimate, unit: str) -> str:
    return f"{abs(one.value):.1f} +- {one.sigma:.1f}{unit}"
