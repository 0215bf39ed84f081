"""How large activations are: one symmetric INT8 scale a tensor, measured on calibration pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper

_BATCH = 8
_DRAWN = 20_000  # values of a tensor a batch: enough for the shape of its distribution
_CLIPS = np.linspace(0.3, 1.0, 36)  # of the largest value


@dataclass(frozen=True, slots=True)
class Range:
    """What quantisation needs to know of one activation."""

    scale: np.float32  # of one INT8 step
    channel_mean: NDArray[np.float64]  # (C,)


def measure_ranges(
    model: ModelProto,
    tensors: Sequence[str],  # names of (B, C, H, W) activations
    pictures: NDArray[np.uint8],  # (N, S, S, 3) RGB
    seed: int = 0,
) -> dict[str, Range]:
    """The range of each tensor over the pictures, computed by ONNX Runtime in FP32."""
    import onnxruntime as ort

    watched = ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend([helper.make_empty_tensor_value_info(name) for name in tensors])
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(seed)
    largest = dict.fromkeys(tensors, 0.0)
    drawn: dict[str, list[NDArray[np.float32]]] = {name: [] for name in tensors}
    means: dict[str, list[NDArray[np.float64]]] = {name: [] for name in tensors}
    for start in range(0, len(pictures), _BATCH):
        values = session.run(list(tensors), {"image": pictures[start : start + _BATCH]})
        for name, value in zip(tensors, values, strict=True):
            size = np.abs(value).ravel()
            largest[name] = max(largest[name], float(size.max()))
            drawn[name].append(size[rng.integers(0, size.size, _DRAWN)])
            means[name].extend(value.mean(axis=(2, 3), dtype=np.float64))
    return {
        name: Range(best_scale(np.concatenate(drawn[name]), largest[name]), np.mean(means[name], axis=0))
        for name in tensors
    }


def best_scale(sizes: NDArray[np.float32], largest: float) -> np.float32:
    """The scale with the least squared error of rounding and clipping; ``sizes`` are absolute values, (K,).

    The largest value alone would let one bright roof coarsen everything else.
    """
    scales = _CLIPS * max(largest, 1e-6) / 127
    errors = [float(np.square(np.clip(np.rint(sizes / s), 0, 127) * s - sizes).mean()) for s in scales]
    best: np.float32 = np.float32(scales[int(np.argmin(errors))])
    return best
