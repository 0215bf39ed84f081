"""Painters of what stands up: buildings, cars, trees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from runtime.types import FloatImage, Mask
from train.world.canvas import Canvas, CanvasWindow
from train.world.covers import CARS, Date, Paint
from train.world.noise import patches
from train.world.plan import Building, Plan, Slot, Tree

_CROWNS_A_SIZE = 6
_BUILT_SINCE = 37  # one building in so many stands on the later date alone
_RENEWED = 0.06  # share of roofs that were covered anew between the dates


def paint_building(canvas: Canvas, building: Building, date: Date) -> None:
    """Paint roof, ridge, gutters, and what stands on the roof."""
    window = _window(canvas, building)
    if window is None or (date.seed == 1 and building.seed % _BUILT_SINCE == 0):
        return
    rng = np.random.default_rng(building.seed)
    renewed = rng.random() < _RENEWED and date.seed == 2
    new = "roof_red" if building.rise_m > 0 else "roof_white"
    paint = date.covers[new if renewed else building.roof]
    colour = np.array(paint.rgb) * (1 + 0.06 * rng.standard_normal(3) * (1, 0.6, 0.6))
    along, across = np.abs(window.along_m), np.abs(window.across_m)
    to_end, to_eave = building.length_m / 2 - along, building.width_m / 2 - across
    courses = 1 + 0.05 * np.cos(2 * np.pi * window.across_m / rng.uniform(0.6, 1.1))  # of tiles, or seams of sheets
    if building.rise_m > 0:
        height = _pitched(building, to_end, to_eave)
        tone = np.select([across < 0.16, to_eave < 0.28], [1.14, 0.86], 1.0)  # ridge, gutter
    else:
        rim = (to_end < 0.35) | (to_eave < 0.35)
        height = np.where(rim, building.eave_m + 0.5, building.eave_m)
        tone = np.where(rim, 1.12, 1.0)
    weather = 1 + 0.05 * np.sin(window.along_m * rng.uniform(0.3, 0.9) + rng.uniform(0, 6))
    shade = (tone * courses * weather)[..., None]
    _put(canvas, window, (to_end >= 0) & (to_eave >= 0), colour * shade, height=height, rough=paint.rough)
    (_on_a_house if building.rise_m > 0 else _on_a_flat_roof)(canvas, building, date, rng)


def _window(canvas: Canvas, building: Building) -> CanvasWindow | None:
    """Return the pixels about a building; None where it lies outside."""
    half = building.length_m / 2, building.width_m / 2
    return canvas.window(building.x, building.y, building.along_rad, *half)


def _pitched(building: Building, to_end: NDArray[np.floating], to_eave: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the height of a pitched roof, which falls from the ridge to the eaves, and to the ends if hipped."""
    slope = to_eave / (building.width_m / 2)
    if building.hipped:
        slope = np.minimum(slope, to_end / (building.width_m / 2))
    height: NDArray[np.floating] = building.eave_m + building.rise_m * np.clip(slope, 0, 1)
    return height


def _on_a_house(canvas: Canvas, house: Building, date: Date, rng: np.random.Generator) -> None:
    """Paint a chimney, and panels or skylights on one slope."""
    side = float(rng.choice([-1.0, 1.0]))
    if rng.random() < 0.7:
        at = rng.uniform(-0.3, 0.3) * house.length_m, side * 0.08 * house.width_m
        _box(canvas, house, at, (0.9, 0.7), paint=date.covers["roof_brown"], up_m=1.2)
    if rng.random() < 0.22 and house.width_m > 6:
        size = rng.uniform(0.4, 0.8) * house.length_m, 0.28 * house.width_m
        _box(canvas, house, (0, -side * 0.25 * house.width_m), size, paint=date.covers["panel"], up_m=0.1)
    elif rng.random() < 0.4:
        for share in np.linspace(-0.25, 0.25, int(rng.integers(2, 4))):
            at = share * house.length_m, -side * 0.25 * house.width_m
            _box(canvas, house, at, (0.9, 1.2), paint=date.covers["glass"], up_m=0.05)


def _on_a_flat_roof(canvas: Canvas, hall: Building, date: Date, rng: np.random.Generator) -> None:
    """Paint units, and rooflights or panels in rows on the larger roofs."""
    area_m2 = hall.length_m * hall.width_m
    for _ in range(int(rng.poisson(min(area_m2 / 110, 12)))):
        u, v = rng.uniform(-0.4, 0.4, 2) * (hall.length_m, hall.width_m)
        length, width, up = rng.uniform(1.0, 3.2, 3)
        paint = date.covers[str(rng.choice(["roof_metal", "roof_white", "roof_grey"]))]
        _box(canvas, hall, (u, v), (length, width), paint=paint, up_m=0.55 * up)
    if area_m2 > 500 and rng.random() < 0.75:
        paint = date.covers[str(rng.choice(["glass", "roof_white", "panel"]))]
        for u in np.arange(4 - hall.length_m / 2, hall.length_m / 2 - 3, rng.uniform(5, 8)):
            _box(canvas, hall, (u, 0), (1.6, hall.width_m * 0.6), paint=paint, up_m=0.25)


