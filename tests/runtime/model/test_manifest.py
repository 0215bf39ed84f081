"""A manifest is read once, refused where it is not ours, and written back with all that it held."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import BundleError
from runtime.model.bundle import Bundle, write_manifest
from runtime.model.manifest import MANIFEST, PRECISIONS, as_precision, parse_manifest

HERE = Path("a.bundle")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def document(**changes: Any) -> dict[str, Any]:
    """What a bundle of today states, and a section of tomorrow."""
    stated = {
        "format": 1,
        "kind": "encoder",
        "name": "edge",
        "of_tomorrow": {"b": 1, "a": [2, None]},
        "encoder": {"backbone": "toy", "dim": 8, "side_px": 64, "pooling": "gem", "head": "linear"},
        "files": {
            "encoder.onnx": {"sha256": "1" * 64, "bytes": 10, "precision": "fp32", "signed_by": "us"},
            "encoder.int8.cpu.onnx": {"sha256": "2" * 64, "bytes": 5, "precision": "int8", "twin_of": "3" * 64},
        },
        "gates": {"int8": {"calibration_sha256": "4" * 64, "cosine_mean": 0.99}, "fp32": {"min_cosine": 1.0}},
        "calibration": {"list": "calibration.json", "sha256": "5" * 64},
        "matcher": {"patch_px": 320, "min_agreement": [0.175, 0.15]},
    }
    return {**stated, **changes}


def test_what_the_programs_use_is_read_into_fields() -> None:
    manifest = parse_manifest(document(), "encoder", HERE)
    assert manifest.encoder is not None
    assert (manifest.encoder.side_px, manifest.encoder.dim, manifest.encoder.pooling) == (64, 8, "gem")
    assert (manifest.matcher.patch_px, manifest.matcher.min_agreement) == (320, (0.175, 0.15))
    assert manifest.files["encoder.onnx"].size_bytes == 10
    assert manifest.files["encoder.int8.cpu.onnx"].twin_of == "3" * 64
    assert (manifest.judged_with("int8"), manifest.calibration_sha256) == ("4" * 64, "5" * 64)
    assert manifest.judged_with("fp32") is None and manifest.judged_with("fp16") is None


def test_a_bundle_of_before_has_no_name_no_gates_and_xfeats_way_of_matching() -> None:
    old = {"format": 1, "kind": "encoder", "files": {}, "encoder": {"side_px": 32, "dim": 4}}
    manifest = parse_manifest(old, "encoder", HERE)
    assert Bundle(Path("flights/old.bundle"), manifest).name == "old"
    assert (manifest.matcher.patch_px, manifest.matcher.min_agreement) == (800, (0.125, 0.1))
    assert manifest.gate("fp32") is None and manifest.calibration_sha256 is None


def without(section: str, key: str) -> dict[str, Any]:
    stated = document()
    del stated[section][key]
    return stated


@pytest.mark.parametrize(
    "stated",
    [
        without("encoder", "side_px"),
        without("encoder", "dim"),
        document(encoder={"side_px": "large", "dim": 8}),
        document(encoder=None),
        document(files=["encoder.onnx"]),
        document(files={"encoder.onnx": {"bytes": 10}}),
        document(files={"encoder.onnx": "1" * 64}),
        document(matcher={"min_agreement": [0.1]}),
        document(calibration="5" * 64),
    ],
    ids=["no side", "no length", "no number", "null", "a list", "no hash", "no entry", "one share", "no section"],
)
def test_a_section_that_cannot_be_read_is_refused_in_one_line_with_the_mend(stated: dict[str, Any]) -> None:
    with pytest.raises(
        BundleError, match=r"a\.bundle/manifest\.json cannot be read .*; export the bundle again$"
    ) as it:
        parse_manifest(stated, "encoder", HERE)
    assert "\n" not in str(it.value)


@given(future=JSON, inside=JSON)
def test_sections_and_keys_that_this_skyfix_does_not_know_survive_a_change(future: Any, inside: Any) -> None:
    stated = document(of_tomorrow=future)
    stated["files"]["encoder.onnx"]["of_tomorrow"] = inside
    changed = parse_manifest(stated, "encoder", HERE).with_files({"score.json": {"sha256": "6" * 64}})
    assert list(changed) == list(stated) and list(changed["files"]) == [*stated["files"], "score.json"]
    assert changed["of_tomorrow"] == future and changed["files"]["encoder.onnx"]["of_tomorrow"] == inside
    assert "score.json" not in stated["files"]


def test_a_section_is_replaced_in_its_place_and_a_new_one_stands_last() -> None:
    manifest = parse_manifest(document(), "encoder", HERE)
    changed = manifest.with_sections(calibration={"sha256": "7" * 64}, golden={"picture": "waves-1"})
    assert list(changed) == [*document(), "golden"]
    assert changed["calibration"] == {"sha256": "7" * 64}
    assert manifest.calibration_sha256 == "5" * 64


def test_the_manifest_that_ships_is_written_back_byte_for_byte(default_bundle: Path, tmp_path: Path) -> None:
    manifest = Bundle.open(default_bundle).manifest
    before = (default_bundle / MANIFEST).read_bytes()
    write_manifest(tmp_path, manifest.with_sections())
    assert (tmp_path / MANIFEST).read_bytes() == before
    entry = manifest.document["files"]["encoder.onnx"]
    write_manifest(tmp_path, manifest.with_files({"encoder.onnx": dict(entry)}))
    assert (tmp_path / MANIFEST).read_bytes() == before


def test_the_fields_of_the_bundle_that_ships_are_those_of_its_file(default_bundle: Path) -> None:
    stated, bundle = json.loads((default_bundle / MANIFEST).read_text()), Bundle.open(default_bundle)
    assert (bundle.side_px, bundle.dim) == (stated["encoder"]["side_px"], stated["encoder"]["dim"])
    assert bundle.patch_px == stated["matcher"]["patch_px"]
    assert list(bundle.min_agreement) == stated["matcher"]["min_agreement"]
    assert {name: entry.sha256 for name, entry in bundle.manifest.files.items()} == {
        name: entry["sha256"] for name, entry in stated["files"].items()
    }
    assert bundle.graph_on_cpu("int8") == "encoder.int8.cpu.onnx"


def test_a_precision_is_one_of_three_words() -> None:
    assert [as_precision(word) for word in ("fp32", "fp16", "int8")] == list(PRECISIONS)
    for word in ("FP32", "bf16", ""):
        with pytest.raises(BundleError, match="is unknown; expected one of fp32, fp16, int8"):
            as_precision(word)


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("encoder"), "says nothing of encoder"),
        (lambda d: d.update(kind="atlas"), "is a bundle of kind 'atlas'; expected 'encoder'"),
        (lambda d: d.update(format="1"), "has bundle format 1; this Skyfix reads 1"),
    ],
    ids=["no encoder", "another kind", "a format that is no number"],
)
def test_a_manifest_of_another_kind_is_refused(change: Change, message: str) -> None:
    stated = document()
    change(stated)
    with pytest.raises(BundleError, match=message):
        parse_manifest(stated, "encoder", HERE)


def test_a_matchers_bundle_needs_no_encoder_and_says_so_when_it_is_asked_for_one() -> None:
    manifest = parse_manifest({"format": 1, "kind": "matcher", "files": {}}, "matcher", HERE)
    with pytest.raises(BundleError, match="holds no encoder"):
        _ = Bundle(HERE, manifest).side_px
