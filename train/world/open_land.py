"""Uses of a block that lie open: parks, pitches, gardens, fields, woods, farms."""

from __future__ import annotations

import itertools

import numpy as np

from runtime.types import FloatArray
from train.world.plan import blob, lengths, rectangle, turned
from train.world.site import Site

_CROPS = ("crop_wheat", "crop_wheat", "crop_maize", "crop_beet", "crop_rape", "crop_bare", "crop_clover", "meadow")
_WOOD = ("oak", "beech", "oak", "beech", "lime")
_SPACING_M = 4.3  # of trees in a wood
_BARNS = (  # along the street, away from it, turn, length, width, roof
    (-16.0, 2.0, 0.5, 24.0, 12.0, "roof_brown"),
    (4.0, 15.0, 0.0, 30.0, 13.0, "roof_grey"),
    (17.0, -4.0, 0.5, 15.0, 10.0, "roof_terracotta"),
)


def park(site: Site) -> None:
    """Fill a block with lawn, winding paths, a pond and trees in groups."""
    front = site.fronts()[0]
    long, deep = front.length_m, front.depth_m
    short = min(long, deep)
    site.cover("grass", site.outline())
    ring = blob(front.xy(long / 2, deep / 2), 0.4 * short, site.rng, min(1.4, (long / deep) ** 0.5))
    site.strip("gravel", np.concatenate([ring, ring[:2]]), 2.4)
    for s, t in ((0.0, deep * 0.3), (long, deep * 0.6), (long * 0.4, 0.0), (long * 0.7, deep)):
        gate = front.xy(s, t)
        nearest = ring[int(np.hypot(*(ring - gate).T).argmin())]
        site.strip("gravel", _curve(nearest, gate, site.rng), 2.0)
    middle = front.xy(long * site.uniform(0.42, 0.58), deep * site.uniform(0.42, 0.58))
    shore = blob(middle, 0.2 * short, site.rng, 1.25)
    site.cover("bank", (shore - middle) * 1.1 + middle)
    site.cover("pond", shore)
    for _ in range(int(long * deep / 160)):
        xy = front.xy(site.uniform(2, long - 2), site.uniform(2, deep - 2))
        on_path = np.hypot(*(shore - xy).T).min() < 4 or np.hypot(*(ring - xy).T).min() < 3
        if not on_path and not _inside(shore, xy):
            _plant(site, xy, 3.4)


def pitch(site: Site) -> None:
    """Fill a block with a running track around a football field, and a stand."""
    front = site.fronts()[0]
    s, t = front.length_m / 2, front.depth_m / 2
    middle, angle = front.xy(s, t), front.along_rad(s, t)
    site.cover("grass", site.outline())
    scale = min((front.length_m - 8) / 130, (front.depth_m - 6) / 78, 1.0)
    long, deep = 104 * scale, 62 * scale
    site.cover("court_red", _stadium(long + 16 * scale, deep + 12 * scale, angle, middle))
    for k in range(3):
        ring = _stadium(long + (13 - 4 * k) * scale, deep + (9 - 4 * k) * scale, angle, middle)
        site.strip("line", np.concatenate([ring, ring[:1]]), 0.12)
    site.cover("turf", _stadium(long + 1, deep - 3 * scale, angle, middle), angle + np.pi / 2)
    for length, width, shift in ((0.8, 0.78, 0.0), (0.13, 0.44, 0.335), (0.13, 0.44, -0.335), (0.002, 0.78, 0.0)):
        x, y = middle + np.array([np.cos(angle), np.sin(angle)]) * shift * long
        site.strip("line", _closed(rectangle(x, y, angle, length * long, width * deep)), 0.16)
    circle = np.linspace(0, 2 * np.pi, 40)
    site.strip("line", np.column_stack([np.cos(circle), np.sin(circle)]) * 9.15 * scale + middle, 0.16)
    site.build(front.xy(s, front.depth_m - 3.0), angle, (26, 5), roof="roof_metal", eave_m=4.5)


