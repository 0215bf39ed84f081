"""Pictures of a run: its curves, and how hard its negatives were at several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from runtime.types import FloatArray
from train.figures import BLUE, FAINT, GREEN, INK, ORANGE, PURPLE, VERMILLION, new_figure, save_figure, tidy
from train.fit.log_line import LogLine

_MANY = 40  # points from which on a line is drawn smoothed over a faint one


class Curve(NamedTuple):
    """A curve of the log, by its key there."""

    key: str
    label: str
    colour: str


class Panel(NamedTuple):
    """Some curves that share an axis; drawn where the log has any of them."""

    title: str
    curves: tuple[Curve, ...]


_PANELS = (
    Panel("loss", (Curve("loss", "total", INK), Curve("host", "host", BLUE), Curve("distill", "distillation", PURPLE))),
    Panel(
        "held-out places (percent)",
        (Curve("r1", "R@1", VERMILLION), Curve("r5", "R@5", ORANGE), Curve("ap", "AP", BLUE)),
    ),
    Panel("triplet losses", (Curve("triplet", "unweighted", BLUE), Curve("weighted", "reweighted by RDA", VERMILLION))),
    Panel("lambda_t: the weight of DPHR's reweighted loss", (Curve("lambda_t", "", VERMILLION),)),
    Panel("scale: 1 / temperature of InfoNCE", (Curve("scale", "", GREEN),)),
    Panel("length of the gradient, before clipping", (Curve("grad_norm", "", PURPLE),)),
)
_SHARES = ("r1", "r5", "ap")
_SMOOTH = ("lambda_t", "scale")  # by themselves


def plot_run(log: Sequence[LogLine], path: Path) -> None:
    """Draw all curves that the log has over steps, as PNG: losses, lambda_t, scale, gradient, held-out scores.

    A curve that is nowhere a number (the triplet loss without DPHR) or always zero (lambda_t) is left out.
    """
    panels = [panel for panel in _PANELS if any(_says_something(log, curve.key) for curve in panel.curves)]
    rows = max(1, (len(panels) + 1) // 2)
    figure = new_figure(11, 2.7 * rows + 0.2)
    grid = figure.subplots(rows, 2, squeeze=False, sharex=True)
    for axes, panel in zip(grid.flat, panels, strict=False):
        _draw_panel(axes, panel, log)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for column in range(2):
        lowest = grid.flat[max(range(column, max(len(panels), 2), 2))]
        lowest.set_xlabel("step", fontsize=9, color=INK)
        lowest.tick_params(labelbottom=True)
    save_figure(figure, path)


def _draw_panel(axes: Any, panel: Panel, log: Sequence[LogLine]) -> None:
    """Draw the curves of a panel that say something."""
    tidy(axes, panel.title)
    shown = [curve for curve in panel.curves if _says_something(log, curve.key)]
    for curve in shown:
        draw = _draw_scores if curve.key in _SHARES else _draw_steps
        draw(axes, curve, *_series(log, curve.key))
    if len(shown) > 1:
        axes.legend(frameon=False, fontsize=8.5)
    axes.set_ylim(bottom=0)


def _draw_scores(axes: Any, curve: Curve, steps: FloatArray, shares: FloatArray) -> None:
    """Draw shares as percent, each validation a point."""
    percent = 100 * shares
    label = f"{curve.label}, {percent[-1]:.1f} at the end"
    axes.plot(steps, percent, "o-", color=curve.colour, markersize=3.5, linewidth=1.5, label=label)


def _draw_steps(axes: Any, curve: Curve, steps: FloatArray, values: FloatArray) -> None:
    """Draw a value a step; of many a smooth line over the faint one."""
    if len(values) < _MANY or curve.key in _SMOOTH:
        axes.plot(steps, values, color=curve.colour, linewidth=1.5, label=curve.label)
        return
    axes.plot(steps, values, color=curve.colour, linewidth=0.6, alpha=0.3)
    axes.plot(steps, _smoothed(values), color=curve.colour, linewidth=1.8, label=curve.label)


def _smoothed(values: FloatArray) -> FloatArray:
    """Return the running median over a twentieth of the run: one wild batch leaves no bump."""
    reach = max(1, len(values) // 40)
    padded = np.pad(values, reach, mode="reflect")
    middles: FloatArray = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1)
    return middles


def plot_hardness(
    hardness: Mapping[str, NDArray[np.floating[Any]]],  # by time, as "step 100": (n,) RDA's h of a batch's triplets
    path: Path,
    *,
    w_min: float = 0.5,
    w_max: float = 1.5,
) -> None:
    """Draw histograms of ``h = d_p / (d_p + d_n)`` at several times of a run, with RDA's weight of it, as PNG.

    Training moves them to the left: positives come nearer than negatives. What stays right of 0.5 is still wrong.
    """
    figure = new_figure(7.5, 3.8)
    axes = figure.subplots()
    tidy(axes, "", "hardness h = d_p / (d_p + d_n)")
    axes.set_ylabel("share of triplets (percent)", fontsize=9, color=INK)
    top = max((float(np.max(values)) for values in hardness.values() if len(values)), default=1.0)
    bins = np.linspace(0.0, max(0.6, min(1.0, top + 0.02)), 61)
    # From light to dark as time goes: read without telling hues apart.
    colours = colormaps["viridis_r"](np.linspace(0.15, 0.95, len(hardness)))
    for (time, values), colour in zip(hardness.items(), colours, strict=True):
        share = 100 * np.histogram(values, bins)[0] / max(len(values), 1)
        wrong = float(np.mean(np.asarray(values) > 0.5)) if len(values) else 0.0
        axes.stairs(share, bins, color=colour, linewidth=2, label=f"{time} ({wrong:.1%} right of 0.5)")
        axes.stairs(share, bins, color=colour, fill=True, alpha=0.15)
    axes.axvline(0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(0.5, 0.97, " the negative is nearer", transform=axes.get_xaxis_transform(), va="top", fontsize=8.5)
    axes.set(xlim=(bins[0], bins[-1]), ylim=(0, None))
    if w_max > w_min:
        span = w_max - w_min
        weights = axes.secondary_xaxis("top", functions=(lambda h: w_min + span * h, lambda w: (w - w_min) / span))
        weights.set_xlabel("weight w of the triplet", fontsize=9, color=INK)
        weights.tick_params(colors=INK, labelsize=8.5)
        weights.spines["top"].set_color(FAINT)
    if hardness:
        axes.legend(frameon=False, fontsize=8.5, loc="upper left")
    save_figure(figure, path)


def _says_something(log: Sequence[LogLine], key: str) -> bool:
    """Tell whether the log has this curve, and it is not zero everywhere; scores are drawn even so."""
    values = _series(log, key)[1]
    return bool(len(values) and (key in _SHARES or np.any(values != 0.0)))


def _series(log: Sequence[LogLine], key: str) -> tuple[FloatArray, FloatArray]:
    """Return steps and finite values of a key, (n,) each."""
    points = [(line.step, line.values[key]) for line in log if np.isfinite(line.values.get(key, np.nan))]
    table = np.array(points, np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
