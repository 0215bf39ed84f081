"""The tile cache: one safetensors file of embeddings with their places, and the imagery beside it.

Format 1. Tensors: ``embedding`` (N, D) int8, ``scale`` (N,) float32, ``centre`` (N, 2) float64 lat/lon,
``level`` (N,) uint8. Rows are ordered by level, then along a Z-order curve. Metadata key ``skyfix``: JSON with
format, encoder (name, sha256, precision, dim), levels (footprint_m, stride_m, rows), bounds_deg, imagery (name,
date, attribution, accuracy_ce90_m, sha256, bytes) and ``sha256`` over all of these and the four tensors' bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from runtime.errors import CacheEngineError, CacheError
from runtime.files import sha256_of, whole_file
from runtime.model.engine import Engine
from runtime.tiles.imagery import Imagery

FORMAT = 1
_TENSORS = ("embedding", "scale", "centre", "level")
_LENGTH_ERROR = 0.02  # FP16 and INT8 graphs normalise in FP32
_BUILD = "python -m runtime.tiles build --imagery MAP --out"


@dataclass(frozen=True, slots=True)
class TileCache:
    """Rows of a cache, memory-mapped."""

    path: Path
    metadata: Mapping[str, Any]
    embedding: NDArray[np.int8]  # (N, D)
    scale: NDArray[np.float32]  # (N,)
    centre: NDArray[np.float64]  # (N, 2) lat, lon
    level: NDArray[np.uint8]  # (N,)

    @classmethod
    def open(cls, path: Path) -> TileCache:
        """Map the file and check its hash; raises CacheError."""
        if not path.is_file():
            raise CacheError(f"{path} is missing; build it: {_BUILD} {path}")
        try:
            with safe_open(path, "numpy") as file:
                text = (file.metadata() or {}).get("skyfix")
        except (SafetensorError, OSError) as error:
            raise CacheError(
                f"{path} is truncated or no tile cache ({error}); build it again: {_BUILD} {path}"
            ) from None
        metadata = _checked_metadata(path, text)
        tensors = _map_tensors(path)
        if metadata.pop("sha256", None) != _sha256(metadata, tensors):
            raise CacheError(
                f"{path} was altered: it does not have the hash that it states; build it again: {_BUILD} {path}"
            )
        return cls(path, metadata, **tensors)

    @property
    def sha256(self) -> str:
        """Over all of it but the imagery beside it, whose own hash is part of it."""
        return _sha256(self.metadata, {name: getattr(self, name) for name in _TENSORS})

    @property
    def imagery_path(self) -> Path:
        """The map beside the cache."""
        return self.path.with_suffix(".mbtiles")

    @property
    def footprints_m(self) -> tuple[float, ...]:
        """Side of a tile on each level, smallest first."""
        return tuple(float(level["footprint_m"]) for level in self.metadata["levels"])

    @property
    def accuracy_ce90_m(self) -> float:
        """How well the imagery is placed: 90% of its points lie within this many metres of where it shows them."""
        return float(self.metadata["imagery"]["accuracy_ce90_m"])

    def check_engine(self, engine: Engine) -> None:
        """Raises CacheEngineError when the rows are another model's, or another precision's."""
        held = self.metadata["encoder"]
        if (held["sha256"], held["precision"]) != (engine.encoder_sha256, engine.precision):
            raise CacheEngineError(
                f"{self.path} was built with {held['name']} ({held['sha256'][:12]}), but the engine is "
                f"{engine.name} ({engine.encoder_sha256[:12]}); give its --bundle or build again: {_BUILD} {self.path}"
            )

    def open_imagery(self) -> Imagery:
        """The imagery that the cache was built from, its hash checked; raises CacheError or ImageryError."""
        stated = self.metadata["imagery"]
        path = self.imagery_path
        if path.is_file() and (path.stat().st_size != stated["bytes"] or sha256_of(path) != stated["sha256"]):
            raise CacheError(
                f"{path} is not the map that {self.path} was built from; build again: {_BUILD} {self.path}"
            )
        return Imagery(path)


def write_cache(
    path: Path,
    metadata: Mapping[str, Any],
    *,
    embedding: NDArray[np.float32],  # (N, D) unit-norm
    centre: NDArray[np.float64],  # (N, 2)
    level: NDArray[np.uint8],  # (N,)
) -> None:
    """Quantise the rows and write the file, whole or not at all; raises CacheError on rows that are not unit-norm."""
    length = np.linalg.norm(embedding, axis=1)
    wrong = np.nonzero(~(np.abs(length - 1.0) <= _LENGTH_ERROR))[0]  # NaN too
    if len(wrong):
        raise CacheError(
            f"the encoder is broken: row {wrong[0]} ({len(wrong)} of {len(length)} rows) has length "
            f"{length[wrong[0]]:.4f}, expected 1; export its bundle again: python -m export.onnx"
        )
    rows, scale = quantise_rows(embedding)
    write_rows(path, metadata, {"embedding": rows, "scale": scale, "centre": centre, "level": level})


def write_rows(path: Path, metadata: Mapping[str, Any], tensors: dict[str, NDArray[Any]]) -> None:
    """Write rows that are int8 already, in the order they have, whole or not at all."""
    said = {"format": FORMAT, **metadata}
    text = json.dumps({**said, "sha256": _sha256(said, tensors)}, sort_keys=True)
    with whole_file(path) as partial:
        save_file(tensors, partial, metadata={"skyfix": text})
        partial.chmod(0o644)  # safetensors makes it readable by its owner alone


def quantise_rows(
    embedding: NDArray[np.float32],  # (N, D)
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Symmetric int8 with one scale a row: ``embedding ~ rows * scale[:, None]``."""
    scale = np.maximum(np.abs(embedding).max(axis=1), np.float32(1e-12)) / np.float32(127)
    return np.rint(embedding / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def _checked_metadata(path: Path, text: str | None) -> dict[str, Any]:
    try:
        metadata: dict[str, Any] = json.loads(text or "")
    except json.JSONDecodeError:
        raise CacheError(f"{path} is no tile cache of Skyfix's; build one: {_BUILD} {path}") from None
    if metadata.get("format") != FORMAT:
        raise CacheError(f"{path} has cache format {metadata.get('format')}; this Skyfix reads {FORMAT}: update it")
    return metadata


def _sha256(metadata: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in _TENSORS:
        digest.update(np.ascontiguousarray(tensors[name]).view(np.uint8).data)
    return digest.hexdigest()


def _map_tensors(path: Path) -> dict[str, Any]:
    """Memory-map the tensors where the (already checked) header says they lie; safetensors itself would copy them."""
    types = {"I8": np.int8, "F32": np.float32, "F64": np.float64, "U8": np.uint8}
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(header_bytes))
    if not set(_TENSORS) <= set(header):
        raise CacheError(f"{path} lacks one of the tensors {', '.join(_TENSORS)}; build it again: {_BUILD} {path}")
    return {
        name: np.memmap(
            path,
            types[header[name]["dtype"]],
            "r",
            offset=8 + header_bytes + header[name]["data_offsets"][0],
            shape=tuple(header[name]["shape"]),
        )
        for name in _TENSORS
    }