def allotments(site: Site) -> None:
    """Fill a block with small plots, each tilled otherwise, with huts."""
    front = site.fronts()[0]
    site.cover("grass", site.outline())
    for t in np.arange(2, front.depth_m - 9, 13.0):
        site.strip("gravel", front.line(1, t + 11.6, front.length_m - 1, t + 11.6), 1.3)
        s = 2.0
        while s < front.length_m - 8:
            width = site.uniform(6, 10)
            angle = front.along_rad(s, t)
            cover = site.pick("soil", "crop_beet", "lawn", "crop_clover", "lawn_dry", "crop_bare")
            plot = front.patch(s, t, s + width - 0.7, t + site.uniform(8, 10.6))
            site.cover(cover, plot, angle + np.pi / 2 * site.rng.integers(2))
            if site.chance(0.6):
                roof = site.pick("roof_brown", "roof_tar", "roof_red", "roof_metal")
                site.build(front.xy(s + width / 2, t + 8.5), angle, (3.4, 2.6), roof=roof, eave_m=2.2, rise_m=0.5)
            if site.chance(0.6):
                _plant(site, front.xy(s + 1, t + 3), 1.6)
            s += width


def fields(site: Site) -> None:
    """Fill a block with up to four parcels, each with its crop and its rows; hedgerows between some."""
    front = site.front()
    cuts = np.sort(site.rng.uniform(0.2, 0.8, int(site.rng.integers(1, 4))))
    site.cover("grass", site.outline())
    for s0, s1 in itertools.pairwise([0.0, *(cuts * front.length_m), front.length_m]):
        if s1 - s0 < 14:
            continue
        along = front.along_rad((s0 + s1) / 2, front.depth_m / 2) + float(site.rng.normal(0, 0.08))
        parcel = front.patch(s0 + 0.8, 0.8, s1 - 0.8, front.depth_m - 0.8)
        site.cover(site.pick(*_CROPS), parcel, along + (np.pi / 2 if site.chance(0.67) else 0.0))
        if site.chance(0.3):
            _hedgerow(site, front.across(s1, 2, front.depth_m - 2))
    for t in (0.0, front.depth_m):
        if site.chance(0.25):
            _hedgerow(site, front.line(4, t, front.length_m * site.uniform(0.4, 1), t))


def wood(site: Site) -> None:
    """Fill a block with crowns of many sizes close together, a ragged edge, a clearing and a stand of spruce."""
    outline = site.outline()
    middle = outline.mean(axis=0)
    site.cover("meadow", outline)
    round_edge = blob(np.zeros(2), 0.62, site.rng) * site.block.size
    edge = turned(round_edge, site.bend.along_rad(*site.block.centre)) + middle
    site.cover("floor", edge)
    clearing, spruces = (middle + site.rng.normal(0, spread, 2) * site.block.size for spread in (0.18, 0.3))
    low, high = edge.min(axis=0), edge.max(axis=0)
    for x, y in itertools.product(np.arange(low[0], high[0], _SPACING_M), np.arange(low[1], high[1], _SPACING_M)):
        xy = np.array([x, y]) + site.rng.uniform(-1.7, 1.7, 2)
        bare = np.hypot(*(xy - clearing)) < 11 or site.chance(0.05)
        if bare or not (_inside(edge, xy) and _inside(outline, xy)):
            continue
        if np.hypot(*(xy - spruces)) < 24 and site.chance(0.9):
            site.plant(xy, "spruce", 2.2, 15.0)
        else:
            radius = _radius(site, 3.1)
            site.plant(xy, site.pick(*_WOOD), radius, 5 + 2 * radius)


