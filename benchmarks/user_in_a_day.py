"""Skyfix against what a user puts together in a day from public parts, on the same flight in the same run.

    python benchmarks/user_in_a_day.py FLIGHT --tiles AREA.tiles [--threads 2]

The peer's own: EfficientNet-Lite0 with ImageNet weights, pooled, embeds the tiles (before the flight, as ours are) and
the frame; the five tiles of highest cosine; XFeat keypoints (4096, its authors' default) of the frame's patch and, anew
each time, of the map around each of the five; mutual nearest matches; a RANSAC similarity; the fit with most inliers
puts the drone and the ground at the picture's centre, the first tile where nothing fits. Every frame that can be laid
on the ground is answered: no filter, no gate, nothing is learned along the flight.

Shared with Skyfix, which spares the user that work and does not make the peer worse: windows of the map, rectification
by the nominal telemetry (an unknown roll is 0), which level of tiles a frame sees well, XFeat's graph
(``python -m export.matcher``), the fast mutual matching. Its graphs run in ONNX Runtime too.

Wrong is a fix whose ground, or drone where it says no ground, is over 25 m off. Frames without a verified truth are
flown and not scored. Skyfix keeps map features of places that it has seen; its milliseconds are of the first pass.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from place_recognition import imagenet_bundle
from report import print_setting

from runtime.errors import SkyfixError
from runtime.fix import Fix, Verdict
from runtime.flights.flight import Flight
from runtime.flights.truth import Truth, read_truth
from runtime.frame import Frame
from runtime.geo.camera import Camera
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon, Metres, ground_scale, to_latlon, to_metres
from runtime.geo.rectify import Patch, rectify
from runtime.locate.features import Keypoints, LocalFeatures
from runtime.locate.ground_view import GroundView, ground_views, unusable_telemetry
from runtime.locate.load import open_localizer
from runtime.locate.mount import MountEstimate
from runtime.locate.retrieve import Retriever
from runtime.locate.similarity import mutual_matches
from runtime.maps.imagery import Imagery
from runtime.model.bundle import Bundle, matcher_home
from runtime.model.engine import Engine
from runtime.model.engine_onnx import OnnxEngine
from runtime.progress import progress
from runtime.replay.replay import fly
from runtime.replay.score import error_summary
from runtime.tiles.building.build import build
from runtime.tiles.building.spec import BuildSpec
from runtime.tiles.cache import TileCache
from runtime.tiles.search import similarities
from runtime.types import FloatArray

FIRST_TILES, POINTS, TOLERANCE_PX = 5, 4096, 8.0
WRONG_M = 25.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Where one of the two says a frame was taken; None where it says nothing."""

    t_us: int
    drone: LatLon | None
    ground: LatLon | None
    took_ms: float


