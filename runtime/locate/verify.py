"""Where on the map is the ground that a frame shows? Register at each candidate, solve the pose, have it borne out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runtime.fix import NoFixReason
from runtime.geo.camera import angle_between, rotation_of
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.geo.terrain import FLAT, Terrain
from runtime.locate.ground_view import GroundView, relaid
from runtime.locate.limits import MOUNT, POSE, REGISTRATION, Limits
from runtime.locate.mount import MountEstimate, is_plausible
from runtime.locate.offset import BEND, TURN, OffsetPrior
from runtime.locate.pose import Pose, offset_between, solve_pose
from runtime.locate.registration import FramePoints, Registrar, Registration
from runtime.locate.retrieve import Candidate
from runtime.locate.stages import Stages
from runtime.maps.heights import Heights
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class RegisteredView:
    """A ground view whose ground was found on the map."""

    view: GroundView
    registration: Registration
    pose: Pose
    agreement: float  # share of the points that agree with the pose
    pixel: FloatArray  # (N, 2) those
    place_en_m: FloatArray  # (N, 2) about the registration's origin
    terrain: Terrain  # about the registration's origin
    settled: bool = False  # a second look at the ground, laid out by the pose that was found, found the same

    @property
    def tilt_rad(self) -> float:
        """How far from what was expected the camera was found to look."""
        return math.hypot(*self.pose.offset[TURN][:2])

    def bears_out(self, tilt_rad: float) -> bool:
        """Tell whether an attitude so far from what was expected may stand: few points that agree tell a part of it."""
        tilt_deg = math.degrees(tilt_rad)
        few, some, many = REGISTRATION.tilt_agreements
        allowed_deg = float(np.interp(self.agreement, (few, some), REGISTRATION.max_tilts_deg))
        return self.settled and (tilt_deg <= allowed_deg or self.agreement >= many)

    def position(self, frame: LocalFrame) -> FloatArray:
        """Return the drone's place (2,), metres east and north in the frame."""
        return np.array(frame.to_en(self.registration.origin.to_latlon(self.pose.east_m, self.pose.north_m)))

    def axis_ground(self, pose: Pose) -> LatLon | None:
        """Return where the optical axis of a pose meets the ground; None at and above the horizon."""
        east_m, north_m = pose.ground_en_m(np.array([[0.0, 0.0, 1.0]]), self.terrain)[0].tolist()
        return self.registration.origin.to_latlon(east_m, north_m) if math.isfinite(east_m) else None


class ViewKeypoints:
    """A ground view with its keypoints, which are found when they are first asked for."""

    def __init__(self, view: GroundView, registrar: Registrar, lat: float) -> None:
        """``lat`` is the latitude at which the map's resolution is taken."""
        self.view = view
        self._registrar, self._lat = registrar, lat
        self._points: FramePoints | None = None

    def points(self) -> FramePoints:
        """Return the keypoints."""
        if self._points is None:
            view = self.view
            self._points = self._registrar.points(view, view.middle_en_m, view.side_m, lat=self._lat)
        return self._points


@dataclass(frozen=True, slots=True)
class _Fit:
    view: GroundView
    points: FramePoints
    registration: Registration
    terrain: Terrain  # about the registration's origin

    def places(self, pose: Pose) -> FloatArray:
        """Return where a pose puts each of the points (N, 2), about the registration's origin."""
        return pose.ground_en_m(self.view.camera.rays(self.points.pixel), self.terrain)


