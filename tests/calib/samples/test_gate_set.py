"""Sets on which a graph is judged: pairs of like names, and patches of a flight over its map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calib.samples.gate_set import NEAR_M, open_gate_set
from export.graphs.drawn_ground import land_like
from export.int8.changed_pictures import changed_set
from runtime.errors import DataError
from runtime.geo.mercator import Tile
from runtime.maps.importing import import_imagery
from runtime.maps.mbtiles import write_mbtiles
from tests.calib.samples.made import write_pictures

LARGE = 10**12  # multiply-accumulates of a network whose set is kept small


def test_a_set_is_known_by_its_pixels_and_by_what_is_right() -> None:
    one, again = (
        changed_set(land_like(4, SIDE_PX, SIDE_PX), land_like(4, SIDE_PX, SIDE_PX, seed=1), LARGE) for _ in range(2)
    )
    assert one.sha256 == again.sha256 != replace(one, right=~one.right).sha256


SIDE_PX = 48


def test_pairs_of_like_names_make_a_retrieval_set_and_the_rest_distracts(tmp_path: Path) -> None:
    drone, tile = write_pictures(tmp_path / "drone", 4), write_pictures(tmp_path / "tile", 6, seed=1)
    one = open_gate_set(drone, tile, SIDE_PX)
    assert one.queries.shape == (4, SIDE_PX, SIDE_PX, 3) and one.gallery.shape == (6, SIDE_PX, SIDE_PX, 3)
    assert one.right.tolist() == np.eye(4, 6, dtype=bool).tolist() and one.off_m is None
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="0 names in common"):
        open_gate_set(drone, empty, SIDE_PX)
    with pytest.raises(DataError, match="are no retrieval set"):
        open_gate_set(drone, tmp_path / "none", SIDE_PX)


def test_patches_of_a_flight_are_searched_in_the_tiles_of_its_map_and_the_nearest_is_right(
    small_world: Path, tmp_path: Path
) -> None:
    mapped = tmp_path / "town.mbtiles"
    import_imagery(
        small_world / "map.tif",
        mapped,
        name="town",
        date="2024-05-01",
        attribution="made",
        tick=lambda done, total: None,
    ).close()
    one = open_gate_set(small_world / "flight", mapped, SIDE_PX)
    assert one.off_m is not None and one.off_m.shape == one.right.shape == (len(one.queries), len(one.gallery))
    assert (one.right == (one.off_m <= NEAR_M)).all() and one.right.any(axis=1).all()
    nearest = one.gallery[one.off_m.argmin(axis=1)].astype(np.float64)  # (N, S, S, 3)
    wrong = one.gallery[one.off_m.argmax(axis=1)].astype(np.float64)
    alike, unlike = (np.abs(one.queries - other).mean(axis=(1, 2, 3)) for other in (nearest, wrong))
    # so that truth, turn and scale are those of the map
    assert (alike < unlike).mean() > 0.7 and alike.mean() < unlike.mean()


def test_a_flight_elsewhere_is_told(small_world: Path, tmp_path: Path) -> None:
    mapped = tmp_path / "area.mbtiles"
    seen = np.ones((256, 256), np.bool_)
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    write_mbtiles(mapped, [(Tile(16, 34261 + i % 3, 22944 + i // 3), picture, seen) for i in range(9)], {})
    with pytest.raises(DataError, match="does not fly over"):
        open_gate_set(small_world / "flight", mapped, SIDE_PX)
