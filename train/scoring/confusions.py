"""Mistakes of an encoder as a grid of pictures: the query, its first answers, and what would have been right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from runtime.types import Picture
from train.figures import FAINT, GREEN, INK, VERMILLION, new_figure, save_figure

_CELL_IN, _CELL_PX = 1.45, 192


class Miss(NamedTuple):
    """A query that was answered wrongly, in indices of queries and gallery."""

    query: int
    answers: tuple[int, ...]  # best first
    truth: int  # the most similar of the right ones
    truth_rank: int  # 1 is first; wrong ones that are as similar come before it


class Answer(NamedTuple):
    """A picture of the gallery beside a query."""

    picture: Picture
    similarity: float  # cosine
    right: bool
    name: str = ""  # by which a person finds it again


@dataclass(frozen=True, slots=True)
class Confusion:
    """One row of the grid: a query with its answers."""

    query: Picture
    answers: Sequence[Answer]  # best first
    truth: Answer
    truth_rank: int  # 1 is first
    name: str = ""  # by which a person finds the query again


def worst_misses(
    similarity: NDArray[np.float32],  # (Q, G) cosine
    right: NDArray[np.bool_],  # (Q, G) True where the gallery picture shows the query's place
    *,
    count: int = 8,
    answers: int = 5,
) -> list[Miss]:
    """Find the surest mistakes: those whose best wrong answer is farthest ahead of the best right one, which is first.

    Queries that were answered rightly, or have no right answer at all, are left out. NaN is as dissimilar as can be.
    """
    known = np.nan_to_num(np.asarray(similarity, np.float32), nan=-2.0)
    best_right = np.where(right, known, -np.inf).max(axis=1)
    lead = np.where(right, -np.inf, known).max(axis=1) - np.where(right.any(axis=1), best_right, np.inf)  # (Q,)
    worst = [int(q) for q in np.argsort(-lead, kind="stable")[:count] if lead[q] >= 0]
    misses = []
    for q in worst:
        order = np.lexsort((right[q], -known[q]))[:answers]  # among equals, wrong before right
        truth = int(np.where(right[q], known[q], -np.inf).argmax())
        rank = 1 + int((~right[q] & (known[q] >= known[q, truth])).sum())
        misses.append(Miss(q, tuple(int(g) for g in order), truth, rank))
    return misses


def confusion_grid(confusions: Sequence[Confusion], path: Path, *, title: str = "") -> None:
    """Draw the rows as a PNG: query, answers in a dashed red frame or a solid green one, and the right picture.

    Without rows the picture says that nothing was answered wrongly.
    """
    columns = 2 + max((len(row.answers) for row in confusions), default=1)
    height_in = (_CELL_IN + 0.4) * max(len(confusions), 1) + 0.5
    figure = new_figure(_CELL_IN * columns + 0.3, height_in, title)
    if not confusions:
        figure.text(0.5, 0.45, "no query was answered wrongly", ha="center", color=INK)
    cells = figure.subplots(max(len(confusions), 1), columns, squeeze=False)
    for axes in cells.flat:
        axes.set_axis_off()
    for line, row in zip(cells, confusions, strict=False):
        _show(line[0], row.query, _label("query", row.name), INK)
        for place, (axes, answer) in enumerate(zip(line[1:-1], row.answers, strict=False), 1):
            _show_answer(axes, answer, f"{place}.")
        _show_answer(line[-1], row.truth, f"right one, {row.truth_rank}.")
    save_figure(figure, path)


def _show_answer(axes: Any, answer: Answer, label: str) -> None:
    """Draw an answer in a frame that says whether it is right."""
    mark = "\N{CHECK MARK}" if answer.right else "\N{BALLOT X}"  # not by colour alone
    colour = GREEN if answer.right else VERMILLION
    _show(axes, answer.picture, _label(f"{mark} {label}  {answer.similarity:.2f}", answer.name), colour)
    dashes: Any = "-" if answer.right else (0, (3, 1.5))
    height, width = axes.images[0].get_array().shape[:2]
    frame = Rectangle((-0.5, -0.5), width, height, fill=False, linewidth=3.5, edgecolor=colour, linestyle=dashes)
    frame.set_clip_on(False)
    axes.add_patch(frame)


def _show(axes: Any, picture: Picture, label: str, colour: str) -> None:
    """Draw a picture with a label over it."""
    shrink = _CELL_PX / max(picture.shape[:2])
    if shrink < 1:
        picture = np.asarray(cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    axes.imshow(picture)
    axes.set_title(label, fontsize=7.5, color=colour, pad=4)
    if colour == INK:
        height, width = picture.shape[:2]
        axes.add_patch(Rectangle((-0.5, -0.5), width, height, fill=False, edgecolor=FAINT, clip_on=False))


def _label(text: str, name: str, most: int = 24) -> str:
    """Return the text, and under it the end of a long name: files of one folder begin alike."""
    short = name if len(name) <= most else f"{name[:4]}\N{HORIZONTAL ELLIPSIS}{name[-(most - 5) :]}"
    return f"{text}\n{short}" if name else text
