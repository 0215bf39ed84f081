"""The bytes of a cache: rows quantised, written and read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import CacheError
from runtime.tiles.format import quantise_rows
from tests.runtime.tiles.drawn import unit_rows, write_small


@given(st.integers(1, 40), st.integers(2, 64), st.integers(0, 10**6))
def test_a_row_comes_back_within_half_a_step(count: int, dim: int, seed: int) -> None:
    embedding = unit_rows(count, dim, seed)
    rows, scale = quantise_rows(embedding)
    assert np.abs(rows.astype(np.int16)).max() <= 127
    assert (np.abs(rows * scale[:, None] - embedding) <= 0.5001 * scale[:, None]).all()
    assert ((rows * scale[:, None] * embedding).sum(axis=1) > 1 - 0.5 * np.sqrt(dim) / 127).all()


@pytest.mark.parametrize("bad", [np.nan, 0.0, 3.0])
def test_an_encoder_that_gives_no_unit_vectors_writes_no_cache(bad: float, tmp_path: Path) -> None:
    embedding = unit_rows(5, 6)
    embedding[3] *= np.float32(bad)
    with pytest.raises(CacheError, match="row 3"):
        write_small(tmp_path / "a.tiles", embedding)
    assert not list(tmp_path.iterdir())
