"""What is believed of where the drone is, and when that may be said.

One posterior takes in all: a start that somebody vouches for, retrieval, registrations, motion. Its leader is said
when it is probable, precise, and rests on enough: a registration of this frame that is either beyond doubt or the
second that agrees; else two registrations before, and no run of frames since that matched nothing. A step that no drone
makes is never said, unless a loss was said before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from runtime.locate.belief_limits import BELIEF, POSTERIOR
from runtime.locate.limits import Limits
from runtime.locate.motion import Shift, ToldWay, VelocityTrust, shift_of
from runtime.locate.placement import Placement
from runtime.locate.position import PositionEstimate, PositionMeasurement
from runtime.locate.posterior import Evidence, Posterior
from runtime.locate.track import Track
from runtime.types import FloatArray

StartState: TypeAlias = Literal["none", "open", "confirmed", "contradicted"]
"""What the map has said of the place where somebody said that the flight begins."""


@dataclass(frozen=True, slots=True)
class Belief:
    """Where the drone is, as far as that is known, and what has been learnt of the velocity that it tells."""

    posterior: Posterior
    registers: bool = True
    """False: there are no local features, and retrieval vouches for itself."""
    velocity: VelocityTrust = field(default_factory=VelocityTrust.unproven)
    velocity_en_mps: tuple[float, float] | None = None
    """As it was told last."""
    told: ToldWay | None = None
    """The way that was told since the last registration; None: not all of it was told."""
    registered: PositionMeasurement | None = None
    """The last registration, believed or not."""
    hurried: int = 0
    """Registrations in a row, and less one for each other, that no drone can have come to from the one before."""
    newest_us: int | None = None
    retrieved_us: int | None = None
    """When retrieval last named a place."""
    start: StartState = "none"
    said: PositionEstimate | None = None
    """What was said of the last frame."""
    cosines: tuple[float, ...] = ()
    """Of the newest frames, each with the tile that it looks most like."""

    def with_start(self, t_us: int, position_en_m: FloatArray, sigma_m: float) -> Belief:
        """Begin at a place that somebody vouches for."""
        track = Track.at(t_us, position_en_m, np.eye(2) * sigma_m**2)
        begun = self.posterior.with_start(track, 1.0 - BELIEF.wrong_start)
        return replace(self, posterior=begun, start="open", newest_us=t_us)

    def moved(self, t_us: int, velocity_en_mps: FloatArray, seen: Shift | None) -> Belief:
        """Carry what is believed to a time, by a told velocity (NaN: none) and a displacement that pictures show."""
        known = (float(velocity_en_mps[0]), float(velocity_en_mps[1])) if np.isfinite(velocity_en_mps).all() else None
        if self.newest_us is None:
            return replace(self, newest_us=t_us, velocity_en_mps=known)
        seconds, told = (t_us - self.newest_us) * 1e-6, None
        way = None
        if known is not None and self.velocity_en_mps is not None:
            way = ToldWay.between(seconds, np.array(self.velocity_en_mps), np.array(known))
            told = self.velocity.shift(way, self.told or ToldWay())
        shift = shift_of(told, seen)
        if shift is None:
            posterior = self.posterior.predicted(t_us)
        else:
            posterior = self.posterior.carried(t_us, shift.en_m, shift.cov_m2)
        since = None if way is None or self.told is None else self.told.then(way)
        now = replace(self, posterior=posterior, told=since, newest_us=t_us, velocity_en_mps=known)
        return now._start_outlived(self.posterior.leader)

    def _start_outlived(self, before: Placement | None) -> Belief:
        """Close the question of the start when it is too long ago: what contradicted it last still does."""
        if self.start != "open" or any(one.lineage == "start" for one in self.posterior.placements):
            return self
        against = before is not None and before.lineage == "against the start"
        return replace(self, posterior=self.posterior.without_lineages(), start="contradicted" if against else "none")

    @property
    def starting(self) -> bool:
        """Whether all that is known is a precise start that somebody vouches for."""
        leader = self.posterior.leader
        return leader is not None and leader.lineage == "start" and leader.track.sigma_m <= BELIEF.vouching_sigma_m

    @property
    def tracking(self) -> bool:
        """Whether there is one precise place, borne out by the map: the next frame need not look elsewhere."""
        leader = self.posterior.leader
        return (
            leader is not None
            and (leader.anchored or leader.strong)
            and leader.probability >= BELIEF.min_probability
            and leader.track.sigma_m <= BELIEF.vouching_sigma_m
        )

    def retrieved(self, seen: Evidence, best_cosine: float) -> Belief:
        """Take in what a frame looks like."""
        cosines = (*self.cosines, best_cosine)[-BELIEF.recognised_frames :]
        return replace(self, posterior=self.posterior.with_retrieval(seen), cosines=cosines, retrieved_us=seen.t_us)

    def unmatched(self) -> Belief:
        """Take in that a frame saw ground and matched nothing."""
        return replace(self, posterior=self.posterior.without_match())

    def registering(self, measured: PositionMeasurement) -> Belief:
        """Take a registration in."""
        cov = measured.cov_m2
        seen = Evidence(measured.t_us, measured.position_en_m[None], np.ones(1), cov, measured.outlier_share)
        velocity, hurried = self.velocity, self.hurried
        last = self.registered
        if last is not None and max(last.outlier_share, measured.outlier_share) <= POSTERIOR.counting_outlier_share:
            shown = Shift(measured.position_en_m - last.position_en_m, cov + last.cov_m2)
            hurried = hurried + 1 if self._hurries(shown, (measured.t_us - last.t_us) * 1e-6) else max(hurried - 1, 0)
            if self.told is not None and not hurried:
                velocity = velocity.checked(self.told, shown)
        now = replace(
            self,
            posterior=self.posterior.with_registration(seen),
            velocity=velocity,
            told=ToldWay(),
            registered=measured,
            hurried=hurried,
        )
        leader = now.posterior.leader
        if self.start == "open" and leader is not None and leader.lineage == "start" and now._believes(leader):
            return replace(now, posterior=now.posterior.without_lineages(), start="confirmed")
        return now

    def _hurries(self, shown: Shift, seconds: float) -> bool:
        """Tell whether no drone comes from one registration to the next in the time that is told between them."""
        sigma_m = float(np.sqrt(np.linalg.eigvalsh(shown.cov_m2)[-1]))
        reach_m = BELIEF.max_speed_mps * seconds + BELIEF.agreeing_sigmas * sigma_m
        return math.hypot(*shown.en_m) > reach_m

    @property
    def clock_doubted(self) -> bool:
        """Whether registrations in a row are further apart than a drone flies: the times told are not those of the
        pictures, or of another unit.
        """
        return self.hurried >= BELIEF.hurried

    def _believes(self, leader: Placement) -> bool:
        """Tell whether the leader holds the newest registration, and surely enough."""
        measured = self.registered
        held = measured is not None and leader.anchored_us == measured.t_us
        return held and leader.probability >= BELIEF.min_probability

    @property
    def start_contradicted(self) -> bool:
        """Whether the map says that the flight began elsewhere than was told."""
        leader = self.posterior.leader
        return self.start == "contradicted" or (leader is not None and leader.lineage == "against the start")

    def from_registration(self, quality: int) -> PositionEstimate | None:
        """Return the position that the newest registration gives; None where it is not believed (yet)."""
        leader, measured = self.posterior.leader, self.registered
        if leader is None or measured is None or self.start_contradicted or not self._believes(leader):
            return None
        if not leader.borne_out:
            return None
        track = leader.track
        return PositionEstimate(
            track.t_us, "registration", track.position_en_m, track.position_cov_m2, measured.t_us, quality
        )

    def unregistered(self, limits: Limits, axis_cov_m2: FloatArray | None) -> PositionEstimate | None:
        """Return the position that stands without a registration of this frame; None where none is worth saying.

        ``axis_cov_m2`` (2, 2) is how well the way from the drone to the ground it looked at is known; None: no ground
        was seen. A wrong map has likest tiles too: retrieval and reckoning are heard where registrations have shown
        the map to be the right one, or, without local features, where the map looks like it more than wrong ones do.
        """
        leader = self.posterior.leader
        if leader is None or self.newest_us is None or self.start_contradicted or self.clock_doubted:
            return None
        if self.registers:
            if not leader.anchored or leader.probability < BELIEF.min_probability:
                return None
        elif axis_cov_m2 is None or not self._recognises():
            return None
        mode = leader if self.registers else self.posterior.mode() or leader
        if mode.probability < limits.min_mode_probability:
            return None
        retrieved = self.retrieved_us == self.newest_us and axis_cov_m2 is not None
        track, anchored_us = mode.track, leader.anchored_us
        if retrieved and axis_cov_m2 is not None:
            cov_m2 = track.position_cov_m2 + axis_cov_m2
        else:  # ground that is seen and matches nothing says that the reckoning may be wrong
            cov_m2 = track.position_cov_m2 * (1.0 + leader.unmatched) ** 2
        estimate = PositionEstimate(
            track.t_us,
            "retrieval" if retrieved else "dead_reckoning",
            track.position_en_m,
            cov_m2,
            self.newest_us if retrieved or anchored_us is None else anchored_us,
            round(BELIEF.retrieval_quality * mode.probability) if retrieved else 0,
        )
        return estimate if estimate.sigma_m <= limits.max_unregistered_sigma_m else None

    def saying(self, estimate: PositionEstimate | None) -> tuple[Belief, PositionEstimate | None]:
        """Say an estimate, unless no drone can have come there since the last one; a loss is said first."""
        if estimate is not None and self.said is not None and not estimate.reaches(self.said):
            estimate = None
        return replace(self, said=estimate), estimate

    def _recognises(self) -> bool:
        full = len(self.cosines) == BELIEF.recognised_frames
        return full and float(np.mean(self.cosines)) >= BELIEF.recognised_cosine

    def about(self, shift_en_m: FloatArray) -> Belief:
        """Return the same belief about another origin, from which the old one lies ``shift_en_m`` away."""
        registered, said = self.registered, self.said
        if registered is not None:
            registered = replace(registered, position_en_m=registered.position_en_m + shift_en_m)
        if said is not None:
            said = replace(said, position_en_m=said.position_en_m + shift_en_m)
        return replace(self, posterior=self.posterior.about(shift_en_m), registered=registered, said=said)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what was said last is not kept, nor how alike the newest frames were."""
        return {
            "posterior": self.posterior.to_json(),
            "registers": self.registers,
            "velocity": self.velocity.to_json(),
            "velocity_en_mps": self.velocity_en_mps,
            "told": None if self.told is None else asdict(self.told),
            "registered": None if self.registered is None else self.registered.to_json(),
            "hurried": self.hurried,
            "newest_us": self.newest_us,
            "start": self.start,
        }

    def times_us(self) -> list[int]:
        """Return the times of all that is believed."""
        tracks = (one.track.t_us for one in self.posterior.placements)
        others = self.newest_us, None if self.registered is None else self.registered.t_us
        return [*tracks, *(t_us for t_us in others if t_us is not None)]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Belief:
        """Read what :meth:`to_json` wrote; raises KeyError, TypeError or ValueError."""
        velocity, told, registered = values["velocity_en_mps"], values["told"], values["registered"]
        if values["start"] not in get_args(StartState):
            raise ValueError(f"start {values['start']!r}")
        return cls(
            Posterior.from_json(values["posterior"]),
            bool(values["registers"]),
            VelocityTrust.from_json(values["velocity"]),
            None if velocity is None else (float(velocity[0]), float(velocity[1])),
            None if told is None else ToldWay.from_json(told),
            None if registered is None else PositionMeasurement.from_json(registered),
            int(values["hurried"]),
            None if values["newest_us"] is None else int(values["newest_us"]),
            start=values["start"],
        )
