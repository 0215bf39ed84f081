"""A place where the drone may be: its track, how probable it is, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from runtime.locate.belief_limits import BELIEF, POSTERIOR
from runtime.locate.track import Track
from runtime.types import FloatArray

Lineage: TypeAlias = Literal["", "start", "against the start"]
"""Whether a placement descends from the place where somebody said that the flight begins, or arose beside it."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One of the places where the drone may be."""

    track: Track
    probability: float
    agreed: int = 0
    """Registrations that it rests on: the first, and those that lay where it expected them; weak ones do not count."""
    strong: bool = False
    """Whether one of them was beyond doubt."""
    retired: bool = False
    """Whether a run of frames that matched nothing has taken away what it rested on."""
    anchored_us: int | None = None
    """When the map last confirmed it."""
    unmatched: int = 0
    """Frames in a row, since then, that saw ground and matched nothing of the map there."""
    lineage: Lineage = ""
    """Empty where no start was told, and once the map has confirmed it."""

    @property
    def anchored(self) -> bool:
        """True once two registrations agree on it, until a run of frames matches nothing."""
        return self.agreed >= 2 and self.anchored_us is not None

    @property
    def borne_out(self) -> bool:
        """True when a registration that lies where this place expects it may be said: one of those that it rests on
        was beyond doubt, or two agree, of which one may be older than a run of frames that matched nothing.
        """
        return self.strong or self.anchored or (self.retired and self.agreed >= 1)

    @property
    def is_looked_at(self) -> bool:
        """True when registrations have led here, and no other place is likely: it is worth a look though it be wide."""
        sure = self.probability >= BELIEF.min_probability and self.track.sigma_m <= BELIEF.looked_at_sigma_m
        return sure and (self.retired or (self.agreed >= 1 and self.anchored_us is not None))  # not a start alone

    def registered(self, t_us: int, track: Track, outlier_share: float, density: float) -> Placement:
        """Take in a registration inside the gate, which makes ``track`` of this one's.

        ``density`` is how much more probable this place made it than anywhere on the map.
        """
        if outlier_share > POSTERIOR.counting_outlier_share and self.retired and not (self.strong or self.anchored):
            return self  # a weak one must not move what is forgotten to where the next weak one lies
        telling = density >= POSTERIOR.telling_density
        # A retired place that has grown wide, or says nothing of where, is recalled by none: it begins anew.
        recalled = self.retired and telling and self.track.sigma_m <= BELIEF.looked_at_sigma_m
        begun = self.agreed >= 1 and self.lineage != "start"  # a start that was told is no registration
        needed = POSTERIOR.agreeing_outlier_share if begun else POSTERIOR.counting_outlier_share
        counts = outlier_share <= needed and (telling or not self.agreed)
        return replace(
            self,
            track=track,
            agreed=self.agreed + counts,
            strong=self.strong or outlier_share <= POSTERIOR.strong_outlier_share,
            retired=recalled or (self.retired and self.agreed >= 1),
            anchored_us=t_us,
            unmatched=0,
        )

    def without_match(self) -> Placement:
        """Take in a frame that saw ground and matched nothing: a run of them retires what it rests on."""
        unmatched = self.unmatched + 1
        if unmatched < min(self.agreed, POSTERIOR.unmatched_frames):
            return replace(self, unmatched=unmatched)
        rested = self.agreed >= 1 and self.anchored_us is not None  # a start that was told is no registration
        return replace(self, unmatched=unmatched, agreed=0, strong=False, retired=self.retired or rested)

    def carried(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> Placement:
        """Carry it by a displacement that is known."""
        return replace(self, track=self.track.carried(t_us, shift_en_m, cov_m2))

    def predicted(self, t_us: int) -> Placement:
        """Carry it by the speed that it has."""
        return replace(self, track=self.track.predicted(t_us))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "track": self.track.to_json(),
            "probability": self.probability,
            "agreed": self.agreed,
            "strong": self.strong,
            "retired": self.retired,
            "anchored_us": self.anchored_us,
            "unmatched": self.unmatched,
            "lineage": self.lineage,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Placement:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError."""
        anchored_us = values["anchored_us"]
        if not (0.0 <= values["probability"] <= 1.0 and values["lineage"] in get_args(Lineage)):
            raise ValueError(f"probability {values['probability']}, lineage {values['lineage']!r}")
        return cls(
            Track.from_json(values["track"]),
            float(values["probability"]),
            int(values["agreed"]),
            bool(values["strong"]),
            bool(values["retired"]),
            None if anchored_us is None else int(anchored_us),
            int(values["unmatched"]),
            values["lineage"],
        )


def merged(a: Placement, b: Placement) -> Placement:
    """Make one placement of two that are about the same place, by their moments; the more probable one's past stays."""
    total = a.probability + b.probability
    main = a if a.probability >= b.probability else b
    if not total > 0.0:
        return main
    share = a.probability / total, b.probability / total
    mean = share[0] * a.track.mean + share[1] * b.track.mean
    cov = np.zeros((4, 4))
    for part, one in zip(share, (a, b), strict=True):
        away = one.track.mean - mean
        cov += part * (one.track.cov + np.outer(away, away))
    return replace(main, track=Track(main.track.t_us, mean, cov), probability=total)
