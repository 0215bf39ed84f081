"""The look of the land on a date: colours of covers, the sun, and the sensor's colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Paint(NamedTuple):
    """A colour without light, and the per cent by which texture changes it."""

    rgb: tuple[int, int, int]
    rough: int


@dataclass(frozen=True, slots=True)
class Date:
    """One day on which the world is seen."""

    name: str
    day: str  # ISO 8601
    seed: int  # parked cars, changed roofs
    sun_azimuth_deg: float  # where the sun stands, clockwise from north
    sun_elevation_deg: float
    covers: Mapping[str, Paint]
    occupancy: float  # share of the parking slots taken
    sun: tuple[float, float, float]  # light on a flat surface from the sun
    sky: tuple[float, float, float]  # and from the sky: what shadows get
    gain: tuple[float, float, float]  # the sensor's colours
    gamma: float
    haze: float  # share of light from the air between
    saturation: float


_LASTING: Mapping[str, Paint] = {
    "asphalt": Paint((112, 111, 110), 9),
    "asphalt_old": Paint((134, 131, 126), 11),
    "pavement": Paint((160, 155, 147), 9),
    "paving": Paint((170, 158, 144), 10),
    "concrete": Paint((172, 169, 161), 10),
    "gravel": Paint((168, 158, 141), 16),
    "dirt": Paint((158, 138, 108), 20),
    "sand": Paint((200, 182, 146), 12),
    "line": Paint((220, 218, 210), 6),
    "court_red": Paint((165, 88, 66), 6),
    "court_blue": Paint((70, 105, 140), 5),
    "pool": Paint((92, 170, 186), 5),
    "soil": Paint((112, 87, 63), 28),
    "bank": Paint((120, 112, 84), 34),
    "ballast": Paint((128, 116, 106), 24),
    "rail": Paint((176, 166, 158), 6),
    "wall": Paint((160, 152, 140), 10),
    "roof_terracotta": Paint((158, 88, 62), 15),
    "roof_red": Paint((142, 66, 50), 14),
    "roof_brown": Paint((110, 80, 64), 15),
    "roof_slate": Paint((84, 86, 94), 12),
    "roof_grey": Paint((128, 124, 120), 12),
    "roof_tan": Paint((168, 140, 110), 14),
    "roof_white": Paint((214, 213, 208), 6),
    "roof_metal": Paint((172, 182, 188), 6),
    "roof_blue": Paint((92, 122, 152), 6),
    "roof_gravel": Paint((150, 145, 136), 12),
    "roof_tar": Paint((84, 82, 82), 10),
    "roof_green": Paint((112, 128, 84), 22),
    "glass": Paint((120, 150, 150), 8),
    "panel": Paint((38, 46, 70), 5),
}

SUMMER = Date(
    name="summer",
    day="2023-06-24",
    seed=1,
    sun_azimuth_deg=138.0,
    sun_elevation_deg=54.0,
    covers=dict(
        _LASTING,
        lawn=Paint((104, 122, 66), 26),
        lawn_dry=Paint((136, 134, 84), 26),
        lawn_lush=Paint((84, 114, 58), 22),
        grass=Paint((108, 122, 70), 36),
        meadow=Paint((124, 136, 76), 34),
        turf=Paint((86, 126, 62), 12),
        scrub=Paint((82, 94, 54), 48),
        floor=Paint((70, 78, 46), 44),
        water=Paint((62, 74, 60), 11),
        pond=Paint((70, 80, 58), 11),
        crop_wheat=Paint((186, 164, 104), 14),
        crop_maize=Paint((84, 112, 52), 24),
        crop_beet=Paint((94, 126, 58), 22),
        crop_rape=Paint((150, 146, 88), 18),
        crop_bare=Paint((150, 122, 92), 18),
        crop_clover=Paint((104, 132, 66), 20),
        hedge=Paint((62, 84, 42), 40),
        oak=Paint((70, 94, 44), 30),
        lime=Paint((88, 114, 52), 28),
        beech=Paint((62, 88, 48), 30),
        cherry=Paint((96, 104, 58), 28),
        spruce=Paint((42, 64, 44), 30),
    ),
    occupancy=0.5,
    sun=(0.80, 0.77, 0.70),
    sky=(0.30, 0.34, 0.40),
    gain=(1.0, 1.02, 0.98),
    gamma=0.96,
    haze=0.03,
    saturation=0.94,
)

AUTUMN = Date(
    name="autumn",
    day="2024-09-29",
    seed=2,
    sun_azimuth_deg=222.0,
    sun_elevation_deg=41.0,
    covers=dict(
        _LASTING,
        lawn=Paint((112, 124, 62), 26),
        lawn_dry=Paint((150, 142, 92), 26),
        lawn_lush=Paint((92, 118, 54), 22),
        grass=Paint((128, 128, 74), 36),
        meadow=Paint((138, 138, 82), 34),
        turf=Paint((98, 128, 60), 12),
        scrub=Paint((106, 98, 54), 48),
        floor=Paint((90, 78, 48), 44),
        water=Paint((68, 72, 56), 11),
        pond=Paint((74, 76, 52), 11),
        crop_wheat=Paint((168, 140, 104), 22),
        crop_maize=Paint((150, 138, 84), 24),
        crop_beet=Paint((96, 122, 52), 24),
        crop_rape=Paint((132, 104, 76), 22),
        crop_bare=Paint((122, 124, 72), 20),
        crop_clover=Paint((112, 130, 60), 20),
        hedge=Paint((78, 84, 42), 40),
        oak=Paint((96, 98, 46), 30),
        lime=Paint((126, 122, 54), 28),
        beech=Paint((110, 94, 48), 30),
        cherry=Paint((132, 96, 56), 28),
        spruce=Paint((46, 64, 42), 30),
    ),
    occupancy=0.62,
    sun=(0.88, 0.80, 0.69),
    sky=(0.31, 0.34, 0.40),
    gain=(1.03, 1.0, 0.95),
    gamma=1.02,
    haze=0.06,
    saturation=0.86,
)

CARS: tuple[tuple[int, int, int], ...] = (
    (232, 232, 230), (226, 226, 226), (60, 62, 66), (40, 41, 45), (150, 154, 158), (176, 180, 184),
    (120, 30, 30), (44, 68, 116), (90, 98, 104), (206, 200, 186), (66, 84, 72), (168, 60, 44),
)  # fmt: skip
