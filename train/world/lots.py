"""Uses of a block that are built: houses with gardens, flats, shops, halls."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from train.world.plan import blob, rectangle
from train.world.site import Site

_PITCHED = ("roof_terracotta", "roof_terracotta", "roof_red", "roof_brown", "roof_brown", "roof_slate", "roof_slate")
_FLAT = ("roof_gravel", "roof_gravel", "roof_tar", "roof_white", "roof_green", "roof_grey")
_HALL = ("roof_metal", "roof_metal", "roof_white", "roof_blue", "roof_grey", "roof_red")
_GARDEN_TREES = ("oak", "lime", "cherry", "beech", "spruce", "lime")
_BAY_M = 2.55


class _Lot(NamedTuple):
    """A strip of a block between its neighbours, from the street to the back."""

    s0: float
    s1: float
    depth_m: float


def houses(site: Site) -> None:
    """Fill a block with lots along both long streets, or along one where the block is thin."""
    fronts = site.fronts()
    site.cover("lawn", site.outline())
    deep = fronts[0].depth_m > 36
    depth = fronts[0].depth_m / (2 if deep else 1)
    for front in fronts if deep else fronts[:1]:
        roofs = front.pick(*_PITCHED), front.pick(*_PITCHED), front.pick(*_PITCHED, "roof_grey", "roof_tan")
        setback, s = front.uniform(3.0, 6.5), front.uniform(0, 2)
        while s < front.length_m - 11:
            width = front.uniform(13.5, 20)
            if front.length_m - s - width < 11:
                width = front.length_m - s
            _lot(front, _Lot(s, s + width, depth), setback, front.pick(*roofs))
            s += width


def _lot(front: Site, lot: _Lot, setback: float, roof: str) -> None:
    """Fill a lot with a house, its drive, its borders and its garden."""
    s0, s1, depth = lot
    front.cover(front.pick("lawn", "lawn", "lawn_dry", "lawn_lush"), front.patch(s0, 0, s1, depth))
    _borders(front, lot)
    if front.chance(0.04):  # nobody has built here yet
        _plant(front, (s0, s1), (2, depth - 2), 7)
        return
    length, width = min(front.uniform(9, 13.5), s1 - s0 - 4), front.uniform(7.5, 9.8)
    left = front.chance(0.5)
    room = ((s1 - s0 - length) / 2 - 0.8) * front.uniform(0.3, 1)
    s, t = (s0 + s1) / 2 + (room if left else -room), setback + width / 2 + front.uniform(-1, 2.5)
    drive = s0 + 1.9 if left else s1 - 1.9
    front.strip(front.pick("paving", "asphalt_old", "gravel", "paving"), front.across(drive, -1.5, t), 3.0)
    front.strip("paving", front.across(s, -0.5, t), 1.2)
    front.slot(drive, t - 4.0)
    _house(front, (s, t), (length, width), roof)
    back = t + width / 2
    if front.chance(0.6):
        front.cover("paving", front.patch(s - length / 3, back, s + length / 4, back + front.uniform(2, 4)))
    if depth - back > 9:
        _garden(front, lot, back + 4)
    _plant(front, (s0, s1), (back + 2, depth - 1), int(front.rng.poisson(1.8)))
    _plant(front, (s0, s1), (1, max(1.5, t - width / 2 - 2)), int(front.rng.poisson(0.4)))


def _borders(front: Site, lot: _Lot) -> None:
    """Draw hedges and walls around a lot, by chance."""
    s0, s1, depth = lot
    if front.chance(0.65):
        front.strip("hedge", front.across(s0, 1, depth - 0.5), front.uniform(0.7, 1.3), 1.6)
    if front.chance(0.5):
        front.strip("hedge", front.line(s0, depth, s1, depth), 1.0, 1.8)
    if front.chance(0.35):
        front.strip("wall", front.line(s0, 0.2, s1, 0.2), 0.35, 1.0)


def _house(front: Site, at: tuple[float, float], size: tuple[float, float], roof: str) -> None:
    """Build a pitched roof, now and then turned, with a wing or a garage."""
    (s, t), (length, width) = at, size
    angle = front.along_rad(s, t) + float(front.rng.normal(0, 0.025))
    if length < width + 1.5 and front.chance(0.4):
        angle += np.pi / 2
    eave, rise = front.uniform(3.4, 6.2), width * front.uniform(0.26, 0.42)
    hipped = front.chance(0.22)
    front.build(front.xy(s, t), angle, size, roof=roof, eave_m=eave, rise_m=rise, hipped=hipped)
    if front.chance(0.3):
        wing = front.xy(s + front.uniform(-0.25, 0.25) * length, t + width * 0.5)
        size = width, width * 0.62
        front.build(wing, angle + np.pi / 2, size, roof=roof, eave_m=eave - 0.4, rise_m=rise * 0.6)
    elif front.chance(0.5):
        roof = front.pick("roof_gravel", "roof_tar")
        front.build(front.xy(s + length / 2 + 1.4, t + 1.5), angle, (3.2, 6.0), roof=roof, eave_m=2.6)


def _garden(front: Site, lot: _Lot, start: float) -> None:
    """Put a pool, a shed, a bed of vegetables, or nothing behind a house."""
    s, t = front.uniform(lot.s0 + 3.5, lot.s1 - 3.5), front.uniform(start, lot.depth_m - 3)
    (x, y), angle = front.xy(s, t), front.along_rad(s, t)
    thing = front.uniform(0, 1)
    if thing < 0.12:
        front.cover("paving", rectangle(x, y, angle, 9, 5.6))
        front.cover("pool", rectangle(x, y, angle, 7, 3.6))
    elif thing < 0.42:
        front.build(np.array([x, y]), angle, (3.2, 2.4), roof="roof_brown", eave_m=2.1, rise_m=0.6)
    elif thing < 0.66:
        front.cover(front.pick("soil", "crop_beet"), rectangle(x, y, angle, 6, 3.5), angle)
    elif thing < 0.74:
        front.cover("glass", blob(np.array([x, y]), 1.6, front.rng))


def _plant(front: Site, span: tuple[float, float], depth: tuple[float, float], count: int) -> None:
    """Plant trees of gardens and of kerbs, somewhere in a rectangle."""
    for _ in range(count):
        if span[1] - span[0] < 4 or depth[1] <= depth[0]:
            return
        radius = float(front.rng.gamma(4, 0.55)) + 0.7
        xy = front.xy(front.uniform(span[0] + 1, span[1] - 1), front.uniform(*depth))
        front.plant(xy, front.pick(*_GARDEN_TREES), radius, 1.5 + 1.7 * radius)


def flats(site: Site) -> None:
    """Fill a block with slabs with flat roofs in lawn, and a row of parking."""
    front = site.front()
    site.cover("lawn", site.outline())
    _car_park(front, (2, front.length_m - 2), 1.0, 1)
    roof, height = front.pick(*_FLAT), front.uniform(8, 14)
    t = 16.0 + front.uniform(0, 4)
    while t < front.depth_m - 8:
        length = min(front.length_m - 10, front.uniform(26, 58))
        s = front.length_m / 2 + front.uniform(-0.5, 0.5) * (front.length_m - 10 - length)
        size = length, front.uniform(10.5, 13)
        front.build(front.xy(s, t), front.along_rad(s, t), size, roof=roof, eave_m=height)
        front.strip("paving", front.line(3, t - 9, front.length_m - 3, t - 9), 1.8)
        _plant(front, (2, front.length_m - 2), (t - 12, t - 8), 6)
        t += front.uniform(26, 32)
    _plant(front, (1, front.length_m - 1), (front.depth_m - 5, front.depth_m - 1), 8)


def _car_park(front: Site, span: tuple[float, float], t0: float, lanes: int) -> float:
    """Draw ``lanes`` double rows of bays, from ``t0`` on; one lane is a single row. Returns the depth, metres."""
    depth = 16.5 * lanes if lanes > 1 else 11.5
    front.cover("asphalt_old", front.patch(span[0], t0, span[1], t0 + depth))
    rows = [t0 + 2.6] if lanes == 1 else [t0 + 16.5 * lane + at for lane in range(lanes) for at in (2.6, 13.9)]
    for t in rows:
        for s in np.arange(span[0] + 1.5, span[1] - 2.5, _BAY_M):
            front.strip("line", front.across(s, t - 2.4, t + 2.4), 0.14)
            front.slot(s + _BAY_M / 2, t)
    return depth


def shop(site: Site) -> None:
    """Fill a block with a supermarket behind its car park."""
    front = site.front()
    site.cover("lawn_dry", site.outline())
    depth = _car_park(front, (3, front.length_m - 3), 2.0, 2 if front.depth_m > 62 else 1)
    front.cover("concrete", front.patch(2, depth + 2, front.length_m - 2, front.depth_m - 2))
    hall = max(front.depth_m - depth - 8, 10)
    s, t = front.length_m / 2, depth + 4 + hall / 2
    size = front.length_m - front.uniform(9, 20), hall
    front.build(front.xy(s, t), front.along_rad(s, t), size, roof=front.pick(*_FLAT), eave_m=6.5)
    _plant(front, (2, front.length_m - 2), (0.5, 1.5), 9)


def industry(site: Site) -> None:
    """Fill a block with halls of several sizes on a paved yard, with containers and cars."""
    front = site.front()
    site.cover(site.pick("concrete", "asphalt_old"), site.outline())
    s = 4.0
    while s < front.length_m - 16:
        length = min(front.uniform(18, 46), front.length_m - s - 4)
        width = front.uniform(0.42, 0.72) * front.depth_m
        behind = front.chance(0.6)
        t = front.depth_m - 3 - width / 2 if behind else 3 + width / 2
        at, angle = front.xy(s + length / 2, t), front.along_rad(s + length / 2, t)
        rise = width * 0.09 if front.chance(0.4) else 0.0
        front.build(at, angle, (length, width), roof=front.pick(*_HALL), eave_m=front.uniform(5, 9), rise_m=rise)
        free = (4.0, front.depth_m - width - 8) if behind else (width + 8, front.depth_m - 4)
        if free[1] - free[0] > 3:
            for _ in range(int(front.rng.poisson(6))):
                _stored(front, front.uniform(s, s + length), front.uniform(*free))
        s += length + front.uniform(5, 14)


def _stored(front: Site, s: float, t: float) -> None:
    """Put a car or a container on the yard."""
    turn = np.pi / 2 * front.rng.integers(2)
    if front.chance(0.5):
        front.slot(s, t, turn)
        return
    roof = front.pick("roof_blue", "roof_red", "roof_grey", "roof_tan", "roof_white")
    size = (6.1, 2.44) if front.chance(0.5) else (12.2, 2.44)
    front.build(front.xy(s, t), front.along_rad(s, t) + turn, size, roof=roof, eave_m=2.6)
