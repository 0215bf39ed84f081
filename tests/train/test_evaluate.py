"""An encoder on a benchmark, from the command line's side."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.train.data.benchmarks import trees
from train.evaluate import main
from train.model.checkpoint import load_encoder, save_encoder
from train.model.encoder import Encoder, EncoderSpec

DRONE, SATELLITE = "University-1652 drone -> satellite", "University-1652 satellite -> drone"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_encoder(path, Encoder(EncoderSpec(dim=16, side_px=32, init="random", backbone="test_efficientnet")), {}, {})
    return path


def _scores(out: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((out / "scores.json").read_text())


def test_a_benchmark_scores_as_a_loop_over_its_files_and_says_what_was_done(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = trees.university1652(tmp_path / "data"), tmp_path / "scores"
    arguments = [str(checkpoint), "--data", f"university1652:{root}", "--robustness", "2"]
    alone = tmp_path / "alone.json"
    assert main([*arguments, "--out", str(out), "--report", str(alone)]) == 0
    assert alone.read_text() == (out / "scores.json").read_text()
    report, printed = _scores(out), capsys.readouterr().out
    assert (report["protocol"], report["flips_summed"]) == ("official", False)
    assert "protocol official, no test-time flips, D = 16" in printed
    assert "not the full benchmark: test/query_drone: 3 of 701 places" in printed
    assert printed == (out / "table.txt").read_text()
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
    encoder, _ = load_encoder(checkpoint)

    def rows(folder: Path) -> list[tuple[str, np.ndarray]]:
        embedded = []
        for path in sorted(folder.glob("*/*")):
            picture = cv2.cvtColor(cv2.resize(cv2.imread(str(path)), (32, 32)), cv2.COLOR_BGR2RGB)
            with torch.no_grad():
                embedded.append((path.parent.name, encoder(torch.from_numpy(picture)[None])[0].numpy()))
        return embedded

    query_rows, gallery_rows = rows(queries), rows(gallery)
    first = [
        max(gallery_rows, key=lambda item: (round(float(item[1] @ row), 6), item[0] != place))
        for place, row in query_rows
    ]
    hits = sum(answer == place for (answer, _), (place, _) in zip(first, query_rows, strict=True))
    return {"r1": hits / len(query_rows), "queries": len(query_rows), "gallery": len(gallery_rows)}


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
