from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from export import trt
from export.int8.pipeline import attempt, choose_floats, prepare
from export.int8.sensitivity import Sensitivity
from export.options import Int8Choices
from runtime.model.bundle import Bundle
from tests.export.toy import BAD, NODES, toy_bundle


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "toy.bundle")


def test_the_layer_that_int8_ruins_is_found_and_left_float_and_the_manifest_says_so(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trt.main(["--int8", str(toy), "--graph-only", "--ranges", "max"]) == 0
    gate = Bundle.open(toy).manifest.document["gates"]["int8"]
    assert list(gate["kept_float"]) == [BAD] and gate["kept_float"][BAD] > 0.01
    assert gate["cosine_mean_all_int8"] < 0.99 < gate["cosine_mean"]
    readers = {n.name: n.input[0] for n in onnx.load(toy / "encoder.int8.onnx").graph.node if n.op_type == "Conv"}
    assert [name for name in NODES if not readers[name].endswith(".dq")] == [NODES[0], BAD]  # one reads the picture
    assert "left float: 1" in capsys.readouterr().out
    report = json.loads((toy / "report/report.json").read_text())
    assert report["kept_float"] == [BAD] and report["sensitivity"][0]["node"] == BAD
    assert [layer["node"] for layer in report["layers"] if not layer["quantised"]] == [BAD]


def test_a_node_can_be_left_float_by_hand_and_a_name_that_fits_none_tells_the_nearest(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--int8", str(toy), "--graph-only", "--ranges", "max"]
    assert trt.main([*command, "--keep-float", "backbone.[12]/*"]) == 0
    assert list(Bundle.open(toy).manifest.document["gates"]["int8"]["kept_float"])[:2] == ["backbone.1/Conv", BAD]
    assert trt.main([*command, "--keep-float", "backbone.22/Conv"]) == 1
    error = capsys.readouterr().err
    assert "names none of 4 nodes; the nearest: " in error and BAD in error and error.count("\n") == 1


def test_a_graph_that_half_of_its_nodes_do_not_save_is_refused_and_the_report_stands(
    toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.int8.gates.MIN_MEAN_COSINE", 1.1)
    assert trt.main(["--int8", str(toy), "--graph-only"]) == 1
    error = capsys.readouterr().err
    assert "needs 1.1" in error and "python -m calib.int8" in error and error.count("\n") == 1
    assert (toy / "report/report.txt").is_file()
    assert not (toy / "encoder.int8.onnx").exists() and "int8" not in Bundle.open(toy).precisions


def test_where_the_ranking_says_too_little_nodes_are_left_float_until_the_gate_passes(toy: Path) -> None:
    prepared = prepare(Bundle.open(toy), Int8Choices(rule="max"))
    harmless = [Sensitivity(node, 0.0) for node in (BAD, *(node for node in NODES[1:] if node != BAD))]
    assert attempt(prepared, ()).result.failure()
    best = choose_floats(prepared, harmless)
    assert best.keep_float == (BAD,) and best.result.failure() is None
