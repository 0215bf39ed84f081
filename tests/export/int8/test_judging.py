from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from calib.samples.gate_set import GateSet
from export.graphs.drawn_ground import land_like
from export.int8.changed_pictures import changed_set
from export.int8.judging import answer_as_fp32, judge, search
from tests.export.toy import SIDE_PX, toy_model

LARGE = 10**12  # multiply-accumulates of a network whose set is kept small


def test_an_answer_is_right_by_its_set_and_as_far_off_as_its_place() -> None:
    gallery = np.eye(3, dtype=np.float32)
    queries = gallery[[0, 1, 2, 0]]
    right = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]], bool)
    off_m = np.arange(12.0).reshape(4, 3)
    found = search(queries, gallery, GateSet("made", np.zeros(0), np.zeros(0), right, off_m))
    assert found.r1 == 0.5
    assert found.off_m is not None and found.off_m.tolist() == [0, 4, 8, 9]


def test_a_graph_is_held_against_fp32_on_pictures_and_sets(tmp_path: Path) -> None:
    model, pictures = toy_model(), land_like(24, SIDE_PX, SIDE_PX)
    onnx.save(model, tmp_path / "fp32.onnx")
    one = changed_set(pictures[:8], pictures[8:], LARGE)
    assert (one.right.sum(axis=1) == 1).all()
    fp32 = answer_as_fp32(tmp_path / "fp32.onnx", pictures[:8], [replace(one, off_m=np.where(one.right, 0.0, 50.0))])
    same = judge(fp32, tmp_path / "fp32.onnx")
    assert same.cosine_worst == pytest.approx(1, abs=1e-5) and same.failure() is None
    assert same.sets[0].r1_loss == same.sets[0].r1_loss_error == 0
    for weight in model.graph.initializer:
        if weight.name == "w3":
            weight.raw_data = np.random.default_rng(1).normal(size=weight.dims).astype(np.float32).tobytes()
    onnx.save(model, tmp_path / "other.onnx")
    other = judge(fp32, tmp_path / "other.onnx")
    assert other.failure() and other.sets == ()  # minutes are not spent on a graph that is refused already
