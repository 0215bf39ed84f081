"""All that a flight has taught so far, as one value: it can be kept, restored, and carried without a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from runtime.errors import SettingsError
from runtime.fix import Doubt
from runtime.geo.local import LocalFrame, short_way_deg
from runtime.geo.mercator import LatLon
from runtime.locate.belief import Belief
from runtime.locate.domain import DomainMean
from runtime.locate.feed import Feed
from runtime.locate.kept import check_bounded
from runtime.locate.limits import FRAME, MOUNT, REGISTRATION
from runtime.locate.mount import MountEstimate
from runtime.locate.suspect import Suspicion
from runtime.types import FloatArray

FORMAT = 3


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a frame that taught the mount saw."""

    ground: LatLon  # in the middle
    yaw_deg: float

    def is_over(self, now: Lesson, side_m: float) -> bool:
        """Whether a frame sees other ground, or sees it from another side: its slopes and roofs are others."""
        apart_m = math.hypot(*LocalFrame(self.ground).to_en(now.ground))
        turned_deg = abs(short_way_deg(now.yaw_deg - self.yaw_deg))
        return apart_m >= MOUNT.lesson_side_share * side_m or turned_deg >= MOUNT.lesson_turn_deg


@dataclass(frozen=True, slots=True)
class FlightState:
    """What is believed of a flight; all of it goes when a clock was set anew."""

    origin: LatLon
    """Of the local frame that the belief's metres are in; it follows the drone."""
    belief: Belief
    mount: MountEstimate = field(default_factory=MountEstimate)
    feed: Feed = field(default_factory=Feed)
    session: str | None = None
    newest_us: int | None = None
    backwards_us: tuple[int, ...] = ()
    suspicion: Suspicion = field(default_factory=Suspicion)
    """What telemetry would have to say, where nothing fits; not kept."""
    domain: DomainMean = field(default_factory=DomainMean)
    """What the frames have in common; not kept."""
    lesson: Lesson | None = None
    """The newest that the mount was taught; not kept."""
    tilt_doubted: int = 0
    """So many more registrations that bear the attitude out are needed, before few points that agree with it count."""
    missing_m: float = 0.0
    """One sigma of where a tilt that was found far from told may leave the drone, in the newest registered picture."""

    @property
    def telemetry_cov_m2(self) -> FloatArray:  # (2, 2)
        """How far off the drone may be in every frame alike: of a tilt found far from told a part may be missing."""
        return np.eye(2) * self.missing_m**2

    def heard(self, t_us: int) -> FlightState:
        """Take in the time of a frame: in a row of frames that are older than the newest, each later than the one
        before, the clock was set anew.
        """
        if not self.ran_backwards(t_us):
            return replace(self, backwards_us=())
        return replace(self, backwards_us=(*(one_us for one_us in self.backwards_us if one_us < t_us), t_us))

    def ran_backwards(self, t_us: int) -> bool:
        """Tell whether a frame is no newer than the newest one: it gives no fix."""
        return self.newest_us is not None and t_us <= self.newest_us

    @property
    def clock_was_set(self) -> bool:
        """Whether so many frames are older than the newest one that the clock was set: all begins anew."""
        return len(self.backwards_us) >= FRAME.backwards_until_clock_set

    def having_found_tilt(self, tilt_rad: float) -> FlightState:
        """Take in how far from what was expected a frame found the camera to look, believed or not."""
        far = tilt_rad > math.radians(REGISTRATION.max_tilts_deg[1])
        return replace(self, tilt_doubted=REGISTRATION.tilt_doubted if far else max(self.tilt_doubted - 1, 0))

    def taught(self, mount: MountEstimate, lesson: Lesson, side_m: float) -> FlightState:
        """Take in what a frame that sees a square of ``side_m`` taught of the mount, unless it sees the ground of the
        newest lesson: what bends its matches bends those of all frames that see it.
        """
        if self.lesson is not None and not self.lesson.is_over(lesson, side_m):
            return self
        return replace(self, mount=mount, lesson=lesson)

    def doubts(self) -> tuple[Doubt, ...]:
        """Return what is told and contradicted by the map, or by itself."""
        found: dict[Doubt, bool] = {
            "velocity": self.belief.velocity.ignored or self.feed.velocity_stale,
            "telemetry": self.feed.stale,
            "start": self.belief.start_contradicted,
            "clock": self.belief.clock_doubted,
            **self.mount.contradicts(),
        }
        suspected = self.suspicion.borne_out
        return tuple(doubt for doubt, holds in found.items() if holds) + (() if suspected is None else (suspected,))

    def to_json(self) -> dict[str, Any]:
        """Return plain values; pictures are not kept."""
        return {
            "format": FORMAT,
            "origin": [self.origin.lat, self.origin.lon],
            "belief": self.belief.to_json(),
            "mount": self.mount.to_json(),
            "feed": self.feed.to_json(),
            "session": self.session,
            "newest_us": self.newest_us,
            "backwards_us": list(self.backwards_us),
            "tilt_doubted": self.tilt_doubted,
            "missing_m": self.missing_m,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FlightState:
        """Read what :meth:`to_json` wrote; raises SettingsError for anything else."""
        try:
            check_bounded(values)
            if values["format"] != FORMAT:
                raise ValueError(f"format {values['format']}, expected {FORMAT}")
            newest_us = values["newest_us"]
            lat, lon = values["origin"]
            if not (abs(lat) <= 90.0 and abs(lon) <= 180.0):
                raise ValueError(f"origin {lat}, {lon}")
            belief = Belief.from_json(values["belief"])
            if newest_us is not None and any(t_us > newest_us for t_us in belief.times_us()):
                raise ValueError("a belief of a time after the newest frame")
            return cls(
                LatLon(float(lat), float(lon)),
                belief,
                MountEstimate.from_json(values["mount"]),
                Feed.from_json(values["feed"]),
                values["session"],
                None if newest_us is None else int(newest_us),
                tuple(int(one) for one in values["backwards_us"]),
                tilt_doubted=int(values["tilt_doubted"]),
                missing_m=float(values["missing_m"]),
            )
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            raise SettingsError(f"this is no kept state of a flight ({error!r}): begin without it") from None
