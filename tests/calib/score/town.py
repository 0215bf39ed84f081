"""A small town that is flown twice, and an encoder that can be computed by hand."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.sensors.camera_info import write_camera
from train.world.flight import (
    SMALL,
    camera_of,
    fly,
    image_name,
    jpeg,
    render,
    telemetry,
    truth,
)

GRAPH = b"cells"


class CellMeans:
    """An encoder of eight by eight means, their average taken out; ``common`` is what all pictures share."""

    name, precision, side_px, dim = "cells, numpy", "fp32", 32, 193

    def __init__(self, encoder_sha256: str, common: float = 2.0) -> None:
        self.encoder_sha256, self.common = encoder_sha256, common

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        cells = pictures.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4), dtype=np.float32).reshape(-1, self.dim - 1)
        contrast = cells - cells.mean(axis=1, keepdims=True)
        contrast /= np.linalg.norm(contrast, axis=1, keepdims=True)
        together = np.column_stack([contrast, np.full(len(contrast), self.common)])
        return np.asarray(together / np.linalg.norm(together, axis=1, keepdims=True), np.float32)


class Town(NamedTuple):
    """``flights/one`` and ``flights/two`` of 20 frames each, and a cache of what they fly over."""

    flights: Path
    tiles: Path


def record(folder: Path, ground: NDArray[np.uint8], seed: int) -> None:
    spec = replace(SMALL, seed=seed, frames=20, width_px=320, height_px=180)
    poses, camera = fly(spec), camera_of(spec)
    (folder / "frames").mkdir(parents=True)
    for k, pose in enumerate(poses):
        picture = render(ground, camera, pose, np.random.default_rng((seed, k)))
        (folder / image_name(k)).write_bytes(jpeg(picture))
    write_camera(camera, folder / "camera.yaml")
    (folder / "flight.json").write_text(json.dumps({"name": folder.name}))
    write_rows(folder / "telemetry.csv", telemetry(poses, np.random.default_rng(seed)))
    write_rows(folder / "truth.csv", [truth(pose) for pose in poses])


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def edited(flight: Path, file: str, values: dict[str, str], out: Path) -> Path:
    """A copy of a flight with the same value in a column of all rows."""
    shutil.copytree(flight, out)
    with (out / file).open(newline="") as text:
        rows = [{**row, **values} for row in csv.DictReader(text)]
    write_rows(out / file, rows)
    return out


def command(town: Town, out: Path, *flights: Path) -> list[str]:
    return [*map(str, flights or sorted(town.flights.iterdir())), "--tiles", str(town.tiles), "--out", str(out)]
