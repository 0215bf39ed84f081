"""An encoder on a benchmark from the command line's side, and what is measured beside R@1."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from runtime.errors import DataError
from tests.train.data.benchmarks import trees
from train.data.dataset import PairDataset
from train.data.manifest import Choice
from train.data.open import open_sources
from train.data.retrieval_set import RetrievalSet, Shot
from train.data.view_spec import ViewSpec
from train.evaluate import main
from train.model.checkpoint import save_encoder
from train.model.encoder import Encoder, EncoderSpec
from train.scoring.distances import distance_scores, sdm
from train.scoring.embed import (
    VIEWS_SEED,
    embed_sets,
    embed_shots,
    flipped_too,
    rank_set,
    score_views,
    shortened,
    view_sets,
)
from train.scoring.ranking import rank
from train.scoring.report import draw_failures, write_places
from train.scoring.robustness import SWEEPS, Change, robustness

DRONE, SATELLITE = "University-1652 drone -> satellite", "University-1652 satellite -> drone"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_encoder(path, Encoder(EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")), {}, {})
    return path


def _scores(out: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((out / "scores.json").read_text())


def _colours(pictures: np.ndarray) -> np.ndarray:
    """An encoder that sees the mean colour: (B, 3)."""
    rows = pictures.reshape(len(pictures), -1, 3).mean(axis=1).astype(np.float32) + 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _flat(place: int, view: int = 0) -> Shot:
    colour = np.array([place * 10, 255 - place * 10, view], np.uint8)
    return Shot(f"{place}/{view}", str(place), lambda: np.full((6, 4, 3), colour, np.uint8))


def test_a_benchmark_scores_as_a_loop_over_its_files_and_says_what_was_done(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = trees.university1652(tmp_path / "data"), tmp_path / "scores"
    assert main([str(checkpoint), "--data", f"university1652:{root}", "--out", str(out), "--robustness", "2"]) == 0
    report, told = _scores(out), capsys.readouterr().out
    assert (report["protocol"], report["flips_summed"]) == ("official", False)
    assert "protocol official, no test-time flips, D = 16" in told
    assert "not the full benchmark: test/query_drone: 3 of 701 places" in told
    assert told == (out / "table.txt").read_text()
    for name, queries, gallery in ((DRONE, "drone", "satellite"), (SATELLITE, "satellite", "drone")):
        want = _loop(checkpoint, root / f"test/query_{queries}", root / f"test/gallery_{gallery}")
        assert report["sets"][name] | want == report["sets"][name]
    assert report["sets"][DRONE]["step"] == 1 / 6
    assert list(report["robustness"]) == [DRONE]  # the drone's pictures are changed, and asked with
    with (out / "places.csv").open() as file:
        assert [row["queries"] for row in csv.DictReader(file)] == ["2"] * 3 + ["1"] * 3
    for name in ("drone-satellite", "satellite-drone"):
        assert cv2.imread(str(out / f"failures-university-1652-{name}.png")) is not None


def _loop(checkpoint: Path, queries: Path, gallery: Path) -> dict[str, float]:
    """R@1 and sizes, picture by picture."""
    from train.model.checkpoint import load_encoder

    encoder, _ = load_encoder(checkpoint)

    def rows(folder: Path) -> list[tuple[str, np.ndarray]]:
        found = []
        for path in sorted(folder.glob("*/*")):
            picture = cv2.cvtColor(cv2.resize(cv2.imread(str(path)), (32, 32)), cv2.COLOR_BGR2RGB)
            with torch.no_grad():
                found.append((path.parent.name, encoder(torch.from_numpy(picture)[None])[0].numpy()))
        return found

    asked, there = rows(queries), rows(gallery)
    first = [max(there, key=lambda item: (round(float(item[1] @ row), 6), item[0] != place)) for place, row in asked]
    r1 = sum(found[0] == place for found, (place, _) in zip(first, asked, strict=True)) / len(asked)
    return {"r1": r1, "queries": len(asked), "gallery": len(there)}


def test_the_sample4geo_protocol_deletes_distractors_and_bears_its_name(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = trees.university1652(tmp_path)
    assert main([str(checkpoint), "--data", f"university1652:{root}", "--protocol", "sample4geo"]) == 0
    first, second, about = capsys.readouterr().out.splitlines()[:3]
    assert f"{DRONE} (sample4geo): R@1 " in first
    assert first.endswith("(6 queries, gallery 3)")
    assert second.endswith("(3 queries, gallery 6)")
    assert "protocol sample4geo" in about


def test_a_bundle_goes_the_same_way_as_a_checkpoint(
    default_bundle: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", f"overhead:{pictures}@0.6", "--split", "val"]
    assert main([str(default_bundle), *data, "--dim", "64", "--flips"]) == 0
    assert "test-time flips summed, D = 64" in capsys.readouterr().out
    assert main([str(default_bundle), *data, "--dim", "257"]) == 1
    assert "gives 256 numbers" in capsys.readouterr().err


def test_rendered_views_as_a_set_score_as_a_runs_validation_does(checkpoint: Path, pictures: Path) -> None:
    sources = open_sources([f"overhead:{pictures}@0.6"], Choice(None), ViewSpec())
    views = PairDataset(sources, seed=VIEWS_SEED, side_px=32, strength=0.3)
    sets = view_sets(views)
    rows = embed_sets(_colours, sets, 32, workers=2)
    assert [rank_set(asked, rows).scores() for asked in sets] == list(score_views(_colours, views))


def test_pictures_are_embedded_in_order_whatever_their_shape_and_the_number_of_threads() -> None:
    shots = [_flat(k % 25, k) for k in range(70)]
    rows = embed_shots(_colours, shots, 8, workers=5)
    want = [_colours(np.full((1, 8, 8, 3), shot.read()[0, 0]))[0] for shot in shots]
    assert np.array_equal(rows, np.stack(want))


def test_pictures_that_cannot_be_read_are_counted_and_end_the_evaluation(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = trees.university1652(tmp_path, shots=2)
    cut, gone = (root / f"test/query_drone/{place}/image-00.jpeg" for place in ("0016", "0018"))
    cv2.imwrite(str(cut), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    cut.write_bytes(cut.read_bytes()[:-900])
    gone.write_bytes(b"")
    assert main([str(checkpoint), "--data", f"university1652:{root}"]) == 1
    error = capsys.readouterr().err
    assert "2 of 24 pictures cannot be scored; the first: " in error
    assert "0016/image-00.jpeg" in error
    assert len(error.strip().splitlines()) == 1


def test_what_users_get_wrong_is_told(checkpoint: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", f"overhead:{pictures}@0.6"]
    assert main([str(checkpoint), *data, "--split", "test"]) == 1
    assert "--split test is of benchmarks" in capsys.readouterr().err
    assert main([str(checkpoint), *data, "--precision", "int8"]) == 1
    assert "is of a bundle" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([str(checkpoint), *data, "--robustness", "0"])


def test_shortened_and_flipped_embeddings_are_of_unit_norm_again() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)

    def left(batch: np.ndarray) -> np.ndarray:
        return _colours(batch[:, :, :4])

    rows = shortened(left, 2)(pictures)
    assert np.allclose(rows, left(pictures)[:, :2] / np.linalg.norm(left(pictures)[:, :2], axis=1, keepdims=True))
    both = left(pictures) + _colours(pictures[:, :, 4:])
    assert np.allclose(flipped_too(left)(pictures), both / np.linalg.norm(both, axis=1, keepdims=True))


def test_changes_of_a_picture_are_what_they_say() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    assert Change()(picture) is picture
    assert np.array_equal(Change(turn_deg=90)(picture), np.rot90(picture, -1))  # clockwise
    assert np.array_equal(Change(turn_deg=180)(picture), picture[::-1, ::-1])
    assert np.array_equal(Change(altitude=0.5)(picture)[::2, ::2], picture[2:7, 2:7])  # lower: less ground, larger
    east = Change(shift=3 / 9, towards_rad=0.0)(picture)
    assert np.array_equal(east[:, :6], picture[:, 3:])
    assert np.array_equal(east[:, 6:], picture[:, [7, 6, 5]])  # mirrored beyond the edge


def test_robustness_is_r1_of_changed_queries_and_its_undisturbed_value_that_of_the_set() -> None:
    top_left = np.zeros((16, 16, 3), np.uint8)

    def shot(place: int, view: int) -> Shot:
        picture = top_left.copy()
        picture[:4, : 4 + 2 * place] = 255
        return Shot(f"{place}/{view}", str(place), lambda: picture)

    def corners(pictures: np.ndarray) -> np.ndarray:
        rows = pictures[:, :8, :, 0].astype(np.float32).reshape(len(pictures), -1) + 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    asked = RetrievalSet("drone -> tile", [shot(k, 0) for k in range(6)], [shot(k, 1) for k in range(6)], True)
    gallery = embed_shots(corners, asked.gallery, 16, workers=1)
    curves = robustness(corners, asked, gallery, 16, queries=4, workers=2)
    for sweep in SWEEPS:
        line = dict(zip(curves[sweep.field]["values"], curves[sweep.field]["r1"], strict=True))
        assert line[1.0 if sweep.field == "altitude" else 0] == 1.0
    assert curves["turn_deg"]["r1"][-1] == 1 / 4  # upside down all look alike


def test_failures_and_places_name_what_was_answered_wrongly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [0, 0, 1, 1, 2]
    queries = [Shot(f"q{k}", str(p), _flat(p).read) for k, p in enumerate(places)]
    asked = RetrievalSet("drone -> tile", queries, [_flat(p) for p in range(3)], True)
    at = np.float32([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    answered = [0, 1, 0, 2, 2]  # the place that each query is taken for: q1, q2 and q3 wrongly
    rows = {
        f"q{k}": at[a] * 0.9 + at[p] * (0.1 + 0.01 * k) for k, (a, p) in enumerate(zip(answered, places, strict=True))
    }
    rows |= {shot.name: at[p] for p, shot in enumerate(asked.gallery)}
    query = np.stack([rows[shot.name] for shot in queries]) / 1.1
    ranking = rank(query.astype(np.float32), at, *asked.place_numbers())
    drawn: list[object] = []
    monkeypatch.setattr("train.scoring.report.confusion_grid", lambda rows, path, title: drawn.extend(rows))
    draw_failures(tmp_path / "x.png", asked, ranking, rows)
    assert [row.name for row in drawn] == ["q1", "q2"]  # one of each place; the surest first
    assert [(a.right, row.truth_rank) for row in drawn for a in row.answers[:2]] == [(False, 2), (True, 2)] * 2
    write_places(tmp_path / "places.csv", [(asked, ranking)])
    lines = (tmp_path / "places.csv").read_text().splitlines()
    assert lines[1:] == [
        "drone -> tile,1,2,0.0000,0.2500",
        "drone -> tile,0,2,0.5000,0.6250",
        "drone -> tile,2,1,1.0000,1.0000",
    ]


def test_sdm_weighs_the_first_answers_most() -> None:
    assert sdm([[0.0, 0.0, 0.0]], 5e3) == 1.0
    far = math.inf
    assert sdm([[0.0, far, far]], 5e3) == pytest.approx(3 / 6)
    assert sdm([[far, 2e-4, far]], 5e3) == pytest.approx(2 / 6 / math.e)


def test_distances_are_told_where_every_picture_has_a_place() -> None:
    north_of = [(45.0 + k * 1e-3, 7.0) for k in range(3)]  # 111.1 m apart
    shots = [Shot(str(k), str(k), _flat(k).read, at) for k, at in enumerate(north_of)]
    asked = RetrievalSet("drone -> tile", shots[:2], shots, True)
    scores = distance_scores(asked, np.array([[0, 1], [2, 1]]))
    assert scores is not None
    assert scores["sdm1_degrees"] == pytest.approx((1 + math.exp(-5)) / 2)
    assert scores["sdm1_metres"] == pytest.approx((1 + math.exp(-0.1111)) / 2, abs=1e-4)
    assert scores["error_m"]["mean"] == pytest.approx(111.1 / 2, abs=0.1)
    assert (scores["error_m"]["within_25m"], scores["error_m"]["within_100m"]) == (0.5, 0.5)
    nowhere = RetrievalSet("drone -> tile", [_flat(0)], shots, True)
    assert distance_scores(nowhere, np.array([[0]])) is None


def test_a_set_without_a_readable_picture_is_a_data_error() -> None:
    def gone() -> np.ndarray:
        raise DataError("x.jpg is missing")

    with pytest.raises(DataError, match=r"1 of 1 pictures cannot be scored; the first: x\.jpg is missing"):
        embed_shots(_colours, [Shot("x", "0", gone)], 8, workers=1)
