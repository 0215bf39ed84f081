from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest

from calib.samples.stored_set import read_set
from export import trt
from export.int8.gates import GateResult
from export.graphs.precision import load_graph
from export.int8.quantize import quantised_activations
from export.int8.ranges import measure
from export.int8.sensitivity import Attempt, Sensitivity, hurt, quantise_until, rank_nodes, suspects
from runtime.model.bundle import Bundle
from tests.export.toy import BAD, NODES, toy_bundle


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "toy.bundle")


def test_the_layer_that_int8_ruins_is_found_and_left_float_and_the_manifest_says_so(
    toy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trt.main(["--int8", str(toy), "--graph-only", "--ranges", "max"]) == 0
    gate = Bundle.open(toy).manifest["gates"]["int8"]
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
    assert list(Bundle.open(toy).manifest["gates"]["int8"]["kept_float"])[:2] == ["backbone.1/Conv", BAD]
    assert trt.main([*command, "--keep-float", "backbone.22/Conv"]) == 1
    error = capsys.readouterr().err
    assert "names none of 4 nodes; the nearest: " in error and BAD in error and error.count("\n") == 1


def test_the_ranking_stops_at_its_limit_of_time_with_the_most_suspicious_done(toy: Path) -> None:
    model, pictures = load_graph(toy / "encoder.onnx"), read_set(toy)[0]
    measured = measure(model, quantised_activations(model), pictures)
    order = suspects(model, measured, "max")
    assert order[0] == BAD
    ranges = {name: one.range_by("max") for name, one in measured.items()}
    seconds = iter([0.0, 1.0, 2.0, 3.0, 4.0])
    ranking = rank_nodes(model, ranges, pictures, order, limit_s=1.5, clock=lambda: next(seconds))
    assert [one.node for one in ranking] == order[:2]


def test_what_costs_more_than_its_even_share_is_hurt_and_never_more_than_an_eighth_of_all() -> None:
    ranking = [Sensitivity(f"n{i}", lost) for i, lost in enumerate((0.005, 0.0008, 0.0006, 0.0004, 0.0001))]
    assert hurt(ranking, 20, 0.01) == ("n0", "n1")  # 0.0005 is a share, two nodes are an eighth
    assert hurt(ranking, 8, 0.01) == ("n0",)
    assert hurt(ranking[1:], 8, 0.01) == hurt([], 8, 0.01) == ()


@pytest.mark.parametrize("needed", [1, 2, 3, 5, 9, 10])
def test_the_fewest_nodes_that_do_are_left_float(needed: int) -> None:
    tried = []

    def make(keep_float: Sequence[str]) -> Attempt:
        tried.append(len(keep_float))
        good = len(keep_float) >= needed
        return Attempt(onnx.ModelProto(), tuple(keep_float), GateResult(8, 1.0 if good else 0.5, 1.0, ()))

    nodes = [str(i) for i in range(20)]
    assert quantise_until(make, nodes).keep_float == tuple(nodes[:needed])
    assert len(tried) <= 8


def test_a_graph_that_half_of_its_nodes_do_not_save_is_refused_and_the_report_stands(
    toy: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.int8.gates.MIN_MEAN_COSINE", 1.1)
    assert trt.main(["--int8", str(toy), "--graph-only"]) == 1
    error = capsys.readouterr().err
    assert "needs 1.1" in error and "python -m calib.int8" in error and error.count("\n") == 1
    assert (toy / "report/report.txt").is_file()
    assert not (toy / "encoder.int8.onnx").exists() and "int8" not in Bundle.open(toy).precisions
