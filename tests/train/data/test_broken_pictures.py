"""Broken pictures are named and left out, or end the run."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from runtime.errors import DataError
from tests.train.conftest import draw_place
from train.data.manifest import Choice
from train.data.open import open_sources
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
