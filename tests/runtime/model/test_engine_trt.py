from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest

from runtime.errors import EngineError
from runtime.files import sha256_of
from runtime.model.bundle import Bundle
from runtime.model.engine_onnx import OnnxEngine
from runtime.model.engine_trt import TrtEngine
from tests.runtime.model.built import build, change_sidecar, pictures
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import install


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
    ("spoil", "message"),
    [
        (lambda e: np.roll(e, 1, axis=1), r"computes another embedding than was exported: cosine .* needs 0\.998"),
        (lambda e: 2 * e, r"makes embeddings of length 2\.0000, expected 1"),
        (lambda e: e * np.nan, "makes embeddings of length nan"),
    ],
    ids=["other numbers", "not unit-norm", "NaN"],
)
def test_an_engine_that_computes_something_else_is_refused_and_freed(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    machine = Machine()
    machine.spoil = lambda embedding, int8: spoil(embedding)
    install(monkeypatch, machine)
    build(bundle)
    with pytest.raises(EngineError, match=message):
        TrtEngine(bundle, "fp32")
    assert not machine.live


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
