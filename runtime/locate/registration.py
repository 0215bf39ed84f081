"""Local features of a frame against the map's: which ground does each pixel show?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runtime.geo.camera import pixels_from_ground
from runtime.geo.local import LocalFrame, short_way_deg
from runtime.geo.mercator import RADIUS_M, LatLon, ground_scale, to_metres
from runtime.geo.rectify import Patch, View, rectify
from runtime.locate.features import Keypoints, LocalFeatures
from runtime.locate.limits import FEATURES, REGISTRATION
from runtime.locate.map_features import MapFeatures, MapPoints
from runtime.locate.similarity import fit_similarity, likest_near, mutual_matches
from runtime.maps.imagery import Imagery
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class FramePoints:
    """Keypoints of a frame, found in its rectified patch."""

    keypoints: Keypoints
    patch: Patch
    pixel: FloatArray  # (N, 2) in the frame
    ground_en_m: FloatArray  # (N, 2) from the point under the camera, by the nominal attitude
    rung: int  # of the map's resolutions


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of a frame's points find their like where a pose says they must."""

    share: float  # of the points that have any like near by; chance gives 1/16
    pixel: FloatArray  # (N, 2) of those that do
    place_en_m: FloatArray  # (N, 2) about the registration's origin


@dataclass(frozen=True, slots=True)
class Registration:
    """Pixels of a frame and the places they show, agreeing on one similarity."""

    origin: LocalFrame
    pixel: FloatArray  # (N, 2) in the frame, inliers only
    place_en_m: FloatArray  # (N, 2) about ``origin``
    support: int  # cells of a 16 by 16 grid over the patch that hold an inlier
    rival_support: int  # the same of the next best fit, somewhere else, to what the best one leaves
    shift_en_m: FloatArray  # (2,) where the fit puts the patch's centre, about ``origin``
    scale: float  # found over nominal ground distances
    turn_deg: float  # anticlockwise, of the nominal ground onto the map

    @property
    def centre(self) -> LatLon:
        """Where the fit puts the patch's centre."""
        return self.origin.to_latlon(float(self.shift_en_m[0]), float(self.shift_en_m[1]))


