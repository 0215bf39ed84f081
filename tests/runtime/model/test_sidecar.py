from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import EngineError
from runtime.model.bundle import Bundle, write_manifest
from runtime.model.cuda import Gpu
from runtime.model.engine_trt import TrtEngine
from runtime.model.sidecar import batches_at_hand, engine_path, must_hold, read_sidecar, rebuild_command, write_sidecar
from tests.runtime.model.built import build, change_sidecar
from tests.runtime.model.machine import Machine
from tests.runtime.model.nvidia import install


@pytest.mark.parametrize(
    ("spoil", "message"),
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
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object], message: str
) -> None:
    install(monkeypatch, Machine())
    spoil(build(bundle))
    with pytest.raises(EngineError, match=message) as refused:
        TrtEngine(bundle, "fp32")
    assert "python -m export.trt" in str(refused.value)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Machine(name="Thor"), "its gpu name is Orin, here it is Thor"),
        (Machine(multiprocessors=16), "its gpu multiprocessors is 8, here it is 16"),
    ],
    ids=["another GPU", "the same name with more of it"],
)
def test_an_engine_of_another_gpu_is_refused(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, other: Machine, message: str
) -> None:
    install(monkeypatch, Machine())
    build(bundle)
    install(monkeypatch, other)
    with pytest.raises(EngineError, match=message):
        TrtEngine(bundle, "fp32")


def test_a_bundle_that_reads_other_pictures_refuses_the_old_engine(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, Machine())
    build(bundle)
    write_manifest(bundle.path, bundle.manifest.with_sections(input={"preprocessing": "another"}))
    with pytest.raises(EngineError, match=r"its input is None, here it is \{'preprocessing': 'another'\}"):
        TrtEngine(Bundle.open(bundle.path), "fp32")


def test_engines_at_hand_are_told_by_their_batch_smallest_first_whatever_else_lies_there(bundle: Bundle) -> None:
    assert batches_at_hand(bundle, "fp16") == []
    (bundle.path / "engines").mkdir()
    for name in ("fp16.b16", "fp16.b4", "fp16.b1", "int8.b2", "fp16.bfour", "fp16.b8.engine"):
        (bundle.path / "engines" / f"encoder.{name}.engine").touch()
    (bundle.path / "engines" / "encoder.fp16.b32.engine.json").touch()
    assert batches_at_hand(bundle, "fp16") == [1, 4, 8, 16]
    assert batches_at_hand(bundle, "int8") == [2]


def test_the_command_that_builds_an_engine_again_names_its_batch_where_it_is_not_one(bundle: Bundle) -> None:
    assert rebuild_command(bundle, "int8", 1) == f"python -m export.trt --int8 {bundle.path}"
    assert rebuild_command(bundle, "fp16", 4) == f"python -m export.trt --fp16 --batch 4 {bundle.path}"


def test_what_is_written_for_people_is_read_back_beside_what_must_hold(bundle: Bundle) -> None:
    engine, orin = engine_path(bundle, "fp32", 1), Gpu("Orin", "8.7", 8, True)
    engine.parent.mkdir()
    engine.write_bytes(b"engine")
    sha256 = hashlib.sha256(b"engine").hexdigest()
    held = must_hold(bundle, "fp32", 1, engine_sha256=sha256, tensorrt="10.3.0", gpu=orin)
    write_sidecar(engine, {**held, "latency_ms": {"p50": 1.5}})
    found = read_sidecar(bundle, "fp32", 1, tensorrt="10.3.0", gpu=orin)
    assert found["latency_ms"] == {"p50": 1.5} and found["onnx_sha256"] == bundle.sha256("encoder.onnx")
    with pytest.raises(EngineError, match=r"its gpu compute_capability is 8\.7, here it is 10\.1; build it again"):
        read_sidecar(bundle, "fp32", 1, tensorrt="10.3.0", gpu=Gpu("Orin", "10.1", 8, True))
    with pytest.raises(
        EngineError, match="gpu name is Orin, here it is Thor; its gpu integrated is True, here it is False"
    ):
        read_sidecar(bundle, "fp32", 1, tensorrt="10.3.0", gpu=Gpu("Thor", "8.7", 8, False))
