"""Miniature benchmarks with exactly the published layouts; a picture's colour tells its place and its view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from train.data.sues200 import HEIGHTS_M
from train.data.sues200 import TEST as SUES_TEST
from train.data.sues200 import TRAIN as SUES_TRAIN


def put(path: Path, place: int, *, view: int = 0, side_px: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((side_px, side_px, 3), (view, 0, place % 256), np.uint8))


def university1652(root: Path, train: int = 16, asked: int = 3, distractors: int = 2, shots: int = 2) -> Path:
    """Ids as published: the first are trained on, the next asked for, the last only lie in the galleries."""
    test = range(train, train + asked + distractors)
    for view, extension, count in (("drone", "jpeg", shots), ("satellite", "jpg", 1)):
        for kind, ids in ((f"train/{view}", range(train)), (f"test/query_{view}", test[:asked])):
            _put_all(root / kind, ids, [f"image-{k:02d}.{extension}" for k in range(count)])
        _put_all(root / f"test/gallery_{view}", test, [f"image-{k:02d}.{extension}" for k in range(count)])
    (root / "train/google/0003").mkdir(parents=True)  # as released: nothing was found for some
    put(root / "test/4K_drone/0001/x.jpg", 1)
    return root


def denseuav(root: Path, train: int = 16, asked: int = 3) -> Path:
    drone = [f"H{h}.JPG" for h in (80, 90, 100)]
    satellite = [f"H{h}{old}.tif" for h in (80, 90, 100) for old in ("", "_old")]
    everywhere, last = range(train + asked), range(train, train + asked)
    for view, names in (("drone", drone), ("satellite", satellite)):
        _put_all(root / "train" / view, range(train), names, digits=6)
        _put_all(root / f"test/query_{view}", last, names, digits=6)
        _put_all(root / f"test/gallery_{view}", everywhere, names, digits=6)
    lines = [
        f"{'train' if k < train else 'test'}/satellite/{k:06d}/H80{old}.tif E{120 + k / 1000} N{30 + k / 500} 94.6"
        for k in everywhere
        for old in ("", "_old")
    ]
    (root / "Dense_GPS_ALL.txt").write_text("\n".join(lines) + "\n")
    return root


def sues200(root: Path, train: int = 8, test: int = 2, shots: int = 2, heights: Sequence[str] = HEIGHTS_M) -> Path:
    for place in (*sorted(SUES_TRAIN)[:train], *sorted(SUES_TEST)[:test]):
        put(root / "satellite-view" / place / "0.png", int(place), view=1)
        for height in heights:
            for k in range(shots):
                put(root / "drone_view_512" / place / height / f"{k}.jpg", int(place), view=int(height) - 100)
    return root


def _put_all(folder: Path, ids: Iterable[int], names: Sequence[str], digits: int = 4) -> None:
    for place in ids:
        for name in names:
            put(folder / f"{place:0{digits}d}" / name, place)
