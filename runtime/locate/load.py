"""From files to a localizer that flies; the same for replay and daemon."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from runtime.geo.camera import Camera
from runtime.locate.features import LocalFeatures
from runtime.locate.localizer import Localizer
from runtime.model.bundle import DEFAULT_BUNDLE, ENCODER_FILES, Bundle, matcher_home
from runtime.model.load import open_engine
from runtime.model.manifest import MANIFEST
from runtime.model.score_map import score_map
from runtime.start import Start
from runtime.tiles.cache import TileCache

logger = logging.getLogger(__name__)


def open_localizer(
    cache: TileCache,
    camera: Camera,
    *,
    bundle: Path | None,
    matcher: Path | Literal[False] | None,
    start: Start | None,
    threads: int,
) -> Localizer:
    """Open what a cache needs to fly: its encoder, local features, and a localizer of both.

    ``bundle`` None is the default encoder; ``matcher`` None are local features at hand, False is none.

    Raises BundleError, CacheError or ImageryError.
    """
    engine = open_engine(bundle, cache.metadata.encoder.precision, threads)
    features = None if matcher is False else open_features(bundle, matcher, threads)
    if features is not None:
        features.warm_up()
    logger.debug("encoder %s; local features %s", engine.name, "none" if features is None else features.name)
    scores = score_map(Bundle.open(bundle or DEFAULT_BUNDLE), engine.precision)
    return Localizer(cache, engine, camera, features, start=start, score_map=scores)


def open_features(bundle: Path | None, matcher: Path | None, threads: int) -> LocalFeatures | None:
    """Open the features asked for; else the encoder bundle's own, else XFeat where ``export.matcher`` made it.

    Raises BundleError. None, with a warning, where there are none.
    """
    if matcher is not None:
        return LocalFeatures(Bundle.open(matcher, _kind(matcher)), threads)
    own = Bundle.open(bundle or DEFAULT_BUNDLE)
    if own.has_local_features:
        return LocalFeatures(own, threads)
    if (matcher_home() / MANIFEST).is_file():
        return LocalFeatures(Bundle.open(matcher_home(), "matcher"), threads)
    logger.warning(
        "no local features in %s: fixes come from retrieval alone, to tens of metres; "
        "make some: python -m train.local, or once: python -m export.matcher",
        own.path,
    )
    return None


def _kind(matcher: Path) -> str:
    """Tell which kind of bundle it is: an encoder's may bring local features too."""
    return "encoder" if (matcher / ENCODER_FILES["fp32"]).is_file() else "matcher"
