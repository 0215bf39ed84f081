"""From files to a localizer that flies; the same for replay and daemon."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from runtime.geo.camera import Camera
from runtime.geo.mercator import LatLon
from runtime.locate.features import LocalFeatures
from runtime.locate.localizer import Localizer
from runtime.model.bundle import DEFAULT_BUNDLE, MANIFEST, Bundle, matcher_home
from runtime.model.load import open_engine
from runtime.model.score_map import score_map
from runtime.tiles.cache import TileCache


def open_localizer(
    cache: TileCache,
    camera: Camera,
    *,
    bundle: Path | None,
    matcher: Path | Literal[False] | None,
    start: tuple[LatLon, float] | None,
    threads: int,
) -> Localizer:
    """``bundle`` None is the default encoder; ``matcher`` None the one that ``export.matcher`` made, False is none.

    Raises BundleError, CacheError or ImageryError.
    """
    engine = open_engine(bundle, cache.metadata["encoder"]["precision"], threads)
    fitted = score_map(Bundle.open(bundle or DEFAULT_BUNDLE), engine.precision)
    return Localizer(cache, engine, camera, _open_features(matcher, threads), start=start, score_map=fitted)


def _open_features(matcher: Path | Literal[False] | None, threads: int) -> LocalFeatures | None:
    if matcher is False:
        return None
    if matcher is None and not (matcher_home() / MANIFEST).is_file():
        print(
            "no matcher: fixes come from retrieval alone, to tens of metres; make it once: python -m export.matcher",
            file=sys.stderr,
        )
        return None
    return LocalFeatures(Bundle.open(matcher or matcher_home(), "matcher"), threads)
