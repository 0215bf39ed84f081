"""Light follows the sun: Lambert on slopes, shadows as long as the sun is low, and away from it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.world.canvas import Canvas
from train.world.covers import AUTUMN, SUMMER, Date
from train.world.light import lit, shading, sunlit

GSD_M = 0.25


def date(azimuth_deg: float, elevation_deg: float) -> Date:
    return replace(SUMMER, sun_azimuth_deg=azimuth_deg, sun_elevation_deg=elevation_deg)


def slope(east: float, south: float) -> tuple[np.ndarray, np.ndarray]:
    return np.full((1, 1), east, np.float32), np.full((1, 1), south, np.float32)


@given(st.floats(-1.2, 1.2), st.floats(-1.2, 1.2), st.floats(0, 360), st.floats(20, 80))
def test_shading_is_the_cosine_between_the_slopes_normal_and_the_sun(
    east: float, south: float, azimuth_deg: float, elevation_deg: float
) -> None:
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    sun = np.array([math.sin(azimuth), math.cos(azimuth), math.tan(elevation)])  # east, north, up
    normal = np.array([-east, south, 1.0])
    cosine = sun @ normal / np.linalg.norm(sun) / np.linalg.norm(normal)
    want = np.clip(cosine / math.sin(elevation), 0.0, 1.6)  # 1 on the flat
    got = float(shading(slope(east, south), date(azimuth_deg, elevation_deg))[0, 0])
    assert got == pytest.approx(want, abs=1e-4)


def test_flat_land_is_lit_as_it_is_and_a_slope_towards_the_sun_more() -> None:
    morning = date(90.0, 30.0)
    assert float(shading(slope(0.0, 0.0), morning)[0, 0]) == 1.0
    assert float(shading(slope(-0.3, 0.0), morning)[0, 0]) > 1.2, "it falls to the east, where the sun stands"
    assert float(shading(slope(0.3, 0.0), morning)[0, 0]) < 0.8


def wall(height_m: float = 6.0) -> np.ndarray:
    """A thin wall from north to south in the middle of 60 m by 30 m."""
    height = np.zeros((120, 240), np.float32)
    height[:, 118:122] = height_m
    return height


@pytest.mark.parametrize("elevation_deg", [25.0, 45.0, 60.0])
@pytest.mark.parametrize("azimuth_deg", [90.0, 270.0])
def test_a_wall_throws_a_shadow_away_from_the_sun_as_long_as_it_stands_low(
    azimuth_deg: float, elevation_deg: float
) -> None:
    light = sunlit(wall(), GSD_M, date(azimuth_deg, elevation_deg))[60]
    shadow = light < 0.5
    away, towards = (shadow[:118], shadow[122:]) if azimuth_deg == 90 else (shadow[122:], shadow[:118])
    assert away.sum() * GSD_M == pytest.approx(6.0 / math.tan(math.radians(elevation_deg)), abs=1.0)
    assert not towards.any()


def test_a_shadow_is_what_a_slow_march_towards_the_sun_meets() -> None:
    rng = np.random.default_rng(1)
    height = np.zeros((120, 160), np.float32)
    for _ in range(6):
        y, x = rng.integers(20, 100), rng.integers(20, 140)
        height[y - 6 : y + 6, x - 6 : x + 6] = rng.uniform(3, 9)
    when = date(130.0, 40.0)
    light = sunlit(height, GSD_M, when)
    azimuth, climb = math.radians(130.0), 0.25 * math.tan(math.radians(40.0))
    agree = []
    for row in range(2, 118, 4):
        for column in range(2, 158, 4):
            hidden = 0.0
            for step in range(1, 120):
                y, x = round(row - math.cos(azimuth) * step), round(column + math.sin(azimuth) * step)
                if not (0 <= y < 120 and 0 <= x < 160):
                    break
                hidden = max(hidden, float(height[y, x]) - climb * step - float(height[row, column]))
            agree.append((light[row, column] < 0.5) == (hidden > 0.4))
    assert np.mean(agree) > 0.95


def test_flat_land_has_no_shadow() -> None:
    assert (sunlit(np.zeros((80, 80), np.float32), GSD_M, SUMMER) == 1.0).all()


def canvas() -> Canvas:
    made = Canvas(40.0, 30.0, GSD_M)
    made.colour[:] = (120, 120, 120)
    made.rough[:] = 5
    return made


def test_a_picture_is_darker_in_the_shadow_of_a_house_and_bluer() -> None:
    built = canvas()
    built.height[40:80, 60:100] = 8.0
    picture = lit(built, SUMMER, 3).astype(float)
    shadow = sunlit(built.height, GSD_M, SUMMER) < 0.05
    ground = built.height == 0
    dark, bright = picture[shadow & ground].mean(axis=0), picture[~shadow & ground].mean(axis=0)
    assert dark.mean() < 0.75 * bright.mean()
    assert dark[2] / dark[0] > bright[2] / bright[0], "the sky is bluer than the sun"


def test_hills_last_and_grain_does_not() -> None:
    same_day = [lit(canvas(), SUMMER, 3) for _ in range(2)]
    assert np.array_equal(*same_day)
    autumn = lit(canvas(), replace(AUTUMN, sun=SUMMER.sun, sky=SUMMER.sky, gain=SUMMER.gain, gamma=SUMMER.gamma,
                                   haze=SUMMER.haze, saturation=SUMMER.saturation,
                                   sun_azimuth_deg=SUMMER.sun_azimuth_deg,
                                   sun_elevation_deg=SUMMER.sun_elevation_deg), 3)  # fmt: skip
    other_place = lit(canvas(), SUMMER, 4)

    def slow(picture: np.ndarray) -> np.ndarray:
        """What is left of a picture when 5 m by 5 m are taken together."""
        grey = picture.mean(axis=2)
        return grey.reshape(6, 20, 8, 20).mean(axis=(1, 3)).ravel()

    assert not np.array_equal(autumn, same_day[0])
    lasting, foreign = (np.corrcoef(slow(same_day[0]), slow(p))[0, 1] for p in (autumn, other_place))
    assert lasting > 0.8
    assert lasting > foreign + 0.3
