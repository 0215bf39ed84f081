"""The settings of an evaluation; imports nothing heavy, so that the command can build them at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from train.choices import EvaluatedSplit, Protocol


@dataclass(frozen=True, slots=True)
class EvaluateSpec:
    """The settings of an evaluation: an encoder, what it is scored on, and how."""

    encoder: Path  # a checkpoint of a run, or a bundle
    data: tuple[str, ...]  # KIND:PATH[@GSD_M]
    split: EvaluatedSplit | None = None  # None: a benchmark's own test, and val of all else
    protocol: Protocol = "official"
    flips: bool = False  # sum each embedding with that of the mirrored picture
    dim: int | None = None  # the first numbers of an embedding; None: all
    robustness: int | None = None  # queries that are changed; None: no such curves
    augment: float = 1.0  # how much rendered views change, 0..1
    precision: str | None = None  # of a bundle; None: its floating graph
    workers: int = 1  # threads that read pictures
    out: Path | None = None  # folder to write to; None: nothing is written
    report: Path | None = None  # file for the scores alone, as JSON; None: not written
