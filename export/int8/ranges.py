"""How large activations are: one symmetric INT8 scale a tensor, from histograms measured on calibration pictures.

Four rules say where a histogram is clipped; which is best is a matter of the network and was measured (docs/log.md):

max            nothing is clipped, and one bright roof coarsens everything else
percentile     all but one value in ten thousand is kept
entropy        the least information is lost (Migacz, "8-bit Inference with TensorRT", GTC 2017)
least-squares  the least squared error of rounding and clipping
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, helper

from export.options import RangeRule
from runtime.errors import ExportError
from runtime.types import Tick

BINS = 4096
LEVELS = 127  # steps of INT8 on one side of 0
_KEPT = 0.9999
_LEAST_POWER = -100  # of the largest value, so that the inverse of a bin's width is an FP32
_CLIPS = np.linspace(0.2, 1.0, 41)  # of the largest value
_BATCH = 4  # all activations of a batch are held at once
_MOST = 1 << 18  # values of a tensor a batch; a grid of them where there are more


@dataclass(slots=True)
class Histogram:
    """A count of the absolute values that fell into each of equal bins from 0.

    A bin's width is a power of two and doubles as values grow, so that batches in any order give one histogram.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    width: float = 0.0  # of a bin; 0 until a value is not 0
    largest: float = 0.0

    def add(self, values: NDArray[np.float32]) -> None:
        """Count values of any shape; raises ExportError for one that is no number."""
        largest = max(float(values.max()), -float(values.min()))
        if not math.isfinite(largest):
            raise ExportError(f"an activation reaches {largest}; the FP32 graph is broken on these pictures")
        self.largest = max(self.largest, largest)
        width = 2.0 ** max(math.frexp(self.largest)[1], _LEAST_POWER) / BINS if self.largest else 0.0
        while 0 < self.width < width:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2, np.int64)])
            self.width *= 2
        self.width = width
        bins = np.abs(values.ravel() * np.float32(1 / width if width else 0)).astype(np.int32)
        self.counts += np.bincount(bins, minlength=BINS)

    @property
    def used(self) -> int:
        """Bins up to the last that holds anything."""
        return int(self.counts.nonzero()[0].max(initial=0)) + 1

    @property
    def middles(self) -> NDArray[np.float64]:  # (BINS,)
        """The value that stands for each bin."""
        return np.asarray((np.arange(BINS) + 0.5) * self.width, np.float64)


Clip = Callable[[Histogram], float]
"""From a histogram to the value that INT8's largest step stands for."""


def max_clip(histogram: Histogram) -> float:
    """Return the largest value: nothing is clipped."""
    return histogram.largest


def percentile_clip(histogram: Histogram) -> float:
    """Return the edge of the bin that 99.99% of all values lie in or under, or the largest value if that is less."""
    reached = np.cumsum(histogram.counts)
    bins = int(np.searchsorted(reached, _KEPT * reached[-1])) + 1
    return min(bins * histogram.width, histogram.largest)


def entropy_clip(histogram: Histogram) -> float:
    """Return the clip whose distribution, coarsened to 128 levels, diverges least from the true one.

    Kullback-Leibler, after Migacz, "8-bit Inference with TensorRT", GTC 2017.
    """
    counts = histogram.counts[: histogram.used].astype(np.float64)
    if len(counts) > 1:
        counts[0] = counts[1]  # what a ReLU made 0 is exact at any scale, and would outweigh all else
    least = LEVELS + 1
    kept = np.unique(np.append(np.arange(least, len(counts), max(1, len(counts) // 128)), len(counts)))
    lost = [_divergence(counts, int(n)) for n in kept]
    return min(float(kept[int(np.argmin(lost))]) * histogram.width, histogram.largest)


def _divergence(
    counts: NDArray[np.float64],  # (bins,)
    kept: int,  # bins that are not clipped
) -> float:
    """Return the Kullback-Leibler divergence of 128 levels over the kept bins from the true distribution."""
    true = counts[:kept].copy()
    level = np.arange(kept) * (LEVELS + 1) // kept
    full = true > 0
    shared = np.bincount(level[full], minlength=LEVELS + 1)  # bins that share a level's count
    coarse = np.where(full, (np.bincount(level, true, LEVELS + 1) / np.maximum(shared, 1))[level], 0.0)
    true[-1] += counts[kept:].sum()
    occurs = true > 0
    if not (coarse[occurs] > 0).all():
        return math.inf
    p, q = true[occurs] / true.sum(), coarse[occurs] / coarse.sum()
    return float((p * np.log(p / q)).sum())


def least_squares_clip(histogram: Histogram) -> float:
    """Return the clip with the least squared error of rounding and clipping."""
    clips = _CLIPS * histogram.largest
    return float(clips[int(np.argmin([squared_error(histogram, clip) for clip in clips]))])


def squared_error(histogram: Histogram, clip: float) -> float:
    """Return the squared error of quantising to 127 steps up to ``clip``, summed over all values."""
    values, step = histogram.middles, max(clip, 1e-12) / LEVELS
    return float(histogram.counts @ np.square(np.minimum(np.rint(values / step), LEVELS) * step - values))


CLIPS: Mapping[RangeRule, Clip] = {
    "max": max_clip,
    "percentile": percentile_clip,
    "entropy": entropy_clip,
    "least-squares": least_squares_clip,
}


@dataclass(frozen=True, slots=True)
class Range:
    """The scale of one activation, and its mean in each channel: what quantisation needs to know of it."""

    scale: np.float32  # of one INT8 step
    channel_mean: NDArray[np.float64]  # (C,)


@dataclass(frozen=True, slots=True)
class MeasuredActivation:
    """The values of one activation over all calibration pictures."""

    histogram: Histogram
    channel_mean: NDArray[np.float64]  # (C,)

    def range_by(self, rule: RangeRule) -> Range:
        """Return the range that a rule makes of the values."""
        return Range(np.float32(max(CLIPS[rule](self.histogram), 1e-6) / LEVELS), self.channel_mean)


def measure(
    model: ModelProto,
    tensors: Mapping[str, int],  # names of activations, and the axis of their channels
    pictures: NDArray[np.uint8],  # (N, S, S, 3) RGB
    tick: Tick = lambda done, total: None,
) -> dict[str, MeasuredActivation]:
    """Measure each tensor over the pictures, all of them in one pass of ONNX Runtime in FP32."""
    watched = ModelProto()
    watched.CopyFrom(model)
    outputs = {value.name for value in model.graph.output}
    watched.graph.output.extend([helper.make_empty_tensor_value_info(name) for name in tensors if name not in outputs])
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    histograms = {name: Histogram() for name in tensors}
    sums: dict[str, NDArray[np.float64]] = {}
    for start in range(0, len(pictures), _BATCH):
        batch = pictures[start : start + _BATCH]
        for name, value in zip(tensors, session.run(list(tensors), {"image": batch}), strict=True):
            histograms[name].add(_thinned(value))
            others = tuple(i for i in range(value.ndim) if i != tensors[name] % value.ndim)
            sums[name] = sums.get(name, 0.0) + value.mean(axis=others, dtype=np.float64) * len(batch)
        tick(min(start + _BATCH, len(pictures)), len(pictures))
    return {name: MeasuredActivation(histograms[name], sums[name] / len(pictures)) for name in tensors}


def _thinned(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return every k-th value, and the two that lie furthest out."""
    flat = values.ravel()
    every = -(-flat.size // _MOST)
    return flat if every == 1 else np.concatenate([flat[::every], [flat.max(), flat.min()]])