class Peer:
    """The user's localizer."""

    def __init__(
        self, cache: TileCache, engine: Engine, imagery: Imagery, camera: Camera, features: LocalFeatures
    ) -> None:
        """``cache`` are ``engine``'s own embeddings of ``imagery``."""
        self._cache, self._imagery, self._camera, self._features = cache, imagery, camera, features
        self._retriever = Retriever(cache, engine)

    def answer(self, frame: Frame) -> Answer:
        """Drone and ground of a frame."""
        began = time.perf_counter()
        drone, ground = self._places(frame)
        return Answer(frame.t_us, drone, ground, (time.perf_counter() - began) * 1e3)

    def _places(self, frame: Frame) -> tuple[LatLon | None, LatLon | None]:
        if unusable_telemetry(frame.telemetry):
            return None, None
        tiles = self._tiles(ground_views(frame, self._camera, MountEstimate()))
        if not tiles:
            return None, None
        most, (look, place, _) = 0, tiles[0]
        drone, ground = LocalFrame(place).to_latlon(-look.axis_en_m[0], -look.axis_en_m[1]), place
        points: dict[int, tuple[Patch, Keypoints]] = {}
        for look, place, footprint_m in tiles:
            if id(look) not in points:
                points[id(look)] = self._frame_points(look)
            patch, keypoints = points[id(look)]
            inliers, placed = self._fit(look, place, footprint_m, patch, keypoints)
            if inliers > most:
                most, (drone, ground) = inliers, placed
        return drone, ground

    def _tiles(self, at_hand: Sequence[GroundView]) -> list[tuple[GroundView, LatLon, float]]:
        """The tiles of highest cosine, with their sides in metres."""
        ranked = []
        for look in at_hand:
            level = self._retriever.level_for(look, look.axis_en_m) or 0
            rows = self._cache.metadata.level_rows(level)
            cosine = similarities(self._cache, self._retriever.embed([(look, look.axis_en_m, level)]), rows)[0]
            for k in np.argsort(-cosine, kind="stable")[:FIRST_TILES]:
                place = LatLon(*self._cache.centre[rows.start + k].tolist())
                ranked.append((float(cosine[k]), look, place, self._cache.footprints_m[level]))
        ranked.sort(key=lambda one: -one[0])
        return [one[1:] for one in ranked[:FIRST_TILES]]

    def _frame_points(self, look: GroundView) -> tuple[Patch, Keypoints]:
        patch = rectify(look, look.middle_en_m, look.side_m, self._features.patch_px)
        return patch, self._features.detect(patch.picture, patch.seen, POINTS)

    def _fit(
        self, look: GroundView, place: LatLon, footprint_m: float, patch: Patch, keypoints: Keypoints
    ) -> tuple[int, tuple[LatLon, LatLon]]:
        """Inliers of the similarity to the map half a footprint around a tile, and where it puts drone and ground."""
        shift = np.subtract(look.middle_en_m, look.axis_en_m)
        middle = to_metres(LocalFrame(place).to_latlon(float(shift[0]), float(shift[1])))
        step_m = patch.metres_per_px / ground_scale(place.lat)
        side_px = round((patch.side_m + footprint_m) / patch.metres_per_px)
        found = self._features.detect(*self._imagery.window(middle, side_px * step_m, side_px), POINTS)
        if not len(found.xy) or not len(keypoints.xy):
            return 0, (place, place)
        mine, theirs = mutual_matches(keypoints.descriptor, found.descriptor)
        affine, inlier = cv2.estimateAffinePartial2D(
            keypoints.xy[mine], found.xy[theirs], method=cv2.RANSAC, ransacReprojThreshold=TOLERANCE_PX, maxIters=5000
        )
        if affine is None:  # too few matches
            return 0, (place, place)
        patch_from_ground = np.linalg.inv(patch.ground_from_patch())

        def put(ground_en_m: tuple[float, float]) -> LatLon:
            pixel: FloatArray = affine @ np.array([*(patch_from_ground @ (*ground_en_m, 1.0))[:2], 1.0])
            east, south = (pixel - (side_px - 1) / 2) * step_m
            return to_latlon(Metres(middle.x + east, middle.y - south))

        return int(inlier.sum()), (put((0.0, 0.0)), put(look.axis_en_m))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flight", type=Path)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    try:
        compare(Flight.open(args.flight), TileCache.open(args.tiles), args.threads)
    except SkyfixError as error:
        raise SystemExit(str(error)) from None


def compare(flight: Flight, cache: TileCache, threads: int) -> None:
    """Both over one flight, and the table."""
    cv2.setNumThreads(threads)
    truth = {t_us: one for t_us, one in read_truth(flight.path / "truth.csv").items() if one.verified}
    localizer = open_localizer(cache, flight.camera, bundle=None, matcher=None, start=None, threads=threads)
    theirs = peer_answers(flight, cache, threads)
    ours = [answered(verdict) for verdict in fly(flight, localizer)[0]]
    print_setting(threads)
    print(
        f"{flight.path} on {cache.path.name}: {len(ours)} frames, {len(truth)} with a verified truth; errors in metres"
    )
    print(f"{'':<15} fixes   ground median    p90  worst   drone median    p90  worst   over 25 m   ms a frame")
    for name, answers in (("user in a day", theirs), ("Skyfix", ours)):
        print(line(name, answers, truth))
    print(ratios(theirs, ours, truth))


