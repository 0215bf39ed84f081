"""Pictures of an ablation: seeds as dots, paired differences with their intervals, lambda over steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from train.ablation.statistics import PairedDifference
from train.figures import BLUE, FAINT, GREEN, INK, PURPLE, VERMILLION, new_figure, save_figure, tidy


class ChartRow(NamedTuple):
    """One arm of a chart, in percent and percentage points."""

    arm: str
    values: Sequence[float]  # one a seed
    differences: Sequence[float]  # one a seed that the reference has too
    paired: PairedDifference


def plot_differences(panels: Mapping[str, Sequence[ChartRow]], against: str, path: Path, *, title: str) -> None:
    """Draw a line of two panels for each metric: its values, and its differences from ``against``."""
    rows = max(len(lines) for lines in panels.values())
    figure = new_figure(10.5, (0.3 * rows + 0.95) * len(panels) + 0.5, title)
    grid = figure.subplots(len(panels), 2, squeeze=False, sharey="row")
    for (left, right), (metric, lines) in zip(grid, panels.items(), strict=True):
        tidy(left, metric)
        tidy(right, f"{metric}, less {against} of the same seed")
        right.axvline(0, color=INK, linewidth=0.9)
        for y, row in enumerate(lines):
            _draw_row(left, right, y, row, reference=row.arm == against)
        left.set_yticks(range(len(lines)), [row.arm for row in lines])
        left.set_ylim(len(lines) - 0.4, -0.6)  # the first arm on top
    grid[-1, 0].set_xlabel("percent; a dot a seed, a bar their mean", fontsize=8.5)
    grid[-1, 1].set_xlabel("percentage points; mean and 95 % interval, filled where it leaves 0 out", fontsize=8.5)
    save_figure(figure, path)


def _draw_row(left: Any, right: Any, y: int, row: ChartRow, *, reference: bool) -> None:
    """Draw an arm's seeds and mean on the left, its differences and their interval on the right."""
    jitter = np.linspace(-0.2, 0.2, len(row.values)) if len(row.values) > 1 else np.zeros(1)
    dots = {"s": 16, "linewidths": 0, "alpha": 0.75}
    left.scatter(row.values, y + jitter, color=FAINT if reference else BLUE, **dots)
    left.plot([np.mean(row.values)] * 2, [y - 0.32, y + 0.32], color=INK, linewidth=1.8)
    if reference or not row.differences:
        return
    right.scatter(row.differences, y + jitter[: len(row.differences)], color=BLUE, **dots)
    # Filled and coloured where the interval leaves zero out; an open ring where it does not.
    sure = row.paired.low > 0 or row.paired.high < 0
    colour = INK if not sure else GREEN if row.paired.low > 0 else VERMILLION
    if row.paired.n > 1:
        right.plot([row.paired.low, row.paired.high], [y, y], color=colour, linewidth=1.8, solid_capstyle="butt")
    fill = colour if sure else "white"
    right.plot([row.paired.mean], [y], "o", color=colour, markerfacecolor=fill, markersize=6.5, markeredgewidth=1.4)


def plot_lambda(traces: Mapping[str, Sequence[Sequence[float]]], path: Path) -> None:
    """Draw ``lambda_t`` over steps: thin lines for seeds, a thick one for their mean."""
    figure = new_figure(7, 3.4)
    axes = figure.subplots()
    tidy(axes, "PALW: the weight of the reweighted loss", "step")
    axes.set_ylabel("lambda_t", fontsize=9)
    for (arm, runs), colour in zip(traces.items(), (BLUE, VERMILLION, PURPLE), strict=False):
        for run in runs:
            axes.plot(range(1, len(run) + 1), run, color=colour, linewidth=0.6, alpha=0.4)
        mean = np.mean([run[: min(map(len, runs))] for run in runs], axis=0)
        axes.plot(range(1, len(mean) + 1), mean, color=colour, linewidth=2, label=arm)
    if traces:
        axes.legend(frameon=False, fontsize=9)
    save_figure(figure, path)
