"""Pairs that nobody registered share a place alone, and who flies is told by their names."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.errors import DataError
from tests.paths import SHARED
from tests.train.conftest import draw_place
from tests.train.data.sources.drawn import opened, write
from train.data.manifest import Choice
from train.data.sources.unregistered_pairs import find_unregistered
from train.evaluate import main as evaluate
from train.model.checkpoint import save_encoder
from train.model.encoder import Encoder, EncoderSpec

TINY = EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")


@pytest.fixture
def matched(tmp_path: Path) -> Path:
    """Sixteen places, two bright drone pictures and a dark satellite picture each; a satellite picture to spare."""
    for k in range(16):
        for shot in ("first", "second"):
            write(tmp_path / "drone" / f"{k:02d}" / f"{shot}.jpg", k)
        write(tmp_path / "satellite" / f"{k:02d}.png", k, 0.3)
    write(tmp_path / "satellite" / "spare.png", 99, 0.3)
    return tmp_path


def test_matched_folders_pair_every_drone_picture_with_its_place(matched: Path) -> None:
    train, val = opened(f"pairs:{matched}", "train"), opened(f"pairs:{matched}", "val")
    assert len(train.places) == 14
    assert len(set(val.places)) == 2
    assert not set(train.places) & set(val.places)
    for seed in range(6):
        views = train.render(3, np.random.default_rng(seed), 64)
        assert views.drone.mean() > 2 * views.tile.mean(), "the drone's is the drone's, whatever is drawn"
        assert views.drone_seen.all()


def test_matched_views_are_mirrored_together_and_turned_apart(matched: Path) -> None:
    """Each view is one of eight turned and mirrored originals, cropped a little: handedness always agrees."""
    source = opened(f"pairs:{matched}", "train")
    original = cv2.resize(draw_place(0), (32, 32), interpolation=cv2.INTER_AREA).astype(float)
    eight = [(turn, side, np.rot90(original[:, ::side], turn)) for side in (1, -1) for turn in range(4)]
    apart = []
    for seed in range(24):
        views = source.render(0, np.random.default_rng(seed), 32)
        found = []
        for picture in (views.drone, views.tile):
            likeness = [np.corrcoef(picture.ravel(), other.ravel())[0, 1] for _, _, other in eight]
            found.append(eight[int(np.argmax(likeness))][:2])
        assert found[0][1] == found[1][1]
        apart.append(found[0][0] != found[1][0])
    assert 0.5 < np.mean(apart) < 1.0


def test_a_csv_says_place_split_and_position_and_its_columns_who_flies(matched: Path) -> None:
    lines = ["place,uav,sat,split,lat,lon"]
    lines += [f"p{k},drone/{k:02d}/{shot}.jpg,satellite/{k:02d}.png,{'val' if k > 9 else 'train'},47.{k},8.5"
              for k in range(12) for shot in ("first", "second")]  # fmt: skip
    path = matched / "list.csv"
    path.write_text("\n".join(lines))
    data = f"pairs:{path}#drone=uav,satellite=sat"
    assert len(opened(data, "train").places) == 10
    assert len(set(opened(data, "val").places)) == 2
    found = find_unregistered(path, ("uav", "sat"), Choice())
    assert found is not None
    ask, back = found.retrieval_sets(Choice("val"))
    assert (len(ask.queries), len(ask.gallery), len(back.queries), len(back.gallery)) == (4, 12, 2, 24)
    assert ask.queries[0].lat_lon == (47.10, 8.5)


def test_matched_pictures_are_scored_as_they_are_against_all_places(
    matched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_encoder(tmp_path / "best.safetensors", Encoder(TINY), {}, {})
    assert evaluate([str(tmp_path / "best.safetensors"), "--data", f"pairs:{matched}"]) == 0
    out = capsys.readouterr().out
    assert "(4 queries, gallery 17)" in out, "the satellite picture to spare is in the gallery"
    assert "(2 queries, gallery 32)" in out
    assert evaluate([str(tmp_path / "best.safetensors"), "--data", f"pairs:{matched}", "--split", "test"]) == 1
    assert "has no column split" in capsys.readouterr().err


def test_real_pairs_that_nobody_registered_are_opened_as_such() -> None:
    folder = SHARED / "data/pairs/akagi_sat_vs_uav"
    if not folder.is_dir():
        pytest.skip("../shared/data is not in this checkout")
    source = opened(f"pairs:{folder}#drone=b,satellite=a", "val")
    views = source.render(0, np.random.default_rng(0), 96)
    assert len(source.places) == 12
    assert views.drone.mean() > views.tile.mean() + 30, "a dry field from the drone, a green one from above"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["drone,satellite,place,split", "x.jpg,y.jpg,p,train", "x.jpg,y.jpg,p,val"], "place p is in two splits"),
        (["drone,satellite,lat,lon", "x.jpg,y.jpg,north,8"], "lat 'north', lon '8'; expected degrees"),
        (["drone,satellite", "x.jpg,"], "a row without satellite"),
        (["left,right", "x.jpg,y.jpg"], "neither columns nor folders a and b"),
    ],
)
def test_a_csv_that_contradicts_itself_is_told(lines: list[str], message: str, tmp_path: Path) -> None:
    for name in ("x.jpg", "y.jpg"):
        write(tmp_path / name, 0)
    (tmp_path / "list.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match=message):
        opened(f"pairs:{tmp_path}/list.csv")
