"""``flight:FOLDER[+MAP.tif]``: frames of a recorded flight, laid on the ground as on board, and the map of it.

Only here does training read ``truth.csv``: it says which tile is right. The drone's view knows telemetry alone.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from runtime.errors import DataError
from runtime.flights.flight import Flight
from runtime.flights.truth import Truth, read_truth
from runtime.frame import Frame, Telemetry
from runtime.geo.camera import Camera, axis_ground, rotation_of
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.geo.rectify import View, rectify, seen_share
from runtime.locate.ground_view import GroundView, ground_views, unusable_telemetry
from runtime.locate.mount import MountEstimate
from runtime.locate.pose import rotation_from_vector
from runtime.model.preprocess import FILL
from runtime.types import FloatArray, Picture
from train.data.geotiff import GeoMap
from train.data.manifest import Choice
from train.data.source import Footprint, Views
from train.data.sources.map_cells import cell_m
from train.data.view_pair import MIN_SEEN, patch_grid, shift
from train.data.view_spec import ViewSpec

logger = logging.getLogger(__name__)

_SIDES = np.geomspace(0.1, 1.0, 13)  # of the largest footprint, tried for what a frame sees well
_REACH = 0.75  # of a square's side about its middle: turned
_FINER = 1.4
_REDUCED = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
_REDUCED |= {8: cv2.IMREAD_REDUCED_COLOR_8}


@dataclass(frozen=True)
class PlacedFrame:
    """A frame whose place on the map is known."""

    image: Path
    view: View  # without its picture
    middle_m: FloatArray  # (2,) of the ground at the picture's centre, on the map's plane
    pixel_from_plane: FloatArray  # (3, 3)
    most_m: float  # side of the largest square about it that the frame sees well


@dataclass(frozen=True)
class FlightSource:
    """A source whose every frame is a scene and a place; squares that overlap much are no negatives of each other."""

    name: str
    camera: Camera
    map: GeoMap
    frames: Sequence[PlacedFrame]
    spec: ViewSpec

    @property
    def places(self) -> Sequence[str]:
        """The picture of each frame, as the name of its place."""
        return [str(frame.image) for frame in self.frames]

    @property
    def files(self) -> Sequence[Path]:
        """Every frame's picture."""
        return [frame.image for frame in self.frames]

    def without(self, broken: Collection[Path]) -> FlightSource:
        """Return the frames whose pictures are not among ``broken``."""
        return replace(self, frames=[frame for frame in self.frames if frame.image not in broken])

    def render(self, index: int, rng: np.random.Generator, side_px: int) -> Views:
        """Render a square of the frame, by telemetry made worse as ``spec`` says, and the map; raises SkyfixError."""
        frame, spec = self.frames[index], self.spec
        low_m, high_m = min(spec.footprint_m[0], 0.6 * frame.most_m), min(spec.footprint_m[1], frame.most_m)
        side_m = math.exp(rng.uniform(math.log(low_m), math.log(high_m)))
        turn_rad, mirrored = rng.uniform(0.0, 2 * math.pi), rng.random() < 0.5
        view = _worse(_seen_at(frame, self.camera, side_m / side_px), turn_rad, rng, spec)
        axis = axis_ground(view.attitude, view.alt_agl_m)
        if axis is None:
            raise DataError(f"{frame.image} looks above the horizon by its telemetry; take its row out")
        patch = rectify(view, axis, side_m, side_px)
        middle = frame.middle_m + rng.uniform(-spec.offset, spec.offset, 2) * side_m
        tile = self._tile(frame, middle, side_m, turn_rad, side_px)
        footprint = Footprint(0, float(middle[0]), float(middle[1]), side_m)
        if mirrored:
            return Views(_mirrored(patch.picture), np.fliplr(patch.seen), _mirrored(tile), footprint)
        return Views(patch.picture, patch.seen, tile, footprint)

    def _tile(self, frame: PlacedFrame, middle: FloatArray, side_m: float, turn_rad: float, side_px: int) -> Picture:
        """Cut the map's square that the drone's view is meant to show."""
        window = self.map.window(frame.pixel_from_plane, middle, _REACH * side_m, side_m / side_px / _FINER)
        if window is None:
            raise DataError(f"{self.map.path} has nothing where {frame.image} was taken; it was changed since")
        plane_from_patch = shift(*middle) @ _turned(-turn_rad) @ patch_grid(side_m, side_px)
        flags, size = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, (side_px, side_px)
        warp = window.pixel_from_plane @ plane_from_patch
        return np.asarray(cv2.warpPerspective(window.picture, warp, size, flags=flags, borderValue=FILL), np.uint8)


def open_flight(where: str, choice: Choice, spec: ViewSpec) -> FlightSource:
    """Open the frames with a verified place and a known heading; ``val`` is one end of the site. Raises SkyfixError."""
    folder, plus, map_path = (where, "", "") if Path(where).is_dir() else where.rpartition("+")
    whole = _place_frames(Path(folder if plus else where), Path(map_path) if plus else None, spec)
    middles_m = np.array([frame.middle_m for frame in whole.frames])
    most_m = max(min(frame.most_m, spec.footprint_m[1]) for frame in whole.frames)
    kept = choice.apart(middles_m, math.sqrt(2.0) * (1 + spec.offset) * most_m).tolist()
    if choice.split != "train":  # what is to be told apart must not be the same
        kept = _thinned(kept, middles_m, cell_m(spec))
    return replace(whole, frames=[whole.frames[k] for k in kept])


