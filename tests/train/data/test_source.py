"""Pictures are found wherever they lie in a folder, and what is none is told by its path."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import DataError
from tests.train.conftest import draw_place
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.source import Weighted, pictures_under, read_picture
from train.data.view_spec import ViewSpec


def test_a_picture_is_read_as_red_green_blue_and_smaller_where_asked(tmp_path: Path) -> None:
    red = np.zeros((16, 24, 3), np.uint8)
    red[..., 2] = 200  # OpenCV writes blue, green, red
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert read_picture(tmp_path / "red.png")[0, 0].tolist() == [200, 0, 0]
    assert read_picture(tmp_path / "red.png", cv2.IMREAD_REDUCED_COLOR_2).shape == (8, 12, 3)


def test_a_grey_picture_has_three_equal_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((8, 8), 77, np.uint8))
    assert read_picture(tmp_path / "grey.png")[3, 3].tolist() == [77, 77, 77]


def test_what_is_no_picture_is_told_from_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "note.jpg").write_text("no picture")
    with pytest.raises(DataError, match=r"note\.jpg is no picture that OpenCV can read"):
        read_picture(tmp_path / "note.jpg")
    with pytest.raises(DataError, match=r"gone\.jpg is missing; mend it"):
        read_picture(tmp_path / "gone.jpg")


def test_pictures_are_found_in_folders_below_in_order_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/c.png", "a/deep/d.webp", "notes.txt", "manifest.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    names = [str(path.relative_to(tmp_path)) for path in pictures_under(tmp_path)]
    assert names == ["a/c.png", "a/deep/d.webp", "b.JPG"]


def test_a_folder_that_is_none_or_holds_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no folder; give one with pictures"):
        pictures_under(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no pictures \(\.jpg, \.jpeg, \.png"):
        pictures_under(tmp_path)


def test_a_weight_changes_how_often_a_source_is_drawn_and_nothing_it_shows(tmp_path: Path) -> None:
    for k in range(3):
        cv2.imwrite(str(tmp_path / f"{k}.png"), draw_place(k))
    (plain,) = open_sources([f"overhead:{tmp_path}@0.6"], Choice(), ViewSpec())
    heavy = Weighted(plain.source, 4.0)
    assert (heavy.places, heavy.files) == (plain.places, plain.files)
    views = [source.render(1, np.random.default_rng(2), 24) for source in (plain, heavy)]
    assert np.array_equal(views[0].drone, views[1].drone)
    left = heavy.without([tmp_path / "1.png"])
    assert (left.weight, [Path(place).stem for place in left.places]) == (4.0, ["0", "2"])
