"""Which sightings are believed: a gate while there is a track, agreement of several before there is one."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from runtime.geo.camera import FloatArray
from runtime.locate.filter import GATE_99, Track

_REMEMBERED = 4  # sightings not yet believed: two of the last four must agree
VOUCHING_SIGMA_M = 20.0  # a track wider than this cannot vouch for a weak sighting
_MAX_SPEED_MPS = 30.0
_MEANS_SOMETHING_M = 300.0  # weak sightings that may lie further apart than this and still agree confirm nothing


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look's position of the drone, about the map's middle."""

    t_us: int
    position_en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)
    strong: bool  # enough to be believed alone

    def moved(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> Sighting:
        """The same, carried to a later time."""
        return replace(self, t_us=t_us, position_en_m=self.position_en_m + shift_en_m, cov_m2=self.cov_m2 + cov_m2)

    def agrees_with(self, other: Sighting) -> bool:
        """Could one drone have been at both places?"""
        seconds = abs(self.t_us - other.t_us) * 1e-6
        sigma_m = float(np.sqrt(np.linalg.eigvalsh(self.cov_m2 + other.cov_m2)[-1]))
        apart_m = float(np.linalg.norm(self.position_en_m - other.position_en_m))
        reach_m = _MAX_SPEED_MPS * seconds + 3.0 * sigma_m
        telling = (self.strong and other.strong) or reach_m <= _MEANS_SOMETHING_M
        return telling and apart_m <= reach_m


class Belief:
    """Where the drone is, if that is known.

    A strong sighting starts a track alone and corrects one inside its gate. A weak one only corrects a track that is
    tight enough to vouch for it. What is not believed waits for another that agrees with it: two of the last four.
    """

    def __init__(self, track: Track | None = None) -> None:
        """``track`` is a start that somebody vouches for."""
        self.track = track
        self.anchored_us: int | None = None  # when the map last confirmed the track
        self._waiting: deque[Sighting] = deque(maxlen=_REMEMBERED)

    def predict(self, t_us: int, velocity_en_mps: FloatArray) -> None:
        """Carry the track to a time; a NaN velocity is none."""
        if self.track is not None:
            self.track.predict(t_us)
            if np.isfinite(velocity_en_mps).all():
                self.track.see_velocity(velocity_en_mps)

    def carry(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> None:
        """Carry all that is believed, and what waits to be, by a displacement that was seen."""
        if self.track is not None:
            self.track.carry(t_us, shift_en_m, cov_m2)
        self._waiting = deque((one.moved(t_us, shift_en_m, cov_m2) for one in self._waiting), maxlen=_REMEMBERED)

    @property
    def sigma_m(self) -> float:
        """Largest standard deviation of the position; infinite without a track."""
        return math.inf if self.track is None else self.track.sigma_m

    def weigh(self, sighting: Sighting) -> bool:
        """Take a sighting in; False when it is not believed (yet)."""
        track = self.track
        inside = track is not None and track.distance2(sighting.position_en_m, sighting.cov_m2) <= GATE_99
        if track is not None and inside and (sighting.strong or track.sigma_m <= VOUCHING_SIGMA_M):
            track.see_position(sighting.position_en_m, sighting.cov_m2)
        elif self._confirmed(sighting) or (sighting.strong and track is None):
            self.track = Track(sighting.t_us, sighting.position_en_m, sighting.cov_m2)
        else:
            self._waiting.append(sighting)
            return False
        self._waiting.clear()
        self.anchored_us = sighting.t_us
        return True

    def _confirmed(self, sighting: Sighting) -> bool:
        """Does a recent sighting that was not believed agree with this one?"""
        return any(sighting.agrees_with(other) for other in self._waiting)
