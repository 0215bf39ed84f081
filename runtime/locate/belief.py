"""Which measurements are believed: a gate while there is a track, agreement of several before there is one."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runtime.fix import FixSource
from runtime.locate.limits import BELIEF, GRID, TRACK, Limits
from runtime.locate.place_grid import PlaceGrid, TileLikelihood
from runtime.locate.track import Track, moved_variance_m2
from runtime.model.score_map import ScoreMap
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class PositionMeasurement:
    """A position of the drone that one frame gives, about the map's middle."""

    t_us: int
    position_en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)
    strong: bool  # enough to be believed alone

    def moved(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> PositionMeasurement:
        """Carry the measurement to a later time."""
        return replace(self, t_us=t_us, position_en_m=self.position_en_m + shift_en_m, cov_m2=self.cov_m2 + cov_m2)

    def agrees_with(self, other: PositionMeasurement) -> bool:
        """Tell whether one drone can have been at both places."""
        seconds = abs(self.t_us - other.t_us) * 1e-6
        sigma_m = float(np.sqrt(np.linalg.eigvalsh(self.cov_m2 + other.cov_m2)[-1]))
        apart_m = float(np.linalg.norm(self.position_en_m - other.position_en_m))
        reach_m = BELIEF.max_speed_mps * seconds + BELIEF.agreeing_sigmas * sigma_m
        telling = (self.strong and other.strong) or reach_m <= BELIEF.telling_reach_m
        return telling and apart_m <= reach_m


@dataclass(frozen=True, slots=True)
class PositionEstimate:
    """A position that may be said, and what it rests on."""

    source: FixSource
    position_en_m: FloatArray  # (2,)
    cov_m2: FloatArray  # (2, 2)
    anchored_us: int  # when the map last confirmed it
    quality: int  # 0 to 100

    @property
    def sigma_m(self) -> float:
        """The standard deviation in the direction in which it is largest."""
        return float(np.sqrt(np.linalg.eigvalsh(self.cov_m2)[-1]))


class Belief:
    """Where the drone is, if that is known.

    A strong measurement starts a track alone, and corrects one inside its gate. A weak one only corrects a track that
    is tight enough to vouch for it. What is not believed waits for another that agrees with it: two of the last
    four. Beside the track a grid over the whole map holds what retrieval says, frame upon frame.
    """

    def __init__(self, grid: PlaceGrid, track: Track | None = None, *, registers: bool = True) -> None:
        """``track`` is a start that somebody vouches for. If nothing ``registers``, retrieval vouches for itself."""
        self.track, self.grid, self._registers = track, grid, registers
        self._cosines: deque[float] = deque(maxlen=BELIEF.recognised_frames)
        self.anchored_us: int | None = None  # when the map last confirmed the track
        self._newest_us: int | None = None
        self._waiting: deque[PositionMeasurement] = deque(maxlen=BELIEF.waiting)
        if track is not None:
            grid.see_position(track.position_en_m, track.position_cov_m2, BELIEF.wrong_start)

    def predict(self, t_us: int, velocity_en_mps: FloatArray) -> None:
        """Carry what is believed to a time; a NaN velocity is none."""
        seconds, known = self._seconds_to(t_us), bool(np.isfinite(velocity_en_mps).all())
        if known:
            self.grid.predict(velocity_en_mps * seconds, moved_variance_m2(seconds))
        else:
            self.grid.predict(np.zeros(2), (TRACK.first_speed_sigma_mps * seconds) ** 2)
        if self.track is not None:
            self.track.predict(t_us)
            if known:
                self.track.see_velocity(velocity_en_mps)

    def carry(self, t_us: int, shift_en_m: FloatArray, cov_m2: FloatArray) -> None:
        """Carry all that is believed, and what waits to be, by a displacement that was seen."""
        self._seconds_to(t_us)
        self.grid.predict(shift_en_m, float(cov_m2.trace()) / 2)
        if self.track is not None:
            self.track.carry(t_us, shift_en_m, cov_m2)
        self._waiting = deque((one.moved(t_us, shift_en_m, cov_m2) for one in self._waiting), maxlen=BELIEF.waiting)

    def _seconds_to(self, t_us: int) -> float:
        seconds = 0.0 if self._newest_us is None else (t_us - self._newest_us) * 1e-6
        self._newest_us = t_us
        return seconds

    @property
    def sigma_m(self) -> float:
        """Largest standard deviation of the position; infinite without a track."""
        return math.inf if self.track is None else self.track.sigma_m

    def weigh(self, measured: PositionMeasurement) -> bool:
        """Take a measurement in; False when it is not believed (yet)."""
        track = self.track
        inside = track is not None and track.distance2(measured.position_en_m, measured.cov_m2) <= TRACK.gate_99
        if track is not None and inside and (measured.strong or track.sigma_m <= BELIEF.vouching_sigma_m):
            track.see_position(measured.position_en_m, measured.cov_m2)
        elif self._confirmed(measured) or (measured.strong and track is None):
            self.track = Track(measured.t_us, measured.position_en_m, measured.cov_m2)
        else:
            self._waiting.append(measured)
            return False
        self._waiting.clear()
        self.anchored_us = measured.t_us
        self.grid.see_position(measured.position_en_m, measured.cov_m2, BELIEF.wrong_measurement)
        return True

    def see_retrieval(self, tiles: Sequence[TileLikelihood], score_map: ScoreMap, alt_agl_m: float) -> None:
        """Take in what retrieval says of a frame."""
        self.grid.see(tiles, max(score_map.outlier_share, GRID.min_outlier_share), alt_agl_m)
        self._cosines.append(max(float(level.logit.max()) for level in tiles) * score_map.temperature)

    def registered(self, quality: int) -> PositionEstimate:
        """Return the position of the track that a registration was just taken into."""
        if self.track is None or self.anchored_us is None:
            raise ValueError("nothing was registered")
        return PositionEstimate(
            "registration", self.track.position_en_m, self.track.position_cov_m2, self.anchored_us, quality
        )

    def unregistered(self, limits: Limits, axis_cov_m2: FloatArray | None) -> PositionEstimate | None:
        """Return the position that stands without a registration; None where none is worth saying.

        It is the track's, or what retrieval has come to be sure of. ``axis_cov_m2`` (2, 2) is how well the way from the
        drone to the ground it looked at is known; None: no ground was seen.
        A wrong map has likest tiles too. Retrieval is heard where a registration has shown the map to be the right one.
        """
        estimates: list[PositionEstimate] = []
        track, anchored_us = self.track, self.anchored_us
        if track is not None and anchored_us is not None:
            estimates.append(
                PositionEstimate("dead_reckoning", track.position_en_m, track.position_cov_m2, anchored_us, 0)
            )
        heard = anchored_us is not None or self._recognises()
        if heard and axis_cov_m2 is not None and self._newest_us is not None:
            mode = self.grid.mode()
            if mode.probability >= limits.min_mode_probability:
                cov_m2, quality = mode.cov_m2 + axis_cov_m2, round(BELIEF.retrieval_quality * mode.probability)
                estimates.append(PositionEstimate("retrieval", mode.position_en_m, cov_m2, self._newest_us, quality))
        best = min(estimates, key=lambda estimate: estimate.sigma_m, default=None)
        return best if best is not None and best.sigma_m <= limits.max_unregistered_sigma_m else None

    def _recognises(self) -> bool:
        full = len(self._cosines) == BELIEF.recognised_frames
        return not self._registers and full and float(np.mean(self._cosines)) >= BELIEF.recognised_cosine

    def _confirmed(self, measured: PositionMeasurement) -> bool:
        """Tell whether a recent measurement that was not believed agrees with this one."""
        return any(measured.agrees_with(other) for other in self._waiting)
