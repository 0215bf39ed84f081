"""A run's log as it goes: ``log.jsonl``, which is the source, and TensorBoard's events where that is installed."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runtime.files import write_text_whole
from train.fit.log_line import LogLine, read_log
from train.fit.run_state import Run

logger = logging.getLogger(__name__)

LOG, EVENTS = "log.jsonl", "tensorboard"


class RunLog:
    """The log of one run: a line a step, a line a validation."""

    def __init__(self, run: Run, on_line: Callable[[LogLine, float], None], *, resumed: bool) -> None:
        """Begin the log, or go on with it; lines of steps that a resumed run takes again are dropped.

        ``on_line`` gets each line and the progress.
        """
        self._run, self._on_line = run, on_line
        self._path = run.out / LOG
        self.lines = [line for line in read_log(self._path) if resumed and line.step <= run.step]
        write_text_whole(self._path, "".join(json.dumps(line.to_json()) + "\n" for line in self.lines))
        self._writer = _event_writer(run.out / EVENTS, run.step + 1 if resumed else None)

    def add(self, values: Mapping[str, float]) -> None:
        """Add a line about the step that the run is at."""
        line = LogLine(self._run.step, values, round(self._run.elapsed_s, 1))
        self.lines.append(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line.to_json()) + "\n")
        if self._writer is not None:
            group = "held-out" if line.is_validation else "train"
            for name, value in values.items():
                if math.isfinite(value):
                    self._writer.add_scalar(f"{group}/{name}", value, line.step)
        self._on_line(line, self._run.progress)

    def close(self) -> None:
        """Write what TensorBoard's writer holds back."""
        if self._writer is not None:
            self._writer.close()


def _event_writer(folder: Path, first_step: int | None) -> Any:
    """Open TensorBoard's writer, which hides earlier events of ``first_step`` and later; None without the package."""
    try:
        from torch.utils.tensorboard import SummaryWriter  # the package is optional
    except ImportError:
        logger.info("no %s/: for live curves, pip install tensorboard; %s has all of it", EVENTS, LOG)
        return None
    return SummaryWriter(str(folder), purge_step=first_step)
