from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from export.graphs.parity import check_close, check_parity
from runtime.errors import GateError


def unit_rows(count: int = 4, dim: int = 8) -> NDArray[np.float32]:
    rows = np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_worst_row_is_told_and_returned() -> None:
    want = unit_rows()
    got = want.copy()
    got[2] = -got[2]
    assert check_parity(want, got, what="graph", min_cosine=-1.1) == pytest.approx(-1)
    with pytest.raises(GateError, match="graph: picture 2 has cosine -1"):
        check_parity(want, got, what="graph", min_cosine=0.9)


def test_nan_fails_every_gate() -> None:
    want = unit_rows()
    got = want.copy()
    got[1, 3] = np.nan
    with pytest.raises(GateError, match="nan"):
        check_parity(want, got, what="graph", min_cosine=-1.0)
    with pytest.raises(GateError, match="nan"):
        check_close(want, got, what="graph", max_error=1e9)


def test_another_shape_fails() -> None:
    with pytest.raises(GateError, match=r"shape \(4, 4\), expected \(4, 8\)"):
        check_parity(unit_rows(), unit_rows()[:, :4], what="graph", min_cosine=0.0)
