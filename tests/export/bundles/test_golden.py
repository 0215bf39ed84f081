"""What a bundle states that its engines must compute."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.bundles.golden import enter_golden, golden_of
from export.golden import main
from export.graphs.parity import embed
from runtime.errors import BundleError
from runtime.model.bundle import ENCODER_FILES, INT8_ON_CPU, Bundle, file_entry, write_manifest
from runtime.model.golden import golden_picture
from tests.export.toy import SIDE_PX, toy_bundle


def spoilt(source: Path, target: Path, share: float) -> float:
    """A graph whose last weights are off by a share of their size; its cosine on the golden picture."""
    model = onnx.load(source)
    weight = next(w for w in model.graph.initializer if w.name == "w4")
    values = numpy_helper.to_array(weight)
    noise = np.random.default_rng(0).normal(size=values.shape)
    off = values + share * noise * np.linalg.norm(values) / np.linalg.norm(noise)
    weight.CopyFrom(numpy_helper.from_array(off.astype(np.float32), "w4"))
    onnx.save(model, target)
    picture = golden_picture(SIDE_PX)[None]
    return float(embed(target, picture, optimise=False)[0] @ embed(source, picture)[0])


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "toy.bundle")


def test_an_exact_graph_may_lose_two_thousandths_and_a_reduced_one_three_times_what_it_lost(toy: Path) -> None:
    cosine = spoilt(toy / ENCODER_FILES["fp32"], toy / ENCODER_FILES["fp16"], 0.1)
    assert cosine < 0.9993
    stated = golden_of(toy, ["fp32", "fp16"], SIDE_PX)["min_cosine"]
    assert stated["fp32"] == pytest.approx(0.998, abs=2e-5)
    assert stated["fp16"] == pytest.approx(1 - 3 * (1 - cosine) - 0.002, abs=1e-5)


def test_of_int8s_twins_the_one_that_loses_more_counts(toy: Path) -> None:
    spoilt(toy / ENCODER_FILES["fp32"], toy / ENCODER_FILES["int8"], 0.02)
    alone = golden_of(toy, ["int8"], SIDE_PX)["min_cosine"]["int8"]
    worse = spoilt(toy / ENCODER_FILES["fp32"], toy / INT8_ON_CPU, 0.2)
    both = golden_of(toy, ["int8"], SIDE_PX)["min_cosine"]["int8"]
    assert both == pytest.approx(1 - 3 * (1 - worse) - 0.002, abs=1e-5)
    assert both < alone


def test_the_section_is_entered_and_all_else_stays_as_it_was(toy: Path) -> None:
    before = json.loads((toy / "manifest.json").read_text())
    assert enter_golden(toy).keys() == {"fp32"}
    after = json.loads((toy / "manifest.json").read_text())
    assert list(after) == [*before, "golden"] and {**after, "golden": None} == {**before, "golden": None}
    enter_golden(toy)
    assert json.loads((toy / "manifest.json").read_text()) == after, "a second time changes nothing"


def test_an_altered_graph_states_nothing(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (toy / "manifest.json").read_bytes()
    onnx.save(onnx.load(toy / "encoder.onnx"), toy / "encoder.fp16.onnx")
    entry = {**file_entry(toy / "encoder.fp16.onnx", "fp16"), "sha256": "0" * 64}
    write_manifest(toy, Bundle.open(toy).manifest.with_files({"encoder.fp16.onnx": entry}))
    with pytest.raises(BundleError, match=r"encoder\.fp16\.onnx was altered"):
        enter_golden(toy)
    (toy / "manifest.json").write_bytes(before)
    (toy / "encoder.onnx").write_bytes(b"another graph")
    assert main([str(toy)]) == 1
    message = capsys.readouterr().err
    assert message.startswith("export.golden: ") and "was altered" in message and message.count("\n") == 1
    assert (toy / "manifest.json").read_bytes() == before
