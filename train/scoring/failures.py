"""Which queries of a set were answered wrongly: the surest mistakes as pictures, and the scores of each place."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runtime.files import write_text_whole
from train.data.retrieval_set import RetrievalSet
from train.scoring.confusions import Answer, Confusion, Miss, confusion_grid, worst_misses
from train.scoring.embed import RowsByName, stacked
from train.scoring.ranking import Ranking

_ROWS = 8
_CHOSEN_AMONG = 64  # queries whose similarities are computed again to choose the surest mistakes among


def write_places(path: Path, results: Sequence[tuple[RetrievalSet, Ranking]]) -> None:
    """Write a CSV line for each place of each set: how many queries it has, their R@1 and AP; worst first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "place", "queries", "r1", "ap"])
    for retrieval_set, ranking in results:
        names, place = np.unique([shot.place for shot in retrieval_set.queries], return_inverse=True)
        count = np.bincount(place)
        r1 = np.bincount(place, ranking.first < 1) / count
        ap = np.bincount(place, ranking.ap) / count
        for k in np.lexsort((ap, r1)):
            writer.writerow([retrieval_set.name, names[k], count[k], f"{r1[k]:.4f}", f"{ap[k]:.4f}"])
    write_text_whole(path, text.getvalue())


def draw_failures(path: Path, retrieval_set: RetrievalSet, ranking: Ranking, rows: RowsByName) -> None:
    """Draw the surest mistakes, each of another place, as PNG: the query, its first answers, and the right one."""
    title = f"{retrieval_set.name}: surest mistakes"
    confusion_grid(surest_confusions(retrieval_set, ranking, rows), path, title=title)


def surest_confusions(retrieval_set: RetrievalSet, ranking: Ranking, rows: RowsByName) -> list[Confusion]:
    """Read the pictures of the surest mistakes, each of another place, the surest first; raises DataError."""
    places, gallery_places = retrieval_set.place_numbers()
    chosen = _worst_of_each_place(ranking.first, places)[:_CHOSEN_AMONG]
    queries = [retrieval_set.queries[q] for q in chosen]
    right = places[chosen, None] == gallery_places  # (N, G)
    gallery = stacked(rows, retrieval_set.gallery)
    similarity = stacked(rows, queries) @ gallery.T if queries else np.empty(right.shape, np.float32)

    def answer(miss: Miss, g: int) -> Answer:
        shot = retrieval_set.gallery[g]
        return Answer(shot.read(), float(similarity[miss.query, g]), bool(right[miss.query, g]), shot.name)

    return [
        Confusion(
            queries[miss.query].read(),
            [answer(miss, g) for g in miss.answers],
            answer(miss, miss.truth),
            miss.truth_rank,
            queries[miss.query].name,
        )
        for miss in worst_misses(similarity, right, count=_ROWS)
    ]


def _worst_of_each_place(first: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find each place's query whose right answer comes last, where it comes at all and not first; worst first."""
    wrong = np.flatnonzero((first >= 1) & np.isfinite(first))
    order = wrong[np.argsort(-first[wrong], kind="stable")]
    _, once = np.unique(places[order], return_index=True)
    return order[np.sort(once)]
