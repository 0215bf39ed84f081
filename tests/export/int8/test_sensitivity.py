from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import pytest

from calib.samples.stored_set import read_set
from export.graphs.precision import load_graph
from export.int8.gates import GateResult
from export.int8.quantize import quantised_activations
from export.int8.ranges import measure
from export.int8.sensitivity import Attempt, Sensitivity, hurt, quantise_until, rank_nodes, suspects
from tests.export.toy import BAD, toy_bundle


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return toy_bundle(tmp_path / "toy.bundle")


def test_the_ranking_stops_at_its_limit_of_time_with_the_most_suspicious_done(toy: Path) -> None:
    model, pictures = load_graph(toy / "encoder.onnx"), read_set(toy).pictures
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
