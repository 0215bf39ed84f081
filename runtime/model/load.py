"""From a bundle's folder to an engine that runs."""

from __future__ import annotations

from pathlib import Path

from runtime.model.bundle import DEFAULT_BUNDLE, Bundle
from runtime.model.engine import Engine


def open_engine(bundle: Path | None, precision: str | None, threads: int) -> Engine:
    """The engine for a bundle (None: the default encoder); raises BundleError."""
    from runtime.model.engine_onnx import OnnxEngine

    return OnnxEngine(Bundle.open(bundle or DEFAULT_BUNDLE), precision, threads)
