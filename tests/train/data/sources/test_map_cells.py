"""Held-out cells of a map share no ground with the others, and a footprint is the ground that its tile shows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from runtime.errors import SkyfixError
from runtime.model.preprocess import FILL
from tests.train.conftest import EXACT, draw_blots
from tests.train.data.maps import write_map
from train.data.dataset import Item, PairDataset, collate
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.sources.map_cells import MapSource, cell_m, open_map
from train.data.view_spec import ViewSpec


@pytest.fixture(scope="module")
def map_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """800 m by 800 m."""
    return write_map(tmp_path_factory.mktemp("map") / "map.tif", draw_blots(4, 1600))


def test_held_out_cells_lie_together_and_no_ground_is_on_both_sides(map_path: Path) -> None:
    view = ViewSpec()
    train, val = (open_map(map_path, Choice(split), view) for split in ("train", "val"))
    assert 0.08 < len(val.places) / len(open_map(map_path, Choice(None), view).places) < 0.2
    squares = {"train": footprints(train, 3), "val": footprints(val, 3)}
    nearest = min(
        np.hypot(a.east_m - b.east_m, a.north_m - b.north_m) - (a.side_m + b.side_m) / np.sqrt(2)
        for a in squares["train"]
        for b in squares["val"]
    )
    assert nearest > 0
    assert len(train.places) > len(val.places)


def footprints(source: MapSource, times: int) -> list[Any]:
    scenes = [(k, seed) for k in range(len(source.places)) for seed in range(times)]
    return [source.render(k, np.random.default_rng((k, seed)), 24).footprint for k, seed in scenes]


def test_a_footprint_is_the_ground_that_the_tile_shows(map_path: Path) -> None:
    """Cut again from the whole map, by the footprint alone; turned and mirrored as it likes best."""
    source = open_map(map_path, Choice(None), EXACT)
    whole = draw_blots(4, 1600)
    for k in range(0, len(source.places), 17):
        views = source.render(k, np.random.default_rng(k), 48)
        assert views.footprint is not None
        _, east, north, side = views.footprint
        (pixel_from_plane,) = source.map.pixels_from_plane(np.array([[east, north]]))
        at = (pixel_from_plane @ (east, north, 1.0))[:2]
        around = cv2.getRectSubPix(whole, (9, 9), at.tolist()).reshape(-1, 3).mean(axis=0)
        shown = views.tile[22:26, 22:26].reshape(-1, 3).mean(axis=0)
        assert np.abs(around - shown).max() < 12
        assert 45 <= side <= 90


def test_overlapping_squares_of_one_map_are_no_negatives_and_of_another_map_they_are(map_path: Path) -> None:
    sources = open_sources([f"overhead:{map_path}", f"overhead:{map_path}"], Choice("train"), ViewSpec())
    data = PairDataset(sources, seed=0, side_px=16, strength=0.0)
    batch = collate([data[Item(0, scene)] for scene in range(len(data))])
    squares = batch.footprint.tolist()
    same = batch._replace(place=torch.arange(len(data))).same_place()
    assert same.sum() > len(data), "the case itself must have overlaps"
    for i, a in enumerate(squares):
        for j, b in enumerate(squares):
            across, up = (min(a[k] + a[3] / 2, b[k] + b[3] / 2) - max(a[k] - a[3] / 2, b[k] - b[3] / 2) for k in (1, 2))
            shared = max(across, 0.0) * max(up, 0.0)
            much = shared / (a[3] ** 2 + b[3] ** 2 - shared) > 0.2
            assert bool(same[i, j]) == (a[0] == b[0] and much)


@pytest.mark.parametrize("how", ["nodata", "black"])
def test_what_the_map_does_not_have_is_left_out(how: str, tmp_path: Path) -> None:
    picture = draw_blots(4, 1200)
    picture[:, 500:] = 0  # the eastern part is missing
    more = {"nodata": 0} if how == "nodata" else {}
    source = open_map(write_map(tmp_path / "map.tif", picture, **more), Choice("train"), ViewSpec())
    assert len(source.places) > 0
    for k in range(len(source.places)):
        tile = source.render(k, np.random.default_rng(k), 32).tile
        assert (tile == FILL).all(axis=2).mean() < 0.12
        assert (tile.max(axis=2) < 8).mean() < 0.02


def test_a_map_too_small_for_a_square_says_how_large_it_is(tmp_path: Path) -> None:
    path = write_map(tmp_path / "map.tif", draw_blots(0, 60))
    with pytest.raises(SkyfixError, match=r"is 3\d m by 3\d m, and no square of 45 m in it is whole"):
        open_map(path, Choice("train"), ViewSpec())


def test_cells_are_about_a_footprint_apart(map_path: Path) -> None:
    source = open_map(map_path, Choice(None), ViewSpec())
    east = np.unique(source.middles_m[:, 0].round(3))
    assert {round(b - a, 2) for a, b in pairwise(east)} == {round(cell_m(ViewSpec()), 2)}
