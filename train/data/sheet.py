"""A picture of pairs as the trainer gets them: the quickest way to see that a new data set is right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from runtime.files import whole_file
from runtime.types import Picture

_COLUMNS = 4  # pairs in a row
_GAP_PX, _SEAM_PX, _LABEL_PX = 10, 2, 16
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


class LabelledPair(NamedTuple):
    """A drone's picture and a tile of one place, (S, S, 3) both, under the place's name."""

    label: str
    drone: Picture
    tile: Picture


def write_sheet(path: Path, pairs: Sequence[LabelledPair]) -> None:
    """Write a PNG of pairs, drone left and tile right; all pictures are squares of one side."""
    cells = [_cell(*pair) for pair in pairs]
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % min(_COLUMNS, len(cells)))
    columns = min(_COLUMNS, len(cells))
    rows = [np.hstack(cells[k : k + columns]) for k in range(0, len(cells), columns)]
    _, data = cv2.imencode(".png", cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
    with whole_file(path) as partial:
        partial.write_bytes(data.tobytes())


def _cell(label: str, drone: Picture, tile: Picture) -> Picture:
    """Draw one pair with its label above."""
    seam = np.full((len(drone), _SEAM_PX, 3), _PAPER, np.uint8)
    pair = np.hstack([drone, seam, tile])
    pair = cv2.copyMakeBorder(pair, _LABEL_PX, _GAP_PX, 0, _GAP_PX, cv2.BORDER_CONSTANT, value=_PAPER)
    fits = 2 * drone.shape[1] // 6  # characters; the end of a name tells places apart
    text = label if len(label) <= fits else f"..{label[-(fits - 2) :]}"
    cv2.putText(pair, text, (0, _LABEL_PX - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.33, _INK, 1, cv2.LINE_AA)
    return np.asarray(pair, np.uint8)
