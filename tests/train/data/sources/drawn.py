"""Pictures of places that tests write, and the one source that a ``--data`` opens."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.train.conftest import EXACT, draw_place
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.source import PairSource


def write(path: Path, seed: int, light: float = 1.0, side_px: int = 128) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), (draw_place(seed, side_px) * light).astype(np.uint8))


def opened(data: str, split: str | None = None) -> PairSource:
    (source,) = open_sources([data], Choice(split), EXACT)
    return source
