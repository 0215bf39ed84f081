"""What a reduced graph was measured to do: a table for people and programs, its noise and embeddings as pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.gates import MIN_MEAN_COSINE, MIN_WORST_COSINE, GateResult, SetResult
from export.layers import Layer
from export.parity import Embeddings
from export.sensitivity import Sensitivity
from runtime.files import whole_file, write_text_whole

TEXT, JSON, LAYERS, EMBEDDINGS = "report.txt", "report.json", "layers.png", "embeddings.png"
_BLUE, _VERMILLION, _INK, _FAINT = "#0072B2", "#D55E00", "#262626", "#B8B8B8"  # Okabe and Ito, 2008
_WORST = 5


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    bundle: str
    rule: str  # of export.ranges
    calibration: Mapping[str, Any]  # pictures and sha256
    results: Mapping[str, GateResult]  # precision -> how it was judged
    megabytes: Mapping[str, float]  # precision -> of its graph, fp32 among them
    layers: Sequence[Layer]  # of the INT8 graph
    kept_float: Sequence[str]
    ranking: Sequence[Sensitivity]  # empty where none had to be measured
    fp32: Embeddings  # (N, D) of the pictures that were kept apart
    int8: Embeddings  # (N, D)


def write_report(report: Report, folder: Path) -> None:
    """Write the table as text and JSON, and both pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text_whole(folder / TEXT, "\n".join(told(report)) + "\n")
    write_text_whole(folder / JSON, json.dumps(_as_json(report), indent=1) + "\n")
    _draw_layers(report, folder / LAYERS)
    _draw_embeddings(report, folder / EMBEDDINGS)


def told(report: Report) -> list[str]:
    """The table, line by line."""
    pictures, sha256 = report.calibration["pictures"], report.calibration["sha256"][:12]
    lines = [f"{report.bundle}: ranges by {report.rule} on {pictures} pictures of set {sha256}", ""]
    lines += [f"{'graph':<6} {'MB':>6}  {'cosine to FP32: mean':>20}  {'worst':>8}"]
    for precision, size in report.megabytes.items():
        result = report.results.get(precision)
        cosines = f"{result.cosine_mean:>20.5f}  {result.cosine_worst:>8.5f}" if result else f"{'-':>20}  {'-':>8}"
        lines += [f"{precision:<6} {size:>6.1f}  {cosines}"]
    by_set: dict[str, list[str]] = {}
    for precision, result in report.results.items():
        for one in result.sets:
            held = by_set.setdefault(one.name, ["", _heading(one), f"fp32   {one.r1_fp32:>6.1%}{_fp32_metres(one)}"])
            held.append(f"{precision:<6} {_losses(one)}")
    lines += [line for held in by_set.values() for line in held]
    lines += ["", f"left float: {', '.join(report.kept_float) or 'nothing'}"]
    lines += [f"  {one.node}: quantised alone it costs {one.lost:.5f}" for one in report.ranking[:_WORST]]
    lines += ["", f"most noise (signal to noise, dB), of {len(report.layers)} layers:"]
    return lines + [
        f"  {one.sqnr_db:5.1f}  {one.node}" for one in sorted(report.layers, key=lambda x: x.sqnr_db)[:_WORST]
    ]


def _heading(one: SetResult) -> str:
    return f"{one.name}: {one.queries} queries in {one.gallery} rows, set {one.sha256[:12]}"


def _fp32_metres(one: SetResult) -> str:
    return "" if one.p90_m_fp32 is None else f"{'':<26}  90% within {one.p90_m_fp32:.1f} m"


def _losses(one: SetResult) -> str:
    text = f"{one.r1:>6.1%}  loss {100 * one.r1_loss:+5.2f} +- {100 * one.r1_loss_error:4.2f} points"
    if one.p90_loss is None or one.p90_loss_error is None:
        return text
    return f"{text}  90% within {one.p90_m:.1f} m, loss {one.p90_loss:+.1%} +- {one.p90_loss_error:.1%}"


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "format": 1,
        "bundle": report.bundle,
        "ranges": report.rule,
        "calibration": dict(report.calibration),
        "megabytes": dict(report.megabytes),
        "graphs": {precision: result.as_json() for precision, result in report.results.items()},
        "kept_float": list(report.kept_float),
        "sensitivity": [{"node": one.node, "lost": one.lost} for one in report.ranking],
        "layers": [layer._asdict() for layer in report.layers],
    }


