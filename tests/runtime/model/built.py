"""A toy bundle with its golden embedding, and the engine that ``export.trt`` would build of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from export.engines.builder import build_engine
from export.engines.device import Device
from runtime.model.bundle import Bundle


def build(bundle: Bundle, batch: int = 1) -> Path:
    """The engine as ``export.trt`` builds it on the machine that is installed."""
    return build_engine(sys.modules["tensorrt"], bundle, "fp32", batch=batch, device=Device.here())


def pictures(count: int, side_px: int = 32) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, side_px, side_px, 3), np.uint8)


def change_sidecar(engine: Path, **changes: object) -> None:
    sidecar = engine.with_name(f"{engine.name}.json")
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), **changes}))
