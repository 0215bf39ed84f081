from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.bundles.encoder import MIN_COSINE, export_encoder
from export.graphs.drawn_ground import land_like
from export.graphs.lint import lint
from export.graphs.parity import embed
from export.graphs.precision import load_graph, to_fp16
from export.onnx import main
from runtime.errors import GateError
from runtime.model.bundle import Bundle
from train.model.checkpoint import load_encoder


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
    apart = np.linalg.norm(want - got, axis=1)  # of unit vectors: sqrt(2 - 2 cosine)
    assert apart.max() <= np.sqrt(2 - 2 * MIN_COSINE[precision])
    assert got.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(got, axis=1), 1, atol=1e-5)


def test_graphs_keep_the_rules_and_their_outer_types(exported: Path) -> None:
    for file in ("encoder.onnx", "encoder.fp16.onnx"):
        assert lint(onnx.load(exported / file)) == []


def test_a_graph_that_fails_its_gate_is_not_written(
    checkpoint: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, _ = load_encoder(checkpoint)
    monkeypatch.setattr("export.bundles.encoder.traced", lambda _: load_graph(exported / "encoder.onnx"))
    with torch.no_grad():
        encoder.head.weight[0, 0] = torch.nan
    with pytest.raises(GateError, match="cosine nan"):
        export_encoder(encoder, tmp_path / "bad.bundle", training={}, licence="Apache-2.0")
    assert list((tmp_path / "bad.bundle").iterdir()) == []


def test_an_fp16_graph_that_is_three_nines_near_is_not_near_enough(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rough(model: onnx.ModelProto) -> onnx.ModelProto:
        """FP16 with 3% of noise in the head: a cosine of 1 - 0.03^2 / 2, so some 0.9995."""
        half = to_fp16(model)
        head = next(w for w in half.graph.initializer if w.name == "head.weight")
        values = onnx.numpy_helper.to_array(head)
        noise = np.random.default_rng(0).normal(size=values.shape)
        spoilt = values + 0.03 * noise * np.linalg.norm(values) / np.linalg.norm(noise)
        head.CopyFrom(onnx.numpy_helper.from_array(spoilt.astype(np.float32), head.name))
        return half

    monkeypatch.setattr("export.bundles.encoder.to_fp16", rough)
    encoder, _ = load_encoder(tiny_checkpoint)
    with pytest.raises(GateError, match=r"encoder\.fp16\.onnx.* has cosine 0\.999\d+, needs 0\.9999; .*--small"):
        export_encoder(encoder, tmp_path / "rough.bundle", training={}, licence="Apache-2.0")


def test_a_shorter_embedding_is_the_start_of_the_long_one(tiny_checkpoint: Path, short_bundle: Path) -> None:
    encoder, _ = load_encoder(tiny_checkpoint)
    pictures = land_like(4, 32, 32)
    with torch.inference_mode():
        start = encoder(torch.from_numpy(pictures)).numpy()[:, :8]
    want = start / np.linalg.norm(start, axis=1, keepdims=True)
    assert Bundle.open(short_bundle).dim == 8
    np.testing.assert_allclose(embed(short_bundle / "encoder.onnx", pictures), want, atol=1e-5)


def test_activations_that_fp16_does_not_hold_are_found_though_a_cpu_computes_them(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, _ = load_encoder(tiny_checkpoint)
    with torch.no_grad():
        encoder.backbone.bn1.weight *= 4e4  # weights stay under 65504, what they make does not
    monkeypatch.setattr(
        "export.bundles.encoder.MIN_COSINE", {"fp32": 0.99, "fp16": 0.99}
    )  # the graph on a CPU is as near as that
    with pytest.raises(GateError, match=r"^FP16 arithmetic: picture \d has cosine nan, needs 0\.99; .*--small"):
        export_encoder(encoder, tmp_path / "a.bundle", training={}, licence="Apache-2.0")
    assert encoder.amp_dtype is None


def test_the_same_checkpoint_makes_the_same_bytes_whatever_the_commit(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundles = []
    for commit in ("a" * 40, "b" * 40):
        monkeypatch.setattr("export.bundles.card._commit", lambda commit=commit: commit)
        assert main([str(tiny_checkpoint), "--out", str(tmp_path / commit[0] / "same.bundle")]) == 0
        bundles.append(Bundle.open(tmp_path / commit[0] / "same.bundle"))
    first, second = bundles
    assert first.manifest.files == second.manifest.files
    assert first.file("encoder.fp16.onnx").read_bytes() == second.file("encoder.fp16.onnx").read_bytes()
    assert [bundle.manifest.document["source"]["commit"][0] for bundle in bundles] == ["a", "b"]


def test_what_a_bundle_held_of_other_weights_goes(
    tiny_checkpoint: Path, short_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(short_bundle, tmp_path / "again.bundle"))
    monkeypatch.setattr("export.bundles.encoder.traced", lambda _: load_graph(short_bundle / "encoder.onnx"))
    encoder, _ = load_encoder(tiny_checkpoint, 8)
    export_encoder(encoder, out, training={}, licence="Apache-2.0", small=True)
    assert [path.name for path in out.glob("*.onnx")] == ["encoder.onnx"]
