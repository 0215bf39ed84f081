from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.errors import BundleError
from runtime.model.bundle import (
    DEFAULT_BUNDLE,
    ENCODER_FILES,
    INT8_ON_CPU,
    MATCHER_FILE,
    Bundle,
    file_entry,
    matcher_home,
    write_manifest,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "a.bundle"
    path.mkdir()
    (path / "encoder.onnx").write_bytes(b"graph")
    files = {"encoder.onnx": file_entry(path / "encoder.onnx", "fp32")}
    encoder = {"side_px": 192, "dim": 256}
    write_manifest(path, {"format": 1, "kind": "encoder", "name": "a", "files": files, "encoder": encoder})
    return path


def change_manifest(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **changes}))


def test_a_sound_bundle_tells_what_it_holds(folder: Path) -> None:
    bundle = Bundle.open(folder)
    assert (bundle.name, bundle.side_px, bundle.dim, bundle.precisions) == ("a", 192, 256, ("fp32",))
    assert bundle.file("encoder.onnx").read_bytes() == b"graph"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "manifest.json").unlink(), "has no manifest.json.*python -m export.onnx"),
        (lambda f: (f / "manifest.json").write_text("{"), "is not JSON"),
        (lambda f: (f / "manifest.json").write_text("[1]"), "has bundle format None"),
        (lambda f: change_manifest(f, format=2), "has bundle format 2; this Skyfix reads 1: update it"),
        (
            lambda f: (f / "manifest.json").write_text('{"format": 1, "kind": "encoder"}'),
            "says nothing of encoder, files",
        ),
        (lambda f: change_manifest(f, kind="matcher"), "is a bundle of kind 'matcher'; expected 'encoder'"),
    ],
)
def test_a_folder_that_is_no_encoder_bundle_of_ours_is_refused(
    folder: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(folder)
    with pytest.raises(BundleError, match=message):
        Bundle.open(folder)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "encoder.onnx").write_bytes(b"other"), "was altered: SHA-256"),
        (lambda f: (f / "encoder.onnx").unlink(), "is missing though the manifest names it"),
        (lambda f: change_manifest(f, files={}), "has no encoder.onnx; it holds nothing"),
    ],
)
def test_a_file_that_is_not_what_the_manifest_says_is_refused(
    folder: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(folder)
    with pytest.raises(BundleError, match=message):
        Bundle.open(folder).file("encoder.onnx")


@pytest.mark.skipif(not DEFAULT_BUNDLE.is_dir(), reason="this checkout carries no default encoder")
def test_the_encoder_that_ships_is_whole_and_small() -> None:
    bundle = Bundle.open(DEFAULT_BUNDLE)
    sizes = {name: bundle.file(name).stat().st_size for name in bundle.manifest.document["files"]}
    twin = sizes.pop(INT8_ON_CPU)  # the same weights for a CPU's integer kernels; no device needs it
    assert MATCHER_FILE in sizes
    assert sum(sizes.values()) < 15e6
    assert twin < 1.1 * sizes[ENCODER_FILES["int8"]]
    assert {"fp32", "int8"} <= set(bundle.precisions)
    assert bundle.manifest.document["gates"].keys() >= set(bundle.precisions)
    assert bundle.manifest.document["licence"]


def test_the_matcher_lives_in_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert matcher_home() == tmp_path / "skyfix" / "xfeat-1.bundle"
    monkeypatch.setenv("XDG_DATA_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert matcher_home() == tmp_path / ".local" / "share" / "skyfix" / "xfeat-1.bundle"
