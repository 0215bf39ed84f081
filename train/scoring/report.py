"""What an evaluation leaves behind: a table for people, JSON and CSV for programs, pictures of what went wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.files import write_text_whole
from train.data.retrieval_set import RetrievalSet
from train.scoring.confusions import Answer, Confusion, Miss, confusion_grid, worst_misses
from train.scoring.embed import Rows, stacked
from train.scoring.ranking import Ranking

_ROWS = 8
_LOOKED_AT = 64  # queries whose similarities are computed again to choose the surest mistakes among
_COLUMNS = ("R@1", "step", "R@5", "R@10", "R@1%", "AP")  # step: by how much one query moves R@1


def set_scores(ranking: Ranking, distances: Mapping[str, Any] | None) -> dict[str, Any]:
    """The scores of one set as plain values; ``step`` is by how much one query moves R@1."""
    scores = ranking.scores()
    return {**asdict(scores), "step": 1 / scores.queries, **({"distances": distances} if distances else {})}


def table_lines(sets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line a set, and one for its distances where they are known; in plain text."""
    width = max(map(len, sets))
    lines = []
    for name, s in sets.items():
        shares = "  ".join(f"{column} {share}" for column, share in zip(_COLUMNS, _shares(s), strict=True))
        lines.append(f"{name:>{width}}: {shares}  ({s['queries']} queries, gallery {s['gallery']})")
        if "distances" in s:
            lines.append(f"{'':{width}}  {_distances(s['distances'])}")
    return lines


def print_table(sets: Mapping[str, Mapping[str, Any]]) -> None:
    """The same for a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for column in (*_COLUMNS, "queries", "gallery"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, s in sets.items():
        table.add_row(name, *_shares(s), str(s["queries"]), str(s["gallery"]))
    console = Console()
    console.print(table)
    for name, s in sets.items():
        if "distances" in s:
            console.print(f"{name}: {_distances(s['distances'])}", markup=False, highlight=False)


def write_places(path: Path, found: Sequence[tuple[RetrievalSet, Ranking]]) -> None:
    """CSV with a line for each place of each set: how many queries it has, their R@1 and AP; worst first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["set", "place", "queries", "r1", "ap"])
    for asked, ranking in found:
        names, place = np.unique([shot.place for shot in asked.queries], return_inverse=True)
        count = np.bincount(place)
        r1 = np.bincount(place, ranking.first < 1) / count
        ap = np.bincount(place, ranking.ap) / count
        for k in np.lexsort((ap, r1)):
            writer.writerow([asked.name, names[k], count[k], f"{r1[k]:.4f}", f"{ap[k]:.4f}"])
    write_text_whole(path, text.getvalue())


def draw_failures(path: Path, asked: RetrievalSet, ranking: Ranking, rows: Rows) -> None:
    """The surest mistakes, each of another place, as PNG: the query, its first answers, and the right one."""
    places, gallery_places = asked.place_numbers()
    looked_at = _worst_of_each_place(ranking.first, places)[:_LOOKED_AT]
    queries = [asked.queries[q] for q in looked_at]
    right = places[looked_at, None] == gallery_places  # (N, G)
    similarity = stacked(rows, queries) @ stacked(rows, asked.gallery).T if queries else np.empty(right.shape)

    def answer(miss: Miss, g: int) -> Answer:
        shot = asked.gallery[g]
        return Answer(shot.read(), float(similarity[miss.query, g]), bool(right[miss.query, g]), shot.name)

    confusions = [
        Confusion(
            queries[miss.query].read(),
            [answer(miss, g) for g in miss.answers],
            answer(miss, miss.truth),
            miss.truth_rank,
            queries[miss.query].name,
        )
        for miss in worst_misses(similarity, right, count=_ROWS)
    ]
    confusion_grid(confusions, path, title=f"{asked.name}: surest mistakes")


def _worst_of_each_place(first: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The query of each place whose right answer comes last, where it comes at all and not first; worst first."""
    wrong = np.flatnonzero((first >= 1) & np.isfinite(first))
    order = wrong[np.argsort(-first[wrong], kind="stable")]
    _, once = np.unique(places[order], return_index=True)
    return order[np.sort(once)]


def _shares(s: Mapping[str, Any]) -> list[str]:
    r1, *others = (f"{s[name]:.2%}" for name in ("r1", "r5", "r10", "r1_percent", "ap"))
    return [r1, f"{100 * s['step']:.2g}%", *others]


def _distances(distances: Mapping[str, Any]) -> str:
    error_m = distances["error_m"]
    shares = "  ".join(f"{name.replace('_', ' ')} {error_m[name]:.1%}" for name in error_m if name.startswith("within"))
    sdm = "  ".join(f"SDM@{k} {distances[f'sdm{k}_degrees']:.4f}" for k in (1, 3, 5) if f"sdm{k}_degrees" in distances)
    return f"{sdm}  first answer off by {error_m['median']:.1f} m (median), {error_m['mean']:.1f} m (mean)  {shares}"
