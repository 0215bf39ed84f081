"""An encoder's retrieval scores: on pairs of views for a run's validation, and on all that a benchmark asks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.errors import DataError
from runtime.types import Embed, Picture, Tick
from train.data.dataset import Item, PairDataset
from train.data.retrieval_set import RetrievalSet, Shot
from train.data.sources.whole_pictures import square
from train.model.encoder import Encoder
from train.scoring.ranking import Ranking, Scores, rank, score

Rows = Mapping[str, NDArray[np.float32]]  # names of pictures to (D,)

VIEWS_SEED = 20_170  # held-out views are the same for every run, whatever its seed
_BATCH = 32
_AHEAD = 2  # batches that are decoded while one is embedded


def score_views(embed: Embed, views: PairDataset, tick: Tick = lambda done, total: None) -> tuple[Scores, Scores]:
    """Drone to tile, and tile to drone, on the views of epoch 0; no test-time flips.

    The same scores as of :func:`~train.data.retrieval_set.view_sets`, with each pair rendered once.
    """
    drone, tile = embed_views(embed, views, tick)
    labels = np.asarray(views.places, np.int64)
    return score(drone, tile, labels, labels), score(tile, drone, labels, labels)


def embed_views(
    embed: Embed, views: PairDataset, tick: Tick = lambda done, total: None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # (N, D) each
    """Drone views and tiles of all scenes, as they are in epoch 0."""
    drones, tiles = [], []
    for start in range(0, len(views), _BATCH):
        scenes = range(start, min(start + _BATCH, len(views)))
        drawn = [views.views(Item(0, scene)) for scene in scenes]
        drones.append(embed(np.stack([v.drone for v in drawn])))
        tiles.append(embed(np.stack([v.tile for v in drawn])))
        tick(scenes.stop, len(views))
    return np.concatenate(drones), np.concatenate(tiles)


def view_sets(views: PairDataset) -> list[RetrievalSet]:
    """Drone to tile, and tile to drone, on the views of epoch 0; a picture is rendered when it is read."""

    def shots(which: Literal["drone", "tile"]) -> list[Shot]:
        return [
            Shot(f"{place} #{scene} {which}", place, partial(_view, views, scene, which))
            for scene, place in enumerate(views.names)
        ]

    drones, tiles = shots("drone"), shots("tile")
    return [
        RetrievalSet("drone -> tile", drones, tiles, asks_from_drone=True),
        RetrievalSet("tile -> drone", tiles, drones, asks_from_drone=False),
    ]


def _view(views: PairDataset, scene: int, which: Literal["drone", "tile"]) -> Picture:
    seen = views.views(Item(0, scene))
    return seen.drone if which == "drone" else seen.tile


def embed_shots(
    embed: Embed,
    shots: Sequence[Shot],
    side_px: int,
    *,
    workers: int,
    tick: Tick = lambda done, total: None,
) -> NDArray[np.float32]:  # (N, D)
    """A row for each picture, squeezed into a square as every benchmark does; threads decode while the encoder works.

    Raises DataError that counts the pictures that cannot be read: a score without them would be of another set.
    """
    rows: list[NDArray[np.float32]] = []
    broken: list[str] = []
    for batch in _decoded(shots, side_px, workers):
        pictures = []
        for picture in batch:
            try:
                pictures.append(picture.result())
            except DataError as error:
                broken.append(str(error))
        if not broken:  # else only count the others
            rows.append(embed(np.stack(pictures)))
            tick(sum(map(len, rows)), len(shots))
    if broken:
        raise DataError(f"{len(broken)} of {len(shots)} pictures cannot be scored; the first: {broken[0]}")
    return np.concatenate(rows)


def embed_sets(
    embed: Embed, sets: Sequence[RetrievalSet], side_px: int, *, workers: int, tick: Tick = lambda done, total: None
) -> Rows:
    """Every picture of one benchmark once, however many of its sets hold it; raises DataError."""
    shots = {shot.name: shot for one in sets for shot in (*one.queries, *one.gallery)}
    rows = embed_shots(embed, list(shots.values()), side_px, workers=workers, tick=tick)
    return dict(zip(shots, rows, strict=True))


def rank_set(asked: RetrievalSet, rows: Rows, *, top: int = 0) -> Ranking:
    """What becomes of each query, and its ``top`` first answers."""
    return rank(stacked(rows, asked.queries), stacked(rows, asked.gallery), *asked.place_numbers(), top=top)


def stacked(rows: Rows, shots: Sequence[Shot]) -> NDArray[np.float32]:  # (N, D)
    """The rows of some pictures."""
    return np.stack([rows[shot.name] for shot in shots])


def embed_with(encoder: Encoder) -> Embed:
    """The encoder as a function of bytes; in eval mode for each call, then in the mode it was in."""
    device = encoder.mean.device

    @torch.inference_mode()
    def embed(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        was_training = encoder.training
        encoder.eval()
        rows: NDArray[np.float32] = encoder(torch.from_numpy(pictures).to(device)).cpu().numpy()
        encoder.train(was_training)
        return rows

    return embed


def shortened(embed: Embed, dim: int) -> Embed:
    """The first ``dim`` numbers of each embedding, of unit norm again (Kusupati et al., Matryoshka, NeurIPS 2022)."""
    return lambda pictures: _unit(embed(pictures)[:, :dim])


def flipped_too(embed: Embed) -> Embed:
    """The sum of the embeddings of a picture and of its mirror image: what public code calls test-time flips."""
    return lambda pictures: _unit(embed(pictures) + embed(np.ascontiguousarray(pictures[:, :, ::-1])))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norm, 1e-12), np.float32)


def _decoded(shots: Sequence[Shot], side_px: int, workers: int) -> Iterator[list[Future[Picture]]]:
    """Batches in order; OpenCV lets other threads run while it decodes."""
    ahead: deque[list[Future[Picture]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(shots), _BATCH):
            some = shots[start : start + _BATCH]
            ahead.append([pool.submit(_picture, shot, side_px) for shot in some])
            if len(ahead) > _AHEAD:
                yield ahead.popleft()
        yield from ahead


def _picture(shot: Shot, side_px: int) -> Picture:
    return square(shot.read(), side_px)