def _box(
    canvas: Canvas,
    on: Building,
    at: tuple[float, float],
    size: tuple[float, float],
    *,
    paint: Paint,
    up_m: float,
) -> None:
    """Paint a small box on a roof, in the building's coordinates."""
    c, s = np.cos(on.along_rad), np.sin(on.along_rad)
    x, y = on.x + c * at[0] - s * at[1], on.y + s * at[0] + c * at[1]
    window = _window(canvas, replace(on, x=x, y=y, length_m=size[0], width_m=size[1]))
    if window is None:
        return
    inside = (np.abs(window.along_m) <= size[0] / 2) & (np.abs(window.across_m) <= size[1] / 2)
    height = canvas.height[window.rows, window.columns] + np.float32(up_m)
    _put(canvas, window, inside, np.array(paint.rgb, float), height=height, rough=paint.rough)


def _put(
    canvas: Canvas,
    window: CanvasWindow,
    inside: Mask,  # (h, w)
    colour: NDArray[np.floating],  # (h, w, 3), or (3,)
    *,
    height: NDArray[np.floating],  # (h, w)
    rough: int,
) -> None:
    """Write colour, roughness and height into the pixels of an object."""
    at = window.rows, window.columns
    colour = np.broadcast_to(colour, (*inside.shape, 3))
    canvas.colour[at][inside] = np.clip(colour[inside], 0, 255).astype(np.uint8)
    canvas.rough[at][inside] = rough
    canvas.height[at][inside] = height[inside]


def paint_cars(canvas: Canvas, slots: Sequence[Slot], date: Date) -> None:
    """Paint cars in a share of the slots, others on each date."""
    for slot in slots:
        rng = np.random.default_rng((slot.seed, date.seed))
        if rng.random() > date.occupancy:
            continue
        half_length, half_width = rng.uniform(1.95, 2.45), rng.uniform(0.85, 0.97)
        dx, dy = rng.normal(0, 0.15, 2)
        heading = slot.along_rad + rng.normal(0, 0.03) + np.pi * rng.integers(2)
        window = canvas.window(slot.x + dx, slot.y + dy, heading, half_length, half_width)
        if window is None:
            continue
        along, across = window.along_m / half_length, np.abs(window.across_m) / half_width
        body = (np.abs(along) <= 1) & (across <= 1) & (along**4 + across**4 < 1.5)
        cabin = (along > -0.75) & (along < 0.35) & (across < 0.86)
        glass = cabin & ((along > 0.1) | (along < -0.55) | (across > 0.72))
        colour = np.where(glass[..., None], (34, 38, 44), CARS[rng.integers(len(CARS))])
        _put(canvas, window, body, colour, height=np.where(cabin, 1.45, 0.85), rough=3)


def paint_trees(canvas: Canvas, plan: Plan, date: Date) -> None:
    """Paint crowns: lumpy domes, the higher over the lower."""
    rng = np.random.default_rng((plan.seed, 77))
    crowns: dict[int, list[FloatImage]] = {}
    for tree in plan.trees:
        shade = (1 + 0.07 * rng.standard_normal(3) * (1, 0.4, 0.5)) * (1 + 0.13 * rng.standard_normal())
        which = int(rng.integers(_CROWNS_A_SIZE))
        radius_px = max(3, round(tree.radius_m / canvas.gsd_m))
        if radius_px not in crowns:
            # The same crowns at any resolution: the seed knows decimetres, not pixels.
            decimetres = round(10 * radius_px * canvas.gsd_m)
            crowns[radius_px] = [_crown(radius_px, canvas.gsd_m, (decimetres, k)) for k in range(_CROWNS_A_SIZE)]
        _paint_tree(canvas, tree, crowns[radius_px][which], date.covers[tree.kind], shade)


def _crown(radius_px: int, gsd_m: float, seed: tuple[int, int]) -> FloatImage:
    """Return (2R+1, 2R+1) the height of a crown, about 0..1; 0 is outside."""
    rng = np.random.default_rng(seed)
    side = 2 * radius_px + 1
    x = np.linspace(-1, 1, side)
    angle, radius = np.arctan2(x[:, None], x), np.hypot(x[:, None], x)
    edge = np.full((side, side), 0.86)
    for k in (2, 3, 5, 7):
        edge += rng.normal(0, 0.16 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    dome = np.sqrt(np.clip(1 - (radius / np.clip(edge, 0.5, 1)) ** 2, 0, 1))
    boughs, twigs = (patches((side, side), gsd_m, scale_m, rng) for scale_m in (1.1, 0.5))
    lumps = (0.16 * boughs + 0.07 * twigs) * np.minimum(1, 2.5 * dome)
    crown = np.where(dome > 0.02, np.clip(dome + lumps, 0.05, 1.4), 0)
    return crown.astype(np.float32)


def _paint_tree(canvas: Canvas, tree: Tree, crown: FloatImage, paint: Paint, shade: NDArray[np.float64]) -> None:
    """Paint a crown where it stands above what is there."""
    radius_px = crown.shape[0] // 2
    row, column = round(tree.y / canvas.gsd_m - 0.5) - radius_px, round(tree.x / canvas.gsd_m - 0.5) - radius_px
    top, left = max(row, 0), max(column, 0)
    crown = crown[top - row :, left - column :][: max(canvas.shape[0] - top, 0), : max(canvas.shape[1] - left, 0)]
    at = slice(top, top + crown.shape[0]), slice(left, left + crown.shape[1])
    # The underside of a crown hangs at about half of the tree's height.
    height = np.where(crown > 0, tree.height_m * (0.45 + 0.55 * crown), 0)
    above = height > canvas.height[at]
    colour = np.array(paint.rgb) * shade * (0.82 + 0.25 * crown[..., None])
    canvas.colour[at][above] = np.clip(colour[above], 0, 255).astype(np.uint8)
    canvas.rough[at][above] = paint.rough
    canvas.height[at][above] = height[above]
