"""Does a cache say what its map shows? Embed a sample of its rows again."""

from __future__ import annotations

import numpy as np

from runtime.errors import CacheError
from runtime.geo.mercator import LatLon, ground_scale, to_metres
from runtime.maps.imagery import Imagery
from runtime.model.engine import Engine
from runtime.model.preprocess import encoder_input
from runtime.tiles.cache import TileCache

MIN_COSINE = 0.99  # int8 rows alone cost some 1e-4


def worst_cosine(cache: TileCache, imagery: Imagery, engine: Engine, sample: int = 32) -> float:
    """Embed pictures of evenly sampled rows anew and return the worst cosine; raises CacheError under 0.99."""
    rows = np.unique(np.linspace(0, len(cache.embedding) - 1, sample).astype(int))
    pictures = []
    for row in rows:
        place = LatLon(*cache.centre[row])
        side_m = cache.footprints_m[cache.level[row]] / ground_scale(place.lat)
        pictures.append(encoder_input(*imagery.window(to_metres(place), side_m, engine.side_px), engine.side_px))
    stored = cache.embedding[rows].astype(np.float32) * cache.scale[rows, None]
    cosine = (engine.embed(np.array(pictures)) * stored).sum(axis=1)
    worst = int(cosine.argmin())
    if not cosine[worst] >= MIN_COSINE:
        raise CacheError(
            f"{cache.path} row {rows[worst]} has cosine {cosine[worst]:.4f} with its picture, expected {MIN_COSINE}; "
            "build it again: python -m runtime.tiles build"
        )
    return float(cosine[worst])
