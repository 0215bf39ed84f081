"""A calibration set is what its list says, or it is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calib.samples.sources import Sample
from calib.samples.stored_set import LIST, PICTURES, read_set, write_set
from runtime.errors import DataError

DRAWN = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_set(tmp_path, [Sample(f"map/{i}", picture) for i, picture in enumerate(DRAWN)], seed=3)
    return tmp_path


def test_pictures_come_back_in_order_under_the_hash_of_all_their_bytes(folder: Path) -> None:
    stored = read_set(folder)
    assert (stored.pictures == DRAWN).all()
    assert stored.sha256 == hashlib.sha256(DRAWN.tobytes()).hexdigest()
    about = json.loads((folder / LIST).read_text())
    assert (about["format"], about["seed"], about["shape"]) == (1, 3, [5, 6, 6, 3])
    assert [row["source"] for row in about["pictures"]] == [f"map/{i}" for i in range(5)]
    assert about["pictures"][2]["sha256"] == hashlib.sha256(DRAWN[2].tobytes()).hexdigest()


def swap_two(folder: Path) -> None:
    order = [1, 0, 2, 3, 4]
    (other := folder / "other").mkdir()
    write_set(other, [Sample("a", DRAWN[i]) for i in order], seed=3)
    (other / PICTURES).replace(folder / PICTURES)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / LIST).unlink(), "has no calibration set (calibration.json is missing)"),
        (lambda f: (f / PICTURES).unlink(), "has no calibration set (calibration.safetensors is missing)"),
        (lambda f: (f / LIST).write_text("{"), "cannot be read"),
        (lambda f: (f / PICTURES).write_bytes(b"short"), "cannot be read"),
        (lambda f: (f / LIST).write_text("{}"), "is not of format 1"),
        (swap_two, "was altered: SHA-256"),
    ],
    ids=["no list", "no pictures", "no JSON", "no tensors", "another format", "another order"],
)
def test_a_set_that_is_not_what_its_list_says_is_refused_with_the_command_that_makes_it(
    folder: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(folder)
    with pytest.raises(DataError) as refused:
        read_set(folder)
    assert message in str(refused.value) and f"python -m calib.int8 --from FOLDER --bundle {folder}" in str(
        refused.value
    )
