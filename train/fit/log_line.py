"""One line of a run's ``log.jsonl``: what a step did, or how well held-out places are found after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class LogLine:
    """Numbers about one step, by the name of their curve."""

    step: int
    values: Mapping[str, float]  # as "loss" and "grad_norm" of a step, or "r1" and "ap" of a validation
    elapsed_s: float = 0.0

    @property
    def is_validation(self) -> bool:
        """Tell whether the line is about held-out places, and not about a step's loss."""
        return "r1" in self.values

    def to_json(self) -> dict[str, float]:
        """Return the line as it stands in the file."""
        return {"step": self.step, **self.values, "elapsed_s": self.elapsed_s}

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> LogLine:
        """Read the values that :meth:`to_json` returned."""
        values = {name: value for name, value in line.items() if name not in ("step", "elapsed_s")}
        return cls(line["step"], values, line["elapsed_s"])


def read_log(path: Path) -> list[LogLine]:
    """Read the lines of a run's ``log.jsonl``; none where there is no file.

    A last line without its end was being written when the run was killed, and is left out.
    """
    *lines, _ = path.read_text(encoding="utf-8").split("\n") if path.is_file() else [""]
    return [LogLine.from_json(json.loads(line)) for line in lines]
