"""Registered pairs share every pixel: one footprint on two dates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runtime.errors import DataError
from tests.train.data.sources.drawn import opened, write
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.view_spec import ViewSpec


def test_registered_pairs_show_one_footprint_on_two_dates(tmp_path: Path) -> None:
    for folder, light in (("a", 1.0), ("b", 0.5)):
        write(tmp_path / folder / "x.png", 3, light, 256)
    views = opened(f"pairs:{tmp_path}").render(0, np.random.default_rng(0), 64)
    means = sorted(float(p[views.drone_seen].mean()) for p in (views.drone, views.tile))
    assert means[0] / means[1] == pytest.approx(0.5, abs=0.03)
    brighter, darker = sorted((views.drone, views.tile), key=lambda p: -float(p.mean()))
    assert np.abs(brighter.astype(int) // 2 - darker)[views.drone_seen].max() <= 3


def test_a_csv_of_registered_pairs_needs_neither_split_nor_scale(tmp_path: Path) -> None:
    for k in range(16):
        write(tmp_path / f"{k}_old.png", k)
        write(tmp_path / f"{k}_new.png", k)
    (tmp_path / "dates.csv").write_text("a,b\n" + "".join(f"{k}_old.png,{k}_new.png\n" for k in range(16)))
    sources = [open_sources([f"pairs:{tmp_path}/dates.csv@0.5"], Choice(s), ViewSpec())[0] for s in ("train", "val")]
    assert [len(source.places) for source in sources] == [14, 2]


@pytest.mark.parametrize(
    ("files", "data", "message"),
    [
        (["drone/x.jpg", "satellite/y.jpg"], "pairs:{}", "1 of 1 places with drone pictures have no satellite.*x"),
        (["a/x.jpg", "b/y.jpg"], "pairs:{}", r"1 of 1 pictures of .* have no pair in b: x\.jpg"),
        (["x.jpg"], "pairs:{}", "neither columns nor folders a and b; expected"),
        (["a/x.jpg", "b/x.jpg"], "pairs:{}#drone=b,satellite=c", "neither columns nor folders b and c"),
        (["a/x.jpg", "b/x.jpg"], "pairs:{}#b,a", "is no folder and no CSV file"),
    ],
)
def test_another_layout_is_told_with_what_was_expected(
    files: list[str], data: str, message: str, tmp_path: Path
) -> None:
    for name in files:
        write(tmp_path / name, 0)
    with pytest.raises(DataError, match=message):
        opened(data.format(tmp_path))