def peer_answers(flight: Flight, cache: TileCache, threads: int) -> list[Answer]:
    """The peer over the same map: its tiles are the windows of ours, embedded by ImageNet's features."""
    features, imagery = LocalFeatures(Bundle.open(matcher_home(), "matcher"), threads), cache.open_imagery()
    with tempfile.TemporaryDirectory() as folder:
        engine = OnnxEngine(Bundle.open(imagenet_bundle(Path(folder) / "imagenet.bundle")), "fp32", threads)
        own = Path(folder) / "imagenet.tiles"
        with progress("ImageNet tiles") as tick:
            build(imagery, engine, own, BuildSpec(footprints_m=cache.footprints_m), tick=tick)
        peer = Peer(TileCache.open(own), engine, imagery, flight.camera, features)
        peer.answer(next(flight.frames()))  # the first call of a graph is slower than any other
        with progress("user in a day") as tick:
            answers = []
            for frame in flight.frames():
                answers.append(peer.answer(frame))
                tick(len(answers), len(flight.images))
    return answers


def answered(verdict: Verdict) -> Answer:
    """What Skyfix says of a frame."""
    if not isinstance(verdict, Fix):
        return Answer(verdict.t_us, None, None, verdict.latency_ms)
    lat, lon = verdict.ground_lat, verdict.ground_lon
    ground = None if lat is None or lon is None else LatLon(lat, lon)
    return Answer(verdict.t_us, LatLon(verdict.lat, verdict.lon), ground, verdict.latency_ms)


def errors_m(answer: Answer, truth: dict[int, Truth]) -> tuple[float, float]:
    """Return the errors of ground and of drone; NaN where the answer or the truth has none."""
    true = truth.get(answer.t_us, Truth(None, None, verified=False))
    return _apart_m(answer.ground, true.ground), _apart_m(answer.drone, true.drone)


def _apart_m(said: LatLon | None, true: LatLon | None) -> float:
    return math.nan if said is None or true is None else distance_m(true, said)


def wrong(answers: Sequence[Answer], truth: dict[int, Truth]) -> int:
    """Fixes over 25 m off."""
    both = [errors_m(answer, truth) for answer in answers]
    return sum((drone_m if math.isnan(ground_m) else ground_m) > WRONG_M for ground_m, drone_m in both)


def line(name: str, answers: Sequence[Answer], truth: dict[int, Truth]) -> str:
    fixes = sum(answer.drone is not None for answer in answers)
    shown = [f"{name:<15} {fixes:2d}/{len(answers):2d}"]
    for some in zip(*(errors_m(answer, truth) for answer in answers), strict=True):
        known = [metres for metres in some if not math.isnan(metres)]
        summary = error_summary(known, len(known))
        shown.append(f"{summary.median:15.2f} {summary.p90:6.1f} {summary.worst:6.1f}" if known else f"{'-':>29}")
    took_ms = float(np.median([answer.took_ms for answer in answers]))
    return "".join([*shown, f"{wrong(answers, truth):12d} {took_ms:12.0f}"])


def ratios(theirs: Sequence[Answer], ours: Sequence[Answer], truth: dict[int, Truth]) -> str:
    """Half its error, a tenth of its time, none of its wrong fixes: errors on frames that both answered."""
    both = np.array([[errors_m(a, truth), errors_m(b, truth)] for a, b in zip(theirs, ours, strict=True)])
    both = both[np.isfinite(both[:, :, 0]).all(axis=1)]  # (frames, peer and Skyfix, ground and drone)
    (ground_m, drone_m), (our_ground_m, our_drone_m) = np.nanmedian(both, axis=0)
    time_share = np.median([a.took_ms for a in ours]) / np.median([a.took_ms for a in theirs])
    return (
        f"half its error: {our_ground_m / ground_m:.2f} of it on the ground, {our_drone_m / drone_m:.2f} for the drone "
        f"(medians of the {len(both)} frames that both answered); a tenth of its time: {time_share:.2f}; "
        f"none of its wrong fixes: {wrong(ours, truth)} against {wrong(theirs, truth)}"
    )


if __name__ == "__main__":
    main()
