from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from calib.score.judge import JudgedSummary
from calib.score.store import HeldOutScores, ListedFlight, ScoreEntry, store, write_scores
from runtime.errors import BundleError
from runtime.fix import Fix
from runtime.flights.flight import Flight
from runtime.locate.load import open_localizer
from runtime.model.bundle import Bundle
from runtime.model.score_map import ScoreMap, score_map
from runtime.tiles.cache import TileCache
from tests.calib.score.town import CellMeans, Town

SUMMARY = JudgedSummary(nll=2.5, ece=0.1, mean_probability=0.6, right=0.7)


def fitted(temperature: float, outlier_share: float, encoder_sha256: str) -> ScoreEntry:
    return ScoreEntry(temperature, outlier_share, encoder_sha256, (), HeldOutScores("by blocks", 40, SUMMARY, SUMMARY))


def test_the_file_has_the_fields_that_formats_md_names_in_their_order(tmp_path: Path) -> None:
    flight = ListedFlight("one", "1" * 64, "2" * 64, 50, 40, {"blurred": 10})
    entry = replace(fitted(0.02, 0.1, "3" * 64), flights=(flight,))
    write_scores(tmp_path / "score.json", {"fp32": entry.as_json()})
    judged = {"nll": 2.5, "ece": 0.1, "mean_probability": 0.6, "right": 0.7}
    listed = {"name": "one", "sha256": "1" * 64, "tiles_sha256": "2" * 64, "frames": 50, "used": 40}
    wanted = {
        "temperature": 0.02,
        "outlier_share": 0.1,
        "encoder_sha256": "3" * 64,
        "flights": [{**listed, "left_out": {"blurred": 10}}],
        "held_out": {"how": "by blocks", "frames": 40, "default": judged, "fitted": judged},
    }
    text = json.dumps({"format": 1, "precisions": {"fp32": wanted}}, indent=2) + "\n"
    assert (tmp_path / "score.json").read_text() == text


def test_a_calibration_of_another_graph_or_an_altered_one_is_refused(bundle: Path) -> None:
    entry = fitted(0.02, 0.1, Bundle.open(bundle).sha256("encoder.onnx"))
    store(bundle, "fp32", entry)
    store(bundle, "int8", replace(entry, temperature=0.03))
    assert score_map(Bundle.open(bundle), "fp32") == ScoreMap(0.02, 0.1)
    store(bundle, "fp32", replace(entry, encoder_sha256="0" * 64))
    with pytest.raises(BundleError, match="was fitted to another fp32 graph"):
        score_map(Bundle.open(bundle), "fp32")
    (bundle / "score.json").write_text("{}")
    with pytest.raises(BundleError, match="was altered"):
        score_map(Bundle.open(bundle), "fp32")
    store(bundle, "fp32", entry)  # what is broken is replaced
    assert score_map(Bundle.open(bundle), "fp32") == ScoreMap(0.02, 0.1)


def test_what_the_bundle_states_is_flown_with(town: Town, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flight, cache = Flight.open(town.flights / "one"), TileCache.open(town.tiles)
    sha256 = cache.metadata.encoder.sha256
    monkeypatch.setattr("runtime.locate.load.open_engine", lambda *_: CellMeans(sha256))
    fixes = []
    for outlier_share in (0.02, 1.0):
        store(bundle, "fp32", fitted(0.006, outlier_share, sha256))
        localizer = open_localizer(cache, flight.camera, bundle=bundle, matcher=False, start=None, threads=1)
        verdicts = [localizer.step(frame) for frame in flight.frames()]
        fixes.append(sum(isinstance(verdict, Fix) for verdict in verdicts))
    assert fixes[0] >= 5
    assert fixes[1] == 0, "cosines that say nothing are not believed"
