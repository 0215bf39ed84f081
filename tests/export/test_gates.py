from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from calib.samples.gate_set import RetrievalSet
from export.int8.gates import GateResult, Judge, SetResult, changed_set, search
from export.graphs.drawn_ground import land_like
from runtime.errors import GateError
from tests.export.toy import SIDE_PX, toy_model

LARGE = 10**12  # multiply-accumulates of a network whose set is kept small
GOOD = SetResult("set", "0" * 64, 1000, 500, 0.80, 0.80, 0.0, 20.0, 20.0, 0.0)
PASSED = GateResult(64, 0.995, 0.97, (GOOD,))


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (replace(PASSED, cosine_worst=0.89), "worst cosine 0.8900, needs 0.9"),
        (replace(PASSED, cosine_mean=0.985), "mean cosine 0.9850, needs 0.99"),
        (replace(PASSED, cosine_mean=float("nan")), "mean cosine nan"),
        (replace(PASSED, sets=(replace(GOOD, r1=0.794),)), "R@1 0.794, FP32 0.800, on 1000 queries of set"),
        (replace(PASSED, sets=(replace(GOOD, r1=float("nan")),)), "R@1 nan"),
        (replace(PASSED, sets=(GOOD, replace(GOOD, p90_m=20.6))), "90% of set within 20.6 m, FP32 20.0 m"),
    ],
)
def test_what_a_reduced_graph_loses_is_refused_with_the_figure(result: GateResult, told: str) -> None:
    PASSED.check("int8")
    with pytest.raises(GateError, match=told.replace(".", r"\.")):
        result.check("int8")


def test_a_loss_that_chance_explains_passes() -> None:
    lucky = replace(GOOD, r1=0.792, r1_loss_error=0.004, p90_m=20.9, p90_loss_error=0.03)
    assert lucky.failure() is None
    assert replace(lucky, r1_loss_error=0.001).failure()


def test_an_answer_is_right_by_its_set_and_as_far_off_as_its_place() -> None:
    gallery = np.eye(3, dtype=np.float32)
    queries = gallery[[0, 1, 2, 0]]
    right = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]], bool)
    off_m = np.arange(12.0).reshape(4, 3)
    found = search(queries, gallery, RetrievalSet("made", np.zeros(0), np.zeros(0), right, off_m))
    assert found.r1 == 0.5
    assert found.off_m is not None and found.off_m.tolist() == [0, 4, 8, 9]


def test_a_graph_is_held_against_fp32_on_pictures_and_sets(tmp_path: Path) -> None:
    model, pictures = toy_model(), land_like(24, SIDE_PX, SIDE_PX)
    onnx.save(model, tmp_path / "fp32.onnx")
    one = changed_set(pictures[:8], pictures[8:], LARGE)
    assert (one.right.sum(axis=1) == 1).all()
    judge = Judge(tmp_path / "fp32.onnx", pictures[:8], [replace(one, off_m=np.where(one.right, 0.0, 50.0))])
    same = judge.judge(tmp_path / "fp32.onnx")
    assert same.cosine_worst == pytest.approx(1, abs=1e-5) and same.failure() is None
    assert same.sets[0].r1_loss == same.sets[0].r1_loss_error == 0
    for weight in model.graph.initializer:
        if weight.name == "w3":
            weight.raw_data = np.random.default_rng(1).normal(size=weight.dims).astype(np.float32).tobytes()
    onnx.save(model, tmp_path / "other.onnx")
    other = judge.judge(tmp_path / "other.onnx")
    assert other.failure() and other.sets == ()  # minutes are not spent on a graph that is refused already


def test_a_set_is_known_by_its_pixels_and_by_what_is_right() -> None:
    one, again = (
        changed_set(land_like(4, SIDE_PX, SIDE_PX), land_like(4, SIDE_PX, SIDE_PX, seed=1), LARGE) for _ in range(2)
    )
    assert one.sha256 == again.sha256 != replace(one, right=~one.right).sha256


def test_a_set_has_thousands_of_queries_for_a_small_network_and_each_is_the_same_however_it_is_asked_for() -> None:
    pictures = land_like(4, SIDE_PX, SIDE_PX)
    small, large = (changed_set(pictures, pictures, macs) for macs in (150_000_000, LARGE))
    assert (len(small.queries), len(large.queries)) == (4096, 512)
    assert (small.queries[4000:4004] == small.queries[3990:4010][10:14]).all()
    assert (small.queries[0:1] != small.queries[4:5]).any()  # of one picture, changed in two ways
    assert (small.right.argmax(axis=1)[:6] == [0, 1, 2, 3, 0, 1]).all()
