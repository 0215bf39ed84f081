"""Pictures taken straight down, alone or sewn together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import DataError
from tests.paths import SHARED
from tests.train.conftest import EXACT, draw_place
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.sources.overhead import OverheadSource, open_overhead, open_site, sewn
from train.data.view_spec import ViewSpec


def test_pictures_sewn_together_blend_to_each_alone_and_to_their_mean_at_the_seam() -> None:
    greys = [np.full((64, 48, 3), level, np.uint8) for level in (0, 80, 160, 240)]
    quilt = sewn(greys)
    assert quilt.shape == (120, 90, 3)
    assert [int(quilt[y, x, 0]) for y in (0, -1) for x in (0, -1)] == [0, 80, 160, 240]
    assert abs(int(quilt[0, 44:46].mean()) - 40) <= 1
    assert np.array_equal(sewn([greys[2]] * 4), np.full((120, 90, 3), 160, np.uint8))


def test_a_quilt_is_of_the_same_source_and_seed(pictures: Path) -> None:
    view = replace(ViewSpec(), quilt=1.0, footprint_m=(60.0, 200.0))
    source = open_sources([f"overhead:{pictures}@0.6"], Choice("train"), view)[0]
    once, again, plain = (
        s.render(2, np.random.default_rng(4), 32)
        for s in (source, source, open_sources([f"overhead:{pictures}@0.6"], Choice("train"), ViewSpec())[0])
    )
    assert np.array_equal(once.tile, again.tile)
    assert not np.array_equal(once.tile, plain.tile)


def chips(folder: Path, count: int = 16) -> Path:
    for k in range(count):
        cv2.imwrite(str(folder / f"{k:02d}.png"), draw_place(k))
    return folder


def test_every_picture_of_a_folder_is_a_place_and_an_eighth_is_held_back(tmp_path: Path) -> None:
    chips(tmp_path)
    train, val = (open_overhead(tmp_path, 0.5, Choice(split)) for split in ("train", "val"))
    assert [chip.path.stem for chip in val] == ["07", "15"]
    assert len(train) == 14
    assert {chip.gsd_m for chip in train} == {0.5}
    assert len({chip.place for chip in train}) == 14


def test_a_manifests_scale_wins_over_the_command_lines(tmp_path: Path) -> None:
    chips(tmp_path, 3)
    (tmp_path / "manifest.csv").write_text("image,gsd_m\n00.png,0.2\n01.png,\n02.png,0.4\n")
    assert [chip.gsd_m for chip in open_overhead(tmp_path, 0.3, Choice())] == [0.2, 0.3, 0.4]
    assert [chip.gsd_m for chip in open_overhead(tmp_path, None, Choice())] == [0.2, None, 0.4]


def test_pictures_of_a_site_are_one_place_and_none_of_them_is_held_back(tmp_path: Path) -> None:
    chips(tmp_path, 5)
    site = open_site(tmp_path, 0.3, Choice("train"))
    assert len(site) == 5
    assert {chip.place for chip in site} == {str(tmp_path)}
    assert open_site(tmp_path, 0.3, Choice("val")) == []


def test_a_scale_that_nobody_knows_is_drawn_anew_for_each_pair(tmp_path: Path) -> None:
    chips(tmp_path, 1)
    spec = replace(EXACT, footprint_m=(20.0, 20.0))
    unknown, known = (OverheadSource(open_overhead(tmp_path, gsd_m, Choice()), spec) for gsd_m in (None, 0.4))

    def texture(source: OverheadSource) -> list[float]:
        tiles = [source.render(0, np.random.default_rng(seed), 64).tile for seed in range(16)]
        return [float(np.abs(np.diff(tile.astype(int), axis=1)).mean()) for tile in tiles]

    assert np.std(texture(unknown)) > 1.05 * np.std(texture(known)) > 0


def test_the_seam_of_a_quilt_fades_one_picture_out_as_the_other_fades_in() -> None:
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 240, np.uint8)
    across = sewn([black, white, black, white])[20, :, 0].astype(int)
    assert (across[:56] == 0).all()
    assert (across[64:] == 240).all()
    assert (np.diff(across[55:65]) > 0).all()
    assert across[56:64] == pytest.approx(240 * (np.arange(8) + 0.5) / 8, abs=1)


def test_only_pictures_of_the_same_scale_are_sewn_together(tmp_path: Path) -> None:
    """Grey chips of one scale among white ones of another: no white shows in a quilt of grey."""
    for k in range(10):
        cv2.imwrite(str(tmp_path / f"{k}.png"), np.full((64, 64, 3), 60 if k % 2 else 250, np.uint8))
    lines = [f"{k}.png,{0.5 if k % 2 else 0.25}" for k in range(10)]
    (tmp_path / "manifest.csv").write_text("\n".join(["image,gsd_m", *lines]))
    source = OverheadSource(open_overhead(tmp_path, None, Choice()), replace(EXACT, quilt=1.0))
    grey = [k for k, chip in enumerate(source.chips) if chip.gsd_m == 0.5]
    for seed in range(8):
        assert source.render(grey[2], np.random.default_rng(seed), 32).tile.max() <= 61


def test_a_folder_that_is_none_is_told_with_what_was_wanted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no folder; overhead:FOLDER wants one with pictures"):
        open_overhead(tmp_path / "nowhere", None, Choice())


def test_real_chips_of_two_scales_render_views_that_agree() -> None:
    folder = SHARED / "data/overhead/neon_deepforest"
    if not folder.is_dir():
        pytest.skip("../shared/data is not in this checkout")
    spec = replace(EXACT, footprint_m=(15.0, 30.0))
    source = OverheadSource(open_overhead(folder, 0.1, Choice()), spec)
    assert len(source.places) >= 15
    for k in range(0, len(source.places), 5):
        views = source.render(k, np.random.default_rng(k), 64)
        assert np.abs(views.drone.astype(int) - views.tile)[views.drone_seen].mean() < 6
