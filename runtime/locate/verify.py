"""Where on the map is the ground that a frame shows? Register at each candidate, solve the pose, have it borne out."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from runtime.geo.camera import rotation_of
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.geo.terrain import FLAT, Terrain
from runtime.locate.ground_view import GroundView
from runtime.locate.limits import Limits
from runtime.locate.mount import MountEstimate, is_plausible
from runtime.locate.pose import Pose, solve_pose
from runtime.locate.registration import FramePoints, Registrar, Registration
from runtime.locate.retrieve import Candidate
from runtime.locate.stages import Stages
from runtime.maps.heights import Heights
from runtime.types import FloatArray

_MAX_TURN_DEG = 30.0
_VERIFIED = 3  # fits looked at closely
_CHANCE = 1 / 16  # agreement of a wrong pose
_GOOD_AGREEMENT = 0.5  # ground that is as the map shows it


@dataclass(frozen=True, slots=True)
class RegisteredView:
    """A look whose ground was found."""

    look: GroundView
    registration: Registration
    pose: Pose
    agreement: float
    terrain: Terrain  # about the registration's origin

    def position(self, frame: LocalFrame) -> FloatArray:
        """(2,) of the drone, about the map's middle."""
        return np.array(frame.to_en(self.registration.origin.to_latlon(self.pose.east_m, self.pose.north_m)))

    def axis_ground(self) -> LatLon | None:
        """Where the optical axis meets the ground; None at and above the horizon."""
        east_m, north_m = self.pose.ground_en_m(np.array([[0.0, 0.0, 1.0]]), self.terrain)[0].tolist()
        return self.registration.origin.to_latlon(east_m, north_m) if math.isfinite(east_m) else None


@dataclass(frozen=True, slots=True)
class ViewCandidate:
    """A candidate, the look that it was retrieved for and the side of its tile."""

    look: GroundView
    candidate: Candidate
    footprint_m: float


@dataclass(frozen=True, slots=True)
class _Fit:
    look: GroundView
    points: FramePoints
    registration: Registration
    terrain: Terrain  # about the registration's origin

    def places(self, pose: Pose) -> FloatArray:
        """(N, 2) where a pose puts each of the points, about the registration's origin."""
        return pose.ground_en_m(self.look.view.camera.rays(self.points.pixel), self.terrain)


