"""Embeddings of pictures, for scores: of pairs of views that are rendered, and of all that a benchmark asks for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from runtime.errors import DataError
from runtime.types import Embed, Picture, Tick
from train.data.dataset import Item, PairDataset
from train.data.retrieval_set import RetrievalPicture, RetrievalSet
from train.data.sources.whole_pictures import square
from train.model.encoder import Encoder
from train.scoring.ranking import Ranking, Scores, rank, score

RowsByName: TypeAlias = Mapping[str, NDArray[np.float32]]
"""Embeddings (D,) by the name of their picture."""

VIEWS_SEED = 20_170  # held-out views are the same for every run, whatever its seed
_BATCH = 32
_AHEAD = 2  # batches that are decoded while one is embedded


def score_views(embed: Embed, views: PairDataset, tick: Tick = lambda done, total: None) -> tuple[Scores, Scores]:
    """Score drone to tile, and tile to drone, on the views of epoch 0; raises DataError.

    The scores are those of :func:`view_sets`, with each pair rendered once.
    """
    drone, tile = embed_views(embed, views, tick)
    labels = np.asarray(views.places, np.int64)
    return score(drone, tile, labels, labels), score(tile, drone, labels, labels)


def embed_views(
    embed: Embed, views: PairDataset, tick: Tick = lambda done, total: None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # (N, D) each
    """Embed drone views and tiles of all scenes, as they are in epoch 0; raises DataError."""
    drones, tiles = [], []
    for start in range(0, len(views), _BATCH):
        scenes = range(start, min(start + _BATCH, len(views)))
        drawn = [views.views(Item(0, scene)) for scene in scenes]
        drones.append(embed(np.stack([v.drone for v in drawn])))
        tiles.append(embed(np.stack([v.tile for v in drawn])))
        tick(scenes.stop, len(views))
    return np.concatenate(drones), np.concatenate(tiles)


def view_sets(views: PairDataset) -> list[RetrievalSet]:
    """Make the sets of both directions from the views of epoch 0; a picture is rendered when it is read."""

    def shots(which: Literal["drone", "tile"]) -> list[RetrievalPicture]:
        return [
            RetrievalPicture(f"{place} #{scene} {which}", place, partial(_view, views, scene, which))
            for scene, place in enumerate(views.names)
        ]

    drones, tiles = shots("drone"), shots("tile")
    return [
        RetrievalSet("drone -> tile", drones, tiles, asks_from_drone=True),
        RetrievalSet("tile -> drone", tiles, drones, asks_from_drone=False),
    ]


def _view(views: PairDataset, scene: int, which: Literal["drone", "tile"]) -> Picture:
    """Render one view of a scene; raises DataError."""
    rendered = views.views(Item(0, scene))
    return rendered.drone if which == "drone" else rendered.tile


def embed_shots(
    embed: Embed,
    shots: Sequence[RetrievalPicture],
    side_px: int,
    *,
    workers: int,
    tick: Tick = lambda done, total: None,
) -> NDArray[np.float32]:  # (N, D)
    """Embed pictures, squeezed into a square as every benchmark does; threads decode while the encoder works.

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
) -> RowsByName:
    """Embed every picture of one benchmark once, however many of its sets hold it; raises DataError."""
    shots = {shot.name: shot for s in sets for shot in (*s.queries, *s.gallery)}
    rows = embed_shots(embed, list(shots.values()), side_px, workers=workers, tick=tick)
    return dict(zip(shots, rows, strict=True))


def rank_set(retrieval_set: RetrievalSet, rows: RowsByName, *, top: int = 0) -> Ranking:
    """Rank the gallery for each query, and keep its ``top`` first answers."""
    query, gallery = (stacked(rows, shots) for shots in (retrieval_set.queries, retrieval_set.gallery))
    return rank(query, gallery, *retrieval_set.place_numbers(), top=top)


def stacked(rows: RowsByName, shots: Sequence[RetrievalPicture]) -> NDArray[np.float32]:  # (N, D)
    """Stack the embeddings of some pictures."""
    return np.stack([rows[shot.name] for shot in shots])


def embed_with(encoder: Encoder) -> Embed:
    """Return the encoder as a function of bytes; in eval mode for each call, then in the mode it was in."""
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
    """Cut embeddings to their first ``dim`` numbers, of unit norm again (Kusupati et al., Matryoshka, NeurIPS 2022)."""
    return lambda pictures: _unit(embed(pictures)[:, :dim])


def flipped_too(embed: Embed) -> Embed:
    """Sum the embeddings of a picture and of its mirror image, which public code calls test-time flips."""
    return lambda pictures: _unit(embed(pictures) + embed(np.ascontiguousarray(pictures[:, :, ::-1])))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:  # (N, D) both
    """Scale rows to unit norm."""
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norm, 1e-12), np.float32)


def _decoded(shots: Sequence[RetrievalPicture], side_px: int, workers: int) -> Iterator[list[Future[Picture]]]:
    """Yield batches in order, some of them ahead; OpenCV lets other threads run while it decodes."""
    ahead: deque[list[Future[Picture]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(shots), _BATCH):
            some = shots[start : start + _BATCH]
            ahead.append([pool.submit(_picture, shot, side_px) for shot in some])
            if len(ahead) > _AHEAD:
                yield ahead.popleft()
        yield from ahead


def _picture(shot: RetrievalPicture, side_px: int) -> Picture:
    """Read a picture as a square; raises DataError."""
    return square(shot.read(), side_px)