class Verifier:
    """Registers a frame at the places that retrieval and the track name, and has the pose borne out."""

    def __init__(
        self,
        registrar: Registrar,
        limits: Limits,
        *,
        lat: float,
        floor_m: float,
        stages: Stages,
        heights: Heights | None = None,
    ) -> None:
        """``lat`` is the map's middle's, ``floor_m`` what a residual on its ground means at least.

        Without ``heights`` the ground is flat.
        """
        self._registrar, self._limits, self._lat, self._floor_m = registrar, limits, lat, floor_m
        self._stages, self._heights = stages, heights

    def keypoints(self, view: GroundView) -> ViewKeypoints:
        """Return a view's keypoints, to be found when they are asked for."""
        return ViewKeypoints(view, self._registrar, self._lat)

    def best(
        self,
        views: Sequence[ViewKeypoints],
        candidates: Sequence[Candidate],
        mount: MountEstimate,
        min_agreement: float,
        *,
        alone: bool,
    ) -> RegisteredView | NoFixReason:
        """Return the best supported registration that its pose bears out, or why there is none.

        ``alone``: no track vouches. Alone it is not believed where other ground near by would be believed as well:
        orchards, rows of like houses.
        """
        with self._stages.timed("register"):
            fits = self._fits(views, candidates, mount)
        reason: NoFixReason = "no_match"
        for fit in fits[: REGISTRATION.fits_verified]:
            with self._stages.timed("pose"):
                registered = self._verified(fit, mount, min_agreement)
            if registered is None:
                continue
            mine = fit.registration
            others = (other.registration for other in fits)
            apart_m = REGISTRATION.other_place_share * fit.view.side_m
            elsewhere = [r.support for r in others if _apart_m(mine, r) > apart_m]
            rivalled = max([mine.rival_support, *elsewhere]) > self._limits.max_rival * mine.support
            if not (rivalled or (alone and self._has_double(fit, registered.pose))):
                return self._looked_again(registered, mount, min_agreement) if alone else registered
            reason = "ambiguous"
        return reason

    def _fits(
        self, views: Sequence[ViewKeypoints], candidates: Sequence[Candidate], mount: MountEstimate
    ) -> list[_Fit]:
        """List plausible fits to the map at each candidate, best supported first."""
        fits = []
        for candidate in candidates:
            view = views[candidate.view].view
            shift = np.subtract(view.middle_en_m, view.axis_en_m)
            near = LocalFrame(candidate.place).to_latlon(float(shift[0]), float(shift[1]))
            terrain = self._terrain(view, near)
            points = _laid_on(terrain, views[candidate.view].points(), view)
            registration = self._registrar.register(points, near, reach_m=candidate.footprint_m / 2)
            supported = registration is not None and registration.support >= self._limits.min_support
            if registration is not None and supported and _is_plausible(view, mount, registration):
                fits.append(_Fit(view, points, registration, terrain))
        return sorted(fits, key=lambda fit: -fit.registration.support)

    def _terrain(self, view: GroundView, near: LatLon) -> Terrain:
        """Return the terrain of what may be seen and under the camera, about where the view's middle may be."""
        if self._heights is None:
            return FLAT
        terrain = self._heights.about(LocalFrame(near), 2 * view.side_m + math.hypot(*view.middle_en_m))
        return FLAT if terrain.is_level else terrain

    def _verified(
        self, fit: _Fit, mount: MountEstimate, min_agreement: float, widened: float = 1.0
    ) -> RegisteredView | None:
        """Solve the pose of a fit, and again from all points that agree with it; None when too few do.

        ``widened`` is by how much sigma the first solution may lie further from the attitude than usual.
        """
        points, registration = fit.points, fit.registration
        pose = self._pose(fit, mount, registration.pixel, registration.place_en_m, widened=widened)
        if pose is None:
            return None
        agreement = self._registrar.agreement(points, registration, fit.places(pose))
        if not agreement.share >= min_agreement:
            return None
        trust = trust_in(agreement.share)
        pose = self._pose(fit, mount, agreement.pixel, agreement.place_en_m, trust=trust, widened=widened)
        if pose is None:
            return None
        return RegisteredView(
            fit.view, registration, pose, agreement.share, agreement.pixel, agreement.place_en_m, fit.terrain
        )

    def _looked_again(self, first: RegisteredView, mount: MountEstimate, min_agreement: float) -> RegisteredView:
        """Lay the frame on the ground by the pose that was found, and register again: a tilt that was told far wrong
        leaves matches that only bear out a part of it. What the second look bears out stays as the first one found it,
        for that leans on what is told, and tilt from matches alone is weak.

        Source: the second look of AdHoP (match again on the view rendered from the first pose).
        """
        told, best, newest, settled = first.view, first, first, False
        for _ in range(REGISTRATION.second_looks):
            again = self._again(newest, mount, min_agreement)
            if again is None:
                settled = False
                break
            settled = angle_between(newest.pose.rotation, again.pose.rotation) < math.radians(REGISTRATION.settled_deg)
            newest = again
            if newest.agreement >= best.agreement:
                best = newest
            if settled:
                break
        best = newest if settled else best
        if angle_between(first.pose.rotation, best.pose.rotation) <= math.radians(REGISTRATION.borne_out_deg):
            return replace(first, settled=settled)
        offset = offset_between(np.asarray(told.attitude), told.alt_agl_m, best.pose)
        return replace(best, pose=replace(best.pose, offset=offset), settled=settled)

    def _again(self, found: RegisteredView, mount: MountEstimate, min_agreement: float) -> RegisteredView | None:
        pose = found.pose
        view = relaid(found.view, pose.rotation, pose.height_m)
        if view is None:
            return None
        middle_en_m = np.array([pose.east_m, pose.north_m]) + view.middle_en_m
        near = found.registration.origin.to_latlon(float(middle_en_m[0]), float(middle_en_m[1]))
        with self._stages.timed("register"):
            terrain = self._terrain(view, near)
            points = _laid_on(terrain, self.keypoints(view).points(), view)
            reach_m = REGISTRATION.other_place_share * view.side_m
            registration = self._registrar.register(points, near, reach_m=reach_m)
        if registration is None or registration.support < self._limits.min_support:
            return None
        with self._stages.timed("pose"):
            return self._verified(
                _Fit(view, points, registration, terrain), mount, min_agreement, REGISTRATION.second_look_share
            )

    def _has_double(self, fit: _Fit, pose: Pose) -> bool:
        with self._stages.timed("register"):
            support = self._registrar.double_support(fit.points, fit.registration, fit.places(pose))
        return support >= max(self._limits.min_support_alone, self._limits.max_double * fit.registration.support)

    def _pose(
        self,
        fit: _Fit,
        mount: MountEstimate,
        pixel: FloatArray,
        place_en_m: FloatArray,
        *,
        trust: float = 1.0,
        widened: float = 1.0,
    ) -> Pose | None:
        view, cov = fit.view, mount.frame_cov(fit.view.uncertainty)
        # Which points agree is asked of a camera that may look elsewhere, and of ground that is flat.
        cov[TURN, TURN] += math.radians(MOUNT.any_tilt_deg) ** 2 * np.eye(3)
        cov[BEND], cov[:, BEND] = 0.0, 0.0
        cov[BEND, BEND] = math.radians(MOUNT.no_bend_deg) ** 2 * np.eye(2)
        return solve_pose(
            view.camera,
            np.asarray(view.attitude),
            view.alt_agl_m,
            pixel,
            place_en_m,
            prior=OffsetPrior.about_told(cov * widened**2),
            floor_m=self._floor_m,
            points=trust * POSE.effective_points,
            terrain=fit.terrain,
        )


