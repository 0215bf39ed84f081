"""Broken pictures are named and left out, or end the run."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import DataError
from tests.paths import SHARED
from tests.train.conftest import draw_place
from train.data.broken_pictures import broken_pictures, leave_out_broken, read_whole
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.source import pictures_under, read_picture
from train.data.view_spec import ViewSpec


def spoilt(folder: Path, count: int, of: int = 40) -> list[Path]:
    paths = [folder / f"{k:02d}.jpg" for k in range(of)]
    for k, path in enumerate(paths):
        cv2.imwrite(str(path), draw_place(k))
        if k < count:  # a download that was cut: OpenCV would paint the rest grey and say nothing
            path.write_bytes(path.read_bytes()[: 1000 + k])
    return paths


def test_a_few_broken_pictures_are_named_counted_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = spoilt(tmp_path, 2)
    data = [f"overhead:{tmp_path}@0.6", f"site:{tmp_path}@0.6"]
    sources = open_sources(data, Choice(None), ViewSpec(), max_broken=0.05)
    assert [source.files for source in sources] == [paths[2:], paths[2:]]
    (line,) = caplog.messages
    assert line.startswith("2 of 40 pictures cannot be read")
    assert str(paths[0]) in line and str(paths[1]) in line


def test_more_broken_pictures_than_allowed_end_the_run(tmp_path: Path) -> None:
    spoilt(tmp_path, 2)
    with pytest.raises(DataError, match=r"2 of 40 pictures cannot be read.*at most 1\.0% may be"):
        open_sources([f"overhead:{tmp_path}@0.6"], Choice(None), ViewSpec())


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_a_picture_is_whole_until_its_file_is_cut(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"place{suffix}"
    cv2.imwrite(str(path), draw_place(1))
    assert broken_pictures([path]) == {}
    assert np.array_equal(read_whole(path), read_picture(path))
    path.write_bytes(path.read_bytes()[:200])
    assert list(broken_pictures([path])) == [path]
    with pytest.raises(DataError, match=r"cannot be read: .*; mend it, or fetch it again"):
        read_whole(path)


def test_the_reason_is_told_for_each_of_several_pictures(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("whole.jpg", "note.jpg", "note.png", "gone.jpg")}
    cv2.imwrite(str(paths["whole.jpg"]), draw_place(1))
    for name in ("note.jpg", "note.png"):
        paths[name].write_text("no picture")
    reasons = broken_pictures(list(paths.values()))
    assert reasons == {paths["note.jpg"]: "no picture", paths["note.png"]: "no picture", paths["gone.jpg"]: "missing"}


def test_a_cut_jpeg_that_opencv_would_paint_grey_is_found(tmp_path: Path) -> None:
    (path,) = spoilt(tmp_path, 1, of=1)
    assert cv2.imread(str(path)) is not None, "OpenCV alone says nothing"
    assert "truncated" in broken_pictures([path])[path]


def test_sources_without_a_broken_picture_stay_as_they_are(pictures: Path) -> None:
    (source,) = open_sources([f"overhead:{pictures}@0.6"], Choice(), ViewSpec())
    assert leave_out_broken([source], 0.0) == [source]


def test_real_pictures_are_whole() -> None:
    folder = SHARED / "data/overhead/neon_deepforest"
    if not folder.is_dir():
        pytest.skip("../shared/data is not in this checkout")
    assert broken_pictures(pictures_under(folder)) == {}
