"""A bundle: a folder with graphs and a ``manifest.json`` that names and hashes each of them.

What the manifest states is in ``runtime.model.manifest``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import BundleError
from runtime.files import sha256_of, write_text_whole
from runtime.model.manifest import MANIFEST, PRECISIONS, EncoderSection, JsonObject, Manifest, Precision, parse_manifest

ENCODER_FILES: Mapping[Precision, str] = {
    "fp32": "encoder.onnx",
    "fp16": "encoder.fp16.onnx",
    "int8": "encoder.int8.onnx",
}
INT8_ON_CPU = "encoder.int8.cpu.onnx"
MATCHER_FILE = "matcher.onnx"
DEFAULT_BUNDLE = Path(__file__).parent / "default.bundle"


def matcher_home() -> Path:
    """Return where ``export.matcher`` puts the matcher's bundle and the runtime looks for it: the user's data."""
    data = os.environ.get("XDG_DATA_HOME")  # the XDG base directory specification; unset or empty means the default
    return (Path(data) if data else Path.home() / ".local" / "share") / "skyfix" / "xfeat-1.bundle"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose manifest has been read; its files are checked when they are asked for."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path, kind: str = "encoder") -> Bundle:
        """Read and check the manifest; raises BundleError."""
        try:
            document = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            make = "export.matcher" if kind == "matcher" else "export.onnx"
            raise BundleError(f"{path} has no {MANIFEST}: no bundle; make one: python -m {make}") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"{path / MANIFEST} is not JSON ({error}); export the bundle again") from None
        return cls(path, parse_manifest(document, kind, path))

    @property
    def name(self) -> str:
        """The name that the manifest states, else that of the folder."""
        return self.path.stem if self.manifest.name is None else self.manifest.name

    @property
    def encoder(self) -> EncoderSection:
        """The encoder's section; raises BundleError for a bundle that holds none."""
        if self.manifest.encoder is None:
            raise BundleError(f"{self.path} holds no encoder; make a bundle that does: python -m export.onnx")
        return self.manifest.encoder

    @property
    def side_px(self) -> int:
        """Side of the pictures that the encoder reads."""
        return self.encoder.side_px

    @property
    def dim(self) -> int:
        """Length D of the encoder's embeddings."""
        return self.encoder.dim

    @property
    def has_local_features(self) -> bool:
        """True where registration needs no other bundle."""
        return MATCHER_FILE in self.manifest.files

    @property
    def patch_px(self) -> int:
        """Side of the patch that the bundle's local features are best at."""
        return self.manifest.matcher.patch_px

    @property
    def min_agreement(self) -> tuple[float, float]:
        """Share of a frame's points that must agree with its pose: alone, and where a tight track vouches for it."""
        return self.manifest.matcher.min_agreement

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The precisions whose graphs are in the bundle, in the order fp32, fp16, int8."""
        return tuple(precision for precision in PRECISIONS if ENCODER_FILES[precision] in self.manifest.files)

    def file(self, name: str) -> Path:
        """Return the path of one of the bundle's files, its hash checked; raises BundleError."""
        entry = self.manifest.files.get(name)
        if entry is None:
            held = ", ".join(self.manifest.files) or "nothing"
            raise BundleError(f"{self.path} has no {name}; it holds {held}")
        path = self.path / name
        if not path.is_file():
            raise BundleError(f"{path} is missing though the manifest names it; export the bundle again")
        sha256 = sha256_of(path)
        if sha256 != entry.sha256:
            raise BundleError(
                f"{path} was altered: SHA-256 {sha256[:12]}, its manifest says {entry.sha256[:12]}; export again"
            )
        return path

    def graph_on_cpu(self, precision: Precision) -> str:
        """Return the name of the file that ONNX Runtime's CPU kernels take: INT8's twin, where the graph has one."""
        name, twin = ENCODER_FILES[precision], self.manifest.files.get(INT8_ON_CPU)
        is_twin = precision == "int8" and twin is not None and twin.twin_of == self.sha256(name)
        return INT8_ON_CPU if is_twin else name

    def sha256(self, name: str) -> str:
        """Return the hash that the manifest states for a file."""
        return self.manifest.files[name].sha256


def file_entry(path: Path, precision: Precision) -> JsonObject:
    """Return the manifest's line for a file that has just been written."""
    return {"sha256": sha256_of(path), "bytes": path.stat().st_size, "precision": precision}


def write_manifest(path: Path, manifest: JsonObject) -> None:
    """Write a bundle's manifest, whole or not at all."""
    write_text_whole(path / MANIFEST, json.dumps(manifest, indent=2, sort_keys=False) + "\n")
