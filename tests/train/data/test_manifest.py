"""A list of pictures chooses split, licence and scale, and says by its row what is wrong."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from runtime.errors import DataError
from tests.train.conftest import draw_place
from train.data.manifest import Choice
from train.data.open import open_sources
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
