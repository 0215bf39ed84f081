"""A list of pictures chooses split, licence and scale, and says by its row what is wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import DataError
from tests.train.conftest import draw_place
from train.data.manifest import Choice, ManifestRow, read_csv, read_rows
from train.data.open import open_sources
from train.data.split import TrainSplit
from train.data.view_spec import ViewSpec


def test_a_manifest_chooses_split_licence_and_scale(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), draw_place(0))
    lines = ["image,gsd_m,split,may_ship", "a.png,0.25,train,yes", "b.png,,val,yes", "c.png,0.5,train,no"]
    (tmp_path / "manifest.csv").write_text("\n".join(lines))

    def names(choice: Choice) -> list[str]:
        sources = open_sources([f"overhead:{tmp_path}"], choice, ViewSpec())
        return [Path(place).stem for source in sources for place in source.places]

    assert names(Choice("train")) == ["a", "c"]
    assert names(Choice("train", only_may_ship=True)) == ["a"]
    assert names(Choice("val")) == ["b"]
    assert names(Choice(None)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image,gsd_m", "a.png"], "row 2 has another number of cells"),
        (["image,gsd_m", "a.png,wide"], "gsd_m 'wide'; expected metres"),
        (["image,gsd_m", ",0.3"], "a row without image"),
        (["image", "gone.png"], r"1 of 1 pictures cannot be read: .*gone\.png \(missing\)"),
    ],
)
def test_a_manifest_that_does_not_fit_is_told_by_its_row(lines: list[str], message: str, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), draw_place(0))
    (tmp_path / "manifest.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=message):
        open_sources([f"overhead:{tmp_path}"], Choice(None), ViewSpec())


@given(st.integers(1, 60), st.sampled_from(["train", "val"]))
def test_every_eighth_unlisted_scene_is_held_back(count: int, split: TrainSplit) -> None:
    scenes = list(range(count))
    wanted = [k for k in scenes if (k % 8 == 7) == (split == "val")]
    assert Choice(split).unlisted(scenes) == wanted
    assert Choice().unlisted(scenes) == scenes


def row(name: str, split: str | None) -> ManifestRow:
    return ManifestRow((Path(name),), split=split)


def test_rows_are_chosen_by_their_split_and_as_unlisted_where_there_is_none() -> None:
    rows = [row(f"{k}.png", ("train", "val", "test")[k % 3]) for k in range(9)]
    assert Choice("test").listed(rows) == rows[2::3]
    assert Choice("val").listed(rows) == rows[1::3]
    blank = [row(f"{k}.png", None) for k in range(9)]
    assert Choice("val").listed(blank) == blank[7:8]


@given(st.integers(0, 999), st.integers(8, 60))
def test_places_apart_share_no_ground_and_the_end_of_the_site_is_held_back(seed: int, count: int) -> None:
    middles = np.random.default_rng(seed).uniform(0, (400, 100), (count, 2))
    train, val = (Choice(split).apart(middles, 30.0) for split in ("train", "val"))
    assert len(Choice().apart(middles, 30.0)) == count
    assert len(val) == max(1, count // 8)
    assert middles[val, np.ptp(middles, axis=0).argmax()].min() > np.median(
        middles[:, np.ptp(middles, axis=0).argmax()]
    )
    if len(train):
        along = np.ptp(middles, axis=0).argmax()
        assert middles[val, along].min() - middles[train, along].max() >= 30.0


def test_a_column_of_a_grid_is_held_back_whole_or_not() -> None:
    grid = np.array([(x, y) for x in range(0, 800, 100) for y in range(0, 500, 100)], float)
    val = Choice("val").apart(grid, 50.0)
    assert {tuple(grid[k]) for k in val} == {(700.0, y) for y in range(0, 500, 100)}
    assert len(Choice("train").apart(np.zeros((0, 2)), 50.0)) == 0


def listed(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "list.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_row_holds_what_the_other_columns_say(tmp_path: Path) -> None:
    path = listed(tmp_path, "drone,satellite,gsd_m,place,split,lat,lon,may_ship\nd.jpg,s.jpg,0.3,p1,val,47.5,8.2,yes\n")
    (found,) = read_rows(path, ("drone", "satellite"), Choice()) or []
    assert found == ManifestRow(
        (tmp_path / "d.jpg", tmp_path / "s.jpg"), 0.3, "val", True, "p1", ("d.jpg", "s.jpg"), ("47.5", "8.2")
    )


def test_blank_cells_and_columns_that_are_not_there_are_unknown(tmp_path: Path) -> None:
    path = listed(tmp_path, "image,gsd_m\na.png,\n")
    assert read_rows(path, ("image",), Choice()) == [ManifestRow((tmp_path / "a.png",), cells=("a.png",))]
    assert read_rows(path, ("image",), Choice(only_may_ship=True)) == []
    assert read_rows(path, ("a", "b"), Choice()) is None, "another kind of list"


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    path = listed(tmp_path, "image\na.png\n", "utf-8-sig")
    assert read_csv(path)[0] == ["image"]


def test_a_manifest_above_a_folder_lists_what_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "manifest.csv").write_text("image\nhere/a.png\nelsewhere/b.png\n")
    rows = read_rows(tmp_path / "here", ("image",), Choice())
    assert [row.pictures[0] for row in rows or []] == [tmp_path / "here/a.png"]


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"image\n\xff\xfe\x00\n")
    with pytest.raises(DataError, match=r"list\.csv is not a CSV file"):
        read_csv(path)


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "wide"])
def test_a_scale_that_is_no_positive_number_is_told(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"gsd_m '{text}'; expected metres a pixel"):
        read_rows(listed(tmp_path, f"image,gsd_m\na.png,{text}\n"), ("image",), Choice())
