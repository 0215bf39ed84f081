"""A frame in, a verdict out: view, retrieve, register, solve the pose, weigh, say.

Nothing here reads the truth or a file that was not opened at the start; ``step`` never raises for bad imagery.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from runtime.fix import NoFix, NoFixReason, Verdict
from runtime.frame import Frame
from runtime.geo.camera import Camera, yaw_of
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.locate.belief import Belief
from runtime.locate.belief_limits import BELIEF, POSTERIOR
from runtime.locate.candidates import Finder
from runtime.locate.explain import explained
from runtime.locate.features import LocalFeatures
from runtime.locate.flow import Flow
from runtime.locate.ground_view import GroundView, ground_views, unusable
from runtime.locate.limits import POSE, Limits
from runtime.locate.motion import Shift
from runtime.locate.mount import MountEstimate
from runtime.locate.outlook import Outlook
from runtime.locate.position import PositionEstimate, PositionMeasurement
from runtime.locate.posterior import Posterior
from runtime.locate.registration import Registrar
from runtime.locate.retrieve import UNFITTED, Likeness, Retriever
from runtime.locate.seek import Seeker, Sight
from runtime.locate.stages import Stages
from runtime.locate.state import FlightState, Lesson
from runtime.locate.suspect import SUPPOSED, Suspicion
from runtime.locate.verify import RegisteredView, Verifier, ViewKeypoints
from runtime.model.engine import Engine
from runtime.model.manifest import XFEAT_AGREEMENT
from runtime.model.score_map import ScoreMap
from runtime.start import Start
from runtime.tiles.cache import TileCache


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
        self._stages, self._limits = Stages(), limits or Limits()
        scores = score_map or UNFITTED
        self.name = f"{engine.name}; local features: {'none' if features is None else features.name}"
        """What it looks with, for people."""
        self._finder = Finder(Retriever(cache, engine, scores), scores, self._stages)
        self._verifier, self._floor_m = None, POSE.pixel_floor * imagery.metres_per_px
        if features is not None:
            self._verifier = Verifier(
                Registrar(imagery, features),
                self._limits,
                lat=imagery.bounds.centre.lat,
                floor_m=self._floor_m,
                stages=self._stages,
                heights=cache.heights,
            )
        usual = XFEAT_AGREEMENT if features is None else features.min_agreement
        self._seeker = Seeker(self._finder, self._verifier, self._limits, usual)
        self._map_variance_m2 = (cache.accuracy_ce90_m * BELIEF.sigma_of_ce90) ** 2
        aligned = cache.metadata.alignment
        self._map_shift_en_m = (0.0, 0.0) if aligned is None else (aligned.east_m, aligned.north_m)
        self._camera, self._start, self._bounds_deg = camera, start, cache.metadata.bounds_deg
        self._home, self._flow = LocalFrame(imagery.bounds.centre), Flow()
        self._state = self._begun()

    def forget(self, start: Start | None = None) -> None:
        """Forget where the drone is, or begin anew at a start; the map's features that were found are kept."""
        self._flow.forget()
        self._state, self._start = self._begun(), start

    def _begun(self) -> FlightState:
        west, south, east, north = self._bounds_deg
        low, high = (np.array(self._home.to_en(place)) for place in (LatLon(south, west), LatLon(north, east)))
        across_m = high - low + 2 * POSTERIOR.margin_m
        belief = Belief(Posterior(float(across_m.prod())), registers=self._verifier is not None)
        return FlightState(self._home.origin, belief)

    @property
    def state(self) -> FlightState:
        """All that the flight has taught so far."""
        return self._state

    def restore(self, state: FlightState) -> None:
        """Go on from a state that was kept; its start is part of it."""
        self._flow.forget()
        self._state, self._start = state, None

    @property
    def stages_ms(self) -> dict[str, float]:
        """Milliseconds of the newest frame's stages."""
        return self._stages.ms

    def step(self, frame: Frame) -> Verdict:
        """Take one frame the whole way. Never raises for bad imagery: that is a :class:`NoFix`."""
        started = time.perf_counter()
        self._stages.ms = {}
        verdict = self._verdict(replace(frame, telemetry=frame.telemetry.as_possible()))
        latency_ms = (time.perf_counter() - started) * 1e3
        return replace(verdict, latency_ms=latency_ms, doubts=self._state.doubts())

    @property
    def outlook(self) -> Outlook:
        """Return what can be said of moments after the newest frame, as a value that another thread may ask."""
        return Outlook(self._state, self._limits, self._map_variance_m2, self._map_shift_en_m)

    def _verdict(self, frame: Frame) -> Verdict:
        self._state = self._state.heard(frame.t_us)
        if self._state.clock_was_set:
            self.forget()
        if self._state.ran_backwards(frame.t_us):
            return NoFix(frame.t_us, "time_ran_backwards")
        last_us = self._state.newest_us
        self._begin(frame)
        feed, hangs = self._state.feed.next(frame, self._camera)
        self._state = replace(self._state, newest_us=frame.t_us, feed=feed)
        reason = unusable(frame, self._camera) or hangs
        if reason is not None:
            self._flow.forget()
            self._move(frame, None)
            return self._unregistered(frame, reason)
        with self._stages.timed("rectify"):
            views = ground_views(frame, self._camera, self._state.mount)
        keypoints = [] if self._verifier is None else [self._verifier.keypoints(view) for view in views]
        self._move(frame, self._shift(frame, last_us, views, keypoints))
        grounds = self._finder.grounds(views)
        if not grounds:
            return self._unregistered(frame, "no_ground_seen")
        sight = Sight(frame, self._frame, keypoints, grounds, self._state.mount, self._state.domain)
        sought = self._seeker.seek(self._state.belief, sight)
        self._state = replace(self._state, domain=sought.taught(self._state.domain))
        self._believe(sought.belief)
        if isinstance(sought.found, RegisteredView):
            return self._weighed(frame, sought.found, sought.likeness)
        if sought.found in ("no_match", "ambiguous"):
            self._believe(sought.belief.unmatched())
            self._suspect(frame)
        if self._verifier is not None and sought.contradicts_leader:
            return self._none(frame, sought.found)
        return self._unregistered(frame, sought.found, grounds[0].view)

    def _suspect(self, frame: Frame) -> None:
        """Ask, now and then while nothing fits, what telemetry would have to say for the frame to fit."""
        suspicion = self._state.suspicion.after_no_match()
        if suspicion.asks and self._verifier is not None and math.isfinite(frame.telemetry.cam_yaw_deg):
            supposed = replace(frame, telemetry=SUPPOSED[suspicion.supposed](frame.telemetry))
            views = ground_views(supposed, self._camera, MountEstimate())
            grounds = self._finder.grounds(views)
            keypoints = [self._verifier.keypoints(view) for view in views]
            sight = Sight(supposed, self._frame, keypoints, grounds, MountEstimate())
            fits = bool(grounds) and self._seeker.surely_sees(sight, Posterior(self._state.belief.posterior.area_m2))
            suspicion = suspicion.after_look(fits=fits)
        self._state = replace(self._state, suspicion=suspicion)

    def _believe(self, belief: Belief) -> None:
        self._state = replace(self._state, belief=belief)

    def _begin(self, frame: Frame) -> None:
        """Begin another session where the frame is of one, and take a start in with the first frame."""
        if frame.telemetry.session != self._state.session:
            self._state = replace(self._state, session=frame.telemetry.session, mount=MountEstimate(), lesson=None)
            self._flow.forget()
        if self._start is not None:
            place, radius_m = self._start
            position = np.array(self._frame.to_en(place)) - self._map_shift_en_m
            self._believe(self._state.belief.with_start(frame.t_us, position, radius_m / BELIEF.start_sigmas))
            self._start = None

    @property
    def _frame(self) -> LocalFrame:
        return LocalFrame(self._state.origin)

    def _shift(
        self, frame: Frame, last_us: int | None, views: list[GroundView], keypoints: list[ViewKeypoints]
    ) -> Shift | None:
        """Find how far the drone came since the last frame, by the pictures."""
        if len(keypoints) != 1:
            self._flow.forget()
            return None
        with self._stages.timed("register"):
            points = keypoints[0].points()
        with self._stages.timed("flow"):
            return self._flow.since(last_us, frame.t_us, views[0], points, self._state.mount)

    def _move(self, frame: Frame, shift: Shift | None) -> None:
        """Carry what is believed to the frame's time."""
        told, feed = frame.telemetry, self._state.feed
        heard = not (feed.stale or feed.velocity_stale)
        velocity = np.array([told.vel_east_mps, told.vel_north_mps] if heard else [math.nan, math.nan])
        self._believe(self._state.belief.moved(frame.t_us, velocity, shift))

    def _weighed(self, frame: Frame, registered: RegisteredView, like: Likeness | None) -> Verdict:
        """Take a registration in, and say what it comes to."""
        with self._stages.timed("pose"):
            found = explained(registered, self._state.mount, self._floor_m)
        if found is None:
            return self._none(frame, "unconfirmed")
        cov = found.cov_m2 + np.eye(2) * POSE.ground_sigma_m**2
        position = np.array(self._frame.to_en(registered.registration.origin.to_latlon(*found.position_en_m.tolist())))
        doubted = self._state.tilt_doubted > 0
        share = self._seeker.outlier_share(registered, position, like, found.tilt_rad, tilt_doubted=doubted)
        self._state = self._state.having_found_tilt(found.tilt_rad)
        self._believe(self._state.belief.registering(PositionMeasurement(frame.t_us, position, cov, share)))
        quality = round(100 * min(registered.agreement / POSE.full_agreement, 1.0))
        estimate = self._state.belief.from_registration(quality)
        if estimate is None:
            # What contradicts the belief and is no fluke silences it.
            doubtful = share > POSTERIOR.counting_outlier_share
            return (
                self._unregistered(frame, "unconfirmed", registered.view)
                if doubtful
                else self._none(frame, "unconfirmed")
            )
        ground, yaw_deg = registered.axis_ground(found.pose), yaw_of(found.pose.rotation)
        if share <= POSTERIOR.counting_outlier_share:
            lesson = Lesson(registered.registration.centre, yaw_deg)
            self._state = self._state.taught(found.mount, lesson, registered.view.side_m)
        self._state = replace(self._state, suspicion=Suspicion(), missing_m=found.missing_m)
        return self._said(frame, estimate, ground=ground, yaw_deg=yaw_deg)

    def _unregistered(self, frame: Frame, reason: NoFixReason, likeliest: GroundView | None = None) -> Verdict:
        """Say a position that no registration of this frame bears out, or why there is none.

        ``likeliest`` is the view of the best candidate, if there was one.
        """
        axis_cov_m2 = None
        if likeliest is not None:
            axis_cov_m2 = likeliest.axis_cov_m2(self._state.mount.frame_cov(likeliest.uncertainty))
        estimate = self._state.belief.unregistered(self._limits, axis_cov_m2)
        return self._none(frame, reason) if estimate is None else self._said(frame, estimate, reason=reason)

    def _none(self, frame: Frame, reason: NoFixReason) -> NoFix:
        belief, _ = self._state.belief.saying(None)
        self._believe(belief)
        return NoFix(frame.t_us, "start_contradicted" if belief.start_contradicted else reason)

    def _said(
        self,
        frame: Frame,
        estimate: PositionEstimate,
        *,
        reason: NoFixReason = "unconfirmed",
        ground: LatLon | None = None,
        yaw_deg: float | None = None,
    ) -> Verdict:
        """Say a position, unless no drone can have come there from the last one."""
        belief, said = self._state.belief.saying(estimate)
        if said is None:
            return self._none(frame, reason)
        self._believe(belief)
        fix = self.outlook.fix(frame.t_us, frame.telemetry.alt_msl_m, said, ground=ground, yaw_deg=yaw_deg)
        self._follow(said)
        return fix

    def _follow(self, said: PositionEstimate) -> None:
        """Let the local frame follow the drone: a flat one does not hold over a country."""
        if math.hypot(*said.position_en_m) <= BELIEF.frame_reach_m:
            return
        place = self._frame.to_latlon(*said.position_en_m.tolist())
        shift = np.array(LocalFrame(place).to_en(self._state.origin))
        self._state = replace(self._state, origin=place, belief=self._state.belief.about(shift))
