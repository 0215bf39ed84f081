"""Local features against XFeat: accepted frames, metres and time, inside a prior of 60 m, by the same robust model.

    python benchmarks/local_features.py FLIGHT --tiles AREA.tiles [--bundle NAME.bundle ...] [--patch-px 224 320]

Every frame of a flight, recorded or rendered (``rendered_variants.py --keep``), is registered once, around a place up
to 60 m from the truth. Accepted is a fit with 18 cells of support and no rival: the localizer's gates before it asks
the pose. Milliseconds are the frame's side alone: rectified patch to keypoints.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from report import print_setting

from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.local import LocalFrame
from runtime.locate.features import LocalFeatures
from runtime.locate.ground_view import ground_views, unusable
from runtime.locate.limits import Limits
from runtime.locate.mount import MountEstimate
from runtime.locate.registration import FramePoints, Registrar, Registration
from runtime.model.bundle import DEFAULT_BUNDLE, Bundle, matcher_home
from runtime.model.manifest import MANIFEST
from runtime.tiles.cache import TileCache

PRIOR_M = 60.0
WRONG_M = 25.0
_LIMITS = Limits()


@dataclass
class Told:
    """What one matcher made of all frames."""

    name: str
    off_m: list[float] = field(default_factory=list)  # infinite where nothing was accepted
    took_ms: list[float] = field(default_factory=list)

    def line(self) -> str:
        off = np.array(self.off_m)
        some = off[np.isfinite(off)]
        spread = (
            "no fit"
            if not len(some)
            else (
                f"median {np.median(some):.2f} m, p90 {np.percentile(some, 90):.2f} m, "
                f"over {WRONG_M:g} m: {(some > WRONG_M).sum()}"
            )
        )
        return f"  {self.name:<28} accepted {len(some)}/{len(off)}, {spread}; {np.median(self.took_ms):.1f} ms a frame"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flight", type=Path)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, action="append", help="encoder bundles with local features")
    parser.add_argument(
        "--patch-px", type=int, nargs="*", default=[], help="sides to try in place of each bundle's own"
    )
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    print_setting(args.threads)
    flight, imagery = Flight.open(args.flight), TileCache.open(args.tiles).open_imagery()
    print(f"{flight.name} on {args.tiles.name}, prior {PRIOR_M:g} m")
    for features in opened(args.bundle or [DEFAULT_BUNDLE], args.patch_px, args.threads):
        registrar = Registrar(imagery, features)
        print(
            flown(
                Told(f"{features.name}, {features.patch_px} px"), flight, registrar, imagery.bounds.centre.lat
            ).line(),
            flush=True,
        )


def opened(bundles: Sequence[Path], sides_px: Sequence[int], threads: int) -> list[LocalFeatures]:
    """XFeat where it was made, and the features of each bundle at each side."""
    found = []
    if (matcher_home() / MANIFEST).is_file():
        found.append(LocalFeatures(Bundle.open(matcher_home(), "matcher"), threads))
    for path in bundles:
        own = LocalFeatures(Bundle.open(path), threads)
        for side_px in sides_px or [own.patch_px]:
            one = LocalFeatures(Bundle.open(path), threads)
            one.patch_px = side_px
            found.append(one)
    return found


def flown(told: Told, flight: Flight, registrar: Registrar, lat: float) -> Told:
    """Every frame with a truth, each look at a place up to the prior away; the best supported look counts."""
    truth, rng = read_truth(flight.path / "truth.csv"), np.random.default_rng(0)
    for frame in flight.frames():
        true = truth[frame.t_us].ground if frame.t_us in truth else None
        if true is None or unusable(frame, flight.camera):
            continue
        away_m, towards = PRIOR_M * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
        best: tuple[int, float] = (0, math.inf)
        for look in ground_views(frame, flight.camera, MountEstimate()):
            began = time.perf_counter()
            points = registrar.points(look, look.middle_en_m, look.side_m, lat=lat)
            told.took_ms.append((time.perf_counter() - began) * 1e3)
            # The prior is of the ground on the optical axis; the patch's middle lies elsewhere.
            shift = np.subtract(look.middle_en_m, look.axis_en_m) + away_m * np.array(
                [math.cos(towards), math.sin(towards)]
            )
            near = LocalFrame(true).to_latlon(float(shift[0]), float(shift[1]))
            fit = registrar.register(points, near, reach_m=PRIOR_M)
            if fit is None or fit.support < _LIMITS.min_support_alone:
                continue
            if fit.rival_support <= _LIMITS.max_rival * fit.support and fit.support > best[0]:
                axis = LocalFrame(true).to_en(fit.origin.to_latlon(*_put(points, fit, look.axis_en_m)))
                best = fit.support, math.hypot(*axis)
        told.off_m.append(best[1])
    return told


def _put(points: FramePoints, fit: Registration, ground_en_m: tuple[float, float]) -> tuple[float, float]:
    """Where a fit puts a point of the ground, about its origin."""
    east, north = np.subtract(ground_en_m, points.patch.centre_en_m)
    c, s = fit.scale * math.cos(math.radians(fit.turn_deg)), fit.scale * math.sin(math.radians(fit.turn_deg))
    return float(fit.shift_en_m[0] + c * east - s * north), float(fit.shift_en_m[1] + s * east + c * north)


if __name__ == "__main__":
    main()
