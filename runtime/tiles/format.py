"""The bytes of a tile cache: one safetensors file, written part by part in memory that does not grow with the area."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runtime.errors import CacheError
from runtime.files import whole_file
from runtime.integrity import CHUNK, chunks_of, map_hashes
from runtime.maps.heights import Heights
from runtime.tiles.metadata import CacheMetadata

FORMAT = 2
TERRAIN_FORMAT, ALIGNED_FORMAT = 3, 4  # with heights; with an alignment: an older reader must not fly without them
ROW_TENSORS = ("centre", "scale", "level", "embedding")  # what rows are made of, in the file's and the hashes' order
HEIGHT = "height"  # of the ground, hashed after these, where there are any
_TYPES = {"map_square": "I32", "centre": "F64", "scale": "F32", HEIGHT: "F32", "level": "U8", "embedding": "I8"}
_ORDER = (
    "centre",
    "map_square",
    "scale",
    HEIGHT,
    "map_hash",
    "hash",
    "level",
    "embedding",
)  # the widest first: aligned
_DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(dtype)
    for name, dtype in (("I8", "i1"), ("I32", "<i4"), ("F32", "<f4"), ("F64", "<f8"), ("U8", "u1"))
}
_LENGTH_ERROR = 0.02  # FP16 and INT8 graphs normalise in FP32


class Rows(NamedTuple):
    """Rows of a cache, in its order."""

    embedding: NDArray[np.int8]  # (N, D)
    scale: NDArray[np.float32]  # (N,)
    centre: NDArray[np.float64]  # (N, 2) lat, lon
    level: NDArray[np.uint8]  # (N,)


def to_rows(
    embedding: NDArray[np.float32],  # (N, D) unit-norm
    centre: NDArray[np.float64],  # (N, 2)
    level: NDArray[np.uint8],  # (N,)
) -> Rows:
    """Quantise embeddings; raises CacheError on rows that are not unit-norm."""
    length = np.linalg.norm(embedding, axis=1)
    wrong = np.nonzero(~(np.abs(length - 1.0) <= _LENGTH_ERROR))[0]  # NaN too
    if len(wrong):
        raise CacheError(
            f"the encoder is broken: row {wrong[0]} ({len(wrong)} of {len(length)} rows) has length "
            f"{length[wrong[0]]:.4f}, expected 1; export its bundle again: python -m export.onnx"
        )
    return Rows(*quantise_rows(embedding), centre, level)


def quantise_rows(
    embedding: NDArray[np.float32],  # (N, D)
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Quantise to symmetric int8 with one scale a row: ``embedding ~ rows * scale[:, None]``."""
    scale = np.maximum(np.abs(embedding).max(axis=1), np.float32(1e-12)) / np.float32(127)
    return np.rint(embedding / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def shapes(metadata: CacheMetadata, squares: int) -> dict[str, tuple[int, ...]]:
    """Work out every tensor's shape from the rows and dimensions that are stated and the squares of the map."""
    count, dim = metadata.rows, metadata.encoder.dim
    shape: dict[str, tuple[int, ...]] = {
        "embedding": (count, dim), "scale": (count,), "centre": (count, 2), "level": (count,)
    }  # fmt: skip
    if metadata.terrain is not None:
        shape[HEIGHT] = metadata.terrain.shape
    chunks = sum(chunks_of(math.prod(shape[name]) * dtype_of(name).itemsize) for name in hashed(shape))
    return {**shape, "hash": (chunks, 32), "map_square": (squares, 2), "map_hash": (squares, 32)}


def hashed(tensors: Iterable[str]) -> list[str]:
    """Choose the tensors whose hashes a cache holds, in their order."""
    held = set(tensors)
    return [name for name in (*ROW_TENSORS, HEIGHT) if name in held]


def dtype_of(tensor: str) -> np.dtype[Any]:
    """Look up the numpy type of one of the format's tensors."""
    return _DTYPES[_TYPES.get(tensor, "U8")]


def root_hash(metadata: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Hash the metadata and the hashes of all else (SHA-256, hexadecimal)."""
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in ("hash", "map_square", "map_hash"):
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def write_rows(
    path: Path,
    metadata: CacheMetadata,
    parts: Iterable[Rows],
    imagery: tuple[Path, int] | None = None,
    heights: Heights | None = None,
) -> None:
    """Write rows in the order they come, whole or not at all; ``metadata`` states how many there are.

    ``imagery`` is the map that goes beside the file, and its zoom. Format and terrain of the metadata are set here.
    """
    if heights is None:
        metadata = replace(metadata, format=FORMAT, terrain=None)
    else:
        metadata = replace(metadata, format=TERRAIN_FORMAT, terrain=heights.lattice())
    if metadata.alignment is not None:
        metadata = replace(metadata, format=ALIGNED_FORMAT)
    stated = metadata.to_json()
    square, map_hash = map_hashes(*imagery) if imagery else (np.empty((0, 2), np.int32), np.empty((0, 32), np.uint8))
    shape = shapes(metadata, len(square))
    with whole_file(path) as partial, partial.open("w+b") as file:
        starts = _write_header(file, stated, "0" * 64, shape)
        _write_parts(file, starts, parts, shape["level"][0])
        if heights is not None:
            _write_tensors(file, starts, {HEIGHT: heights.height_m})
        hashes: dict[str, NDArray[Any]] = {
            "hash": _hash_chunks(file, starts, shape),
            "map_square": square,
            "map_hash": map_hash,
        }
        _write_tensors(file, starts, hashes)
        _write_header(file, stated, root_hash(stated, hashes), shape)


def _write_header(file: BinaryIO, stated: Mapping[str, Any], root: str, shape: dict[str, Any]) -> dict[str, int]:
    """Write a safetensors header (eight bytes of length, JSON); returns where in the file each tensor starts."""
    text = json.dumps({**stated, "sha256": root}, sort_keys=True)
    header: dict[str, Any] = {"__metadata__": {"skyfix": text}}
    at = 0
    order = [name for name in _ORDER if name in shape]
    for name in order:
        end = at + math.prod(shape[name]) * dtype_of(name).itemsize
        header[name] = {"dtype": _TYPES.get(name, "U8"), "shape": shape[name], "data_offsets": [at, end]}
        at = end
    data = json.dumps(header).encode()
    data += b" " * (-len(data) % 8)
    file.seek(0)
    file.write(len(data).to_bytes(8, "little") + data)
    return {name: 8 + len(data) + header[name]["data_offsets"][0] for name in order}


def _write_tensors(file: BinaryIO, starts: Mapping[str, int], tensors: Mapping[str, NDArray[Any]]) -> None:
    for name, tensor in tensors.items():
        file.seek(starts[name])
        file.write(np.ascontiguousarray(tensor, dtype_of(name)).tobytes())


def _write_parts(file: BinaryIO, starts: Mapping[str, int], parts: Iterable[Rows], count: int) -> None:
    at, written = dict(starts), 0
    for part in parts:
        for name in ROW_TENSORS:
            data = np.ascontiguousarray(getattr(part, name), dtype_of(name)).tobytes()
            file.seek(at[name])
            file.write(data)
            at[name] += len(data)
        written += len(part.level)
    if written != count:
        raise ValueError(f"{written} rows were given; the metadata states {count}")


def _hash_chunks(file: BinaryIO, starts: Mapping[str, int], shape: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Read the tensors back, a MiB at a time: what is hashed is what the file holds."""
    digests = []
    for name in hashed(shape):
        left = math.prod(shape[name]) * dtype_of(name).itemsize
        file.seek(starts[name])
        while left:
            data = file.read(min(CHUNK, left))
            digests.append(hashlib.sha256(data).digest())
            left -= len(data)
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
