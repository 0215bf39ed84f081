"""A map that lies 7 m off: aligned by the command that a user types, and flown over again."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from runtime.geo.local import LocalFrame
from runtime.geo.mercator import LatLon
from runtime.replay.__main__ import main as replay
from runtime.tiles.__main__ import main
from runtime.tiles.cache import TileCache
from train.world.flight import SMALL, write_world

OFF_M = (5.0, -5.0)


@pytest.fixture(scope="module")
def long_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small world with a flight that is long enough to align its map."""
    out = tmp_path_factory.mktemp("long_world")
    write_world(out, replace(SMALL, frames=14))
    return out


@pytest.fixture
def flight(long_world: Path, tmp_path: Path) -> Path:
    """A flight whose truth lies elsewhere than the map says, by the same vector in every frame."""
    folder = Path(shutil.copytree(long_world / "flight", tmp_path / "flight"))
    with (folder / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for lat, lon in (("true_lat", "true_lon"), ("true_ground_lat", "true_ground_lon")):
            moved = LocalFrame(LatLon(float(row[lat]), float(row[lon]))).to_latlon(*OFF_M)
            row[lat], row[lon] = f"{moved.lat:.9f}", f"{moved.lon:.9f}"
    with (folder / "truth.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


@pytest.fixture
def tiles(toy_tiles: Path, tmp_path: Path) -> Path:
    for path in (toy_tiles, toy_tiles.with_suffix(".mbtiles")):
        shutil.copy(path, tmp_path / f"town{path.suffix}")
    return tmp_path / "town.tiles"


def flown(flight: Path, tiles: Path, report: Path, bundles: list[str], *more: str) -> float:
    assert replay([str(flight), "--tiles", str(tiles), "--report", str(report), *bundles, *more]) == 0
    return float(json.loads(report.read_text())["position_error_m"]["of_fixes"]["median"])


def test_an_aligned_map_gives_fixes_where_gnss_is(
    *,
    flight: Path,
    tiles: Path,
    toy_bundle: Path,
    default_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundles = ["--bundle", str(toy_bundle), "--matcher", str(default_bundle)]
    before_m = flown(flight, tiles, tmp_path / "before.json", bundles)
    same = ["--flight", str(flight)]
    picture = tmp_path / "residuals.png"
    arguments = ["align", str(tiles), *same, "--bundle", str(toy_bundle), "--matcher", str(default_bundle)]
    assert main([*arguments, *same]) == 1
    assert "is given twice" in capsys.readouterr().err
    assert main([*arguments, "--map", str(picture)]) == 0
    assert "the map lies 7" in capsys.readouterr().out
    assert cv2.imread(str(picture)) is not None
    alignment = TileCache.open(tiles).metadata.alignment
    assert alignment is not None
    assert (alignment.east_m, alignment.north_m) == pytest.approx(OFF_M, abs=1.5)
    assert TileCache.open(tiles).accuracy_ce90_m < 4.0
    after_m = flown(flight, tiles, tmp_path / "after.json", bundles)
    assert before_m > 5.0
    assert after_m < 2.0
    started_m = flown(flight, tiles, tmp_path / "start.json", bundles, f"--start={first_place(flight)}")
    assert started_m == pytest.approx(after_m, abs=0.5), "a start is a place on the Earth, too"
    assert main(["info", str(tiles)]) == 0
    assert "aligned   +" in capsys.readouterr().out
    assert main(arguments) == 1
    assert "is aligned already" in capsys.readouterr().err


def first_place(flight: Path) -> str:
    with (flight / "truth.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    return f"{row['true_lat']},{row['true_lon']},20"


def test_a_flight_without_truth_and_one_with_few_frames_leave_the_cache_as_it_is(
    *,
    flight: Path,
    small_world: Path,
    tiles: Path,
    toy_bundle: Path,
    default_bundle: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    held = tiles.read_bytes()
    bundles = ["--bundle", str(toy_bundle), "--matcher", str(default_bundle)]
    assert main(["align", str(tiles), "--flight", str(small_world / "flight"), *bundles]) == 1
    assert "frames were registered and have a verified truth, expected 12 or more" in capsys.readouterr().err
    arguments = ["align", str(tiles), "--flight", str(flight), *bundles]
    assert main([*arguments, "--key", str(flight / "no.key")]) == 1
    assert "no.key cannot be read" in capsys.readouterr().err
    (flight / "truth.csv").unlink()
    assert main(arguments) == 1
    assert "truth.csv is missing" in capsys.readouterr().err
    assert tiles.read_bytes() == held
