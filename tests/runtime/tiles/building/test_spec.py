"""One identity of a build: whatever changes a byte of the cache changes the fingerprint, and nothing else does."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from runtime.errors import SettingsError
from runtime.maps.heights import DemSource
from runtime.maps.mosaic import MapCredit
from runtime.tiles.building.spec import BuildSpec


class Named:
    """Only its name and precision are asked for: nothing is embedded here."""

    def __init__(self, sha256: str = "ab" * 32, precision: str = "fp32") -> None:
        self.encoder_sha256, self.precision = sha256, precision


MAPS = [(MapCredit("town", "2024", "us"), "11" * 32), (MapCredit("edge", "2020", "them"), "22" * 32)]
SPEC = BuildSpec(footprints_m=(45.0, 64.0), stride_m=None, accuracy_ce90_m=8.5)


def printed(spec: BuildSpec = SPEC, engine: Named | None = None, maps: object = MAPS, dem: object = None) -> str:
    """Return a fingerprint as the workspace keeps it."""
    return json.dumps(spec.fingerprint(engine or Named(), maps, dem), sort_keys=True)  # type: ignore[arg-type]


def test_whatever_changes_a_byte_changes_the_fingerprint() -> None:
    others = [
        printed(replace(SPEC, footprints_m=(45.0, 90.0))),
        printed(replace(SPEC, stride_m=10.0)),
        printed(replace(SPEC, accuracy_ce90_m=5.0)),
        printed(engine=Named("cd" * 32)),
        printed(engine=Named(precision="int8")),
        printed(maps=MAPS[:1]),
        printed(maps=MAPS[::-1]),
        printed(maps=[(MapCredit("town", "2025", "us"), "11" * 32), MAPS[1]]),
        printed(maps=[(MAPS[0][0], "33" * 32), MAPS[1]]),
        printed(dem=DemSource("hills", "44" * 32)),
        printed(dem=DemSource("hills", "55" * 32)),
    ]
    assert len({printed(), *others}) == len(others) + 1


def test_what_says_the_same_has_the_same_fingerprint() -> None:
    assert printed(replace(SPEC, footprints_m=(64.0, 45.0))) == printed()
    apart = BuildSpec(footprints_m=(40.0,))
    assert printed(apart) == printed(replace(apart, stride_m=10.0)), "a quarter of a footprint, said or not"


def test_levels_go_from_the_smallest_footprint_upwards() -> None:
    grids = BuildSpec(footprints_m=(128.0, 45.0)).grids()
    assert [(grid.level, grid.footprint_m, grid.stride_m) for grid in grids] == [(0, 45.0, 11.25), (1, 128.0, 32.0)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"footprints_m": ()},
        {"footprints_m": (45.0, 0.0)},
        {"footprints_m": (math.nan,)},
        {"stride_m": -1.0},
        {"stride_m": math.inf},
        {"accuracy_ce90_m": -0.5},
        {"accuracy_ce90_m": math.nan},
    ],
)
def test_lengths_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="are metres; expected positive numbers"):
        BuildSpec(**wrong)  # type: ignore[arg-type]
