"""The rows of one block of the grid as bytes with their own hash: what a worker hands back, wherever it runs."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from dataclasses import dataclass

import numpy as np

from runtime.tiles.building.window_filter import LeftOut
from runtime.tiles.format import Rows

_HEAD = struct.Struct("<2I3I")  # rows, dimensions; left out: missing, blank, cloudy
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class BlockCounts:
    """How many windows of a block have a row, and how many have none."""

    rows: int
    left_out: dict[str, int]  # by reason


def pack(rows: Rows, left_out: Counter[LeftOut]) -> bytes:
    """Pack a block into bytes."""
    head = _HEAD.pack(*rows.embedding.shape, *(left_out[reason] for reason in LeftOut))
    data = head + b"".join(np.ascontiguousarray(part).tobytes() for part in (rows.centre, rows.scale, rows.embedding))
    return hashlib.sha256(data).digest() + data


def counts_of(data: bytes) -> BlockCounts:
    """Read the counts from a block's bytes, or from their beginning."""
    count, _, *left_out = _HEAD.unpack_from(data, _DIGEST_BYTES)
    return BlockCounts(count, dict(zip((reason.value for reason in LeftOut), left_out, strict=True)))


HEAD_BYTES = _DIGEST_BYTES + _HEAD.size


def is_whole(data: bytes) -> bool:
    """Tell whether a block's bytes have the hash that they begin with."""
    return len(data) >= HEAD_BYTES and hashlib.sha256(data[_DIGEST_BYTES:]).digest() == data[:_DIGEST_BYTES]


def unpack(data: bytes, level: int) -> Rows:
    """Unpack the rows of a block's bytes."""
    count, dim, *_ = _HEAD.unpack_from(data, _DIGEST_BYTES)
    centre = np.frombuffer(data, np.float64, 2 * count, HEAD_BYTES).reshape(-1, 2)
    scale = np.frombuffer(data, np.float32, count, HEAD_BYTES + 16 * count)
    embedding = np.frombuffer(data, np.int8, count * dim, HEAD_BYTES + 20 * count).reshape(-1, dim)
    return Rows(embedding, scale, centre, np.full(count, level, np.uint8))
