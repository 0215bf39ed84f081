"""The batches of a seed, rendered once, and the same for every arm, byte for byte."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from runtime.errors import SettingsError
from runtime.types import Tick
from train.data.batch import Batch


class StoredBatches:
    """Batches on disk, memory-mapped; every iteration yields the same."""

    def __init__(self, folder: Path, count: int, sha256: str) -> None:
        """Map the ``count`` batches of a folder; ``sha256`` is of all of them in their order."""
        self._fields = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in Batch._fields]
        self._count = count
        self.sha256 = sha256  # of all batches in their order

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Batch]:
        for k in range(self._count):
            yield Batch(*(torch.from_numpy(np.array(values[k])) for values in self._fields))


@contextmanager
def store_batches(batches: Iterable[Batch], count: int, folder: Path, tick: Tick) -> Iterator[StoredBatches]:
    """Store ``count`` batches in ``folder``, which is gone afterwards; raises SettingsError on a small disk."""
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
    folder.mkdir(parents=True)
    try:
        yield StoredBatches(folder, count, _write(batches, count, folder, tick))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write(batches: Iterable[Batch], count: int, folder: Path, tick: Tick) -> str:
    """Write each field of the batches as one array, and hash all bytes."""
    digest = hashlib.sha256()
    files: list[np.memmap] = []
    for k, batch in enumerate(batches):
        arrays = [np.ascontiguousarray(values.numpy()) for values in batch]
        if not files:
            _check_room(folder, count * sum(a.nbytes for a in arrays))
            files = [
                np.lib.format.open_memmap(folder / f"{name}.npy", "w+", a.dtype, (count, *a.shape))
                for name, a in zip(Batch._fields, arrays, strict=True)
            ]
        for file, values in zip(files, arrays, strict=True):
            file[k] = values
            digest.update(values.tobytes())
        tick(k + 1, count)
    return digest.hexdigest()


def _check_room(folder: Path, needed: int) -> None:
    """Raise SettingsError where the disk has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if not needed < 0.9 * free:
        raise SettingsError(
            f"the batches of a seed take {needed / 2**30:.1f} GiB, {folder} has {free / 2**30:.1f} GiB free; "
            "choose another --out, or smaller --steps, --batch or --side"
        )
