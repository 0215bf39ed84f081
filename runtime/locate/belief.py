"""Which sightings are believed: a gate while there is a track, agreement of several before there is one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runtime.locate.limits import Limits
from runtime.locate.place_grid import PlaceGrid, TileLikelihood
from runtime.locate.track import FIRST_SPEED_SIGMA_MPS, GATE_99, Track, moved_variance_m2
from runtime.model.score_map import ScoreMap
from runtime.types import FloatArray

_REMEMBERED = 4  # sightings not yet believed: two of the last four must agree
_RECOGNISED_COSINE = 0.62  # mean of the best of four frames; over wrong maps it reaches 0.58 (the encoder that ships)
_LEAST_OUTLIER_SHARE = 0.2  # frames over the same ground are wrong together, which no fit to single ones sees
VOUCHING_SIGMA_M = 20.0  # a track wider than this cannot vouch for a weak sighting
_WRONG_START, _WRONG_SIGHTING = 0.05, 0.01  # what is vouched for may be wrong all the same
_MAX_SPEED_MPS = 30.0
_MEANS_SOMETHING_M = 300.0  # weak sightings that may lie further apart than this and still agree confirm nothing


@dataclass(frozen=True, slots=True)
class PositionMeasurement:
    """One look's position of the drone, about the map's middle."""

    t_us: int
    position_en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)
    strong: bool  # enough to be believed alone

    def moved(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> PositionMeasurement:
        """The same, carried to a later time."""
        return replace(self, t_us=t_us, position_en_m=self.position_en_m + shift_en_m, cov_m2=self.cov_m2 + cov_m2)

    def agrees_with(self, other: PositionMeasurement) -> bool:
        """Could one drone have been at both places?"""
        seconds = abs(self.t_us - other.t_us) * 1e-6
        sigma_m = float(np.sqrt(np.linalg.eigvalsh(self.cov_m2 + other.cov_m2)[-1]))
        apart_m = float(np.linalg.norm(self.position_en_m - other.position_en_m))
        reach_m = _MAX_SPEED_MPS * seconds + 3.0 * sigma_m
        telling = (self.strong and other.strong) or reach_m <= _MEANS_SOMETHING_M
        return telling and apart_m <= reach_m


@dataclass(frozen=True, slots=True)
class PositionEstimate:
    """A position that may be said."""

    source: str  # registration | retrieval | dead_reckoning
    position_en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)
    anchored_us: int  # when the map last confirmed it
    quality: int  # 0 to 100

    @property
    def sigma_m(self) -> float:
        """In the direction in which it is widest."""
        return float(np.sqrt(np.linalg.eigvalsh(self.cov_m2)[-1]))


class Belief:
    """Where the drone is, if that is known.

    Of the map a strong sighting starts a track alone and corrects one inside its gate. A weak one only corrects a track
    that is tight enough to vouch for it. What is not believed waits for another that agrees with it: two of the last
    four. Beside the track a grid over the whole map holds what retrieval says, frame upon frame.
    """

    def __init__(self, grid: PlaceGrid, track: Track | None = None, *, registers: bool = True) -> None:
        """``track`` is a start that somebody vouches for. If nothing ``registers``, retrieval vouches for itself."""
        self.track, self.grid, self._registers = track, grid, registers
        self._cosines: deque[float] = deque(maxlen=_REMEMBERED)
        self.anchored_us: int | None = None  # when the map last confirmed the track
        self._newest_us: int | None = None
        self._waiting: deque[PositionMeasurement] = deque(maxlen=_REMEMBERED)
        if track is not None:
            grid.see_position(track.position_en_m, track.position_cov_m2, _WRONG_START)

    def predict(self, t_us: int, velocity_en_mps: FloatArray) -> None:
        """Carry what is believed to a time; a NaN velocity is none."""
        seconds, told = self._seconds_to(t_us), bool(np.isfinite(velocity_en_mps).all())
        if told:
            self.grid.predict(velocity_en_mps * seconds, moved_variance_m2(seconds))
        else:
            self.grid.predict(np.zeros(2), (FIRST_SPEED_SIGMA_MPS * seconds) ** 2)
        if self.track is not None:
            self.track.predict(t_us)
            if told:
                self.track.see_velocity(velocity_en_mps)

    def carry(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> None:
        """Carry all that is believed, and what waits to be, by a displacement that was seen."""
        self._seconds_to(t_us)
        self.grid.predict(shift_en_m, float(cov_m2.trace()) / 2)
        if self.track is not None:
            self.track.carry(t_us, shift_en_m, cov_m2)
        self._waiting = deque((one.moved(t_us, shift_en_m, cov_m2) for one in self._waiting), maxlen=_REMEMBERED)

    def _seconds_to(self, t_us: int) -> float:
        seconds = 0.0 if self._newest_us is None else (t_us - self._newest_us) * 1e-6
        self._newest_us = t_us
        return seconds

    @property
    def sigma_m(self) -> float:
        """Largest standard deviation of the position; infinite without a track."""
        return math.inf if self.track is None else self.track.sigma_m

    def weigh(self, sighting: PositionMeasurement) -> bool:
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
        self.grid.see_position(sighting.position_en_m, sighting.cov_m2, _WRONG_SIGHTING)
        return True

    def see_retrieval(self, scores: Sequence[TileLikelihood], score_map: ScoreMap, alt_agl_m: float) -> None:
        """Take in what retrieval says of a frame."""
        self.grid.see(scores, max(score_map.outlier_share, _LEAST_OUTLIER_SHARE), alt_agl_m)
        self._cosines.append(max(float(score.logit.max()) for score in scores) * score_map.temperature)

    def registered(self, quality: int) -> PositionEstimate:
        """The track that a registration was just taken into."""
        if self.track is None or self.anchored_us is None:
            raise ValueError("nothing was registered")
        return PositionEstimate(
            "registration", self.track.position_en_m, self.track.position_cov_m2, self.anchored_us, quality
        )

    def unregistered(self, limits: Limits, axis_cov_m2: FloatArray | None) -> PositionEstimate | None:
        """Without a registration: the track, or what retrieval has come to be sure of; None is not worth saying.

        ``axis_cov_m2`` (2, 2) is how well the way from the drone to the ground it looked at is known; None: no look.
        A wrong map has likest tiles too. Retrieval is heard where a registration has shown the map to be the right one.
        """
        found, track, anchored_us = [], self.track, self.anchored_us
        if track is not None and anchored_us is not None:
            found.append(PositionEstimate("dead_reckoning", track.position_en_m, track.position_cov_m2, anchored_us, 0))
        heard = anchored_us is not None or self._recognises()
        if heard and axis_cov_m2 is not None and self._newest_us is not None:
            mode = self.grid.mode()
            if mode.probability >= limits.min_mode_probability:
                cov_m2, quality = mode.cov_m2 + axis_cov_m2, round(50 * mode.probability)
                found.append(PositionEstimate("retrieval", mode.position_en_m, cov_m2, self._newest_us, quality))
        best = min(found, key=lambda where: where.sigma_m, default=None)
        return best if best is not None and best.sigma_m <= limits.max_unregistered_sigma_m else None

    def _recognises(self) -> bool:
        full = len(self._cosines) == _REMEMBERED
        return not self._registers and full and float(np.mean(self._cosines)) >= _RECOGNISED_COSINE

    def _confirmed(self, sighting: PositionMeasurement) -> bool:
        """Does a recent sighting that was not believed agree with this one?"""
        return any(sighting.agrees_with(other) for other in self._waiting)
