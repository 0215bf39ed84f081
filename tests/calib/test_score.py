"""Similarity to probability: the fit against plain loops and known truth, and the command from flights to a bundle."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from calib.score.__main__ import main
from calib.score.fit import fit, nll, place_probability, tile_probability
from calib.score.judge import calibration_error, judge, judge_held_out, reliability, split
from calib.score.queries import Query, condensed, gather, judged
from calib.score.store import store
from runtime.errors import BundleError
from runtime.fix import Fix
from runtime.flights.flight import Flight
from runtime.flights.truth import read_truth
from runtime.geo.local import LocalFrame, distance_m
from runtime.geo.mercator import LatLon
from runtime.locate.ground_view import ground_views
from runtime.locate.load import open_localizer
from runtime.locate.mount import MountEstimate
from runtime.locate.retrieve import Retriever
from runtime.maps.importing import import_imagery
from runtime.model.bundle import FORMAT, Bundle, file_entry, write_manifest
from runtime.model.score_map import ScoreMap, score_map
from runtime.sensors.camera_info import write_camera
from runtime.tiles.building.build import build
from runtime.tiles.building.spec import BuildSpec
from runtime.tiles.cache import TileCache
from train.world.flight import (
    MAP_GSD_M,
    PICTURE_GSD_M,
    SMALL,
    camera_of,
    fly,
    image_name,
    jpeg,
    render,
    telemetry,
    truth,
)

FOOTPRINT_M, STRIDE_M = 40.0, 10.0


def drawn(true: ScoreMap, frames: int, rng: np.random.Generator, side: int = 12) -> list[Query]:
    """Frames over a square of tiles whose right tile is drawn from the model itself."""
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2) * STRIDE_M
    queries = []
    for _ in range(frames):
        similarity = rng.normal(0.3, 0.1, len(grid))
        p = np.exp(similarity / true.temperature)
        outlier = rng.random() < true.outlier_share
        right = rng.integers(len(grid)) if outlier else rng.choice(len(grid), p=p / p.sum())
        queries.append(judged(similarity, grid - grid[right], FOOTPRINT_M))
    return queries


@given(
    st.floats(0.005, 0.5),
    st.floats(0.0, 1.0),
    st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=9),
    st.integers(0, 8),
)
def test_probabilities_are_those_of_a_plain_loop(t: float, e: float, cosines: list[float], which: int) -> None:
    right = which % len(cosines)
    away_m = np.array([[STRIDE_M * i, 0.0] for i in range(len(cosines))])
    query = judged(np.array(cosines), away_m - away_m[right], FOOTPRINT_M)
    weights = [math.exp((cosine - max(cosines)) / t) for cosine in cosines]
    tile = [(1 - e) * weight / sum(weights) + e / len(cosines) for weight in weights]
    best = cosines.index(max(cosines))
    place = sum(p for i, p in enumerate(tile) if abs(i - best) * STRIDE_M < FOOTPRINT_M / 2)
    found = ScoreMap(t, e)
    assert tile_probability(found, [query])[0] == pytest.approx(tile[right])
    assert place_probability(found, [query])[0] == pytest.approx(place)
    assert query.place_is_right == (abs(right - best) * STRIDE_M < FOOTPRINT_M / 2)


@pytest.mark.parametrize("true", [ScoreMap(0.02, 0.1), ScoreMap(0.05, 0.4)])
def test_the_temperature_and_outlier_share_that_drew_the_frames_are_found(true: ScoreMap) -> None:
    found = fit(drawn(true, 800, np.random.default_rng(3)))
    assert found.temperature == pytest.approx(true.temperature, rel=0.15)
    assert found.outlier_share == pytest.approx(true.outlier_share, abs=0.05)


def test_no_temperature_and_share_nearby_are_likelier() -> None:
    queries = drawn(ScoreMap(0.03, 0.2), 120, np.random.default_rng(4))
    found = fit(queries)
    least = nll(found, queries).mean()
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert nll(replace(found, temperature=found.temperature * factor), queries).mean() >= least
        assert nll(replace(found, outlier_share=found.outlier_share * factor), queries).mean() >= least


def test_frames_without_an_outlier_do_not_show_that_there_is_none() -> None:
    queries = drawn(ScoreMap(0.02, 0.0), 40, np.random.default_rng(5))
    assert fit(queries).outlier_share >= 1 / 42


def test_a_condensed_tail_says_what_all_tiles_say() -> None:
    rng = np.random.default_rng(6)
    similarity = rng.normal(0.2, 0.12, 30000)
    away_m = rng.uniform(-2000, 2000, (30000, 2))
    values, tiles = condensed(similarity)
    assert (len(values), tiles.sum()) == (4096 + 256, 30000)
    whole = replace(judged(similarity, away_m, 45.0), similarity=np.sort(similarity)[::-1], tiles=np.ones(30000))
    for t in (0.01, 0.03, 0.2):
        found = ScoreMap(t, 0.1)
        short = replace(whole, similarity=values, tiles=tiles)
        assert nll(found, [short])[0] == pytest.approx(nll(found, [whole])[0], abs=1e-3)


def test_each_frame_is_judged_by_a_fit_that_has_not_seen_its_flight() -> None:
    rng = np.random.default_rng(7)
    sharp, dull = drawn(ScoreMap(0.01, 0.05), 40, rng), drawn(ScoreMap(0.1, 0.3), 60, rng)
    together, how = judge_held_out([sharp, dull])
    assert how == "each flight by a fit to the others"
    np.testing.assert_array_equal(together.nll[:40], judge(fit(dull), sharp).nll)
    np.testing.assert_array_equal(together.probability[40:], judge(fit(sharp), dull).probability)


@pytest.mark.parametrize("frames", [[50], [50, 0], [45, 5]])
def test_without_a_flight_to_spare_blocks_alternate(frames: list[int]) -> None:
    part, how = split(frames)
    assert how.startswith("alternate blocks")
    assert np.flatnonzero(np.diff(part)).tolist() == [6, 12, 18, 24, 31, 37, 43]


def test_calibration_error_is_that_of_a_plain_loop_and_drawn_outcomes_have_little() -> None:
    rng = np.random.default_rng(8)
    said = rng.random(4000)
    right = rng.random(4000) < said
    wanted = 0.0
    for b in range(10):
        here = [(p, r) for p, r in zip(said, right, strict=True) if b / 10 <= p < (b + 1) / 10]
        wanted += len(here) / 4000 * abs(sum(p for p, _ in here) / len(here) - sum(r for _, r in here) / len(here))
    assert calibration_error(said, right) == pytest.approx(wanted)
    assert wanted < 0.03 < calibration_error(said**3, right)
    assert all(low <= b.right <= high for b in reliability(said, right) for low, high in [b.interval()])


GRAPH = b"cells"


class CellMeans:
    """An encoder of eight by eight means, their average taken out; ``common`` is what all pictures share."""

    name, precision, side_px, dim = "cells, numpy", "fp32", 32, 193

    def __init__(self, encoder_sha256: str, common: float = 2.0) -> None:
        self.encoder_sha256, self.common = encoder_sha256, common

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        cells = pictures.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4), dtype=np.float32).reshape(-1, self.dim - 1)
        contrast = cells - cells.mean(axis=1, keepdims=True)
        contrast /= np.linalg.norm(contrast, axis=1, keepdims=True)
        together = np.column_stack([contrast, np.full(len(contrast), self.common)])
        return np.asarray(together / np.linalg.norm(together, axis=1, keepdims=True), np.float32)


class Town(NamedTuple):
    """``flights/one`` and ``flights/two`` of 20 frames each, and a cache of what they fly over."""

    flights: Path
    tiles: Path


@pytest.fixture(scope="module")
def town(small_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Town:
    """The small world, flown anew and embedded by :class:`CellMeans`; not to be written to."""
    out = tmp_path_factory.mktemp("town")
    seen = cv2.imdecode(np.fromfile(small_world / "map.tif", np.uint8), cv2.IMREAD_COLOR)
    fine = cv2.resize(seen, None, fx=MAP_GSD_M / PICTURE_GSD_M, fy=MAP_GSD_M / PICTURE_GSD_M)[..., ::-1]
    for seed, name in enumerate(("one", "two")):
        record(out / "flights" / name, np.asarray(fine, np.uint8), seed)
    about = {"name": "town", "date": "", "attribution": "", "tick": lambda done, total: None}
    imagery = import_imagery(small_world / "map.tif", out / "town.mbtiles", **about)
    engine = CellMeans(hashlib.sha256(GRAPH).hexdigest())
    build(imagery, engine, out / "town.tiles", BuildSpec(footprints_m=(32.0, 45.0)))
    imagery.close()
    return Town(out / "flights", out / "town.tiles")


def record(folder: Path, ground: NDArray[np.uint8], seed: int) -> None:
    spec = replace(SMALL, seed=seed, frames=20, width_px=320, height_px=180)
    poses, camera = fly(spec), camera_of(spec)
    (folder / "frames").mkdir(parents=True)
    for k, pose in enumerate(poses):
        picture = render(ground, camera, pose, np.random.default_rng((seed, k)))
        (folder / image_name(k)).write_bytes(jpeg(picture))
    write_camera(camera, folder / "camera.yaml")
    (folder / "flight.json").write_text(json.dumps({"name": folder.name}))
    write_rows(folder / "telemetry.csv", telemetry(poses, np.random.default_rng(seed)))
    write_rows(folder / "truth.csv", [truth(pose) for pose in poses])


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", newline="") as text:
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def edited(flight: Path, file: str, values: dict[str, str], out: Path) -> Path:
    """A copy of a flight with the same value in a column of all rows."""
    shutil.copytree(flight, out)
    with (out / file).open(newline="") as text:
        rows = [{**row, **values} for row in csv.DictReader(text)]
    write_rows(out / file, rows)
    return out


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle whose graph is a stand-in for :class:`CellMeans`."""
    path = tmp_path / "cells.bundle"
    path.mkdir()
    graph = path / "encoder.onnx"
    graph.write_bytes(GRAPH)
    files = {graph.name: file_entry(graph, "fp32")}
    encoder = {"side_px": 32, "dim": CellMeans.dim}
    write_manifest(path, {"format": FORMAT, "kind": "encoder", "name": "cells", "files": files, "encoder": encoder})
    engine = CellMeans(Bundle.open(path).sha256(graph.name))
    monkeypatch.setattr("runtime.model.load.open_engine", lambda *_: engine)
    return path


