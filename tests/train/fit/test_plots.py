"""Pictures of a run: whatever the log holds, a PNG comes out, and what it draws is what was logged."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

from train.figures import BLUE, GREEN, PURPLE, VERMILLION
from train.fit.log_line import LogLine
from train.fit.plots import _smoothed, plot_hardness, plot_run


def _png(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path))
    assert picture is not None, f"{path} is no picture"
    return np.asarray(picture[..., ::-1], np.uint8)


def _log(steps: int, **values: float) -> list[LogLine]:
    return [LogLine(step, values) for step in range(1, steps + 1)]


def test_a_run_is_drawn_whatever_its_log_holds(tmp_path: Path) -> None:
    whole = _log(60, loss=2.0, host=1.0, triplet=0.1, lambda_t=0.5, scale=14.0, grad_norm=1.0)
    scores = [LogLine(60, {"r1": 0.5, "r5": 0.7, "ap": 0.6})]
    plain = _log(5, loss=2.0, host=2.0, triplet=math.nan, lambda_t=0.0)
    heights = []
    for name, log in {"whole": whole + scores, "plain": plain, "none": []}.items():
        plot_run(log, tmp_path / f"{name}.png")
        heights.append(_png(tmp_path / f"{name}.png").shape[0])
    assert heights[0] > heights[1], "curves that say nothing are left out"


def test_smoothing_is_a_running_median() -> None:
    values = np.random.default_rng(0).normal(size=200)
    slow = [np.median(values[k - 5 : k + 6]) for k in range(5, 195)]
    np.testing.assert_allclose(_smoothed(values)[5:195], slow)


def test_hardness_is_drawn_for_any_number_of_times(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    batches = {f"step {k}": rng.beta(8, 8 + k, 500) for k in (1, 50, 100)}
    for name, shown in {"three": batches, "none": {}, "empty": {"step 1": np.empty(0)}}.items():
        plot_hardness(shown, tmp_path / f"{name}.png", w_max=0.5 if name == "empty" else 1.5)
        assert _png(tmp_path / f"{name}.png").std() > 0


def _has(picture: NDArray[np.uint8], colour: str) -> bool:
    return bool((np.abs(picture / 255.0 - to_rgb(colour)).max(axis=2) < 0.01).any())


@pytest.mark.parametrize(
    ("values", "colour"),
    [({"r1": 0.5}, VERMILLION), ({"host": 1.0}, BLUE), ({"distill": 0.2}, PURPLE), ({"scale": 14.0}, GREEN)],
)
def test_each_curve_is_drawn_in_its_own_colour_and_no_other(
    values: dict[str, float], colour: str, tmp_path: Path
) -> None:
    plot_run([LogLine(step, values) for step in range(9)], tmp_path / "curves.png")
    picture = _png(tmp_path / "curves.png")
    assert [c for c in (VERMILLION, BLUE, PURPLE, GREEN) if _has(picture, c)] == [colour]


def test_a_curve_that_is_nowhere_a_number_or_always_nothing_is_left_out(tmp_path: Path) -> None:
    silent = {"triplet": math.nan, "lambda_t": 0.0}
    for name, others in (("plain", {}), ("silent", silent)):
        plot_run([LogLine(step, {"loss": 1.0, **others}) for step in range(9)], tmp_path / f"{name}.png")
    assert np.array_equal(_png(tmp_path / "plain.png"), _png(tmp_path / "silent.png"))
