from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from export.graphs.trace import fused, trace
from export.lint import lint
from export.onnx import MIN_COSINE, export_encoder, main
from export.graphs.parity import embed
from export.graphs.drawn_ground import land_like
from export.graphs.precision import load_graph, store_halved, to_fp16
from runtime.errors import ExportError, GateError
from runtime.files import sha256_of
from runtime.model.bundle import Bundle
from tests.paths import ROOT
from train.model.checkpoint import load_encoder, save_encoder
from train.model.encoder import Encoder, EncoderSpec


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


def test_no_path_of_this_machine_stays_in_a_graph(exported: Path) -> None:
    assert str(ROOT).encode() not in (exported / "encoder.onnx").read_bytes()


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
    fp16 = bundle.manifest["gates"]["fp16"]
    assert fp16["min_cosine"] >= fp16["required"] == 0.9999
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

    monkeypatch.setattr("export.graphs.precision.to_fp16", rough)
    encoder, _ = load_encoder(tiny_checkpoint)
    with pytest.raises(GateError, match=r"encoder\.fp16\.onnx.* has cosine 0\.999\d+, needs 0\.9999; .*--small"):
        export_encoder(encoder, tmp_path / "rough.bundle", training={}, licence="Apache-2.0")


@pytest.fixture(scope="module")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("tiny") / "best.safetensors"
    spec = EncoderSpec(backbone="test_efficientnet", dim=16, side_px=32, init="random")
    save_encoder(
        path, Encoder(spec), {"data": ["site:/home/me/hill@0.2"], "only_may_ship": True}, {"step": 7, "r1": 0.5}
    )
    return path


