"""A bundle: a folder with graphs and a ``manifest.json`` that names and hashes each of them.

Format 1: ``format``, ``kind`` (``encoder`` or ``matcher``), ``name``, ``input``, ``licence`` and ``files``
({name: {sha256, bytes, precision}}); an encoder also has ``encoder`` (backbone, dim, truncations, side_px),
``training``, ``gates`` and ``golden`` (``runtime.model.golden``; bundles of before have none). ``files`` may name
``score.json`` (``runtime.model.score_map``), ``matcher.onnx`` with a section ``matcher`` (``export.local``: stride_px,
patch_px, min_agreement), and ``encoder.int8.cpu.onnx``, whose ``twin_of`` is the hash of the INT8 graph that it stands
for on a CPU (``export.cpu``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import BundleError
from runtime.files import sha256_of, write_text_whole

FORMAT = 1
MANIFEST = "manifest.json"
ENCODER_FILES: Mapping[str, str] = {
    "fp32": "encoder.onnx",
    "fp16": "encoder.fp16.onnx",
    "int8": "encoder.int8.onnx",
}
INT8_ON_CPU = "encoder.int8.cpu.onnx"
MATCHER_FILE = "matcher.onnx"
_PATCH_PX = 800  # XFeat's, where a bundle does not say
XFEAT_AGREEMENT = (0.125, 0.10)  # XFeat's on wrong ground reaches 0.093, on look-alikes 0.15
DEFAULT_BUNDLE = Path(__file__).parent / "default.bundle"


def matcher_home() -> Path:
    """Where ``export.matcher`` puts the matcher's bundle and the runtime looks for it: the user's data folder."""
    data = os.environ.get("XDG_DATA_HOME")  # the XDG base directory specification; unset or empty means the default
    return (Path(data) if data else Path.home() / ".local" / "share") / "skyfix" / "xfeat-1.bundle"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose manifest has been read; its files are checked when they are asked for."""

    path: Path
    manifest: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path, kind: str = "encoder") -> Bundle:
        """Read and check the manifest; raises BundleError."""
        try:
            manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise BundleError(f"{path} has no {MANIFEST}: no bundle; make one: python -m export.onnx") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise BundleError(f"{path / MANIFEST} is not JSON ({error}); export the bundle again") from None
        found = manifest.get("format") if isinstance(manifest, dict) else None
        if found != FORMAT:
            raise BundleError(
                f"{path} has bundle format {found}; this Skyfix reads {FORMAT}: update it or export again"
            )
        if manifest.get("kind") != kind:
            raise BundleError(f"{path} is a bundle of kind {manifest.get('kind')!r}; expected {kind!r}")
        lacking = {"files", *(("encoder",) if kind == "encoder" else ())} - manifest.keys()
        if lacking:
            raise BundleError(
                f"{path / MANIFEST} says nothing of {', '.join(sorted(lacking))}; export the bundle again"
            )
        return cls(path, manifest)

    @property
    def name(self) -> str:
        return str(self.manifest.get("name", self.path.stem))

    @property
    def side_px(self) -> int:
        return int(self.manifest["encoder"]["side_px"])

    @property
    def dim(self) -> int:
        return int(self.manifest["encoder"]["dim"])

    @property
    def has_local_features(self) -> bool:
        """Whether registration needs no other bundle."""
        return MATCHER_FILE in self.manifest["files"]

    @property
    def patch_px(self) -> int:
        """Side of the patch that the bundle's local features are best at."""
        return int(self.manifest.get("matcher", {}).get("patch_px", _PATCH_PX))

    @property
    def min_agreement(self) -> tuple[float, float]:
        """Share of a frame's points that must agree with its pose: alone, and where a tight track vouches for it."""
        alone, tracked = self.manifest.get("matcher", {}).get("min_agreement", XFEAT_AGREEMENT)
        return float(alone), float(tracked)

    @property
    def precisions(self) -> tuple[str, ...]:
        """The precisions whose graphs are in the bundle, in the order fp32, fp16, int8."""
        return tuple(p for p, name in ENCODER_FILES.items() if name in self.manifest["files"])

    def file(self, name: str) -> Path:
        """The path of one of its files, its hash checked; raises BundleError."""
        entry = self.manifest["files"].get(name)
        if entry is None:
            held = ", ".join(self.manifest["files"]) or "nothing"
            raise BundleError(f"{self.path} has no {name}; it holds {held}")
        path = self.path / name
        if not path.is_file():
            raise BundleError(f"{path} is missing though the manifest names it; export the bundle again")
        found = sha256_of(path)
        if found != entry["sha256"]:
            raise BundleError(
                f"{path} was altered: SHA-256 {found[:12]}, its manifest says {entry['sha256'][:12]}; export again"
            )
        return path

    def graph_on_cpu(self, precision: str) -> str:
        """The name of the file that ONNX Runtime's CPU kernels take: INT8's twin, where the graph has one."""
        name = ENCODER_FILES[precision]
        twin = self.manifest["files"].get(INT8_ON_CPU, {})
        return INT8_ON_CPU if precision == "int8" and twin.get("twin_of") == self.sha256(name) else name

    def sha256(self, name: str) -> str:
        """The hash that the manifest states for a file."""
        return str(self.manifest["files"][name]["sha256"])


def file_entry(path: Path, precision: str) -> dict[str, Any]:
    """The manifest's line for a file that has just been written."""
    return {"sha256": sha256_of(path), "bytes": path.stat().st_size, "precision": precision}


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write a bundle's manifest, whole or not at all."""
    write_text_whole(path / MANIFEST, json.dumps(manifest, indent=2, sort_keys=False) + "\n")