class Registrar:
    """Finds what a frame shows in the imagery of a cache."""

    def __init__(self, imagery: Imagery, features: LocalFeatures) -> None:
        self._features = features
        self._map = MapFeatures(imagery, features)

    def points(self, view: View, centre_en_m: tuple[float, float], side_m: float, *, lat: float) -> FramePoints:
        """Find the keypoints of what a frame sees of a square of ground, at a resolution that the map has."""
        scale = ground_scale(lat)
        rung = self._map.rung_for(side_m / scale)
        side_px = max(round(side_m / (self._map.metres_per_px(rung) * scale)), 64)
        patch = rectify(view, centre_en_m, side_m, side_px)
        found = self._features.detect(patch.picture, patch.seen, FEATURES.points_a_frame)
        homogeneous = np.column_stack([found.xy.astype(np.float64), np.ones(len(found.xy))])
        ground = homogeneous @ patch.ground_from_patch().T
        pixel = ground @ pixels_from_ground(view.camera, view.attitude, view.alt_agl_m).T
        return FramePoints(found, patch, pixel[:, :2] / pixel[:, 2:], ground[:, :2], rung)

    def register(self, points: FramePoints, near: LatLon, *, reach_m: float) -> Registration | None:
        """Fit the points to the map where the patch's centre is within ``reach_m`` of ``near``; None without a fit."""
        around = self._around(points, near, reach_m)
        if min(len(around.place_m), len(points.pixel)) < REGISTRATION.min_matches:
            return None
        mine, theirs = mutual_matches(points.keypoints.descriptor, around.descriptor)
        origin = LocalFrame(near)
        place_en_m = _local(around.place_m[theirs], origin)
        ground_en_m = points.ground_en_m[mine] - points.patch.centre_en_m
        fit = fit_similarity(ground_en_m, place_en_m, points.patch)
        if fit is None:
            return None
        return Registration(
            origin=origin,
            pixel=points.pixel[mine][fit.keep],
            place_en_m=place_en_m[fit.keep],
            support=fit.support,
            rival_support=fit.rival_support,
            shift_en_m=fit.affine[:, 2],
            scale=fit.scale,
            turn_deg=fit.turn_deg,
        )

    def agreement(
        self,
        points: FramePoints,
        registration: Registration,
        predicted_en_m: FloatArray,  # (N, 2) where a pose puts each of the points, about the registration's origin
    ) -> Agreement:
        """Count the points whose nearest descriptor within 4 r of the predicted place lies within r of it.

        A wrong pose scores the areas' ratio, 1/16, whatever the texture; only ground that repeats itself does better.
        """
        near_m = REGISTRATION.agreeing_share * points.patch.side_m
        like_m = REGISTRATION.like_reaches * near_m
        around = self._around(points, registration.centre, like_m)
        if not len(around.place_m):
            return Agreement(0.0, np.empty((0, 2)), np.empty((0, 2)))
        place_en_m = _local(around.place_m, registration.origin)
        best, cosine = likest_near(points.keypoints.descriptor, predicted_en_m, around.descriptor, place_en_m, like_m)
        has_like = cosine > REGISTRATION.min_cosine
        agrees = has_like & (np.linalg.norm(predicted_en_m - place_en_m[best], axis=1) <= near_m)
        telling = int(has_like.sum())
        share = float(agrees.sum() / telling) if telling >= REGISTRATION.min_telling_points else 0.0
        return Agreement(share, points.pixel[agrees], place_en_m[best[agrees]])

    def double_support(
        self,
        points: FramePoints,
        registration: Registration,
        predicted_en_m: FloatArray,  # (N, 2) as for :meth:`agreement`
    ) -> int:
        """Return the support of the best fit to other ground up to a patch's side away: ground that repeats itself."""
        some = slice(None, None, REGISTRATION.double_every)
        around = self._around(points, registration.centre, points.patch.side_m)
        if not len(around.place_m):
            return 0
        place_en_m = _local(around.place_m, registration.origin)
        eastwards = place_en_m[:, 0].argsort()  # so that a point's own ground is among a few
        place_en_m, cosine = place_en_m[eastwards], points.keypoints.descriptor[some] @ around.descriptor[eastwards].T
        own_m = REGISTRATION.own_share * points.patch.side_m
        edges = np.searchsorted(place_en_m[:, 0], predicted_en_m[some, :1] + (-own_m, own_m))  # (N, 2)
        for row, own, (first, last) in zip(cosine, predicted_en_m[some], edges, strict=True):
            row[first:last][np.abs(place_en_m[first:last, 1] - own[1]) <= own_m] = -1.0
        best = cosine.argmax(axis=1)
        has_like = cosine[np.arange(len(best)), best] > REGISTRATION.min_cosine
        ground_en_m = points.ground_en_m[some][has_like] - points.patch.centre_en_m
        fit = fit_similarity(ground_en_m, place_en_m[best[has_like]], points.patch)
        return 0 if fit is None else fit.support

    def _around(self, points: FramePoints, near: LatLon, reach_m: float) -> MapPoints:
        side_m = (points.patch.side_m + 2 * reach_m) / ground_scale(near.lat)
        return self._map.around(to_metres(near), side_m, points.rung)


def _local(
    place_m: FloatArray,  # (N, 2) Web Mercator metres
    origin: LocalFrame,
) -> FloatArray:  # (N, 2)
    """Return metres east and north of ``origin`` on the ellipsoid, which Web Mercator's sphere misses by up to 0.7%."""
    x, y = place_m.T / RADIUS_M
    lat, lon = np.degrees(np.arctan(np.sinh(y))), np.degrees(x)
    per_lon_m, per_lat_m = origin.metres_per_degree()
    return np.column_stack([short_way_deg(lon - origin.origin.lon) * per_lon_m, (lat - origin.origin.lat) * per_lat_m])
