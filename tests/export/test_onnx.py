from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.lint import lint
from export.onnx import export_encoder, main
from export.parity import embed
from export.precision import load_graph, store_halved, to_fp16
from runtime.errors import ExportError, GateError
from runtime.model.bundle import Bundle
from train.checkpoint import load_encoder


@pytest.mark.parametrize(("precision", "file"), [("fp32", "encoder.onnx"), ("fp16", "encoder.fp16.onnx")])
@pytest.mark.parametrize("batch", [1, 5])
def test_each_graph_computes_what_pytorch_does_on_random_bytes(
    checkpoint: Path, exported: Path, precision: str, file: str, batch: int
) -> None:
    encoder, _ = load_encoder(checkpoint)
    pictures = np.random.default_rng(batch).integers(0, 256, (batch, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        want = encoder(torch.from_numpy(pictures)).numpy()
    got = embed(exported / file, pictures)
    assert np.abs(want - got).max() < {"fp32": 1e-4, "fp16": 2e-2}[precision]
    assert got.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)


def test_graphs_keep_the_rules_and_their_outer_types(exported: Path) -> None:
    for file in ("encoder.onnx", "encoder.fp16.onnx"):
        assert lint(onnx.load(exported / file)) == []


def test_no_path_of_this_machine_stays_in_a_graph(exported: Path) -> None:
    assert str(Path(__file__).parents[2]).encode() not in (exported / "encoder.onnx").read_bytes()


def test_half_stored_weights_are_half_the_bytes_and_nearly_the_same_embedding(exported: Path, tmp_path: Path) -> None:
    full, small = exported / "encoder.onnx", tmp_path / "small.onnx"
    onnx.save(store_halved(load_graph(full)), small)
    assert small.stat().st_size < 0.55 * full.stat().st_size
    pictures = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    cosine = (embed(full, pictures) * embed(small, pictures)).sum(axis=1)
    assert cosine.min() > 0.9995
    unpacked = load_graph(small)
    assert not any(w.data_type == onnx.TensorProto.FLOAT16 for w in unpacked.graph.initializer)


def test_a_weight_that_fp16_does_not_hold_is_refused(exported: Path) -> None:
    model = load_graph(exported / "encoder.onnx")
    weight = next(w for w in model.graph.initializer if w.name == "backbone.conv_stem.weight")
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0] = 1e5
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    with pytest.raises(ExportError, match=r"conv_stem.weight reaches 1e\+05"):
        to_fp16(model)


def test_the_manifest_says_what_made_it(exported: Path) -> None:
    bundle = Bundle.open(exported)
    assert bundle.precisions == ("fp32", "fp16")
    assert (bundle.side_px, bundle.dim) == (64, 32)
    assert bundle.manifest["training"] == {"data": ["site:hill@0.2"], "steps": 0}
    assert bundle.manifest["gates"]["fp16"]["min_cosine"] > 0.999
    card = {p.key for p in onnx.load(exported / "encoder.onnx").metadata_props}
    assert {"licence", "training", "input"} <= card


def test_a_graph_that_fails_its_gate_is_not_written(
    checkpoint: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, _ = load_encoder(checkpoint)
    monkeypatch.setattr("export.onnx._traced", lambda _: load_graph(exported / "encoder.onnx"))
    with torch.no_grad():
        encoder.head.weight[0, 0] = torch.nan
    with pytest.raises(GateError, match="cosine nan"):
        export_encoder(encoder, tmp_path / "bad.bundle", training={}, licence="Apache-2.0")
    assert list((tmp_path / "bad.bundle").iterdir()) == []


def test_a_missing_checkpoint_is_one_line_and_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.safetensors"), "--out", str(tmp_path / "a.bundle")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("export.onnx: ") and "none.safetensors is missing" in told and told.count("\n") == 1
