"""A frame in, a verdict out: look, retrieve, register, solve the pose, weigh, filter.

Nothing here reads the truth or a file that was not opened at the start; ``step`` never raises for bad imagery.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from runtime.fix import Fix, NoFix, Verdict
from runtime.geo.camera import Camera, FloatArray, axis_ground, ground_from_pixels, yaw_of
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.belief import VOUCHING_SIGMA_M, Belief, Sighting
from runtime.locate.features import LocalFeatures
from runtime.locate.filter import Track
from runtime.locate.look import Look, looks, unusable
from runtime.locate.mount import MountEstimate, is_plausible
from runtime.locate.pose import Pose, solve_pose
from runtime.locate.register import FramePoints, Registrar, Registration
from runtime.locate.retrieve import UNFITTED, Candidate, Prior, Retriever
from runtime.model.bundle import XFEAT_AGREEMENT
from runtime.model.engine import Engine
from runtime.model.score_map import ScoreMap
from runtime.sensors.frame import Frame
from runtime.tiles.cache import TileCache

_CANDIDATES_LOST, _CANDIDATES_TRACKING = 6, 3
_MAX_TURN_DEG = 30.0
_PIXEL_FLOOR = 1.5  # pixels of the map: what its keypoints are good to
_GROUND_SIGMA_M = 1.0  # ground is not flat
_SIGMA_OF_CE90 = 1.0 / 2.146  # a circle that holds 90% of a round Gaussian has a radius of 2.146 sigma
_TILT_SHARE = 0.1  # of the altitude: how far the axis may meet the ground from where it should
_RETRIEVAL_SHARE = 0.3  # of a footprint: one sigma of a tile's place, when nothing but retrieval speaks
_FULL_AGREEMENT = 0.6  # of the points; more says nothing more
_VERIFIED = 3  # fits looked at closely


@dataclass(frozen=True, slots=True)
class Limits:
    """What is believed and what is said."""

    min_support: int = 10
    """Grid cells that must support a similarity before it is looked at more closely."""
    min_support_alone: int = 18
    """The same to be believed alone; a street that looks like the next one reaches 17."""
    min_agreement_alone: float | None = None
    """Share of the points that must agree with a lone pose, by chance 0.0625; None: what the features' bundle says."""
    min_agreement_tracked: float | None = None
    """The same where a tight track says so already."""
    max_rival: float = 0.6
    """Support of the best fit elsewhere over the best's; more is a repeated pattern."""
    min_retrieval_odds: float = 0.6
    """Share of the best candidate among all, when nothing but retrieval speaks."""
    max_dead_reckoning_sigma_m: float = 25.0
    """Past this a position carried forward is not worth saying."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A look whose ground was found."""

    look: Look
    registration: Registration
    pose: Pose
    agreement: float

    def position(self, frame: LocalFrame) -> FloatArray:
        """(2,) of the drone, about the map's middle."""
        return np.array(frame.to_en(self.registration.origin.to_latlon(self.pose.east_m, self.pose.north_m)))


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
        self._middle = imagery.bounds.centre
        self._frame = LocalFrame(self._middle)
        self._score_map = score_map or UNFITTED
        self._retriever = Retriever(cache, engine, self._frame, self._score_map)
        self._registrar = None if features is None else Registrar(imagery, features)
        self._map_variance_m2 = (cache.accuracy_ce90_m * _SIGMA_OF_CE90) ** 2
        self._floor_m = _PIXEL_FLOOR * imagery.metres_per_px
        self._camera = camera
        self._limits = limits = limits or Limits()
        usual = XFEAT_AGREEMENT if features is None else features.min_agreement
        alone, tracked = limits.min_agreement_alone, limits.min_agreement_tracked
        self._least_agreement = (usual[0] if alone is None else alone, usual[1] if tracked is None else tracked)
        self._start = start
        self.stages_ms: dict[str, float] = {}  # of the newest frame
        self.forget()

    def forget(self) -> None:
        """Begin anew with no idea of where it is; the map's features that were found are kept."""
        self._belief = Belief()
        self._mount = MountEstimate()
        self._session: str | None = None
        self._newest_us: int | None = None

    def step(self, frame: Frame) -> Verdict:
        """One frame through the whole path. Never raises for bad imagery: that is a :class:`NoFix`."""
        started = time.perf_counter()
        self.stages_ms = {}
        verdict = self._verdict(frame)
        latency_ms = (time.perf_counter() - started) * 1e3
        return verdict.with_latency(latency_ms)

    def _verdict(self, frame: Frame) -> Verdict:
        if self._newest_us is not None and not frame.t_us > self._newest_us:
            return NoFix(frame.t_us, "time_ran_backwards")
        self._newest_us = frame.t_us
        self._carry_forward(frame)
        reason = unusable(frame, self._camera)
        if reason is None:
            with self._timed("rectify"):
                at_hand = looks(frame, self._camera, self._mount)
            candidates = self._candidates(at_hand)
            if not candidates:
                return self._carried(frame, "no_ground_seen")
            if self._registrar is None:
                return self._from_retrieval(frame, candidates)
            found, reason = self._best(self._registrar, candidates)
            if found is not None:
                return self._from_registration(frame, found)
        return self._carried(frame, reason or "no_match")

    def _carry_forward(self, frame: Frame) -> None:
        telemetry = frame.telemetry
        if telemetry.session != self._session:
            self._session, self._mount = telemetry.session, MountEstimate()
        if self._start is not None:
            place, radius_m = self._start
            self._belief.track = Track(
                frame.t_us, np.array(self._frame.to_en(place)), np.eye(2) * (radius_m / 2.0) ** 2
            )
            self._start = None
        self._belief.predict(frame.t_us, np.array([telemetry.vel_east_mps, telemetry.vel_north_mps]))

    def _candidates(self, at_hand: list[Look]) -> list[tuple[Look, Candidate, float]]:
        """Where to look on the map, best first, with the side of the tiles; first where a tight track points."""
        tight = self._belief.sigma_m <= VOUCHING_SIGMA_M
        most = _CANDIDATES_TRACKING if tight else _CANDIDATES_LOST
        pooled: list[tuple[Look, Candidate, float]] = []
        for look in at_hand:
            level = self._retriever.level_for(look.view, look.axis_en_m)
            if level is None:
                continue
            with self._timed("embed"):
                embedding = self._retriever.embed(look.view, look.axis_en_m, level)
            with self._timed("search"):
                prior = self._prior(look)
                found = self._retriever.search(embedding, level, prior, most)
            if tight and prior is not None and self._registrar is not None:
                found.append(Candidate(self._frame.to_latlon(*prior.mean_en_m.tolist()), math.inf, math.nan))
            pooled += [(look, candidate, self._retriever.footprint_m(level)) for candidate in found]
        pooled.sort(key=lambda item: -item[1].score)
        return pooled[:most]

    def _prior(self, look: Look) -> Prior | None:
        """Where the axis meets the ground, as the track would have it."""
        track = self._belief.track
        if track is None:
            return None
        tilt = np.eye(2) * (_TILT_SHARE * look.view.alt_agl_m) ** 2
        return Prior(track.position_en_m + look.axis_en_m, track.position_cov_m2 + tilt)

    def _best(
        self, registrar: Registrar, candidates: list[tuple[Look, Candidate, float]]
    ) -> tuple[_Found | None, str | None]:
        """The best supported registration that its pose bears out, or why there is none."""
        fits = self._fits(registrar, candidates)
        reason = "no_match"
        for look, points, fit in fits[:_VERIFIED]:
            with self._timed("pose"):
                found = self._verified(registrar, look, points, fit)
            if found is None:
                continue
            elsewhere = [other.support for _, _, other in fits if _apart_m(fit, other) > look.side_m / 4]
            if max([fit.rival_support, *elsewhere]) <= self._limits.max_rival * fit.support:
                return found, None
            reason = "ambiguous"
        return None, reason

    def _fits(
        self, registrar: Registrar, candidates: list[tuple[Look, Candidate, float]]
    ) -> list[tuple[Look, FramePoints, Registration]]:
        """Plausible fits to the map at each candidate, best supported first."""
        points: dict[int, FramePoints] = {}
        fits: list[tuple[Look, FramePoints, Registration]] = []
        with self._timed("register"):
            for look, candidate, footprint_m in candidates:
                if id(look) not in points:
                    points[id(look)] = registrar.points(look.view, look.middle_en_m, look.side_m, lat=self._middle.lat)
                shift = np.subtract(look.middle_en_m, look.axis_en_m)
                near = LocalFrame(candidate.place).to_latlon(float(shift[0]), float(shift[1]))
                fit = registrar.register(points[id(look)], near, reach_m=footprint_m / 2, max_turn_deg=_MAX_TURN_DEG)
                if fit is not None and fit.support >= self._limits.min_support and self._is_plausible(look, fit):
                    fits.append((look, points[id(look)], fit))
        return sorted(fits, key=lambda item: -item[2].support)

    def _verified(self, registrar: Registrar, look: Look, points: FramePoints, fit: Registration) -> _Found | None:
        """The pose of a fit, and again from all points that agree with it; None when too few do."""
        tracking = self._belief.sigma_m <= VOUCHING_SIGMA_M
        least = self._least_agreement[tracking]
        pose = self._pose(look, fit.pixel, fit.place_en_m)
        if pose is None:
            return None
        ground = ground_from_pixels(look.view.camera, pose.rotation, pose.height_m, points.pixel)
        place_en_m = ground + np.array([pose.east_m, pose.north_m])
        agreement = registrar.agreement(points, fit, place_en_m)
        if not agreement.share >= least:
            return None
        pose = self._pose(look, agreement.pixel, agreement.place_en_m)
        return None if pose is None else _Found(look, fit, pose, agreement.share)

    def _pose(self, look: Look, pixel: FloatArray, place_en_m: FloatArray) -> Pose | None:
        return solve_pose(
            look.view.camera,
            np.asarray(look.view.attitude),
            look.view.alt_agl_m,
            pixel,
            place_en_m,
            prior_cov=self._mount.frame_cov(look.first_cov),
            floor_m=self._floor_m,
        )

    def _is_plausible(self, look: Look, fit: Registration) -> bool:
        cov = self._mount.frame_cov(look.first_cov)
        return is_plausible(np.asarray(look.view.attitude), cov, scale=fit.scale, turn_deg=fit.turn_deg)

    def _from_registration(self, frame: Frame, found: _Found) -> Verdict:
        pose = found.pose
        cov = pose.cov[:2, :2] + np.eye(2) * _GROUND_SIGMA_M**2
        supported = found.registration.support >= self._limits.min_support_alone
        strong = supported and found.agreement >= self._least_agreement[0]
        if not self._belief.weigh(Sighting(frame.t_us, found.position(self._frame), cov, strong)):
            return self._carried(frame, "unconfirmed")
        if strong:
            self._mount.learn(found.look.first_cov, pose.offset, pose.cov[2:, 2:])
        axis = axis_ground(pose.rotation, pose.height_m)
        ground = None
        if axis is not None:
            ground = found.registration.origin.to_latlon(pose.east_m + axis[0], pose.north_m + axis[1])
        quality = round(100 * min(found.agreement / _FULL_AGREEMENT, 1.0))
        return self._fix(frame, "registration", quality, ground=ground, yaw_deg=yaw_of(pose.rotation))

    def _from_retrieval(self, frame: Frame, candidates: list[tuple[Look, Candidate, float]]) -> Verdict:
        """Tens of metres at best, and only where the map does not repeat itself."""
        score = np.array([candidate.score for _, candidate, _ in candidates])
        odds = (1.0 - self._score_map.outlier_share) * float(1.0 / np.exp(score - score[0]).sum())
        if not odds >= self._limits.min_retrieval_odds:
            return self._carried(frame, "ambiguous")
        look, best, footprint_m = candidates[0]
        position = np.array(self._frame.to_en(best.place)) - look.axis_en_m
        sigma_m = _RETRIEVAL_SHARE * footprint_m + _TILT_SHARE * look.view.alt_agl_m
        if not self._belief.weigh(Sighting(frame.t_us, position, np.eye(2) * sigma_m**2, strong=False)):
            return self._carried(frame, "unconfirmed")
        return self._fix(frame, "retrieval", round(50 * odds), ground=best.place, yaw_deg=None)

    def _carried(self, frame: Frame, reason: str) -> Verdict:
        """Where the track says the drone is now, while that is worth saying."""
        if self._belief.anchored_us is None or not self._belief.sigma_m <= self._limits.max_dead_reckoning_sigma_m:
            return NoFix(frame.t_us, reason)
        return self._fix(frame, "dead_reckoning", 0, ground=None, yaw_deg=None)

    def _fix(self, frame: Frame, source: str, quality: int, *, ground: LatLon | None, yaw_deg: float | None) -> Verdict:
        """The track's position; the map's own misplacement comes on top, for no number of looks averages it out."""
        track, anchored_us = self._belief.track, self._belief.anchored_us
        if track is None or anchored_us is None:
            return NoFix(frame.t_us, "no_track")
        place = self._frame.to_latlon(float(track.position_en_m[0]), float(track.position_en_m[1]))
        cov = track.position_cov_m2 + np.eye(2) * self._map_variance_m2
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
            source=source,
            anchor_age_s=(frame.t_us - anchored_us) * 1e-6,
            quality=quality,
            latency_ms=0.0,
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.stages_ms[stage] = self.stages_ms.get(stage, 0.0) + (time.perf_counter() - started) * 1e3


def _apart_m(a: Registration, b: Registration) -> float:
    """Metres between where two fits put the patch."""
    return max(abs(d) for d in LocalFrame(a.centre).to_en(b.centre))
