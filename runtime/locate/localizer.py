"""A frame in, a verdict out: view, retrieve, register, solve the pose, weigh, filter.

Nothing here reads the truth or a file that was not opened at the start; ``step`` never raises for bad imagery.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runtime.fix import Fix, NoFix, NoFixReason, Verdict
from runtime.frame import Frame
from runtime.geo.camera import Camera, yaw_of
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.belief import Belief, PositionEstimate, PositionMeasurement
from runtime.locate.features import LocalFeatures
from runtime.locate.flow import Flow, Shift
from runtime.locate.ground_view import GroundView, ground_views, unusable
from runtime.locate.limits import BELIEF, FRAME, POSE, RETRIEVAL, Limits
from runtime.locate.mount import MountEstimate
from runtime.locate.place_grid import TileLikelihood
from runtime.locate.registration import Registrar
from runtime.locate.retrieve import UNFITTED, Candidate, Retriever
from runtime.locate.stages import Stages
from runtime.locate.track import Track
from runtime.locate.verify import RegisteredView, Verifier, ViewCandidate, ViewKeypoints
from runtime.model.engine import Engine
from runtime.model.manifest import XFEAT_AGREEMENT
from runtime.model.score_map import ScoreMap
from runtime.start import Start
from runtime.tiles.cache import TileCache


@dataclass(slots=True)
class _FlightState:
    """What the frames so far have taught; all of it goes when a clock was set anew."""

    belief: Belief
    mount: MountEstimate = field(default_factory=MountEstimate)
    flow: Flow = field(default_factory=Flow)
    session: str | None = None
    newest_us: int | None = None
    backwards_us: list[int] = field(default_factory=list)
    sample: NDArray[np.uint8] | None = None  # of the newest picture


class Localizer:
    """One aircraft over one map."""

    def __init__(
        self,
        cache: TileCache,
        engine: Engine,
        camera: Camera,
        features: LocalFeatures | None,
        *,
        start: Start | None = None,
        limits: Limits | None = None,
        score_map: ScoreMap | None = None,
    ) -> None:
        """Without ``features`` fixes come from retrieval alone.

        ``score_map`` None is what cosines are worth to an encoder that ``calib.score`` has not seen.

        Raises CacheError or ImageryError when cache, engine and map do not belong together.
        """
        imagery = cache.open_imagery()
        self._frame = LocalFrame(imagery.bounds.centre)
        self._score_map = score_map or UNFITTED
        self._retriever = Retriever(cache, engine, self._frame, self._score_map)
        self._stages = Stages()
        self._limits = limits = limits or Limits()
        self._verifier = None
        if features is not None:
            self._verifier = Verifier(
                Registrar(imagery, features),
                limits,
                lat=imagery.bounds.centre.lat,
                floor_m=POSE.pixel_floor * imagery.metres_per_px,
                stages=self._stages,
                heights=cache.heights,
            )
        self._map_variance_m2 = (cache.accuracy_ce90_m * BELIEF.sigma_of_ce90) ** 2
        self._camera = camera
        usual = XFEAT_AGREEMENT if features is None else features.min_agreement
        alone, tracked = limits.min_agreement_alone, limits.min_agreement_tracked
        self._min_agreement_alone = usual[0] if alone is None else alone
        self._min_agreement_tracked = usual[1] if tracked is None else tracked
        self._start = start
        self._flight = self._new_flight()

    def forget(self) -> None:
        """Forget where the drone is; the map's features that were found are kept."""
        self._flight = self._new_flight()

    def _new_flight(self) -> _FlightState:
        return _FlightState(Belief(self._retriever.grid(), registers=self._verifier is not None))

    @property
    def stages_ms(self) -> dict[str, float]:
        """Milliseconds of the newest frame's stages."""
        return self._stages.ms

    def step(self, frame: Frame) -> Verdict:
        """Take one frame the whole way. Never raises for bad imagery: that is a :class:`NoFix`."""
        started = time.perf_counter()
        self._stages.ms = {}
        verdict = self._verdict(frame)
        latency_ms = (time.perf_counter() - started) * 1e3
        return verdict.with_latency(latency_ms)

    def _verdict(self, frame: Frame) -> Verdict:
        if self._ran_backwards(frame.t_us):
            return NoFix(frame.t_us, "time_ran_backwards")
        last_us, self._flight.newest_us = self._flight.newest_us, frame.t_us
        self._begin_session(frame)
        reason = unusable(frame, self._camera) or self._frozen(frame)
        if reason is not None:
            self._flight.flow.forget()
            self._predict(frame, None)
            return self._unregistered(frame, reason)
        with self._stages.timed("rectify"):
            views = ground_views(frame, self._camera, self._flight.mount)
        keypoints = [] if self._verifier is None else [self._verifier.keypoints(view) for view in views]
        self._predict(frame, self._shift(frame, last_us, views, keypoints))
        candidates = self._candidates(frame, views)
        if not candidates:
            return self._unregistered(frame, "no_ground_seen")
        likeliest = views[candidates[0].view]
        if self._verifier is None:
            return self._unregistered(frame, "unconfirmed", likeliest)
        tracking = self._flight.belief.sigma_m <= BELIEF.vouching_sigma_m
        min_agreement = self._min_agreement_tracked if tracking else self._min_agreement_alone
        registered = self._verifier.best(keypoints, candidates, self._flight.mount, min_agreement, alone=not tracking)
        if isinstance(registered, str):
            return self._unregistered(frame, registered, likeliest)
        return self._registered(frame, registered)

    def _ran_backwards(self, t_us: int) -> bool:
        """Tell whether a frame is older than the newest one: it gives no fix.

        Several such frames, each later than the one before, are a clock that was set anew: then all begins anew.
        """
        if self._flight.newest_us is None or t_us > self._flight.newest_us:
            self._flight.backwards_us = []
            return False
        self._flight.backwards_us = [*(one_us for one_us in self._flight.backwards_us if one_us < t_us), t_us]
        if len(self._flight.backwards_us) < FRAME.backwards_until_clock_set:
            return True
        self.forget()
        return False

    def _begin_session(self, frame: Frame) -> None:
        if frame.telemetry.session != self._flight.session:
            self._flight.session, self._flight.mount = frame.telemetry.session, MountEstimate()
            self._flight.flow.forget()
        if self._start is not None:
            place, radius_m = self._start
            track = Track(
                frame.t_us, np.array(self._frame.to_en(place)), np.eye(2) * (radius_m / BELIEF.start_sigmas) ** 2
            )
            self._flight.belief = Belief(self._retriever.grid(), track, registers=self._verifier is not None)
            self._start = None

    def _frozen(self, frame: Frame) -> NoFixReason | None:
        """Tell whether the picture is the one before, to the last bit: a feed that hangs shows it for ever."""
        sample = frame.picture[:: FRAME.sample_every_px, :: FRAME.sample_every_px].copy()
        before, self._flight.sample = self._flight.sample, sample
        return "frozen_picture" if before is not None and np.array_equal(before, sample) else None

    def _shift(
        self, frame: Frame, last_us: int | None, views: list[GroundView], keypoints: list[ViewKeypoints]
    ) -> Shift | None:
        """Find how far the drone came since the last frame, by the pictures, where the aircraft tells no velocity."""
        if len(keypoints) != 1 or math.isfinite(frame.telemetry.vel_north_mps):
            self._flight.flow.forget()
            return None
        with self._stages.timed("register"):
            points = keypoints[0].points()
        with self._stages.timed("flow"):
            return self._flight.flow.since(last_us, frame.t_us, views[0], points, self._flight.mount)

    def _predict(self, frame: Frame, shift: Shift | None) -> None:
        """Carry what is believed to the frame's time."""
        if shift is None:
            telemetry = frame.telemetry
            self._flight.belief.predict(frame.t_us, np.array([telemetry.vel_east_mps, telemetry.vel_north_mps]))
        else:
            self._flight.belief.carry(frame.t_us, shift.en_m, shift.cov_m2)

    def _candidates(self, frame: Frame, views: list[GroundView]) -> list[ViewCandidate]:
        """Choose where on the map to register, best first; first where a tight track points.

        What retrieval says of the frame is taken into the belief.
        """
        track = self._flight.belief.track if self._flight.belief.sigma_m <= BELIEF.vouching_sigma_m else None
        most = RETRIEVAL.candidates_lost if track is None else RETRIEVAL.candidates_tracking
        levels = [self._retriever.level_for(view, view.axis_en_m) for view in views]
        seen = [(i, views[i], level) for i, level in enumerate(levels) if level is not None]
        if not seen:
            return []
        with self._stages.timed("embed"):
            embeddings = self._retriever.embed([(view, view.axis_en_m, level) for _, view, level in seen])
        candidates: list[ViewCandidate] = []
        likelihoods: list[TileLikelihood] = []
        with self._stages.timed("search"):
            for (i, view, level), embedding in zip(seen, embeddings, strict=True):
                likelihood = self._retriever.likelihood(embedding[None], level, view.axis_en_m)
                log_prior = self._flight.belief.grid.log_prior(likelihood)
                tiles = self._retriever.search(embedding[None], level, likelihood, log_prior, most)
                if track is not None:
                    axis_en_m = track.position_en_m + view.axis_en_m
                    place = self._frame.to_latlon(*axis_en_m.tolist())
                    log_probability = tiles[0].log_probability + RETRIEVAL.track_log_probability
                    tiles.append(Candidate(place, log_probability))
                likelihoods.append(likelihood)
                candidates += [ViewCandidate(i, tile, likelihood.footprint_m) for tile in tiles]
            self._flight.belief.see_retrieval(likelihoods, self._score_map, frame.telemetry.alt_agl_m)
        return sorted(candidates, key=lambda candidate: -candidate.tile.log_probability)[:most]

    def _registered(self, frame: Frame, registered: RegisteredView) -> Verdict:
        pose = registered.pose
        cov = pose.cov[:2, :2] + np.eye(2) * POSE.ground_sigma_m**2
        supported = registered.registration.support >= self._limits.min_support_alone
        strong = supported and registered.agreement >= self._min_agreement_alone
        if not self._flight.belief.weigh(
            PositionMeasurement(frame.t_us, registered.position(self._frame), cov, strong)
        ):
            return self._unregistered(frame, "unconfirmed", registered.view)
        if strong:
            self._flight.mount.learn(registered.view.uncertainty, pose.offset, pose.cov[2:, 2:])
        ground = registered.axis_ground()
        quality = round(100 * min(registered.agreement / POSE.full_agreement, 1.0))
        return self._fix(frame, self._flight.belief.registered(quality), ground=ground, yaw_deg=yaw_of(pose.rotation))

    def _unregistered(self, frame: Frame, reason: NoFixReason, likeliest: GroundView | None = None) -> Verdict:
        """Say a position that no registration of this frame bears out, or why there is none.

        ``likeliest`` is the view of the best candidate, if there was one.
        """
        axis_cov_m2 = None
        if likeliest is not None:
            axis_cov_m2 = likeliest.axis_cov_m2(self._flight.mount.frame_cov(likeliest.uncertainty))
        estimate = self._flight.belief.unregistered(self._limits, axis_cov_m2)
        return NoFix(frame.t_us, reason) if estimate is None else self._fix(frame, estimate)

    def _fix(
        self, frame: Frame, estimate: PositionEstimate, *, ground: LatLon | None = None, yaw_deg: float | None = None
    ) -> Fix:
        """Make a fix; the map's own misplacement comes on top, for no number of frames averages it out."""
        place = self._frame.to_latlon(float(estimate.position_en_m[0]), float(estimate.position_en_m[1]))
        cov = estimate.cov_m2 + np.eye(2) * self._map_variance_m2
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
            source=estimate.source,
            anchor_age_s=(frame.t_us - estimate.anchored_us) * 1e-6,
            quality=estimate.quality,
            latency_ms=0.0,
        )