@pytest.fixture(scope="module")
def short_bundle(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight of sixteen numbers, batches of 1 and 4, proved on a folder of pictures."""
    folder = tmp_path_factory.mktemp("short")
    for i, picture in enumerate(land_like(3, 40, 50)):
        cv2.imwrite(str(folder / f"{i}.png"), picture)
    out = folder / "short.bundle"
    flags = ["--dim", "8", "--static", "1", "4", "--pictures", str(folder)]
    assert main([str(tiny_checkpoint), "--out", str(out), *flags]) == 0
    return out


def test_a_shorter_embedding_is_the_start_of_the_long_one(tiny_checkpoint: Path, short_bundle: Path) -> None:
    encoder, _ = load_encoder(tiny_checkpoint)
    pictures = land_like(4, 32, 32)
    with torch.inference_mode():
        start = encoder(torch.from_numpy(pictures)).numpy()[:, :8]
    want = start / np.linalg.norm(start, axis=1, keepdims=True)
    assert Bundle.open(short_bundle).dim == 8
    np.testing.assert_allclose(embed(short_bundle / "encoder.onnx", pictures), want, atol=1e-5)


@pytest.mark.parametrize("stem", ["encoder", "encoder.fp16"])
def test_a_graph_of_a_fixed_batch_takes_that_one_and_computes_the_same(short_bundle: Path, stem: str) -> None:
    pictures = land_like(4, 32, 32)
    want = embed(short_bundle / f"{stem}.onnx", pictures)
    for batch in (1, 4):
        model = onnx.load(short_bundle / f"{stem}.b{batch}.onnx")
        known = [*model.graph.input, *model.graph.value_info, *model.graph.output]
        assert all(dim.dim_value > 0 for value in known for dim in value.type.tensor_type.shape.dim)
        got = embed(short_bundle / f"{stem}.b{batch}.onnx", pictures, batch=batch)
        np.testing.assert_allclose(got, want, atol=1e-5)
        assert Bundle.open(short_bundle).manifest["files"][f"{stem}.b{batch}.onnx"]["batch"] == batch


def test_the_card_in_the_graph_and_the_manifest_is_one_and_has_no_date(
    tiny_checkpoint: Path, short_bundle: Path
) -> None:
    manifest = Bundle.open(short_bundle).manifest
    card = {p.key: p.value for p in onnx.load(short_bundle / "encoder.fp16.b4.onnx").metadata_props}
    for key in ("encoder", "input", "output", "training"):
        assert json.loads(card[key]) == manifest[key]
    assert json.loads(card["source"]).items() <= manifest["source"].items()
    assert manifest["encoder"]["backbone"] == "test_efficientnet"
    assert manifest["training"] == {"data": ["site:hill@0.2"], "only_may_ship": True, "step": 7, "r1": 0.5}
    assert manifest["source"]["checkpoint_sha256"] == sha256_of(tiny_checkpoint)
    assert manifest["gates"]["fp32"]["pictures"] == 4 and manifest["gates"]["fp32"]["of"] == "given"  # and the golden
    assert str(short_bundle.parent) not in json.dumps(manifest) + str(card)


def test_activations_that_fp16_does_not_hold_are_found_though_a_cpu_computes_them(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, _ = load_encoder(tiny_checkpoint)
    with torch.no_grad():
        encoder.backbone.bn1.weight *= 4e4  # weights stay under 65504, what they make does not
    monkeypatch.setattr("export.onnx.MIN_COSINE", {"fp32": 0.99, "fp16": 0.99})  # the graph on a CPU is as near as that
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
    assert first.manifest["files"] == second.manifest["files"]
    assert first.file("encoder.fp16.onnx").read_bytes() == second.file("encoder.fp16.onnx").read_bytes()
    assert [bundle.manifest["source"]["commit"][0] for bundle in bundles] == ["a", "b"]


def test_what_a_bundle_held_of_other_weights_goes(
    tiny_checkpoint: Path, short_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(shutil.copytree(short_bundle, tmp_path / "again.bundle"))
    monkeypatch.setattr("export.onnx._traced", lambda _: load_graph(short_bundle / "encoder.onnx"))
    encoder, _ = load_encoder(tiny_checkpoint, 8)
    export_encoder(encoder, out, training={}, licence="Apache-2.0", small=True)
    assert [path.name for path in out.glob("*.onnx")] == ["encoder.onnx"]


def test_branches_of_training_are_folded_into_one_convolution_and_the_network_is_left_as_it_is() -> None:
    from timm.models.fastvit import MobileOneBlock

    torch.manual_seed(0)
    network = torch.nn.Sequential(MobileOneBlock(4, 4, 3)).eval()
    x = torch.randn(2, 4, 8, 8)
    folded = fused(network)
    convolutions = [sum(isinstance(m, torch.nn.Conv2d) for m in n.modules()) for n in (network, folded)]
    assert convolutions[0] > 1 == convolutions[1]
    torch.testing.assert_close(folded(x), network(x), atol=1e-5, rtol=1e-4)
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1))
    assert fused(plain) is plain


def test_an_operator_that_onnx_has_not_is_named_in_a_line(tmp_path: Path) -> None:
    class Decomposed(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.linalg.qr(image.float().mean(dim=3))[0]

    example = torch.zeros(2, 8, 8, 3, dtype=torch.uint8)
    with pytest.raises(ExportError, match=r"aten\.linalg_qr.*--backbone") as caught:
        trace(Decomposed(), example, tmp_path / "a.onnx", outputs=["embedding"], dynamic={})
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert not (tmp_path / "a.onnx").exists()


def test_other_files_and_lengths_are_one_line_each(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, state = tmp_path / "timm.safetensors", tmp_path / "state.pt"
    save_file({"conv.weight": torch.zeros(1)}, weights)
    torch.save({"step": 1}, state)
    for checkpoint, flags, told in (
        (weights, [], f"--init {weights}"),
        (state, [], "expected RUN/best.safetensors"),
        (tiny_checkpoint, ["--dim", "17"], "embeddings of length 16; --dim takes 1 to 16, not 17"),
        (tiny_checkpoint, ["--pictures", str(tmp_path)], "holds no pictures"),
    ):
        assert main([str(checkpoint), "--out", str(tmp_path / "a.bundle"), *flags]) == 1
        line = capsys.readouterr().err
        assert line.startswith("export.onnx: ") and told in line and line.count("\n") == 1
    assert not (tmp_path / "a.bundle").exists()


def test_a_missing_checkpoint_is_one_line_and_exit_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.safetensors"), "--out", str(tmp_path / "a.bundle")]) == 1
    told = capsys.readouterr().err
    assert told.startswith("export.onnx: ") and "none.safetensors is missing" in told and told.count("\n") == 1
