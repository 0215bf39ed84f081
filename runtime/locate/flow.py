"""How far the drone came between two frames, by the ground that both show: for an aircraft that tells no velocity."""

from __future__ import annotations

import numpy as np

from runtime.locate.ground_view import GroundView
from runtime.locate.limits import FLOW
from runtime.locate.motion import Shift
from runtime.locate.mount import MountEstimate
from runtime.locate.offset import HEIGHT, TURN
from runtime.locate.registration import FramePoints
from runtime.locate.similarity import fit_similarity, mutual_matches
from runtime.types import FloatArray


class Flow:
    """Remembers the last frame's points."""

    def __init__(self) -> None:
        self._last: tuple[int, FramePoints] | None = None

    def forget(self) -> None:
        """Forget the last frame: the next one has none before it."""
        self._last = None

    def since(
        self, t_us: int | None, now_us: int, view: GroundView, points: FramePoints, mount: MountEstimate
    ) -> Shift | None:
        """Find the way from the frame at ``t_us`` to this one, which is remembered; None with too little in common."""
        last, self._last = self._last, (now_us, points)
        if last is None or last[0] != t_us:
            return None
        shift_en_m = _shift(last[1], points)
        if shift_en_m is None:
            return None
        cov = mount.frame_cov(view.uncertainty)
        up = np.asarray(view.attitude).T @ np.array([0.0, 0.0, 1.0])
        share2 = cov[HEIGHT, HEIGHT] + up @ cov[TURN, TURN] @ up  # scale and heading tilt the whole way
        variance = float(share2 * (shift_en_m @ shift_en_m) + (FLOW.tilt_sigma * view.alt_agl_m) ** 2)
        return Shift(shift_en_m, np.eye(2) * variance)


def _shift(earlier: FramePoints, later: FramePoints) -> FloatArray | None:
    """Find the way (2,) from the point under the earlier camera to that under the later one.

    Patches have the same outline, whatever ground they show: what their edges agree on is no shift, and few points do.
    """
    if not (len(earlier.pixel) and len(later.pixel)):
        return None
    mine, theirs = mutual_matches(later.keypoints.descriptor, earlier.keypoints.descriptor)
    centre = np.asarray(later.patch.centre_en_m)
    ground_en_m = later.ground_en_m - centre
    fit = fit_similarity(ground_en_m[mine], earlier.ground_en_m[theirs], later.patch)
    if fit is None or fit.support < FLOW.min_support or fit.rival_support > FLOW.max_rival * fit.support:
        return None
    common = earlier.patch.sees(ground_en_m @ fit.affine[:, :2].T + fit.affine[:, 2])
    if not fit.keep.sum() >= FLOW.min_share * common.sum():
        return None
    shift: FloatArray = fit.affine[:, 2] - fit.affine[:, :2] @ centre
    return shift
