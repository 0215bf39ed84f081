from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.engines.builder import build_engine
from export.engines.device import Device
from export.golden import main as enter_golden
from runtime.errors import EngineError
from runtime.files import sha256_of
from runtime.model.bundle import Bundle, write_manifest
from runtime.model.engine_onnx import OnnxEngine
from runtime.model.engine_trt import TrtEngine
from runtime.model.load import choose_engine, open_engine
from tests.runtime.model.nvidia import Machine, install


@pytest.fixture
def bundle(toy_bundle: Path, tmp_path: Path) -> Bundle:
    """A copy that a test may spoil, with its golden embedding."""
    path = Path(shutil.copytree(toy_bundle, tmp_path / "toy.bundle"))
    assert enter_golden([str(path)]) == 0
    return Bundle.open(path)


def build(bundle: Bundle, batch: int = 1) -> Path:
    """The engine as ``export.trt`` builds it on the machine that is installed."""
    return build_engine(sys.modules["tensorrt"], bundle, "fp32", batch=batch, device=Device.here())


def pictures(count: int, side_px: int = 32) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, side_px, side_px, 3), np.uint8)


@pytest.mark.parametrize("version", ["10.3.0", "11.4.1"])
@pytest.mark.parametrize("layout", ["cuda.bindings.runtime", "cuda.cudart"])
@pytest.mark.parametrize("integrated", [True, False], ids=["integrated", "discrete"])
def test_an_engine_gives_the_numbers_of_its_graph(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, version: str, layout: str, integrated: bool
) -> None:
    install(monkeypatch, Machine(integrated=integrated), version, layout=layout)
    build(bundle, batch=4)
    wanted = OnnxEngine(bundle, threads=1)
    with TrtEngine(bundle, "fp32", 4) as engine:
        for count in (1, 4, 6, 0):  # a short batch, a full one, two calls, none
            np.testing.assert_allclose(engine.embed(pictures(count)), wanted.embed(pictures(count)), atol=1e-6)
        assert engine.name == f"toy fp32, TensorRT {version} on Orin, CUDA graph, self-check 1.0000"
        assert (engine.encoder_sha256, engine.precision) == (wanted.encoder_sha256, wanted.precision)
        assert (engine.side_px, engine.dim) == (wanted.side_px, wanted.dim)


def test_what_embed_returns_is_not_overwritten_by_the_next_call(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Machine())
    build(bundle)
    with TrtEngine(bundle, "fp32") as engine:
        first = engine.embed(pictures(1))
        kept = first.copy()
        engine.embed(pictures(2))
        np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(("integrated", "work"), [(True, ["execute"]), (False, ["copy in", "execute", "copy out"])])
def test_a_frame_costs_one_launch_and_no_copy_that_is_not_needed(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, integrated: bool, work: list[str]
) -> None:
    machine = Machine(integrated=integrated)
    install(monkeypatch, machine)
    build(bundle)
    with TrtEngine(bundle, "fp32") as engine:
        opened = machine.calls.copy()
        machine.calls.clear()
        engine.embed(pictures(1))
        assert machine.calls == ["cudaGraphLaunch", "cudaStreamSynchronize", *(f"  {done}" for done in work)]
    assert opened.index("  execute") < opened.index("cudaStreamBeginCapture"), "recorded without a warm-up"


def test_where_nothing_can_be_recorded_the_engine_runs_without_a_graph(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    machine.records = False
    install(monkeypatch, machine)
    build(bundle)
    with TrtEngine(bundle, "fp32") as engine:
        np.testing.assert_allclose(engine.embed(pictures(3)), OnnxEngine(bundle).embed(pictures(3)), atol=1e-6)
        assert "no CUDA graph" in engine.name
    assert not machine.live


@pytest.mark.parametrize("integrated", [True, False], ids=["integrated", "discrete"])
def test_closing_frees_everything_and_a_closed_engine_says_so(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, integrated: bool
) -> None:
    machine = Machine(integrated=integrated)
    install(monkeypatch, machine)
    build(bundle)
    engine = TrtEngine(bundle, "fp32")
    assert machine.live
    engine.close()
    engine.close()
    assert not machine.live
    with pytest.raises(EngineError, match="was closed"):
        engine.embed(pictures(1))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda e: np.roll(e, 1, axis=1), r"computes another embedding than was exported: cosine .* needs 0\.998"),
        (lambda e: 2 * e, r"makes embeddings of length 2\.0000, expected 1"),
        (lambda e: e * np.nan, "makes embeddings of length nan"),
    ],
    ids=["other numbers", "not unit-norm", "NaN"],
)
def test_an_engine_that_computes_something_else_is_refused_and_freed(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[np.ndarray], np.ndarray], told: str
) -> None:
    machine = Machine()
    machine.spoil = lambda embedding, int8: spoil(embedding)
    install(monkeypatch, machine)
    build(bundle)
    with pytest.raises(EngineError, match=told):
        TrtEngine(bundle, "fp32")
    assert not machine.live