def _laid_on(terrain: Terrain, points: FramePoints, view: GroundView) -> FramePoints:
    """Lay the points on the terrain under a camera whose view's middle is at its origin: hills bend what is flat's.

    The picture that they were found in stays a flat one's: local features bear a fifth of scale.
    """
    if terrain.is_level:
        return points
    middle_en_m = np.array(view.middle_en_m)
    rays = view.camera.rays(points.pixel) @ rotation_of(view.attitude).T
    return replace(points, ground_en_m=terrain.meet(-middle_en_m, view.alt_agl_m, rays) + middle_en_m)


def trust_in(agreement: float) -> float:
    """Say what points are worth among others that disagree: the ground has changed, and some agree by chance."""
    chance, good = REGISTRATION.chance_agreement, REGISTRATION.good_agreement
    return min(max((agreement - chance) / (good - chance), 0.0), 1.0)


def _is_plausible(view: GroundView, mount: MountEstimate, fit: Registration) -> bool:
    cov = mount.frame_cov(view.uncertainty)
    return is_plausible(np.asarray(view.attitude), cov, scale=fit.scale, turn_deg=fit.turn_deg)


def _apart_m(a: Registration, b: Registration) -> float:
    """Return how far apart two fits put the patch, metres along the farther axis."""
    return max(abs(d) for d in LocalFrame(a.centre).to_en(b.centre))
