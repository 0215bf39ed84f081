"""Blocks embedded by a Ray cluster: Ray Data over blocks of the map, each with the piece of the map that it shows.

The machines share no disk: a piece travels with its block, the encoder's bundle with the job. Each of them has Skyfix
installed. The same code embeds a block as on one machine, and what comes back is kept by the same folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.errors import EngineError, ImageryError, MissingPackageError, SettingsError, SkyfixError
from runtime.geo.bounds import Bounds
from runtime.maps.imagery import Imagery
from runtime.maps.mbtiles import tiles_over, write_tiles
from runtime.model.engine import Engine
from runtime.model.load import open_engine
from runtime.tiles.building.embed_block import EmbedJob
from runtime.tiles.windows import BLOCK, Block

_WAVE_BYTES = 256 << 20  # of the map in flight at once
_ANSWER_S = 5.0
_BLOCKS_A_CPU = 8  # of a wave
_RIM = 0.05  # of a window, about a block: more than what a raster reaches beyond


class RayWorker:
    """What each process of the cluster holds: an engine and the job."""

    def __init__(self, job: EmbedJob, bundle: dict[str, bytes], precision: str, encoder_sha256: str) -> None:
        """``bundle`` are the files of an encoder bundle; none is the default encoder. Raises EngineError."""
        self._job, self._folder = job, tempfile.TemporaryDirectory()
        path = Path(self._folder.name) / "encoder.bundle"
        for name, data in bundle.items():
            path.mkdir(exist_ok=True)
            (path / name).write_bytes(data)
        self._engine = open_engine(path if bundle else None, precision, 1)
        if self._engine.encoder_sha256 != encoder_sha256:
            raise EngineError(
                f"a machine of the cluster has encoder {self._engine.encoder_sha256[:12]}, expected "
                f"{encoder_sha256[:12]}; install the same Skyfix on all of them, or give --bundle"
            )

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Embed one block and return its bytes, or what is wrong with it."""
        path = Path(self._folder.name) / "piece.mbtiles"
        path.write_bytes(item["piece"])
        try:
            with contextlib.closing(Imagery(path)) as imagery:
                data = self._job.embed(imagery, self._engine, Block(*map(int, item["block"])), lambda windows: None)
        except SkyfixError as error:
            wrong = str(error).replace(str(path), str(self._job.map_path))
            return {"block": item["block"], "data": b"", "wrong": wrong}
        return {"block": item["block"], "data": data, "wrong": ""}


def on_ray(
    job: EmbedJob,
    engine: Engine,
    blocks: Sequence[Block],
    *,
    address: str,
    bundle: Path | None,
    keep: Callable[[Block, bytes], None],
    tick: Callable[[int], None],
) -> None:
    """Embed blocks on the cluster at ``address``, ``local`` for one on this machine, and ``keep`` each.

    Raises MissingPackageError without Ray, SkyfixError for what goes wrong on the cluster.
    """
    ray = import_ray()
    files = {} if bundle is None else {p.name: p.read_bytes() for p in sorted(bundle.iterdir()) if p.is_file()}
    arguments = (job, files, engine.precision, engine.encoder_sha256)
    imagery = Imagery(job.map_path)
    try:
        _start(ray, address)
        cpus = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        for wave in _waves(job, imagery, blocks, _BLOCKS_A_CPU * cpus):
            for block in wave.empty:
                keep(block, job.embed(imagery, engine, block, tick))
            for block, data in _embedded(ray, wave.items, arguments, cpus):
                keep(block, data)
                tick(job.count([block]))
    except ray.exceptions.RayError as error:
        raise SkyfixError(f"the Ray cluster gave up: {type(error).__name__}: {str(error).splitlines()[0]}") from None
    except ConnectionError as error:
        raise SkyfixError(f"no Ray cluster answers at {address} ({error}); start one: ray start --head") from None
    finally:
        imagery.close()
        ray.shutdown()


def _embedded(
    ray: Any, items: list[dict[str, Any]], arguments: tuple[Any, ...], cpus: int
) -> Iterator[tuple[Block, bytes]]:
    """Yield the blocks of a wave as they are finished; raises ImageryError for what a worker found wrong."""
    if not items:
        return
    wave = ray.data.from_items(items, override_num_blocks=len(items))
    actors, wrong = ray.data.ActorPoolStrategy(min_size=1, max_size=cpus), ""
    for row in wave.map(RayWorker, fn_constructor_args=arguments, compute=actors, num_cpus=1).iter_rows():
        wrong = wrong or row["wrong"]
        if not wrong:
            yield Block(*map(int, row["block"])), row["data"]
    if wrong:  # raised after the wave: Ray complains of workers that are ended in the middle
        raise ImageryError(wrong)


def check_cluster(address: str) -> None:
    """Raise MissingPackageError without Ray, SettingsError where nobody answers: Ray itself would try for minutes."""
    import_ray()
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return  # ``local``, ``auto``
    try:
        socket.create_connection((host, int(port)), _ANSWER_S).close()
    except OSError as error:
        raise SettingsError(
            f"no Ray cluster answers at --ray {address} ({error}); start one: ray start --head --port {port}"
        ) from None


def import_ray() -> Any:
    """Import Ray with its Data; raises MissingPackageError."""
    try:
        import ray.data
    except ModuleNotFoundError:
        raise MissingPackageError("ray", "ray") from None
    return ray


def _start(ray: Any, address: str) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers, over a network that may not be
    local: dict[str, Any] = {"include_dashboard": False, "object_store_memory": 2 * _WAVE_BYTES}
    ray.init(address, log_to_driver=False, logging_level="ERROR", **(local if address == "local" else {}))
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what goes wrong is raised, and told in one line


@dataclass(slots=True)
class _Wave:
    """Blocks that are given to the cluster at once."""

    items: list[dict[str, Any]] = field(default_factory=list)  # with their pieces of the map
    empty: list[Block] = field(default_factory=list)  # where the map has no tile: nothing to embed

    @property
    def piece_bytes(self) -> int:
        return sum(len(item["piece"]) for item in self.items)


def _waves(job: EmbedJob, imagery: Imagery, blocks: Sequence[Block], most: int) -> Iterator[_Wave]:
    """Yield so many blocks at once as are asked for, fewer where their pieces would fill the memory."""
    wave = _Wave()
    for block in blocks:
        piece = _piece(job, imagery, block)
        if piece:
            wave.items.append({"block": list(block), "piece": piece})
        else:
            wave.empty.append(block)
        if len(wave.items) == most or wave.piece_bytes >= _WAVE_BYTES:
            yield wave
            wave = _Wave()
    yield wave


def _piece(job: EmbedJob, imagery: Imagery, block: Block) -> bytes:
    """Copy the map's tiles under a block's windows as an MBTiles file; nothing where there are none."""
    grid = job.grids[block.level]
    first, last = (grid.window(block.row * BLOCK + i, block.column * BLOCK + i) for i in (0, BLOCK - 1))
    rim = max(first.side_m, last.side_m) / 2 * (1 + _RIM) + 2 * imagery.metres_per_px
    box = Bounds(first.centre.x - rim, first.centre.y - rim, last.centre.x + rim, last.centre.y + rim)
    stored = ((tile, imagery.stored(tile._replace(x=tile.x % (1 << tile.z)))) for tile in tiles_over(box, imagery.zoom))
    held = [(tile, data) for tile, data in stored if data is not None]
    if not held:
        return b""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.mbtiles"
        write_tiles(path, held, {})
        return path.read_bytes()
