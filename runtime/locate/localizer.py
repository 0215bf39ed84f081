"""A frame in, a verdict out: look, retrieve, register, solve the pose, weigh, filter.

Nothing here reads the truth or a file that was not opened at the start; ``step`` never raises for bad imagery.
"""

from __future__ import annotations

import math
import time

import numpy as np
from numpy.typing import NDArray

from runtime.fix import Fix, NoFix, Verdict
from runtime.frame import Frame
from runtime.geo.camera import Camera, yaw_of
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.belief import VOUCHING_SIGMA_M, Belief, PositionEstimate, PositionMeasurement
from runtime.locate.features import LocalFeatures
from runtime.locate.flow import Flow, Shift
from runtime.locate.ground_view import GroundView, ground_views, unusable
from runtime.locate.limits import Limits
from runtime.locate.mount import MountEstimate
from runtime.locate.place_grid import TileLikelihood
from runtime.locate.registration import Registrar
from runtime.locate.retrieve import UNFITTED, Candidate, Retriever
from runtime.locate.stages import Stages
from runtime.locate.track import Track
from runtime.locate.verify import RegisteredView, Verifier, ViewCandidate
from runtime.model.engine import Engine
from runtime.model.manifest import XFEAT_AGREEMENT
from runtime.model.score_map import ScoreMap
from runtime.tiles.cache import TileCache

_CANDIDATES_LOST, _CANDIDATES_TRACKING = 6, 3
_TRACKED = 20.0  # log-probability: a tight track goes before retrieval, which still ranks the headings
_PIXEL_FLOOR = 1.5  # pixels of the map: what its keypoints are good to
_GROUND_SIGMA_M = 1.0  # ground is not flat
_SIGMA_OF_CE90 = 1.0 / 2.146  # a circle that holds 90% of a round Gaussian has a radius of 2.146 sigma
_FULL_AGREEMENT = 0.6  # of the points; more says nothing more
_CLOCK_SET = 5  # frames in order, all before the newest one
_SAMPLED_PX = 8  # apart: enough of a picture to know it again