def orchard(site: Site) -> None:
    """Fill a block with fruit trees in rows on a meadow."""
    front = site.fronts()[0]
    site.cover("meadow", site.outline(), front.along_rad(front.length_m / 2, front.depth_m / 2))
    for t, s in itertools.product(np.arange(5, front.depth_m - 4, 8.5), np.arange(5, front.length_m - 4, 7.5)):
        if site.chance(0.88):
            radius = site.uniform(1.5, 2.7)
            xy = front.xy(s, t) + site.rng.normal(0, 0.4, 2)
            site.plant(xy, "cherry" if site.chance(0.7) else "lime", radius, 1.5 + 1.3 * radius)


def farm(site: Site) -> None:
    """Fill a block with fields, and barns about a yard in their corner."""
    fields(site)
    front = site.front()
    s, t = min(38.0, front.length_m / 2), min(28.0, front.depth_m / 2)
    yard, angle = front.xy(s, t), front.along_rad(s, t)
    site.cover("lawn", blob(yard, 32, site.rng, 1.1))
    site.cover("gravel", blob(yard, 19, site.rng, 1.1))
    site.strip("dirt", front.across(s, -1, t), 3.5)
    for ds, dt, turn, length, width, roof in _BARNS:
        along = angle + turn * np.pi + float(site.rng.normal(0, 0.04))
        site.build(front.xy(s + ds, t + dt), along, (length, width), roof=roof, eave_m=5.0, rise_m=width * 0.3)
    for _ in range(9):
        _plant(site, yard + site.rng.normal(0, 24, 2), 2.8)


def _radius(site: Site, mean_m: float) -> float:
    """Draw the radius of a crown, metres."""
    return float(site.rng.gamma(9, mean_m / 9)) + 0.4


def _plant(site: Site, xy: FloatArray, mean_radius_m: float) -> None:
    """Plant a tree of a park or a hedge."""
    site.plant(xy, site.pick("oak", "lime", "beech", "lime", "cherry"), _radius(site, mean_radius_m))


def _hedgerow(site: Site, line: FloatArray) -> None:
    """Draw bushes and trees along a line."""
    site.strip("scrub", line, 3.0)
    for xy in line[:: int(site.rng.integers(1, 3))]:
        if site.chance(0.85):
            _plant(site, xy + site.rng.normal(0, 0.8, 2), site.uniform(1.3, 3.0))


def _curve(start: FloatArray, end: FloatArray, rng: np.random.Generator) -> FloatArray:  # (20, 2)
    """Draw a quadratic Bezier curve."""
    middle = (start + end) / 2 + rng.normal(0, 0.18, 2) * np.hypot(*(end - start))
    u = np.linspace(0, 1, 20)[:, None]
    curve: FloatArray = (1 - u) ** 2 * start + 2 * u * (1 - u) * middle + u**2 * end
    return curve


def _stadium(length_m: float, width_m: float, angle: float, middle: FloatArray) -> FloatArray:  # (64, 2)
    """Return the outline of two straights and two half circles."""
    radius, straight = width_m / 2, (length_m - width_m) / 2
    turn = np.linspace(-np.pi / 2, np.pi / 2, 32)
    right = np.column_stack([straight + radius * np.cos(turn), radius * np.sin(turn)])
    return turned(np.concatenate([right, -right]), angle) + middle


def _closed(corners: FloatArray) -> FloatArray:  # (N, 2)
    """Return the line around a polygon with a point every half metre: corners of its band stay sharp."""
    ring = np.concatenate([corners, corners[:1]])
    length = lengths(ring)
    at = np.arange(0, length[-1] + 0.5, 0.5)
    return np.column_stack([np.interp(at, length, ring[:, 0]), np.interp(at, length, ring[:, 1])])


def _inside(outline: FloatArray, xy: FloatArray) -> bool:
    """Tell whether a point (2,) is inside an outline, by the even-odd rule."""
    (x0, y0), (x1, y1) = outline.T, np.roll(outline, -1, axis=0).T
    crosses = (y0 > xy[1]) != (y1 > xy[1])
    right_of = x0 + (x1 - x0) * (xy[1] - y0) / np.where(y1 == y0, 1, y1 - y0) > xy[0]
    return bool(np.count_nonzero(crosses & right_of) % 2)