def command(town: Town, out: Path, *flights: Path) -> list[str]:
    return [*map(str, flights or sorted(town.flights.iterdir())), "--tiles", str(town.tiles), "--out", str(out)]


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
    monkeypatch.setattr("runtime.locate.retrieve.UNFITTED", as_good)
    assert main([*command(town, out), "--bundle", str(bundle)]) == 1
    assert "the default will do" in capsys.readouterr().err
    assert score_map(Bundle.open(bundle), "fp32") is None


@pytest.mark.usefixtures("bundle")
def test_the_right_tile_is_the_one_nearest_to_the_truth(town: Town) -> None:
    flight, cache = Flight.open(town.flights / "one"), TileCache.open(town.tiles)
    engine = CellMeans(cache.metadata.encoder.sha256)
    known = read_truth(flight.path / "truth.csv")
    gathered = gather(flight, known, cache, engine, lambda: None)
    retriever = Retriever(cache, engine, LocalFrame(cache.open_imagery().bounds.centre))
    for frame, query in zip(flight.frames(), gathered.queries, strict=True):
        [look], ground = ground_views(frame, flight.camera, MountEstimate()), known[frame.t_us].ground
        level = retriever.level_for(look, look.axis_en_m)
        assert ground is not None
        assert level is not None
        embedding = retriever.embed([(look, look.axis_en_m, level)])
        away = {i: distance_m(ground, LatLon(*cache.centre[i])) for i in np.flatnonzero(cache.level == level)}
        nearest = min(away, key=lambda i: away[i])
        cosine = float(embedding[0] @ (cache.embedding[nearest] * cache.scale[nearest]))
        assert query.right == pytest.approx(cosine, abs=1e-5)
        assert query.count == len(away)


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
    corner = ("truth.csv", {"true_ground_lat": "47.49979", "true_ground_lon": "8.20034"})  # no frame ground_views there
    flights = [edited(town.flights / name, *corner, tmp_path / name) for name in ("one", "two")]
    assert main([*command(town, tmp_path / "s.json", *flights), "--bundle", str(bundle)]) == 1
    said = capsys.readouterr().err
    assert "similarities say nothing here" in said
    assert said.count("\n") == 1
    assert score_map(Bundle.open(bundle), "fp32") is None