class Localizer:
    """One aircraft over one map."""

    def __init__(
        self,
        cache: TileCache,
        engine: Engine,
        camera: Camera,
        features: LocalFeatures | None,
        *,
        start: tuple[LatLon, float] | None = None,
        limits: Limits | None = None,
        score_map: ScoreMap | None = None,
    ) -> None:
        """Without ``features`` fixes come from retrieval alone. ``start`` is a place and a radius in metres.

        ``score_map`` None is what cosines are worth to an encoder that ``calib.score`` has not seen.

        Raises CacheError or ImageryError when cache, engine and map do not belong together.
        """
        imagery = cache.open_imagery()
        self._frame = LocalFrame(imagery.bounds.centre)
        self._score_map = score_map or UNFITTED
        self._retriever = Retriever(cache, engine, self._frame, self._score_map)
        self._stages = Stages()
        self._limits = limits = limits or Limits()
        self._finder = None
        if features is not None:
            self._finder = Verifier(
                Registrar(imagery, features),
                limits,
                lat=imagery.bounds.centre.lat,
                floor_m=_PIXEL_FLOOR * imagery.metres_per_px,
                stages=self._stages,
                heights=cache.heights,
            )
        self._map_variance_m2 = (cache.accuracy_ce90_m * _SIGMA_OF_CE90) ** 2
        self._camera = camera
        usual = XFEAT_AGREEMENT if features is None else features.min_agreement
        alone, tracked = limits.min_agreement_alone, limits.min_agreement_tracked
        self._least_agreement = (usual[0] if alone is None else alone, usual[1] if tracked is None else tracked)
        self._start = start
        self.forget()

    def forget(self) -> None:
        """Begin anew with no idea of where it is; the map's features that were found are kept."""
        self._belief = Belief(self._retriever.grid(), registers=self._finder is not None)
        self._mount = MountEstimate()
        self._flow = Flow()
        self._session: str | None = None
        self._newest_us: int | None = None
        self._backwards_us: list[int] = []
        self._sample: NDArray[np.uint8] | None = None

    @property
    def stages_ms(self) -> dict[str, float]:
        """Milliseconds of the newest frame's stages."""
        return self._stages.ms

    def step(self, frame: Frame) -> Verdict:
        """One frame through the whole path. Never raises for bad imagery: that is a :class:`NoFix`."""
        started = time.perf_counter()
        self._stages.ms = {}
        verdict = self._verdict(frame)
        latency_ms = (time.perf_counter() - started) * 1e3
        return verdict.with_latency(latency_ms)

    def _verdict(self, frame: Frame) -> Verdict:
        if self._ran_backwards(frame.t_us):
            return NoFix(frame.t_us, "time_ran_backwards")
        last_us, self._newest_us = self._newest_us, frame.t_us
        self._begin(frame)
        reason = unusable(frame, self._camera) or self._frozen(frame)
        if reason is not None:
            self._flow.forget()
            self._predict(frame, None)
            return self._carried(frame, reason)
        with self._stages.timed("rectify"):
            at_hand = ground_views(frame, self._camera, self._mount)
        self._predict(frame, self._shift(frame, last_us, at_hand))
        places = self._places(frame, at_hand)
        if not places:
            return self._carried(frame, "no_ground_seen")
        if self._finder is None:
            return self._carried(frame, "unconfirmed", places[0].look)
        tracking = self._belief.sigma_m <= VOUCHING_SIGMA_M
        found, reason = self._finder.best(places, self._mount, self._least_agreement[tracking], alone=not tracking)
        if found is None:
            return self._carried(frame, reason or "no_match", places[0].look)
        return self._from_registration(frame, found)

    def _ran_backwards(self, t_us: int) -> bool:
        """An older frame says nothing; several, each later than the one before, are a clock that was set anew."""
        if self._newest_us is None or t_us > self._newest_us:
            self._backwards_us = []
            return False
        self._backwards_us = [*(one for one in self._backwards_us if one < t_us), t_us]
        if len(self._backwards_us) < _CLOCK_SET:
            return True
        self.forget()
        return False

    def _begin(self, frame: Frame) -> None:
        if frame.telemetry.session != self._session:
            self._session, self._mount = frame.telemetry.session, MountEstimate()
            self._flow.forget()
        if self._start is not None:
            place, radius_m = self._start
            track = Track(frame.t_us, np.array(self._frame.to_en(place)), np.eye(2) * (radius_m / 2.0) ** 2)
            self._belief = Belief(self._retriever.grid(), track, registers=self._finder is not None)
            self._start = None

    def _frozen(self, frame: Frame) -> str | None:
        """A camera never takes the same picture twice, to the last bit; a feed that hangs shows it for ever."""
        sample = frame.picture[::_SAMPLED_PX, ::_SAMPLED_PX].copy()
        before, self._sample = self._sample, sample
        return "frozen_picture" if before is not None and np.array_equal(before, sample) else None

    def _shift(self, frame: Frame, last_us: int | None, at_hand: list[GroundView]) -> Shift | None:
        """What the pictures say of the way since the last frame, where the aircraft tells no velocity."""
        if self._finder is None or len(at_hand) != 1 or math.isfinite(frame.telemetry.vel_north_mps):
            self._flow.forget()
            return None
        with self._stages.timed("register"):
            points = self._finder.points(at_hand[0])
        with self._stages.timed("flow"):
            return self._flow.since(last_us, frame.t_us, at_hand[0], points, self._mount)

    def _predict(self, frame: Frame, shift: Shift | None) -> None:
        """Carry what is believed to the frame's time."""
        if shift is None:
            telemetry = frame.telemetry
            self._belief.predict(frame.t_us, np.array([telemetry.vel_east_mps, telemetry.vel_north_mps]))
        else:
            self._belief.carry(frame.t_us, shift.en_m, shift.cov_m2)

    def _places(self, frame: Frame, at_hand: list[GroundView]) -> list[ViewCandidate]:
        """Where to look on the map, best first; first where a tight track points. Retrieval's word is taken in."""
        track = self._belief.track if self._belief.sigma_m <= VOUCHING_SIGMA_M else None
        most = _CANDIDATES_LOST if track is None else _CANDIDATES_TRACKING
        levelled = [(look, self._retriever.level_for(look.view, look.axis_en_m)) for look in at_hand]
        seen = [(look, level) for look, level in levelled if level is not None]
        if not seen:
            return []
        with self._stages.timed("embed"):
            embeddings = self._retriever.embed([(look.view, look.axis_en_m, level) for look, level in seen])
        pooled: list[ViewCandidate] = []
        scores: list[TileLikelihood] = []
        with self._stages.timed("search"):
            for (look, level), embedding in zip(seen, embeddings, strict=True):
                score = self._retriever.score(embedding[None], level, look.axis_en_m)
                log_prior = self._belief.grid.log_prior(score)
                found = self._retriever.search(embedding[None], level, score, log_prior, most)
                if track is not None:
                    axis_en_m = track.position_en_m + look.axis_en_m
                    place = self._frame.to_latlon(*axis_en_m.tolist())
                    found.append(Candidate(place, found[0].score + _TRACKED))
                scores.append(score)
                pooled += [ViewCandidate(look, candidate, score.footprint_m) for candidate in found]
            self._belief.see_retrieval(scores, self._score_map, frame.telemetry.alt_agl_m)
        return sorted(pooled, key=lambda place: -place.candidate.score)[:most]

    def _from_registration(self, frame: Frame, found: RegisteredView) -> Verdict:
        pose = found.pose
        cov = pose.cov[:2, :2] + np.eye(2) * _GROUND_SIGMA_M**2
        supported = found.registration.support >= self._limits.min_support_alone
        strong = supported and found.agreement >= self._least_agreement[0]
        if not self._belief.weigh(PositionMeasurement(frame.t_us, found.position(self._frame), cov, strong)):
            return self._carried(frame, "unconfirmed", found.look)
        if strong:
            self._mount.learn(found.look.uncertainty, pose.offset, pose.cov[2:, 2:])
        ground = found.axis_ground()
        quality = round(100 * min(found.agreement / _FULL_AGREEMENT, 1.0))
        return self._fix(frame, self._belief.registered(quality), ground=ground, yaw_deg=yaw_of(pose.rotation))

    def _carried(self, frame: Frame, reason: str, look: GroundView | None = None) -> Verdict:
        """Without a registration; with the look at the likeliest place, if there was one."""
        axis_cov_m2 = None if look is None else look.axis_cov_m2(self._mount.frame_cov(look.uncertainty))
        where = self._belief.unregistered(self._limits, axis_cov_m2)
        return NoFix(frame.t_us, reason) if where is None else self._fix(frame, where)

    def _fix(
        self, frame: Frame, where: PositionEstimate, *, ground: LatLon | None = None, yaw_deg: float | None = None
    ) -> Fix:
        """A position; the map's own misplacement comes on top, for no number of ground_views averages it out."""
        place = self._frame.to_latlon(float(where.position_en_m[0]), float(where.position_en_m[1]))
        cov = where.cov_m2 + np.eye(2) * self._map_variance_m2
        alt_msl_m = frame.telemetry.alt_msl_m
        return Fix(
            t_us=frame.t_us,
            lat=place.lat,
            lon=place.lon,
            ground_lat=None if ground is None else ground.lat,
            ground_lon=None if ground is None else ground.lon,
            alt_msl_m=None if np.isnan(alt_msl_m) else alt_msl_m,
            yaw_deg=yaw_deg,
            cov_en_m2=(float(cov[0, 0]), float(cov[0, 1]), float(cov[1, 1])),
            source=where.source,
            anchor_age_s=(frame.t_us - where.anchored_us) * 1e-6,
            quality=where.quality,
            latency_ms=0.0,
        )
