"""A report's two pictures: the noise of each layer, and where embeddings went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from export.graphs.parity import Embeddings
from export.int8.gates import MIN_MEAN_COSINE, MIN_WORST_COSINE
from export.int8.layers import LayerNoise
from runtime.files import whole_file

_BLUE, _VERMILLION, _INK, _FAINT = "#0072B2", "#D55E00", "#262626", "#B8B8B8"  # Okabe and Ito, 2008
_WORST = 5


def draw_layers(bundle: str, layers: Sequence[LayerNoise], path: Path) -> None:
    """Draw the signal to quantisation noise over the depth of the network."""
    figure = _figure(10, 4)
    axes = figure.subplots()
    at, db = np.arange(len(layers)), np.array([layer.sqnr_db for layer in layers])
    axes.plot(at, db, color=_FAINT, linewidth=1, zorder=1)
    for quantised, colour, label in ((True, _BLUE, "INT8"), (False, _VERMILLION, "left float")):
        drawn = np.array([layer.quantised == quantised for layer in layers], np.bool_)
        if drawn.any():
            axes.scatter(at[drawn], db[drawn], s=18, color=colour, label=label, zorder=2)
    order = np.argsort(db)[:_WORST]
    names = [_short(layers[i].node) for i in order]
    notes = "\n".join(f"{db[i]:5.1f} dB  {name}" for i, name in zip(order, names, strict=True))
    axes.text(1.01, 0.98, f"most noise\n{notes}", transform=axes.transAxes, va="top", fontsize=8, color=_INK)
    axes.set_ylabel("signal to noise (dB)", fontsize=9, color=_INK)
    axes.legend(frameon=False, fontsize=8.5, loc="upper right")
    _tidy(axes, f"{bundle}: noise of INT8 in each layer's output", "layer, input to output")
    _save(figure, path)


def _short(node: str) -> str:
    return node.removeprefix("backbone.").rpartition("/")[0] or node


def draw_embeddings(
    fp32: Embeddings,  # (N, D)
    int8: Embeddings,  # (N, D)
    path: Path,
) -> None:
    """Draw both embeddings on FP32's two main axes, and each picture's cosine."""
    figure = _figure(10, 4.6)
    plane, line = figure.subplots(1, 2)
    middle = fp32.mean(axis=0)
    directions = np.linalg.svd(fp32 - middle, full_matrices=False)[2][:2]
    fp32_at, int8_at = ((rows - middle) @ directions.T for rows in (fp32, int8))  # (N, 2)
    plane.plot(*np.stack([fp32_at, int8_at], axis=1).T, color=_FAINT, linewidth=0.8, zorder=1)
    plane.scatter(*fp32_at.T, s=26, facecolors="none", edgecolors=_BLUE, label="FP32", zorder=2)
    plane.scatter(*int8_at.T, s=8, color=_VERMILLION, label="INT8", zorder=3)
    plane.set_aspect("equal", adjustable="datalim")
    plane.legend(frameon=False, fontsize=8.5)
    _tidy(plane, f"{len(fp32)} pictures kept apart, on FP32's two main axes", "")
    cosines = np.sort((fp32 * int8).sum(axis=1))
    line.scatter(np.arange(len(cosines)), cosines, s=10, color=_BLUE)
    below: Mapping[str, object] = {"textcoords": "offset points", "fontsize": 8, "color": _INK, "ha": "right"}
    for limit, label in ((MIN_MEAN_COSINE, "mean"), (MIN_WORST_COSINE, "worst")):
        line.axhline(limit, color=_VERMILLION, linewidth=0.8, linestyle="--")
        line.annotate(f"required of the {label}", (len(cosines) - 1, limit), (0, -10), **below)
    _tidy(line, f"cosine to FP32: mean {cosines.mean():.4f}, worst {cosines[0]:.4f}", "picture, worst first")
    _save(figure, path)


def _figure(width_in: float, height_in: float) -> Figure:
    figure = Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _tidy(axes: Axes, title: str, xlabel: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=8.5)
    axes.grid(color=_FAINT, linewidth=0.5, alpha=0.5)
    axes.set_title(title, fontsize=10, color=_INK, loc="left")
    axes.set_xlabel(xlabel, fontsize=9, color=_INK)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
