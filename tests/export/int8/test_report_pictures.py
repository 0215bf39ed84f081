"""A report's two pictures show more where there is more to show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from export.int8.report import EMBEDDINGS, LAYERS, Report, write_report
from tests.export.int8.reported import embeddings


def test_both_pictures_show_more_where_there_is_more_to_show(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "same")
    write_report(replace(report, int8=embeddings(1), layers=report.layers[:1]), tmp_path / "other")
    for name in (LAYERS, EMBEDDINGS):
        same, other = (cv2.imread(str(tmp_path / folder / name)) for folder in ("same", "other"))
        assert same is not None and min(same.shape[:2]) > 400
        ink = [(picture < 200).any(axis=2).sum() for picture in (same, other)]
        assert ink[0] != ink[1]
    # Embeddings that coincide draw no strokes between FP32's and INT8's; others draw long ones.
    grey = [
        (np.abs(cv2.imread(str(tmp_path / folder / EMBEDDINGS)).astype(int) - 0xB8).max(axis=2) < 4).sum()
        for folder in ("same", "other")
    ]
    assert grey[1] > 1.2 * grey[0]
