from __future__ import annotations

import json
from pathlib import Path

import onnx

from runtime.files import sha256_of
from runtime.model.bundle import Bundle


def test_the_card_in_the_graph_and_the_manifest_is_one_and_has_no_date(
    tiny_checkpoint: Path, short_bundle: Path
) -> None:
    manifest = Bundle.open(short_bundle).manifest.document
    card = {p.key: p.value for p in onnx.load(short_bundle / "encoder.fp16.b4.onnx").metadata_props}
    for key in ("encoder", "input", "output", "training"):
        assert json.loads(card[key]) == manifest[key]
    assert json.loads(card["source"]).items() <= manifest["source"].items()
    assert manifest["encoder"]["backbone"] == "test_efficientnet"
    assert manifest["training"] == {"data": ["site:hill@0.2"], "only_may_ship": True, "step": 7, "r1": 0.5}
    assert manifest["source"]["checkpoint_sha256"] == sha256_of(tiny_checkpoint)
    assert manifest["gates"]["fp32"]["pictures"] == 4 and manifest["gates"]["fp32"]["of"] == "given"  # and the golden
    assert str(short_bundle.parent) not in json.dumps(manifest) + str(card)


def test_the_manifest_says_what_made_it(exported: Path) -> None:
    bundle = Bundle.open(exported)
    assert bundle.precisions == ("fp32", "fp16")
    assert (bundle.side_px, bundle.dim) == (64, 32)
    assert bundle.manifest.document["training"] == {"data": ["site:hill@0.2"], "steps": 0}
    fp16 = bundle.manifest.document["gates"]["fp16"]
    assert fp16["min_cosine"] >= fp16["required"] == 0.9999
    card = {p.key for p in onnx.load(exported / "encoder.onnx").metadata_props}
    assert {"licence", "training", "input"} <= card
