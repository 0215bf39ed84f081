"""What would telemetry have to say for a frame to fit the map? Asked where nothing fits; said, and never flown by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from runtime.fix import Doubt
from runtime.frame import Telemetry
from runtime.locate.belief_limits import SUSPICION

FEET_PER_M = 3.28084

Supposition = Callable[[Telemetry], Telemetry]


def _turned(by_deg: float) -> Supposition:
    return lambda told: replace(told, cam_yaw_deg=(told.cam_yaw_deg + by_deg) % 360.0)


SUPPOSED: Mapping[Doubt, Supposition] = {
    "yaw_off_180": _turned(-180.0),
    "yaw_off_90": _turned(-90.0),
    "yaw_off_270": _turned(-270.0),
    "altitude_in_feet": lambda told: replace(told, alt_agl_m=told.alt_agl_m / FEET_PER_M),
}
"""By what may be wrong: the telemetry that would then be right."""

_ORDER: tuple[Doubt, ...] = tuple(SUPPOSED)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How long nothing has fitted, which supposition is tried, and how often in a row it did."""

    unmatched: int = 0
    tried: int = 0
    fitted: int = 0

    @property
    def supposed(self) -> Doubt:
        """The supposition whose turn it is."""
        return _ORDER[self.tried % len(_ORDER)]

    @property
    def borne_out(self) -> Doubt | None:
        """What is surely wrong."""
        return self.supposed if self.fitted >= SUSPICION.fits else None

    @property
    def asks(self) -> bool:
        """Whether this frame is worth a look at the supposition: now and then, and again where it fitted."""
        if self.unmatched < SUSPICION.unmatched or self.borne_out is not None:
            return False
        return self.fitted > 0 or self.unmatched % SUSPICION.every == 0

    def after_no_match(self) -> Suspicion:
        """Take in a frame that fitted nothing."""
        return replace(self, unmatched=self.unmatched + 1)

    def after_look(self, *, fits: bool) -> Suspicion:
        """Take in what the look at a supposition came to."""
        if fits:
            return replace(self, fitted=self.fitted + 1)
        return replace(self, tried=self.tried + 1, fitted=0)
