"""Where Q/DQ stands in a ConvNeXt: LayerNorm, GELU and products with weights beside convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

from export.graphs.drawn_ground import land_like
from export.graphs.lint import lint
from export.graphs.parity import embed
from export.graphs.trace import trace
from export.int8.gates import MIN_MEAN_COSINE, MIN_WORST_COSINE
from export.int8.quantize import quantised_activations, to_int8
from export.int8.ranges import measure
from train.model.backbone import import_timm

SIDE_PX = 64


FLOAT = ("LayerNormalization", "Erf", "Softmax", "Div", "Mul")


QDQ = ("QuantizeLinear", "DequantizeLinear")


class SmallConvNext(nn.Module):
    """ConvNeXt-T's blocks, one a stage, narrow."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone: Any = import_timm().create_model(
            "convnext_tiny", depths=(1, 1, 1, 1), dims=(8, 16, 32, 64), ls_init_value=0.5, num_classes=0
        )

    def forward(self, images: Tensor) -> Tensor:  # (B, S, S, 3) uint8 -> (B, 64)
        maps = self.backbone.forward_features(images.float().permute(0, 3, 1, 2) / 127.5 - 1)
        return nn.functional.normalize(maps.mean(dim=(2, 3)), dim=1)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """FP32 and INT8."""
    folder = tmp_path_factory.mktemp("convnext")
    fp32, int8 = folder / "fp32.onnx", folder / "int8.onnx"
    torch.manual_seed(0)
    example = torch.zeros(2, SIDE_PX, SIDE_PX, 3, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1)
    trace(SmallConvNext().eval(), example, fp32, outputs=["embedding"], dynamic={0: batch})
    model = onnx.load(fp32)
    measured = measure(model, quantised_activations(model), land_like(16, SIDE_PX, SIDE_PX))
    onnx.save(to_int8(model, {name: one.range_by("percentile") for name, one in measured.items()}), int8)
    return fp32, int8


def reads(graph: onnx.GraphProto, op_type: str) -> Iterator[list[str]]:
    """What makes the inputs of each node of a kind; "" for weights."""
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    for node in graph.node:
        if node.op_type == op_type and node.name.startswith("backbone"):
            yield [made_by.get(name, "") for name in node.input]


def test_convolutions_and_products_read_integers_and_no_bias_is_quantised(graphs: tuple[Path, Path]) -> None:
    graph = onnx.load(graphs[1]).graph
    assert list(reads(graph, "MatMul")) == [["DequantizeLinear"] * 2] * 8
    stem, *convolutions = reads(graph, "Conv")
    assert "DequantizeLinear" not in stem  # it reads the picture
    assert [makers[:2] for makers in convolutions] == [["DequantizeLinear"] * 2] * 7
    assert all(makers[2:] in ([], [""]) for makers in convolutions)  # the exporter leaves out a bias that is 0
    assert all(makers[1:] == ["", ""] for makers in reads(graph, "LayerNormalization"))


def test_one_side_of_each_residual_add_is_quantised(graphs: tuple[Path, Path]) -> None:
    residual = [makers for makers in reads(onnx.load(graphs[1]).graph, "Add") if "" not in makers]
    assert len(residual) == 4 and all(makers.count("DequantizeLinear") == 1 for makers in residual)


def test_a_pair_stands_between_a_convolution_and_its_layer_norm_and_else_nothing_float_reads_integers(
    graphs: tuple[Path, Path],
) -> None:
    graph = onnx.load(graphs[1]).graph
    pairs = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    before = [node.output[0] for node in graph.node if node.op_type == "Conv" and "conv_dw" in node.name]
    assert len(before) == 4 and pairs >= set(before)
    assert not [makers for op_type in FLOAT for makers in reads(graph, op_type) if set(QDQ) & set(makers)]
    assert lint(onnx.load(graphs[1])) == []


def test_it_computes_nearly_the_same_and_per_channel_scales_of_products_are_those_of_their_outputs(
    graphs: tuple[Path, Path],
) -> None:
    pictures = land_like(8, SIDE_PX, SIDE_PX, seed=1)
    cosine = (embed(graphs[0], pictures) * embed(graphs[1], pictures, optimise=False)).sum(axis=1)
    assert cosine.mean() >= MIN_MEAN_COSINE and cosine.min() >= MIN_WORST_COSINE
    held = {w.name: w for w in onnx.load(graphs[1]).graph.initializer}
    products = [n for n in onnx.load(graphs[1]).graph.node if n.op_type == "MatMul"]
    weights = [held[node.input[1].replace(".dq", ".int8")] for node in products]
    scales = [held[node.input[1].replace(".dq", ".scale")] for node in products]
    assert [tuple(s.dims) for s in scales] == [(w.dims[1],) for w in weights]
