"""One block of the grid: its windows read and embedded, the same wherever and beside whatever it is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runtime.geo.bounds import Bounds
from runtime.maps.imagery import Imagery
from runtime.model.engine import Engine
from runtime.tiles.building.block_file import pack
from runtime.tiles.building.window_cutter import WindowCutter
from runtime.tiles.building.window_filter import LeftOut, filter_window
from runtime.tiles.format import to_rows
from runtime.tiles.windows import Block, Grid, Window

BATCH = 16


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """What a worker needs to know beside its engine."""

    map_path: Path
    grids: tuple[Grid, ...]
    bounds: Bounds

    def count(self, blocks: Sequence[Block]) -> int:
        """Count the windows in some blocks."""
        return sum(self.grids[block.level].count(block, self.bounds) for block in blocks)

    def embed(self, imagery: Imagery, engine: Engine, block: Block, tick: Callable[[int], None]) -> bytes:
        """Embed a block and return its bytes; ``tick`` is called with how many more windows were done.

        Batches never reach over a block's border: its rows do not depend on which other blocks are built.
        """
        windows = self.grids[block.level].windows(block, self.bounds)
        cutter = WindowCutter(imagery, self.grids[block.level], engine.side_px)
        kept: list[Window] = []
        embeddings = [np.empty((0, engine.dim), np.float32)]
        left_out = Counter[LeftOut]()
        for first in range(0, len(windows), BATCH):
            batch = windows[first : first + BATCH]
            looks = [(window, filter_window(*cutter.cut(window))) for window in batch]
            left_out.update(look for _, look in looks if isinstance(look, LeftOut))
            good = [(window, look) for window, look in looks if not isinstance(look, LeftOut)]
            if good:
                kept += [window for window, _ in good]
                embeddings.append(engine.embed(np.stack([picture for _, picture in good])))
            tick(len(batch))
        places = np.array([window.place for window in kept], np.float64).reshape(-1, 2)
        return pack(to_rows(np.concatenate(embeddings), places, np.full(len(kept), block.level, np.uint8)), left_out)
