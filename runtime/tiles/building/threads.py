"""Blocks embedded by several threads: some read pictures while others embed, one-thread engines side by side."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Protocol

from runtime.maps.imagery import Imagery
from runtime.model.engine import Engine
from runtime.tiles.building.embed_block import EmbedJob
from runtime.tiles.windows import Block

_LOOK_EVERY_S = 0.2


class Embedder(Protocol):
    """Embeds blocks somewhere: ``keep`` gets each, ``tick`` counts the windows that were done."""

    def __call__(
        self,
        job: EmbedJob,
        engine: Engine,
        blocks: Sequence[Block],
        *,
        keep: Callable[[Block, bytes], None],
        tick: Callable[[int], None],
    ) -> None:
        """Embed the blocks and return when all are kept; raises what went wrong first."""
        ...


class _StoppedError(Exception):
    """Another worker has failed, or the user has had enough."""


def in_threads(
    job: EmbedJob,
    engine: Engine,
    blocks: Sequence[Block],
    *,
    workers: int,
    keep: Callable[[Block, bytes], None],
    tick: Callable[[int], None],
) -> None:
    """Embed blocks by so many threads, as an :class:`Embedder`; the largest first, so that none is left for the end."""
    blocks = sorted(blocks, key=lambda block: -job.count([block]))
    ahead, lock, stop = iter(blocks), threading.Lock(), threading.Event()
    done = queue.SimpleQueue[int]()

    def tell(windows: int) -> None:
        if stop.is_set():
            raise _StoppedError
        done.put(windows)

    def work() -> None:
        with contextlib.closing(Imagery(job.map_path)) as imagery, contextlib.suppress(_StoppedError):
            while True:
                with lock:
                    block = next(ahead, None)
                if block is None:
                    return
                keep(block, job.embed(imagery, engine, block, tell))

    with ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(work) for _ in range(workers)}
        try:
            while running:
                ended, running = wait(running, _LOOK_EVERY_S, FIRST_COMPLETED)
                while not done.empty():
                    tick(done.get())
                for one in ended:
                    one.result()
        finally:
            stop.set()
