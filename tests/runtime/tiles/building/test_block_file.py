"""A block's bytes: what was packed comes back, and nothing that was altered or cut short is taken for whole."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.tiles.building.block_file import HEAD_BYTES, counts_of, is_whole, pack, unpack
from runtime.tiles.building.window_filter import LeftOut
from runtime.tiles.format import Rows


def rows_of(count: int, dim: int, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    return Rows(
        rng.integers(-127, 128, (count, dim), np.int8),
        rng.uniform(size=count).astype(np.float32),
        rng.uniform(-80, 80, (count, 2)),
        np.full(count, 2, np.uint8),
    )


@given(st.integers(0, 20), st.integers(1, 40), st.integers(0, 10**6), st.lists(st.sampled_from(list(LeftOut))))
def test_what_was_packed_comes_back(count: int, dim: int, seed: int, left_out: list[LeftOut]) -> None:
    rows, counted = rows_of(count, dim, seed), Counter(left_out)
    data = pack(rows, counted)
    assert is_whole(data)
    for name, wanted, got in zip(Rows._fields, rows, unpack(data, 2), strict=True):
        assert got.dtype == wanted.dtype and (got == wanted).all(), name
    counts = counts_of(data[:HEAD_BYTES])
    assert counts.rows == count
    assert counts.left_out == {reason.value: counted[reason] for reason in LeftOut}


def test_no_bit_can_be_flipped_and_no_byte_lost_unseen() -> None:
    data = pack(rows_of(3, 5), Counter())
    for at in range(len(data)):
        assert not is_whole(data[:at]), f"cut at {at}"
        assert not is_whole(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]), f"altered at {at}"
    assert not is_whole(data + b"\0")


@pytest.mark.parametrize("data", [b"", b"\0" * 31, b"\0" * 400, hashlib.sha256(b"").digest()])
def test_what_is_no_block_is_not_whole(data: bytes) -> None:
    assert not is_whole(data)
