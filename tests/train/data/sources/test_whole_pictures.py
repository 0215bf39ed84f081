"""Whole pictures are squeezed, mirrored together and turned apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from train.data.manifest import Choice
from train.data.sources.whole_pictures import WholeScene, WholeSource, held_out, square

TRAIN, VAL, ALL = Choice("train"), Choice("val"), Choice(None)


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
