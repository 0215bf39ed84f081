"""From a map and a folder of pictures to a scored track: the commands that a user types, on the generated world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.local import distance_m
from runtime.geo.mercator import LatLon
from runtime.replay.__main__ import main as replay


def flown(world: Path, town: Path, out: Path, *more: str) -> dict[str, Any]:
    """The report of a replay with all its outputs in ``out``."""
    outputs = ["--out", str(out / "fixes.jsonl"), "--report", str(out / "report.json"), "--map", str(out / "map.png")]
    assert replay([str(world / "flight"), "--tiles", str(town), *outputs, *more]) == 0
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    assert report["jumps"] == 0
    return report


def test_a_flight_that_starts_anywhere_is_found_on_the_map_to_a_few_metres(
    *, small_world: Path, town: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = flown(small_world, town, tmp_path)
    error = report["position_error_m"]["of_fixes"]
    assert report["frames"] == 6
    assert report["fixes"] >= 4
    assert error["median"] < 3.0
    assert error["worst"] < 10.0
    assert report["ground_error_m"]["of_fixes"]["median"] < 3.0
    assert set(report["latency_ms"]) >= {"rectify", "embed", "search", "register", "pose", "frame"}
    said = capsys.readouterr().out
    assert "position error" in said
    assert f"wrote {tmp_path / 'map.png'}" in said


def test_the_lines_are_the_verdicts_in_order_and_a_fix_stands_near_the_truth(
    small_world: Path, town: Path, tmp_path: Path
) -> None:
    report = flown(small_world, town, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "fixes.jsonl").read_text().splitlines()]
    flight, truth = Flight.open(small_world / "flight"), read_truth(small_world / "flight/truth.csv")
    assert [line["t_us"] for line in lines] == [row.t_us for row in flight.telemetry]
    fixes = [line for line in lines if "lat" in line]
    assert len(fixes) == report["fixes"]
    for fix in fixes:
        drone = truth[fix["t_us"]].drone
        assert drone is not None
        assert (fix["lat"], fix["lon"]) == pytest.approx(drone, abs=1.5e-4)
        assert fix["hpl_m"] > 1.0
    picture = cv2.imread(str(tmp_path / "map.png"))
    assert picture is not None
    assert picture.shape[1] == 1400


def test_the_truth_is_the_scorer_s_alone(small_world: Path, town: Path, tmp_path: Path) -> None:
    """Without the file, and with another one, the fixes are the same."""
    blind = tmp_path / "flight"
    blind.mkdir()
    for item in (small_world / "flight").iterdir():
        if item.name != "truth.csv":
            (blind / item.name).symlink_to(item)
    flown(small_world, town, tmp_path / "a")
    flown(tmp_path, town, tmp_path / "b")
    seen, unseen = (
        [{**json.loads(line), "latency_ms": 0} for line in (tmp_path / name / "fixes.jsonl").read_text().splitlines()]
        for name in "ab"
    )
    assert seen == unseen


def test_a_start_elsewhere_does_not_lead_astray(small_world: Path, town: Path, tmp_path: Path) -> None:
    report = flown(small_world, town, tmp_path, "--start", "47.4985,8.2030,30")
    error = report["position_error_m"]["of_fixes"]
    assert error["count"] == 0 or error["worst"] < 15.0


def test_another_matcher_may_stand_in(
    *, small_world: Path, town: Path, matcher: Path, tmp_path: Path, drones: dict[int, LatLon]
) -> None:
    report = flown(small_world, town, tmp_path, "--matcher", str(matcher))
    fixes = [json.loads(line) for line in (tmp_path / "fixes.jsonl").read_text().splitlines() if '"lat"' in line]
    registered = [fix for fix in fixes if fix["source"] == "registration"]
    assert len(registered) >= 3
    assert all(distance_m(drones[fix["t_us"]], LatLon(fix["lat"], fix["lon"])) < 10.0 for fix in registered)
    assert report["hpl_missed"] == [], "what rests on retrieval or motion says how little it knows"
