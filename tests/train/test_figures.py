"""Figures are drawn without a screen and without global state, and written whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from tests.paths import ROOT
from train.figures import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, new_figure, save_figure, tidy

# Viénot, Brettel and Mollon, 1999: what linear RGB becomes without the long-wave cones (protanopia).
PROTANOPIA = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])


def test_a_figure_is_written_at_its_size_with_what_was_drawn(tmp_path: Path) -> None:
    figure = new_figure(4, 3, "a title")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=VERMILLION, linewidth=4)
    tidy(axes, "panel", "step")
    save_figure(figure, tmp_path / "a.png")
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture is not None
    assert picture.shape == (360, 480, 3)
    wanted = np.array(to_rgb(VERMILLION))[::-1] * 255
    assert (np.abs(picture - wanted).max(axis=2) < 3).sum() > 100


def test_a_figure_that_cannot_be_drawn_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"the old one")
    figure = new_figure(2, 2)
    figure.subplots().set_title("$\\frac{1}{$")  # no formula
    with pytest.raises(ValueError, match="frac"):
        save_figure(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_figures_leave_pyplot_and_its_state_alone() -> None:
    code = "import sys, train.figures as f; f.new_figure(1, 1); sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_colours_stay_apart_where_red_and_green_are_not_told_apart() -> None:
    linear = {name: np.array(to_rgb(name)) ** 2.2 for name in (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)}
    seen = {name: np.clip(PROTANOPIA @ rgb, 0, 1) ** (1 / 2.2) for name, rgb in linear.items()}
    assert min(np.abs(seen[a] - seen[b]).max() for a, b in combinations(seen, 2)) > 0.1
