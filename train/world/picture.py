"""A plan of land, painted and lit as on a date."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from runtime.types import Picture
from train.world.canvas import Canvas
from train.world.covers import Date
from train.world.light import lit
from train.world.noise import patches, rows
from train.world.objects import paint_building, paint_cars, paint_trees
from train.world.plan import Area, Plan, Strip
from train.world.streets import PAVEMENT_M


class _Rows(NamedTuple):
    """How a cover is tilled: spacing of rows, their strength, spacing of tramlines (0: none)."""

    spacing_m: float
    strength: float
    tramline_m: float = 0.0


_TILLED = {
    "crop_wheat": _Rows(1.1, 0.045, 21.0),
    "crop_maize": _Rows(1.5, 0.12),
    "crop_beet": _Rows(1.3, 0.10, 27.0),
    "crop_rape": _Rows(1.2, 0.055, 24.0),
    "crop_bare": _Rows(0.9, 0.065),
    "crop_clover": _Rows(2.2, 0.045),
    "meadow": _Rows(2.6, 0.04),
    "soil": _Rows(0.8, 0.12),
    "turf": _Rows(5.5, 0.0),
}


def paint(plan: Plan, date: Date, gsd_m: float) -> Picture:  # (H, W, 3), north up
    """Paint the world as on a date, ``gsd_m`` ground metres a pixel."""
    canvas = Canvas(plan.width_m, plan.height_m, gsd_m)
    canvas.colour[:] = date.covers["grass"].rgb
    canvas.rough[:] = date.covers["grass"].rough
    for item in plan.ground:
        _paint_ground(canvas, item, date)
    whole = [replace(road, trim_m=(0.0, 0.0)) for road in plan.roads]
    for road in whole:
        if road.cover != "dirt":
            canvas.draw(road, date.covers["pavement"], widen_m=2 * PAVEMENT_M)
    for road in whole:
        canvas.draw(road, date.covers[road.cover])
    for item in plan.markings:
        _paint_ground(canvas, item, date)
    for building in plan.buildings:
        paint_building(canvas, building, date)
    paint_cars(canvas, plan.slots, date)
    paint_trees(canvas, plan, date)
    return lit(canvas, date, plan.seed)


def _paint_ground(canvas: Canvas, item: Area | Strip, date: Date) -> None:
    """Paint an area or a strip, tilled where its cover is."""
    if isinstance(item, Strip):
        canvas.draw(item, date.covers[item.cover])
        return
    canvas.fill(item.outline, date.covers[item.cover], 0.0)
    if item.cover in _TILLED:
        _till(canvas, item, _TILLED[item.cover], date)


def _till(canvas: Canvas, area: Area, style: _Rows, date: Date) -> None:
    """Paint patches of better and worse soil, which last, and rows and tramlines, which are new on each date."""
    masked = canvas.mask(area.outline)
    if masked is None:
        return
    *at, inside = masked
    rng = np.random.default_rng((area.seed, date.seed))
    x = (np.arange(at[1].start, at[1].stop, dtype=np.float32) + 0.5) * np.float32(canvas.gsd_m)
    y = (np.arange(at[0].start, at[0].stop, dtype=np.float32)[:, None] + 0.5) * np.float32(canvas.gsd_m)
    c, s = np.float32(np.cos(area.along_rad)), np.float32(np.sin(area.along_rad))
    along, across = x * c + y * s, y * c - x * s
    across += np.float32(rng.uniform(0, 1.5)) * np.sin(along / np.float32(rng.uniform(25, 60)))
    tone = 1 + np.float32(style.strength) * rows(across, style.spacing_m, rng)
    tone += np.float32(0.025) * rows(across, 9.0, rng)
    tone += np.float32(0.05) * patches(inside.shape, canvas.gsd_m, 26.0, np.random.default_rng(area.seed))
    if area.cover == "turf":
        tone += np.float32(0.045) * np.sign(np.sin(across * np.float32(np.pi / style.spacing_m)))
    if style.tramline_m:
        phase = (across + np.float32(rng.uniform(0, 20))) % np.float32(style.tramline_m)
        tone[np.abs(np.abs(phase - style.tramline_m / 2) - 0.95) < 0.28] *= np.float32(0.86)
    colour = canvas.colour[at[0], at[1]]
    colour[inside] = np.clip(colour[inside] * tone[inside][:, None], 0, 255).astype(np.uint8)
