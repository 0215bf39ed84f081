"""Curves of a run as one picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runtime.files import whole_file


def read_log(path: Path) -> list[dict[str, Any]]:
    """Lines of a run's ``log.jsonl``."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def plot_run(log: list[dict[str, Any]], path: Path) -> None:
    """Loss, DPHR's lambda and R@1 over steps, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = [line for line in log if "loss" in line]
    scores = [line for line in log if "r1" in line]
    figure = Figure(figsize=(8, 8), layout="constrained")
    FigureCanvasAgg(figure)
    loss, weight, recall = figure.subplots(3, 1, sharex=True)
    for name in ("loss", "host", "triplet"):
        loss.plot([s["step"] for s in steps], [s[name] for s in steps], label=name, linewidth=0.8)
    loss.set_ylabel("loss")
    loss.legend()
    weight.plot([s["step"] for s in steps], [s["lambda_t"] for s in steps], linewidth=0.8)
    weight.set_ylabel("lambda_t")
    for name, label in (("r1", "R@1"), ("ap", "AP")):
        recall.plot([s["step"] for s in scores], [s[name] for s in scores], marker="o", label=label)
    recall.set(ylabel="held-out places", xlabel="step", ylim=(0, 1))
    recall.legend()
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
