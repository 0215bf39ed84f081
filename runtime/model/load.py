"""From a bundle's folder to an engine that runs."""

from __future__ import annotations

import logging
from pathlib import Path

from runtime.errors import EngineError
from runtime.model.bundle import DEFAULT_BUNDLE, Bundle
from runtime.model.engine import Engine
from runtime.model.engine_trt import TrtEngine
from runtime.model.manifest import Precision, as_precision
from runtime.model.sidecar import batches_at_hand
from runtime.model.trt import tensorrt_or_none

logger = logging.getLogger(__name__)


def open_engine(bundle: Path | None, precision: str | None, threads: int) -> Engine:
    """Open the engine of a bundle (None: the default encoder); raises BundleError.

    Where TensorRT is installed and no engine of its own can be had, a warning says why.
    """
    engine, why = choose_engine(bundle, precision, threads)
    if why:
        logger.warning("encoder on %s: %s", engine.name.partition(", ")[2], why)
    logger.debug("encoder: %s", engine.name)
    return engine


def choose_engine(bundle: Path | None, precision: str | None, threads: int) -> tuple[Engine, str]:
    """Open the TensorRT engine of this device where one lies in the bundle and fits, else ONNX Runtime.

    With it comes why it is not TensorRT; empty where it is, or where TensorRT is not installed. ``precision`` None
    takes the engine that ``export.trt`` kept, without engines the FP32 graph. Raises BundleError.
    """
    opened = Bundle.open(bundle or DEFAULT_BUNDLE)
    chosen = None if precision is None else as_precision(precision)
    try:
        engine, why = _tensorrt_engine(opened, chosen)
    except EngineError as error:
        engine, why = None, str(error)
    return engine or _onnx_engine(opened, chosen, threads), why


def _onnx_engine(bundle: Bundle, precision: Precision | None, threads: int) -> Engine:
    # Imported here: a device that flies a TensorRT engine needs no ONNX Runtime.
    from runtime.model.engine_onnx import OnnxEngine

    return OnnxEngine(bundle, precision, threads)


def _tensorrt_engine(bundle: Bundle, precision: Precision | None) -> tuple[Engine | None, str]:
    """Return the engine, or None and why there is none; raises EngineError for one that does not fit."""
    if tensorrt_or_none() is None:
        return None, ""
    preferred: tuple[Precision, ...] = ("int8", "fp16") if precision is None else (precision,)
    for wanted in preferred:
        batches = batches_at_hand(bundle, wanted)
        if batches:
            return TrtEngine(bundle, wanted, batches[0]), ""  # a frame is one picture
    if precision == "fp32":
        return None, "TensorRT flies FP16 or INT8 alone, and the map was built in FP32: build it with --precision fp16"
    return (
        None,
        f"{bundle.path} holds no {precision or 'TensorRT'} engine; make one: python -m export.trt {bundle.path}",
    )
