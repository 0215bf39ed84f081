"""A calibration in words: its figures against the truth that the views were drawn from."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from calib.camera.intrinsics import Calibration
from calib.camera.report import notes, summary
from runtime.geo.camera import Camera
from tests.calib.camera.drawn import SIZE


def number(text: str, before: str) -> float:
    """The number that follows some words."""
    match = re.search(re.escape(before) + r"\s*(-?\d+(\.\d+)?)", text)
    assert match, f"{before!r} is not in {text!r}"
    return float(match.group(1))


def test_the_summary_states_the_lens_with_its_uncertainty_and_what_a_frame_sees(calibration: Calibration) -> None:
    text = summary(calibration, 18, {})
    assert number(text, "fx") == pytest.approx(600, abs=1) and number(text, "cy") == pytest.approx(237, abs=1)
    assert 0 < float(text.split("fx")[1].split("+-")[1].split()[0]) < 1
    assert number(text, "views") == 18
    assert number(text, "a frame") == pytest.approx(100 * 640 / 600, rel=0.1)  # distortion widens it
    assert number(text, "a pixel") == pytest.approx(100 / 600, abs=0.001)
    wide = 2 * np.degrees(np.arctan(320 / 600))
    assert number(text, "field of view") == pytest.approx(wide, abs=4)


def test_pictures_that_were_left_out_are_counted_and_named_by_why(calibration: Calibration) -> None:
    left_out = {"show no board": ["a.png", "b.png"], "are blurred": [], "are like another": [f"{i}" for i in range(7)]}
    text = summary(calibration, 18, left_out)
    assert "2 show no board (a.png, b.png)" in text
    assert "7 are like another (0, 1, 2, 3 and 3 more)" in text
    assert "are blurred" not in text


def altered(calibration: Calibration, **changes: float) -> Calibration:
    """The calibration with another matrix."""
    matrix = calibration.fit.camera.matrix.copy()
    for name, value in changes.items():
        matrix[{"fx": (0, 0), "fy": (1, 1), "cx": (0, 2), "cy": (1, 2)}[name]] = value
    camera = Camera(*SIZE, matrix, calibration.fit.camera.distortion)
    return replace(calibration, fit=replace(calibration.fit, camera=camera))


def test_a_good_calibration_has_no_remark(calibration: Calibration) -> None:
    assert notes(calibration, []) == []


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"fx": 640.0}, r"pixels are 1\.06. as wide as high"),
        ({"cx": 400.0}, "the principal point is 1[23]% of the frame off its middle: was the picture cropped"),
    ],
)
def test_what_is_odd_about_a_lens_is_remarked(calibration: Calibration, changes: dict[str, float], remark: str) -> None:
    assert any(re.search(remark, note) for note in notes(altered(calibration, **changes), []))


def test_a_wandering_focal_length_and_unseen_parts_are_remarked(calibration: Calibration) -> None:
    wandering = replace(calibration, focal_spread_px=5 * float(calibration.fit.std[0]))
    assert any("is the board flat, the shutter rolling?" in note for note in notes(wandering, []))
    assert notes(calibration, ["top left", "top"]) == [
        "the board was hardly seen in these parts (top left, top) of the frame: distortion is a guess there"
    ]
