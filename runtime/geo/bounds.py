"""A box on the map, in Web Mercator metres."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.geo.local import short_way_deg
from runtime.geo.mercator import LatLon, Metres, to_latlon


@dataclass(frozen=True, slots=True)
class Bounds:
    """A box in Web Mercator metres; across the 180th meridian its east is beyond the half world."""

    west: float
    south: float
    east: float
    north: float

    @property
    def centre(self) -> LatLon:
        """The place in the middle of the box."""
        lat, lon = to_latlon(Metres((self.west + self.east) / 2, (self.south + self.north) / 2))
        return LatLon(lat, short_way_deg(lon))

    def as_degrees(self) -> tuple[float, float, float, float]:
        """West, south, east and north in degrees, east of the 180th meridian beyond 180."""
        low, high = to_latlon(Metres(self.west, self.south)), to_latlon(Metres(self.east, self.north))
        return low.lon, low.lat, high.lon, high.lat
