"""Ground that is not flat: heights on a regular grid in a local frame, and where rays first meet them.

Only differences of height are used, so it does not matter which sea level they are above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from runtime.types import FloatArray

_PLANE_M, _MOST_PLANES = 2.0, 64  # between the levels at which a ray is tried; a ridge lower than that may be missed
_HALVINGS = 10  # of the way between two levels: to a millimetre of height


@dataclass(frozen=True, slots=True)
class Terrain:
    """Heights of the nodes of a grid; bilinear between them, and beyond the edge as at the edge."""

    height_m: NDArray[np.floating]  # (H, W), rows grow southwards
    north_west_en_m: tuple[float, float]  # of the first node
    step_en_m: tuple[float, float]  # between columns and between rows, both positive

    @property
    def is_level(self) -> bool:
        """Whether all heights are the same."""
        return float(self.height_m.min()) == float(self.height_m.max())

    def moved(self, east_m: float, north_m: float) -> Terrain:
        """Return the same ground about another origin."""
        return replace(self, north_west_en_m=(self.north_west_en_m[0] + east_m, self.north_west_en_m[1] + north_m))

    def up_m(
        self,
        place_en_m: FloatArray,  # (N, 2) finite
    ) -> FloatArray:  # (N,)
        """Return height of the ground at places."""
        rows, columns = self.height_m.shape
        if rows == columns == 1:  # FLAT costs nothing
            return np.full(len(place_en_m), float(self.height_m[0, 0]))
        x = np.clip((place_en_m[:, 0] - self.north_west_en_m[0]) / self.step_en_m[0], 0, columns - 1)
        y = np.clip((self.north_west_en_m[1] - place_en_m[:, 1]) / self.step_en_m[1], 0, rows - 1)
        left, above = x.astype(np.int64), y.astype(np.int64)
        right, below = np.minimum(left + 1, columns - 1), np.minimum(above + 1, rows - 1)
        u, v = x - left, y - above
        north = self.height_m[above, left] * (1 - u) + self.height_m[above, right] * u
        south = self.height_m[below, left] * (1 - u) + self.height_m[below, right] * u
        return np.asarray(north * (1 - v) + south * v, np.float64)

    def meet(
        self,
        place_en_m: FloatArray,  # (2,) of the camera
        height_m: float,  # of the camera above the ground there, positive
        directions: FloatArray,  # (N, 3) east-north-up, of any length
    ) -> FloatArray:  # (N, 2)
        """Find where rays from a camera first meet the ground; NaN at and above the horizon, also where a hill is.

        A ray is tried level by level from the highest ground downwards; between the last level above the ground and the
        first one below, the way is halved. (A fixed point, the height where the last guess was, is left by rays that
        see less of the ground than its slope: tan(tilt) slope > 1.)
        """
        down = -directions[:, 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            across = np.where(down > 1e-6, directions[:, :2] / down, np.nan)  # (N, 2) metres a metre of fall
        if self.is_level:
            return np.asarray(place_en_m + across * height_m)
        ground = np.full((len(across), 2), np.nan)
        falls = np.isfinite(across).all(axis=1)
        camera_m = height_m + float(self.up_m(place_en_m[None])[0])
        levels_m = min(float(self.height_m.max()), camera_m), float(self.height_m.min())
        fall_m = self._falls(place_en_m, camera_m, across[falls], levels_m)
        ground[falls] = place_en_m + across[falls] * fall_m[:, None]
        return ground

    def _falls(
        self, place_en_m: FloatArray, camera_m: float, across: FloatArray, levels_m: tuple[float, float]
    ) -> FloatArray:  # (N,)
        """Return how far below the camera each ray meets the ground, somewhere between two levels."""

        def is_under(fall_m: FloatArray) -> NDArray[np.bool_]:  # (N, K) falls of each ray
            places = place_en_m + across[:, None] * fall_m[..., None]
            up_m = self.up_m(places.reshape(-1, 2)).reshape(fall_m.shape)
            return np.asarray(camera_m - fall_m <= up_m)

        highest_m, lowest_m = levels_m
        planes = min(math.ceil((highest_m - lowest_m) / _PLANE_M), _MOST_PLANES) + 1
        fall_m = camera_m - np.linspace(highest_m, lowest_m, planes)
        first = is_under(np.broadcast_to(fall_m, (len(across), planes)))[:, 1:-1]  # at the lowest all are
        reached = np.where(first.any(axis=1), first.argmax(axis=1) + 1, planes - 1)
        over, under = fall_m[reached - 1], fall_m[reached]
        for _ in range(_HALVINGS):
            middle = (over + under) / 2
            below = is_under(middle[:, None])[:, 0]
            over, under = np.where(below, over, middle), np.where(below, middle, under)
        return np.asarray((over + under) / 2)


FLAT = Terrain(np.zeros((1, 1)), (0.0, 0.0), (1.0, 1.0))
"""What is taken where no heights are known."""
