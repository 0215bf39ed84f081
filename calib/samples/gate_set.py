"""Gate sets, which a reduced graph is judged on: a flight over its map, or two folders of pairs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calib.samples.sources import SUFFIXES, ground_views_of, read_square
from runtime.errors import DataError
from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.local import LocalFrame
from runtime.geo.mercator import to_latlon
from runtime.geo.rectify import rectify, seen_share
from runtime.locate.limits import RETRIEVAL
from runtime.maps.imagery import Imagery
from runtime.model.preprocess import encoder_input
from runtime.tiles.building.window_filter import LeftOut, window_picture
from runtime.tiles.options import FOOTPRINTS_M, STRIDE_SHARE
from runtime.tiles.windows import windows_over
from runtime.types import FloatArray, Picture

NEAR_M = 25.0  # a tile with its centre this near shows the place that was asked for
_SHIFTS = ((0.0, 0.0), (-0.3, -0.3), (-0.3, 0.3), (0.3, -0.3), (0.3, 0.3))  # of a footprint: patches of one frame
_MOST_TILES = 1200  # near and far ones; more cost minutes and tell the same


class Pictures(Protocol):
    """Many (S, S, 3) pictures, an array or made as they are asked for: thousands need not lie in memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, slots=True)
class GateSet:
    """Queries, the gallery that they are searched in, and which answers are right."""

    name: str
    queries: Pictures
    gallery: NDArray[np.uint8]  # (M, S, S, 3)
    right: NDArray[np.bool_]  # (N, M)
    off_m: FloatArray | None = None  # (N, M), where the set has places

    @property
    def sha256(self) -> str:
        """Hash of all pixels and of what is right."""
        digest = hashlib.sha256()
        queries = (self.queries[i : i + 1] for i in range(len(self.queries)))
        for part in (*queries, self.gallery, self.right):
            digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()


def open_gate_set(queries: Path, gallery: Path, side_px: int) -> GateSet:
    """Open a flight's folder with its ``truth.csv`` over a ``map.mbtiles``, or two folders of pictures of like names.

    Raises DataError where the two do not belong together.
    """
    if (queries / "telemetry.csv").is_file() and gallery.suffix == ".mbtiles":
        return _flight_over_map(queries, gallery, side_px)
    if queries.is_dir() and gallery.is_dir():
        return _pairs(queries, gallery, side_px)
    raise DataError(
        f"{queries} and {gallery} are no retrieval set; expected a recorded flight and a map.mbtiles, "
        "or two folders of pictures of like names"
    )


def _pairs(queries: Path, gallery: Path, side_px: int) -> GateSet:
    """Take the middle square of each picture; a query's own is that of its name."""
    query_files, gallery_files = _by_stem(queries), _by_stem(gallery)
    both = sorted(query_files.keys() & gallery_files.keys())
    if len(both) < 2:
        raise DataError(f"{queries} and {gallery} have {len(both)} names in common; a query is found by its name")
    names = [*both, *sorted(gallery_files.keys() - query_files.keys())]  # the rest distracts
    return GateSet(
        f"{queries.name} in {gallery.name}",
        np.stack([read_square(query_files[name], side_px) for name in both]),
        np.stack([read_square(gallery_files[name], side_px) for name in names]),
        np.eye(len(both), len(names), dtype=np.bool_),
    )


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by their names without endings."""
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}


def _flight_over_map(flight: Path, map_file: Path, side_px: int) -> GateSet:
    """Cut patches of each frame whose true place is known, to be searched in the map's tiles of one level."""
    imagery = Imagery(map_file)
    local = LocalFrame(imagery.bounds.centre)
    patches = _patches(flight, local, side_px)
    side_m = patches.side_m
    windows = windows_over(imagery.bounds, FOOTPRINTS_M.index(side_m), side_m, side_m * STRIDE_SHARE)
    at = np.array([local.to_en(to_latlon(w.centre)) for w in windows]).reshape(-1, 2)  # (M, 2)
    off_m = np.linalg.norm(patches.places_en_m[:, None] - at[None], axis=2)  # (N, M)
    chosen = _nearest_and_some(off_m)
    seen = [(i, window_picture(imagery, windows[i], side_px)) for i in chosen]
    imagery.close()
    tiles = {i: picture for i, picture in seen if not isinstance(picture, LeftOut)}
    off_m = off_m[:, list(tiles)]
    over = (off_m <= NEAR_M).any(axis=1) if tiles else np.zeros(len(off_m), np.bool_)
    if not over.any():
        raise DataError(f"{flight.name} does not fly over {map_file}: no tile lies within {NEAR_M:g} m of a frame")
    off_m = off_m[over]
    name = f"{flight.name} over {map_file.name}"
    return GateSet(name, patches.pictures[over], np.stack(list(tiles.values())), off_m <= NEAR_M, off_m)


def _nearest_and_some(
    off_m: FloatArray,  # (N, M)
) -> list[int]:
    """Choose the tiles nearest to any query, half of what may be kept, and others by chance."""
    if off_m.shape[1] <= _MOST_TILES:
        return list(range(off_m.shape[1]))
    order = off_m.min(axis=0).argsort(kind="stable")
    near, far = np.split(order, [_MOST_TILES // 2])
    others = np.random.default_rng(0).choice(far, _MOST_TILES - len(near), replace=False)
    return sorted(int(i) for i in (*near, *others))


@dataclass(frozen=True, slots=True)
class _Patches:
    """Patches of a flight's frames, all of one footprint."""

    side_m: float
    pictures: NDArray[np.uint8]  # (N, S, S, 3)
    places_en_m: FloatArray  # (N, 2) where each truly is


def _patches(flight_folder: Path, local: LocalFrame, side_px: int) -> _Patches:
    """Cut patches of the footprint that most frames fill; raises DataError where no true place is known."""
    flight, truth = Flight.open(flight_folder), read_truth(flight_folder / "truth.csv")
    known = [i for i, row in enumerate(flight.telemetry) if row.t_us in truth and truth[row.t_us].ground is not None]
    by_side: dict[float, list[tuple[Picture, tuple[float, float]]]] = {side_m: [] for side_m in FOOTPRINTS_M}
    for frame, seen in ground_views_of(flight, known):
        ground = truth[frame.telemetry.t_us].ground
        east, north = local.to_en(ground) if ground else (np.nan, np.nan)
        for side_m, shift in product(FOOTPRINTS_M, _SHIFTS):
            by = (shift[0] * side_m, shift[1] * side_m)
            about = (seen.axis_en_m[0] + by[0], seen.axis_en_m[1] + by[1])
            if seen_share(seen, about, side_m) >= RETRIEVAL.well_seen:
                patch = rectify(seen, about, side_m, side_px)
                picture = encoder_input(patch.picture, patch.seen, side_px)
                by_side[side_m].append((picture, (east + by[0], north + by[1])))
    side_m = max(by_side, key=lambda side: (len(by_side[side]), side))
    if not by_side[side_m]:
        raise DataError(f"{flight_folder} has no frame whose true place is known; its truth.csv must say")
    pictures, places = zip(*by_side[side_m], strict=True)
    return _Patches(side_m, np.stack(pictures), np.array(places))
