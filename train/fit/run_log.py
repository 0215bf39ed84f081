"""What a run tells as it goes: ``log.jsonl``, which is the source, and TensorBoard's events where that is installed."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.files import write_text_whole
from train.fit.plots import read_log
from train.fit.run_state import Run

logger = logging.getLogger(__name__)

LOG, EVENTS = "log.jsonl", "tensorboard"


class RunLog:
    """One line a step, one a validation; lines of steps that a resumed run takes again are dropped."""

    def __init__(self, run: Run, tell: Callable[[dict[str, Any], float], None], *, resumed: bool) -> None:
        """``tell`` gets each line and the progress."""
        self._run, self._tell = run, tell
        self._path = run.out / LOG
        self.lines = [line for line in read_log(self._path) if resumed and line["step"] <= run.step]
        write_text_whole(self._path, "".join(json.dumps(line) + "\n" for line in self.lines))
        self._writer = _event_writer(run.out / EVENTS, run.step + 1 if resumed else None)

    def add(self, values: dict[str, float]) -> None:
        """A line about the step that the run is at."""
        step, elapsed_s = self._run.step, round(self._run.elapsed_s, 1)
        line = {"step": step, **values, "elapsed_s": elapsed_s}
        self.lines.append(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._writer is not None:
            group = "held-out" if "r1" in values else "train"
            for name, value in values.items():
                if math.isfinite(value):
                    self._writer.add_scalar(f"{group}/{name}", value, step)
        self._tell(line, self._run.progress)

    def close(self) -> None:
        """Write what TensorBoard's writer holds back."""
        if self._writer is not None:
            self._writer.close()


def _event_writer(folder: Path, first_step: int | None) -> Any:
    """TensorBoard's, which hides earlier events of ``first_step`` and later; None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.info("no %s/: for live curves, pip install tensorboard; %s has all of it", EVENTS, LOG)
        return None
    return SummaryWriter(str(folder), purge_step=first_step)
