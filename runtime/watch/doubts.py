"""What the localizer doubts, in a pilot's words: each is told when it begins, and again when it has been away."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.fix import Doubt, Verdict

WORDS: Mapping[Doubt, str] = {
    "velocity": "velocity does not fit the map: ignored",
    "telemetry": "telemetry stands still",
    "start": "start does not fit the map: no position",
    "clock": "times do not fit the pictures",
    "yaw": "yaw is far from the map's",
    "tilt": "camera tilt is far from the map's",
    "altitude": "altitude is far from the map's",
    "focal_length": "focal length is far from the map's",
    "yaw_off_180": "yaw looks 180 deg off",
    "yaw_off_90": "yaw looks 90 deg off",
    "yaw_off_270": "yaw looks 270 deg off",
    "altitude_in_feet": "altitude looks like feet",
}
"""The GNSS watch has words of its own."""


class DoubtTeller:
    """Remembers what is doubted already."""

    def __init__(self) -> None:
        self._doubted: frozenset[Doubt] = frozenset()

    def look(self, verdict: Verdict) -> list[str]:
        """Return what is to be told of a verdict: the doubts that are new."""
        now = frozenset(verdict.doubts)
        new, self._doubted = now - self._doubted, now
        return [WORDS[doubt] for doubt in WORDS if doubt in new]