@lru_cache(maxsize=8)  # train and val are frames of the same flight
def _place_frames(folder: Path, map_path: Path | None, spec: ViewSpec) -> FlightSource:
    """Place every usable frame on the map, and say what the others lack; raises SkyfixError."""
    flight, truths = Flight.open(folder), read_truth(folder / "truth.csv")
    flight_map = GeoMap.open(map_path or folder / flight.info.map)
    shots = [
        _placed(image, telemetry, truths, flight.camera, spec)
        for telemetry, image in zip(flight.telemetry, flight.images, strict=True)
    ]
    kept = [shot for shot in shots if not isinstance(shot, str)]
    reasons = Counter(shot for shot in shots if isinstance(shot, str))
    middles_m = flight_map.to_plane([ground for _, _, ground, _ in kept]) if kept else np.zeros((0, 2))
    pixels = flight_map.pixels_from_plane(middles_m)
    mapped = flight_map.seen_around(middles_m, spec.footprint_m[0]) >= MIN_SEEN
    frames = [
        PlacedFrame(image, view, middles_m[k], pixels[k], m) for k, (image, view, _, m) in enumerate(kept) if mapped[k]
    ]
    reasons["off the map"] = len(kept) - len(frames)
    left_out = f"{folder}: {len(frames)} of {len(shots)} frames can be used" + "".join(
        f", {count} {reason}" for reason, count in reasons.items() if count
    )
    if not frames:
        raise DataError(f"{left_out}; training wants telemetry with heading, and truth.csv with places on the map")
    if len(frames) < len(shots):
        logger.warning("%s", left_out)
    return FlightSource(str(folder), flight.camera, flight_map, frames, spec)


def _placed(
    image: Path, telemetry: Telemetry, truths: Mapping[int, Truth], camera: Camera, spec: ViewSpec
) -> tuple[Path, View, LatLon, float] | str:
    """A frame's view without picture, the ground at its centre, and the largest square seen well; or what it lacks."""
    truth = truths.get(telemetry.t_us)
    if truth is None or not truth.verified:
        return "without a verified place"
    if (reason := unusable_telemetry(telemetry)) is not None or math.isnan(telemetry.cam_yaw_deg):
        return reason.replace("_", " ") if reason else "without heading"
    look = _look(telemetry, camera)
    sides_m = (_SIDES * spec.footprint_m[1]).tolist()
    seen = [s for s in sides_m if look and seen_share(look, look.axis_en_m, s) >= MIN_SEEN]
    if look is None or not seen:
        return "with too little ground in view"
    ground = truth.ground
    if ground is None and truth.drone is not None:  # as good as telemetry's tilt
        ground = LocalFrame(truth.drone).to_latlon(*look.axis_en_m)
    return (image, look, ground, max(seen)) if ground else "without a verified place"


def _thinned(kept: Sequence[int], middles_m: FloatArray, apart_m: float) -> list[int]:
    """Return the first of those that lie nearer to each other than ``apart_m``."""
    chosen: list[int] = []
    for k in kept:
        if all(np.hypot(*(middles_m[k] - middles_m[other])) >= apart_m for other in chosen):
            chosen.append(k)
    return chosen


def _look(telemetry: Telemetry, camera: Camera) -> GroundView | None:
    """Return a frame's ground view as on board, before any picture; None where it sees no ground."""
    blank = np.broadcast_to(np.uint8(0), (camera.height_px, camera.width_px, 3))
    (look,) = ground_views(Frame(telemetry, blank), replace(camera, distortion=np.zeros(5)), MountEstimate()) or (None,)
    return look


def _seen_at(frame: PlacedFrame, camera: Camera, metres_per_px: float) -> View:
    """Read a frame's view with its picture, decoded no finer than needed; raises DataError."""
    slant_m = math.hypot(*(axis_ground(frame.view.attitude, frame.view.alt_agl_m) or (0.0, 0.0)), frame.view.alt_agl_m)
    finer = metres_per_px / (slant_m / float(camera.matrix[0, 0]))
    reduced = max(by for by in _REDUCED if by <= max(finer, 1.0))
    picture = cv2.imread(str(frame.image), _REDUCED[reduced] | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise DataError(f"{frame.image} cannot be read any more; take its row out of telemetry.csv")
    lens = camera.resized(picture.shape[1], picture.shape[0])
    return replace(frame.view, picture=lens.undistorted(np.asarray(picture[..., ::-1], np.uint8)), camera=lens)


def _worse(view: View, turn_rad: float, rng: np.random.Generator, spec: ViewSpec) -> View:
    """Return the view under a wrong attitude and altitude, the world turned under it."""
    roll, pitch = np.radians(rng.uniform(-spec.tilt_error_deg, spec.tilt_error_deg, 2))
    yaw = math.radians(rng.uniform(-spec.yaw_error_deg, spec.yaw_error_deg))
    tilted = rotation_of(view.attitude) @ rotation_from_vector(np.array([pitch, roll, 0.0]))
    altitude = 1.0 + rng.uniform(-spec.altitude_error, spec.altitude_error)
    return replace(view, attitude=_turned(turn_rad + yaw) @ tilted, alt_agl_m=view.alt_agl_m * altitude)


def _mirrored(picture: Picture) -> Picture:
    """Mirror a picture left to right."""
    return np.ascontiguousarray(picture[:, ::-1])


def _turned(by_rad: float) -> FloatArray:
    """Return a (3, 3) rotation anticlockwise about up."""
    c, s = math.cos(by_rad), math.sin(by_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
