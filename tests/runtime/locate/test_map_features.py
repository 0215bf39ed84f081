"""Keypoints of the map."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runtime.geo.mercator import Metres, to_metres
from runtime.locate.features import LocalFeatures
from runtime.locate.map_features import MapFeatures
from runtime.maps.imagery import Imagery
from tests.runtime.locate.drawn import Scene


def test_map_points_lie_where_the_map_shows_them(toy_tiles: Path, features: LocalFeatures, scene: Scene) -> None:
    imagery = Imagery(toy_tiles.with_suffix(".mbtiles"))
    around = MapFeatures(imagery, features).around(to_metres(scene.ground), 60.0, 1)
    step = imagery.metres_per_px * np.sqrt(2)
    assert len(around.place_m) > 50
    off_px = []
    for place, descriptor in list(zip(around.place_m, around.descriptor, strict=True))[:25]:
        found = features.detect(*imagery.window(Metres(*place), 96 * step, 96), 200)
        off_px.append(found.xy[(found.descriptor @ descriptor).argmax()] - 47.5)
    assert np.abs(np.median(off_px, axis=0)).max() < 1.0
