"""An evaluation from its spec: values come back, files are written where they are wanted, and only there."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.paths import SHARED
from tests.train.data.benchmarks import trees
from train.model.checkpoint import save_encoder
from train.model.encoder import Encoder, EncoderSpec
from train.scoring.evaluate_spec import EvaluateSpec
from train.scoring.evaluation import evaluate
from train.scoring.robustness import SWEEPS


@pytest.fixture
def spec(tmp_path: Path) -> EvaluateSpec:
    torch.manual_seed(0)
    path = tmp_path / "best.safetensors"
    save_encoder(path, Encoder(EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")), {}, {})
    return EvaluateSpec(path, (f"university1652:{trees.university1652(tmp_path / 'data')}",), workers=2)


def test_without_a_folder_the_report_comes_back_and_nothing_is_written(
    spec: EvaluateSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "train")
    before = sorted(tmp_path.rglob("*"))
    report = evaluate(spec)
    assert sorted(tmp_path.rglob("*")) == before
    assert list(report.sets) == ["University-1652 drone -> satellite", "University-1652 satellite -> drone"]
    assert report.sets["University-1652 drone -> satellite"].scores.queries == 6
    assert report.robustness == {}
    assert "University-1652 drone -> satellite: 6 queries, gallery 5" in caplog.messages
    assert report.sets["University-1652 drone -> satellite"].distances is None  # it states no coordinates


def test_with_a_folder_it_holds_the_report_and_a_picture_a_set(
    spec: EvaluateSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "train")
    out = tmp_path / "scores"
    report = evaluate(replace(spec, out=out, robustness=2))
    assert json.loads((out / "scores.json").read_text()) == json.loads(json.dumps(report.to_json()))
    assert sorted(path.name for path in out.iterdir()) == [
        "failures-university-1652-drone-satellite.png",
        "failures-university-1652-satellite-drone.png",
        "places.csv",
        "robustness.png",
        "scores.json",
        "table.txt",
    ]
    assert {Path(line).name for line in caplog.messages} == {path.name for path in out.iterdir()}
    assert list(report.robustness) == ["University-1652 drone -> satellite"]  # the drone's pictures are changed alone
    assert list(report.robustness["University-1652 drone -> satellite"]) == [sweep.field for sweep in SWEEPS]


def test_flips_and_a_cut_change_the_figures_and_are_said_of_them(spec: EvaluateSpec, tmp_path: Path) -> None:
    for seed, path in enumerate(sorted((tmp_path / "data").rglob("*.jp*g"))):  # left and right differ
        noise = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        cv2.imwrite(str(path), noise)
    report, plain = (evaluate(replace(spec, flips=flips, dim=4, protocol="sample4geo")) for flips in (True, False))
    assert report.notes()[0] == "protocol sample4geo, test-time flips summed, D = 4"
    assert report.encoder.dim == 4
    assert report.to_json()["sets"] != plain.to_json()["sets"]


def test_the_encoder_that_ships_finds_real_places_and_less_well_where_they_are_turned(default_bundle: Path) -> None:
    pictures = SHARED / "data/overhead/cil_roads"
    if not pictures.is_dir():
        pytest.skip(f"{pictures} is missing")
    report = evaluate(EvaluateSpec(default_bundle, (f"overhead:{pictures}",), workers=2, robustness=8))
    for scores in report.sets.values():
        assert scores.scores.r1 > 0.95
        assert scores.scores.queries >= 20
    curves = report.robustness["drone -> tile"]
    turns = dict(zip(curves["turn_deg"].values, curves["turn_deg"].r1, strict=True))
    scales = dict(zip(curves["altitude"].values, curves["altitude"].r1, strict=True))
    assert turns[0] == scales[1.0] == curves["shift"].r1[0] == report.sets["drone -> tile"].scores.r1
    assert turns[10] > 0.9  # as far off as a compass may be
    assert min(turns.values()) < turns[0]
