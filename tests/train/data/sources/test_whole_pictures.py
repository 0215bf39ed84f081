"""Whole pictures are squeezed, mirrored together and turned apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from train.data.manifest import Choice
from train.data.sources.whole_pictures import WholeScene, WholeSource, held_out, moved, square, whole_source

TRAIN, VAL = Choice("train"), Choice("val")


def test_runs_of_neighbours_are_held_out_together() -> None:
    places = [str(k) for k in range(64)]
    assert held_out(places, VAL, run=4) == [str(k) for k in (28, 29, 30, 31, 60, 61, 62, 63)]
    assert sorted(held_out(places, VAL, 4) + held_out(places, TRAIN, 4)) == sorted(places)


def test_views_are_mirrored_together_and_turned_each_on_its_own(tmp_path: Path) -> None:
    """A picture of four differently coloured corners tells how it was moved."""
    corners = np.zeros((64, 64, 3), np.uint8)
    corners[:32, :32], corners[:32, 32:], corners[32:, 32:] = 80, 160, 240
    cv2.imwrite(str(tmp_path / "x.png"), corners)
    path = tmp_path / "x.png"
    source = WholeSource([WholeScene("x", [path], [path])], moving=True, drone_turns=True)
    oblique = WholeSource(source.scenes, moving=True, drone_turns=False)
    seen, upright = set(), set()
    for seed in range(200):
        views = source.render(0, np.random.default_rng(seed), 32)
        (drone_mirrored, drone_turn), (tile_mirrored, tile_turn) = _how(views.drone), _how(views.tile)
        assert drone_mirrored == tile_mirrored
        seen.add((drone_mirrored, drone_turn, tile_turn))
        upright.add(_how(oblique.render(0, np.random.default_rng(seed), 32).drone))
    assert len(seen) == 2 * 4 * 4
    assert upright == {(False, 0), (True, 0)}


def _how(picture: np.ndarray) -> tuple[bool, int]:
    """Whether mirrored, and by how many quarters turned after that."""
    for mirrored in (False, True):
        for quarters in range(4):
            back = np.rot90(picture[..., 0], -quarters)
            back = back[:, ::-1] if mirrored else back
            at = [int(back[4, 4]), int(back[4, -4]), int(back[-4, -4])]
            if np.allclose(at, [80, 160, 240], atol=20):
                return mirrored, quarters
    raise AssertionError("no corner is where it may be")


def test_a_whole_picture_is_squeezed_and_not_cut() -> None:
    wide = np.zeros((10, 40, 3), np.uint8)
    wide[:, 20:] = 200
    small = square(wide, 4)
    assert small.shape == (4, 4, 3)
    assert small[:, :2].max() == 0
    assert small[:, 2:].min() == 200


def flat_pictures(folder: Path, names: dict[str, int]) -> dict[str, Path]:
    """Pictures of one grey each."""
    for name, grey in names.items():
        cv2.imwrite(str(folder / f"{name}.png"), np.full((40, 60, 3), grey, np.uint8))
    return {name: folder / f"{name}.png" for name in names}


def test_every_picture_of_a_place_is_drawn_from_and_no_other(tmp_path: Path) -> None:
    paths = flat_pictures(tmp_path, {"d1": 10, "d2": 50, "d3": 90, "t1": 200, "t2": 250})
    scene = WholeScene("x", [paths[n] for n in ("d1", "d2", "d3")], [paths[n] for n in ("t1", "t2")])
    source = WholeSource([scene], moving=True, drone_turns=True)
    views = [source.render(0, np.random.default_rng(seed), 16) for seed in range(60)]
    assert {int(view.drone[0, 0, 0]) for view in views} == {10, 50, 90}
    assert {int(view.tile[0, 0, 0]) for view in views} == {200, 250}
    assert all(view.drone_seen.all() for view in views)


def test_a_place_without_a_picture_of_either_view_is_left_out(tmp_path: Path) -> None:
    paths = flat_pictures(tmp_path, {"d1": 10, "d2": 50, "t1": 200})
    scenes = [WholeScene("one", [paths["d1"]], [paths["t1"]]), WholeScene("two", [paths["d2"]], [paths["t1"]])]
    source = WholeSource(scenes, moving=False, drone_turns=False)
    assert source.without([paths["d1"]]).places == ["two"]
    assert source.without([paths["t1"]]).places == []
    assert len(source.files) == 4


def test_held_out_places_are_asked_for_by_several_pictures_that_do_not_move() -> None:
    drones = {f"{k:02d}": [Path(f"{k}/{shot}.jpg") for shot in range(6)] for k in range(16)}
    tiles = {place: [Path(f"{place}.png")] for place in drones}
    train, val = (whole_source(drones, tiles, Choice(split), name="N", drone_turns=False) for split in ("train", "val"))
    assert (train.moving, val.moving) == (True, False)
    assert [scene.place for scene in val.scenes] == ["N 07"] * 4 + ["N 15"] * 4
    pictures = [picture for scene in val.scenes[:4] for picture in scene.drones]
    assert sorted(pictures) == sorted(drones["07"]), "each of its pictures once"
    assert len(train.scenes) == 14


def test_places_that_are_named_are_taken_as_they_are() -> None:
    drones = {name: [Path(f"{name}.jpg")] for name in "abc"}
    chosen = whole_source(drones, drones, Choice("train"), name="N", drone_turns=True, places=["c", "a"])
    assert chosen.places == ["N c", "N a"]


@given(st.integers(0, 3), st.booleans(), st.integers(0, 999))
def test_moving_a_picture_four_quarters_and_mirroring_twice_is_nothing(
    quarters: int, mirrored: bool, seed: int
) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    there = moved(picture, mirrored, quarters)
    back = moved(there, False, -quarters)
    assert np.array_equal(moved(back, mirrored, 0), picture)
    mask = picture[..., 0] > 99
    assert np.array_equal(moved(mask, mirrored, quarters), there[..., 0] > 99)


def test_a_large_picture_shrinks_by_area_and_a_small_one_grows_smoothly() -> None:
    checks = np.indices((64, 64)).sum(axis=0)[..., None] % 2 * np.full(3, 255)
    assert np.abs(square(checks.astype(np.uint8), 16).astype(int) - 127).max() <= 1
    ramp = np.tile(np.arange(0, 160, 40, dtype=np.uint8)[None, :, None], (4, 1, 3))
    grown = square(ramp, 32)[0, :, 0].astype(int)
    assert grown.tolist() == sorted(grown.tolist())
    assert np.diff(grown).max() <= 6
