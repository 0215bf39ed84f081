from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.bundles.golden import golden_of
from runtime.errors import BundleError, EngineError
from runtime.model import engine_onnx
from runtime.model.bundle import ENCODER_FILES, INT8_ON_CPU, Bundle, file_entry, write_manifest
from runtime.model.engine_onnx import OnnxEngine, open_session
from runtime.model.golden import golden_picture
from runtime.model.load import open_engine

SIDE_PX = 4
GOLDEN_SHA256 = "4378fef55208a19a"


def write_graph(path: Path) -> None:
    """The mean colour of a picture, to unit norm: an encoder that can be worked out on paper."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("ReduceL2", ["mean", "last"], ["norm"], keepdims=1),
        helper.make_node("Div", ["mean", "norm"], ["embedding"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE_PX, SIDE_PX, 3])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 3])
    axes = [numpy_helper.from_array(np.array(a), n) for n, a in (("axes", [1, 2]), ("last", [1]))]
    graph = helper.make_graph(nodes, "mean", [image], [embedding], axes)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "mean.bundle"
    path.mkdir()
    files = {}
    for precision, name in ENCODER_FILES.items():
        write_graph(path / name)
        files[name] = file_entry(path / name, precision)
    encoder = {"side_px": SIDE_PX, "dim": 3}
    write_manifest(path, {"format": 1, "kind": "encoder", "name": "mean", "files": files, "encoder": encoder})
    return path


def test_the_graph_reads_rgb_bytes_and_answers_a_batch(folder: Path) -> None:
    engine = OnnxEngine(Bundle.open(folder), threads=1)
    pictures = np.zeros((2, SIDE_PX, SIDE_PX, 3), np.uint8)
    pictures[0], pictures[1] = (255, 0, 0), (0, 30, 40)
    np.testing.assert_allclose(engine.embed(pictures), [[1, 0, 0], [0, 0.6, 0.8]], atol=1e-6)
    assert (engine.side_px, engine.dim) == (SIDE_PX, 3)
    assert engine.encoder_sha256 == Bundle.open(folder).sha256("encoder.onnx")


def test_fp32_is_taken_unless_another_precision_is_asked_for(folder: Path) -> None:
    assert open_engine(folder, None, threads=1).precision == "fp32"
    assert open_engine(folder, "int8", threads=1).precision == "int8"
    with pytest.raises(BundleError, match="precision 'fp64' is unknown; expected one of fp32, fp16, int8"):
        open_engine(folder, "fp64", threads=1)


@pytest.mark.parametrize(
    "pictures",
    [np.zeros((1, 4, 4, 3), np.float32), np.zeros((4, 4, 3), np.uint8), np.zeros((1, 5, 4, 3), np.uint8)],
    ids=["floats", "no batch", "another size"],
)
def test_pictures_of_another_kind_are_refused(folder: Path, pictures: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        OnnxEngine(Bundle.open(folder), threads=1).embed(pictures)


def test_a_file_that_is_no_graph_is_refused_by_name(folder: Path) -> None:
    graph = folder / "encoder.onnx"
    graph.write_bytes(b"not a graph")
    write_manifest(folder, Bundle.open(folder).manifest.with_files({"encoder.onnx": file_entry(graph, "fp32")}))
    with pytest.raises(BundleError, match=r"ONNX Runtime .* refuses .*encoder\.onnx"):
        OnnxEngine(Bundle.open(folder), threads=1)


def with_golden(folder: Path, **changes: object) -> Bundle:
    """The bundle with what its engines must compute."""
    golden = golden_of(folder, ENCODER_FILES, SIDE_PX)
    write_manifest(folder, Bundle.open(folder).manifest.with_sections(golden={**golden, **changes}))
    return Bundle.open(folder)


def test_the_golden_picture_is_the_same_bytes_everywhere_and_shows_something() -> None:
    assert hashlib.sha256(golden_picture(192).tobytes()).hexdigest().startswith(GOLDEN_SHA256)
    assert golden_picture(224).std(axis=(0, 1)).min() > 20


def test_an_engine_says_how_its_self_check_went_and_an_old_bundle_that_there_was_none(folder: Path) -> None:
    assert OnnxEngine(Bundle.open(folder), threads=1).name.endswith("unchecked, as the bundle has no golden embedding")
    assert OnnxEngine(with_golden(folder), threads=1).name.endswith(" CPU, self-check 1.0000")


@pytest.mark.parametrize(
    ("golden", "told"),
    [
        ({"embedding_f16_base64": ""}, r"picture 'waves-1', 0 values"),
        ({"embedding_f16_base64": "no base64!"}, "cannot be read"),
        ({"picture": "waves-2"}, "picture 'waves-2', 3 values; this Skyfix knows 'waves-1'"),
        ({"min_cosine": None}, "cannot be read"),
        ({"embedding_f16_base64": "ADwAAAAA"}, r"cosine 0\.\d+ on the golden picture, needs 0\.998"),
        ({"embedding_f16_base64": "AH4AfgB+"}, "cosine nan on the golden picture"),
    ],
)
def test_a_golden_embedding_that_cannot_be_met_or_read_is_told(
    folder: Path, golden: dict[str, object], told: str
) -> None:
    with pytest.raises(BundleError, match=told):
        OnnxEngine(with_golden(folder, **golden), threads=1)


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
    folder: Path, monkeypatch: pytest.MonkeyPatch, saturates: set[str], kernels: str
) -> None:
    def opened(graph: Path, threads: int, *, entries: dict[str, str], tensorrt: object) -> object:
        session = open_session(graph, threads, entries=entries, tensorrt=tensorrt)
        return Saturating(session) if saturates & entries.keys() else session

    monkeypatch.setattr(engine_onnx, "open_session", opened)
    assert kernels in OnnxEngine(with_golden(folder), "int8", threads=1).name
    saturates.add("session.disable_quant_qdq")
    if len(saturates) == 2:
        with pytest.raises(EngineError, match=r"computes another .*: python -m runtime\.tiles build --precision fp32"):
            OnnxEngine(with_golden(folder), "int8", threads=1)


def test_without_a_golden_embedding_int8_is_computed_as_written(folder: Path) -> None:
    assert "(as written, no integer kernels), unchecked" in OnnxEngine(Bundle.open(folder), "int8", threads=1).name


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
    folder: Path, monkeypatch: pytest.MonkeyPatch, offered: list[str], of_it: bool, taken: str
) -> None:
    write_graph(folder / INT8_ON_CPU)
    bundle = Bundle.open(folder)
    of = bundle.sha256("encoder.int8.onnx") if of_it else "0" * 64
    entry = {**file_entry(folder / INT8_ON_CPU, "int8"), "twin_of": of}
    write_manifest(
        folder, {**bundle.manifest.document, "files": {**bundle.manifest.document["files"], INT8_ON_CPU: entry}}
    )
    opened: list[str] = []

    def noted(graph: Path, threads: int, **options: object) -> object:
        opened.append(graph.name)
        monkeypatch.undo()
        return open_session(graph, threads, **options)

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(engine_onnx, "open_session", noted)
    engine = OnnxEngine(Bundle.open(folder), "int8", threads=1)
    assert opened == [taken] and engine.encoder_sha256 == bundle.sha256("encoder.int8.onnx")


def test_providers_are_tried_from_the_fastest_and_the_matcher_leaves_tensorrt_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[object]] = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path: str, options: object, providers: list[object]) -> None:
            asked.append(providers)
            super().__init__(path, options, providers=["CPUExecutionProvider"])

    offered = ["CPUExecutionProvider", "TensorrtExecutionProvider", "CUDAExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: offered)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    engine = OnnxEngine(Bundle.open(folder), "fp16", threads=1)
    (tensorrt, told), *others = asked[0]
    assert [tensorrt, *others] == ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    assert (
        told["trt_profile_max_shapes"] == "image:16x4x4x3"
        and engine.encoder_sha256[:12] in told["trt_engine_cache_path"]
    )
    assert engine.provider == "CPU"  # what it took in the end, and says
    open_session(folder / "encoder.onnx", 1)
    assert asked[1] == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_a_large_batch_is_computed_in_pieces_and_none_as_none(folder: Path) -> None:
    pictures = np.random.default_rng(0).integers(1, 256, (37, SIDE_PX, SIDE_PX, 3), np.uint8)
    engine = OnnxEngine(Bundle.open(folder), threads=1)
    mean = pictures.mean(axis=(1, 2))
    np.testing.assert_allclose(engine.embed(pictures), mean / np.linalg.norm(mean, axis=1, keepdims=True), atol=1e-5)
    assert engine.embed(pictures[:0]).shape == (0, 3)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_encoder_that_ships_passes_its_self_check_here(default_bundle: Path, precision: str) -> None:
    assert ", self-check 0.99" in (name := open_engine(default_bundle, precision, threads=1).name) or "1.0000" in name
