"""Batches on disk are the same at every reading, their hash knows every byte, and they leave nothing behind."""

from __future__ import annotations

import hashlib
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from runtime.errors import SettingsError
from train.ablation.stored_batches import store_batches
from train.data.batch import Batch

Make = Callable[[int], Batch]


def no_tick(done: int, total: int) -> None: ...


def test_every_reading_gives_the_batches_that_were_stored(one_batch: Make, tmp_path: Path) -> None:
    batches = [one_batch(6)._replace(place=torch.arange(6) + k) for k in range(3)]
    with store_batches(batches, 3, tmp_path / "here", no_tick) as stored:
        assert len(stored) == 3
        for _ in range(2):
            for want, got in zip(batches, stored, strict=True):
                assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(want, got, strict=True))
                got.drone.zero_()  # what a reader does to its batch stays with it
    assert not (tmp_path / "here").exists()


def test_the_hash_is_of_all_bytes_in_their_order(one_batch: Make, tmp_path: Path) -> None:
    batches = [one_batch(4), one_batch(4)._replace(place=torch.arange(4) + 9)]
    whole = b"".join(values.numpy().tobytes() for batch in batches for values in batch)

    def hash_of(some: list[Batch]) -> str:
        with store_batches(some, len(some), tmp_path / "here", no_tick) as stored:
            return stored.sha256

    assert hash_of(batches) == hashlib.sha256(whole).hexdigest()
    assert hash_of(batches) != hash_of(batches[::-1])


def test_the_folder_is_gone_after_an_error_and_a_killed_run_leaves_nothing_in_the_way(
    one_batch: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "drone.npy").write_bytes(b"of a run that was killed")
    with pytest.raises(RuntimeError, match="an arm fails"), store_batches([one_batch(4)], 1, folder, no_tick):
        raise RuntimeError("an arm fails")
    assert not folder.exists()


def test_progress_counts_the_batches(one_batch: Make, tmp_path: Path) -> None:
    ticks: list[tuple[int, int]] = []
    with store_batches([one_batch(4)] * 3, 3, tmp_path / "here", lambda *at: ticks.append(at)):
        assert ticks == [(1, 3), (2, 3), (3, 3)]


def test_a_disk_without_room_is_told_before_anything_is_written(
    one_batch: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1 << 20, 0, 1 << 20))
    with (
        pytest.raises(SettingsError, match=r"the batches of a seed take .* GiB free; choose another --out"),
        store_batches([one_batch(4)] * 100, 100, tmp_path / "here", no_tick),
    ):
        pass
    assert not (tmp_path / "here").exists()
