"""Embeddings of pictures on the CPU, and whether two graphs answer nearly alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from calib.samples.gate_set import Pictures
from runtime.errors import GateError
from runtime.types import Tick

Embeddings = NDArray[np.float32]
MIN_FLOAT_COSINE = 0.9999
"""Of the worst picture, for a graph of floats to what it was made from."""
_BATCH = 16


def embed(
    graph: Path,
    pictures: Pictures,  # (N, S, S, 3) RGB
    *,
    optimise: bool = True,
    fuse: bool = False,
    batch: int = _BATCH,  # of a run; for a graph of a fixed batch that one, N a multiple of it
    tick: Tick = lambda done, total: None,
) -> Embeddings:  # (N, D)
    """Return the embeddings that ONNX Runtime computes on the CPU.

    ``optimise`` False computes each node as it is written. A Q/DQ graph needs that: the integer kernels of a CPU
    without VNNI saturate, and would judge another arithmetic than the device's. With ``fuse`` floats are fused all the
    same, which sums in another order, for thousands of pictures in half the time.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if not optimise and fuse:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    elif not optimise:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    parts = []
    for start in range(0, len(pictures), batch):
        parts += session.run(["embedding"], {"image": pictures[start : start + batch]})
        tick(min(start + batch, len(pictures)), len(pictures))
    return np.concatenate(parts)


def check_parity(
    want: Embeddings,  # (N, D) unit-norm
    got: Embeddings,  # (N, D) unit-norm
    *,
    what: str,
    min_cosine: float,
) -> float:
    """Return the worst row cosine of two embeddings of the same pictures; raises GateError under ``min_cosine``."""
    _check_shape(want, got, what)
    cosine = (want * got).sum(axis=1)
    worst = int(cosine.argmin())
    if not cosine[worst] >= min_cosine:  # not <, so that NaN fails too
        raise GateError(f"{what}: picture {worst} has cosine {cosine[worst]:.6f}, needs {min_cosine}")
    return float(cosine[worst])


def check_close(
    want: Embeddings,
    got: Embeddings,  # the shape of want
    *,
    what: str,
    max_error: float,
) -> float:
    """Return the largest absolute difference; raises GateError over ``max_error``."""
    _check_shape(want, got, what)
    error = float(np.abs(want - got).max())
    if not error <= max_error:
        raise GateError(f"{what}: differs by up to {error:.2e}, allowed {max_error:.0e}")
    return error


def _check_shape(want: Embeddings, got: Embeddings, what: str) -> None:
    if want.shape != got.shape:
        raise GateError(f"{what}: shape {got.shape}, expected {want.shape}")
