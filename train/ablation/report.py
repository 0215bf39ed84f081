"""The ablation's result as Markdown, JSON and pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from runtime.files import write_text_whole
from train.ablation.arms import ARMS, CONTRASTS
from train.ablation.chart import ChartRow, plot_differences, plot_lambda
from train.ablation.results import DIRECTIONS, METRICS, Column, Metric, Results
from train.ablation.statistics import PairedDifference, Spread
from train.ablation.study import StudySpec

REPORT, FIGURES = "report.md", "report.json"
_NAMES: Mapping[Metric, str] = {"r1": "R@1", "r5": "R@5", "ap": "AP"}
_COLUMNS = [Column(direction, metric) for direction in DIRECTIONS for metric in METRICS]
_COMPARED = [column for column in _COLUMNS if column.metric != "r5"]
_READING = """\
Every arm of a seed starts from the same weights and sees the same batches, byte for byte (both are hashed), in the same
order and for as many steps; the encoder of the last step is scored. Differences are paired by seed: mean ± standard
error, [95 % interval by Student's t], seeds ahead : behind. Each interval is of one comparison and not corrected for
their number. Seeds vary the head's start, the order and the views; the scored places are the same for all.
"""


Numbers: TypeAlias = Mapping[str, float | int | None]
"""Named numbers of a report; null is what one seed cannot tell."""


def write_report(results: Results, spec: StudySpec, against: str, out: Path) -> list[Path]:
    """Write tables and pictures into ``out``; returns their paths, the tables first."""
    write_text_whole(out / REPORT, markdown(results, spec, against))
    write_text_whole(out / FIGURES, json.dumps(figures(results, against), indent=2) + "\n")
    pictures = [out / f"differences-{number}.png" for number in range(len(results.sets))]
    for scored, path in zip(results.sets, pictures, strict=True):
        panels = {
            f"{column.direction}, {_NAMES[column.metric]}": _chart_rows(results, scored, column, against)
            for column in _COMPARED
        }
        plot_differences(panels, against, path, title=f"{scored}, {_seed_count(results)}")
    adaptive = [name for name in ("palw", "dphr", "info_nce+dphr") if name in results.runs]
    plot_lambda({name: [run.lambda_t for run in results.runs[name].values()] for name in adaptive}, out / "lambda.png")
    return [out / REPORT, out / FIGURES, *pictures, out / "lambda.png"]


def markdown(results: Results, spec: StudySpec, against: str) -> str:
    """Return the tables, one group for each set that was scored."""
    base = spec.base
    parts = [
        "# Ablation of the loss\n",
        f"{base.encoder.backbone} at {base.encoder.side_px} px, {base.steps} steps of {base.batch} pairs, "
        f"{', '.join(base.data)}; {_seed_count(results)}.\n",
        _READING,
        _rate_note(spec),
        _arm_table(results),
    ]
    for scored in results.sets:
        parts += [f"## {scored}\n", _score_table(results, scored)]
        if against in results.runs:
            less = f"Less {against} of the same seed, percentage points:\n"
            parts += [less, _against_table(results, scored, against)]
        parts += ["What the parts do, percentage points:\n", _contrast_table(results, scored)]
    return "\n".join(part for part in parts if part)


def figures(results: Results, against: str) -> dict[str, dict[str, dict[str, object]]]:
    """Return all numbers as shares, by set, arm and column; what cannot be known from one seed is None."""
    return {
        scored: {
            arm: {column.key: _column_figures(results, scored, arm, column, against) for column in _COLUMNS}
            for arm in results.runs
        }
        for scored in results.sets
    }


def _column_figures(results: Results, scored: str, arm: str, column: Column, against: str) -> dict[str, object]:
    """Return an arm's values, their spread, and their difference from the reference."""
    less = _plain(results.paired(arm, against, scored, column)) if against in results.runs else None
    spread = _plain(results.spread(arm, scored, column))
    return {"values": results.values(arm, scored, column), **spread, f"less {against}": less}


def _plain(numbers: Spread | PairedDifference) -> Numbers:
    """Return named numbers, None in place of NaN, which JSON does not know."""
    return {key: None if math.isnan(value) else value for key, value in numbers._asdict().items()}


def _chart_rows(results: Results, scored: str, column: Column, against: str) -> list[ChartRow]:
    """Return the arms of a panel, in percent and percentage points."""
    rows = []
    for arm in results.runs:
        if not ARMS[arm].trained or against not in results.runs:
            continue  # the start lies far off and would flatten the rest
        seeds = results.common_seeds(arm, against)
        mine, other = (np.array(results.values(name, scored, column, seeds)) * 100 for name in (arm, against))
        values = [100 * value for value in results.values(arm, scored, column)]
        paired = results.paired(arm, against, scored, column).scaled(100)
        rows.append(ChartRow(arm, values, list(mine - other), paired))
    return rows


def _arm_table(results: Results) -> str:
    """Return the table of arms: their formulas, rates, mean lambdas and seeds."""
    lines = []
    for name, by_seed in results.runs.items():
        arm, runs = ARMS[name], by_seed.values()
        lambdas = [float(np.mean(run.lambda_t)) for run in runs if run.lambda_t]
        mean_lambda = f"{np.mean(lambdas):.2f}" if lambdas and arm.has_dphr else ""
        rates = ", ".join(sorted({f"{run.lr:g}" for run in runs})) if arm.trained else ""
        lines.append([name, f"`{arm.formula}`", rates, mean_lambda, str(len(runs))])
    return _table(["arm", "loss", "lr", "mean lambda", "seeds"], lines)


def _score_table(results: Results, scored: str) -> str:
    """Return the table of an arm's mean scores over seeds, with their deviation."""

    def cell(arm: str, column: Column) -> str:
        spread = results.spread(arm, scored, column)
        if math.isnan(spread.sd):
            return f"{spread.mean:.1%}"
        return f"{100 * spread.mean:.1f} ± {100 * spread.sd:.1f}"

    head = ["arm (percent, mean ± sd over seeds)", *_headings(_COLUMNS)]
    return _table(head, [[arm, *(cell(arm, column) for column in _COLUMNS)] for arm in results.runs])


def _headings(columns: Sequence[Column]) -> list[str]:
    """Return the columns' names in a table."""
    return [f"{column.direction} {_NAMES[column.metric]}" for column in columns]


def _against_table(results: Results, scored: str, against: str) -> str:
    """Return the table of differences of all arms from the reference."""
    others = [arm for arm in results.runs if arm != against and ARMS[arm].trained]
    lines = [[arm, *_differences(results, arm, against, scored)] for arm in others]
    return _table(["arm", *_headings(_COMPARED)], lines)


def _contrast_table(results: Results, scored: str) -> str:
    """Return the table of the questions that the arms at hand answer; blank where there are none."""
    answered = [c for c in CONTRASTS if c.arm in results.runs and c.against in results.runs]
    lines = [
        [f"{c.question}: {c.arm} - {c.against}", *_differences(results, c.arm, c.against, scored)] for c in answered
    ]
    return _table(["question", *_headings(_COMPARED)], lines) if lines else ""


def _differences(results: Results, arm: str, against: str, scored: str) -> list[str]:
    """Return the cells of one arm less another."""
    return [_signed(results.paired(arm, against, scored, column)) for column in _COMPARED]


def _signed(paired: PairedDifference) -> str:
    """Return a difference in percentage points, with its error, interval and counts where there are two seeds."""
    mean = f"{100 * paired.mean:+.1f}"
    if not paired.n > 1:
        return mean
    interval = f"[{100 * paired.low:+.1f}, {100 * paired.high:+.1f}]"
    return f"{mean} ± {100 * paired.standard_error:.1f} {interval} {paired.wins}:{paired.losses}"


def _rate_note(spec: StudySpec) -> str:
    """Return how the learning rate was chosen."""
    if len(spec.rates) == 1:
        return f"One learning rate for all arms: {spec.rates[0]:g}. It was not tuned for each of them.\n"
    return (
        f"The learning rate of each arm is the best of {', '.join(f'{rate:g}' for rate in spec.rates)} by mean AP on "
        "an eighth of the train places, kept from a run of another seed; no scored place was touched for it.\n"
    )


def _seed_count(results: Results) -> str:
    """Return how many seeds there are, as ``n = 5 seeds``."""
    counts = [len(runs) for runs in results.runs.values()]
    least, most = min(counts), max(counts)
    return f"n = {most} seeds" if least == most else f"n = {least} to {most} seeds (unfinished)"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    rule = ["---"] * len(head)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *lines))
