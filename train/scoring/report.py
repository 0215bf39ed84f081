"""An evaluation's scores: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from runtime.files import write_text_whole
from train.choices import Protocol
from train.scoring.distances import DistanceScores
from train.scoring.open_encoder import EncoderCard
from train.scoring.ranking import Scores
from train.scoring.robustness import Curves

FORMAT = 1
SCORES, TABLE = "scores.json", "table.txt"
_COLUMNS = ("R@1", "step", "R@5", "R@10", "R@1%", "AP")  # step: by how much one query moves R@1


@dataclass(frozen=True, slots=True)
class SetScores:
    """The scores of one set; ``distances`` is None where a picture has no place on Earth."""

    scores: Scores
    distances: DistanceScores | None = None

    @property
    def step(self) -> float:
        """Return by how much one query moves R@1."""
        return 1 / self.scores.queries

    def to_json(self) -> dict[str, Any]:
        """Return the scores as they stand in ``scores.json``."""
        distances = {"distances": self.distances.to_json()} if self.distances else {}
        return {**asdict(self.scores), "step": self.step, **distances}


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """All that an evaluation found, with what it was done on and how."""

    encoder: EncoderCard
    data: Sequence[str]
    protocol: Protocol
    flips_summed: bool
    remarks: Sequence[str]
    sets: Mapping[str, SetScores]  # by the name of the set
    robustness: Mapping[str, Curves]  # by the name of the set; those that were changed
    robustness_queries: int | None
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the report as it stands in ``scores.json``."""
        return {
            "format": FORMAT,
            "encoder": {**asdict(self.encoder), "path": str(self.encoder.path)},
            "data": list(self.data),
            "protocol": self.protocol,
            "flips_summed": self.flips_summed,
            "remarks": list(self.remarks),
            "sets": {name: scores.to_json() for name, scores in self.sets.items()},
            "robustness": {
                name: {field: asdict(curve) for field, curve in curves.items()}
                for name, curves in self.robustness.items()
            },
            "robustness_queries": self.robustness_queries,
            "seconds": self.seconds,
        }

    def notes(self) -> list[str]:
        """Return what a reader of the figures has to know."""
        flips = "test-time flips summed" if self.flips_summed else "no test-time flips"
        return [f"protocol {self.protocol}, {flips}, D = {self.encoder.dim}", *self.remarks]


def print_report(report: EvaluationReport) -> None:
    """Print table and notes to stdout, as a table with rules where that is a terminal."""
    if sys.stdout.isatty():
        _print_table(report.sets)
    else:
        print("\n".join(table_lines(report.sets)))
    for line in report.notes():
        print(line)


def write_report(out: Path, report: EvaluationReport) -> list[Path]:
    """Write ``scores.json`` and ``table.txt``, each whole or not at all; returns their paths."""
    write_text_whole(out / SCORES, json.dumps(report.to_json(), indent=2) + "\n")
    write_text_whole(out / TABLE, "\n".join([*table_lines(report.sets), *report.notes()]) + "\n")
    return [out / SCORES, out / TABLE]


def table_lines(sets: Mapping[str, SetScores]) -> list[str]:
    """Return one line of plain text a set, and one for its distances where they are known."""
    width = max(map(len, sets))
    lines = []
    for name, s in sets.items():
        shares = "  ".join(f"{column} {share}" for column, share in zip(_COLUMNS, _shares(s), strict=True))
        lines.append(f"{name:>{width}}: {shares}  ({s.scores.queries} queries, gallery {s.scores.gallery})")
        if s.distances:
            lines.append(f"{'':{width}}  {_describe_distances(s.distances)}")
    return lines


def _print_table(sets: Mapping[str, SetScores]) -> None:
    """Print the table to a terminal."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("")
    for column in (*_COLUMNS, "queries", "gallery"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, s in sets.items():
        table.add_row(name, *_shares(s), str(s.scores.queries), str(s.scores.gallery))
    console = Console()
    console.print(table)
    for name, s in sets.items():
        if s.distances:
            console.print(f"{name}: {_describe_distances(s.distances)}", markup=False, highlight=False)


def _shares(s: SetScores) -> list[str]:
    """Return the cells of ``_COLUMNS``."""
    r1, *others = (f"{share:.2%}" for share in s.scores.shares().values())
    return [r1, f"{100 * s.step:.2g}%", *others]


def _describe_distances(distances: DistanceScores) -> str:
    """Return distances in one line; SDM in the benchmark's own reading, by degrees."""
    within = "  ".join(f"within {limit_m}m {share:.1%}" for limit_m, share in distances.within.items())
    sdm = "  ".join(f"SDM@{k} {value:.4f}" for k, value in distances.sdm_degrees.items())
    error = f"{distances.median_m:.1f} m (median), {distances.mean_m:.1f} m (mean)"
    return f"{sdm}  first answer off by {error}  {within}"
