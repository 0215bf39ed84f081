"""Nodes that INT8 hurts: each is quantised alone and the embedding measured; the worst stay float.

Noise is uneven: of one trained EfficientNet-Lite0 two layers of 49 made six tenths of it. So what costs more than its
even share of what all may lose is left float at once, and more only where a gate fails.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper

from export.graphs.parity import embed
from export.int8.gates import GateResult
from export.int8.quantize import OUTPUT_AXIS, along, quantise_weight, quantised_nodes, to_int8
from export.int8.ranges import LEVELS, MeasuredActivation, Range, squared_error
from export.options import RangeRule
from runtime.types import Tick

MOST_FLOAT = 0.5  # of all nodes: where more must stay float, INT8 is not worth having
_HURT = 1 / 8  # of all nodes: the most that stay float where no gate fails
_PICTURES = 8  # of those kept apart; each node costs a pass over them


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The cost of quantising one node alone."""

    node: str
    lost: float  # 1 - mean cosine to FP32


@dataclass(frozen=True, slots=True)
class Attempt:
    """A quantised graph, the nodes that stay float in it, and how it was judged."""

    model: ModelProto
    keep_float: tuple[str, ...]
    result: GateResult


def rank_nodes(
    model: ModelProto,
    ranges: Mapping[str, Range],
    pictures: NDArray[np.uint8],  # (N, S, S, 3), not calibrated on; some of them are used
    suspects: Sequence[str],  # names of quantised nodes, the most suspicious first
    *,
    limit_s: float,
    tick: Tick = lambda done, total: None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Sensitivity]:
    """Rank nodes by what quantising each alone costs, the worst first; those that ``limit_s`` cuts off are left out."""
    some = pictures[:: max(1, len(pictures) // _PICTURES)][:_PICTURES]
    started, ranking = clock(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alone.onnx"
        onnx.save(model, path)
        wanted = embed(path, some, optimise=False)
        for done, node in enumerate(suspects, 1):
            onnx.save(to_int8(model, ranges, [other for other in suspects if other != node]), path)
            cosines = (wanted * embed(path, some, optimise=False)).sum(axis=1)
            ranking.append(Sensitivity(node, 1 - float(cosines.mean())))
            tick(done, len(suspects))
            if clock() - started > limit_s:
                break
    return sorted(ranking, key=lambda sensitivity: -sensitivity.lost)


def hurt(ranking: Sequence[Sensitivity], nodes: int, budget: float) -> tuple[str, ...]:
    """Return the worst nodes, each of which costs more than an even share of what all ``nodes`` may lose together."""
    most = max(1, int(nodes * _HURT))
    return tuple(worst.node for worst in ranking[:most] if worst.lost > budget / nodes)


def suspects(
    model: ModelProto, measured: Mapping[str, MeasuredActivation], rule: RangeRule, given: Sequence[str] = ()
) -> list[str]:
    """Order the nodes to be quantised by the noise that rounding their input and weights makes: a cheap first guess.

    It says nothing of what later layers make of the noise; ``rank_nodes`` does. ``given`` nodes stay float anyway.
    """
    weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    noise = {name: _input_noise(activation, rule) for name, activation in measured.items()}
    nodes = {node.name: node for node in model.graph.node}
    shares = {
        name: noise[nodes[name].input[0]] + _weight_noise(weights[nodes[name].input[1]], nodes[name].op_type)
        for name in quantised_nodes(model, given)
    }
    return sorted(shares, key=lambda name: -shares[name])


def _input_noise(measured: MeasuredActivation, rule: RangeRule) -> float:
    """Return the power of the rounding and clipping error as a share of the signal's."""
    histogram, clip = measured.histogram, float(measured.range_by(rule).scale) * LEVELS
    signal = float(histogram.counts @ np.square(histogram.middles))
    return squared_error(histogram, clip) / max(signal, 1e-30)


def _weight_noise(weight: NDArray[np.float32], op_type: str) -> float:
    """Return the power of a weight's rounding error as a share of its own."""
    axis = OUTPUT_AXIS[op_type]
    steps, scale = quantise_weight(weight, axis)
    back = steps * along(scale, weight.ndim, axis)
    return float(np.square(weight - back).sum()) / max(float(np.square(weight).sum()), 1e-30)


def quantise_until(
    make: Callable[[tuple[str, ...]], Attempt],
    worst_first: Sequence[str],
    given: Sequence[str] = (),
) -> Attempt:
    """Leave the fewest of the worst nodes float, beside the ``given``, with which the gate is passed.

    More are left float twofold until it is, then fewer by halves. Where half of all do not do, the last attempt.
    """
    most = int(len(worst_first) * MOST_FLOAT)
    failing, count = 0, 1
    attempt = make((*given, *worst_first[:count]))
    while attempt.result.failure() and count < most:
        failing, count = count, min(2 * count, most)
        attempt = make((*given, *worst_first[:count]))
    while not attempt.result.failure() and count - failing > 1:
        middle = (failing + count) // 2
        fewer = make((*given, *worst_first[:middle]))
        if fewer.result.failure():
            failing = middle
        else:
            attempt, count = fewer, middle
    return attempt