def test_a_cache_of_another_encoder_is_refused(
    town: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.model.load.open_engine", lambda *_: CellMeans("0" * 64))
    assert main(command(town, tmp_path / "s.json")) == 1
    assert "was built with cells" in capsys.readouterr().err


def test_a_calibration_of_another_graph_or_an_altered_one_is_refused(bundle: Path) -> None:
    entry = {"temperature": 0.02, "outlier_share": 0.1, "encoder_sha256": Bundle.open(bundle).sha256("encoder.onnx")}
    store(bundle, "fp32", entry)
    store(bundle, "int8", {**entry, "temperature": 0.03})
    assert score_map(Bundle.open(bundle), "fp32") == ScoreMap(0.02, 0.1)
    store(bundle, "fp32", {**entry, "encoder_sha256": "0" * 64})
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
        store(bundle, "fp32", {"temperature": 0.006, "outlier_share": outlier_share, "encoder_sha256": sha256})
        localizer = open_localizer(cache, flight.camera, bundle=bundle, matcher=False, start=None, threads=1)
        verdicts = [localizer.step(frame) for frame in flight.frames()]
        fixes.append(sum(isinstance(verdict, Fix) for verdict in verdicts))
    assert fixes[0] >= 5
    assert fixes[1] == 0, "cosines that say nothing are not believed"
