"""Charts show a dot for each seed, and mark a difference only where its interval leaves zero out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from train.ablation.chart import ChartRow, plot_differences, plot_lambda
from train.ablation.statistics import paired_difference
from train.figures import GREEN, VERMILLION


def row(arm: str, values: list[float], against: list[float]) -> ChartRow:
    differences = [a - b for a, b in zip(values, against, strict=True)]
    return ChartRow(arm, values, differences, paired_difference(values, against))


def pixels_of(path: Path, colour: str) -> int:
    """How many pixels have a colour, given as ``#rrggbb``."""
    picture = cv2.imread(str(path))
    wanted = [int(colour[k : k + 2], 16) for k in (5, 3, 1)]
    return int((np.abs(picture.astype(int) - wanted).max(axis=2) < 12).sum())


@pytest.mark.parametrize(
    ("values", "ahead", "behind"),
    [([60.0, 61.0, 62.0], True, False), ([40.0, 41.0, 42.0], False, True), ([40.0, 52.0, 60.0], False, False)],
)
def test_a_sure_difference_is_green_ahead_and_red_behind(
    values: list[float], ahead: bool, behind: bool, tmp_path: Path
) -> None:
    reference = [50.0, 51.0, 51.5]
    rows = [row("info_nce", reference, reference), row("dphr", values, reference)]
    plot_differences({"R@1": rows}, "info_nce", tmp_path / "chart.png", title="a set")
    assert (pixels_of(tmp_path / "chart.png", GREEN) > 20) == ahead
    assert (pixels_of(tmp_path / "chart.png", VERMILLION) > 20) == behind


def test_one_seed_and_several_metrics_can_be_drawn(tmp_path: Path) -> None:
    rows = [row("info_nce", [50.0], [50.0]), row("dphr", [51.0], [50.0])]
    sizes = []
    for count in (1, 3):
        path = tmp_path / f"{count}.png"
        plot_differences({f"metric {k}": rows for k in range(count)}, "info_nce", path, title="a set")
        sizes.append(cv2.imread(str(path)).shape[0])
    assert sizes[1] > 2 * sizes[0], "a line of panels for each metric"


def test_lambdas_of_runs_of_unequal_length_have_a_mean_as_long_as_the_shortest(tmp_path: Path) -> None:
    plot_lambda({"dphr": [[0.0, 0.5, 1.0], [0.0, 0.5]], "palw": [[0.2]]}, tmp_path / "lambda.png")
    plot_lambda({}, tmp_path / "empty.png")
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in ("lambda.png", "empty.png"))