def change_sidecar(engine: Path, **changes: object) -> None:
    sidecar = engine.with_name(f"{engine.name}.json")
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), **changes}))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda e: change_sidecar(e, onnx_sha256="0" * 64), "its onnx_sha256 is 000000000000, here it is "),
        (lambda e: change_sidecar(e, tensorrt="10.7.0"), r"its tensorrt is 10\.7\.0, here it is 10\.3\.0"),
        (lambda e: change_sidecar(e, precision="int8"), "its precision is int8, here it is fp32"),
        (lambda e: change_sidecar(e, batch=4), "its batch is 4, here it is 1"),
        (lambda e: change_sidecar(e, input={"colour": "BGR"}), "its input is"),
        (lambda e: change_sidecar(e, format=1), "its format is 1, here it is 2"),
        (lambda e: e.write_bytes(e.read_bytes() + b"!"), "its engine_sha256 is "),
        (lambda e: e.with_name(f"{e.name}.json").unlink(), "has no sidecar"),
        (lambda e: e.with_name(f"{e.name}.json").write_text("{"), "is not JSON"),
        (lambda e: e.with_name(f"{e.name}.json").write_text("[]"), "is no sidecar"),
        (lambda e: e.unlink(), "is missing"),
    ],
)
def test_an_engine_that_does_not_belong_here_is_refused_with_what_differs_and_the_mend(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object], told: str
) -> None:
    install(monkeypatch, Machine())
    spoil(build(bundle))
    with pytest.raises(EngineError, match=told) as refused:
        TrtEngine(bundle, "fp32")
    assert "python -m export.trt" in str(refused.value)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (Machine(name="Thor"), "its gpu name is Orin, here it is Thor"),
        (Machine(multiprocessors=16), "its gpu multiprocessors is 8, here it is 16"),
    ],
    ids=["another GPU", "the same name with more of it"],
)
def test_an_engine_of_another_gpu_is_refused(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, other: Machine, told: str
) -> None:
    install(monkeypatch, Machine())
    build(bundle)
    install(monkeypatch, other)
    with pytest.raises(EngineError, match=told):
        TrtEngine(bundle, "fp32")


def test_a_bundle_that_reads_other_pictures_refuses_the_old_engine(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Machine())
    build(bundle)
    write_manifest(bundle.path, {**bundle.manifest.document, "input": {"preprocessing": "another"}})
    with pytest.raises(EngineError, match=r"its input is None, here it is \{'preprocessing': 'another'\}"):
        TrtEngine(Bundle.open(bundle.path), "fp32")


def test_an_engine_that_tensorrt_refuses_is_told_with_its_reason(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    install(monkeypatch, machine)
    engine = build(bundle)
    engine.write_bytes(b"FLOP" + engine.read_bytes()[4:])
    change_sidecar(engine, engine_sha256=sha256_of(engine))
    with pytest.raises(EngineError, match=r"TensorRT 10\.3\.0 refuses .*: magic tag does not match; build it again"):
        TrtEngine(bundle, "fp32")
    assert not machine.live


def test_what_is_missing_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    install(monkeypatch, machine)
    build(bundle)
    machine.has_gpu = False
    with pytest.raises(EngineError, match="CUDA finds no GPU"):
        TrtEngine(bundle, "fp32")
    install(monkeypatch, machine, layout="nowhere")
    with pytest.raises(EngineError, match="pip install cuda-python"):
        TrtEngine(bundle, "fp32")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EngineError, match="TensorRT is not installed here"):
        TrtEngine(bundle, "fp32")


def test_the_engine_of_this_device_is_chosen_and_flies_a_cache_that_the_desktop_built(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desktop = OnnxEngine(bundle)
    install(monkeypatch, Machine())
    build(bundle)
    build(bundle, batch=4)
    engine, why = choose_engine(bundle.path, "fp32", 1)
    assert isinstance(engine, TrtEngine) and engine.batch == 1 and why == ""
    assert (engine.encoder_sha256, engine.precision) == (desktop.encoder_sha256, desktop.precision)
    engine.close()
    open_engine(bundle.path, "fp32", 1)
    assert capsys.readouterr().err == ""


def test_an_engine_that_does_not_fit_leaves_onnx_runtime_and_one_line_of_why(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, Machine())
    build(bundle)
    install(monkeypatch, Machine(), "10.7.0")
    assert "ONNX Runtime" in open_engine(bundle.path, "fp32", 1).name
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told.startswith("encoder on ONNX Runtime") and "\n" not in told
    assert "its tensorrt is 10.3.0, here it is 10.7.0; build it again: python -m export.trt" in told


def test_a_device_without_an_engine_says_how_to_make_one_and_a_desktop_says_nothing(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert choose_engine(bundle.path, None, 1)[1] == ""
    install(monkeypatch, Machine())
    assert "make one: python -m export.trt" in choose_engine(bundle.path, None, 1)[1]
    assert "build it with --precision fp16" in choose_engine(bundle.path, "fp32", 1)[1]
    install(monkeypatch, Machine(), "8.6.2")
    assert "TensorRT 8.6.2 is too old" in choose_engine(bundle.path, None, 1)[1]
