"""Rotation, scale and shift between two sets of points that look alike, and how far it can be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.geo.rectify import Patch
from runtime.locate.limits import REGISTRATION
from runtime.types import FloatArray


@dataclass(frozen=True, slots=True)
class Similarity:
    """What most matches agree on."""

    affine: FloatArray  # (2, 3) rotation, scale and shift
    keep: NDArray[np.bool_]  # (N,) matches that agree
    support: int  # cells of a 16 by 16 grid over the patch that hold one of them
    rival_support: int  # the same of the next best fit, somewhere else, to what the best one leaves
    scale: float
    turn_deg: float  # anticlockwise


def fit_similarity(
    source_en_m: FloatArray,  # (N, 2) of a patch, about its centre
    target_en_m: FloatArray,  # (N, 2)
    patch: Patch,
) -> Similarity | None:
    """Fit rotation, scale and shift; None where too few points agree, or only on what no drone does."""
    if len(source_en_m) < REGISTRATION.min_matches:
        return None
    fit = _ransac(source_en_m, target_en_m, _tolerance_m(patch))
    if fit is None:
        return None
    affine, keep = fit
    scale, turn_deg = math.hypot(*affine[:, 0]), math.degrees(math.atan2(affine[1, 0], affine[0, 0]))
    scaled_well = REGISTRATION.min_scale <= scale <= REGISTRATION.max_scale
    if not (scaled_well and abs(turn_deg) <= REGISTRATION.max_turn_deg):
        return None
    return Similarity(
        affine,
        keep,
        support=_support(source_en_m[keep], patch.side_m),
        rival_support=_rival_support(source_en_m[~keep], target_en_m[~keep], affine[:, 2], patch),
        scale=scale,
        turn_deg=turn_deg,
    )


def _ransac(
    source: FloatArray,  # (N, 2)
    target: FloatArray,  # (N, 2)
    tolerance_m: float,
) -> tuple[FloatArray, NDArray[np.bool_]] | None:
    """Find the (2, 3) similarity that most points agree on, and which (N,) do; OpenCV's RANSAC is seeded."""
    affine, inlier = cv2.estimateAffinePartial2D(
        source,
        target,
        method=cv2.RANSAC,
        ransacReprojThreshold=tolerance_m,
        maxIters=REGISTRATION.ransac_rounds,
        confidence=REGISTRATION.ransac_confidence,
    )
    return None if affine is None else (np.asarray(affine), inlier.ravel() > 0)


def _rival_support(
    source: FloatArray,  # (N, 2) what the best fit left
    target: FloatArray,  # (N, 2)
    shift_en_m: FloatArray,  # (2,) of the best fit
    patch: Patch,
) -> int:
    """Return the support of a second fit to the leftovers: rows of houses and orchards fit themselves a row further on.

    A fit to nearly the same place is no rival: roofs, above the ground, make one of their own.
    """
    if len(source) < REGISTRATION.min_matches:
        return 0
    fit = _ransac(source, target, _tolerance_m(patch))
    if fit is None or not REGISTRATION.min_scale <= math.hypot(*fit[0][:, 0]) <= REGISTRATION.max_scale:
        return 0
    apart_m = np.abs(fit[0][:, 2] - shift_en_m).max()
    return _support(source[fit[1]], patch.side_m) if apart_m > REGISTRATION.rival_apart_share * patch.side_m else 0


def _tolerance_m(patch: Patch) -> float:
    """Return how far a match may lie off: an attitude a few degrees wrong bends the ground by some per cent."""
    return max(REGISTRATION.tolerance_px * patch.metres_per_px, REGISTRATION.tolerance_share * patch.side_m)


def _support(ground_en_m: FloatArray, side_m: float) -> int:
    """Return how many cells of a 16 by 16 grid hold a point: wrong fits gather their many points in few places."""
    cells = np.floor(ground_en_m / (side_m / REGISTRATION.support_cells)).astype(int)
    return len(np.unique(cells, axis=0))


def mutual_matches(
    a: NDArray[np.float32],  # (N, C) unit-norm
    b: NDArray[np.float32],  # (M, C) unit-norm
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the rows of ``a`` and ``b`` that are each other's nearest."""
    of_a = (a @ b.T).argmax(axis=1)
    # Only the rows of ``b`` that were chosen need to choose back, and along a row argmax is ten times faster.
    back = (b[of_a] @ a.T).argmax(axis=1)
    mine = np.nonzero(back == np.arange(len(a)))[0]
    return mine, of_a[mine]


def likest_near(
    a: NDArray[np.float32],  # (N, C) unit-norm
    a_at_m: FloatArray,  # (N, 2); NaN is near nothing
    b: NDArray[np.float32],  # (M, C) unit-norm
    b_at_m: FloatArray,  # (M, 2)
    reach_m: float,
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:  # (N,) row of ``b``, (N,) cosine
    """Find each row's likest row of ``b`` within reach of its place; the cosine is -1 where there is none."""
    likest, cosine = np.zeros(len(a), np.intp), np.full(len(a), -1.0, np.float32)
    b_order = b_at_m[:, 0].argsort()
    b_sorted, b_at = b[b_order], b_at_m[b_order].astype(np.float32)
    a_order = a_at_m[:, 0].argsort()
    a_order = a_order[np.isfinite(a_at_m[a_order]).all(axis=1)]
    # In strips, each of whose points are near a few of the others alone.
    for strip in np.array_split(a_order, REGISTRATION.strips):
        if not len(strip):
            continue
        at = a_at_m[strip].astype(np.float32)
        first, last = np.searchsorted(b_at[:, 0], (at[0, 0] - reach_m, at[-1, 0] + reach_m))
        if first == last:
            continue
        away2 = (at[:, :1] - b_at[first:last, 0]) ** 2 + (at[:, 1:] - b_at[first:last, 1]) ** 2
        alike = a[strip] @ b_sorted[first:last].T
        alike[away2 > reach_m**2] = -1.0
        best = alike.argmax(axis=1)
        likest[strip], cosine[strip] = b_order[first + best], alike[np.arange(len(best)), best]
    return likest, cosine
