"""From flights to a bundle that states what a similarity is worth."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from calib.score.__main__ import main
from runtime.model.bundle import Bundle
from runtime.model.score_map import ScoreMap, score_map
from tests.calib.score.town import CellMeans, Town, command, edited


def test_flights_become_a_calibration_that_the_bundle_states(
    town: Town, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "score.json"
    assert main([*command(town, out), "--bundle", str(bundle)]) == 0
    entry = json.loads(out.read_text())["precisions"]["fp32"]
    assert score_map(Bundle.open(bundle), "fp32") == ScoreMap(entry["temperature"], entry["outlier_share"])
    assert score_map(Bundle.open(bundle), "int8") is None
    assert [one["name"] for one in entry["flights"]] == ["one", "two"]
    assert entry["held_out"]["fitted"]["nll"] < entry["held_out"]["default"]["nll"]
    assert "each flight by a fit to the others" in capsys.readouterr().out
    for name in ("reliability", "similarity"):
        assert cv2.imread(str(out.with_suffix(f".{name}.png"))).std() > 5


def test_a_fit_that_is_no_better_than_the_default_is_not_stored(
    town: Town, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "score.json"
    assert main(command(town, out)) == 0
    assert score_map(Bundle.open(bundle), "fp32") is None  # without --bundle nothing is stored
    entry = json.loads(out.read_text())["precisions"]["fp32"]
    as_good = ScoreMap(entry["temperature"], entry["outlier_share"])
    monkeypatch.setattr("calib.score.pipeline.UNFITTED", as_good)
    assert main([*command(town, out), "--bundle", str(bundle)]) == 1
    assert "the default will do" in capsys.readouterr().err
    assert score_map(Bundle.open(bundle), "fp32") is None


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (("truth.csv", {"true_ground_lat": ""}), "(no true_ground_lat and true_ground_lon 20), 30 are needed"),
        (("truth.csv", {"true_ground_lat": "47.6"}), "(not on the map 20), 30 are needed"),
        (("telemetry.csv", {"cam_yaw_deg": ""}), "(no cam_yaw_deg 20), 30 are needed"),
    ],
)
@pytest.mark.usefixtures("bundle")
def test_too_few_frames_are_counted_by_reason(
    town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str], edit: tuple[str, dict[str, str]], says: str
) -> None:
    blank = edited(town.flights / "one", *edit, tmp_path / "blank")
    assert main(command(town, tmp_path / "s.json", blank, town.flights / "two")) == 1
    assert f"20 of 40 frames can be used {says}" in capsys.readouterr().err
    assert not (tmp_path / "s.json").exists()


def test_flights_whose_best_tile_is_wrong_give_no_calibration(
    town: Town, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corner = ("truth.csv", {"true_ground_lat": "47.49979", "true_ground_lon": "8.20034"})  # no frame looks there
    flights = [edited(town.flights / name, *corner, tmp_path / name) for name in ("one", "two")]
    assert main([*command(town, tmp_path / "s.json", *flights), "--bundle", str(bundle)]) == 1
    stated = capsys.readouterr().err
    assert "similarities say nothing here" in stated
    assert stated.count("\n") == 1
    assert score_map(Bundle.open(bundle), "fp32") is None


def test_a_cache_of_another_encoder_is_refused(
    town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calib.score.pipeline.open_engine", lambda *_: CellMeans("0" * 64))
    assert main(command(town, tmp_path / "s.json")) == 1
    assert "was built with cells" in capsys.readouterr().err
