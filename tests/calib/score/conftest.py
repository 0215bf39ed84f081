"""The town and a bundle for it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from runtime.maps.importing import import_imagery
from runtime.model.bundle import Bundle, file_entry, write_manifest
from runtime.model.manifest import FORMAT
from runtime.tiles.building.build import build
from runtime.tiles.building.spec import BuildSpec
from tests.calib.score.town import GRAPH, CellMeans, Town, record
from train.world.flight import (
    MAP_GSD_M,
    PICTURE_GSD_M,
)


@pytest.fixture(scope="module")
def town(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """The small world, flown anew and embedded by :class:`CellMeans`; not to be written to."""
    out = tmp_path_factory.mktemp("town")
    seen = cv2.imdecode(np.fromfile(small_world / "map.tif", np.uint8), cv2.IMREAD_COLOR)
    fine = cv2.resize(seen, None, fx=MAP_GSD_M / PICTURE_GSD_M, fy=MAP_GSD_M / PICTURE_GSD_M)[..., ::-1]
    for seed, name in enumerate(("one", "two")):
        record(out / "flights" / name, np.asarray(fine, np.uint8), seed)
    about = {"name": "town", "date": "", "attribution": "", "tick": lambda done, total: None}
    imagery = import_imagery(small_world / "map.tif", out / "town.mbtiles", **about)
    engine = CellMeans(hashlib.sha256(GRAPH).hexdigest())
    build(imagery, engine, out / "town.tiles", BuildSpec(footprints_m=(32.0, 45.0)))
    imagery.close()
    return Town(out / "flights", out / "town.tiles")


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle whose graph is a stand-in for :class:`CellMeans`."""
    path = tmp_path / "cells.bundle"
    path.mkdir()
    graph = path / "encoder.onnx"
    graph.write_bytes(GRAPH)
    files = {graph.name: file_entry(graph, "fp32")}
    encoder = {"side_px": 32, "dim": CellMeans.dim}
    write_manifest(path, {"format": FORMAT, "kind": "encoder", "name": "cells", "files": files, "encoder": encoder})
    engine = CellMeans(Bundle.open(path).sha256(graph.name))
    monkeypatch.setattr("calib.score.pipeline.open_engine", lambda *_: engine)
    return path
