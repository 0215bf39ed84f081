"""What several tests of this room draw."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.geo.mercator import LatLon
from runtime.geo.rectify import View


@dataclass(frozen=True)
class Scene:
    """A frame of the generated world as its telemetry lays it out, and where it truly was."""

    view: View
    axis_en_m: tuple[float, float]
    drone: LatLon
    ground: LatLon
