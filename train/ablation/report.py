"""The ablation's result as Markdown, JSON and pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runtime.files import write_text_whole
from train.ablation.arms import ARMS, CONTRASTS
from train.ablation.chart import Row, plot_differences, plot_lambda
from train.ablation.results import Results
from train.ablation.statistics import Paired, Spread
from train.ablation.study import DIRECTIONS, METRICS, StudySpec

REPORT, FIGURES = "report.md", "report.json"
_NAMES = {"r1": "R@1", "r5": "R@5", "ap": "AP"}
_COLUMNS = [(way, metric) for way in DIRECTIONS for metric in METRICS]
_COMPARED = [(way, metric) for way, metric in _COLUMNS if metric != "r5"]
_READING = """\
Every arm of a seed starts from the same weights and sees the same batches, byte for byte (both are hashed), in the same
order and for as many steps; the encoder of the last step is scored. Differences are paired by seed: mean ± standard
error, [95 % interval by Student's t], seeds ahead : behind. Each interval is of one comparison and not corrected for
their number. Seeds vary the head's start, the order and the views; the scored places are the same for all.
"""


def write_report(results: Results, spec: StudySpec, against: str, out: Path) -> list[Path]:
    """Write tables and pictures into ``out``; returns their paths, the tables first."""
    write_text_whole(out / REPORT, markdown(results, spec, against))
    write_text_whole(out / FIGURES, json.dumps(figures(results, against), indent=2) + "\n")
    pictures = [out / f"differences-{number}.png" for number in range(len(results.sets))]
    for over, path in zip(results.sets, pictures, strict=True):
        panels = {f"{way}, {_NAMES[metric]}": _rows(results, over, way, metric, against) for way, metric in _COMPARED}
        plot_differences(panels, against, path, title=f"{over}, {_seeds(results)}")
    adaptive = [name for name in ("palw", "dphr", "info_nce+dphr") if name in results.runs]
    traces = {name: [run["lambda_t"] for run in results.runs[name].values()] for name in adaptive}
    plot_lambda(traces, out / "lambda.png")
    return [out / REPORT, out / FIGURES, *pictures, out / "lambda.png"]


def markdown(results: Results, spec: StudySpec, against: str) -> str:
    """The tables, one group for each set that was scored."""
    base = spec.base
    parts = [
        "# Ablation of the loss\n",
        f"{base.encoder.backbone} at {base.encoder.side_px} px, {base.steps} steps of {base.batch} pairs, "
        f"{', '.join(base.data)}; {_seeds(results)}.\n",
        _READING,
        _rate_note(spec),
        _arm_table(results),
    ]
    for over in results.sets:
        parts += [f"## {over}\n", _score_table(results, over)]
        if against in results.runs:
            parts += [f"Less {against} of the same seed, percentage points:\n", _against_table(results, over, against)]
        parts += ["What the parts do, percentage points:\n", _contrast_table(results, over)]
    return "\n".join(part for part in parts if part)


def figures(results: Results, against: str) -> dict[str, Any]:
    """All numbers, as shares; what cannot be known from one seed is null."""
    return {
        over: {
            arm: {
                f"{way} {metric}": {
                    "values": results.values(arm, over, way, metric),
                    **_plain(results.spread(arm, over, way, metric)),
                    f"less {against}": _plain(results.paired(arm, against, over, way, metric))
                    if against in results.runs
                    else None,
                }
                for way, metric in _COLUMNS
            }
            for arm in results.runs
        }
        for over in results.sets
    }


def _plain(numbers: Spread | Paired) -> dict[str, Any]:
    return {key: None if math.isnan(value) else value for key, value in numbers._asdict().items()}


def _rows(results: Results, over: str, way: str, metric: str, against: str) -> list[Row]:
    rows = []
    for arm in results.runs:
        if not ARMS[arm].trained or against not in results.runs:
            continue  # the start lies far off and would flatten the rest
        seeds = results.common_seeds(arm, against)
        mine, other = (np.array(results.values(name, over, way, metric, seeds)) * 100 for name in (arm, against))
        paired = results.paired(arm, against, over, way, metric)
        percent = paired._replace(**{k: getattr(paired, k) * 100 for k in ("mean", "standard_error", "low", "high")})
        values = [100 * value for value in results.values(arm, over, way, metric)]
        rows.append(Row(arm, values, list(mine - other), percent))
    return rows


def _arm_table(results: Results) -> str:
    def of(arm: str) -> list[str]:
        runs = results.runs[arm].values()
        lambdas = [float(np.mean(run["lambda_t"])) for run in runs if run["lambda_t"]]
        shown = f"{np.mean(lambdas):.2f}" if lambdas and ARMS[arm].dphr is not None else ""
        rates = sorted({f"{run['lr']:g}" for run in runs})
        return [arm, f"`{ARMS[arm].formula}`", ", ".join(rates) if ARMS[arm].trained else "", shown, str(len(runs))]

    return _table(["arm", "loss", "lr", "mean lambda", "seeds"], [of(arm) for arm in results.runs])


def _score_table(results: Results, over: str) -> str:
    def cell(arm: str, way: str, metric: str) -> str:
        of = results.spread(arm, over, way, metric)
        return f"{of.mean:.1%}" if math.isnan(of.sd) else f"{100 * of.mean:.1f} ± {100 * of.sd:.1f}"

    head = ["arm (percent, mean ± sd over seeds)", *(f"{way} {_NAMES[metric]}" for way, metric in _COLUMNS)]
    return _table(head, [[arm, *(cell(arm, *column) for column in _COLUMNS)] for arm in results.runs])


def _against_table(results: Results, over: str, against: str) -> str:
    others = [arm for arm in results.runs if arm != against and ARMS[arm].trained]
    head = ["arm", *(f"{way} {_NAMES[metric]}" for way, metric in _COMPARED)]
    return _table(head, [[arm, *_differences(results, arm, against, over)] for arm in others])


def _contrast_table(results: Results, over: str) -> str:
    asked = [c for c in CONTRASTS if c.arm in results.runs and c.against in results.runs]
    head = ["question", *(f"{way} {_NAMES[metric]}" for way, metric in _COMPARED)]
    lines = [[f"{c.question}: {c.arm} - {c.against}", *_differences(results, c.arm, c.against, over)] for c in asked]
    return _table(head, lines) if lines else ""


def _differences(results: Results, arm: str, against: str, over: str) -> list[str]:
    return [_signed(results.paired(arm, against, over, way, metric)) for way, metric in _COMPARED]


def _signed(of: Paired) -> str:
    mean = f"{100 * of.mean:+.1f}"
    if not of.n > 1:
        return mean
    return f"{mean} ± {100 * of.standard_error:.1f} [{100 * of.low:+.1f}, {100 * of.high:+.1f}] {of.wins}:{of.losses}"


def _rate_note(spec: StudySpec) -> str:
    if len(spec.rates) == 1:
        return f"One learning rate for all arms: {spec.rates[0]:g}. It was not tuned for each of them.\n"
    return (
        f"The learning rate of each arm is the best of {', '.join(f'{rate:g}' for rate in spec.rates)} by mean AP on "
        "an eighth of the train places, kept from a run of another seed; no scored place was touched for it.\n"
    )


def _seeds(results: Results) -> str:
    counts = [len(runs) for runs in results.runs.values()]
    least, most = min(counts), max(counts)
    return f"n = {most} seeds" if least == most else f"n = {least} to {most} seeds (unfinished)"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *lines))