class Verifier:
    """Looks closely at the places that retrieval and the track name."""

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
        self._picture: object = None
        self._points: dict[int, FramePoints] = {}

    def points(self, look: GroundView) -> FramePoints:
        """Keypoints of a look, found once a frame."""
        if look.view.picture is not self._picture:
            self._picture, self._points = look.view.picture, {}
        if id(look) not in self._points:
            self._points[id(look)] = self._registrar.points(look.view, look.middle_en_m, look.side_m, lat=self._lat)
        return self._points[id(look)]

    def best(
        self, places: list[ViewCandidate], mount: MountEstimate, least_agreement: float, *, alone: bool
    ) -> tuple[RegisteredView | None, str | None]:
        """The best supported registration that its pose bears out, or why there is none; ``alone``: no track vouches.

        Alone it is not believed where other ground near by would be believed as well: orchards, rows of like houses.
        """
        with self._stages.timed("register"):
            fits = self._fits(places, mount)
        reason = "no_match"
        for fit in fits[:_VERIFIED]:
            with self._stages.timed("pose"):
                found = self._verified(fit, mount, least_agreement)
            if found is None:
                continue
            mine = fit.registration
            others = (other.registration for other in fits)
            elsewhere = [r.support for r in others if _apart_m(mine, r) > fit.look.side_m / 4]
            rivalled = max([mine.rival_support, *elsewhere]) > self._limits.max_rival * mine.support
            if not (rivalled or (alone and self._has_double(fit, found.pose))):
                return found, None
            reason = "ambiguous"
        return None, reason

    def _fits(self, places: list[ViewCandidate], mount: MountEstimate) -> list[_Fit]:
        """Plausible fits to the map at each place, best supported first."""
        fits = []
        for place in places:
            look = place.look
            shift = np.subtract(look.middle_en_m, look.axis_en_m)
            near = LocalFrame(place.candidate.place).to_latlon(float(shift[0]), float(shift[1]))
            terrain = self._terrain(look, near)
            points = _laid(self.points(look), look, terrain)
            found = self._registrar.register(points, near, reach_m=place.footprint_m / 2, max_turn_deg=_MAX_TURN_DEG)
            if found is not None and found.support >= self._limits.min_support and _is_plausible(look, mount, found):
                fits.append(_Fit(look, points, found, terrain))
        return sorted(fits, key=lambda fit: -fit.registration.support)

    def _terrain(self, look: GroundView, near: LatLon) -> Terrain:
        """Of what may be seen and of the ground under the camera, about where the middle of the look may be."""
        if self._heights is None:
            return FLAT
        terrain = self._heights.about(LocalFrame(near), 2 * look.side_m + math.hypot(*look.middle_en_m))
        return FLAT if terrain.is_level else terrain

    def _verified(self, fit: _Fit, mount: MountEstimate, least_agreement: float) -> RegisteredView | None:
        """The pose of a fit, and again from all points that agree with it; None when too few do."""
        points, registration = fit.points, fit.registration
        pose = self._pose(fit, mount, registration.pixel, registration.place_en_m)
        if pose is None:
            return None
        agreement = self._registrar.agreement(points, registration, fit.places(pose))
        if not agreement.share >= least_agreement:
            return None
        pose = self._pose(fit, mount, agreement.pixel, agreement.place_en_m, trust=_trust(agreement.share))
        return None if pose is None else RegisteredView(fit.look, registration, pose, agreement.share, fit.terrain)

    def _has_double(self, fit: _Fit, pose: Pose) -> bool:
        with self._stages.timed("register"):
            support = self._registrar.double(fit.points, fit.registration, fit.places(pose))
        return support >= self._limits.min_support_alone

    def _pose(
        self, fit: _Fit, mount: MountEstimate, pixel: FloatArray, place_en_m: FloatArray, *, trust: float = 1.0
    ) -> Pose | None:
        look = fit.look
        return solve_pose(
            look.view.camera,
            np.asarray(look.view.attitude),
            look.view.alt_agl_m,
            pixel,
            place_en_m,
            prior_cov=mount.frame_cov(look.uncertainty),
            floor_m=self._floor_m,
            trust=trust,
            terrain=fit.terrain,
        )


def _laid(points: FramePoints, look: GroundView, terrain: Terrain) -> FramePoints:
    """The points on the terrain under a camera whose look's middle is at its origin: hills bend what is flat's.

    The picture that they were found in stays a flat one's: local features bear a fifth of scale.
    """
    if terrain.is_level:
        return points
    view, middle_en_m = look.view, np.array(look.middle_en_m)
    rays = view.camera.rays(points.pixel) @ rotation_of(view.attitude).T
    return replace(points, ground_en_m=terrain.meet(-middle_en_m, view.alt_agl_m, rays) + middle_en_m)


def _trust(agreement: float) -> float:
    """What points are worth among others that disagree: the ground has changed, and some of them agree by chance."""
    return min(max((agreement - _CHANCE) / (_GOOD_AGREEMENT - _CHANCE), 0.0), 1.0)


def _is_plausible(look: GroundView, mount: MountEstimate, fit: Registration) -> bool:
    cov = mount.frame_cov(look.uncertainty)
    return is_plausible(np.asarray(look.view.attitude), cov, scale=fit.scale, turn_deg=fit.turn_deg)


def _apart_m(a: Registration, b: Registration) -> float:
    """Metres between where two fits put the patch."""
    return max(abs(d) for d in LocalFrame(a.centre).to_en(b.centre))
