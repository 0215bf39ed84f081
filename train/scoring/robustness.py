"""The fall of R@1 where the drone is not as its telemetry says: the queries are changed, one way at a time.

The picture is turned about its middle; scaled as by another altitude (above 1 it shows more ground); or shifted by a
share of its side. What lies outside it is its mirror image, so that no edge gives the change away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from runtime.types import Embed, Picture, Tick
from train.data.retrieval_set import RetrievalPicture, RetrievalSet
from train.figures import BLUE, ORANGE, PURPLE, VERMILLION, new_figure, save_figure, tidy
from train.scoring.embed import embed_shots
from train.scoring.ranking import rank

SweptField: TypeAlias = Literal["turn_deg", "altitude", "shift"]
"""The part of a :class:`Change` that a sweep varies."""

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))  # queries are shifted in directions that are spread evenly


@dataclass(frozen=True, slots=True)
class Change:
    """A turn, a scale and a shift of a picture."""

    turn_deg: float = 0.0  # clockwise
    altitude: float = 1.0  # true over stated
    shift: float = 0.0  # of a side
    towards_rad: float = 0.0

    def __call__(self, picture: Picture) -> Picture:  # both (H, W, 3)
        """Return the changed picture; the same bytes where nothing changes."""
        if (self.turn_deg, self.altitude, self.shift) == (0.0, 1.0, 0.0):
            return picture
        height, width = picture.shape[:2]
        c, s = (self.altitude * f(math.radians(self.turn_deg)) for f in (math.cos, math.sin))
        x, y = (width - 1) / 2, (height - 1) / 2
        right, down = (self.shift * f(self.towards_rad) for f in (math.cos, math.sin))
        source = np.array([[c, s, x - c * x - s * y + right * width], [-s, c, y + s * x - c * y + down * height]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        out = cv2.warpAffine(picture, source, (width, height), flags=how, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(out, np.uint8)


class Sweep(NamedTuple):
    """One way to be wrong, and how far."""

    field: SweptField
    label: str
    values: Sequence[float]


SWEEPS = (
    Sweep("turn_deg", "rotation, degrees", (0, 10, 20, 30, 45, 60, 90, 120, 150, 180)),
    Sweep("altitude", "altitude, true / stated", (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4)),
    Sweep("shift", "shift, share of the footprint", (0.0, 0.1, 0.2, 0.3, 0.4)),
)


@dataclass(frozen=True, slots=True)
class SweepCurve:
    """R@1 over the values of a sweep."""

    values: Sequence[float]
    r1: Sequence[float]  # one a value


Curves: TypeAlias = Mapping[SweptField, SweepCurve]


def measure_robustness(
    embed: Embed,
    retrieval_set: RetrievalSet,
    gallery: NDArray[np.float32],  # (G, D) unit-norm
    side_px: int,
    *,
    queries: int,
    workers: int,
    tick: Tick = lambda done, total: None,
) -> Curves:
    """Measure R@1 over each sweep, of at most so many queries spread evenly over the set; raises DataError."""
    places, gallery_places = retrieval_set.place_numbers()
    chosen = np.unique(np.linspace(0, len(places) - 1, min(queries, len(places))).round().astype(np.int64))
    total, done = len(chosen) * sum(len(sweep.values) for sweep in SWEEPS), 0
    curves: dict[SweptField, SweepCurve] = {}
    for sweep in SWEEPS:
        r1: list[float] = []
        for value in sweep.values:
            shots = [_changed(retrieval_set.queries[k], k, sweep.field, value) for k in chosen]
            rows = embed_shots(embed, shots, side_px, workers=workers)
            done += len(shots)
            tick(done, total)
            r1.append(rank(rows, gallery, places[chosen], gallery_places).scores().r1)
        curves[sweep.field] = SweepCurve(sweep.values, r1)
    return curves


def plot_robustness(curves: Mapping[str, Curves], path: Path) -> None:
    """Draw R@1 of each set (by its name) over each sweep, as PNG."""
    figure = new_figure(3.6 * len(SWEEPS), 3.2, "R@1 of queries that are turned, scaled or shifted")
    panels = figure.subplots(1, len(SWEEPS), sharey=True)
    for axes, sweep in zip(panels, SWEEPS, strict=True):
        for number, (name, set_curves) in enumerate(curves.items()):
            curve = set_curves[sweep.field]
            colour, marker = _STYLES[number % len(_STYLES)]
            axes.plot(curve.values, curve.r1, color=colour, marker=marker, markersize=4, linewidth=1.2, label=name)
        tidy(axes, xlabel=sweep.label)
        axes.set_ylim(0, 1.02)
    panels[0].set_ylabel("R@1", fontsize=9)
    panels[0].legend(fontsize=7, frameon=False)
    save_figure(figure, path)


_STYLES = ((BLUE, "o"), (VERMILLION, "s"), (PURPLE, "^"), (ORANGE, "D"))


def _changed(shot: RetrievalPicture, number: int, field: SweptField, value: float) -> RetrievalPicture:
    """Return the query with its picture changed when it is read."""
    change = replace(Change(towards_rad=_GOLDEN_ANGLE * number), **{field: value})
    return replace(shot, read=partial(_read_changed, shot, change))


def _read_changed(shot: RetrievalPicture, change: Change) -> Picture:
    """Read a picture and change it; raises DataError."""
    return change(shot.read())
