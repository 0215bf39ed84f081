from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from runtime.errors import BundleError, EngineError
from runtime.model import engine_onnx
from runtime.model.bundle import INT8_ON_CPU, Bundle, file_entry, write_manifest
from runtime.model.engine_onnx import OnnxEngine, open_session
from runtime.model.load import open_engine
from tests.runtime.model.mean_encoder import SIDE_PX, with_golden, write_graph


def test_the_graph_reads_rgb_bytes_and_answers_a_batch(mean_bundle: Path) -> None:
    engine = OnnxEngine(Bundle.open(mean_bundle), threads=1)
    pictures = np.zeros((2, SIDE_PX, SIDE_PX, 3), np.uint8)
    pictures[0], pictures[1] = (255, 0, 0), (0, 30, 40)
    np.testing.assert_allclose(engine.embed(pictures), [[1, 0, 0], [0, 0.6, 0.8]], atol=1e-6)
    assert (engine.side_px, engine.dim) == (SIDE_PX, 3)
    assert engine.encoder_sha256 == Bundle.open(mean_bundle).sha256("encoder.onnx")


def test_fp32_is_taken_unless_another_precision_is_asked_for(mean_bundle: Path) -> None:
    assert open_engine(mean_bundle, None, threads=1).precision == "fp32"
    assert open_engine(mean_bundle, "int8", threads=1).precision == "int8"
    with pytest.raises(BundleError, match="precision 'fp64' is unknown; expected one of fp32, fp16, int8"):
        open_engine(mean_bundle, "fp64", threads=1)


@pytest.mark.parametrize(
    "pictures",
    [np.zeros((1, 4, 4, 3), np.float32), np.zeros((4, 4, 3), np.uint8), np.zeros((1, 5, 4, 3), np.uint8)],
    ids=["floats", "no batch", "another size"],
)
def test_pictures_of_another_kind_are_refused(mean_bundle: Path, pictures: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        OnnxEngine(Bundle.open(mean_bundle), threads=1).embed(pictures)


def test_a_file_that_is_no_graph_is_refused_by_name(mean_bundle: Path) -> None:
    graph = mean_bundle / "encoder.onnx"
    graph.write_bytes(b"not a graph")
    write_manifest(
        mean_bundle, Bundle.open(mean_bundle).manifest.with_files({"encoder.onnx": file_entry(graph, "fp32")})
    )
    with pytest.raises(BundleError, match=r"ONNX Runtime .* refuses .*encoder\.onnx"):
        OnnxEngine(Bundle.open(mean_bundle), threads=1)


class Saturating:
    """A session whose integer kernels overflow."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self.get_providers = session.get_providers

    def run(self, *args: object) -> list[np.ndarray]:
        return [np.roll(out, 1, axis=1) for out in self._session.run(*args)]


@pytest.mark.parametrize(
    ("saturates", "kernels"),
    [
        (set(), "(integer kernels), self-check"),
        ({"session.x64quantprecision"}, "(as written, no integer kernels), self"),
    ],
    ids=["right", "saturating"],
)
def test_int8_takes_integer_kernels_only_where_they_pass_the_self_check(
    mean_bundle: Path, monkeypatch: pytest.MonkeyPatch, saturates: set[str], kernels: str
) -> None:
    def opened(graph: Path, threads: int, *, entries: dict[str, str], tensorrt: object) -> object:
        session = open_session(graph, threads, entries=entries, tensorrt=tensorrt)
        return Saturating(session) if saturates & entries.keys() else session

    monkeypatch.setattr(engine_onnx, "open_session", opened)
    assert kernels in OnnxEngine(with_golden(mean_bundle), "int8", threads=1).name
    saturates.add("session.disable_quant_qdq")
    if len(saturates) == 2:
        with pytest.raises(EngineError, match=r"computes another .*: python -m runtime\.tiles build --precision fp32"):
            OnnxEngine(with_golden(mean_bundle), "int8", threads=1)


def test_without_a_golden_embedding_int8_is_computed_as_written(mean_bundle: Path) -> None:
    assert "(as written, no integer kernels), unchecked" in OnnxEngine(Bundle.open(mean_bundle), "int8", threads=1).name


@pytest.mark.parametrize(
    ("offered", "of_it", "taken"),
    [
        (["CPUExecutionProvider"], True, INT8_ON_CPU),
        (["CPUExecutionProvider"], False, "encoder.int8.onnx"),
        (["CUDAExecutionProvider", "CPUExecutionProvider"], True, "encoder.int8.onnx"),
    ],
    ids=["CPU", "twin of another graph", "GPU"],
)
def test_int8_runs_its_twin_on_a_cpu_in_the_name_of_the_graph(
    mean_bundle: Path, monkeypatch: pytest.MonkeyPatch, offered: list[str], of_it: bool, taken: str
) -> None:
    write_graph(mean_bundle / INT8_ON_CPU)
    bundle = Bundle.open(mean_bundle)
    of = bundle.sha256("encoder.int8.onnx") if of_it else "0" * 64
    entry = {**file_entry(mean_bundle / INT8_ON_CPU, "int8"), "twin_of": of}
    write_manifest(
        mean_bundle, {**bundle.manifest.document, "files": {**bundle.manifest.document["files"], INT8_ON_CPU: entry}}
    )
    opened: list[str] = []

    def noted(graph: Path, threads: int, **options: object) -> object:
        opened.append(graph.name)
        monkeypatch.undo()
        return open_session(graph, threads, **options)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(engine_onnx, "open_session", noted)
    engine = OnnxEngine(Bundle.open(mean_bundle), "int8", threads=1)
    assert opened == [taken] and engine.encoder_sha256 == bundle.sha256("encoder.int8.onnx")


def test_providers_are_tried_from_the_fastest_and_the_matcher_leaves_tensorrt_out(
    mean_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[list[object]] = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path: str, options: object, providers: list[object]) -> None:
            requested.append(providers)
            super().__init__(path, options, providers=["CPUExecutionProvider"])

    offered = ["CPUExecutionProvider", "TensorrtExecutionProvider", "CUDAExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    engine = OnnxEngine(Bundle.open(mean_bundle), "fp16", threads=1)
    (tensorrt, message), *others = requested[0]
    assert [tensorrt, *others] == ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    assert (
        message["trt_profile_max_shapes"] == "image:16x4x4x3"
        and engine.encoder_sha256[:12] in message["trt_engine_cache_path"]
    )
    assert engine.provider == "CPU"  # what it took in the end, and says
    open_session(mean_bundle / "encoder.onnx", 1)
    assert requested[1] == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_a_large_batch_is_computed_in_pieces_and_none_as_none(mean_bundle: Path) -> None:
    pictures = np.random.default_rng(0).integers(1, 256, (37, SIDE_PX, SIDE_PX, 3), np.uint8)
    engine = OnnxEngine(Bundle.open(mean_bundle), threads=1)
    mean = pictures.mean(axis=(1, 2))
    np.testing.assert_allclose(engine.embed(pictures), mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)
    assert engine.embed(pictures[:0]).shape == (0, 3)
