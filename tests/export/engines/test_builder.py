from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from export.engines.builder import build_engine
from runtime.errors import ExportError
from runtime.model.bundle import Bundle
from tests.export.engines.orin import ORIN
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import tensorrt_module


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1"])
def test_an_engine_comes_with_a_sidecar_that_says_what_it_is_of(bundle: Path, version: str) -> None:
    fake = tensorrt_module(version, Machine())
    engine = build_engine(fake, Bundle.open(bundle), "fp16", batch=4, device=ORIN)
    assert engine.read_bytes().startswith(b"ENGN\4")
    sidecar = json.loads((engine.parent / f"{engine.name}.json").read_text())
    assert sidecar["onnx_sha256"] == Bundle.open(bundle).sha256("encoder.fp16.onnx")
    assert (sidecar["tensorrt"], sidecar["precision"], sidecar["batch"]) == (version, "fp16", 4)
    assert (sidecar["gpu"]["compute_capability"], sidecar["device"]["power_mode"]) == ("8.7", "MAXN")
    assert sidecar["gate"]["min_cosine"] >= sidecar["gate"]["required"] == 0.9999


def test_timings_are_kept_for_the_same_device_and_not_for_another(bundle: Path) -> None:
    fake = tensorrt_module("10.3.0", Machine())
    slower, newer = replace(ORIN, power_mode="15W"), tensorrt_module("10.7.0", Machine())
    for module, device in ((fake, ORIN), (fake, ORIN), (fake, slower), (newer, ORIN)):
        build_engine(module, Bundle.open(bundle), "fp32", batch=1, device=device)
    assert fake.given_timings == [b"", b"timings", b""]
    assert newer.given_timings == [b""]


def test_no_engine_is_built_where_no_gpu_is_told_of(bundle: Path) -> None:
    with pytest.raises(ExportError, match=r"no GPU is told of here.*pip install cuda-python"):
        build_engine(
            tensorrt_module("10.3.0", Machine()), Bundle.open(bundle), "fp32", batch=1, device=replace(ORIN, gpu=None)
        )


def test_every_parser_error_is_told(bundle: Path) -> None:
    fake = tensorrt_module("10.3.0", Machine(), parse_errors=("node 3: no such operator", "node 9: bad shape"))
    with pytest.raises(ExportError, match="node 3: no such operator; node 9: bad shape"):
        build_engine(fake, Bundle.open(bundle), "fp32", batch=1, device=ORIN)
    assert not (bundle / "engines").exists()


def test_a_builder_that_returns_nothing_is_told_with_its_errors(bundle: Path) -> None:
    with pytest.raises(ExportError, match=r"builds no engine of encoder\.onnx: no kernel for node 7$"):
        fake = tensorrt_module("11.4.1", Machine(), builds=False)
        build_engine(fake, Bundle.open(bundle), "fp32", batch=1, device=ORIN)


def test_tensorrt_is_given_the_graph_whose_floats_are_halved(int8_bundle: Bundle) -> None:
    fake = tensorrt_module("10.3.0", Machine())
    engine = build_engine(fake, int8_bundle, "int8", batch=1, device=ORIN)
    given = engine.read_bytes()[5:]
    assert given == int8_bundle.file("encoder.int8.onnx").read_bytes()
    graph = onnx.load_from_string(given).graph
    types = {w.name: w.data_type for w in graph.initializer}
    scales = [types[node.input[1]] for node in graph.node if node.op_type == "DequantizeLinear"]
    assert scales and set(scales) == {onnx.TensorProto.FLOAT16}
