"""What several tests of this room draw."""

from __future__ import annotations

import json
from pathlib import Path

from runtime.tiles.format import ROW_TENSORS

COUNT, DIM = 20_000, 300  # some six MiB


WIDTH = {"centre": 16, "scale": 4, "level": 1, "embedding": DIM}


def starts(path: Path) -> dict[str, int]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    return {name: 8 + length + header[name]["data_offsets"][0] for name in ROW_TENSORS}
