"""A roofline over a graph that can be counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from onnx import ModelProto

from export.estimates.cost import Cost, Kernel, cost_of
from export.estimates.jetsons import MODULES
from export.estimates.roofline import BADLY, WELL, bound_by, range_ms, time_us


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


@pytest.mark.parametrize(
    ("macs", "values", "bound"),
    [(10**9, 10, "compute"), (10, 10**8, "memory"), (10, 10, "launch")],
)
def test_a_kernel_waits_for_what_takes_longest(macs: int, values: int, bound: str) -> None:
    kernel = Kernel("backbone/Conv", in_body=True, macs=macs, moved={"x": values})
    cost = Cost((kernel,), {p: {"x": 2} for p in ("int8", "fp16", "fp32")})
    assert bound_by(kernel, cost, MODULES["orin-nano"], "fp16") == bound


def test_outside_the_backbone_all_is_fp32_whatever_was_asked_for() -> None:
    inside = Kernel("backbone/Conv", in_body=True, macs=10**9, moved={"x": 1})
    outside = replace(inside, name="head/Gemm", in_body=False)
    cost = Cost((inside, outside), {p: {"x": 4} for p in ("int8", "fp16", "fp32")})
    module = MODULES["orin-nx"]
    took = {p: time_us(outside, cost, module, p, WELL) for p in ("int8", "fp16", "fp32")}
    assert took["int8"] == took["fp16"] == took["fp32"] == pytest.approx(2e9 / (0.35 * 1.9e12) * 1e6 + 2)
    assert time_us(inside, cost, module, "int8", WELL) < took["int8"]


def test_a_call_takes_the_sum_of_its_kernels() -> None:
    kernels = tuple(Kernel(f"backbone/{i}", in_body=True, macs=10**7 * (i + 1), moved={}) for i in range(3))
    cost = Cost(kernels, {p: {} for p in ("int8", "fp16", "fp32")})
    well, badly = range_ms(cost, MODULES["thor"], "int8")
    assert well == pytest.approx(sum(2e7 * (i + 1) / (0.35 * 517e12) * 1e6 + 2 for i in range(3)) / 1e3)
    assert badly == pytest.approx(sum(2e7 * (i + 1) / (0.10 * 517e12) * 1e6 + 6 for i in range(3)) / 1e3)
