"""A roofline over a graph that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from onnx import ModelProto

from export.estimates.cost import cost_of
from export.estimates.jetsons import MODULES
from export.estimates.roofline import BADLY, WELL, range_ms, time_us


def test_a_kernel_takes_as_long_as_its_arithmetic_or_its_memory_and_a_launch(small: ModelProto) -> None:
    cost, board = cost_of(small), MODULES["orin-nano-super"]
    conv = next(k for k in cost.kernels if k.name == "backbone/Conv")
    by_memory = 608 / (0.8 * 102e9) * 1e6
    assert time_us(conv, cost, board, "fp16", WELL) == pytest.approx(by_memory + 2)
    conv = replace(conv, macs=10**9)
    assert time_us(conv, cost, board, "fp16", WELL) == pytest.approx(2e9 / (0.35 * 17e12) * 1e6 + 2)
    assert time_us(conv, cost, board, "int8", BADLY) == pytest.approx(2e9 / (0.10 * 33e12) * 1e6 + 6)


@pytest.mark.parametrize("board", MODULES.values(), ids=list(MODULES))
def test_a_range_has_two_ends_and_fewer_bits_are_never_slower(small: ModelProto, board: object) -> None:
    cost = cost_of(small)
    ranges = [range_ms(cost, board, precision) for precision in ("int8", "fp16", "fp32")]  # type: ignore[arg-type]
    assert all(0 < well < badly for well, badly in ranges)
    assert ranges == sorted(ranges)
