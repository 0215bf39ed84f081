"""Rays that meet hills: the fast way against a slow march along each ray."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.geo.camera import Attitude, Camera, ground_from_pixels
from runtime.geo.terrain import FLAT, Terrain
from runtime.types import FloatArray
from tests.runtime.geo.drawn import hills

CAMERA = Camera(1280, 720, np.array([[900.0, 0.0, 639.5], [0.0, 900.0, 359.5], [0.0, 0.0, 1.0]]), np.zeros(5))


def height_at(terrain: Terrain, east_m: float, north_m: float) -> float:
    """Bilinear, a node at a time."""
    rows, columns = terrain.height_m.shape
    x = min(max((east_m - terrain.north_west_en_m[0]) / terrain.step_en_m[0], 0.0), columns - 1.0)
    y = min(max((terrain.north_west_en_m[1] - north_m) / terrain.step_en_m[1], 0.0), rows - 1.0)
    total = 0.0
    for row in (int(y), int(y) + 1):
        for column in (int(x), int(x) + 1):
            weight = max(1 - abs(x - column), 0.0) * max(1 - abs(y - row), 0.0)
            if weight > 0:
                total += weight * float(terrain.height_m[row, column])
    return total


def marched(terrain: Terrain, place: FloatArray, height_m: float, direction: FloatArray) -> FloatArray:
    """The first point of a ray that is not above the ground, 5 cm at a time."""
    east, north, up = *place, height_at(terrain, *place) + height_m
    step = direction / np.linalg.norm(direction) * 0.05
    while up > height_at(terrain, east, north):
        east, north, up = east + step[0], north + step[1], up + step[2]
    return np.array([east, north])


@settings(max_examples=100)
@given(
    seed=st.integers(0, 1000),
    relief_m=st.sampled_from([5.0, 15.0, 40.0]),
    pitch_deg=st.floats(-90, -40),
    yaw_deg=st.floats(0, 360),
    height_m=st.floats(40, 120),
    place=st.tuples(st.floats(-300, 300), st.floats(-300, 300)),
    pixel=st.tuples(st.floats(0, 1279), st.floats(0, 719)),
)
def test_a_ray_meets_the_ground_where_a_march_along_it_does(
    *, seed: int, relief_m: float, pitch_deg: float, yaw_deg: float, height_m: float, place: tuple[float, float],
    pixel: tuple[float, float],
) -> None:  # fmt: skip
    terrain, at = hills(seed, relief_m), np.array(place)
    direction = CAMERA.rays(np.array([pixel])) @ Attitude(2.0, pitch_deg, yaw_deg).enu_from_camera().T
    met = terrain.meet(at, height_m, direction)[0]
    assert met == pytest.approx(marched(terrain, at, height_m, direction[0]), abs=0.1)


@given(place=st.tuples(st.floats(-900, 900), st.floats(-900, 900)), seed=st.integers(0, 9))
def test_heights_are_bilinear_and_go_on_as_at_the_edge(place: tuple[float, float], seed: int) -> None:
    terrain = hills(seed, 30.0)
    assert terrain.up_m(np.array([place]))[0] == pytest.approx(height_at(terrain, *place), abs=1e-9)


@pytest.mark.parametrize("level", [FLAT, Terrain(np.full((5, 4), 433.3), (-50.0, 70.0), (30.0, 31.0))])
def test_level_ground_is_met_as_a_plane_is(level: Terrain) -> None:
    rotation = Attitude(3.0, -30.0, 77.0).enu_from_camera()
    pixel = np.random.default_rng(0).uniform((0, 0), (1279, 719), (200, 2))
    met = level.meet(np.array([12.0, -7.0]), 80.0, CAMERA.rays(pixel) @ rotation.T)
    plane = ground_from_pixels(CAMERA, rotation, 80.0, pixel) + np.array([12.0, -7.0])
    assert met == pytest.approx(plane, abs=1e-9, nan_ok=True)


def test_nothing_is_met_above_the_horizon() -> None:
    directions = np.array([[0.0, 1.0, -0.5], [0.0, 1.0, 0.0], [1.0, 0.0, 0.2]])
    met = hills(3, 40.0).meet(np.zeros(2), 60.0, directions)
    assert np.isfinite(met).all(axis=1).tolist() == [True, False, False]