def _draw_layers(report: Report, path: Path) -> None:
    """Signal to quantisation noise over the depth of the network."""
    figure = _figure(10, 4)
    axes = figure.subplots()
    at, db = np.arange(len(report.layers)), np.array([layer.sqnr_db for layer in report.layers])
    axes.plot(at, db, color=_FAINT, linewidth=1, zorder=1)
    for quantised, colour, label in ((True, _BLUE, "INT8"), (False, _VERMILLION, "left float")):
        of = np.array([layer.quantised == quantised for layer in report.layers], np.bool_)
        if of.any():
            axes.scatter(at[of], db[of], s=18, color=colour, label=label, zorder=2)
    order = np.argsort(db)[:_WORST]
    names = [_short(report.layers[i].node) for i in order]
    notes = "\n".join(f"{db[i]:5.1f} dB  {name}" for i, name in zip(order, names, strict=True))
    axes.text(1.01, 0.98, f"most noise\n{notes}", transform=axes.transAxes, va="top", fontsize=8, color=_INK)
    axes.set_ylabel("signal to noise (dB)", fontsize=9, color=_INK)
    axes.legend(frameon=False, fontsize=8.5, loc="upper right")
    _tidy(axes, f"{report.bundle}: noise of INT8 in each layer's output", "layer, input to output")
    _save(figure, path)


def _short(node: str) -> str:
    return node.removeprefix("backbone.").rpartition("/")[0] or node


def _draw_embeddings(report: Report, path: Path) -> None:
    """Both embeddings on FP32's two main axes, and each picture's cosine."""
    figure = _figure(10, 4.6)
    plane, line = figure.subplots(1, 2)
    middle = report.fp32.mean(axis=0)
    directions = np.linalg.svd(report.fp32 - middle, full_matrices=False)[2][:2]
    fp32, int8 = ((rows - middle) @ directions.T for rows in (report.fp32, report.int8))  # (N, 2)
    plane.plot(*np.stack([fp32, int8], axis=1).T, color=_FAINT, linewidth=0.8, zorder=1)
    plane.scatter(*fp32.T, s=26, facecolors="none", edgecolors=_BLUE, label="FP32", zorder=2)
    plane.scatter(*int8.T, s=8, color=_VERMILLION, label="INT8", zorder=3)
    plane.set_aspect("equal", adjustable="datalim")
    plane.legend(frameon=False, fontsize=8.5)
    _tidy(plane, f"{len(fp32)} pictures kept apart, on FP32's two main axes", "")
    cosines = np.sort((report.fp32 * report.int8).sum(axis=1))
    line.scatter(np.arange(len(cosines)), cosines, s=10, color=_BLUE)
    below: Any = {"textcoords": "offset points", "fontsize": 8, "color": _INK, "ha": "right"}
    for limit, label in ((MIN_MEAN_COSINE, "mean"), (MIN_WORST_COSINE, "worst")):
        line.axhline(limit, color=_VERMILLION, linewidth=0.8, linestyle="--")
        line.annotate(f"required of the {label}", (len(cosines) - 1, limit), (0, -10), **below)
    _tidy(line, f"cosine to FP32: mean {cosines.mean():.4f}, worst {cosines[0]:.4f}", "picture, worst first")
    _save(figure, path)


def _figure(width_in: float, height_in: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _tidy(axes: Any, title: str, xlabel: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=8.5)
    axes.grid(color=_FAINT, linewidth=0.5, alpha=0.5)
    axes.set_title(title, fontsize=10, color=_INK, loc="left")
    axes.set_xlabel(xlabel, fontsize=9, color=_INK)


def _save(figure: Any, path: Path) -> None:
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
